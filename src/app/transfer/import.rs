//! `footfall import`: takes in what was exported, or a club system's list of visits.
//!
//! The file is read twice: once to see whether all of it can be understood, and once to take it in,
//! some events at a time, by the path that every delivery takes. A dry run does all of it in a copy
//! of the database, so that it says what the real one would.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, bail};
use clap::Args;
use indicatif::ProgressBar;
use rusqlite::Connection;
use serde::Serialize;

use super::refused::{self, Refused};
use super::source::{Item, Source};
use super::undo::{self, ImportCommand};
use super::visits::ListArgs;
use crate::app::{eraser, gyms, output};
use crate::clock;
use crate::domain::Millis;
use crate::domain::event::{Arrival, Event};
use crate::domain::ids::{GymId, Slug};
use crate::projection::apply::Outcome;
use crate::projection::import::{Told, import};
use crate::projection::rebuild::let_others_write;
use crate::store::{Database, StoreError, Tx};

/// Events that are taken in by one transaction beside a service, whose deliveries wait meanwhile.
const BATCH_EVENTS: usize = 2_000;
/// The same where nobody waits. They are in memory at once, about 200 bytes each.
const BATCH_EVENTS_ALONE: usize = 50_000;
/// Characters of a file's name that are kept.
const FILE_NAME_CHARACTERS_MAX: usize = 100;
/// Hexadecimal digits of an account's id.
const ACCOUNT_DIGITS: usize = 32;

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct ImportArgs {
    #[command(subcommand)]
    command: Option<ImportCommand>,
    /// What `footfall export` wrote; with --gym, --gym-column or --mapping, a club system's list
    #[arg(required = true)]
    file: Option<PathBuf>,
    #[command(flatten)]
    list: ListArgs,
    /// Say what would come of it, and change nothing. It is tried in a copy of the database, which
    /// needs as much room again
    #[arg(long)]
    dry_run: bool,
    /// Leave out lines that cannot be understood, instead of taking in nothing, and write them with
    /// the reasons to FILE [default: the file's name and `.refused`]
    #[arg(long, value_name = "FILE", num_args = 0..=1)]
    #[expect(clippy::option_option, reason = "the flag may stand without its value")]
    skip_bad_lines: Option<Option<PathBuf>>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub fn run(database: &Database, args: &ImportArgs) -> anyhow::Result<()> {
    if let Some(command) = &args.command {
        return undo::run(database, command);
    }
    let file = args.file.as_deref().context("a file, or `list` or `undo`")?;
    let _lock = database.lock_import()?;
    let source = Source::open(database, file, &args.list)?;
    let skipped = args.skip_bad_lines.as_ref();
    let refused = skipped.map(|path| path.clone().unwrap_or_else(|| refused::beside(file)));
    if let Some(refused) = refused.as_deref().filter(|refused| database.holds(refused)) {
        bail!(
            "{} is a name of footfall's own in the data folder; name another file",
            refused.display()
        );
    }
    refuse_to_overwrite(file, args, refused.as_deref())?;
    let now = clock::now();
    let bad_lines = check(database, &source, refused.as_deref(), args.dry_run, now)?;
    let mut report = if args.dry_run {
        let trial = database.try_out().context("there is no copy to try it in")?;
        take_in(&trial.database, file, &source, now)?
    } else {
        take_in(database, file, &source, now)?
    };
    (report.dry_run, report.bad_lines) = (args.dry_run, bad_lines);
    let refused = refused.filter(|_| bad_lines > 0);
    report.refused = refused.map(|path| path.display().to_string());
    output::show(args.json, &report, || report.text());
    Ok(())
}

/// Refused lines replace those of an earlier try, and nothing that is read.
fn refuse_to_overwrite(
    file: &Path,
    args: &ImportArgs,
    refused: Option<&Path>,
) -> anyhow::Result<()> {
    let Some(Ok(refused)) = refused.map(Path::canonicalize) else { return Ok(()) };
    let list = &args.list;
    let read = [Some(file), list.mapping.as_deref(), list.accounts.as_deref()];
    if read.into_iter().flatten().any(|path| path.canonicalize().is_ok_and(|path| path == refused))
    {
        bail!("--skip-bad-lines would write over {}; name another file", refused.display());
    }
    Ok(())
}

/// Reads all of it once, and returns how many lines cannot be understood. Without a file for them,
/// there may be none.
fn check(
    database: &Database,
    source: &Source,
    file: Option<&Path>,
    dry_run: bool,
    now: Millis,
) -> anyhow::Result<u64> {
    let gyms = database.read(|snapshot| snapshot.gyms())?;
    let mut known: BTreeSet<Slug> = gyms.into_iter().map(|gym| gym.slug).collect();
    let mut refused = Refused::new(source, file.filter(|_| !dry_run))?;
    source.each(now, &mut |line, item| {
        let fault = match item {
            Ok(Item::Gym { slug, .. }) => {
                known.insert(slug);
                None
            }
            Ok(Item::Webhook { gym, .. } | Item::Event { gym, .. }) => {
                (!known.contains(&gym)).then(|| format!("there is no gym {gym}"))
            }
            Err(error) => Some(error),
        };
        fault.map_or(Ok(()), |fault| refused.add(line, &fault))
    })?;
    if file.is_some() { refused.finish() } else { refused.refuse() }
}

/// What came of an import.
#[derive(Default, Serialize)]
struct Report {
    dry_run: bool,
    /// The number by which it can be undone.
    import: i64,
    gyms_added: u64,
    webhooks_added: u64,
    /// Lines that were left out.
    bad_lines: u64,
    /// The file with them.
    refused: Option<String>,
    /// Rows of gyms that were not asked for.
    rows_of_other_gyms: u64,
    gyms: Vec<Taken>,
}

/// What became of one gym's events.
#[derive(Default, Serialize)]
struct Taken {
    gym: String,
    new: u64,
    /// Events that were there already.
    duplicate: u64,
    /// Of members who were erased.
    erased: u64,
    /// Older than the gym keeps events.
    beyond_retention: u64,
    /// Of one account without a pause, more than one person can cause.
    stretch_full: u64,
    /// The time of the first new event.
    first: Option<String>,
    last: Option<String>,
    #[serde(skip)]
    times: Option<(Millis, Millis)>,
}

impl Taken {
    fn count(&mut self, outcome: &Outcome, at: Millis) {
        match outcome {
            Outcome::Accepted { .. } => {
                self.new += 1;
                let (first, last) = self.times.unwrap_or((at, at));
                self.times = Some((first.min(at), last.max(at)));
            }
            Outcome::Duplicate { .. } => self.duplicate += 1,
            Outcome::Erased => self.erased += 1,
            Outcome::TooOld => self.beyond_retention += 1,
            Outcome::StretchFull => self.stretch_full += 1,
        }
    }
}

impl Report {
    fn text(&self) -> String {
        let rows = self.gyms.iter().map(|gym| {
            let counts =
                [gym.new, gym.duplicate, gym.erased, gym.beyond_retention, gym.stretch_full];
            let times = [&gym.first, &gym.last];
            let times = times.map(|time| time.clone().unwrap_or_else(|| "–".to_owned()));
            let counts = counts.map(|count| count.to_string());
            [&[gym.gym.clone()][..], &counts, &times].concat()
        });
        let header =
            ["GYM", "NEW", "THERE ALREADY", "ERASED", "TOO OLD", "TOO MANY", "FIRST", "LAST"];
        let table = output::table(&header, &rows.collect::<Vec<_>>());
        let (gyms, webhooks, bad) = (self.gyms_added, self.webhooks_added, self.bad_lines);
        let done = if self.dry_run { "nothing was changed; this would be" } else { "done" };
        let refused = self.refused.as_ref().map(|path| format!(" and written to {path}"));
        let refused = refused.unwrap_or_default();
        let others = match self.rows_of_other_gyms {
            0 => String::new(),
            rows => format!(", {rows} rows of other gyms"),
        };
        let undo = if self.dry_run {
            String::new()
        } else {
            format!("\n`footfall import undo {}` takes it back", self.import)
        };
        format!(
            "{done}: {gyms} gyms and {webhooks} webhooks added, {bad} lines left out{refused}\
             {others}\n{table}{undo}"
        )
    }
}

/// An import on its way into a database.
struct TakingIn<'d> {
    database: &'d Database,
    connection: Connection,
    id: i64,
    now: Millis,
    batch: Vec<(Slug, Event, Arrival)>,
    taken: BTreeMap<Slug, Taken>,
    report: Report,
}

