//! The activity report (model section 4, activity).

use serde::Serialize;

use super::{Ask, Head, Parts};
use crate::domain::calendar::{Bucket, Day, days_touched};
use crate::domain::report::activity::{Activity, Change};
use crate::http::problem::{Code, Problem};
use crate::projection::read;

#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = ActivityRows)]
pub struct Rows {
    /// The window's length in local days: a member is active for so long from a visit on.
    window: i32,
    buckets: Vec<Row>,
    totals: Counted,
}

impl Rows {
    pub fn parts(&self) -> Parts<'_> {
        Parts::of(&self.buckets, &self.totals)
    }
}

#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = ActivityBucket)]
struct Row {
    #[serde(flatten)]
    head: Head,
    #[serde(flatten)]
    counted: Counted,
}

/// Members at this gym: `active` at the end is `active` before, `+ new + returned - lapsed`.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = ActivityCounted)]
struct Counted {
    /// Active on the last day that has begun; null where none has.
    #[schema(required)]
    active: Option<i64>,
    /// With their first visit ever.
    new: i64,
    /// Active again, not by a first visit.
    returned: i64,
    /// Whose last active day was the day before.
    lapsed: i64,
}

pub fn rows(ask: &Ask<'_>) -> Result<Rows, Problem> {
    let zone = ask.gym.settings.zone;
    if !read::counts_activity(ask.snapshot, ask.gym)? {
        let detail = "activity is being counted for the first time, beside what is read; \
                      ask again in a while, or see the service's log";
        return Err(Problem::new(Code::Unavailable, detail).as_message("report.counting", &[]));
    }
    let days = |range: Bucket| days_touched(zone, range.from, range.until);
    let (from, until) = days(ask.range());
    let (window, now) = (ask.question.window, ask.question.now);
    let activity = read::activity(ask.snapshot, ask.gym, window, from, until, now)?;
    let buckets = ask
        .buckets
        .iter()
        .map(|bucket| Row { head: ask.head(bucket), counted: counted(&activity, days(*bucket)) });
    Ok(Rows {
        window: window.days(),
        buckets: buckets.collect(),
        totals: counted(&activity, (from, until)),
    })
}

fn counted(activity: &Activity, (from, until): (Day, Day)) -> Counted {
    let Change { new, returned, lapsed } = activity.change(from, until);
    Counted { active: activity.active(from, until), new, returned, lapsed }
}
