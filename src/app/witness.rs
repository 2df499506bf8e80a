//! Looks whether the clock can be believed, while the service runs and before: says so when it
//! cannot, and cuts back what a wrong clock wrote down as soon as it can again.

use std::time::{Duration, Instant};

use super::output;
use crate::actions::readers::LINK_DAYS;
use crate::actions::webhooks::OVERLAP_HOURS_MAX;
use crate::clock;
use crate::domain::witness::{BACK_MAX, Verdict};
use crate::domain::{DAY, HOUR, Millis};
use crate::projection::witness::{self, Seen};
use crate::store::{Database, Latest, LedgerEntry, Store, StoreError, WriteError};

/// What lies in the future is looked for so often, besides when a clock has become right.
const CUT_BACK_EVERY: Duration = Duration::from_secs(60 * 60);

/// Before anybody is served: what a wrong clock wrote down does not count.
pub fn at_start(database: &Database) -> Result<(), StoreError> {
    let now = clock::now();
    let mut connection = database.connect()?;
    let seen = database.transact(&mut connection, |tx| witness::look(tx, now, 0, 0))?;
    if !seen.verdict.is_good() {
        tracing::warn!("{}", describe(&seen));
        return Ok(());
    }
    note_in_ledger(database, seen.right_since, now)?;
    let rows =
        database.transact(&mut connection, |tx| tx.cut_back(seen.right_since, &latest(now)))?;
    say_cut_back(rows);
    Ok(())
}

/// The looks of a running service.
pub struct Watch {
    last_look: Instant,
    /// None before the first.
    last_cut: Option<Instant>,
    was_good: bool,
}

impl Watch {
    /// To begin after [`at_start`].
    pub fn begin() -> Watch {
        Watch { last_look: Instant::now(), last_cut: None, was_good: true }
    }

    pub async fn look(&mut self, store: &Store) -> Result<(), WriteError> {
        let elapsed = self.last_look.elapsed().as_millis();
        let elapsed = Millis::try_from(elapsed).unwrap_or(Millis::MAX);
        self.last_look = Instant::now();
        let now = clock::now();
        let seen = store.write(move |tx| witness::look(tx, now, elapsed, 0)).await?;
        let is_good = seen.verdict.is_good();
        match (self.was_good, is_good) {
            (true, false) => tracing::warn!("{}", describe(&seen)),
            (false, true) => tracing::info!("the clock can be believed again"),
            (true, true) | (false, false) => {}
        }
        let is_recent = self.last_cut.is_some_and(|last| last.elapsed() < CUT_BACK_EVERY);
        if is_good && !(self.was_good && is_recent) {
            cut_back(store, seen.right_since, now).await?;
            self.last_cut = Some(Instant::now());
        }
        self.was_good = is_good;
        Ok(())
    }
}

async fn cut_back(store: &Store, to: Millis, now: Millis) -> Result<(), WriteError> {
    note_in_ledger(store.database(), to, now)?;
    say_cut_back(store.write(move |tx| tx.cut_back(to, &latest(now))).await?);
    Ok(())
}

/// The ledger is read again at each start, so it must know of the cut before the database does.
fn note_in_ledger(database: &Database, to: Millis, now: Millis) -> Result<(), StoreError> {
    let ahead = database.read(|snapshot| snapshot.tombstones_after(latest(now).moment))?;
    let cut = ahead.into_iter().map(|entry| LedgerEntry { erased_until: to, ..entry });
    database.cut_back_ledger(&cut.collect::<Vec<_>>())
}

fn say_cut_back(rows: usize) {
    if rows > 0 {
        tracing::warn!(rows, "a clock that was ahead had written down the future; it was cut back");
    }
}

/// The latest instants that may stand when it is `now`.
fn latest(now: Millis) -> Latest {
    let moment = now + BACK_MAX;
    Latest {
        moment,
        link: moment + LINK_DAYS * DAY,
        old_secret: moment + Millis::from(OVERLAP_HOURS_MAX) * HOUR,
    }
}

/// What is to be known of a clock that cannot be believed, and what to do.
pub fn describe(seen: &Seen) -> String {
    let (clock, witnessed) = (output::utc(seen.clock), output::utc(seen.witness.at));
    let what = match seen.verdict {
        Verdict::Agrees => return format!("the clock says {clock} and can be believed"),
        Verdict::CatchesUp => {
            return format!(
                "the clock says {clock}, and deliveries confirm it; retention follows from \
                 {witnessed} by a day in each run"
            );
        }
        Verdict::Ahead => {
            "retention waits, and deliveries that are refused as too old wait in quarantine"
        }
        Verdict::Behind => {
            "retention waits, and deliveries that are refused as in the future wait in quarantine"
        }
    };
    format!(
        "the clock says {clock}, but what was witnessed is {witnessed}: {what}. Put the machine's \
         clock right (NTP). If it is right, the next deliveries confirm it, or you do with \
         `footfall retention --clock-is-right`"
    )
}
