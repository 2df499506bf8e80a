//! `footfall erase`: erases a member by hand, and returns when it is complete.

use anyhow::Context;
use clap::Args;
use serde::Serialize;
use uuid::Uuid;

use super::{eraser, gyms, output};
use crate::clock;
use crate::domain::ids::Account;
use crate::projection::erase;
use crate::projection::witness::settled;
use crate::store::{Database, ErasureReason};

#[derive(Args)]
pub struct EraseArgs {
    /// The member's account id, a UUID
    account: Uuid,
    /// At this gym
    #[arg(long, value_name = "SLUG", required_unless_present = "all_gyms")]
    gym: Option<String>,
    /// At every gym here
    #[arg(long, conflicts_with = "gym")]
    all_gyms: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Row {
    erasure: i64,
    gym: String,
    events: i64,
    completed_at: Option<String>,
}

pub fn run(database: &Database, args: &EraseArgs) -> anyhow::Result<()> {
    let gyms = match &args.gym {
        Some(slug) => vec![gyms::find(database, slug)?],
        None => database.read(|snapshot| snapshot.gyms())?,
    };
    let mut connection = database.connect()?;
    let now = clock::now();
    let reason = ErasureReason::Manual;
    let ids = database.transact(&mut connection, |tx| {
        let until = settled(&tx.view(), now)?;
        let ask = |gym: &crate::store::Gym| {
            erase::request(tx, gym.id, Account(args.account), until, reason, now)
        };
        gyms.iter().map(ask).collect::<Result<Vec<_>, _>>()
    })?;
    eraser::work_off(database, &mut connection)?;
    let mut rows = Vec::new();
    for (gym, id) in gyms.iter().zip(ids) {
        let done = database.read(|snapshot| snapshot.erasure(id))?;
        let done = done.context("the erasure record is gone")?;
        rows.push(Row {
            erasure: id,
            gym: gym.slug.to_string(),
            events: done.events,
            completed_at: done.completed_at.map(output::utc),
        });
    }
    output::show(args.json, &rows, || {
        let lines = rows.iter().map(|row| format!("{}: {} events erased", row.gym, row.events));
        lines.collect::<Vec<_>>().join("\n")
    });
    Ok(())
}
