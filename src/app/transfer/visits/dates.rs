//! Dates as people and programs write them, and what the dates of a list say of each other.

use chrono::{Datelike, NaiveDate};
use clap::ValueEnum;
use serde::Deserialize;

use super::times::{self, Unreadable};

/// No visit is from before this year: who reads an earlier one reads it wrong, if there is another
/// way to read it.
const YEAR_MIN: i32 = 2015;

/// What stands first in a date of numbers, where neither a point between them nor a year of four
/// digits tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ValueEnum)]
pub enum Order {
    #[value(name = "day-first")]
    #[serde(rename = "day-first")]
    Day,
    #[value(name = "month-first")]
    #[serde(rename = "month-first")]
    Month,
    #[value(name = "year-first")]
    #[serde(rename = "year-first")]
    Year,
}

pub const ORDERS: [Order; 3] = [Order::Day, Order::Month, Order::Year];

/// How the dates of a list can be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dates {
    /// In these orders; in all of them when the dates contradict each other.
    pub orders: Vec<Order>,
    /// The list shows that the month comes first, and nobody said so.
    is_shown_month_first: bool,
}

impl Dates {
    pub fn said(order: Order) -> Dates {
        Dates { orders: vec![order], is_shown_month_first: false }
    }

    /// In which orders all of these can be read: 13/04/2026 shows that the day comes first.
    pub fn shown(cells: impl Iterator<Item = impl AsRef<str>>) -> Dates {
        let mut orders = ORDERS.to_vec();
        for cell in cells {
            let plausible = readable(cell.as_ref());
            if !plausible.is_empty() {
                orders.retain(|order| plausible.contains(order));
            }
        }
        let is_shown_month_first = orders == [Order::Month];
        if orders.is_empty() {
            orders = ORDERS.to_vec();
        }
        Dates { orders, is_shown_month_first }
    }

    /// A German spreadsheet that opens a list with the month first takes 3/4/2026 for 3 April and
    /// writes it 03.04.2026, and leaves 3/17/2026 as it is.
    pub fn may_be_swapped(&self, cell: &str) -> bool {
        self.is_shown_month_first
            && !cell.contains(['/', '-'])
            && times::parse(&cell.replacen('.', "/", 2), &ORDERS[..2]) == Err(Unreadable::Order)
    }
}

/// The orders in which a date can be read, without those that give an impossible year; none when it
/// says nothing about them.
fn readable(text: &str) -> Vec<Order> {
    if !text.contains(['/', '-']) {
        return vec![];
    }
    let days = ORDERS.map(|order| times::parse(text, &[order]).ok());
    let first = days.iter().flatten().next();
    let Some(first) = first else { return vec![] };
    if days.iter().all(|day| day.as_ref() == Some(first)) {
        return vec![];
    }
    let years = days.map(|day| day.and_then(times::Moment::year));
    let is_possible = |year: &Option<i32>| year.is_some_and(|year| year >= YEAR_MIN);
    let found = ORDERS.into_iter().zip(years).filter(|(_, year)| is_possible(year));
    found.map(|(order, _)| order).collect()
}

/// Reads a date that gives one day in all of `orders` in which it can be read.
pub fn date(text: &str, orders: &[Order]) -> Result<NaiveDate, Unreadable> {
    let bad = Unreadable::NoTime;
    if text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return NaiveDate::parse_from_str(text, "%Y%m%d").map_err(|_| bad);
    }
    let parts: Vec<&str> = text.split(['.', '/', '-', ' ']).filter(|p| !p.is_empty()).collect();
    let &[first, second, third] = parts.as_slice() else { return Err(bad) };
    let is_number = |text: &str| text.parse::<u32>().is_ok();
    let found = if first.len() == 4 && is_number(first) {
        day_of(first, second, third)
    } else if !is_number(first) {
        day_of(third, first, second)
    } else if !is_number(second) || !text.contains(['/', '-']) {
        day_of(third, second, first)
    } else {
        return in_one_order([first, second, third], orders);
    };
    found.ok_or(bad)
}

