//! `footfall import`: takes in what was exported, or a club system's list of visits.
//!
//! The file is read twice: once to see whether all of it can be understood, and once to take it in,
//! some events at a time, by the path that every delivery takes. A dry run does all of it in a copy
//! of the database, so that it says what the real one would.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, bail};
use clap::Args;
use indicatif::ProgressBar;
use rusqlite::Connection;
use serde::Serialize;

use super::visits::Visits;
use super::{EventLine, FORMAT, Header, Line, VERSION};
use crate::app::{eraser, gyms, output};
use crate::clock;
use crate::domain::Millis;
use crate::domain::event::{Arrival, Event};
use crate::domain::ids::Slug;
use crate::intake::egym::{self, Delivery};
use crate::projection::apply::{self, Outcome};
use crate::projection::rebuild::let_others_write;
use crate::store::{Database, GymSettings, SecretHash};

/// Events that are taken in by one transaction.
const BATCH_EVENTS: usize = 500;
/// Lines that cannot be understood and are named; further ones are only counted.
const BAD_LINES_MAX: usize = 10;

#[derive(Args)]
pub struct ImportArgs {
    /// What `footfall export` wrote; with --mapping, a CSV of visits
    file: PathBuf,
    /// The file that says which column of the CSV is what
    #[arg(long, value_name = "FILE", requires = "gym")]
    mapping: Option<PathBuf>,
    /// The gym whose visits they are
    #[arg(long, value_name = "SLUG", requires = "mapping")]
    gym: Option<String>,
    /// Say what would come of it, and change nothing. It is tried in a copy of the database, which
    /// needs as much room again
    #[arg(long)]
    dry_run: bool,
    /// Leave out lines that cannot be understood, instead of taking in nothing
    #[arg(long)]
    skip_bad_lines: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub fn run(database: &Database, args: &ImportArgs) -> anyhow::Result<()> {
    let source = Source::open(database, args)?;
    let bad_lines = check(database, &source, args.skip_bad_lines)?;
    let mut report = if args.dry_run {
        let trial = database.try_out().context("there is no copy to try it in")?;
        take_in(&trial.database, &source)?
    } else {
        take_in(database, &source)?
    };
    (report.dry_run, report.bad_lines) = (args.dry_run, bad_lines);
    output::show(args.json, &report, || report.text());
    Ok(())
}

/// What a file holds.
enum Item {
    Gym { slug: Slug, settings: GymSettings },
    Webhook { gym: Slug, id: String, secret: SecretHash },
    Event { gym: Slug, event: Event, arrival: Arrival },
}

enum Source {
    Exported(PathBuf),
    Visits { visits: Box<Visits>, gym: Slug },
}

impl Source {
    fn open(database: &Database, args: &ImportArgs) -> anyhow::Result<Source> {
        let (Some(mapping), Some(gym)) = (&args.mapping, &args.gym) else {
            return Ok(Source::Exported(args.file.clone()));
        };
        let gym = gyms::find(database, gym)?;
        let visits = Box::new(Visits::open(&args.file, mapping, gym.settings.zone)?);
        Ok(Source::Visits { visits, gym: gym.slug })
    }

