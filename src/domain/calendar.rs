//! Local time: days, ISO weeks, months and the buckets of a report in a gym's IANA time zone
//! (model section 4, buckets).

use chrono::{DateTime, Datelike, FixedOffset, NaiveDate, Offset, TimeZone};
use chrono_tz::Tz;

use super::event::EARLIEST_AT;
use super::offset::offset_at;
use super::tally::utc_day;
use super::{DAY, HOUR, Millis, QUARTER};

/// How many days 1970-01-01 lies after a Monday.
const EPOCH_WEEKDAY: i32 = 3;
/// A week of 168 hours, in milliseconds.
const WEEK: Millis = 7 * DAY;
/// No zone is further ahead of UTC.
const ZONE_AHEAD_MAX: Millis = 15 * HOUR;

/// A local date, in days since 1970-01-01.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Day(pub i32);

/// A local ISO week, from Monday, in weeks since the one that holds 1970-01-01.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Week(pub i32);

/// A local month: year × 12 + month − 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Month(pub i32);

impl Day {
    pub fn from_date(date: NaiveDate) -> Day {
        Day(date.to_epoch_days())
    }

    pub fn date(self) -> NaiveDate {
        NaiveDate::from_epoch_days(self.0).expect("days come from dates")
    }

    pub fn week(self) -> Week {
        Week((self.0 + EPOCH_WEEKDAY).div_euclid(7))
    }

    pub fn month(self) -> Month {
        let date = self.date();
        Month(date.year() * 12 + date.month0().cast_signed())
    }

    /// 1 to 31.
    pub fn day_of_month(self) -> u32 {
        self.date().day()
    }

    pub fn plus(self, days: i32) -> Day {
        Day(self.0 + days)
    }
}

impl Week {
    /// Its Monday.
    pub fn first_day(self) -> Day {
        Day(self.0 * 7 - EPOCH_WEEKDAY)
    }
}

impl Month {
    pub fn first_day(self) -> Day {
        let month = self.0.rem_euclid(12).unsigned_abs() + 1;
        let date = NaiveDate::from_ymd_opt(self.0.div_euclid(12), month, 1);
        Day::from_date(date.expect("the first of a month exists"))
    }
}

/// How long a bucket is, in local time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Interval {
    Quarter,
    Hour,
    Day,
    Week,
    Month,
}

/// One bucket of a report, `[from, until)`. At the edges of a range it may be a part of its
/// interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bucket {
    pub from: Millis,
    pub until: Millis,
}

/// The earliest instant that is shown, 0001-01-01: what is before is shown as this.
const SHOWN_FROM: Millis = -62_135_596_800_000;
/// The latest, a day before the end of the year 9999: RFC 3339 has four digits for a year.
const SHOWN_UNTIL: Millis = 253_402_214_400_000;

/// An instant as the gym's clock shows it, with its offset: how every report names a time.
pub fn local(zone: Tz, at: Millis) -> DateTime<FixedOffset> {
    let at = at.clamp(SHOWN_FROM, SHOWN_UNTIL);
    let seconds = i32::try_from(offset_at(zone, at) / 1_000).ok();
    let offset = seconds.and_then(FixedOffset::east_opt).expect("offsets are within a day");
    let local = offset.timestamp_millis_opt(at).single();
    local.expect("an instant of four-digit years exists on every clock")
}

/// The local date at an instant.
pub fn day_of(zone: Tz, at: Millis) -> Day {
    Day(utc_day(at + offset_at(zone, at)))
}

/// The local weekday (1 = Monday) and hour (0–23) at an instant.
pub fn weekday_and_hour(zone: Tz, at: Millis) -> (u32, u32) {
    let shown = at + offset_at(zone, at);
    let weekday = (utc_day(shown) + EPOCH_WEEKDAY).rem_euclid(7) + 1;
    (weekday.unsigned_abs(), (shown.rem_euclid(DAY) / HOUR) as u32)
}

/// The first instant of a local date. Where a clock change skips midnight, the first that exists.
pub fn day_start(zone: Tz, day: Day) -> Millis {
    let midnight = day.date().and_hms_opt(0, 0, 0).expect("midnight is a time");
    let mut at = match zone.from_local_datetime(&midnight) {
        chrono::LocalResult::Single(start) => return start.timestamp_millis(),
        chrono::LocalResult::Ambiguous(earlier, _) => return earlier.timestamp_millis(),
        chrono::LocalResult::None => midnight.and_utc().timestamp_millis() - ZONE_AHEAD_MAX,
    };
    while day_of(zone, at) < day {
        at += QUARTER;
    }
    at
}

