//! `footfall gym`: add, list, set, archive, remove.

mod leave;

use anyhow::bail;
use clap::{Args, Subcommand};
use serde::Serialize;

use super::config::Config;
use super::{maintain, output, what_if};
use crate::actions::gyms::{self as actions, Retain, Said};
use crate::actions::{By, at_once};
use crate::clock;
use crate::domain::calendar::day_of;
use crate::domain::ids::Slug;
use crate::domain::report::busy::Public;
use crate::domain::rules::{RETAIN_MONTHS_MAX, RETAIN_MONTHS_MIN, retain_months};
use crate::projection::retention::frozen_until;
use crate::store::{Database, Gym};
use leave::{ArchiveArgs, RemoveArgs};

#[derive(Subcommand)]
pub enum GymCommand {
    /// Add a gym
    Add(AddArgs),
    /// List all gyms
    List(ListArgs),
    /// Change a gym; other rules or another time zone count everything again
    Set(SetArgs),
    /// A gym that has closed: no digests, no alerts, not among those that are open now; reports stay
    Archive(ArchiveArgs),
    /// Remove a gym with all that is stored of it, as if it had never been
    Remove(RemoveArgs),
}

#[derive(Args)]
pub struct AddArgs {
    /// Its name in URLs: lower-case letters, digits, hyphens
    slug: String,
    #[arg(long)]
    name: String,
    /// IANA time zone, like Europe/Berlin
    #[arg(long)]
    time_zone: String,
    /// How many members it is meant to hold
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    capacity: Option<u32>,
    #[command(flatten)]
    rules: RulesArgs,
    /// Keep events for so many months, or `off` to keep them for ever [default: 25]
    #[arg(long, value_name = "MONTHS|off", value_parser = parse_retention)]
    retain_events: Option<Retain>,
    /// What everybody may see of how busy it is, at /busy/<slug> [default: off]
    #[arg(long, value_name = "off|levels|percent", value_parser = parse_public)]
    public: Option<Public>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub struct ListArgs {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Args)]
