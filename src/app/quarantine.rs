//! `footfall quarantine`: list, release.

use anyhow::bail;
use clap::{Args, Subcommand};
use serde::Serialize;

use super::{gyms, output};
use crate::clock;
use crate::http::deliveries::{Released, release};
use crate::store::Database;

/// Deliveries that are listed, or released, in one go.
const PAGE: usize = 1_000;

#[derive(Subcommand)]
pub enum QuarantineCommand {
    /// List what could not be appended, and why
    List(ListArgs),
    /// Try again to append deliveries, by their ids
    Release(ReleaseArgs),
}

#[derive(Args)]
pub struct ListArgs {
    /// Only of this gym
    gym: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub struct ReleaseArgs {
    /// Quarantine ids
    #[arg(required = true)]
    ids: Vec<i64>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Row {
    id: i64,
    gym: String,
    received_at: String,
    reason: String,
    detail: String,
    /// How long the body was.
    bytes: usize,
    /// Whether it is kept as it came, so that it can be released.
    whole: bool,
    /// How many deliveries this stands for: more than one of those that were only counted.
    deliveries: i64,
}

#[derive(Serialize)]
struct Tried {
    id: i64,
    released: bool,
    detail: String,
}

pub fn run(database: &Database, command: QuarantineCommand) -> anyhow::Result<()> {
    match command {
        QuarantineCommand::List(args) => list(database, &args),
        QuarantineCommand::Release(args) => release_all(database, &args),
    }
}

fn list(database: &Database, args: &ListArgs) -> anyhow::Result<()> {
    let gym = args.gym.as_deref().map(|slug| gyms::find(database, slug)).transpose()?;
    let (gyms, waiting) = database.read(|snapshot| {
        Ok((snapshot.gyms()?, snapshot.quarantined(gym.map(|gym| gym.id), 0, PAGE)?))
    })?;
    let slug = |id| gyms.iter().find(|gym| gym.id == id).map(|gym| gym.slug.to_string());
    let rows: Vec<_> = waiting
        .into_iter()
        .map(|waiting| Row {
            id: waiting.id,
            gym: slug(waiting.gym).unwrap_or_default(),
            received_at: output::utc(waiting.received_at),
            bytes: waiting.bytes(),
            whole: waiting.reduced_from.is_none(),
            deliveries: waiting.deliveries,
            reason: waiting.reason,
            detail: waiting.detail,
        })
        .collect();
    output::show(args.json, &rows, || {
        let cells = rows.iter().map(|row| {
            let id = row.id.to_string();
            vec![id, row.gym.clone(), row.received_at.clone(), row.detail.clone()]
        });
        output::table(&["ID", "GYM", "RECEIVED", "WHY"], &cells.collect::<Vec<_>>())
    });
    Ok(())
}

fn release_all(database: &Database, args: &ReleaseArgs) -> anyhow::Result<()> {
    let mut connection = database.connect()?;
    let mut tried = Vec::new();
    for id in &args.ids {
        let outcome = database.transact(&mut connection, |tx| release(tx, *id, clock::now()))?;
        let (released, detail) = match outcome {
            Released::Appended(position) => (true, format!("appended at {}", position.0)),
            Released::Dropped(why) => (true, why.to_owned()),
            Released::StillUnfit(why) => (false, why),
            Released::NotFound => (false, "there is no such id in quarantine".to_owned()),
        };
        tried.push(Tried { id: *id, released, detail });
    }
    output::show(args.json, &tried, || {
        let lines = tried.iter().map(|one| {
            let word = if one.released { "released" } else { "NOT released" };
            format!("{} {word}: {}", one.id, one.detail)
        });
        lines.collect::<Vec<_>>().join("\n")
    });
    if tried.iter().any(|one| !one.released) {
        bail!("not all could be released");
    }
    Ok(())
}