/// Widens a range to whole buckets.
pub fn widen_to(zone: Tz, from: Millis, until: Millis, interval: Interval) -> (Millis, Millis) {
    (start_of(zone, from, interval), next_start(zone, until - 1, interval))
}

/// The range of whole local days that a range touches.
pub fn days_touched(zone: Tz, from: Millis, until: Millis) -> (Day, Day) {
    (day_of(zone, from), day_of(zone, until - 1).plus(1))
}

/// The range some whole weeks earlier on the local clock. Of the start of a day, the start of that
/// day; a time that a clock change skips there stands for the first instant after it; of a doubled
/// one, that with the offset of `at`, if there is one. A doubled end is the earlier where the later
/// would reach beyond `not_after`. Where clocks are put back between the two ends of a range, the
/// end may show no later time than the start: then it is as long as the range.
pub fn weeks_earlier(zone: Tz, range: Bucket, weeks: i32, not_after: Millis) -> Bucket {
    let (from, [until, earlier]) =
        (days_earlier(zone, range.from, weeks * 7)[0], days_earlier(zone, range.until, weeks * 7));
    let until = if until <= not_after { until } else { earlier };
    let until = if until > from { until } else { from + (range.until - range.from) };
    Bucket { from, until }
}

/// The range before: earlier by the smallest number of weeks that is at least as long, and over by
/// the time the range begins (model section 4, comparison).
pub fn weeks_to_previous(zone: Tz, range: Bucket) -> i32 {
    let weeks = (range.until - range.from + WEEK - 1) / WEEK;
    let weeks = i32::try_from(weeks).expect("ranges are some decades long");
    let is_over = |weeks: &i32| weeks_earlier(zone, range, *weeks, range.from).until <= range.from;
    (weeks..weeks + 3).find(is_over).expect("two weeks more are enough, whatever clocks do")
}

/// The instant that shows the same time of day, some local days earlier, and the earliest that does.
fn days_earlier(zone: Tz, at: Millis, days: i32) -> [Millis; 2] {
    let day = day_of(zone, at);
    if at == day_start(zone, day) {
        return [day_start(zone, day.plus(-days)); 2];
    }
    let shown = local(zone, at);
    let earlier = shown.naive_local() - chrono::Days::new(u64::from(days.unsigned_abs()));
    match zone.from_local_datetime(&earlier) {
        chrono::LocalResult::Single(found) => [found.timestamp_millis(); 2],
        chrono::LocalResult::Ambiguous(first, second) => {
            let same_offset = second.offset().fix() == shown.offset().fix();
            let found = if same_offset { &second } else { &first };
            [found, &first].map(|found| found.timestamp_millis())
        }
        chrono::LocalResult::None => [after_skipped(zone, earlier); 2],
    }
}

/// The first instant after a local time that a clock change skips.
fn after_skipped(zone: Tz, skipped: chrono::NaiveDateTime) -> Millis {
    let shows = |at| local(zone, at).naive_local();
    let mut at = skipped.and_utc().timestamp_millis() - ZONE_AHEAD_MAX;
    at -= at.rem_euclid(QUARTER);
    while shows(at) < skipped {
        at += QUARTER;
    }
    at
}

/// The start of the local day that has the same date some months earlier, or the last of that month;
/// of more months than there is time, the earliest of all events.
pub fn months_earlier(zone: Tz, at: Millis, months: u32) -> Millis {
    let date = day_of(zone, at).date();
    let earlier = date.checked_sub_months(chrono::Months::new(months));
    let earlier = earlier.map(Day::from_date).filter(|day| *day > day_of(Tz::UTC, EARLIEST_AT));
    earlier.map_or(EARLIEST_AT, |day| day_start(zone, day))
}

/// Cuts a range of whole quarters into its buckets, all of them, none empty.
pub fn buckets(
    zone: Tz,
    from: Millis,
    until: Millis,
    interval: Interval,
) -> impl Iterator<Item = Bucket> {
    let mut at = from;
    std::iter::from_fn(move || {
        let from = at;
        at = if from < until { next_start(zone, from, interval).min(until) } else { from };
        (from < until).then_some(Bucket { from, until: at })
    })
}

