//! `footfall retention`, and the part of a service that does the same by itself.

use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clap::Args;
use serde::Serialize;

use super::eraser::{empty_log, wait_for_empty_log};
use super::jobs::Ended;
use super::{copies, gyms, output, witness};
use crate::domain::Millis;
use crate::domain::witness::{STEP, Verdict, Witness};
use crate::projection::rebuild::let_others_write;
use crate::projection::removal::{Removal, remove_some};
use crate::projection::retention::{Frozen, freeze_some, horizon, what_would_go};
use crate::projection::witness::{Seen, judged};
use crate::store::{Database, Gym, Store, StoreError, Tx, WriteError};
use crate::{clock, projection};

/// A service looks so often for gyms that are to be removed.
const LOOK_FOR_REMOVALS_EVERY: Duration = Duration::from_secs(1);
/// And so often for what became too old.
const LOOK_EVERY: Duration = Duration::from_secs(60 * 60);

#[derive(Args)]
pub struct RetentionArgs {
    /// Only this gym [default: all]
    #[arg(long, value_name = "SLUG")]
    gym: Option<String>,
    /// Show what would go, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Take the clock for right although nothing else says so; look at it first
    #[arg(long, conflicts_with = "dry_run")]
    clock_is_right: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Row {
    gym: String,
    retain_events_months: Option<u32>,
    /// No event before it is accepted.
    horizon: Option<String>,
    events: u64,
    members: usize,
    quarantined: u64,
    oldest: Option<String>,
}

impl Row {
    fn of(gym: &Gym, frozen: &Frozen, now: Millis) -> Row {
        Row {
            gym: gym.slug.to_string(),
            retain_events_months: gym.settings.retain_months,
            horizon: horizon(gym, now).map(output::utc),
            events: frozen.events,
            members: frozen.members.len(),
            quarantined: frozen.quarantined,
            oldest: frozen.oldest.map(output::utc),
        }
    }

