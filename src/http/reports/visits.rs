//! The visits report (model section 4, visits).

use serde::Serialize;

use super::{Ask, Head, Parts};
use crate::domain::report::{Counts, total, visits};
use crate::http::problem::Problem;
use crate::projection::read;

#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = VisitsRows)]
pub struct Rows {
    buckets: Vec<Row>,
    totals: Counted,
}

impl Rows {
    pub fn parts(&self) -> Parts<'_> {
        Parts::of(&self.buckets, &self.totals)
    }
}

#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = VisitsBucket)]
struct Row {
    #[serde(flatten)]
    head: Head,
    #[serde(flatten)]
    counted: Counted,
}

#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = VisitsCounted)]
struct Counted {
    /// Visits entered in the bucket.
    visits: i64,
    /// The same.
    arrivals: i64,
    /// Visits that ended in the bucket; those that are still to end are left out.
    departures: i64,
    entered_by: EnteredBy,
    ended_by: EndedBy,
}

/// Visits entered in the bucket, by how that was noticed.
#[derive(Serialize, utoipa::ToSchema)]
struct EnteredBy {
    checkin: i64,
    equipment: i64,
}

/// Visits entered in the bucket, by how their end is known.
#[derive(Serialize, utoipa::ToSchema)]
struct EndedBy {
    checkout: i64,
    assumed: i64,
    window: i64,
    next_visit: i64,
    erasure: i64,
}

pub fn rows(ask: &Ask<'_>) -> Result<Rows, Problem> {
    let now = ask.question.now;
    let counts = read::counts_so_far(ask.snapshot, ask.gym, &ask.buckets, now)?;
    let buckets = ask
        .buckets
        .iter()
        .zip(&counts)
        .map(|(bucket, counts)| Row { head: ask.head(bucket), counted: counted(counts) });
    Ok(Rows { buckets: buckets.collect(), totals: counted(&total(&counts)) })
}

fn counted(counts: &Counts) -> Counted {
    let visits = visits::visits(counts);
    Counted {
        visits: visits.visits,
        arrivals: visits.visits,
        departures: visits.departures,
        entered_by: EnteredBy {
            checkin: visits.entered_by_checkin,
            equipment: visits.entered_by_equipment,
        },
        ended_by: EndedBy {
            checkout: visits.ended_by_checkout,
            assumed: visits.ended_by_assumed,
            window: visits.ended_by_window,
            next_visit: visits.ended_by_next_visit,
            erasure: visits.ended_by_erasure,
        },
    }
}
