//! Tallies: additive counters, and nothing else. All that a projection holds is a map from
//! [`Key`] to a whole number, and all that ever happens to it is addition (model section 1).
//!
//! Keys that come from a stretch are in UTC, in quarters of an hour or finer, so that they know
//! neither rules nor time zone. Keys that come from a member's days are in local days.

use super::event::Lateness;
use super::{DAY, MINUTE, Millis, QUARTER};

/// Additions waiting to be made, in no order; the same key may occur often.
pub type Contributions = Vec<(Key, i64)>;

/// What a tally counts. The number is its name in the store: never change one, only add.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Family {
    /// Bucket: UTC day. Cell: minute of the day; how the number present changes at that minute's
    /// sample. Cell [`CARRIED`]: how many present came over from the day before.
    Presence = 1,
    /// Bucket: UTC day. Cell: quarter of the day × 64 + [`Count`].
    Counts = 2,
    /// Bucket: UTC day. Observed visits by quarter of entry × 2048 + whole minutes stayed; cell
    /// quarter × 2048 + [`STAY_TOTAL`] holds the milliseconds of all of them.
    Stays = 3,
    /// Bucket: UTC day. Visits entered by check-in, with equipment, by quarter of entry × 2048 +
    /// whole minutes to the first equipment check-in.
    FirstEquipment = 4,
    /// Bucket: UTC day. Cell: minute of the day; accepted events.
    Events = 5,
    /// Bucket: local month. Cell: see [`MemberCell`]; distinct members.
    Members = 6,
    /// Bucket: local ISO week. Cell: visits in that week, 1 to 5 (5 is five or more); members.
    Weeks = 7,
    /// Bucket: local month of the first visit. Cell: months since; members with a visit then.
    Cohorts = 8,
    /// Bucket: local month of the onboarding. Cell: day of the month × 4096 + days from the first
    /// visit (at most 4095); members.
    Onboarded = 9,
    /// Bucket: local month. Cell: see [`super::activity::ActivityCell`]; members.
    Activity = 10,
}

/// What is counted, and how, by this version. A projection that an older one built is built anew
/// beside the one that is read.
pub const COUNTING_VERSION: u32 = 1;

impl Family {
    /// All of them.
    pub const ALL: [Family; 10] = [
        Family::Presence,
        Family::Counts,
        Family::Stays,
        Family::FirstEquipment,
        Family::Events,
        Family::Members,
        Family::Weeks,
        Family::Cohorts,
        Family::Onboarded,
        Family::Activity,
    ];

    /// Its name where people read it.
    pub fn name(self) -> &'static str {
        match self {
            Family::Presence => "presence",
            Family::Counts => "counts",
            Family::Stays => "stays",
            Family::FirstEquipment => "first equipment",
            Family::Events => "events",
            Family::Members => "members",
            Family::Weeks => "weeks",
            Family::Cohorts => "cohorts",
            Family::Onboarded => "onboarded",
            Family::Activity => "activity",
        }
    }
}

/// The cell of [`Family::Presence`] that holds who was there before the day began.
pub const CARRIED: u32 = 1_440;
/// Cells of [`Family::Stays`] and [`Family::FirstEquipment`] per quarter of an hour.
pub const MINUTES_CELLS: u32 = 2_048;
/// The place, within its quarter, of the sum of all stays in milliseconds.
pub const STAY_TOTAL: u32 = MINUTES_CELLS - 1;
/// Cells of [`Family::Counts`] per quarter of an hour.
pub const COUNT_CELLS: u32 = 64;

/// What is simply counted, by quarter of an hour. The number is its name in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Count {
    EnteredByCheckin = 0,
    EnteredByEquipment = 1,
    EndedByCheckout = 2,
    EndedByAssumed = 3,
    EndedByWindow = 4,
    EndedByNextVisit = 5,
    EndedByErasure = 6,
    /// By the quarter of `left`; all other counts of a visit are by the quarter of `entered`.
    Departures = 7,
    Observed = 8,
    EquipmentCheckins = 9,
    RepeatSwipes = 10,
    OrphanCheckouts = 11,
    UnknownTypes = 12,
    Onboardings = 13,
    LateOverHour = 14,
    LateOverSixHours = 15,
    LateOverDay = 16,
    LateOverWeek = 17,
    /// By the quarter of receipt; of the door, not of a member, so never taken back.
    Duplicates = 18,
    /// As [`Count::Duplicates`].
    Quarantined = 19,
    /// As [`Count::Duplicates`]: late deliveries of erased members, dropped.
    Erased = 20,
    /// As [`Count::Duplicates`], by the quarter of their cut: deletions that were carried out. Each
    /// is an event as well, but no sign that the gym was there.
    Deletions = 21,
    /// Visits with this many equipment check-ins.
    With0 = 32,
    With1 = 33,
    With2 = 34,
    With3 = 35,
    With4 = 36,
    With5 = 37,
    With6 = 38,
    With7 = 39,
    With8 = 40,
    With9 = 41,
    With10OrMore = 42,
}

