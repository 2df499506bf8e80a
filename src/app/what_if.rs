//! `footfall gym set --what-if`: what other rules or another time zone would change.

use anyhow::anyhow;
use serde_json::{Value, json};

use super::{maintain, output};
use crate::clock;
use crate::domain::calendar::day_of;
use crate::http::reports::{Parameters, ask};
use crate::projection::rebuild;
use crate::store::{Database, Gym, GymSettings};

/// Local days, up to and without today, over which figures are compared.
const DAYS: i32 = 28;

/// Counts the gym by other settings beside the present ones, prints both, and changes nothing.
pub fn show(
    database: &Database,
    gym: &Gym,
    settings: &GymSettings,
    json: bool,
) -> anyhow::Result<()> {
    let before = figures(database, gym)?;
    let bar = maintain::progress_bar(gym);
    let mut progress = |events| bar.set_position(events);
    let look = |trial: &Gym| figures(database, trial);
    let after = rebuild::try_out(database, gym, settings, &mut progress, look);
    bar.finish_and_clear();
    let after = after??;
    let shown = json!({ "gym": gym.slug.to_string(), "before": before, "after": after });
    output::show(json, &shown, || {
        let names = before.as_object().into_iter().flat_map(|figures| figures.keys());
        let rows =
            names.map(|name| vec![name.clone(), before[name].to_string(), after[name].to_string()]);
        let table = output::table(&["FIGURE", "NOW", "THEN"], &rows.collect::<Vec<_>>());
        format!("{table}\n\nNothing was changed; without --what-if it would be.")
    });
    Ok(())
}

/// The main figures of the last days.
fn figures(database: &Database, gym: &Gym) -> anyhow::Result<Value> {
    let today = day_of(gym.settings.zone, clock::now());
    let date = |day: crate::domain::calendar::Day| Some(day.date().to_string());
    let parameters =
        Parameters { from: date(today.plus(-DAYS)), until: date(today), ..Parameters::default() };
    let report = |name: &str| {
        let answered =
            database.read(|snapshot| Ok(ask(snapshot, gym, name, &parameters, clock::now())))?;
        let report = answered.map_err(|problem| anyhow!("{problem}"))?;
        Ok::<Value, anyhow::Error>(serde_json::to_value(report)?)
    };
    let (visits, occupancy) = (report("visits")?, report("occupancy")?);
    let (durations, quality) = (report("durations")?, report("quality")?);
    let stay = &durations["groups"][0];
    Ok(json!({
        "from": visits["from"],
        "until": visits["until"],
        "visits": visits["totals"]["visits"],
        "ended by check-out": visits["totals"]["ended_by"]["checkout"],
        "ended as assumed": visits["totals"]["ended_by"]["assumed"],
        "ended by the window": visits["totals"]["ended_by"]["window"],
        "ended by the next visit": visits["totals"]["ended_by"]["next_visit"],
        "orphan check-outs": quality["totals"]["orphan_checkouts"],
        "coverage": visits["coverage"],
        "present on average": occupancy["totals"]["average"],
        "present at most": occupancy["totals"]["peak"],
        "mean stay, minutes": stay["mean_minutes"],
        "median stay, minutes": stay["median_minutes"],
    }))
}
