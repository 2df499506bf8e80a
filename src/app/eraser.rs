//! The eraser: takes up open erasures, one after the other, until they are complete.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use anyhow::Context;
use rusqlite::Connection;
use tokio::time::timeout;

use super::jobs::Ended;
use super::{copies, foreign_text};
use crate::clock;
use crate::domain::Millis;
use crate::projection::erase::{erase_some, forget_some_mentions, request_again};
use crate::store::{Database, Erasure, Ledger, LedgerEntry, Store, StoreError, Tx, WriteError};

/// Erasures that are looked at in one transaction.
const CHUNK_ERASURES: usize = 20;
/// Events that are erased in one transaction: few, so that deliveries do not wait long.
const CHUNK_EVENTS: usize = 200;
/// Erasures that are taken up, or completed, together: the write-ahead log is emptied once for all.
const BATCH_ERASURES: usize = 400;
/// Open erasures are looked for when a commit here asks for one, and at least this often: commands of
/// other processes ask too.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Pauses between two attempts to empty the write-ahead log.
const PAUSE_MIN: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// Whoever holds what was erased for longer than this is told of, and is not one of us.
const HOLD_MAX: Duration = Duration::from_secs(30);
const LOG_IN_USE: &str = "what was erased is gone from the database, but another program keeps \
     reading it, so that the write-ahead log cannot be emptied; it is complete when that program \
     (a replication like Litestream?) lets go";

/// Goes on until it is dropped, or an erasure fails.
pub async fn run(store: Store) -> Ended {
    let mut erasures = store.erasures();
    let mut completion = Completion::default();
    copies::look_into_put_aside(&store).await;
    loop {
        let has_more = take_up(&store).await.context("an erasure failed")?;
        completion.attempt(&store).await.context("an erasure cannot be completed")?;
        if !has_more {
            drop(timeout(LOOK_EVERY, erasures.changed()).await);
        }
    }
}

/// Erases members of some open erasures from the database; false when there were none. Whatever
/// earlier ones still wait for, new ones are noted and begun.
async fn take_up(store: &Store) -> Result<bool, WriteError> {
    foreign_text::read_old(store).await?;
    let open = store.read(|snapshot| snapshot.open_erasures(BATCH_ERASURES))?;
    if open.is_empty() {
        return Ok(false);
    }
    note_in_ledger(store.database(), &open)?;
    for chunk in open.chunks(CHUNK_ERASURES) {
        let forget = || {
            let chunk = chunk.to_vec();
            store.write(move |tx| forget_some_mentions(tx, &chunk))
        };
        while forget().await? {}
        let erase = || {
            let chunk = chunk.to_vec();
            store.write(move |tx| erase_some(tx, &chunk, CHUNK_EVENTS, clock::now()))
        };
        while erase().await? {
            // Else a commit would move it all, while deliveries wait.
            store.move_log().await?;
        }
    }
    Ok(true)
}

/// How erasures whose members are gone from the database become complete: when nothing beside it
/// holds them any more either.
#[derive(Default)]
struct Completion {
    /// Since when they wait for somebody else to let go, and when it is tried again.
    waiting: Option<Wait>,
}

struct Wait {
    since: Instant,
    pause: Duration,
    again_at: Instant,
    has_warned: bool,
}

impl Completion {
    async fn attempt(&mut self, store: &Store) -> Result<(), WriteError> {
        if self.waiting.as_ref().is_some_and(|wait| Instant::now() < wait.again_at) {
            return Ok(());
        }
        // Before the files are looked at: what is erased meanwhile is for the next time.
        let erased = store.read(|snapshot| snapshot.uncompleted_erasures(BATCH_ERASURES))?;
        if erased.is_empty() {
            return Ok(());
        }
        if let Some(holder) = held_by(store).await? {
            self.wait(&holder);
            return Ok(());
        }
        self.waiting = None;
        let count = erased.len();
        store.write(move |tx| tx.mark_completed(&erased, clock::now())).await?;
        tracing::info!(count, "erasures are complete");
        Ok(())
    }

