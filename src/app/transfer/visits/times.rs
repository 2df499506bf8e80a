//! Times as people and programs write them.

use chrono::{DateTime, Datelike, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta};

use super::words::is_among;
use crate::domain::Millis;

/// Days of a spreadsheet since 30 December 1899 that are believed to be a date: 1954 to 2119.
const SERIAL_DAYS: std::ops::Range<f64> = 20_000.0..80_000.0;
/// Years that stand for "no date" in one system or another are outside of it.
const YEARS: std::ops::Range<i32> = 1971..9999;

/// Which of two numbers before a year is the day, where neither a point between them nor their
/// size tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    DayFirst,
    MonthFirst,
}

/// What a cell says of a time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Moment {
    Instant(Millis),
    Local(NaiveDateTime),
    Date(NaiveDate),
    Time(NaiveTime),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unreadable {
    NoTime,
    /// The day could be the month.
    Order,
}

impl Moment {
    /// Whether it stands for none: `01.01.1900`, `9999-12-31`.
    pub fn is_nothing(self) -> bool {
        let year = match self {
            Moment::Instant(at) => DateTime::from_timestamp_millis(at).map(|time| time.year()),
            Moment::Local(time) => Some(time.year()),
            Moment::Date(date) => Some(date.year()),
            Moment::Time(_) => return false,
        };
        !year.is_some_and(|year| YEARS.contains(&year))
    }
}

/// Reads a time in any of the ways that leave no doubt. `order` decides about 03/04/2026.
pub fn parse(text: &str, order: Option<Order>) -> Result<Moment, Unreadable> {
    if let Some(moment) = number(text) {
        return Ok(moment);
    }
    let text = separated(text);
    let (text, offset) = split_offset(&text);
    let mut words = words_of(text);
    let time = take_time(&mut words)?;
    words.retain(|word| !is_filler(word));
    let date = if words.is_empty() { None } else { Some(date(&words.join(" "), order)?) };
    match (date, time, offset) {
        (Some(date), Some(time), Some(offset)) => {
            let at = date.and_time(time).and_local_timezone(offset).single();
            at.map(|at| Moment::Instant(at.timestamp_millis())).ok_or(Unreadable::NoTime)
        }
        (Some(date), Some(time), None) => Ok(Moment::Local(date.and_time(time))),
        (Some(date), None, None) => Ok(Moment::Date(date)),
        (None, Some(time), None) => Ok(Moment::Time(time)),
        (None, _, Some(_)) | (Some(_), None, Some(_)) | (None, None, None) => {
            Err(Unreadable::NoTime)
        }
    }
}

/// Which order a date shows by its size: 13/04/2026 can be read in one way only.
pub fn order_shown(text: &str) -> Option<Order> {
    let readable = |order| parse(text, Some(order)).is_ok();
    if parse(text, None) != Err(Unreadable::Order) && has_order(text) {
        return match (readable(Order::DayFirst), readable(Order::MonthFirst)) {
            (true, false) => Some(Order::DayFirst),
            (false, true) => Some(Order::MonthFirst),
            (true, true) | (false, false) => None,
        };
    }
    None
}

fn has_order(text: &str) -> bool {
    text.contains('/') || text.contains('-')
}

/// A spreadsheet's days, seconds or milliseconds since 1970, or digits without anything between.
fn number(text: &str) -> Option<Moment> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    match (digits, text.len()) {
        (true, 13) => return text.parse().ok().map(Moment::Instant),
        (true, 10) => return text.parse::<i64>().ok().map(|at| Moment::Instant(at * 1_000)),
        (true, 14) => return compact(text, "%Y%m%d%H%M%S"),
        (true, 12) => return compact(&format!("{text}00"), "%Y%m%d%H%M%S"),
        _ => {}
    }
    let is_number = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b','));
    let days: f64 = Some(text).filter(|_| is_number)?.replace(',', ".").parse().ok()?;
    if !digits && (0.0..1.0).contains(&days) {
        return Some(Moment::Time(NaiveTime::MIN + TimeDelta::seconds(seconds(days))));
    }
    let first = NaiveDate::from_ymd_opt(1899, 12, 30)?;
    if !SERIAL_DAYS.contains(&days) {
        return None;
    }
    if digits {
        return Some(Moment::Date(first + TimeDelta::days(days as i64)));
    }
    Some(Moment::Local(first.and_time(NaiveTime::MIN) + TimeDelta::seconds(seconds(days))))
}