    fn cells(&self) -> Vec<String> {
        let or_none = |text: &Option<String>| text.clone().unwrap_or_else(|| "–".to_owned());
        vec![
            self.gym.clone(),
            self.retain_events_months.map_or("for ever".to_owned(), |months| months.to_string()),
            or_none(&self.horizon),
            self.events.to_string(),
            self.members.to_string(),
            self.quarantined.to_string(),
            or_none(&self.oldest),
        ]
    }
}

pub fn run(database: &Database, args: &RetentionArgs) -> anyhow::Result<()> {
    let gyms = match &args.gym {
        Some(slug) => vec![gyms::find(database, slug)?],
        None => database.read(|snapshot| snapshot.gyms())?,
    };
    let seen = look(database, args)?;
    if seen.verdict != Verdict::Agrees {
        output::note(&witness::describe(&seen));
    }
    let now = match seen.for_retention() {
        Some(now) => now,
        // What would go if the clock were right is worth a look all the same.
        None if args.dry_run => seen.witness.at.min(seen.clock),
        None => bail!("nothing was let go, because the clock cannot be believed"),
    };
    let mut rows = Vec::new();
    for gym in &gyms {
        let frozen = if args.dry_run {
            database.read(|snapshot| what_would_go(snapshot, gym, now))?
        } else {
            freeze_all(database, gym, now)?
        };
        rows.push(Row::of(gym, &frozen, now));
    }
    if !args.dry_run {
        wait_for_empty_log(&database.connect()?)?;
    }
    output::show(args.json, &rows, || {
        let went = if args.dry_run { "WOULD GO: EVENTS" } else { "GONE: EVENTS" };
        let header =
            ["GYM", "MONTHS", "ACCEPTED FROM", went, "OF MEMBERS", "QUARANTINED", "OLDEST"];
        output::table(&header, &rows.iter().map(Row::cells).collect::<Vec<_>>())
    });
    Ok(())
}

/// What the clock says, and whether it can be believed; a person may say that it can.
fn look(database: &Database, args: &RetentionArgs) -> Result<Seen, StoreError> {
    let clock = clock::now();
    if args.dry_run {
        return database.read(|snapshot| judged(snapshot, clock));
    }
    let mut connection = database.connect()?;
    database.transact(&mut connection, |tx| {
        if args.clock_is_right {
            tx.set_witness(Witness::first(clock, None))?;
        }
        look_in(tx, clock)
    })
}

/// A run of retention looks at the clock, and is counted when it is left out.
fn look_in(tx: &mut Tx<'_>, clock: Millis) -> Result<Seen, StoreError> {
    let seen = projection::witness::look(tx, clock, 0, STEP)?;
    if seen.for_retention().is_none() {
        tx.count_retention_skipped()?;
    }
    Ok(seen)
}

fn freeze_all(database: &Database, gym: &Gym, now: Millis) -> Result<Frozen, StoreError> {
    let _lock = database.lock_rebuild()?;
    let mut connection = database.connect()?;
    let mut all = Frozen::default();
    loop {
        let started = Instant::now();
        let frozen = database.transact(&mut connection, |tx| freeze_some(tx, gym.id, now))?;
        if frozen.is_empty() {
            break;
        }
        all.add(frozen);
        let_others_write(database, started.elapsed());
    }
    Ok(all)
}

/// Looks for what became too old, until it is dropped or fails.
pub async fn keep(store: Store) -> Ended {
    loop {
        freeze_everywhere(&store).await.context("retention failed")?;
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Removes what is stored of gyms that nobody sees any more, until it is dropped or fails.
pub async fn remove_gyms(store: Store) -> Ended {
    loop {
        finish_removals(&store).await.context("a gym could not be removed")?;
        tokio::time::sleep(LOOK_FOR_REMOVALS_EVERY).await;
    }
}

/// Goes on with removals of gyms that were begun, or interrupted.
async fn finish_removals(store: &Store) -> Result<(), WriteError> {
    for (gym, slug) in store.read(|snapshot| snapshot.removals())? {
        // The command that removes it, or a rebuild, is still at work.
        let Some(lock) = store.database().try_lock_rebuild()? else { return Ok(()) };
        let mut removal = Removal::of(gym);
        while !removal.is_done {
            let (started, step) = (Instant::now(), removal);
            removal = store.write(move |tx| remove_some(tx, step)).await?;
            // Deliveries come first.
            tokio::time::sleep(started.elapsed()).await;
        }
        drop(lock);
        let is_gone = empty_log(store).await?;
        if let Err(error) = copies::forget_put_aside_beside(store).await {
            tracing::warn!(%error, gym = %slug, "a gym that was removed is tried again there at the next start or erasure");
        }
        if is_gone {
            tracing::info!(gym = %slug, "the removal of a gym is complete");
        }
    }
    Ok(())
}

async fn freeze_everywhere(store: &Store) -> Result<(), WriteError> {
    let clock = clock::now();
    let seen = store.write(move |tx| look_in(tx, clock)).await?;
    let Some(now) = seen.for_retention() else {
        tracing::warn!("a run of retention is left out: {}", witness::describe(&seen));
        return Ok(());
    };
    for gym in store.read(|snapshot| snapshot.gyms())? {
        let mut all = Frozen::default();
        // A rebuild must not miss what is frozen beside it, so this waits until it is done.
        while let Some(lock) = store.database().try_lock_rebuild()? {
            let (started, id) = (Instant::now(), gym.id);
            let frozen = store.write(move |tx| freeze_some(tx, id, now)).await?;
            drop(lock);
            if frozen.is_empty() {
                break;
            }
            all.add(frozen);
            // Deliveries come first, and no commit of theirs moves the log of this.
            store.move_log().await?;
            tokio::time::sleep(started.elapsed()).await;
        }
        if !all.is_empty() {
            let Frozen { events, quarantined, .. } = all;
            tracing::info!(gym = %gym.slug, events, quarantined, "retention froze what was too old");
        }
    }
    // Also when nothing was: a run that was killed has left free room in the file.
    empty_log(store).await.map(drop)
}
