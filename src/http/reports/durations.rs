//! The durations report (model section 4, durations).

use serde::Serialize;

use super::{Ask, FixedStay, Parts, fixed_stays};
use crate::domain::report::durations::Group;
use crate::domain::report::minutes::{BIN_MINUTES, Minutes, mean_minutes};
use crate::http::problem::Problem;
use crate::projection::read;

#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = DurationsRows)]
pub struct Rows {
    groups: Vec<Row>,
    totals: Totals,
}

impl Rows {
    pub fn parts(&self) -> Parts<'_> {
        Parts::of(&self.groups, &self.totals)
    }
}

/// Visits of one group; only observed ones have a length.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = DurationsGroup)]
struct Row {
    /// Weekday (1 = Monday) or hour (0–23) of entry; null when grouped by nothing.
    #[schema(required)]
    key: Option<u32>,
    visits: i64,
    observed: i64,
    /// Exact.
    #[schema(required)]
    mean_minutes: Option<f64>,
    /// By nearest rank, on whole minutes.
    #[schema(required)]
    median_minutes: Option<u32>,
    #[schema(required)]
    p10_minutes: Option<u32>,
    #[schema(required)]
    p90_minutes: Option<u32>,
    /// In bins of 5 minutes, from 0 to the last that holds a visit.
    histogram: Vec<Bin>,
}

#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = DurationsBin)]
struct Bin {
    from_minutes: usize,
    visits: i64,
}

#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = DurationsTotals)]
struct Totals {
    visits: i64,
    observed: i64,
    /// Where there are any, durations are what the gym's own system makes of them.
    fixed_stays: Vec<FixedStay>,
}

pub fn rows(ask: &Ask<'_>) -> Result<Rows, Problem> {
    let groups = read::durations(ask.snapshot, ask.gym, ask.range(), ask.question.group_by)?;
    let mut stays = Minutes::default();
    for group in &groups {
        stays.join(&group.stays);
    }
    let totals = Totals {
        visits: groups.iter().map(|group| group.visits).sum(),
        observed: stays.count(),
        fixed_stays: fixed_stays(&stays),
    };
    Ok(Rows { groups: groups.iter().map(row).collect(), totals })
}

fn row(group: &Group) -> Row {
    let bins = (0..).step_by(BIN_MINUTES).zip(group.stays.bins());
    Row {
        key: group.key,
        visits: group.visits,
        observed: group.stays.count(),
        mean_minutes: mean_minutes(group.total_ms, group.stays.count()),
        median_minutes: group.stays.percentile(50),
        p10_minutes: group.stays.percentile(10),
        p90_minutes: group.stays.percentile(90),
        histogram: bins.map(|(from_minutes, visits)| Bin { from_minutes, visits }).collect(),
    }
}
