//! `footfall gym`: add, list, set, archive, remove.

mod leave;

use anyhow::{Context, bail};
use chrono_tz::Tz;
use clap::{Args, Subcommand};
use serde::Serialize;

use super::config::Config;
use super::{maintain, output, what_if};
use crate::clock;
use crate::domain::calendar::day_of;
use crate::domain::ids::Slug;
use crate::domain::names;
use crate::domain::report::busy::Public;
use crate::domain::rules::{RETAIN_MONTHS_DEFAULT, RETAIN_MONTHS_MAX, RETAIN_MONTHS_MIN, Rules};
use crate::projection::retention::frozen_until;
use crate::store::{Database, Gym, GymSettings};
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
    retain_events: Option<Retention>,
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
    retain_events: Option<Retention>,
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

/// For how many months events are kept; none: for ever.
#[derive(Debug, Clone, Copy)]
struct Retention(Option<u32>);

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
    fn over(&self, rules: Rules) -> anyhow::Result<Rules> {
        let [window, stay, tail, grace] = rules.minutes();
        Ok(Rules::new(
            self.visit_window.unwrap_or(window),
            self.assumed_stay.unwrap_or(stay),
            self.assumed_tail.unwrap_or(tail),
            self.rejoin_grace.unwrap_or(grace),
        )?)
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
    fn of(slug: &Slug, settings: &GymSettings) -> GymRow {
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
            archived: false,
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
        GymCommand::Set(args) => set(database, args),
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
    let settings = GymSettings {
        name: parse_name(&args.name)?,
        zone: parse_zone(&args.time_zone)?,
        capacity: args.capacity,
        rules: args.rules.over(Rules::default())?,
        retain_months: args.retain_events.map_or(Some(RETAIN_MONTHS_DEFAULT), |given| given.0),
        public: args.public.unwrap_or_default(),
    };
    refuse_without_capacity(&settings)?;
    let mut connection = database.connect()?;
    let added =
        database.transact(&mut connection, |tx| tx.add_gym(&slug, &settings, clock::now()))?;
    if !added {
        bail!("there is a gym {slug} already; `footfall gym set {slug}` changes it");
    }
    output::show(args.json, &GymRow::of(&slug, &settings), || {
        format!("added {slug}; next: footfall webhook add {slug}")
    });
    Ok(())
}

fn parse_name(name: &str) -> anyhow::Result<String> {
    names::name(name).context("the gym's name is no good")
}

fn list(database: &Database, args: &ListArgs) -> anyhow::Result<()> {
    let gyms = database.read(|snapshot| snapshot.gyms())?;
    let rows: Vec<_> = gyms
        .iter()
        .map(|gym| {
            let row = GymRow::of(&gym.slug, &gym.settings);
            GymRow { archived: gym.archived_at.is_some(), ..row }
        })
        .collect();
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

fn set(database: &Database, args: SetArgs) -> anyhow::Result<()> {
    let gym = find(database, &args.slug)?;
    let before = gym.settings.clone();
    let settings = GymSettings {
        name: args.name.map_or(Ok(before.name), |name| parse_name(&name))?,
        zone: args.time_zone.as_deref().map_or(Ok(before.zone), parse_zone)?,
        capacity: match args.capacity {
            Some(capacity) => Some(capacity).filter(|capacity| *capacity > 0),
            None => before.capacity,
        },
        rules: args.rules.over(before.rules)?,
        retain_months: args.retain_events.map_or(before.retain_months, |given| given.0),
        public: args.public.unwrap_or(before.public),
    };
    refuse_without_capacity(&settings)?;
    if args.what_if {
        return what_if::show(database, &gym, &settings, args.json);
    }
    if settings.zone != before.zone && !args.frozen_days_keep_zone {
        refuse_if_frozen(database, &gym, before.zone)?;
    }
    let is_recounted = settings.zone != before.zone || settings.rules != before.rules;
    if is_recounted {
        maintain::rebuild_gym(database, &gym, Some(&settings))?;
    } else {
        let mut connection = database.connect()?;
        database.transact(&mut connection, |tx| {
            let generation = tx.gym(gym.id)?.generation;
            tx.set_gym(gym.id, &settings, generation)
        })?;
    }
    let frozen_until = frozen_until(&gym).filter(|_| is_recounted);
    let recounted_from = frozen_until.map(|until| day_of(settings.zone, until).date().to_string());
    let changed = Changed {
        row: GymRow { archived: gym.archived_at.is_some(), ..GymRow::of(&gym.slug, &settings) },
        recounted_from,
    };
    output::show(args.json, &changed, || {
        let frozen = changed.recounted_from.as_ref().map_or(String::new(), |day| {
            format!("; visits were counted again from {day} on, older ones stay as they were")
        });
        format!("changed {}{frozen}", gym.slug)
    });
    Ok(())
}

/// Days of frozen sums cannot be moved to another zone: that needs a word of its own.
fn refuse_if_frozen(database: &Database, gym: &Gym, zone: Tz) -> anyhow::Result<()> {
    if database.read(|snapshot| snapshot.has_frozen_days(gym.id))? {
        bail!(
            "{} has sums of members that were erased or whose events were not kept; their days \
             stay those of {zone}. If that is right, say --frozen-days-keep-zone",
            gym.slug
        );
    }
    Ok(())
}

/// How busy a gym is, is told in terms of its capacity.
fn refuse_without_capacity(settings: &GymSettings) -> anyhow::Result<()> {
    if settings.public != Public::Off && settings.capacity.is_none() {
        bail!("--public needs a capacity; say --capacity too, or --public off");
    }
    Ok(())
}

fn parse_public(text: &str) -> Result<Public, String> {
    Public::from_name(text).ok_or_else(|| "`off`, `levels` or `percent`".to_owned())
}

fn parse_retention(text: &str) -> Result<Retention, String> {
    if text == "off" {
        return Ok(Retention(None));
    }
    let months = text.parse().ok();
    let months = months.filter(|months| (RETAIN_MONTHS_MIN..=RETAIN_MONTHS_MAX).contains(months));
    let bad = || format!("{RETAIN_MONTHS_MIN} to {RETAIN_MONTHS_MAX} months, or `off`");
    Ok(Retention(Some(months.ok_or_else(bad)?)))
}

fn parse_zone(name: &str) -> anyhow::Result<Tz> {
    name.parse().ok().with_context(|| {
        let names = chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name());
        let nearest = names.max_by_key(|known| {
            (strsim::jaro_winkler(&known.to_lowercase(), &name.to_lowercase()) * 1e6) as i64
        });
        let nearest = nearest.unwrap_or("Europe/Berlin");
        format!("there is no time zone {name:?} in the IANA database; did you mean {nearest}?")
    })
}
