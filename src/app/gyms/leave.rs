//! `footfall gym archive` and `footfall gym remove`.

use std::io::{BufRead, IsTerminal};
use std::time::Instant;

use anyhow::bail;
use clap::Args;
use serde::Serialize;

use super::find;
use crate::actions::at_once;
use crate::actions::gyms::{self as actions, Said};
use crate::app::config::Config;
use crate::app::{copies, eraser, output};
use crate::clock;
use crate::domain::ids::Slug;
use crate::projection::rebuild::let_others_write;
use crate::projection::removal::{self, Removal};
use crate::store::{Database, Gym, Holdings, StoreError};

#[derive(Args)]
pub struct ArchiveArgs {
    slug: String,
    /// Open it again
    #[arg(long)]
    undo: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub struct RemoveArgs {
    slug: String,
    /// Say what would go, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Archived {
    gym: String,
    archived: bool,
}

pub fn archive(database: &Database, args: &ArchiveArgs) -> anyhow::Result<()> {
    let (gym, now) = (find(database, &args.slug)?, clock::now());
    let said = Said { archived: Some(!args.undo), ..Said::default() };
    at_once(database, |tx| actions::change(tx, gym.id, &said, now))?;
    let archived = Archived { gym: gym.slug.to_string(), archived: !args.undo };
    output::show(args.json, &archived, || {
        let slug = &gym.slug;
        if args.undo {
            return format!("{slug} is open again");
        }
        format!(
            "archived {slug}: no digests, no alerts, not among the gyms that are open now; its \
             reports stay, and what EGYM still sends is counted. `footfall gym archive {slug} \
             --undo` opens it again"
        )
    });
    Ok(())
}

/// What goes with a gym.
#[derive(Clone, Serialize)]
struct Goes {
    gym: String,
    dry_run: bool,
    events: i64,
    members: i64,
    webhooks: Vec<Webhook>,
    quarantined: i64,
    annotations: i64,
    /// Tokens and users that saw this gym among some.
    tokens: i64,
    users: i64,
    erasure_records: i64,
    /// Entries of `[[notify]]` in the configuration that name it: they stay there.
    notify_entries: usize,
}

#[derive(Clone, Serialize)]
struct Webhook {
    webhook: String,
    last_delivery: Option<String>,
}

impl Goes {
    fn of(database: &Database, config: &Config, gym: &Gym, dry_run: bool) -> anyhow::Result<Goes> {
        let (holdings, webhooks) = database
            .read(|snapshot| Ok((snapshot.holdings(gym.id)?, snapshot.webhooks(Some(gym.id))?)))?;
        let Holdings { events, members, quarantined, annotations, tokens, users, erasures, .. } =
            holdings;
        let slug = gym.slug.as_str();
        let names = |gyms: &[String]| gyms.iter().any(|named| named == slug);
        Ok(Goes {
            gym: slug.to_owned(),
            dry_run,
            events,
            members,
            webhooks: webhooks
                .into_iter()
                .map(|webhook| Webhook {
                    webhook: webhook.public_id,
                    last_delivery: webhook.last_delivery_at.map(output::utc),
                })
                .collect(),
            quarantined,
            annotations,
            tokens,
            users,
            erasure_records: erasures,
            notify_entries: config.notify.iter().filter(|entry| names(&entry.gyms)).count(),
        })
    }

    fn text(&self) -> String {
        let Goes { gym, events, members, quarantined, annotations, .. } = self;
        let will = if self.dry_run { "would go" } else { "went" };
        let mut text = format!(
            "with {gym} {will} {events} events, {members} members, {} webhooks, {quarantined} \
             deliveries in quarantine, {annotations} annotations, {} erasure records, and the gym \
             from {} tokens and {} users",
            self.webhooks.len(),
            self.erasure_records,
            self.tokens,
            self.users
        );
        for Webhook { webhook, last_delivery } in &self.webhooks {
            let last = last_delivery.as_deref().unwrap_or("never");
            text.push_str(&format_webhook(webhook, last, self.dry_run));
        }
        if self.notify_entries > 0 {
            let entries = self.notify_entries;
            text.push_str(
                "\n[[notify]] in the configuration names it: take it out there, entries: ",
            );
            text.push_str(&entries.to_string());
        }
        text
    }
}

fn format_webhook(webhook: &str, last: &str, is_there: bool) -> String {
    let how = if is_there {
        "`footfall egym remove`, before the gym"
    } else {
        "it would be answered 401; `footfall egym` knows the gym no more, so do it at EGYM itself"
    };
    format!(
        "\nwebhook {webhook} (last delivery: {last}) may still be registered at EGYM, remove it \
         there too ({how})"
    )
}

pub fn remove(database: &Database, config: &Config, args: &RemoveArgs) -> anyhow::Result<()> {
    let begun = begun(database, &args.slug)?;
    // A rebuild of it, or an import, would go on writing.
    let locks = || Ok::<_, StoreError>((database.lock_import()?, database.lock_rebuild()?));
    let _locks = if args.dry_run { None } else { Some(locks()?) };
    if let Some(removal) = begun.filter(|_| !args.dry_run) {
        work_off(database, removal)?;
        output::text(&format!("the removal of {} was interrupted, and is complete now", args.slug));
        return Ok(());
    }
    let gym = find(database, &args.slug)?;
    let goes = Goes::of(database, config, &gym, args.dry_run)?;
    if !args.dry_run {
        if !args.yes {
            confirm(&gym, goes.clone())?;
        }
        let mut connection = database.connect()?;
        let now = clock::now();
        let removal = database.transact(&mut connection, |tx| removal::begin(tx, gym.id, now))?;
        work_off(database, removal)?;
    }
    output::show(args.json, &goes, || goes.text());
    Ok(())
}

/// A removal of that gym that was interrupted.
fn begun(database: &Database, slug: &str) -> anyhow::Result<Option<Removal>> {
    let wanted: Slug = slug.parse()?;
    let removals = database.read(|snapshot| snapshot.removals())?;
    let found = removals.into_iter().find(|(_, slug)| *slug == wanted);
    Ok(found.map(|(gym, _)| Removal::of(gym)))
}

/// Whoever calls holds the locks of imports and rebuilds.
fn work_off(database: &Database, mut removal: Removal) -> anyhow::Result<()> {
    let mut connection = database.connect()?;
    while !removal.is_done {
        let started = Instant::now();
        removal = database.transact(&mut connection, |tx| removal::remove_some(tx, removal))?;
        let_others_write(database, started.elapsed());
    }
    eraser::wait_for_empty_log(&connection)?;
    Ok(copies::forget_put_aside(database)?)
}

/// Somebody at a terminal types the gym's name again; a script says --yes.
fn confirm(gym: &Gym, goes: Goes) -> anyhow::Result<()> {
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        bail!("this cannot be taken back: see `--dry-run` for what goes, then say --yes");
    }
    let will_go = Goes { dry_run: true, ..goes };
    output::text(&will_go.text());
    output::text(&format!("This cannot be taken back. Type {} to remove it:", gym.slug));
    let mut answer = String::new();
    stdin.lock().read_line(&mut answer)?;
    if answer.trim() != gym.slug.as_str() {
        bail!("nothing was removed");
    }
    Ok(())
}
