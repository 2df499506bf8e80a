//! `footfall gym set --what-if`: what other rules or another time zone would change.

use anyhow::anyhow;
use serde_json::{Value, json};

use super::{maintain, output};
use crate::clock;
use crate::http::what_if;
use crate::projection::rebuild;
use crate::store::{Database, Gym, GymSettings};

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
    let days = what_if::DAYS;
    let shown =
        json!({ "gym": gym.slug.to_string(), "days": days, "before": before, "after": after });
    output::show(json, &shown, || {
        let names = before.as_object().into_iter().flat_map(|figures| figures.keys());
        let rows = names.map(|name| {
            vec![name.replace('_', " "), before[name].to_string(), after[name].to_string()]
        });
        let table = output::table(&["FIGURE", "NOW", "THEN"], &rows.collect::<Vec<_>>());
        format!(
            "The last {days} days:\n\n{table}\n\nNothing was changed; without --what-if it would be."
        )
    });
    Ok(())
}

fn figures(database: &Database, gym: &Gym) -> anyhow::Result<Value> {
    let figures = database.read(|snapshot| Ok(what_if::figures(snapshot, gym, clock::now())))?;
    figures.map_err(|problem| anyhow!("{problem}"))
}
