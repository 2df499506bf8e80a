//! The equipment report (model section 4, equipment).

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Ask, Head, Parts};
use crate::domain::report::equipment::{equipment, visits_by_checkins};
use crate::domain::report::{Counts, total};
use crate::http::problem::Problem;
use crate::projection::read;

#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = EquipmentRows)]
pub struct Rows {
    buckets: Vec<Row>,
    totals: Totals,
}

impl Rows {
    pub fn parts(&self) -> Parts<'_> {
        Parts::of(&self.buckets, &self.totals)
    }
}

#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = EquipmentBucket)]
struct Row {
    #[serde(flatten)]
    head: Head,
    #[serde(flatten)]
    counted: Counted,
}

#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = EquipmentCounted)]
struct Counted {
    /// Equipment check-ins, by their own time.
    checkins: i64,
    /// Visits entered in the bucket.
    visits: i64,
    /// Of those, how many had an equipment check-in.
    visits_with_equipment: i64,
    #[schema(required)]
    share_with_equipment: Option<f64>,
}

#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = EquipmentTotals)]
struct Totals {
    #[serde(flatten)]
    counted: Counted,
    /// Visits by their equipment check-ins: `0`, `1`, … `10+`.
    checkins_per_visit: BTreeMap<Checkins, i64>,
    first_checkin_minutes: FirstCheckin,
}

/// Whole minutes from the door to the first equipment check-in, of visits entered by check-in.
#[derive(Serialize, utoipa::ToSchema)]
struct FirstCheckin {
    #[schema(required)]
    median: Option<u32>,
    #[schema(required)]
    p90: Option<u32>,
}

/// A number of check-ins, written as a key.
#[derive(PartialEq, Eq, PartialOrd, Ord, utoipa::ToSchema)]
#[schema(value_type = String)]
struct Checkins(usize);

impl Serialize for Checkins {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let plus = if self.0 == 10 { "+" } else { "" };
        serializer.collect_str(&format_args!("{}{plus}", self.0))
    }
}

pub fn rows(ask: &Ask<'_>) -> Result<Rows, Problem> {
    let counts = read::counts(ask.snapshot, ask.gym, &ask.buckets)?;
    let first = read::first_equipment(ask.snapshot, ask.gym, ask.range())?;
    let buckets = ask
        .buckets
        .iter()
        .zip(&counts)
        .map(|(bucket, counts)| Row { head: ask.head(bucket), counted: counted(counts) });
    let all = total(&counts);
    let by_checkins = visits_by_checkins(&all).into_iter().enumerate();
    let totals = Totals {
        counted: counted(&all),
        checkins_per_visit: by_checkins.map(|(count, visits)| (Checkins(count), visits)).collect(),
        first_checkin_minutes: FirstCheckin {
            median: first.percentile(50),
            p90: first.percentile(90),
        },
    };
    Ok(Rows { buckets: buckets.collect(), totals })
}

fn counted(counts: &Counts) -> Counted {
    let equipment = equipment(counts);
    Counted {
        checkins: equipment.checkins,
        visits: equipment.visits,
        visits_with_equipment: equipment.visits_with_equipment,
        share_with_equipment: equipment.share(),
    }
}
