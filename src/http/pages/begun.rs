//! A report from where its gym begins: nothing was before its first event, which is no zero.

use chrono::{DateTime, NaiveDate};
use maud::{Markup, html};
use serde_json::Value;

use super::words::Words;
use crate::domain::Millis;
use crate::domain::calendar::{day_of, day_start, local};
use crate::store::Gym;

/// What a report has not, since it was before the gym's first event.
pub struct Begun {
    first: NaiveDate,
    is_cut: bool,
    lacks_before: bool,
}

impl Begun {
    pub fn in_words(&self, words: &Words) -> Markup {
        let day = words.date(self.first);
        html! {
            @if self.is_cut { p.note { (words.fill("report.begun", &[&day])) } }
            @else if self.lacks_before { p.note { (words.fill("report.no_before", &[&day])) } }
        }
    }
}

/// Leaves out the buckets that ended before the first event, on both sides of a comparison, the
/// cohorts of earlier months, and a comparison with days on which the gym was not there.
pub fn from_first_event(report: &mut Value, gym: &Gym, first_event: Millis) -> Begun {
    let zone = gym.settings.zone;
    let first_day = day_start(zone, day_of(zone, first_event));
    let compared_from = report.pointer("/comparison/that/from").and_then(instant);
    let lacks_before = compared_from.is_some_and(|from| from < first_day);
    if lacks_before && let Some(report) = report.as_object_mut() {
        report.remove("comparison");
    }
    let before = buckets_before(report, first_event);
    for list in ["/buckets", "/comparison/that/buckets"] {
        if let Some(buckets) = report.pointer_mut(list).and_then(Value::as_array_mut) {
            buckets.drain(..before.min(buckets.len()));
        }
    }
    let first = local(zone, first_event).date_naive();
    let month = first.format("%Y-%m").to_string();
    let cohorts = report["cohorts"].as_array_mut().map_or(0, |cohorts| {
        let all = cohorts.len();
        cohorts.retain(|cohort| cohort["month"].as_str().is_none_or(|name| name >= &*month));
        all - cohorts.len()
    });
    Begun { first, is_cut: before + cohorts > 0, lacks_before }
}

fn instant(at: &Value) -> Option<Millis> {
    let at = DateTime::parse_from_rfc3339(at.as_str()?).ok()?;
    Some(at.timestamp_millis())
}

/// How many buckets ended before an instant.
fn buckets_before(report: &Value, at: Millis) -> usize {
    let starts = report["buckets"].as_array().into_iter().flatten().map(|bucket| &bucket["start"]);
    // Each ends where the next begins.
    let ends = starts.skip(1).chain([&report["until"]]).filter_map(instant);
    ends.take_while(|end| *end <= at).count()
}
