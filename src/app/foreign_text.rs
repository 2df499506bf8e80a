//! What an erasure waits for beside the database's own rows: text of others that an older version
//! kept and that nobody has read yet, and scratch copies from before it.

use std::time::{Duration, Instant};

use rusqlite::Connection;

use crate::domain::event::Kind;
use crate::intake::egym::{self, Delivery};
use crate::projection::apply;
use crate::store::{Database, Place, Store, StoreError, Tx, WriteError};

/// How often scratch copies are looked at again.
const PAUSE: Duration = Duration::from_millis(200);
/// A dry run that takes longer than this is told of.
const COPY_WAIT_MAX: Duration = Duration::from_secs(30);
pub const COPY_IN_USE: &str = "what was erased is gone from the database, but a dry run or an \
     encrypted backup that began before it still has a copy; the erasure is complete when that \
     ends";

/// Reads all that an older version kept, a little at a time.
pub async fn read_old(store: &Store) -> Result<(), WriteError> {
    // Nothing is written where there is nothing to do: each commit wakes whoever waits for one.
    if !store.read(|snapshot| snapshot.has_unread_text())? {
        return Ok(());
    }
    while store.read(|snapshot| snapshot.has_unread_text())? {
        store.write(read_some).await?;
    }
    // Somebody may have gone with it who was erased before. While others read the log, it is emptied
    // later, as it is at each erasure and each stop.
    store.empty_log().await.map(drop)
}

/// The same for a command.
pub fn read_old_beside(database: &Database, connection: &mut Connection) -> Result<(), StoreError> {
    while database.read(|snapshot| snapshot.has_unread_text())? {
        database.transact(connection, read_some)?;
    }
    Ok(())
}

/// For a command: waits until no scratch copy is left, and gives up in the end.
pub fn wait_for_copies_beside(database: &Database) -> Result<(), StoreError> {
    let started = Instant::now();
    while !database.clear_scratch()? {
        if started.elapsed() > COPY_WAIT_MAX {
            return Err(StoreError::Refused(COPY_IN_USE.to_owned()));
        }
        std::thread::sleep(PAUSE);
    }
    Ok(())
}

fn read_some(tx: &mut Tx<'_>) -> Result<(), StoreError> {
    if !read_some_bodies(tx)? && !tx.read_old_extras()? {
        tx.read_old_types()?;
    }
    Ok(())
}

/// Reads some bodies; false when none are left. A deletion among them is carried out as of its receipt: it never waits in quarantine.
fn read_some_bodies(tx: &mut Tx<'_>) -> Result<bool, StoreError> {
    let Some(old) = tx.view().unread_quarantined()? else { return Ok(false) };
    let Some(last) = old.last().map(|last| last.id) else {
        tx.mark_read(Place::Quarantine, i64::MAX)?;
        return Ok(true);
    };
    for waiting in &old {
        match egym::parse(&waiting.body, waiting.received_at) {
            Ok(Delivery::Event(event)) if event.kind == Kind::MembershipDelete => {
                apply::release(tx, waiting.gym, &event, waiting.received_at, None)?;
                tx.remove_quarantined(waiting.id)?;
            }
            _ => tx.read_again(waiting)?,
        }
    }
    tx.mark_read(Place::Quarantine, last)?;
    Ok(true)
}
