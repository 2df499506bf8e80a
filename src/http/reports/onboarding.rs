//! The onboarding report (model section 4, onboarding).

use serde::Serialize;

use super::{Ask, Head, Parts};
use crate::domain::calendar::days_touched;
use crate::domain::report::total;
use crate::domain::tally::Count;
use crate::http::problem::Problem;
use crate::projection::read;

#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = OnboardingRows)]
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
#[schema(as = OnboardingBucket)]
struct Row {
    #[serde(flatten)]
    head: Head,
    /// Onboardings completed in the bucket.
    completed: i64,
}

#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = OnboardingTotals)]
struct Totals {
    completed: i64,
    /// Local days from the first visit to the first completion, of members whose completion was on
    /// a local day of the range.
    #[schema(required)]
    median_days: Option<u32>,
    /// Members whose first visit was on a local day of the range.
    new_members: i64,
    /// Of those, how many completed the onboarding within 30 days.
    completed_within_30_days: i64,
    #[schema(required)]
    share_within_30_days: Option<f64>,
}

pub fn rows(ask: &Ask<'_>) -> Result<Rows, Problem> {
    let zone = ask.gym.settings.zone;
    let counts = read::counts(ask.snapshot, ask.gym, &ask.buckets)?;
    let (from, until) = days_touched(zone, ask.question.from, ask.question.until);
    let onboarding = read::members(ask.snapshot, ask.gym, from, until)?.onboarding(from, until);
    let buckets = ask.buckets.iter().zip(&counts).map(|(bucket, counts)| Row {
        head: ask.head(bucket),
        completed: counts.get(Count::Onboardings),
    });
    let totals = Totals {
        completed: total(&counts).get(Count::Onboardings),
        median_days: onboarding.median_days,
        new_members: onboarding.new_members,
        completed_within_30_days: onboarding.completed_within_30_days,
        share_within_30_days: onboarding.share(),
    };
    Ok(Rows { buckets: buckets.collect(), totals })
}