fn in_one_order(
    [first, second, third]: [&str; 3],
    orders: &[Order],
) -> Result<NaiveDate, Unreadable> {
    let read = |order: &Order| match order {
        Order::Day => day_of(third, second, first),
        Order::Month => day_of(third, first, second),
        Order::Year if first.len() == 2 && third.len() <= 2 => day_of(first, second, third),
        Order::Year => None,
    };
    let mut days: Vec<NaiveDate> = orders.iter().filter_map(read).collect();
    if days.iter().any(|day| day.year() >= YEAR_MIN) {
        days.retain(|day| day.year() >= YEAR_MIN);
    }
    days.dedup();
    match days.as_slice() {
        [] => Err(Unreadable::NoTime),
        [day] => Ok(*day),
        [first, others @ ..] if others.iter().all(|day| day == first) => Ok(*first),
        _ => Err(Unreadable::Order),
    }
}

fn day_of(year: &str, month_text: &str, day: &str) -> Option<NaiveDate> {
    let year = match (year.len(), year.parse::<u32>().ok()?.cast_signed()) {
        (2, year) => 2000 + year,
        (4, year) => year,
        _ => return None,
    };
    NaiveDate::from_ymd_opt(year, month(month_text)?, day.parse().ok()?)
}

/// A month by its number, or by its English or German name, whole or cut off.
fn month(text: &str) -> Option<u32> {
    if let Ok(number) = text.parse() {
        return Some(number);
    }
    let name = text.to_lowercase().replace('ä', "a").replace("mae", "ma");
    let name: String = name.chars().take(3).collect();
    let names = "jan feb mar apr may jun jul aug sep oct nov dec";
    let german = match name.as_str() {
        "mrz" => "mar",
        "mai" => "may",
        "okt" => "oct",
        "dez" => "dec",
        other => other,
    };
    names.split(' ').zip(1..).find(|(name, _)| *name == german).map(|(_, number)| number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str, orders: &[Order]) -> Result<String, Unreadable> {
        date(text, orders).map(|day| day.to_string())
    }

    #[test]
    fn what_could_be_two_days_is_neither_without_a_word() {
        for text in ["03/04/2026", "03-04-2026", "26-03-25", "25/03/26", "04/05/20"] {
            assert_eq!(day(text, &ORDERS), Err(Unreadable::Order), "{text}");
        }
        let one = |text, order| day(text, &[order]);
        assert_eq!(one("03/04/2026", Order::Day), Ok("2026-04-03".into()));
        assert_eq!(one("03/04/2026", Order::Month), Ok("2026-03-04".into()));
        assert_eq!(one("26-03-25", Order::Year), Ok("2026-03-25".into()));
        assert_eq!(one("13/04/2026", Order::Month), Err(Unreadable::NoTime));
        for (text, is) in [("13/04/2026", "2026-04-13"), ("26-03-26", "2026-03-26")] {
            assert_eq!(day(text, &ORDERS), Ok(is.into()), "{text}");
        }
        assert_eq!(day("26-03-05", &ORDERS), Ok("2026-03-05".into()), "2005 is no year of a visit");
    }

    #[test]
    fn the_dates_of_a_list_show_how_they_are_written() {
        let shown = |cells: &[&str]| Dates::shown(cells.iter()).orders;
        assert_eq!(shown(&["03/04/2026", "13/04/2026 10:00"]), [Order::Day]);
        assert_eq!(shown(&["04/13/2026 10:00", ""]), [Order::Month]);
        assert_eq!(shown(&["26-03-25", "26-03-05"]), [Order::Year]);
        assert_eq!(shown(&["25/03/26", "05/03/26", "3/4/26"]), [Order::Day]);
        assert_eq!(shown(&["03/04/2026", "2026-03-04"]), ORDERS[..2]);
        assert_eq!(shown(&["13/04/2026", "04/13/2026"]), ORDERS);
        let mixed = Dates::shown(["3/17/2026 10:00", "04.03.2026 10:00"].into_iter());
        assert!(mixed.may_be_swapped("04.03.2026 10:00") && !mixed.may_be_swapped("17.03.2026"));
    }
}
