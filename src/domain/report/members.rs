//! Members: how many distinct ones, how many new, how often they come, whether they come back,
//! and whether they were shown around (model section 4, members, retention, onboarding).

use super::minutes::Minutes;
use super::{Series, share};
use crate::domain::calendar::{Day, Month};
use crate::domain::member::WEEK_VISITS_MAX;
use crate::domain::tally::MemberCell;

/// Cells of the family `Onboarded` for each day of the month.
const ONBOARDED_DAY_CELLS: u32 = 4_096;

/// A day, week or month: the periods in which members are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Period {
    Day,
    Week,
    Month,
}

/// What is known of members, by local day: the families `Members`, `Weeks`, `Cohorts` and
/// `Onboarded`, as far as a report needs them.
#[derive(Debug, Default)]
pub struct Members {
    pub members: Series,
    pub weeks: Series,
    pub cohorts: Series,
    pub onboarded: Series,
}

impl Members {
    /// Distinct members with a visit in the period that begins with that day.
    pub fn distinct(&self, period: Period, first_day: Day) -> i64 {
        match period {
            Period::Day => self.day(MemberCell::Visited, first_day),
            Period::Week => {
                let cells = self.weeks.get(first_day.week().0);
                cells.map_or(0, |cells| cells.iter().map(|cell| cell.1).sum())
            }
            Period::Month => self.cell(first_day.month(), MemberCell::Visited.cell(0)),
        }
    }

    /// Members whose first visit was on one of the local days `[from, until)`.
    pub fn newcomers(&self, from: Day, until: Day) -> i64 {
        days(from, until).map(|day| self.day(MemberCell::New, day)).sum()
    }

    /// Members by their visits in a week, 1 to 5 or more, over the weeks that begin in the local
    /// days `[from, until)`.
    pub fn visits_per_week(&self, from: Day, until: Day) -> [i64; WEEK_VISITS_MAX as usize] {
        let mut sums = [0; WEEK_VISITS_MAX as usize];
        for (week, cells) in &self.weeks.0 {
            let monday = crate::domain::calendar::Week(*week).first_day();
            if from <= monday && monday < until {
                cells.iter().for_each(|(visits, members)| sums[visits as usize - 1] += members);
            }
        }
        sums
    }

    /// Members by month of first visit, with how many had a visit in each month since, up to the
    /// month `last`.
    pub fn retention(&self, from: Month, until: Month, last: Month) -> Vec<Cohort> {
        let cohort = |month| {
            let cells = self.cohorts.get(month);
            let active = |since: i32| cells.map_or(0, |cells| cells.get(since.unsigned_abs()));
            // A month that begins within the minutes ahead has members already.
            let (size, begun) = (active(0), 0..=last.0 - month);
            Cohort { month: Month(month), size, active: begun.map(active).collect() }
        };
        (from.0..until.0).map(cohort).collect()
    }

    /// Onboardings of members over the local days `[from, until)`.
    pub fn onboarding(&self, from: Day, until: Day) -> Onboarding {
        let mut waits = Minutes::default();
        for (month, cells) in &self.onboarded.0 {
            let before = Month(*month).first_day().plus(-1);
            for (cell, members) in cells.iter() {
                let day = before.plus((cell / ONBOARDED_DAY_CELLS).cast_signed());
                if from <= day && day < until {
                    waits.add(cell % ONBOARDED_DAY_CELLS, members);
                }
            }
        }
        let within = days(from, until).map(|day| self.day(MemberCell::NewAndOnboarded, day)).sum();
        let new_members = self.newcomers(from, until);
        Onboarding {
            median_days: waits.percentile(50),
            new_members,
            completed_within_30_days: within,
        }
    }

    fn day(&self, what: MemberCell, day: Day) -> i64 {
        self.cell(day.month(), what.cell(day.day_of_month()))
    }

    fn cell(&self, month: Month, cell: u32) -> i64 {
        self.members.get(month.0).map_or(0, |cells| cells.get(cell))
    }
}

fn days(from: Day, until: Day) -> impl Iterator<Item = Day> {
    (from.0..until.0).map(Day)
}

/// The members whose first visit was in one month.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cohort {
    pub month: Month,
    pub size: i64,
    /// With a visit in that month, the next, and so on, as far as months have begun.
    pub active: Vec<i64>,
}

/// How new members were shown around.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Onboarding {
    /// Of members who completed it in the range: local days from the first visit.
    pub median_days: Option<u32>,
    /// Members whose first visit was in the range.
    pub new_members: i64,
    /// Of those, how many completed it within 30 local days.
    pub completed_within_30_days: i64,
}

impl Onboarding {
    pub fn share(&self) -> Option<f64> {
        share(self.completed_within_30_days, self.new_members)
    }
}
