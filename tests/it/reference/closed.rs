//! The local days on which the gym says that it is closed.

use chrono::{Datelike, NaiveDate};

use super::History;
use super::calendar::{QUARTER, Span, local_date};

/// Closed from the first local day to the last, which is one of them.
#[derive(Clone, Copy, Debug)]
pub struct Closure {
    pub first: NaiveDate,
    pub last: NaiveDate,
    /// On the same dates of every later year too.
    pub yearly: bool,
}

impl Closure {
    fn holds(&self, day: NaiveDate) -> bool {
        let years = day.year() - self.first.year();
        let in_year = |years: i32| {
            let first = self.first.with_year(self.first.year() + years);
            let last = self.last.with_year(self.last.year() + years);
            first.zip(last).is_some_and(|(first, last)| first <= day && day <= last)
        };
        // Of a closure over the turn of a year, the day may be in the second part.
        in_year(0) || self.yearly && (1..=years).any(in_year)
    }
}

impl History {
    pub(super) fn is_closed_on(&self, day: NaiveDate) -> bool {
        self.closed.iter().any(|closure| closure.holds(day))
    }

    pub(super) fn is_closed_at(&self, at: i64) -> bool {
        !self.closed.is_empty() && self.is_closed_on(local_date(self.gym.zone, at))
    }

    /// Whether all of the span, which is whole quarter hours, lies within closed days.
    pub(super) fn is_closed_over(&self, span: Span) -> bool {
        let mut quarter = span.from;
        while quarter < span.until && self.is_closed_at(quarter) {
            quarter += QUARTER;
        }
        quarter >= span.until
    }
}
