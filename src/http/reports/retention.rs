//! The retention report (model section 4, retention).

use serde::Serialize;

use super::{Ask, Parts};
use crate::domain::calendar::day_of;
use crate::domain::report::members::Cohort;
use crate::http::problem::Problem;
use crate::projection::read;

#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = RetentionRows)]
pub struct Rows {
    cohorts: Vec<Row>,
    totals: Totals,
}

impl Rows {
    pub fn parts(&self) -> Parts<'_> {
        Parts::of(&self.cohorts, &self.totals)
    }
}

/// The members whose first visit was in one month.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = RetentionCohort)]
struct Row {
    /// Like `2026-03`.
    month: String,
    size: i64,
    /// How many had a visit in that month, in the next, and so on; up to the last month that has
    /// begun and is in the range.
    active: Vec<i64>,
}

#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = RetentionTotals)]
struct Totals {
    size: i64,
}

pub fn rows(ask: &Ask<'_>) -> Result<Rows, Problem> {
    let zone = ask.gym.settings.zone;
    let month_of = |at| day_of(zone, at).month();
    let from = month_of(ask.question.from);
    let until = crate::domain::calendar::Month(month_of(ask.question.until - 1).0 + 1);
    let last = month_of((ask.question.until - 1).min(ask.question.now));
    let cohorts = read::retention(ask.snapshot, ask.gym, from, until, last)?;
    let totals = Totals { size: cohorts.iter().map(|cohort| cohort.size).sum() };
    Ok(Rows { cohorts: cohorts.into_iter().map(row).collect(), totals })
}

fn row(cohort: Cohort) -> Row {
    Row {
        month: cohort.month.first_day().date().format("%Y-%m").to_string(),
        size: cohort.size,
        active: cohort.active,
    }
}