/// A spreadsheet keeps a time as a fraction, which is a little off.
fn seconds(days: f64) -> i64 {
    (days * 86_400.0).round() as i64
}

fn compact(text: &str, format: &str) -> Option<Moment> {
    NaiveDateTime::parse_from_str(text, format).ok().map(Moment::Local)
}

/// Writes a space between a date and a time that a `T` or a point joins, and before am and pm.
fn separated(text: &str) -> String {
    let characters: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len() + 4);
    for (at, c) in characters.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|before| characters.get(before));
        let after = characters.get(at + 1);
        let between = before.is_some_and(char::is_ascii_digit);
        match c {
            'T' | 't' if between && after.is_some_and(char::is_ascii_digit) => out.push(' '),
            'a' | 'p' | 'A' | 'P' if between => {
                out.push(' ');
                out.push(*c);
            }
            c if c.is_whitespace() => out.push(' '),
            c => out.push(*c),
        }
    }
    out.trim().to_owned()
}

/// What follows the time of day: `Z`, `+01:00`, `+0100`, `UTC`.
fn split_offset(text: &str) -> (&str, Option<FixedOffset>) {
    let Some(colon) = text.find(':') else { return (text, None) };
    for name in ["Z", "z", "UTC", "GMT"] {
        if let Some(time) = text.strip_suffix(name) {
            return (time, FixedOffset::east_opt(0));
        }
    }
    let Some(sign) = text[colon..].rfind(['+', '-']).map(|at| at + colon) else {
        return (text, None);
    };
    // What follows a time may be a date: 18:05 01-03-2026.
    let is_date = text[colon..sign].contains(['-', '/']);
    match text[sign..].trim().parse() {
        Ok(offset) if !is_date => (&text[..sign], Some(offset)),
        Ok(_) | Err(_) => (text, None),
    }
}

/// A comma divides words, but not the second from its parts.
fn words_of(text: &str) -> Vec<&str> {
    let words = text.split(' ').flat_map(|word| {
        let parts: Vec<&str> = if word.contains(':') {
            vec![word.trim_matches(',')]
        } else {
            word.split(',').collect()
        };
        parts
    });
    words.filter(|word| !word.is_empty()).collect()
}

/// Takes the time of day out of the words, with its am or pm.
fn take_time(words: &mut Vec<&str>) -> Result<Option<NaiveTime>, Unreadable> {
    let Some(place) = words.iter().position(|word| word.contains(':')) else { return Ok(None) };
    let word = words.remove(place).replace(',', ".");
    let half = words.iter().position(|word| half_of_day(word).is_some());
    let half = half.and_then(|place| half_of_day(words.remove(place)));
    let mut parts = word.split(':');
    let mut next = || parts.next().unwrap_or("0");
    let (hour, minute, second) = (next(), next(), next());
    let number = |text: &str| text.parse::<u32>().map_err(|_| Unreadable::NoTime);
    let (second, fraction) = second.split_once('.').unwrap_or((second, ""));
    let millis = format!("{fraction:0<3}");
    let millis = number(millis.get(..3).ok_or(Unreadable::NoTime)?)?;
    let hour = match (number(hour)?, half) {
        (hour, None) => hour,
        (12, Some(is_afternoon)) => 12 * u32::from(is_afternoon),
        (hour @ 1..12, Some(is_afternoon)) => hour + 12 * u32::from(is_afternoon),
        (_, Some(_)) => return Err(Unreadable::NoTime),
    };
    let time = NaiveTime::from_hms_milli_opt(hour, number(minute)?, number(second)?, millis);
    time.filter(|_| parts.next().is_none()).map(Some).ok_or(Unreadable::NoTime)
}

/// Whether a word says afternoon, or morning.
fn half_of_day(word: &str) -> Option<bool> {
    match word.to_lowercase().replace('.', "").as_str() {
        "am" => Some(false),
        "pm" => Some(true),
        _ => None,
    }
}

/// Weekdays, `Uhr`, `um`, `at`.
fn is_filler(word: &str) -> bool {
    const FILLERS: &str = "\
        uhr um at mo di mi do fr sa so mon tue tues wed thu thur thurs fri sat sun montag \
        dienstag mittwoch donnerstag freitag samstag sonnabend sonntag monday tuesday wednesday \
        thursday friday saturday sunday";
    is_among(FILLERS, &word.trim_end_matches('.').to_lowercase())
}