    fn wait(&mut self, holder: &str) {
        let now = Instant::now();
        let wait = self.waiting.get_or_insert(Wait {
            since: now,
            pause: PAUSE_MIN,
            again_at: now,
            has_warned: false,
        });
        wait.again_at = now + wait.pause;
        wait.pause = (wait.pause * 2).min(PAUSE_MAX);
        if wait.since.elapsed() > HOLD_MAX && !wait.has_warned {
            tracing::warn!("{holder}");
            wait.has_warned = true;
        }
    }
}

/// What keeps what was erased in a file beside the database, if something does.
async fn held_by(store: &Store) -> Result<Option<String>, WriteError> {
    // The log comes first: no copy that is made from here on holds them.
    shrink(store).await?;
    if !store.empty_log().await? {
        return Ok(Some(LOG_IN_USE.to_owned()));
    }
    if !store.database().clear_scratch()? {
        return Ok(Some(foreign_text::COPY_IN_USE.to_owned()));
    }
    Ok(copies::forget_put_aside_beside(store).await.err().map(|error| error.to_string()))
}

/// The same for a command: all that is open, with a connection of its own.
pub fn work_off(database: &Database, connection: &mut Connection) -> Result<(), StoreError> {
    erase_all(database, connection)?;
    complete(database, connection)
}

fn erase_all(database: &Database, connection: &mut Connection) -> Result<(), StoreError> {
    foreign_text::read_old_beside(database, connection)?;
    loop {
        let open = database.read(|snapshot| snapshot.open_erasures(BATCH_ERASURES))?;
        if open.is_empty() {
            return Ok(());
        }
        note_in_ledger(database, &open)?;
        for chunk in open.chunks(CHUNK_ERASURES) {
            while database.transact(connection, |tx| forget_some_mentions(tx, chunk))? {}
            let erase = |tx: &mut Tx<'_>| erase_some(tx, chunk, CHUNK_EVENTS, clock::now());
            while database.transact(connection, erase)? {}
        }
    }
}

fn complete(database: &Database, connection: &mut Connection) -> Result<(), StoreError> {
    let erased = database.read(|snapshot| snapshot.uncompleted_erasures(usize::MAX))?;
    if erased.is_empty() {
        return Ok(());
    }
    wait_for_empty_log(connection)?;
    foreign_text::wait_for_copies_beside(database)?;
    copies::forget_put_aside(database)?;
    database.transact(connection, |tx| tx.mark_completed(&erased, clock::now()))
}

/// Makes a database that is older than the erasure ledger beside it forget again, before anybody
/// may read it.
pub fn catch_up(database: &Database) -> Result<(), StoreError> {
    let ledger = database.ledger()?;
    tell_what_is_passed_over(&ledger);
    let ledger = ledger.entries;
    let erased = database.read(|snapshot| snapshot.tombstones_after(Millis::MIN))?;
    if let Err(error) = complete_ledger(database, &lacking(&ledger, &erased)) {
        tracing::error!(%error, "the erasure ledger does not have all that was erased");
    }
    if lacking(&erased, &ledger).is_empty() {
        return Ok(());
    }
    let mut connection = database.connect()?;
    // Whom it names must be known before anybody is looked for.
    foreign_text::read_old_beside(database, &mut connection)?;
    let came_back =
        database.transact(&mut connection, |tx| request_again(tx, ledger, clock::now()))?;
    tracing::warn!(came_back, "the database is older than its erasure ledger; erasing again");
    erase_all(database, &mut connection)?;
    // Nobody reads them any more; what keeps their bytes must not keep deliveries out.
    if let Err(error) = complete(database, &mut connection) {
        tracing::warn!(%error, "erasures are not complete yet");
    }
    Ok(())
}

