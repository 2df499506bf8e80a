//! The gym's calendar: local days, weeks and hours, found by walking from quarter hour to quarter
//! hour and looking at the clock on the wall.
//!
//! Every offset and every clock change since 2015 falls on a whole quarter hour of UTC, so a walk
//! in such steps misses nothing, and needs to know nothing about gaps and doubled hours.

use chrono::{
    DateTime, Datelike, Days, NaiveDate, NaiveTime, Offset, SecondsFormat, TimeZone, Timelike,
};
use chrono_tz::Tz;

use super::Interval;

pub const MINUTE: i64 = 60_000;
pub const HOUR: i64 = 60 * MINUTE;
pub const QUARTER: i64 = 15 * MINUTE;

/// `[from, until)` in UTC milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub from: i64,
    pub until: i64,
}

impl Span {
    pub fn holds(self, at: i64) -> bool {
        self.from <= at && at < self.until
    }

    pub fn overlaps(self, other: Span) -> bool {
        self.from < other.until && other.from < self.until
    }
}

pub fn local(zone: Tz, at: i64) -> DateTime<Tz> {
    zone.timestamp_millis_opt(at).single().expect("a time of this century")
}

pub fn local_date(zone: Tz, at: i64) -> NaiveDate {
    local(zone, at).date_naive()
}

/// The Monday of the ISO week that holds the instant.
pub fn monday(zone: Tz, at: i64) -> NaiveDate {
    let date = local_date(zone, at);
    days_before(date, u64::from(date.weekday().num_days_from_monday()))
}

pub fn days_before(date: NaiveDate, days: u64) -> NaiveDate {
    date.checked_sub_days(Days::new(days)).expect("a day of this century")
}

pub fn days_after(date: NaiveDate, days: u64) -> NaiveDate {
    date.checked_add_days(Days::new(days)).expect("a day of this century")
}

/// The first existing instant of a local day.
pub fn day_start(zone: Tz, date: NaiveDate) -> i64 {
    // No zone is as much as 24 hours ahead of UTC.
    let mut at = days_before(date, 1).and_time(NaiveTime::MIN).and_utc().timestamp_millis();
    while local_date(zone, at) < date {
        at += QUARTER;
    }
    at
}

/// 0 for the hour that begins on Monday at midnight, 167 for the last one of Sunday.
pub fn hour_of_week(zone: Tz, at: i64) -> usize {
    let local = local(zone, at);
    (local.weekday().num_days_from_monday() * 24 + local.hour()) as usize
}

/// With the gym's offset in digits, to the second.
pub fn rfc3339(zone: Tz, at: i64) -> String {
    local(zone, at).to_rfc3339_opts(SecondsFormat::Secs, false)
}

/// The buckets of the range, cut to it at both ends. The range is whole quarter hours.
pub fn buckets(zone: Tz, interval: Interval, range: Span) -> Vec<Span> {
    let mut buckets: Vec<Span> = Vec::new();
    let mut current = None;
    let mut quarter = range.from;
    while quarter < range.until {
        let label = Label::of(zone, interval, quarter);
        if current != Some(label) {
            buckets.push(Span { from: quarter, until: quarter });
            current = Some(label);
        }
        quarter += QUARTER;
        buckets.last_mut().expect("the first quarter opens a bucket").until = quarter;
    }
    buckets
}

/// The range, widened outward to whole buckets, and to whole quarter hours in any case.
pub fn widen(zone: Tz, interval: Interval, range: Span) -> Span {
    let label = |quarter| Label::of(zone, interval, quarter);
    let mut from = range.from.div_euclid(QUARTER) * QUARTER;
    let mut until = (range.until + QUARTER - 1).div_euclid(QUARTER) * QUARTER;
    while label(from - QUARTER) == label(from) {
        from -= QUARTER;
    }
    while label(until) == label(until - QUARTER) {
        until += QUARTER;
    }
    Span { from, until }
}

/// What two quarter hours have in common when they lie in one bucket.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Label {
    Quarter(i64),
    /// With the offset in seconds, so that the hour a clock change repeats is another one.
    Hour(NaiveDate, u32, i32),
    Day(NaiveDate),
    /// By its Monday.
    Week(NaiveDate),
    Month(i32, u32),
}

impl Label {
    fn of(zone: Tz, interval: Interval, quarter: i64) -> Label {
        let local = local(zone, quarter);
        let date = local.date_naive();
        match interval {
            Interval::M15 => Label::Quarter(quarter),
            Interval::H1 => Label::Hour(date, local.hour(), local.offset().fix().local_minus_utc()),
            Interval::D1 => Label::Day(date),
            Interval::W1 => Label::Week(monday(zone, quarter)),
            Interval::Mo1 => Label::Month(date.year(), date.month()),
        }
    }
}
