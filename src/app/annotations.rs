//! `footfall annotation`: add, list, remove, and closed days from a calendar.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, bail, ensure};
use chrono::NaiveDate;
use clap::{Args, Subcommand};
use serde::Serialize;

use super::transfer::decode;
use super::transfer::icalendar::{CALENDAR_BYTES_MAX, Refused, closed_days};
use super::{gyms, output};
use crate::clock;
use crate::domain::annotation::{Annotation, AnnotationKind};
use crate::domain::calendar::Day;
use crate::domain::names;
use crate::store::{ANNOTATIONS_MAX, Database, Gym, Snapshot, StoreError};

#[derive(Subcommand)]
pub enum AnnotationCommand {
    /// Say what a day, or some, was or will be: closed, a holiday, a refit, a campaign
    Add(AddArgs),
    /// List annotations
    List(ListArgs),
    /// Remove an annotation, by its id
    Remove(RemoveArgs),
    /// Take in the whole days of a calendar (iCalendar, .ics) as closed days: public holidays, or
    /// the gym's own. What is there already is left alone
    Import(ImportArgs),
}

/// Which gyms.
#[derive(Args)]
#[group(required = true, multiple = false)]
struct AtArgs {
    /// At this gym; may be repeated
    #[arg(long, value_name = "SLUG")]
    gym: Vec<String>,
    /// At every gym there is now
    #[arg(long)]
    all_gyms: bool,
}

#[derive(Args)]
pub struct AddArgs {
    #[command(flatten)]
    at: AtArgs,
    /// closed, holiday, refit, campaign or other
    #[arg(long, value_parser = parse_kind)]
    kind: AnnotationKind,
    /// The first local day
    #[arg(long, value_name = "YYYY-MM-DD")]
    from: NaiveDate,
    /// The last local day, which is in it [default: the first]
    #[arg(long, value_name = "YYYY-MM-DD")]
    to: Option<NaiveDate>,
    /// On the same dates of every later year too
    #[arg(long)]
    yearly: bool,
    /// What it is, in a line
    text: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
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
pub struct RemoveArgs {
    gym: String,
    #[arg(required = true)]
    ids: Vec<i64>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub struct ImportArgs {
    /// The calendar
    file: PathBuf,
    #[command(flatten)]
    at: AtArgs,
    /// Say what would come of it, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Row {
    gym: String,
    /// Null of what would be added.
    id: Option<i64>,
    from: NaiveDate,
    to: NaiveDate,
    kind: &'static str,
    yearly: bool,
    text: String,
}

#[derive(Serialize)]
struct Imported {
    added: Vec<Row>,
    /// Events that are no closed days.
    left_out: Vec<LeftOut>,
}

#[derive(Serialize)]
struct LeftOut {
    summary: String,
    reason: String,
}

fn parse_kind(word: &str) -> Result<AnnotationKind, String> {
    let kinds = AnnotationKind::ALL.map(AnnotationKind::name).join(", ");
    AnnotationKind::from_name(word).ok_or_else(|| format!("it is one of {kinds}"))
}

impl AtArgs {
    fn gyms(&self, database: &Database) -> anyhow::Result<Vec<Gym>> {
        if self.all_gyms {
            return Ok(database.read(|snapshot| snapshot.gyms())?);
        }
        self.gym.iter().map(|slug| gyms::find(database, slug)).collect()
    }
}

impl Row {
    fn of(gym: &Gym, id: Option<i64>, annotation: &Annotation) -> Row {
        let [from, to] = [annotation.first, annotation.last].map(Day::date);
        Row {
            gym: gym.slug.to_string(),
            id,
            from,
            to,
            kind: annotation.kind.name(),
            yearly: annotation.yearly,
            text: names::visible(&annotation.text),
        }
    }