impl Count {
    /// Visits by their equipment check-ins: none, one, … ten or more.
    pub const WITH_CHECKINS: [Count; 11] = [
        Count::With0,
        Count::With1,
        Count::With2,
        Count::With3,
        Count::With4,
        Count::With5,
        Count::With6,
        Count::With7,
        Count::With8,
        Count::With9,
        Count::With10OrMore,
    ];

    /// The count of visits with that many equipment check-ins.
    pub fn visit_with_checkins(checkins: u32) -> Count {
        Count::WITH_CHECKINS[checkins.min(10) as usize]
    }

    /// The count of events that late; none for those on time.
    pub fn late(lateness: Lateness) -> Option<Count> {
        match lateness {
            Lateness::OnTime => None,
            Lateness::OverHour => Some(Count::LateOverHour),
            Lateness::OverSixHours => Some(Count::LateOverSixHours),
            Lateness::OverDay => Some(Count::LateOverDay),
            Lateness::OverWeek => Some(Count::LateOverWeek),
        }
    }
}

/// What a cell of [`Family::Members`] counts: of a day of the month, or of the whole month.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum MemberCell {
    /// Members with a visit.
    Visited = 0,
    /// Members whose first visit was then (by day only).
    New = 1,
    /// Of those new then, who completed the onboarding within 30 days (by day only).
    NewAndOnboarded = 2,
}

impl MemberCell {
    /// The cell of a day of the month, 1 to 31; 0 stands for the month itself.
    pub fn cell(self, day_of_month: u32) -> u32 {
        day_of_month * 4 + self as u32
    }
}

/// The name of one tally of a gym.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    pub family: Family,
    pub bucket: i32,
    pub cell: u32,
}

/// The UTC day of an instant, counted from 1970-01-01.
pub fn utc_day(at: Millis) -> i32 {
    i32::try_from(at.div_euclid(DAY)).expect("instants are within some thousand years of 1970")
}

/// How many steps of that length lie between the start of the UTC day and the instant.
fn step_of_day(at: Millis, step: Millis) -> u32 {
    u32::try_from(at.rem_euclid(DAY) / step).expect("a day has at most 1440 steps")
}

fn whole_minutes(length: Millis) -> u32 {
    u32::try_from(length / MINUTE).unwrap_or(0).min(STAY_TOTAL - 1)
}

impl Key {
    fn daily(family: Family, at: Millis, cell: u32) -> Key {
        Key { family, bucket: utc_day(at), cell }
    }

    pub fn event(at: Millis) -> Key {
        Key::daily(Family::Events, at, step_of_day(at, MINUTE))
    }

    pub fn count(at: Millis, count: Count) -> Key {
        Key::daily(Family::Counts, at, step_of_day(at, QUARTER) * COUNT_CELLS + count as u32)
    }

    /// An observed visit by its whole minutes.
    pub fn stay(entered: Millis, stay: Millis) -> Key {
        let cell = step_of_day(entered, QUARTER) * MINUTES_CELLS + whole_minutes(stay);
        Key::daily(Family::Stays, entered, cell)
    }

    pub fn stay_total(entered: Millis) -> Key {
        let cell = step_of_day(entered, QUARTER) * MINUTES_CELLS + STAY_TOTAL;
        Key::daily(Family::Stays, entered, cell)
    }

    pub fn first_equipment(entered: Millis, wait: Millis) -> Key {
        let cell = step_of_day(entered, QUARTER) * MINUTES_CELLS + whole_minutes(wait);
        Key::daily(Family::FirstEquipment, entered, cell)
    }

