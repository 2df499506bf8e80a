//! The members report (model section 4, members). Distinct members do not add up: a range of more
//! than one bucket has no number of them.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Ask, Head, Parts};
use crate::domain::calendar::{Interval, day_of, days_touched};
use crate::domain::report::members::Period;
use crate::http::problem::Problem;
use crate::projection::read;

#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = MembersRows)]
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
#[schema(as = MembersBucket)]
struct Row {
    #[serde(flatten)]
    head: Head,
    /// Distinct members with a visit entered in the bucket, at this gym.
    members: i64,
    /// Members whose first visit at this gym was entered in it.
    new: i64,
}

#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = MembersTotals)]
struct Totals {
    /// Given when the range is one bucket.
    #[schema(required)]
    members: Option<i64>,
    new: i64,
    /// Over the ISO weeks that begin in the range: members by their visits in the week, `1` to
    /// `5+`.
    visits_per_week: BTreeMap<&'static str, i64>,
}

pub fn rows(ask: &Ask<'_>) -> Result<Rows, Problem> {
    let zone = ask.gym.settings.zone;
    let (from, until) = days_touched(zone, ask.question.from, ask.question.until);
    let members = read::members(ask.snapshot, ask.gym, from, until)?;
    let period = match ask.question.interval {
        Interval::Month => Period::Month,
        Interval::Week => Period::Week,
        Interval::Day | Interval::Hour | Interval::Quarter => Period::Day,
    };
    let buckets: Vec<_> = ask
        .buckets
        .iter()
        .map(|bucket| Row {
            head: ask.head(bucket),
            members: members.distinct(period, day_of(zone, bucket.from)),
            new: members
                .newcomers(day_of(zone, bucket.from), day_of(zone, bucket.until - 1).plus(1)),
        })
        .collect();
    let per_week = members.visits_per_week(from, until);
    let totals = Totals {
        members: (buckets.len() == 1).then(|| buckets[0].members),
        new: members.newcomers(from, until),
        visits_per_week: ["1", "2", "3", "4", "5+"].into_iter().zip(per_week).collect(),
    };
    Ok(Rows { buckets, totals })
}