    fn cells(&self) -> Vec<String> {
        let yearly = if self.yearly { "every year" } else { "" };
        let id = self.id.map_or("–".to_owned(), |id| id.to_string());
        let days = [self.from.to_string(), self.to.to_string()];
        let [from, to] = days;
        vec![self.gym.clone(), id, from, to, self.kind.into(), yearly.into(), self.text.clone()]
    }
}

pub fn run(database: &Database, command: AnnotationCommand) -> anyhow::Result<()> {
    match command {
        AnnotationCommand::Add(args) => add(database, &args),
        AnnotationCommand::List(args) => list(database, &args),
        AnnotationCommand::Remove(args) => remove(database, &args),
        AnnotationCommand::Import(args) => import(database, &args),
    }
}

fn table(rows: &[Row]) -> String {
    let header = ["GYM", "ID", "FROM", "TO", "KIND", "REPEATS", "TEXT"];
    output::table(&header, &rows.iter().map(Row::cells).collect::<Vec<_>>())
}

fn add(database: &Database, args: &AddArgs) -> anyhow::Result<()> {
    let days = [args.from, args.to.unwrap_or(args.from)].map(Day::from_date);
    let annotation = Annotation::new(days.into(), args.kind, args.yearly, &args.text)?;
    let rows = write(database, &args.at.gyms(database)?, std::slice::from_ref(&annotation))?;
    output::show(args.json, &rows, || table(&rows));
    Ok(())
}

/// Writes annotations at gyms, those that are not there yet, all or none.
fn write(
    database: &Database,
    gyms: &[Gym],
    annotations: &[Annotation],
) -> anyhow::Result<Vec<Row>> {
    let mut connection = database.connect()?;
    let now = clock::now();
    let rows = database.transact(&mut connection, |tx| {
        let mut rows = Vec::new();
        for gym in gyms {
            for annotation in new_at(&tx.view(), gym, annotations)? {
                let Some(id) = tx.add_annotation(gym.id, annotation, now)? else {
                    let detail = format!(
                        "{} has {ANNOTATIONS_MAX} annotations, and no room for more; nothing was \
                         written: remove some first",
                        gym.slug
                    );
                    return Err(StoreError::Refused(detail));
                };
                rows.push(Row::of(gym, Some(id), annotation));
            }
        }
        Ok(rows)
    })?;
    Ok(rows)
}

/// Those annotations that a gym has not got yet.
fn new_at<'a>(
    snapshot: &Snapshot<'_>,
    gym: &Gym,
    annotations: &'a [Annotation],
) -> Result<Vec<&'a Annotation>, StoreError> {
    let known = snapshot.all_annotations(gym.id)?;
    let is_new = |one: &&Annotation| known.iter().all(|(_, other)| other != *one);
    Ok(annotations.iter().filter(is_new).collect())
}

fn list(database: &Database, args: &ListArgs) -> anyhow::Result<()> {
    let gyms = match &args.gym {
        Some(slug) => vec![gyms::find(database, slug)?],
        None => database.read(|snapshot| snapshot.gyms())?,
    };
    let rows = database.read(|snapshot| {
        let mut rows = Vec::new();
        for gym in &gyms {
            let found = snapshot.all_annotations(gym.id)?;
            rows.extend(found.iter().map(|(id, annotation)| Row::of(gym, Some(*id), annotation)));
        }
        Ok(rows)
    })?;
    output::show(args.json, &rows, || table(&rows));
    Ok(())
}

fn remove(database: &Database, args: &RemoveArgs) -> anyhow::Result<()> {
    let gym = gyms::find(database, &args.gym)?;
    let mut connection = database.connect()?;
    for id in &args.ids {
        let removed = database.transact(&mut connection, |tx| tx.remove_annotation(gym.id, *id))?;
        if !removed {
            bail!(
                "{} has no annotation {id}; `footfall annotation list {}` shows them",
                gym.slug,
                gym.slug
            );
        }
    }
    let shown = serde_json::json!({ "gym": gym.slug.to_string(), "removed": args.ids });
    output::show(args.json, &shown, || "removed".to_owned());
    Ok(())
}

fn import(database: &Database, args: &ImportArgs) -> anyhow::Result<()> {
    let path = args.file.display();
    let size = fs::metadata(&args.file).with_context(|| format!("cannot read {path}"))?.len();
    ensure!(size <= CALENDAR_BYTES_MAX, "{path} has more than {CALENDAR_BYTES_MAX} bytes");
    let bytes = fs::read(&args.file).with_context(|| format!("cannot read {path}"))?;
    let read = closed_days(&decode(&bytes)).map_err(anyhow::Error::msg);
    let (annotations, refused) = read.with_context(|| format!("{path} is no calendar"))?;
    let gyms = args.at.gyms(database)?;
    let added = if args.dry_run {
        database.read(|snapshot| {
            let mut rows = Vec::new();
            for gym in &gyms {
                let new = new_at(snapshot, gym, &annotations)?;
                rows.extend(new.into_iter().map(|annotation| Row::of(gym, None, annotation)));
            }
            Ok(rows)
        })?
    } else {
        write(database, &gyms, &annotations)?
    };
    let left_out = refused
        .into_iter()
        .map(|Refused { summary, reason }| LeftOut { summary: names::visible(&summary), reason });
    let imported = Imported { added, left_out: left_out.collect() };
    output::show(args.json, &imported, || {
        let would = if args.dry_run { "would be added" } else { "added" };
        let mut lines = vec![table(&imported.added), String::new()];
        lines.push(format!("{} {would}", imported.added.len()));
        let left_out = imported.left_out.iter();
        lines.extend(left_out.map(|one| format!("left out: {}: {}", one.summary, one.reason)));
        lines.join("\n")
    });
    Ok(())
}
