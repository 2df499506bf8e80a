//! The occupancy report (model section 4, occupancy history).

use serde::Serialize;

use super::{Ask, Head, Parts};
use crate::domain::report::occupancy::Samples;
use crate::http::problem::Problem;
use crate::http::times::instant_to_the_minute;
use crate::projection::read;

#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = OccupancyRows)]
pub struct Rows {
    buckets: Vec<Row>,
    totals: Sampled,
}

impl Rows {
    pub fn parts(&self) -> Parts<'_> {
        Parts::of(&self.buckets, &self.totals)
    }
}

#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = OccupancyBucket)]
struct Row {
    #[serde(flatten)]
    head: Head,
    #[serde(flatten)]
    sampled: Sampled,
}

/// Members present at the whole minutes of a time. Null without a minute that has passed.
#[derive(Serialize, utoipa::ToSchema)]
struct Sampled {
    #[schema(required)]
    average: Option<f64>,
    #[schema(required)]
    peak: Option<i64>,
    /// The first minute with the peak.
    #[schema(required, format = DateTime)]
    peak_at: Option<String>,
    #[schema(required)]
    low: Option<i64>,
}

pub fn rows(ask: &Ask<'_>) -> Result<Rows, Problem> {
    let now = ask.question.now;
    let sampled = read::occupancy_history(ask.snapshot, ask.gym, &ask.buckets, now)?;
    let mut all = Samples::default();
    let mut buckets = Vec::with_capacity(ask.buckets.len());
    for (bucket, samples) in ask.buckets.iter().zip(&sampled) {
        all.join(samples);
        buckets.push(Row { head: ask.head(bucket), sampled: sampled_row(ask, samples) });
    }
    Ok(Rows { buckets, totals: sampled_row(ask, &all) })
}

fn sampled_row(ask: &Ask<'_>, samples: &Samples) -> Sampled {
    let zone = ask.gym.settings.zone;
    Sampled {
        average: samples.average(),
        peak: samples.peak.map(|peak| peak.present),
        peak_at: samples.peak.map(|peak| instant_to_the_minute(zone, peak.at)),
        low: samples.low,
    }
}
