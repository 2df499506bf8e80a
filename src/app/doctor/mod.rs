//! `footfall doctor`: looks at all that a good operator would look at, beside a running service or
//! without one, changes nothing, and says what is wrong and the next thing to do. Each check is a
//! row of a table below: its name, and the function that looks.

mod data;
mod outside;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use anyhow::anyhow;
use clap::Args;
use serde::Serialize;

use super::config::Config;
use super::output;
use crate::clock;
use crate::domain::Millis;
use crate::projection::condition::{Finding, State};
use crate::projection::witness::settled;
use crate::store::{Database, StoreError};

/// Exit statuses, as monitoring with Nagios' plugins takes them; all is good: 0.
const WARNING: u8 = 1;
const FAULT: u8 = 2;

#[derive(Args)]
#[expect(clippy::doc_markdown, reason = "these comments are what --help prints")]
pub struct DoctorArgs {
    /// The gym whose webhooks are compared with EGYM's, with the key of FOOTFALL_EGYM_API_KEY
    /// [default: the only one]
    #[arg(long, value_name = "SLUG")]
    gym: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What a check finds; nothing where all is good.
type Found = anyhow::Result<Vec<Finding>>;

type OfSettings = fn(&Config, Millis) -> Vec<Finding>;
type OfPlace = fn(&Place<'_>) -> Vec<Finding>;
type OfData = fn(&Place<'_>) -> Found;

/// What needs the configuration alone.
const OF_SETTINGS: [(&str, OfSettings); 2] =
    [("certificate", outside::certificate), ("mail", outside::mail)];

/// What reads nothing of the database.
const OF_PLACE: [(&str, OfPlace); 4] = [
    ("service", data::service),
    ("permissions", data::permissions),
    ("backup", data::backup),
    ("address", outside::address),
];

/// What needs a data folder that can be read.
const OF_DATA: [(&str, OfData); 10] = [
    ("ledger", data::ledger),
    ("integrity", data::integrity),
    ("sample", data::sample),
    ("disk", data::disk),
    ("clock", data::clock),
    ("deletions", data::deletions),
    ("quarantine", data::quarantine),
    ("webhooks", data::webhooks),
    ("notify", data::notify),
    ("egym", outside::egym),
];

/// Where the checks look.
struct Place<'p> {
    config: &'p Config,
    database: &'p Database,
    args: &'p DoctorArgs,
    now: Millis,
    is_served: bool,
}

/// A check and what it found.
#[derive(Serialize)]
struct Row {
    check: &'static str,
    state: &'static str,
    says: Option<String>,
    next: Option<String>,
}

#[derive(Default)]
struct Report(Vec<(&'static str, Vec<Finding>)>);

pub fn run(config: &Config, args: &DoctorArgs) -> ExitCode {
    let mut report = Report::default();
    let now = match Database::look(&config.data) {
        Ok(database) => report.look_at_data(config, &database, args),
        Err(error) => {
            let (check, next) = next_after(&error);
            report.0.push((check, vec![Finding::fault(error.to_string(), next)]));
            clock::now()
        }
    };
    for (check, look) in OF_SETTINGS {
        report.note(check, || Ok(look(config, now)));
    }
    report.end(args)
}

/// Without a configuration there is nothing to look at.
pub fn run_unconfigured(error: &anyhow::Error, args: &DoctorArgs) -> ExitCode {
    let next = "correct the file or the variable that is named; `footfall check-config` shows \
                what is in force";
    let finding = Finding::fault(format!("{error:#}"), next);
    Report(vec![("configuration", vec![finding])]).end(args)
}

/// Under which name it is told that a data folder cannot be read, and what to do.
fn next_after(error: &StoreError) -> (&'static str, &'static str) {
    match error {
        StoreError::Key { .. } => (
            "key",
            "put back the footfall.key of this database, from a backup or from the machine that it \
             came from",
        ),
        StoreError::File { source, .. } if source.kind() == std::io::ErrorKind::NotFound => (
            "folder",
            "name the data folder with --data, FOOTFALL_DATA or `data`; `footfall gym add` begins \
             a new one",
        ),
        StoreError::File { .. } => (
            "folder",
            "run this as the user of the service (`sudo -u <user> footfall doctor`), or give the \
             folder to whom it belongs (`chown`)",
        ),
        StoreError::Sqlite(_) | StoreError::Damaged(_) => {
            ("database", "stop the service and put a backup back (docs/OPERATING.md, Backup)")
        }
        StoreError::Migration(_)
        | StoreError::Locked(_)
        | StoreError::NotOurs(_)
        | StoreError::Refused(_)
        | StoreError::NotWhole(_)
        | StoreError::Sealed { .. }
        | StoreError::Shared(_) => ("folder", "do what is said here; nothing starts before"),
    }
}

impl Report {
    /// Runs all checks of the data; returns the time to go by.
    fn look_at_data(&mut self, config: &Config, database: &Database, args: &DoctorArgs) -> Millis {
        let settled = database.read(|snapshot| settled(snapshot, clock::now()));
        let now = settled.unwrap_or_else(|_| clock::now());
        let is_served = database.seems_served();
        let place = Place { config, database, args, now, is_served };
        for (check, look) in OF_PLACE {
            self.note(check, || Ok(look(&place)));
        }
        for (check, look) in OF_DATA {
            self.note(check, || look(&place));
        }
        now
    }

    /// A set-up may be so broken that looking fails, or that what is read is beyond what can be.
    fn note(&mut self, check: &'static str, look: impl FnOnce() -> Found) {
        let looked = catch_unwind(AssertUnwindSafe(look));
        let found = looked.unwrap_or_else(|_| Err(anyhow!("what is read cannot be")));
        self.0.push((check, found.unwrap_or_else(|error| vec![unreadable(&error)])));
    }

    fn end(&self, args: &DoctorArgs) -> ExitCode {
        let rows: Vec<_> = self.rows().collect();
        let state = self.findings().map(|finding| finding.state).max().unwrap_or(State::Good);
        let json = serde_json::json!({ "state": state.name(), "checks": rows });
        output::show(args.json, &json, || self.text());
        match state {
            State::Good => ExitCode::SUCCESS,
            State::Warning => WARNING.into(),
            State::Fault => FAULT.into(),
        }
    }

    fn findings(&self) -> impl Iterator<Item = &Finding> {
        self.0.iter().flat_map(|(_, found)| found)
    }

    fn rows(&self) -> impl Iterator<Item = Row> {
        self.0.iter().flat_map(|(check, found)| {
            let row = |finding: &Finding| Row {
                check,
                state: finding.state.name(),
                says: Some(finding.says.clone()),
                next: Some(finding.next.clone()),
            };
            let good = Row { check, state: State::Good.name(), says: None, next: None };
            let good = found.is_empty().then_some(good);
            good.into_iter().chain(found.iter().map(row)).collect::<Vec<_>>()
        })
    }

    fn text(&self) -> String {
        let told = self.0.iter().flat_map(|(check, found)| {
            found.iter().map(move |Finding { state, says, next }| {
                format!("{} {check}: {says}\n    Next: {next}.\n", state.name().to_uppercase())
            })
        });
        let told: String = told.collect();
        let (checks, findings) = (self.0.len(), self.findings().count());
        format!("{told}{checks} checks, {findings} findings")
    }
}

fn unreadable(error: &anyhow::Error) -> Finding {
    let next = "run `footfall verify`; where it finds damage too, put a backup back \
                (docs/OPERATING.md, Backup)";
    Finding::fault(format!("cannot be looked at: {error:#}"), next)
}
