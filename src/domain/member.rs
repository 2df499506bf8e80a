//! A member's days: what must be known across stretches, so that distinct members, first visits
//! and cohorts can be sums too (model section 4, members, retention, onboarding).

use super::calendar::{Day, Month, Week};
use super::tally::{Contributions, Family, Key, MemberCell};
use super::{Millis, activity};

/// A completed onboarding counts for a new member when it comes within this many local days.
pub const ONBOARDING_DAYS: i32 = 30;
/// `visits_per_week` and [`Family::Weeks`] tell 1, 2, 3, 4 and "5 or more".
pub const WEEK_VISITS_MAX: u32 = 5;
const SINCE_FIRST_DAYS_MAX: i32 = 4_095;

/// What stays known of the part of a member's timeline that retention has frozen (model section 6):
/// enough that nobody is counted twice in a period that the cut runs through, and nobody turns new
/// by getting older.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Past {
    pub visits: Option<PastVisits>,
    /// The local day of the first `GENIUS_ONBOARDING_COMPLETED`.
    pub onboarded: Option<Day>,
}

/// The frozen visits of a member, at least one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PastVisits {
    pub first_day: Day,
    pub last_day: Day,
    /// When the last of them was entered.
    pub last_entered: Millis,
    /// How many of them were entered in the week of `last_day`.
    pub in_last_week: u32,
}

/// One member's visits by local day, and when the onboarding was completed. Like a stretch it is
/// its own receipt: the days are as they were counted, in the zone in force then.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MemberDays {
    past: Past,
    /// In order; how many visits were entered on that local day, at least one.
    visits: Vec<(Day, u32)>,
    /// Local days with a `GENIUS_ONBOARDING_COMPLETED`, in order, one entry per event.
    onboardings: Vec<Day>,
}

impl MemberDays {
    pub fn restored(past: Past, visits: Vec<(Day, u32)>, onboardings: Vec<Day>) -> MemberDays {
        MemberDays { past, visits, onboardings }
    }

    /// The days of a member before anything of the log was applied.
    pub fn after(past: Past) -> MemberDays {
        MemberDays { past, ..MemberDays::default() }
    }

    pub fn past(&self) -> Past {
        self.past
    }

    /// Whether what is not frozen of it are these days.
    pub fn is_of_log(&self, days: &MemberDays) -> bool {
        self.visits == days.visits && self.onboardings == days.onboardings
    }

    pub fn visits(&self) -> &[(Day, u32)] {
        &self.visits
    }

    pub fn onboardings(&self) -> &[Day] {
        &self.onboardings
    }

    pub fn is_empty(&self) -> bool {
        *self == MemberDays::default()
    }

    pub fn first_visit(&self) -> Option<Day> {
        let past = self.past.visits.map(|past| past.first_day);
        past.or(self.visits.first().map(|first| first.0))
    }

    pub fn last_visit(&self) -> Option<Day> {
        let past = self.past.visits.map(|past| past.last_day);
        self.visits.last().map(|last| last.0).max(past)
    }

