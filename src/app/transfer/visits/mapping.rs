//! Which column of a list is what: as the mapping says, or else by the columns' names.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;
use serde::Deserialize;

use super::dates::Order;
use super::text::{self, Row};
use super::words;

/// The header is among so many rows; above it stand titles.
const HEADER_ROWS_MAX: usize = 50;
/// What may stand between columns, the least ambiguous first.
const DELIMITERS: [char; 4] = ['\t', ';', '|', ','];
/// Names of columns that an error lists.
const NAMED_COLUMNS_MAX: usize = 30;

/// A column by its name in the header, or by its number from 1 on.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum Column {
    Number(usize),
    Name(String),
}

/// Which column is what, and how it is written. What is not said is found out.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Mapping {
    /// EGYM's account id, or the club's own number of a member.
    pub account: Option<Column>,
    /// The time of entry; with `direction`, of a swipe.
    pub entered: Option<Column>,
    /// The time of leaving.
    pub left: Option<Column>,
    /// The date of entry, where `entered` is a time of day.
    pub date: Option<Column>,
    /// The date of leaving, where it has a column of its own.
    pub left_date: Option<Column>,
    /// How long the visit was, where that is written instead of when it ended.
    pub duration: Option<Column>,
    /// In or out, where each row is a swipe.
    pub direction: Option<Column>,
    /// What stands in `direction` for in and for out.
    #[serde(rename = "in")]
    pub entries: Vec<String>,
    #[serde(rename = "out")]
    pub exits: Vec<String>,
    /// The gym of a row.
    pub gym: Option<Column>,
    /// Gyms by what stands in that column.
    pub gyms: HashMap<String, String>,
    /// Only rows with this in the column `gym`.
    pub only: Option<String>,
    /// How times are written, in the letters of strftime.
    pub format: Option<String>,
    pub date_order: Option<Order>,
    /// The clock of times without an offset; else the gym's.
    pub time_zone: Option<String>,
    pub delimiter: Option<char>,
    /// A list with the columns `member` and `account`: whose the club's numbers are.
    pub accounts: Option<PathBuf>,
}

/// What the command line says of a list; it wins over the mapping.
#[derive(Args)]
pub struct ListArgs {
    /// A file that says which column of the list is what [default: by the columns' names]
    #[arg(long, value_name = "FILE")]
    pub mapping: Option<PathBuf>,
    /// The gym whose visits they are; with a column for the gym, only its rows
    #[arg(long, value_name = "SLUG")]
    pub gym: Option<String>,
    /// A list with the columns `member` and `account`: whose the club's numbers are
    #[arg(long, value_name = "FILE")]
    pub accounts: Option<PathBuf>,
    /// The column of the list with the gym of a row: its slug, its name, or as the mapping says
    #[arg(long, value_name = "COLUMN")]
    pub gym_column: Option<String>,
    /// Only rows with this in the column for the gym
    #[arg(long, value_name = "TEXT", requires = "gym_column")]
    pub only: Option<String>,
    /// All rows are of --gym, also where a column seems to name several
    #[arg(long, requires = "gym", conflicts_with = "gym_column")]
    pub all_rows: bool,
    /// What stands first in dates like 03/04/2026 [default: as other dates of the list show]
    #[arg(long, value_name = "ORDER")]
    pub date_order: Option<Order>,
}

impl ListArgs {
    /// Whether the file is a list of visits, and no export.
    pub fn is_list(&self) -> bool {
        self.mapping.is_some() || self.gym.is_some() || self.gym_column.is_some()
    }
}

impl Mapping {
    pub fn read(args: &ListArgs) -> anyhow::Result<Mapping> {
        let mut mapping = match &args.mapping {
            None => Mapping::default(),
            Some(path) => {
                let about = || format!("the mapping {}", path.display());
                let text = text::read(path)?;
                let mut mapping: Mapping = toml::from_str(&text).with_context(about)?;
                let folder = path.parent().unwrap_or(Path::new("."));
                mapping.accounts = mapping.accounts.map(|accounts| folder.join(accounts));
                mapping
            }
        };
        mapping.accounts = args.accounts.clone().or(mapping.accounts);
        mapping.gym = args.gym_column.clone().map(Column::Name).or(mapping.gym);
        mapping.only = args.only.clone().or(mapping.only);
        mapping.date_order = args.date_order.or(mapping.date_order);
        if mapping.delimiter.is_some_and(|delimiter| !delimiter.is_ascii()) {
            bail!("delimiter is one ASCII character");
        }
        if mapping.named().any(|column| matches!(column, Column::Number(0))) {
            bail!("the mapping has a column 0; they are counted from 1 on");
        }
        Ok(mapping)
    }

