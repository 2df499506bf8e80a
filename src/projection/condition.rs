//! How it goes with what a service needs, judged in one place: a state, what was found, and the next
//! step. `/readyz?verbose` and `footfall doctor` say it.

use crate::domain::event::FUTURE_MAX;
use crate::domain::ids::Position;
use crate::domain::{DAY, HOUR, Millis};
use crate::store::{Erasures, Sizes, Snapshot, StoreError};

/// A certificate that is good for fewer days is to be renewed.
const CERTIFICATE_DAYS_MIN: Millis = 14;
/// With less of the disk free, in percent, it is to be given room; the alert has the same limit.
const DISK_FREE_PERCENT_MIN: u64 = 10;
/// A disk that is full within so many days is to be given room.
const DISK_DAYS_MIN: u64 = 30;
/// One that is full within so many days is a fault.
const DISK_DAYS_FAULT: u64 = 1;
/// Growth is what came in so many days.
const GROWTH_DAYS: Millis = 7;
/// An erasure takes seconds; one that is open for so many hours is overdue.
const ERASURE_HOURS_MAX: Millis = 1;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    Good,
    Warning,
    Fault,
}

impl State {
    pub fn name(self) -> &'static str {
        match self {
            State::Good => "good",
            State::Warning => "warning",
            State::Fault => "fault",
        }
    }
}

/// What is wrong, and what to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub state: State,
    pub says: String,
    pub next: String,
}

impl Finding {
    pub fn warning(says: impl Into<String>, next: impl Into<String>) -> Finding {
        Finding { state: State::Warning, says: says.into(), next: next.into() }
    }

    pub fn fault(says: impl Into<String>, next: impl Into<String>) -> Finding {
        Finding { state: State::Fault, says: says.into(), next: next.into() }
    }
}

/// Backups that are made by themselves, each so many milliseconds.
pub fn backup(last: Option<Millis>, every: Millis, now: Millis) -> Option<Finding> {
    let next = "make `backup.folder` writable for the user of the service and give it room; \
                `footfall backup` tries it at once";
    match last.map(|last| now - last) {
        None => Some(Finding::warning("no backup was made yet", next)),
        Some(age) if age < -FUTURE_MAX => Some(Finding::warning(
            "the last backup is from the future: a clock was ahead",
            "`footfall backup` makes one more, and names those from the future anew",
        )),
        Some(age) if age > 2 * every => {
            let says = format!("the last good backup is {} hours old", age / HOUR);
            Some(Finding::fault(says, next))
        }
        Some(_) => None,
    }
}

/// A certificate that is in use.
pub fn certificate(expires_at: Millis, now: Millis) -> Option<Finding> {
    let days = (expires_at - now).div_euclid(DAY);
    if days >= CERTIFICATE_DAYS_MIN {
        return None;
    }
    let next = "put new files in place of `tls.certificate` and `tls.key`; with `tls.acme`, look in \
                the log for why it was not renewed, and send SIGHUP";
    Some(if expires_at <= now {
        Finding::fault("the certificate has expired: EGYM does not deliver", next)
    } else {
        Finding::warning(format!("the certificate is good for {days} days more"), next)
    })
}

/// The disk of the data folder, to which so many bytes are added each day.
pub fn disk(sizes: &Sizes, bytes_a_day: u64) -> Option<Finding> {
    let percent = sizes.disk_free.saturating_mul(100) / sizes.disk.max(1);
    let days = sizes.disk_free.checked_div(bytes_a_day).unwrap_or(u64::MAX);
    let next = "make room on the disk of the data folder, move it to a larger one, or keep events \
                for a shorter time (`footfall gym set … --retain-events`)";
    if days < DISK_DAYS_FAULT {
        return Some(Finding::fault(
            "the disk is full within a day, and then all is refused",
            next,
        ));
    }
    if days < DISK_DAYS_MIN {
        let says = format!("the disk is full in {days} days, if it goes on as in the last week");
        return Some(Finding::warning(says, next));
    }
    (percent < DISK_FREE_PERCENT_MIN)
        .then(|| Finding::warning(format!("{percent} % of the disk are free"), next))
}

