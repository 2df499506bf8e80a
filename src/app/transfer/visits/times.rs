//! Times as people and programs write them.

use chrono::{DateTime, Datelike, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta};

use super::dates::{Order, date};
use super::words::is_among;
use crate::domain::{HOUR, MINUTE, Millis};

/// Days of a spreadsheet since 30 December 1899 that are believed to be a date: 1954 to 2119.
const SERIAL_DAYS: std::ops::Range<f64> = 20_000.0..80_000.0;
/// Years that stand for "no date" in one system or another are outside of it.
const YEARS: std::ops::Range<i32> = 1971..9999;

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
    pub fn year(self) -> Option<i32> {
        match self {
            Moment::Instant(at) => DateTime::from_timestamp_millis(at).map(|time| time.year()),
            Moment::Local(time) => Some(time.year()),
            Moment::Date(date) => Some(date.year()),
            Moment::Time(_) => None,
        }
    }

    /// Whether it stands for none: `01.01.1900`, `9999-12-31`.
    pub fn is_nothing(self) -> bool {
        if matches!(self, Moment::Time(_)) {
            return false;
        }
        !self.year().is_some_and(|year| YEARS.contains(&year))
    }
}

/// Reads a time in any of the ways that leave no doubt. A date like 03/04/2026 leaves none when all
/// of `orders` in which it can be read give one day.
pub fn parse(text: &str, orders: &[Order]) -> Result<Moment, Unreadable> {
    if let Some(moment) = number(text) {
        return Ok(moment);
    }
    let is_joined = is_joined(text);
    let text = separated(text);
    let (text, offset) = split_offset(&text, is_joined);
    let mut words = words_of(text);
    let time = take_time(&mut words)?;
    words.retain(|word| !is_filler(word));
    let date = if words.is_empty() { None } else { Some(date(&words.join(" "), orders)?) };
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
    // A spreadsheet writes 0.0208333 for half past midnight. 00.30 is the same by a clock.
    let is_clock = text.starts_with("00") || (text.len() == 4 && text.ends_with('0'));
    if !digits && !is_clock && (0.0..1.0).contains(&days) {
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

/// Whether a `T` joins a date and a time.
fn is_joined(text: &str) -> bool {
    let digits_around = |at: usize| {
        let before = text[..at].ends_with(|c: char| c.is_ascii_digit());
        before && text[at + 1..].starts_with(|c: char| c.is_ascii_digit())
    };
    text.match_indices(['T', 't']).any(|(at, _)| digits_around(at))
}

/// What follows the time of day: `Z`, `+01:00`, `+0100`, `+01`, `UTC`.
fn split_offset(text: &str, is_joined: bool) -> (&str, Option<FixedOffset>) {
    let Some(colon) = text.find(':') else { return (text, None) };
    for name in ["Z", "z", "UTC", "GMT"] {
        if let Some(time) = text.strip_suffix(name) {
            return (time, FixedOffset::east_opt(0));
        }
    }
    let Some(sign) = text[colon..].rfind(['+', '-']).map(|at| at + colon) else {
        return (text, None);
    };
    let (time, said) = (&text[colon..sign], text[sign..].trim());
    // What follows a time may be a date, or when a visit ended: 18:05 01-03-2026, 10:00-11:00.
    let is_date = time.contains(['-', '/']);
    let is_end = !is_joined && time.matches(':').count() == 1 && said.starts_with('-');
    if is_date || (is_end && said.contains(':')) {
        return (text, None);
    }
    let whole_hours = said.len() == 3 && said[1..].bytes().all(|byte| byte.is_ascii_digit());
    let said = if whole_hours { format!("{said}:00") } else { said.to_owned() };
    match said.parse() {
        Ok(offset) if is_somewhere(offset) => (&text[..sign], Some(offset)),
        Ok(_) | Err(_) => (text, None),
    }
}

/// Whether clocks are so far from UTC anywhere.
fn is_somewhere(offset: FixedOffset) -> bool {
    let millis = i64::from(offset.local_minus_utc()) * 1_000;
    (-12 * HOUR..=14 * HOUR).contains(&millis) && millis % (15 * MINUTE) == 0
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::transfer::visits::dates::ORDERS;

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
            assert_eq!(parse(text, &ORDERS), Ok(local("2026-03-01 18:05:00")), "{text}");
        }
        let at = Ok(Moment::Instant(1_772_384_700_000));
        for text in [
            "2026-03-01T17:05Z",
            "2026-03-01T18:05:00.000+01:00",
            "2026-03-01 18:05 +0100",
            "2026-03-01 18:05:00+01",
            "2026-03-01 12:05:00.000-05",
            "2026-03-01T12:05-05:00",
            "2026-03-01 17:05:00 UTC",
            "1772384700",
            "1772384700000",
        ] {
            assert_eq!(parse(text, &ORDERS), at, "{text}");
        }
    }

    #[test]
    fn what_is_no_time_or_two_is_not_read() {
        for text in [
            "gestern",
            "2026-13-01 10:00",
            "10:60",
            "25:00",
            "12345678901",
            "1:2:3:4",
            "ä",
            "2026-03-01 10:00-11:00",
            "2026-03-01 18:05-19:20",
            "2026-03-01 18:05:00-19:20",
            "2026-03-01 18:05:00+00:20",
            "00.30",
            "0.30",
        ] {
            assert_eq!(parse(text, &ORDERS), Err(Unreadable::NoTime), "{text}");
        }
    }
}