/// The start of the bucket after the one that holds `at`.
pub fn next_start(zone: Tz, at: Millis, interval: Interval) -> Millis {
    let day = || day_of(zone, at);
    match interval {
        Interval::Quarter => at - at.rem_euclid(QUARTER) + QUARTER,
        Interval::Hour => next_hour(zone, at),
        Interval::Day => day_start(zone, day().plus(1)),
        Interval::Week => day_start(zone, Week(day().week().0 + 1).first_day()),
        Interval::Month => day_start(zone, Month(day().month().0 + 1).first_day()),
    }
}

/// The start of the bucket that holds `at`.
pub fn start_of(zone: Tz, at: Millis, interval: Interval) -> Millis {
    let day = || day_of(zone, at);
    match interval {
        Interval::Quarter => at - at.rem_euclid(QUARTER),
        Interval::Hour => start_of_hour(zone, at),
        Interval::Day => day_start(zone, day()),
        Interval::Week => day_start(zone, day().week().first_day()),
        Interval::Month => day_start(zone, day().month().first_day()),
    }
}

/// Hours are elapsed hours: a clock change begins a new one, so that the doubled hour appears
/// twice, with different offsets, also where clocks change by half an hour.
fn next_hour(zone: Tz, at: Millis) -> Millis {
    let offset = offset_at(zone, at);
    let next = at + HOUR - (at + offset).rem_euclid(HOUR);
    if offset_at(zone, next) == offset {
        return next;
    }
    let mut change = at - at.rem_euclid(QUARTER) + QUARTER;
    while change < next && offset_at(zone, change) == offset {
        change += QUARTER;
    }
    change
}

