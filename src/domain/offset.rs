//! How far a zone's clock is from UTC at an instant.
//!
//! `chrono_tz` knows it, but searches for it each time, and a report over a year asks some ten
//! thousand times. So a zone's clock changes are looked for once, and kept.

use std::cell::Cell;
use std::sync::OnceLock;

use chrono::{Offset, TimeZone};
use chrono_tz::{TZ_VARIANTS, Tz};

use super::{DAY, Millis};

/// Changes are kept from 2000-01-01 on; before it, and after [`KEPT_UNTIL`], `chrono_tz` is asked.
const KEPT_FROM: Millis = 946_684_800_000;
/// Until 2100-01-01.
const KEPT_UNTIL: Millis = 4_102_444_800_000;

static CHANGES: [OnceLock<Vec<Change>>; TZ_VARIANTS.len()] =
    [const { OnceLock::new() }; TZ_VARIANTS.len()];

/// From `at` to the next change, the clock is `offset` ahead of UTC.
struct Change {
    at: Millis,
    offset: Millis,
}

/// A time without a clock change.
#[derive(Clone, Copy)]
struct Steady {
    zone: Tz,
    from: Millis,
    until: Millis,
    offset: Millis,
}

thread_local! {
    /// Where the last answer holds: who walks along a year asks for the same half of it.
    static LAST: Cell<Steady> =
        const { Cell::new(Steady { zone: Tz::UTC, from: 0, until: 0, offset: 0 }) };
}

/// What the zone's clock shows at `at`, less UTC.
pub fn offset_at(zone: Tz, at: Millis) -> Millis {
    let last = LAST.get();
    if last.zone == zone && last.from <= at && at < last.until {
        return last.offset;
    }
    if !(KEPT_FROM..KEPT_UNTIL).contains(&at) {
        return searched(zone, at);
    }
    let changes = CHANGES[zone as usize].get_or_init(|| changes(zone));
    let place = changes.partition_point(|change| change.at <= at);
    let Change { at: from, offset } = changes[place - 1];
    let until = changes.get(place).map_or(KEPT_UNTIL, |change| change.at);
    LAST.set(Steady { zone, from, until, offset });
    offset
}

/// No zone has changed its clock twice within a day, so a look at each day finds all changes.
fn changes(zone: Tz) -> Vec<Change> {
    let mut changes = vec![Change { at: KEPT_FROM, offset: searched(zone, KEPT_FROM) }];
    let mut offset = changes[0].offset;
    let mut day = KEPT_FROM;
    while day < KEPT_UNTIL {
        let next = day + DAY;
        let after = searched(zone, next);
        if after != offset {
            changes.push(Change { at: change_between(zone, day, next), offset: after });
            offset = after;
        }
        day = next;
    }
    changes
}

/// The first instant with the offset of `after`.
fn change_between(zone: Tz, mut before: Millis, mut after: Millis) -> Millis {
    let changed = searched(zone, after);
    while before + 1 < after {
        let middle = before.midpoint(after);
        if searched(zone, middle) == changed { after = middle } else { before = middle }
    }
    after
}

fn searched(zone: Tz, at: Millis) -> Millis {
    let instant = zone.timestamp_millis_opt(at).single();
    let instant = instant.expect("instants are within some thousand years of 1970");
    Millis::from(instant.offset().fix().local_minus_utc()) * 1_000
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::HOUR;

    #[test]
    fn what_is_kept_is_what_is_found() {
        for zone in TZ_VARIANTS {
            // A step that meets every hour of the day and no change twice in the same place.
            for at in (KEPT_FROM - 400 * DAY..KEPT_UNTIL + 400 * DAY).step_by(101 * HOUR as usize) {
                assert_eq!(offset_at(zone, at), searched(zone, at), "{zone} at {at}");
            }
            for pair in changes(zone).windows(2) {
                let (before, change) = (&pair[0], &pair[1]);
                assert_eq!(searched(zone, change.at - 1), before.offset, "{zone}");
                assert_eq!(searched(zone, change.at), change.offset, "{zone}");
            }
        }
    }
}