    /// The steps up and down that make the visit `[entered, left)` count at every whole minute
    /// it covers (model section 4, occupancy history).
    pub fn presence(entered: Millis, left: Millis, mut each: impl FnMut(Key, i64)) {
        let from = first_minute_at_or_after(entered);
        let until = first_minute_at_or_after(left);
        if from == until {
            return;
        }
        each(Key::daily(Family::Presence, from, step_of_day(from, MINUTE)), 1);
        each(Key::daily(Family::Presence, until, step_of_day(until, MINUTE)), -1);
        for bucket in utc_day(from) + 1..=utc_day(until) {
            each(Key { family: Family::Presence, bucket, cell: CARRIED }, 1);
        }
    }
}

fn first_minute_at_or_after(at: Millis) -> Millis {
    (at + MINUTE - 1).div_euclid(MINUTE) * MINUTE
}

/// The tallies of one family and bucket: cells in order, none of them zero.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cells(Vec<(u32, i64)>);

impl Cells {
    /// Takes cells that are in order, each once, none zero.
    pub fn from_sorted(cells: Vec<(u32, i64)>) -> Cells {
        debug_assert!(cells.is_sorted_by(|a, b| a.0 < b.0) && cells.iter().all(|c| c.1 != 0));
        Cells(cells)
    }

    /// Sums additions in any order.
    pub fn sum(mut additions: Vec<(u32, i64)>) -> Cells {
        additions.sort_unstable_by_key(|addition| addition.0);
        additions.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            if same {
                kept.1 += next.1;
            }
            same
        });
        additions.retain(|cell| cell.1 != 0);
        Cells(additions)
    }

    /// Both together.
    pub fn plus(&self, other: &Cells) -> Cells {
        let mut sum = Vec::with_capacity(self.0.len() + other.0.len());
        let (mut left, mut right) = (self.0.as_slice(), other.0.as_slice());
        while let (Some(a), Some(b)) = (left.first(), right.first()) {
            let total = match a.0.cmp(&b.0) {
                std::cmp::Ordering::Less => *a,
                std::cmp::Ordering::Greater => *b,
                std::cmp::Ordering::Equal => (a.0, a.1 + b.1),
            };
            left = &left[usize::from(a.0 <= b.0)..];
            right = &right[usize::from(b.0 <= a.0)..];
            if total.1 != 0 {
                sum.push(total);
            }
        }
        sum.extend_from_slice(left);
        sum.extend_from_slice(right);
        Cells(sum)
    }

    /// Every cell with the opposite sign.
    pub fn negated(&self) -> Cells {
        Cells(self.0.iter().map(|cell| (cell.0, -cell.1)).collect())
    }

    pub fn get(&self, cell: u32) -> i64 {
        self.0.binary_search_by_key(&cell, |entry| entry.0).map_or(0, |found| self.0[found].1)
    }

    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (u32, i64)> + '_ {
        self.0.iter().copied()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_add_and_vanish_at_zero() {
        let a = Cells::sum(vec![(3, 1), (1, 2), (3, 4)]);
        assert_eq!(a.iter().collect::<Vec<_>>(), [(1, 2), (3, 5)]);
        let b = Cells::sum(vec![(0, 1), (3, -5), (9, 1)]);
        assert_eq!(a.plus(&b).iter().collect::<Vec<_>>(), [(0, 1), (1, 2), (9, 1)]);
        assert!(a.plus(&a.negated()).is_empty());
        assert_eq!((a.get(3), a.get(2)), (5, 0));
    }

    #[test]
    fn presence_counts_the_whole_minutes_covered() {
        let steps = |entered, left| {
            let mut steps = Vec::new();
            Key::presence(entered, left, |key, step| steps.push((key.bucket, key.cell, step)));
            steps
        };
        assert_eq!(steps(0, MINUTE), [(0, 0, 1), (0, 1, -1)], "m = 0 only");
        assert_eq!(steps(1, MINUTE), [], "no whole minute inside");
        assert_eq!(steps(1, MINUTE + 1), [(0, 1, 1), (0, 2, -1)], "m = 1 only");
        let over_midnight = steps(DAY - MINUTE, DAY + MINUTE);
        assert_eq!(over_midnight, [(0, 1439, 1), (1, 1, -1), (1, CARRIED, 1)]);
        let to_midnight = steps(DAY - MINUTE, DAY);
        assert_eq!(to_midnight, [(0, 1439, 1), (1, 0, -1), (1, CARRIED, 1)]);
    }
}
