//! `footfall import list` and `footfall import undo`.

use std::time::Instant;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use serde::Serialize;

use crate::app::output;
use crate::clock;
use crate::projection::{rebuild::let_others_write, undo};
use crate::store::{Database, Import, ImportState};

#[derive(Subcommand)]
pub enum ImportCommand {
    /// List all imports, the newest first
    List(ListImportsArgs),
    /// Take back what an import brought, as if it had never been
    Undo(UndoArgs),
}

#[derive(Args)]
pub struct ListImportsArgs {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub struct UndoArgs {
    /// The import's number, as `footfall import list` shows it
    import: i64,
    /// Say what would come of it, and change nothing. It is tried in a copy of the database, which
    /// needs as much room again
    #[arg(long)]
    dry_run: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct ImportRow {
    import: i64,
    file: String,
    gyms: Vec<String>,
    started_at: String,
    state: &'static str,
    new: i64,
    duplicate: i64,
    undone_at: Option<String>,
    taken_back: i64,
    /// Something else brought them too.
    kept: i64,
    /// Erased, or older than the gym keeps events.
    gone: i64,
}

impl ImportRow {
    fn of(import: Import) -> ImportRow {
        ImportRow {
            import: import.id,
            file: import.file,
            gyms: import.gyms,
            started_at: output::utc(import.started_at),
            state: import.state.name(),
            new: import.brought,
            duplicate: import.duplicate,
            undone_at: import.undone_at.map(output::utc),
            taken_back: import.undone.taken_back,
            kept: import.undone.kept,
            gone: import.undone.gone,
        }
    }
}

/// What came of an undo.
#[derive(Serialize)]
struct Report {
    dry_run: bool,
    #[serde(flatten)]
    import: ImportRow,
}

pub fn run(database: &Database, command: &ImportCommand) -> anyhow::Result<()> {
    match command {
        ImportCommand::List(args) => list(database, args),
        ImportCommand::Undo(args) => undo(database, args),
    }
}

fn list(database: &Database, args: &ListImportsArgs) -> anyhow::Result<()> {
    let imports = database.read(|snapshot| snapshot.imports())?;
    let rows: Vec<_> = imports.into_iter().map(ImportRow::of).collect();
    output::show(args.json, &rows, || {
        let cells = rows.iter().map(|row| {
            let ImportRow { file, started_at, state, .. } = row;
            let counts = [row.new, row.duplicate, row.taken_back].map(|count| count.to_string());
            let words = [row.import.to_string(), started_at.clone(), (*state).to_owned()];
            [&words[..], &counts, &[row.gyms.join(", "), file.clone()]].concat()
        });
        let header =
            ["IMPORT", "STARTED", "STATE", "NEW", "THERE ALREADY", "TAKEN BACK", "GYMS", "FILE"];
        output::table(&header, &cells.collect::<Vec<_>>())
    });
    Ok(())
}

fn undo(database: &Database, args: &UndoArgs) -> anyhow::Result<()> {
    let UndoArgs { import: id, dry_run, json } = *args;
    if database.read(|snapshot| snapshot.import(id))?.is_none() {
        bail!("there is no import {id}; `footfall import list` shows those there are");
    }
    let import = if dry_run {
        let trial = database.try_out().context("there is no copy to try it in")?;
        undo_all(&trial.database, id)?
    } else {
        undo_all(database, id)?
    };
    let report = Report { dry_run, import: ImportRow::of(import) };
    output::show(json, &report, || {
        let ImportRow { taken_back, kept, gone, .. } = report.import;
        let done = if dry_run { "nothing was changed; this would be" } else { "undone" };
        format!(
            "{done}: {taken_back} events taken back, {kept} stay because something else brought \
             them too, {gone} had gone before (erased, or too old to be kept)"
        )
    });
    Ok(())
}

/// Undoes an import, or what is left of it. What was interrupted goes on where it was.
fn undo_all(database: &Database, id: i64) -> anyhow::Result<Import> {
    let _import = database.lock_import()?;
    // A rebuild that has passed an event by could not take it back.
    let _rebuild = database.lock_rebuild()?;
    let mut connection = database.connect()?;
    loop {
        let started = Instant::now();
        if database.transact(&mut connection, |tx| undo::undo_some(tx, id, clock::now()))? {
            break;
        }
        let_others_write(database, started.elapsed());
    }
    let import = database.read(|snapshot| snapshot.import(id))?.context("it was there")?;
    debug_assert_eq!(import.state, ImportState::Undone);
    Ok(import)
}