/// Adds what the database knows of and the ledger does not, because it was lost or damaged, or is
/// new on this machine: a still older copy of the database must forget it too.
fn complete_ledger(database: &Database, missing: &[LedgerEntry]) -> Result<(), StoreError> {
    if missing.is_empty() {
        return Ok(());
    }
    tracing::info!(erasures = missing.len(), "the erasure ledger lacked some; they are added");
    database.add_to_ledger(missing)
}

/// Of some entries those that others do not have, or not up to the same instant.
pub fn lacking(those: &[LedgerEntry], of: &[LedgerEntry]) -> Vec<LedgerEntry> {
    let name = |entry: &LedgerEntry| (entry.gym, entry.account_hash);
    let known: HashMap<_, _> =
        those.iter().map(|entry| (name(entry), entry.erased_until)).collect();
    let is_known = |entry: &&LedgerEntry| {
        known.get(&name(entry)).is_some_and(|until| *until >= entry.erased_until)
    };
    of.iter().filter(|entry| !is_known(entry)).cloned().collect()
}

fn tell_what_is_passed_over(ledger: &Ledger) {
    let Ledger { of_other_gyms, of_other_keys, damaged, .. } = *ledger;
    if of_other_gyms > 0 {
        tracing::info!(
            lines = of_other_gyms,
            "the erasure ledger has lines about gyms that are not in this database; they stay there"
        );
    }
    if of_other_keys > 0 {
        tracing::warn!(
            lines = of_other_keys,
            "lines of the erasure ledger were written with another footfall.key: whom they are \
             about cannot be found with this one; they stay there"
        );
    }
    if damaged > 0 {
        tracing::warn!(
            lines = damaged,
            "lines of the erasure ledger cannot be read; one that broke off in a crash was noted \
             again after it, others are in an earlier copy of the ledger; they stay there"
        );
    }
}

/// Gives free pages back to the disk, and moves most of the write-ahead log into the database beside
/// the writer, which then has little left to move while deliveries wait.
async fn shrink(store: &Store) -> Result<(), WriteError> {
    while store.shrink().await? {
        // Deliveries come first.
        tokio::time::sleep(PAUSE_MIN).await;
    }
    Ok(store.move_log().await?)
}

/// Gives free pages back to the disk, and empties the write-ahead log as soon as nobody reads what
/// is in it. False when somebody goes on reading: that is told, and left to the next run, so that
/// nothing waits for it.
pub async fn empty_log(store: &Store) -> Result<bool, WriteError> {
    shrink(store).await?;
    let (started, mut pause) = (Instant::now(), PAUSE_MIN);
    while !store.empty_log().await? {
        if started.elapsed() > HOLD_MAX {
            tracing::warn!("{LOG_IN_USE}");
            return Ok(false);
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(PAUSE_MAX);
    }
    Ok(true)
}

/// The same for a command, which gives up in the end.
pub fn wait_for_empty_log(connection: &Connection) -> Result<(), StoreError> {
    while Database::shrink(connection)? {
        // What moved up stands in the log too, and a small disk has no room for all of it.
        Database::empty_log(connection)?;
        std::thread::sleep(PAUSE_MIN);
    }
    let (started, mut pause) = (Instant::now(), PAUSE_MIN);
    while !Database::empty_log(connection)? {
        if started.elapsed() > HOLD_MAX {
            return Err(StoreError::Refused(LOG_IN_USE.to_owned()));
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(PAUSE_MAX);
    }
    Ok(())
}

/// What was asked for in the last moment of a service: whoever puts a backup back before the next start
/// must find it in the ledger.
pub fn note_open(database: &Database) -> Result<(), StoreError> {
    let open = database.read(|snapshot| snapshot.open_erasures(usize::MAX))?;
    if open.is_empty() { Ok(()) } else { note_in_ledger(database, &open) }
}

/// On disk before anything is erased: afterwards nobody could tell whom it was about.
fn note_in_ledger(database: &Database, open: &[Erasure]) -> Result<(), StoreError> {
    let entries = database.read(|snapshot| snapshot.ledger_entries(open))?;
    database.add_to_ledger(&entries)
}