fn take_in(
    database: &Database,
    file: &Path,
    source: &Source,
    now: Millis,
) -> anyhow::Result<Report> {
    let mut connection = database.connect()?;
    let id = database.transact(&mut connection, |tx| tx.add_import(&name_of(file), now))?;
    let (batch, taken) = (Vec::new(), BTreeMap::new());
    let report = Report { import: id, ..Report::default() };
    let mut taking = TakingIn { database, connection, id, now, batch, taken, report };
    let bar = ProgressBar::new_spinner();
    let others = source.each(now, &mut |_, item| {
        // What cannot be understood was named before.
        item.map_or(Ok(()), |item| taking.item(item))?;
        bar.inc(1);
        Ok(())
    })?;
    taking.report.rows_of_other_gyms = others;
    bar.finish_and_clear();
    taking.finish()
}

impl TakingIn<'_> {
    fn item(&mut self, item: Item) -> anyhow::Result<()> {
        let (database, now) = (self.database, self.now);
        match item {
            Item::Event { gym, event, arrival } => self.batch.push((gym, event, arrival)),
            Item::Gym { slug, settings } => {
                let add = |tx: &mut Tx<'_>| tx.add_gym(&slug, &settings, now);
                let added = database.transact(&mut self.connection, add)?;
                self.report.gyms_added += u64::from(added);
            }
            Item::Webhook { gym, id, secret } => {
                let gym = gyms::find(database, gym.as_str())?.id;
                let add = |tx: &mut Tx<'_>| tx.move_webhook_in(&id, gym, &secret, now);
                let added = database.transact(&mut self.connection, add)?;
                self.report.webhooks_added += u64::from(added);
            }
        }
        if self.is_enough() {
            let started = Instant::now();
            self.take_in_batch()?;
            let_others_write(database, started.elapsed());
        }
        Ok(())
    }

    fn is_enough(&self) -> bool {
        let held = self.batch.len();
        held == BATCH_EVENTS_ALONE
            || held > 0 && held.is_multiple_of(BATCH_EVENTS) && self.database.is_served()
    }

    /// Events, and what the import has to know of them to be undone, commit together.
    fn take_in_batch(&mut self) -> anyhow::Result<()> {
        let (batch, id, now) = (&self.batch, self.id, self.now);
        let outcomes = self.database.transact(&mut self.connection, |tx| {
            let gyms = gyms_of(tx, batch)?;
            let told = batch.iter().filter_map(|(slug, event, arrival)| {
                let arrival = *arrival;
                gyms.get(slug).map(|gym| (slug, Told { gym: *gym, event, arrival }))
            });
            let (slugs, told): (Vec<_>, Vec<_>) = told.unzip();
            let outcomes = import(tx, &told, now)?;
            let (mut brought, mut duplicate) = (Vec::new(), Vec::new());
            for outcome in &outcomes {
                match outcome {
                    Outcome::Accepted { position, .. } => brought.push(*position),
                    Outcome::Duplicate { of } => duplicate.push(*of),
                    Outcome::Erased | Outcome::StretchFull | Outcome::TooOld => {}
                }
            }
            tx.add_to_import(id, true, brought)?;
            tx.add_to_import(id, false, duplicate)?;
            let at = told.iter().map(|told| told.event.at);
            Ok(slugs.into_iter().zip(at).zip(outcomes).collect::<Vec<_>>())
        })?;
        for ((slug, at), outcome) in outcomes {
            self.taken.entry(slug.clone()).or_default().count(&outcome, at);
        }
        self.batch.clear();
        Ok(())
    }

    fn finish(mut self) -> anyhow::Result<Report> {
        self.take_in_batch()?;
        let gyms: Vec<String> = self.taken.keys().map(Slug::to_string).collect();
        let id = self.id;
        self.database.transact(&mut self.connection, |tx| tx.finish_import(id, &gyms))?;
        // Of members whose deletion was among the events.
        eraser::work_off(self.database, &mut self.connection)?;
        let gyms = self.taken.into_iter().map(|(slug, mut taken)| {
            taken.gym = slug.to_string();
            taken.first = taken.times.map(|(first, _)| output::utc(first));
            taken.last = taken.times.map(|(_, last)| output::utc(last));
            taken
        });
        self.report.gyms = gyms.collect();
        Ok(self.report)
    }
}

/// The gyms of some events. One may have been removed meanwhile.
fn gyms_of(
    tx: &Tx<'_>,
    batch: &[(Slug, Event, Arrival)],
) -> Result<BTreeMap<Slug, GymId>, StoreError> {
    let slugs: BTreeSet<&Slug> = batch.iter().map(|(slug, ..)| slug).collect();
    let mut gyms = BTreeMap::new();
    for slug in slugs {
        if let Some(gym) = tx.view().gym_by_slug(slug)? {
            gyms.insert(slug.clone(), gym.id);
        }
    }
    Ok(gyms)
}

/// A file's name by which a person knows the import again; not one that could hold an account.
fn name_of(file: &Path) -> String {
    let name = file.file_name().map(|name| name.to_string_lossy().into_owned());
    let name =
        name.filter(|name| name.chars().filter(char::is_ascii_hexdigit).count() < ACCOUNT_DIGITS);
    let name = name.unwrap_or_else(|| "(a name like an account's)".to_owned());
    name.chars().filter(|c| !c.is_control()).take(FILE_NAME_CHARACTERS_MAX).collect()
}
