//! The quality report (model section 4, quality).

use serde::Serialize;

use super::{Ask, FixedStay, Head, Parts, fixed_stays};
use crate::domain::calendar::Bucket;
use crate::domain::report::{Counts, quality, share, total};
use crate::http::problem::Problem;
use crate::http::times::instant_to_the_minute;
use crate::projection::read;
use crate::store::{Redundancy, StoreError};

#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = QualityRows)]
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
#[schema(as = QualityBucket)]
struct Row {
    #[serde(flatten)]
    head: Head,
    #[serde(flatten)]
    counted: Counted,
}

#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = QualityCounted)]
struct Counted {
    /// Deliveries of an event that was there already, by time of receipt.
    duplicates: i64,
    repeat_swipes: i64,
    /// Check-outs without a visit they could end.
    orphan_checkouts: i64,
    /// Visits whose first sign was at equipment.
    doors_missed: i64,
    /// Visits not ended by a check-out.
    without_checkout: i64,
    /// Deliveries that could not be appended, by time of receipt.
    quarantined: i64,
    /// Late deliveries of erased members, dropped, by time of receipt.
    erased: i64,
    unknown_types: i64,
    /// Events received more than an hour after they happened.
    late_events: i64,
    late_by: LateBy,
    visits: i64,
    /// Visits of which both ends were seen at the door.
    observed: i64,
}

/// Late events by how much, each in one of these.
#[derive(Serialize, utoipa::ToSchema)]
struct LateBy {
    over_1h: i64,
    over_6h: i64,
    over_1d: i64,
    over_1w: i64,
}

#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = QualityTotals)]
struct Totals {
    #[serde(flatten)]
    counted: Counted,
    /// Times without an event although one was all but certain; whole, also where they reach
    /// beyond the range.
    silent_spans: Vec<SilentSpan>,
    fixed_stays: Vec<FixedStay>,
    /// Of a gym with more than one: what each webhook lost.
    webhooks: Vec<WebhookLoss>,
}

/// Events through any of a gym's webhooks while this one stood beside another, by the time of the
/// event.
#[derive(Serialize, utoipa::ToSchema)]
struct WebhookLoss {
    /// Its id.
    webhook: String,
    events: i64,
    /// Of those, how many came through another webhook only.
    missed: i64,
    /// `missed` over `events`: the measured loss rate. Null without events.
    #[schema(required)]
    loss: Option<f64>,
}

#[derive(Serialize, utoipa::ToSchema)]
struct SilentSpan {
    #[schema(format = DateTime)]
    from: String,
    #[schema(format = DateTime)]
    until: String,
}

pub fn rows(ask: &Ask<'_>) -> Result<Rows, Problem> {
    let counts = read::counts(ask.snapshot, ask.gym, &ask.buckets)?;
    let buckets = ask
        .buckets
        .iter()
        .zip(&counts)
        .map(|(bucket, counts)| Row { head: ask.head(bucket), counted: counted(counts) });
    let shown = |at| instant_to_the_minute(ask.gym.settings.zone, at);
    let spans = ask.silent.iter();
    let totals = Totals {
        counted: counted(&total(&counts)),
        silent_spans: spans
            .map(|span| SilentSpan { from: shown(span.from), until: shown(span.until) })
            .collect(),
        fixed_stays: fixed_stays(&read::stays(ask.snapshot, ask.gym, ask.range())?),
        webhooks: webhooks(ask)?,
    };
    Ok(Rows { buckets: buckets.collect(), totals })
}

fn webhooks(ask: &Ask<'_>) -> Result<Vec<WebhookLoss>, StoreError> {
    let (Some(first), Some(last)) = (ask.buckets.first(), ask.buckets.last()) else {
        return Ok(vec![]);
    };
    let range = Bucket { from: first.from, until: last.until };
    let mut losses = Vec::new();
    for webhook in ask.snapshot.webhooks(Some(ask.gym.id))? {
        if let Some(Redundancy { events, missed }) = ask.snapshot.redundancy(webhook.id, range)? {
            let (webhook, loss) = (webhook.public_id, share(missed, events));
            losses.push(WebhookLoss { webhook, events, missed, loss });
        }
    }
    Ok(losses)
}

fn counted(counts: &Counts) -> Counted {
    let quality = quality::quality(counts);
    let [over_1h, over_6h, over_1d, over_1w] = quality.late;
    Counted {
        duplicates: quality.duplicates,
        repeat_swipes: quality.repeat_swipes,
        orphan_checkouts: quality.orphan_checkouts,
        doors_missed: quality.doors_missed,
        without_checkout: quality.without_checkout,
        quarantined: quality.quarantined,
        erased: quality.erased,
        unknown_types: quality.unknown_types,
        late_events: quality.late.iter().sum(),
        late_by: LateBy { over_1h, over_6h, over_1d, over_1w },
        visits: quality.visits,
        observed: quality.observed,
    }
}