    /// Hands over all that the file holds, with its line, or what is wrong with that.
    fn each(
        &self,
        now: Millis,
        each: &mut dyn FnMut(u64, Result<Item, String>) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let (visits, gym) = match self {
            Source::Exported(path) => return each_exported(path, now, each),
            Source::Visits { visits, gym } => (visits, gym),
        };
        let arrival = Arrival { received_at: now, imported: true };
        visits.each(now, |line, events| match events {
            Ok(events) => events.into_iter().try_for_each(|event| {
                each(line, Ok(Item::Event { gym: gym.clone(), event, arrival }))
            }),
            Err(error) => each(line, Err(error)),
        })
    }
}

fn each_exported(
    path: &Path,
    now: Millis,
    each: &mut dyn FnMut(u64, Result<Item, String>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut has_ended = false;
    for (text, number) in BufReader::new(file).lines().zip(1..) {
        let text = text.with_context(|| format!("line {number}"))?;
        let line = serde_json::from_str(&text);
        match (number, line) {
            (1, Ok(Line::Header(header))) => refuse_unknown(&header)?,
            (1, _) => bail!("{} does not begin as an export does", path.display()),
            // The parser's own words may quote an account.
            (_, Err(error)) => {
                each(number, Err(format!("a mistake in column {}", error.column())))?;
            }
            (_, Ok(Line::End(_))) => has_ended = true,
            (_, Ok(line)) => each(number, item_of(line, now))?,
        }
    }
    if !has_ended {
        bail!("{} was cut off: it has no `end` line", path.display());
    }
    Ok(())
}

fn refuse_unknown(header: &Header) -> anyhow::Result<()> {
    if header.format != FORMAT {
        bail!("this is an export of {:?}, not of {FORMAT}", header.format);
    }
    if header.version != VERSION {
        bail!(
            "this export has format {}, and this footfall reads format {VERSION}; export it again \
             with this version, or import it with the one that wrote it",
            header.version
        );
    }
    Ok(())
}

fn item_of(line: Line, now: Millis) -> Result<Item, String> {
    let slug = |text: &str| text.parse::<Slug>().map_err(|error| error.to_string());
    match line {
        Line::Gym(gym) => Ok(Item::Gym { slug: slug(&gym.gym)?, settings: gym.settings()? }),
        Line::Webhook(webhook) => {
            let secret = SecretHash::from_hex(&webhook.secret_sha256);
            let secret = secret.ok_or("secret_sha256 is not 64 hexadecimal digits")?;
            Ok(Item::Webhook { gym: slug(&webhook.gym)?, id: webhook.webhook, secret })
        }
        Line::Event(EventLine { gym, received_at, imported, delivery, .. }) => {
            match egym::parse(delivery.get().as_bytes(), now).map_err(|unfit| unfit.to_string())? {
                Delivery::Event(event) => {
                    check_received_at(received_at, now)?;
                    let arrival = Arrival { received_at, imported };
                    Ok(Item::Event { gym: slug(&gym)?, event, arrival })
                }
                Delivery::Test => Err("a TEST is no event".to_owned()),
            }
        }
        Line::Header(_) | Line::End(_) => Err("there is one header and one end".to_owned()),
    }
}

/// When an event came is shown and counted with (lateness): a time at which nothing can have come
/// is none.
fn check_received_at(received_at: Millis, now: Millis) -> Result<(), String> {
    egym::in_time(received_at, now).map_err(|_| {
        format!(
            "`received_at` is {}, and nothing can have come then: it is in milliseconds since \
             1970, from 2015 to now",
            output::utc(received_at)
        )
    })
}

/// Reads all of it once, and returns how many lines cannot be understood.
fn check(database: &Database, source: &Source, skip: bool) -> anyhow::Result<u64> {
    let gyms = database.read(|snapshot| snapshot.gyms())?;
    let mut known: BTreeSet<Slug> = gyms.into_iter().map(|gym| gym.slug).collect();
    let (mut named, mut bad) = (Vec::new(), 0_u64);
    source.each(clock::now(), &mut |line, item| {
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
        if let Some(fault) = fault {
            bad += 1;
            if named.len() < BAD_LINES_MAX {
                named.push(format!("  line {line}: {fault}"));
            }
        }
        Ok(())
    })?;
    if bad > 0 && !skip {
        bail!(
            "{bad} lines cannot be understood, and nothing was taken in; --skip-bad-lines leaves \
             them out\n{}",
            named.join("\n")
        );
    }
    Ok(bad)
}

/// What came of an import.
#[derive(Default, Serialize)]
struct Report {
    dry_run: bool,
    gyms_added: u64,
    webhooks_added: u64,
    /// Lines that were left out.
    bad_lines: u64,
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
        format!("{done}: {gyms} gyms and {webhooks} webhooks added, {bad} lines left out\n{table}")
    }
}

type Batch = Vec<(Slug, Event, Arrival)>;

fn take_in(database: &Database, source: &Source) -> anyhow::Result<Report> {
    let now = clock::now();
    let mut connection = database.connect()?;
    let (mut report, mut taken) = (Report::default(), BTreeMap::new());
    let mut batch = Batch::new();
    let bar = ProgressBar::new_spinner();
    source.each(now, &mut |_, item| {
        match item {
            Ok(Item::Event { gym, event, arrival }) => batch.push((gym, event, arrival)),
            Ok(Item::Gym { slug, settings }) => {
                let add = |tx: &mut crate::store::Tx<'_>| tx.add_gym(&slug, &settings, now);
                report.gyms_added += u64::from(database.transact(&mut connection, add)?);
            }
            Ok(Item::Webhook { gym, id, secret }) => {
                let gym = gyms::find(database, gym.as_str())?.id;
                let added = database
                    .transact(&mut connection, |tx| tx.move_webhook_in(&id, gym, &secret, now))?;
                report.webhooks_added += u64::from(added);
            }
            Err(_) => {}
        }
        if batch.len() >= BATCH_EVENTS {
            let started = Instant::now();
            take_in_batch(database, &mut connection, &mut batch, &mut taken, now)?;
            let_others_write(database, started.elapsed());
            bar.inc(BATCH_EVENTS as u64);
        }
        Ok(())
    })?;
    take_in_batch(database, &mut connection, &mut batch, &mut taken, now)?;
    bar.finish_and_clear();
    // Of members whose deletion was among the events.
    eraser::work_off(database, &mut connection)?;
    report.gyms = taken
        .into_iter()
        .map(|(slug, mut taken): (Slug, Taken)| {
            taken.gym = slug.to_string();
            taken.first = taken.times.map(|(first, _)| output::utc(first));
            taken.last = taken.times.map(|(_, last)| output::utc(last));
            taken
        })
        .collect();
    Ok(report)
}

fn take_in_batch(
    database: &Database,
    connection: &mut Connection,
    batch: &mut Batch,
    taken: &mut BTreeMap<Slug, Taken>,
    now: Millis,
) -> anyhow::Result<()> {
    let outcomes = database.transact(connection, |tx| {
        let mut outcomes = Vec::with_capacity(batch.len());
        for (slug, event, arrival) in &*batch {
            let Some(gym) = tx.view().gym_by_slug(slug)? else { continue };
            outcomes.push((slug, apply::import(tx, gym.id, event, *arrival, now)?, event.at));
        }
        Ok(outcomes)
    })?;
    for (slug, outcome, at) in outcomes {
        taken.entry(slug.clone()).or_default().count(&outcome, at);
    }
    batch.clear();
    Ok(())
}