    /// How many visits were entered in the local days `[from, until)`; none when some of them may be
    /// frozen, which are not known by day.
    pub fn visits_between(&self, from: Day, until: Day) -> Option<u32> {
        if self.past.visits.is_some_and(|past| from <= past.last_day) {
            return None;
        }
        let inside = self.visits.iter().filter(|visit| from <= visit.0 && visit.0 < until);
        Some(inside.map(|visit| visit.1).sum())
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

    /// Moves a visit of that day into the past. The visits of a member move in order.
    pub fn freeze_visit(&mut self, day: Day, entered: Millis) {
        self.take_visit(day);
        let past = self.past.visits.get_or_insert(PastVisits {
            first_day: day,
            last_day: day,
            last_entered: entered,
            in_last_week: 0,
        });
        if day.week() > past.last_day.week() {
            past.in_last_week = 0;
        }
        past.in_last_week += 1;
        past.last_day = past.last_day.max(day);
        past.last_entered = past.last_entered.max(entered);
    }

    /// Moves an onboarding of that day into the past.
    pub fn freeze_onboarding(&mut self, day: Day) {
        self.take_onboarding(day);
        self.past.onboarded.get_or_insert(day);
    }

    /// Adds to `into` what this member counts for beyond what is frozen, `sign` times.
    pub fn contribute(&self, sign: i64, into: &mut Contributions) {
        for part in PARTS {
            part(self, sign, into);
        }
    }

    /// Adds to `into` what takes back these days and puts in others of the same member: only where
    /// they differ.
    pub fn change_to(&self, new: &MemberDays, into: &mut Contributions) {
        for part in PARTS {
            let (mut before, mut after) = (Contributions::new(), Contributions::new());
            part(self, 1, &mut before);
            part(new, 1, &mut after);
            let same = before.iter().zip(&after).take_while(|(a, b)| a == b).count();
            let (before, after) = (&before[same..], &after[same..]);
            let ends = before.iter().rev().zip(after.iter().rev());
            let same = ends.take_while(|(a, b)| a == b).count();
            into.extend(before[..before.len() - same].iter().map(|(key, value)| (*key, -value)));
            into.extend_from_slice(&after[..after.len() - same]);
        }
    }

    fn contribute_activity(&self, sign: i64, into: &mut Contributions) {
        let past = self.past.visits.map(|past| past.last_day);
        activity::contribute(past, &self.visits, sign, into);
    }

    /// What the frozen visits count for, as far as their first and last day tell, where they were
    /// frozen before activity was counted.
    pub fn past_activity(&self) -> Contributions {
        let mut activity = Contributions::new();
        if let Some(past) = self.past.visits {
            let days = [(past.first_day, 1), (past.last_day, 1)];
            activity::contribute(None, &days, 1, &mut activity);
        }
        activity
    }

    fn contribute_first(&self, sign: i64, into: &mut Contributions) {
        let Some(first_day) = self.first_visit() else { return };
        let first_cell = first_day.day_of_month();
        if self.past.visits.is_none() {
            into.push((members_key(first_day.month(), MemberCell::New, first_cell), sign));
        }
        let is_counted = self.past.visits.is_some() && self.past.onboarded.is_some();
        let onboarded = self.past.onboarded.or(self.onboardings.first().copied());
        if let Some(onboarded) = onboarded.filter(|_| !is_counted) {
            let since = (onboarded.0 - first_day.0).clamp(0, SINCE_FIRST_DAYS_MAX);
            let cell = onboarded.day_of_month() * 4_096 + since.unsigned_abs();
            let bucket = onboarded.month().0;
            into.push((Key { family: Family::Onboarded, bucket, cell }, sign));
            if since <= ONBOARDING_DAYS {
                let new = members_key(first_day.month(), MemberCell::NewAndOnboarded, first_cell);
                into.push((new, sign));
            }
        }
    }

    fn contribute_months(&self, sign: i64, into: &mut Contributions) {
        let Some(first_day) = self.first_visit() else { return };
        let counted_until = self.past.visits.map(|past| past.last_day);
        let is_counted = |day: Day| counted_until.is_some_and(|until| day <= until);
        let first_month = first_day.month();
        for by_month in self.visits.chunk_by(|a, b| a.0.month() == b.0.month()) {
            let month = by_month[0].0.month();
            if counted_until.is_none_or(|until| until.month() < month) {
                into.push((members_key(month, MemberCell::Visited, 0), sign));
                let cell = (month.0 - first_month.0).unsigned_abs();
                into.push((Key { family: Family::Cohorts, bucket: first_month.0, cell }, sign));
            }
            for (day, _) in by_month.iter().filter(|(day, _)| !is_counted(*day)) {
                into.push((members_key(month, MemberCell::Visited, day.day_of_month()), sign));
            }
        }
    }

    fn contribute_weeks(&self, sign: i64, into: &mut Contributions) {
        let key = |Week(bucket), visits: u32| Key {
            family: Family::Weeks,
            bucket,
            cell: visits.min(WEEK_VISITS_MAX),
        };
        for by_week in self.visits.chunk_by(|a, b| a.0.week() == b.0.week()) {
            let week = by_week[0].0.week();
            let visits: u32 = by_week.iter().map(|day| day.1).sum();
            // The week that the cut runs through was counted by its frozen visits alone.
            let counted = self.past.visits.filter(|past| past.last_day.week() == week);
            let counted = counted.map_or(0, |past| past.in_last_week);
            if counted > 0 {
                into.push((key(week, counted), -sign));
            }
            into.push((key(week, counted + visits), sign));
        }
    }
}

/// What a member's days count for, part by part: in each, what a few days change lies together.
const PARTS: [fn(&MemberDays, i64, &mut Contributions); 4] = [
    MemberDays::contribute_months,
    MemberDays::contribute_weeks,
    MemberDays::contribute_first,
    MemberDays::contribute_activity,
];

fn members_key(month: Month, what: MemberCell, day_of_month: u32) -> Key {
    Key { family: Family::Members, bucket: month.0, cell: what.cell(day_of_month) }
}
