//! The main figures of a gym's last days, to be put beside those by other rules.

use serde_json::{Value, json};

use super::problem::Problem;
use super::reports::{Parameters, Report, ask};
use crate::domain::Millis;
use crate::domain::calendar::{Day, day_of};
use crate::store::{Gym, Snapshot};

/// Local days, up to and without today, of which figures are told.
pub const DAYS: i32 = 28;

/// Each figure by its name.
pub fn figures(snapshot: &Snapshot<'_>, gym: &Gym, now: Millis) -> Result<Value, Problem> {
    let today = day_of(gym.settings.zone, now);
    let date = |day: Day| Some(day.date().to_string());
    let parameters =
        Parameters { from: date(today.plus(-DAYS)), until: date(today), ..Parameters::default() };
    let report = |name| ask(snapshot, gym, name, &parameters, now).map(|report| plain(&report));
    let (visits, occupancy) = (report("visits")?, report("occupancy")?);
    let (durations, quality) = (report("durations")?, report("quality")?);
    let stay = &durations["groups"][0];
    Ok(json!({
        "visits": visits["totals"]["visits"],
        "ended_by_checkout": visits["totals"]["ended_by"]["checkout"],
        "ended_by_assumed": visits["totals"]["ended_by"]["assumed"],
        "ended_by_window": visits["totals"]["ended_by"]["window"],
        "ended_by_next_visit": visits["totals"]["ended_by"]["next_visit"],
        "orphan_checkouts": quality["totals"]["orphan_checkouts"],
        "repeat_swipes": quality["totals"]["repeat_swipes"],
        "coverage": visits["coverage"],
        "average": occupancy["totals"]["average"],
        "peak": occupancy["totals"]["peak"],
        "mean_minutes": stay["mean_minutes"],
        "median_minutes": stay["median_minutes"],
    }))
}

fn plain(report: &Report) -> Value {
    serde_json::to_value(report).expect("reports are plain JSON")
}