fn date(text: &str, order: Option<Order>) -> Result<NaiveDate, Unreadable> {
    let bad = Unreadable::NoTime;
    if text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return NaiveDate::parse_from_str(text, "%Y%m%d").map_err(|_| bad);
    }
    let parts: Vec<&str> = text.split(['.', '/', '-', ' ']).filter(|p| !p.is_empty()).collect();
    let &[first, second, third] = parts.as_slice() else { return Err(bad) };
    let number = |text: &str| text.parse::<u32>().map_err(|_| bad);
    let (year, month, day) = if first.len() == 4 && number(first).is_ok() {
        (first, month(second).ok_or(bad)?, number(third)?)
    } else if number(first).is_err() {
        (third, month(first).ok_or(bad)?, number(second)?)
    } else if number(second).is_err() {
        (third, month(second).ok_or(bad)?, number(first)?)
    } else {
        let (first, second) = (number(first)?, number(second)?);
        let is_day_first = match order {
            _ if !text.contains(['/', '-']) => true,
            Some(order) => order == Order::DayFirst,
            None if first > 12 => true,
            None if second > 12 => false,
            None if first == second => true,
            None => return Err(Unreadable::Order),
        };
        if is_day_first { (third, second, first) } else { (third, first, second) }
    };
    let year = match (year.len(), number(year)?.cast_signed()) {
        (2, year) => 2000 + year,
        (4, year) => year,
        _ => return Err(bad),
    };
    NaiveDate::from_ymd_opt(year, month, day).ok_or(bad)
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

    fn local(text: &str) -> Moment {
        let time = NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f");
        Moment::Local(time.expect("a time"))
    }

    #[test]
    fn one_evening_is_read_however_it_is_written() {
        for text in [
            "2026-03-01 18:05",
            "2026-03-01T18:05:00",
            "2026/03/01 18:05:00.000",
            "01.03.2026 18:05",
            "1.3.26 18:05",
            "01.03.2026, 18:05 Uhr",
            "So., 01.03.2026 18:05",
            "1. März 2026 18:05",
            "1 Mar 2026 6:05 PM",
            "Mar 1, 2026 6:05pm",
            "Sunday, March 1, 2026 at 6:05 p.m.",
            "2026-03-01 06:05:00 PM",
            "20260301T18:05",
            "202603011805",
            "20260301180500",
            "46082.753472222",
            "46082,75347222",
            "01-Mar-2026 18:05",
            "1.3.2026 18:5",
        ] {
            assert_eq!(parse(text, None), Ok(local("2026-03-01 18:05:00")), "{text}");
        }
        let at = Ok(Moment::Instant(1_772_384_700_000));
        for text in [
            "2026-03-01T17:05Z",
            "2026-03-01T18:05:00.000+01:00",
            "2026-03-01 18:05 +0100",
            "2026-03-01 17:05:00 UTC",
            "1772384700",
            "1772384700000",
        ] {
            assert_eq!(parse(text, None), at, "{text}");
        }
    }

    #[test]
    fn what_could_be_two_days_is_neither_without_a_word() {
        assert_eq!(parse("03/04/2026 10:00", None), Err(Unreadable::Order));
        assert_eq!(parse("03-04-2026 10:00", None), Err(Unreadable::Order));
        let day = parse("03/04/2026 10:00", Some(Order::DayFirst));
        let month = parse("03/04/2026 10:00", Some(Order::MonthFirst));
        assert_eq!(day, Ok(local("2026-04-03 10:00:00")));
        assert_eq!(month, Ok(local("2026-03-04 10:00:00")));
        assert_eq!(parse("13/04/2026 10:00", Some(Order::MonthFirst)), Err(Unreadable::NoTime));
        assert_eq!(order_shown("13/04/2026"), Some(Order::DayFirst));
        assert_eq!(order_shown("04/13/2026 10:00"), Some(Order::MonthFirst));
        assert_eq!((order_shown("03/04/2026"), order_shown("2026-03-04")), (None, None));
        for text in ["gestern", "2026-13-01 10:00", "10:60", "25:00", "12345678901", "1:2:3:4", "ä"]
        {
            assert_eq!(parse(text, None), Err(Unreadable::NoTime), "{text}");
        }
    }
}