fn start_of_hour(zone: Tz, at: Millis) -> Millis {
    let offset = offset_at(zone, at);
    let whole = at - (at + offset).rem_euclid(HOUR);
    let mut start = at - at.rem_euclid(QUARTER);
    while start > whole && offset_at(zone, start - QUARTER) == offset {
        start -= QUARTER;
    }
    start.max(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Millis {
        DateTime::parse_from_rfc3339(text).expect("a time").timestamp_millis()
    }

    fn names(zone: Tz, from: &str, until: &str, interval: Interval) -> Vec<String> {
        let buckets = buckets(zone, at(from), at(until), interval);
        buckets.map(|bucket| local(zone, bucket.from).to_rfc3339()).collect()
    }

    #[test]
    fn every_zone_is_whole_quarters_from_utc_since_2015() {
        for zone in chrono_tz::TZ_VARIANTS {
            for month in 0..12 * 30 {
                let start = day_start(zone, Month(2015 * 12 + month).first_day());
                assert_eq!(offset_at(zone, start) % QUARTER, 0, "{zone}");
                assert_eq!(start % QUARTER, 0, "{zone}");
            }
        }
    }

    #[test]
    fn clock_changes_make_days_of_23_and_25_hours() {
        let zone = chrono_tz::Europe::Berlin;
        let day = |date: &str| {
            let day = Day::from_date(date.parse().expect("a date"));
            (day_start(zone, day.plus(1)) - day_start(zone, day)) / HOUR
        };
        assert_eq!((day("2026-03-29"), day("2026-10-25"), day("2026-06-01")), (23, 25, 24));
        assert_eq!(
            names(zone, "2026-10-25T00:00:00Z", "2026-10-25T02:00:00Z", Interval::Hour),
            ["2026-10-25T02:00:00+02:00", "2026-10-25T02:00:00+01:00"],
        );
    }

    #[test]
    fn half_hour_changes_begin_an_hour_of_their_own() {
        let zone = chrono_tz::Australia::Lord_Howe;
        assert_eq!(
            names(zone, "2026-04-04T14:00:00Z", "2026-04-04T16:30:00Z", Interval::Hour),
            ["2026-04-05T01:00:00+11:00", "2026-04-05T01:30:00+10:30", "2026-04-05T02:00:00+10:30",],
        );
        let change = at("2026-04-04T15:00:00Z");
        assert_eq!(start_of(zone, change + QUARTER, Interval::Hour), change);
        assert_eq!(start_of(zone, change - QUARTER, Interval::Hour), at("2026-04-04T14:00:00Z"));
    }

    #[test]
    fn a_midnight_that_does_not_exist_begins_at_the_first_instant_that_does() {
        let zone = chrono_tz::America::Santiago;
        let day = Day::from_date("2026-09-06".parse().expect("a date"));
        assert_eq!(local(zone, day_start(zone, day)).to_rfc3339(), "2026-09-06T01:00:00-03:00");
    }

    fn previous(zone: Tz, from: &str, until: &str) -> [String; 2] {
        let range = Bucket { from: at(from), until: at(until) };
        let weeks = weeks_to_previous(zone, range);
        let that = weeks_earlier(zone, range, weeks, range.from);
        assert!(that.from < that.until && that.until <= range.from, "{that:?}");
        [that.from, that.until].map(|at| local(zone, at).to_rfc3339())
    }

    #[test]
    fn the_range_before_is_weeks_earlier_and_does_not_overlap() {
        let zone = chrono_tz::Europe::Berlin;
        assert_eq!(
            previous(zone, "2026-03-30T06:00:00+02:00", "2026-03-31T06:00:00+02:00"),
            ["2026-03-23T06:00:00+01:00", "2026-03-24T06:00:00+01:00"],
        );
        // A skipped time stands for the first instant after it.
        assert_eq!(
            previous(zone, "2026-04-05T02:15:00+02:00", "2026-04-05T03:30:00+02:00"),
            ["2026-03-29T03:00:00+02:00", "2026-03-29T03:30:00+02:00"],
        );
        // From one instant of a doubled time to the other, and to one that shows an earlier time:
        // an hour and half an hour.
        assert_eq!(
            previous(zone, "2026-10-25T02:00:00+02:00", "2026-10-25T02:00:00+01:00"),
            ["2026-10-18T02:00:00+02:00", "2026-10-18T03:00:00+02:00"],
        );
        assert_eq!(
            previous(zone, "2026-10-25T02:45:00+02:00", "2026-10-25T02:15:00+01:00"),
            ["2026-10-18T02:45:00+02:00", "2026-10-18T03:15:00+02:00"],
        );
        assert_eq!(
            previous(
                chrono_tz::Antarctica::Casey,
                "2018-03-11T03:30:00+11:00",
                "2018-03-11T02:30:00+08:00",
            ),
            ["2018-03-04T03:30:00+11:00", "2018-03-04T05:30:00+11:00"],
        );
        assert_eq!(
            previous(zone, "2026-11-01T01:30:00+01:00", "2026-11-01T02:30:00+01:00"),
            ["2026-10-25T01:30:00+02:00", "2026-10-25T02:30:00+01:00"],
        );
        // Lengths are elapsed time: the week with an hour more is longer than one week.
        assert_eq!(
            previous(zone, "2026-10-19T00:00:00+02:00", "2026-10-26T00:00:00+01:00"),
            ["2026-10-05T00:00:00+02:00", "2026-10-12T00:00:00+02:00"],
        );
        // 168 hours over a skipped one end an hour too late a week before.
        assert_eq!(
            previous(zone, "2026-03-29T00:00:00+01:00", "2026-04-05T01:00:00+02:00"),
            ["2026-03-15T00:00:00+01:00", "2026-03-22T01:00:00+01:00"],
        );
    }

    #[test]
    fn weeks_are_iso_and_buckets_are_cut_to_the_range() {
        let zone = chrono_tz::Europe::Berlin;
        assert_eq!(
            names(zone, "2026-03-04T23:00:00Z", "2026-03-16T23:00:00Z", Interval::Week),
            ["2026-03-05T00:00:00+01:00", "2026-03-09T00:00:00+01:00", "2026-03-16T00:00:00+01:00"],
        );
        assert_eq!(Day(0).week(), Day(-3).week());
        assert_ne!(Day(-4).week(), Day(-3).week());
        assert_eq!(Day(0).month(), Month(1970 * 12));
        assert_eq!(widen_to(zone, 1, QUARTER + 1, Interval::Quarter), (0, 2 * QUARTER));
        assert_eq!(buckets(zone, 0, 0, Interval::Quarter).count(), 0);
    }
}