    pub fn named(&self) -> impl Iterator<Item = &Column> {
        let columns = [
            &self.account,
            &self.entered,
            &self.left,
            &self.date,
            &self.left_date,
            &self.duration,
            &self.direction,
            &self.gym,
        ];
        columns.into_iter().flatten()
    }
}

/// Where in a row everything is.
#[derive(Debug, Clone, Default)]
pub struct Columns {
    pub account: usize,
    pub entered: usize,
    pub left: Option<usize>,
    pub date: Option<usize>,
    pub left_date: Option<usize>,
    pub duration: Option<usize>,
    pub direction: Option<usize>,
    pub gym: Option<usize>,
}

/// How a list is laid out.
pub struct Layout {
    pub delimiter: char,
    pub columns: Columns,
    /// The cells of the header; none when columns have numbers only.
    pub header: Vec<String>,
    /// The line of the header as it stands; empty without one.
    pub header_text: String,
    /// The line of the header; 0 without one.
    pub header_line: u64,
}

impl Layout {
    pub fn find(text: &str, mapping: &Mapping, path: &Path) -> anyhow::Result<Layout> {
        let delimiters = mapping.delimiter.or_else(|| told_delimiter(text));
        let delimiters = delimiters.map_or(DELIMITERS.to_vec(), |delimiter| vec![delimiter]);
        let numbers_only = mapping.named().all(|column| matches!(column, Column::Number(_)));
        if numbers_only && mapping.account.is_some() && mapping.entered.is_some() {
            return Ok(Layout::without_header(text, mapping, &delimiters));
        }
        for delimiter in &delimiters {
            for row in text::rows(text, *delimiter).take(HEADER_ROWS_MAX) {
                if let Some(columns) = columns_of(&row.cells, mapping) {
                    return Ok(Layout {
                        delimiter: *delimiter,
                        columns,
                        header_text: row.text.to_owned(),
                        header_line: row.line,
                        header: row.cells,
                    });
                }
            }
        }
        Err(no_header(text, mapping, path, &delimiters))
    }

    fn without_header(text: &str, mapping: &Mapping, delimiters: &[char]) -> Layout {
        let delimiter = likely(text, delimiters);
        let columns = columns_of(&[], mapping).unwrap_or_default();
        Layout { delimiter, columns, header: vec![], header_text: String::new(), header_line: 0 }
    }

    /// What a column is called in an error.
    pub fn name(&self, column: usize) -> String {
        self.header.get(column).cloned().unwrap_or_else(|| format!("column {}", column + 1))
    }

    /// The column that by its name has the gym of a row, though nobody said so.
    pub fn likely_gym(&self) -> Option<usize> {
        known(&self.header, words::GYM)
    }

    /// A list that was printed has its header on every page.
    pub fn is_header(&self, row: &Row<'_>) -> bool {
        !self.header.is_empty() && row.cells == self.header
    }
}

/// The first line of a list may say `sep=;`.
fn told_delimiter(text: &str) -> Option<char> {
    let line = text.lines().next()?.trim().trim_matches('"');
    let mut rest = line.strip_prefix("sep=").or(line.strip_prefix("SEP="))?.chars();
    rest.next().filter(|delimiter| delimiter.is_ascii() && rest.next().is_none())
}

/// The delimiter that makes the most cells.
fn likely(text: &str, delimiters: &[char]) -> char {
    let cells = |delimiter: &char| {
        text::rows(text, *delimiter).take(HEADER_ROWS_MAX).map(|row| row.cells.len()).sum::<usize>()
    };
    delimiters.iter().rev().copied().max_by_key(cells).unwrap_or(',')
}

