//! Durations: how long observed visits were (model section 4, durations).

use chrono_tz::Tz;

use super::Series;
use super::minutes::Minutes;
use crate::domain::Millis;
use crate::domain::calendar::{Bucket, weekday_and_hour};
use crate::domain::tally::{COUNT_CELLS, Count, MINUTES_CELLS, STAY_TOTAL};

/// By what visits are told apart: something of the local time at which they were entered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum GroupBy {
    None,
    /// 1 = Monday to 7.
    Weekday,
    /// 0 to 23.
    Hour,
}

impl GroupBy {
    /// The keys of all groups, in order; a group by nothing has none.
    fn keys(self) -> Vec<Option<u32>> {
        match self {
            GroupBy::None => vec![None],
            GroupBy::Weekday => (1..=7).map(Some).collect(),
            GroupBy::Hour => (0..24).map(Some).collect(),
        }
    }

    /// The place, among the keys, of a visit entered then.
    fn place(self, zone: Tz, entered: Millis) -> usize {
        let (weekday, hour) = weekday_and_hour(zone, entered);
        match self {
            GroupBy::None => 0,
            GroupBy::Weekday => weekday as usize - 1,
            GroupBy::Hour => hour as usize,
        }
    }
}

/// The visits of one group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    pub key: Option<u32>,
    pub visits: i64,
    /// How long each observed visit was, in whole minutes.
    pub stays: Minutes,
    /// All observed visits together, in milliseconds.
    pub total_ms: i64,
}

/// Groups the visits entered in a range of whole quarters.
pub fn groups(
    counts: &Series,
    stays: &Series,
    range: Bucket,
    zone: Tz,
    group_by: GroupBy,
) -> Vec<Group> {
    let group = |key| Group { key, visits: 0, stays: Minutes::default(), total_ms: 0 };
    let mut groups: Vec<_> = group_by.keys().into_iter().map(group).collect();
    let mut place = ByQuarter::new(|at| group_by.place(zone, at));
    let inside = |at: Millis| range.from <= at && at < range.until;
    for (at, minutes, value) in stays.quarters(MINUTES_CELLS).filter(|cell| inside(cell.0)) {
        let group = &mut groups[place.of(at)];
        match minutes {
            STAY_TOTAL => group.total_ms += value,
            minutes => group.stays.add(minutes, value),
        }
    }
    for (at, count, value) in counts.quarters(COUNT_CELLS).filter(|cell| inside(cell.0)) {
        if is_entry(count) {
            groups[place.of(at)].visits += value;
        }
    }
    groups
}

fn is_entry(count: u32) -> bool {
    count == Count::EnteredByCheckin as u32 || count == Count::EnteredByEquipment as u32
}

/// Looks up once what stays the same within a quarter of an hour.
struct ByQuarter<F> {
    look_up: F,
    last: Option<(Millis, usize)>,
}

impl<F: Fn(Millis) -> usize> ByQuarter<F> {
    fn new(look_up: F) -> Self {
        ByQuarter { look_up, last: None }
    }

    fn of(&mut self, quarter: Millis) -> usize {
        match self.last {
            Some((at, place)) if at == quarter => place,
            _ => {
                let place = (self.look_up)(quarter);
                self.last = Some((quarter, place));
                place
            }
        }
    }
}
