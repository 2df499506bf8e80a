//! A report from where its gym begins: nothing was before its first event, which is no zero.

use chrono::DateTime;
use serde_json::Value;

use crate::domain::Millis;
use crate::domain::calendar::local;
use crate::store::Gym;

/// Leaves out the buckets that ended before the first event, on both sides of a comparison, and the
/// cohorts of earlier months. Says whether any were left out.
pub fn from_first_event(report: &mut Value, gym: &Gym, first_event: Millis) -> bool {
    let before = buckets_before(report, first_event);
    for list in ["/buckets", "/comparison/that/buckets"] {
        if let Some(buckets) = report.pointer_mut(list).and_then(Value::as_array_mut) {
            buckets.drain(..before.min(buckets.len()));
        }
    }
    let month = local(gym.settings.zone, first_event).format("%Y-%m").to_string();
    let cohorts = report["cohorts"].as_array_mut();
    let earlier = |cohort: &Value| cohort["month"].as_str().is_some_and(|name| name < &*month);
    let cohorts = cohorts.map_or(0, |cohorts| {
        let all = cohorts.len();
        cohorts.retain(|cohort| !earlier(cohort));
        all - cohorts.len()
    });
    before + cohorts > 0
}

/// How many buckets ended before an instant.
fn buckets_before(report: &Value, at: Millis) -> usize {
    let starts = report["buckets"].as_array().into_iter().flatten().map(|bucket| &bucket["start"]);
    // Each ends where the next begins.
    let ends = starts.skip(1).chain([&report["until"]]).filter_map(Value::as_str);
    let ends = ends.filter_map(|end| DateTime::parse_from_rfc3339(end).ok());
    ends.take_while(|end| end.timestamp_millis() <= at).count()
}
