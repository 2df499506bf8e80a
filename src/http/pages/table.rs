//! Tables: every picture has one, with the API's numbers.

use chrono::{DateTime, FixedOffset, NaiveDate};
use maud::{Markup, html};
use serde_json::Value;

use super::words::Words;
use crate::domain::calendar::Interval;

/// How a cell is written.
#[derive(Clone, Copy)]
pub enum Cell {
    /// A bucket's name.
    Start,
    Month,
    /// A local day.
    Date,
    Moment,
    Text,
    /// A word of ours, by the section of the messages that says it.
    Word(&'static str),
    YesNo,
    /// 1 = Monday.
    Weekday,
    /// Of the day.
    Hour,
    Whole,
    Decimal,
    Percent,
    Minutes,
}

impl Cell {
    pub fn show(self, words: &Words, value: &Value, interval: Option<Interval>) -> String {
        let none = || words.say("report.none").to_owned();
        let number = |write: &dyn Fn(f64) -> String| value.as_f64().map_or_else(none, write);
        match self {
            Cell::Start => time(value).map_or_else(none, |at| start(words, at, interval)),
            Cell::Moment => time(value).map_or_else(none, |at| words.moment(at)),
            Cell::Date => day(value).map_or_else(none, |day| words.date(day)),
            Cell::Month | Cell::Text => value.as_str().unwrap_or_default().to_owned(),
            Cell::Word(section) => value
                .as_str()
                .map_or_else(none, |word| words.say(&format!("{section}.{word}")).to_owned()),
            Cell::YesNo => value.as_bool().map_or_else(none, |is| yes_no(words, is)),
            Cell::Weekday => number(&|n| words.weekday(n as u32).to_owned()),
            Cell::Hour => number(&|n| words.clock(n as u32, 0)),
            Cell::Whole => number(&|n| words.whole(n as i64)),
            Cell::Decimal => number(&|n| words.decimal(n)),
            Cell::Percent => number(&|n| words.percent(n)),
            Cell::Minutes => number(&|n| words.fill("report.minutes", &[&words.decimal(n)])),
        }
    }
}

fn time(value: &Value) -> Option<DateTime<FixedOffset>> {
    DateTime::parse_from_rfc3339(value.as_str()?).ok()
}

fn yes_no(words: &Words, is: bool) -> String {
    words.say(if is { "format.yes" } else { "format.no" }).to_owned()
}

fn day(value: &Value) -> Option<NaiveDate> {
    value.as_str()?.parse().ok()
}

/// A bucket is named by its day, or by its day and time when it is shorter than one.
fn start(words: &Words, at: DateTime<FixedOffset>, interval: Option<Interval>) -> String {
    match interval {
        Some(Interval::Hour | Interval::Quarter) => words.moment(at),
        _ => words.date(at.date_naive()),
    }
}

/// The message that names a column.
pub fn column_key(place: &str) -> String {
    format!("column{}", place.replacen('/', ".", 1).replace('/', "_").replace('+', "_more"))
}

pub fn table(
    words: &Words,
    columns: &[(&str, Cell)],
    rows: &[&Value],
    interval: Interval,
) -> Markup {
    let cell = |row: &Value, (place, cell): &(&str, Cell)| {
        cell.show(words, row.pointer(place).unwrap_or(&Value::Null), Some(interval))
    };
    let table = html! { table {
        thead { tr { @for (place, _) in columns { th scope="col" { (words.say(&column_key(place))) } } } }
        tbody { @for row in rows {
            tr.open[row["complete"] == false] {
                @for (number, column) in columns.iter().enumerate() {
                    @if number == 0 { th scope="row" { (cell(row, column)) } }
                    @else { td { (cell(row, column)) } }
                }
            }
        } }
    } };
    region(words.say("report.table"), &table)
}

/// What can be done with a row of a list.
pub enum Lead<'a> {
    Nowhere,
    /// Its first cell leads there, with its own text as the last part of the path.
    To(&'a str),
    /// Behind its last cell.
    Button(&'a dyn Fn(&Value) -> Markup),
}

/// A section with a table of what is no bucket: how many there are, and each.
pub fn listed(
    words: &Words,
    title: &str,
    columns: &[(&str, Cell)],
    rows: &[Value],
    lead: &Lead<'_>,
) -> Markup {
    let cell = |row: &Value, (place, cell): &(&str, Cell)| {
        cell.show(words, row.pointer(place).unwrap_or(&Value::Null), None)
    };
    let first = |shown: &str| match lead {
        Lead::To(path) => html! { a href={ (path) "/" (shown) } { code { (shown) } } },
        Lead::Nowhere | Lead::Button(_) => html! { (shown) },
    };
    html! {
        section {
            h2 { (title) " · " (words.whole(rows.len() as i64)) }
            @if !rows.is_empty() { (region(title, &html! { table {
                thead { tr {
                    @for (place, _) in columns { th scope="col" { (words.say(&column_key(place))) } }
                    @if let Lead::Button(_) = lead { td {} }
                } }
                tbody { @for row in rows { tr {
                    @for (number, column) in columns.iter().enumerate() {
                        @let shown = cell(row, column);
                        @if number == 0 { th scope="row" { (first(&shown)) } } @else { td { (shown) } }
                    }
                    @if let Lead::Button(button) = lead { td { (button(row)) } }
                } } }
            } })) }
        }
    }
}

/// A table that may be wider than the screen: it is scrolled by itself, by keyboard too.
pub fn region(label: &str, table: &Markup) -> Markup {
    html! { div.scroll tabindex="0" role="region" aria-label=(label) { (table) } }
}