pub struct SetArgs {
    slug: String,
    #[arg(long)]
    name: Option<String>,
    /// IANA time zone, like Europe/Berlin
    #[arg(long)]
    time_zone: Option<String>,
    /// How many members it is meant to hold; 0 for not known
    #[arg(long)]
    capacity: Option<u32>,
    #[command(flatten)]
    rules: RulesArgs,
    /// Keep events for so many months, or `off` to keep them for ever. What is older goes within
    /// the hour, and never comes back: see `footfall retention --dry-run`
    #[arg(long, value_name = "MONTHS|off", value_parser = parse_retention)]
    retain_events: Option<Retain>,
    /// What everybody may see of how busy it is, at /busy/<slug> [default: off]
    #[arg(long, value_name = "off|levels|percent", value_parser = parse_public)]
    public: Option<Public>,
    /// Change the time zone though there are frozen sums: their days keep the old one
    #[arg(long)]
    frozen_days_keep_zone: bool,
    /// Show what would change in the last 28 days, and change nothing
    #[arg(long)]
    what_if: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// The rules by which visits are found, in minutes.
#[derive(Args)]
struct RulesArgs {
    /// An event later than this after a visit's entry is not part of it [default: 480]
    #[arg(long, value_name = "MINUTES")]
    visit_window: Option<u32>,
    /// Without check-out: presence assumed after the last door event [default: 75]
    #[arg(long, value_name = "MINUTES")]
    assumed_stay: Option<u32>,
    /// Without check-out: presence assumed after the last equipment check-in [default: 20]
    #[arg(long, value_name = "MINUTES")]
    assumed_tail: Option<u32>,
    /// A check-in this soon after the last door event continues the visit [default: 15]
    #[arg(long, value_name = "MINUTES")]
    rejoin_grace: Option<u32>,
}

impl RulesArgs {
    fn said(&self) -> [Option<u32>; 4] {
        [self.visit_window, self.assumed_stay, self.assumed_tail, self.rejoin_grace]
    }
}

impl AddArgs {
    fn said(&self) -> Said {
        Said {
            name: Some(self.name.clone()),
            time_zone: Some(self.time_zone.clone()),
            capacity: self.capacity,
            rules: self.rules.said(),
            retain: self.retain_events,
            public: self.public,
            ..Said::default()
        }
    }
}

impl SetArgs {
    fn said(&self) -> Said {
        Said {
            name: self.name.clone(),
            time_zone: self.time_zone.clone(),
            capacity: self.capacity,
            rules: self.rules.said(),
            retain: self.retain_events,
            public: self.public,
            archived: None,
            frozen_days_keep_zone: self.frozen_days_keep_zone,
        }
    }
}

#[derive(Serialize)]
struct GymRow {
    gym: String,
    name: String,
    time_zone: &'static str,
    capacity: Option<u32>,
    visit_window: u32,
    assumed_stay: u32,
    assumed_tail: u32,
    rejoin_grace: u32,
    retain_events_months: Option<u32>,
    archived: bool,
    public: &'static str,
}

impl GymRow {
    fn of(gym: &Gym) -> GymRow {
        let Gym { slug, settings, .. } = gym;
        let [visit_window, assumed_stay, assumed_tail, rejoin_grace] = settings.rules.minutes();
        GymRow {
            gym: slug.to_string(),
            name: settings.name.clone(),
            time_zone: settings.zone.name(),
            capacity: settings.capacity,
            visit_window,
            assumed_stay,
            assumed_tail,
            rejoin_grace,
            retain_events_months: settings.retain_months,
            archived: gym.archived_at.is_some(),
            public: settings.public.name(),
        }
    }
}

/// A gym that was changed.
#[derive(Serialize)]
struct Changed {
    #[serde(flatten)]
    row: GymRow,
    /// From when on visits were counted again, where something older stays as it was counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    recounted_from: Option<String>,
}

pub fn run(database: &Database, config: &Config, command: GymCommand) -> anyhow::Result<()> {
    match command {
        GymCommand::Add(args) => add(database, &args),
        GymCommand::List(args) => list(database, &args),
        GymCommand::Set(args) => set(database, &args),
        GymCommand::Archive(args) => leave::archive(database, &args),
        GymCommand::Remove(args) => leave::remove(database, config, &args),
    }
}

/// The gym of that slug, or an error that lists those there are.
pub fn find(database: &Database, slug: &str) -> anyhow::Result<Gym> {
    let wanted: Slug = slug.parse()?;
    if let Some(gym) = database.read(|snapshot| snapshot.gym_by_slug(&wanted))? {
        return Ok(gym);
    }
    let gyms = database.read(|snapshot| snapshot.gyms())?;
    let known: Vec<_> = gyms.iter().map(|gym| gym.slug.as_str()).collect();
    match known.as_slice() {
        [] => bail!("there is no gym yet; `footfall gym add {slug} …` adds one"),
        known => bail!("there is no gym {slug}; there are {}", known.join(", ")),
    }
}

fn add(database: &Database, args: &AddArgs) -> anyhow::Result<()> {
    let slug: Slug = args.slug.parse()?;
    let (said, now) = (args.said(), clock::now());
    let gym = at_once(database, |tx| actions::add(tx, By::Operator, &slug, &said, now))?;
    output::show(args.json, &GymRow::of(&gym), || {
        format!("added {slug}; next: footfall webhook add {slug}")
    });
    Ok(())
}

fn list(database: &Database, args: &ListArgs) -> anyhow::Result<()> {
    let gyms = database.read(|snapshot| snapshot.gyms())?;
    let rows: Vec<_> = gyms.iter().map(GymRow::of).collect();
    output::show(args.json, &rows, || {
        let cells = rows.iter().map(|row| {
            let capacity = row.capacity.map_or("–".to_owned(), |capacity| capacity.to_string());
            let rules = [row.visit_window, row.assumed_stay, row.assumed_tail, row.rejoin_grace];
            let rules = rules.map(|minutes| minutes.to_string()).join("/");
            let kept = row.retain_events_months;
            let kept = kept.map_or("for ever".to_owned(), |months| format!("{months} months"));
            let archived = if row.archived { "archived" } else { "open" };
            let [zone, public, state] = [row.time_zone, row.public, archived].map(str::to_owned);
            vec![row.gym.clone(), row.name.clone(), zone, capacity, rules, kept, public, state]
        });
        let header = [
            "GYM",
            "NAME",
            "TIME ZONE",
            "CAPACITY",
            "WINDOW/STAY/TAIL/GRACE (MIN)",
            "EVENTS KEPT",
            "PUBLIC",
            "STATE",
        ];
        output::table(&header, &cells.collect::<Vec<_>>())
    });
    Ok(())
}

fn set(database: &Database, args: &SetArgs) -> anyhow::Result<()> {
    let gym = find(database, &args.slug)?;
    let (said, now) = (args.said(), clock::now());
    if args.what_if {
        return what_if::show(database, &gym, &said.over(&gym.settings)?, args.json);
    }
    let changed = at_once(database, |tx| actions::change(tx, gym.id, &said, now))?;
    let (is_recounted, settings) = (changed.is_to_be_recounted(), changed.settings);
    if is_recounted {
        maintain::rebuild_gym(database, &gym, Some(&settings))?;
    }
    let frozen_until = frozen_until(&gym).filter(|_| is_recounted);
    let recounted_from = frozen_until.map(|until| day_of(settings.zone, until).date().to_string());
    let changed = Changed { row: GymRow::of(&Gym { settings, ..changed.gym }), recounted_from };
    output::show(args.json, &changed, || {
        let frozen = changed.recounted_from.as_ref().map_or(String::new(), |day| {
            format!("; visits were counted again from {day} on, older ones stay as they were")
        });
        format!("changed {}{frozen}", gym.slug)
    });
    Ok(())
}

fn parse_public(text: &str) -> Result<Public, String> {
    Public::from_name(text).ok_or_else(|| "`off`, `levels` or `percent`".to_owned())
}

fn parse_retention(text: &str) -> Result<Retain, String> {
    if text == "off" {
        return Ok(Retain::ForEver);
    }
    let months = text.parse().ok();
    let months = months.and_then(|months| retain_months(months).ok());
    let bad = || format!("{RETAIN_MONTHS_MIN} to {RETAIN_MONTHS_MAX} months, or `off`");
    Ok(Retain::Months(months.ok_or_else(bad)?))
}
