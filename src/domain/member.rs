//! A member's days: what must be known across stretches, so that distinct members, first visits
//! and cohorts can be sums too (model section 4, members, retention, onboarding).

use super::calendar::{Day, Month, Week};
use super::tally::{Contributions, Family, Key, MemberCell};

/// A completed onboarding counts for a new member when it comes within this many local days.
pub const ONBOARDING_DAYS: i32 = 30;
/// `visits_per_week` and [`Family::Weeks`] tell 1, 2, 3, 4 and "5 or more".
pub const WEEK_VISITS_MAX: u32 = 5;
const SINCE_FIRST_DAYS_MAX: i32 = 4_095;

/// One member's visits by local day, and when the onboarding was completed. Like a stretch it is
/// its own receipt: the days are as they were counted, in the zone in force then.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MemberDays {
    /// In order; how many visits were entered on that local day, at least one.
    visits: Vec<(Day, u32)>,
    /// Local days with a `GENIUS_ONBOARDING_COMPLETED`, in order, one entry per event.
    onboardings: Vec<Day>,
}

impl MemberDays {
    pub fn restored(visits: Vec<(Day, u32)>, onboardings: Vec<Day>) -> MemberDays {
        MemberDays { visits, onboardings }
    }

    pub fn visits(&self) -> &[(Day, u32)] {
        &self.visits
    }

    pub fn onboardings(&self) -> &[Day] {
        &self.onboardings
    }

    pub fn is_empty(&self) -> bool {
        self.visits.is_empty() && self.onboardings.is_empty()
    }

    pub fn last_visit(&self) -> Option<Day> {
        self.visits.last().map(|last| last.0)
    }

    /// How many visits were entered in the local days `[from, until)`.
    pub fn visits_between(&self, from: Day, until: Day) -> u32 {
        let inside = self.visits.iter().filter(|visit| from <= visit.0 && visit.0 < until);
        inside.map(|visit| visit.1).sum()
    }

    pub fn add_visit(&mut self, day: Day) {
        match self.visits.binary_search_by_key(&day, |visit| visit.0) {
            Ok(found) => self.visits[found].1 += 1,
            Err(place) => self.visits.insert(place, (day, 1)),
        }
    }

    /// Takes back one visit of that day, which must have been added.
    pub fn take_visit(&mut self, day: Day) {
        let found = self.visits.binary_search_by_key(&day, |visit| visit.0);
        let found = found.expect("only visits that were counted are taken back");
        self.visits[found].1 -= 1;
        if self.visits[found].1 == 0 {
            self.visits.remove(found);
        }
    }

    pub fn add_onboarding(&mut self, day: Day) {
        let place = self.onboardings.partition_point(|other| *other <= day);
        self.onboardings.insert(place, day);
    }

    /// Takes back one onboarding of that day, which must have been added.
    pub fn take_onboarding(&mut self, day: Day) {
        let found = self.onboardings.binary_search(&day);
        self.onboardings.remove(found.expect("only what was counted is taken back"));
    }

    /// Adds to `into` what this member counts for, `sign` times.
    pub fn contribute(&self, sign: i64, into: &mut Contributions) {
        let Some((first_day, _)) = self.visits.first().copied() else { return };
        let first_month = first_day.month();
        for by_month in self.visits.chunk_by(|a, b| a.0.month() == b.0.month()) {
            let month = by_month[0].0.month();
            into.push((members_key(month, MemberCell::Visited, 0), sign));
            let cell = u32::try_from(month.0 - first_month.0).expect("days are in order");
            into.push((Key { family: Family::Cohorts, bucket: first_month.0, cell }, sign));
            for (day, _) in by_month {
                let cell_day = day.day_of_month();
                into.push((members_key(month, MemberCell::Visited, cell_day), sign));
            }
        }
        for by_week in self.visits.chunk_by(|a, b| a.0.week() == b.0.week()) {
            let Week(bucket) = by_week[0].0.week();
            let visits: u32 = by_week.iter().map(|day| day.1).sum();
            let cell = visits.min(WEEK_VISITS_MAX);
            into.push((Key { family: Family::Weeks, bucket, cell }, sign));
        }
        let first_cell = first_day.day_of_month();
        into.push((members_key(first_month, MemberCell::New, first_cell), sign));
        if let Some(onboarded) = self.onboardings.first() {
            let since = (onboarded.0 - first_day.0).clamp(0, SINCE_FIRST_DAYS_MAX);
            let cell = onboarded.day_of_month() * 4_096 + since.unsigned_abs();
            let bucket = onboarded.month().0;
            into.push((Key { family: Family::Onboarded, bucket, cell }, sign));
            if since <= ONBOARDING_DAYS {
                into.push((
                    members_key(first_month, MemberCell::NewAndOnboarded, first_cell),
                    sign,
                ));
            }
        }
    }
}

fn members_key(month: Month, what: MemberCell, day_of_month: u32) -> Key {
    Key { family: Family::Members, bucket: month.0, cell: what.cell(day_of_month) }
}
