//! `footfall compact`, `footfall rebuild` and `footfall verify`.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::cli::{CompactArgs, NewKeyArgs, RebuildArgs, VerifyArgs};
use super::{eraser, gyms, output};
use crate::projection::{rebuild, verify};
use crate::store::{Database, Gym, GymSettings, Rekeyed};

pub fn compact(database: &Database, args: &CompactArgs) -> anyhow::Result<()> {
    let _lock = database.lock()?;
    let before = database.sizes()?.database;
    database.compact()?;
    eraser::wait_for_empty_log(&database.connect()?)?;
    let after = database.sizes()?.database;
    let done = serde_json::json!({ "bytes_before": before, "bytes": after });
    output::show(args.json, &done, || format!("{after} bytes; it had {before}"));
    Ok(())
}

pub fn make_new_key(data: &Path, args: &NewKeyArgs) -> anyhow::Result<()> {
    let Rekeyed { members, forgotten } = Database::make_new_key(data)?;
    // What is left to be done with it is done as by any command.
    let database = Database::open(data)?;
    eraser::work_off(&database, &mut database.connect()?)?;
    let done = serde_json::json!({ "members": members, "erased_members_forgotten": forgotten });
    output::show(args.json, &done, || {
        format!(
            "{members} members are found by a new key; make a backup now. {forgotten} who were \
             erased would come back with a copy from before: remove copies that are older than this"
        )
    });
    Ok(())
}

pub fn rebuild(database: &Database, args: &RebuildArgs) -> anyhow::Result<()> {
    let gyms = match &args.gym {
        Some(slug) => vec![gyms::find(database, slug)?],
        None => database.read(|snapshot| snapshot.gyms())?,
    };
    let mut events = 0;
    for gym in &gyms {
        events += rebuild_gym(database, gym, None)?;
    }
    for table in database.renew_checksums()? {
        output::warning(&format!(
            "the table {table} was not as footfall had left it; it is taken as right from here on"
        ));
    }
    let done = serde_json::json!({ "gyms": gyms.len(), "events": events });
    output::show(args.json, &done, || format!("rebuilt {} gyms from {events} events", gyms.len()));
    Ok(())
}

/// Rebuilds one gym, by new settings if there are any, and shows how far it is on a terminal.
pub fn rebuild_gym(
    database: &Database,
    gym: &Gym,
    settings: Option<&GymSettings>,
) -> anyhow::Result<u64> {
    let bar = progress_bar(gym);
    let mut progress = |events| bar.set_position(events);
    let applied = rebuild::rebuild(database, gym.id, settings, &mut progress);
    bar.finish_and_clear();
    Ok(applied?)
}

/// Shows on a terminal how many events of a gym were applied.
pub fn progress_bar(gym: &Gym) -> ProgressBar {
    let bar = ProgressBar::new_spinner().with_message(gym.slug.to_string());
    let style = ProgressStyle::with_template("{spinner} {msg}: {human_pos} events, {per_sec}");
    bar.set_style(style.expect("the template is right"));
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

pub fn verify(database: &Database, args: &VerifyArgs) -> anyhow::Result<ExitCode> {
    let found = database.read(verify::verify)?;
    let report = serde_json::json!({
        "ok": found.is_ok(),
        "events": found.events,
        "receipts": found.receipts,
        "tallies": found.tallies,
        "differences": found.differences,
    });
    output::show(args.json, &report, || {
        let counted = format!(
            "{} events, {} receipts, {} tallies",
            found.events, found.receipts, found.tallies
        );
        if found.is_ok() {
            return format!("ok: {counted}");
        }
        let differences = found.differences.join("\n  ");
        format!(
            "NOT ok: {counted}\n  {differences}\n\n`footfall rebuild` counts again from the log, and \
             takes the log as right. Where SQLite finds damage, or the log, members or the set-up \
             are not what they were, put a backup back instead (docs/OPERATING.md, Backup)."
        )
    });
    Ok(if found.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
