//! A club system's list of visits: CSV, with a file that says which column is what.

use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use chrono::{DateTime, LocalResult, NaiveDateTime, TimeZone};
use chrono_tz::Tz;
use csv::StringRecord;
use serde::Deserialize;

use crate::domain::Millis;
use crate::domain::event::{Event, Kind};
use crate::domain::ids::Account;
use crate::intake::egym::in_time;

/// Which column is what.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Mapping {
    /// The column with EGYM's account id, or with the club's own number of a member.
    account: String,
    /// The column with the time of entry.
    entered: String,
    /// The column with the time of leaving; empty where it is not known.
    left: Option<String>,
    /// How times are written, in the letters of strftime; else as RFC 3339.
    format: Option<String>,
    /// The clock of times without an offset; else the gym's.
    time_zone: Option<String>,
    /// Between columns; a comma unless it says otherwise.
    delimiter: Option<char>,
    /// A CSV with the columns `member` and `account`: whose the club's numbers are.
    accounts: Option<PathBuf>,
}

/// A list of visits that can be read.
pub struct Visits {
    path: PathBuf,
    mapping: Mapping,
    zone: Tz,
    /// Accounts by the club's numbers; none when the list has accounts itself.
    accounts: Option<HashMap<String, Account>>,
}

impl Visits {
    /// Reads the mapping, and what it names.
    pub fn open(path: &Path, mapping: &Path, gym_zone: Tz) -> anyhow::Result<Visits> {
        let about = || format!("the mapping {}", mapping.display());
        let text = std::fs::read_to_string(mapping).with_context(about)?;
        let parsed: Mapping = toml::from_str(&text).with_context(about)?;
        let zone = match &parsed.time_zone {
            Some(name) => name.parse().ok().with_context(|| {
                format!("time_zone: {name:?} is not in the IANA time zone database")
            })?,
            None => gym_zone,
        };
        let folder = mapping.parent().unwrap_or(Path::new("."));
        let accounts = parsed.accounts.as_ref().map(|path| read_accounts(&folder.join(path)));
        let accounts = accounts.transpose()?;
        Ok(Visits { path: path.to_owned(), mapping: parsed, zone, accounts })
    }

    /// Hands over the events of each row, with its line, or what is wrong with it.
    pub fn each(
        &self,
        now: Millis,
        mut each: impl FnMut(u64, Result<Vec<Event>, String>) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let mut reader = reader(&self.path, self.mapping.delimiter.unwrap_or(','))?;
        let header = reader.headers()?.clone();
        let column = |name: &str| column(&header, name, &self.path);
        let columns = Columns {
            account: column(&self.mapping.account)?,
            entered: column(&self.mapping.entered)?,
            left: self.mapping.left.as_deref().map(column).transpose()?,
        };
        for row in reader.records() {
            let line = match &row {
                Ok(row) => row.position().map_or(0, csv::Position::line),
                Err(error) => error.position().map_or(0, csv::Position::line),
            };
            let events = row.map_err(|_| "it is no such row as the others".to_owned());
            each(line, events.and_then(|row| self.events(&columns, &row, now)))?;
        }
        Ok(())
    }

    fn events(
        &self,
        columns: &Columns,
        row: &StringRecord,
        now: Millis,
    ) -> Result<Vec<Event>, String> {
        let cell = |column: usize| row.get(column).unwrap_or_default().trim();
        let account = self.account(cell(columns.account))?;
        let entered = self.time(&self.mapping.entered, cell(columns.entered), None)?;
        let left = columns.left.map(cell).filter(|text| !text.is_empty());
        let name = self.mapping.left.as_deref().unwrap_or_default();
        let left = left.map(|text| self.time(name, text, Some(entered))).transpose()?;
        if left.is_some_and(|left| left < entered) {
            return Err("it leaves before it enters".to_owned());
        }
        let event = |at, kind| Event { account, at, kind, extra: None };
        let entry = event(entered, Kind::Checkin);
        let events: Vec<_> =
            [entry].into_iter().chain(left.map(|at| event(at, Kind::Checkout))).collect();
        events
            .iter()
            .try_for_each(|event| in_time(event.at, now).map_err(|unfit| unfit.to_string()))?;
        Ok(events)
    }

    /// Never quotes what it cannot read: that may be a person's number.
    fn account(&self, text: &str) -> Result<Account, String> {
        match &self.accounts {
            Some(accounts) => accounts
                .get(text)
                .copied()
                .ok_or_else(|| format!("its {:?} is not in `accounts`", self.mapping.account)),
            None => text.parse().map(Account).map_err(|_| {
                format!(
                    "its {:?} is not a UUID; if it is the club's own number, `accounts` in the \
                     mapping names a list of whose it is",
                    self.mapping.account
                )
            }),
        }
    }

    /// Where clocks were set back, a time is the first of two, or the one after the entry.
    fn time(&self, column: &str, text: &str, after: Option<Millis>) -> Result<Millis, String> {
        let Some(format) = &self.mapping.format else {
            let time = DateTime::parse_from_rfc3339(text);
            let time = time
                .map_err(|_| format!("its {column:?} is not RFC 3339, and no `format` is given"))?;
            return Ok(time.timestamp_millis());
        };
        if let Ok(time) = DateTime::parse_from_str(text, format) {
            return Ok(time.timestamp_millis());
        }
        let naive = NaiveDateTime::parse_from_str(text, format)
            .map_err(|_| format!("its {column:?} is not written as {format:?}"))?;
        match self.zone.from_local_datetime(&naive) {
            LocalResult::Single(time) => Ok(time.timestamp_millis()),
            LocalResult::Ambiguous(first, second) => {
                let (first, second) = (first.timestamp_millis(), second.timestamp_millis());
                Ok(if after.is_some_and(|after| first < after) { second } else { first })
            }
            LocalResult::None => Err(format!(
                "its {column:?} is a time that {} skipped when clocks were set forward",
                self.zone.name()
            )),
        }
    }
}

/// Where in a row they are.
struct Columns {
    account: usize,
    entered: usize,
    left: Option<usize>,
}

fn reader(path: &Path, delimiter: char) -> anyhow::Result<csv::Reader<File>> {
    let delimiter = u8::try_from(delimiter).ok().filter(u8::is_ascii);
    let delimiter = delimiter.context("delimiter is one ASCII character")?;
    let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(csv::ReaderBuilder::new().delimiter(delimiter).from_reader(file))
}

fn column(header: &StringRecord, name: &str, path: &Path) -> anyhow::Result<usize> {
    // A spreadsheet may begin a file with a byte order mark.
    let found = header.iter().position(|known| known.trim_start_matches('\u{feff}') == name);
    let Some(found) = found else {
        let known: Vec<_> = header.iter().collect();
        bail!("{} has no column {name:?}; it has {}", path.display(), known.join(", "));
    };
    Ok(found)
}

fn read_accounts(path: &Path) -> anyhow::Result<HashMap<String, Account>> {
    let mut reader = reader(path, ',')?;
    let header = reader.headers()?.clone();
    let (member, account) = (column(&header, "member", path)?, column(&header, "account", path)?);
    let mut accounts = HashMap::new();
    for (row, line) in reader.records().zip(2..) {
        let row = row.with_context(|| format!("{}, line {line}", path.display()))?;
        let id = row.get(account).and_then(|text| text.trim().parse().ok());
        let id = id.with_context(|| format!("{}, line {line}: no UUID", path.display()))?;
        accounts.insert(row.get(member).unwrap_or_default().trim().to_owned(), Account(id));
    }
    Ok(accounts)
}