/// Where everything is, if these cells are the header.
fn columns_of(header: &[String], mapping: &Mapping) -> Option<Columns> {
    let said = |column: &Option<Column>| match column {
        None => Some(None),
        Some(Column::Number(number)) => Some(number.checked_sub(1)),
        Some(Column::Name(name)) => place(header, name).map(Some),
    };
    let (account, entered) = (said(&mapping.account)?, said(&mapping.entered)?);
    let mut columns = Columns {
        account: account.or_else(|| known(header, words::ACCOUNT))?,
        entered: entered.or_else(|| known(header, words::ENTERED))?,
        left: said(&mapping.left)?,
        date: said(&mapping.date)?,
        left_date: said(&mapping.left_date)?,
        duration: said(&mapping.duration)?,
        direction: said(&mapping.direction)?,
        gym: said(&mapping.gym)?,
    };
    let is_swipes = columns.direction.is_some();
    // Whoever says how a row is read, and names no `left`, has none.
    if mapping.entered.is_none() && !is_swipes {
        columns.left = columns.left.or_else(|| known(header, words::LEFT));
        columns.date = columns.date.or_else(|| known(header, words::DATE));
        columns.left_date = columns.left_date.or_else(|| known(header, words::LEFT_DATE));
    }
    if mapping.entered.is_none() && columns.left.is_none() && columns.duration.is_none() {
        columns.duration = lengths(header);
        let direction = || known(header, words::DIRECTION).filter(|_| columns.duration.is_none());
        columns.direction = columns.direction.or_else(direction);
    }
    let taken = [columns.account, columns.entered];
    for column in
        [&mut columns.left, &mut columns.date, &mut columns.left_date, &mut columns.direction]
    {
        *column = column.filter(|place| !taken.contains(place));
    }
    (columns.account != columns.entered).then_some(columns)
}

/// A name as it is written, or else without its spaces, hyphens and capitals.
fn place(header: &[String], name: &str) -> Option<usize> {
    let name = name.trim();
    let exact = header.iter().position(|known| known == name);
    exact.or_else(|| {
        let plain = words::plain(name);
        header.iter().position(|known| !plain.is_empty() && words::plain(known) == plain)
    })
}

/// The column with the length of visits.
fn lengths(header: &[String]) -> Option<usize> {
    let is_length = |name: &str| words::DURATION.iter().any(|word| name.starts_with(word));
    header.iter().position(|name| is_length(&words::folded(name)))
}

pub fn known(header: &[String], names: &str) -> Option<usize> {
    let header: Vec<String> = header.iter().map(|name| words::folded(name)).collect();
    names.split(' ').find_map(|name| header.iter().position(|known| known == name))
}

fn no_header(text: &str, mapping: &Mapping, path: &Path, delimiters: &[char]) -> anyhow::Error {
    let delimiter = likely(text, delimiters);
    let rows = || text::rows(text, delimiter).take(HEADER_ROWS_MAX);
    let width = rows().map(|row| row.cells.len()).max().unwrap_or(0);
    let row = rows().find(|row| row.cells.len() == width);
    let cells = row.map(|row| row.cells).unwrap_or_default();
    let names: Vec<&Column> = mapping.named().collect();
    let missing = names.into_iter().find_map(|column| match column {
        Column::Name(name) if place(&cells, name).is_none() => Some(name),
        Column::Name(_) | Column::Number(_) => None,
    });
    // A list without a header has members where names would stand.
    let has_names = cells.iter().any(|cell| cell.chars().any(char::is_alphabetic))
        && !cells.iter().any(|cell| cell.chars().filter(char::is_ascii_digit).count() > 4);
    let path = path.display();
    match missing {
        Some(name) if has_names => anyhow::anyhow!(
            "{path} has no column {name:?}; it has {}",
            cells.iter().take(NAMED_COLUMNS_MAX).cloned().collect::<Vec<_>>().join(", ")
        ),
        Some(name) => anyhow::anyhow!("{path} has no column {name:?}"),
        None => anyhow::anyhow!(
            "{path} has no header whose columns for the member and the time of entry are known; a \
             mapping says which they are: `account = \"Number\"` and `entered = \"Came\"`, or \
             `account = 1` and `entered = 2` by their place"
        ),
    }
}