/// How many bytes a day were added over the last week: what one event takes on an average, by how
/// many came.
pub fn bytes_a_day(snapshot: &Snapshot<'_>, sizes: &Sizes, now: Millis) -> Result<u64, StoreError> {
    let last = snapshot.vitals()?.log_position.0;
    let first = snapshot.events_after(None, Position(0), 1)?.first().map(|event| event.position.0);
    let kept = first.map_or(0, |first| last - first + 1);
    let came = last - last_position_before(snapshot, now - GROWTH_DAYS * DAY, last)?;
    let of = |count: i64| u64::try_from(count).unwrap_or(0);
    let bytes = sizes.database.checked_div(of(kept)).unwrap_or(0);
    Ok(bytes * of(came) / of(GROWTH_DAYS).max(1))
}

/// The last position of the log that was given before an instant: positions are given in the order
/// of arrival, except to what an import brings.
fn last_position_before(
    snapshot: &Snapshot<'_>,
    instant: Millis,
    last: i64,
) -> Result<i64, StoreError> {
    let (mut before, mut after) = (0, last);
    while before < after {
        let middle = before + (after - before) / 2;
        let next = snapshot.events_after(None, Position(middle), 1)?;
        match next.first().filter(|event| event.arrival.received_at < instant) {
            Some(event) => before = event.position.0,
            None => after = middle,
        }
    }
    Ok(before)
}

/// Erasures that wait; a service that runs does them within seconds.
pub fn erasures(erasures: &Erasures, is_served: bool, now: Millis) -> Option<Finding> {
    let since = erasures.pending_since?;
    let count = erasures.pending;
    if now - since > ERASURE_HOURS_MAX * HOUR {
        return Some(Finding::fault(
            format!("{count} erasures are not complete, the oldest for over an hour"),
            "the log says what keeps them: end a program that reads the database for long (a \
             `verify`, Litestream), make the erasure ledger writable, and start the service again",
        ));
    }
    (!is_served).then(|| {
        Finding::warning(
            format!("{count} erasures wait, and no service runs that would do them"),
            "start the service; any other command but `verify` and `doctor` does them too",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_is_judged_by_what_is_free_and_by_when_it_is_full() {
        let sizes = |disk_free| Sizes { database: 1, write_ahead_log: 0, disk: 1_000, disk_free };
        let state = |free, growth| disk(&sizes(free), growth).map(|finding| finding.state);
        assert_eq!(state(100, 0), None);
        assert_eq!(state(99, 0), Some(State::Warning));
        assert_eq!((state(900, 30), state(900, 31)), (None, Some(State::Warning)));
        assert_eq!((state(900, 900), state(900, 901)), (Some(State::Warning), Some(State::Fault)));
        assert_eq!(state(0, 0), Some(State::Warning));
        let says = disk(&sizes(900), 100).expect("it is full soon").says;
        assert!(says.contains("in 9 days"), "{says}");
    }

    #[test]
    fn a_certificate_is_renewed_two_weeks_before_it_ends() {
        let state = |left| certificate(left, 0).map(|finding| finding.state);
        assert_eq!((state(14 * DAY), state(14 * DAY - 1)), (None, Some(State::Warning)));
        assert_eq!((state(1), state(0)), (Some(State::Warning), Some(State::Fault)));
    }

    #[test]
    fn erasures_may_take_an_hour_where_a_service_does_them() {
        let waits = |since| Erasures {
            pending: i64::from(since != 0),
            pending_since: (since != 0).then_some(since),
            done: 0,
            last_took: None,
        };
        let state = |since, is_served, now| {
            erasures(&waits(since), is_served, now).map(|finding| finding.state)
        };
        assert_eq!((state(0, false, HOUR), state(1, true, 1 + HOUR)), (None, None));
        assert_eq!(state(1, false, 2), Some(State::Warning));
        assert_eq!(state(1, true, 2 + HOUR), Some(State::Fault));
    }
}
