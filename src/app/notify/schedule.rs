//! When which digest is due, on the gym's own clock. Pure.

use chrono::{Datelike, Timelike, Weekday};
use chrono_tz::Tz;

use crate::app::config::Want;
use crate::domain::calendar::{Bucket, Day, Interval, buckets, day_of, day_start, local};
use crate::domain::{DAY, Millis};

/// A digest that was missed is sent late, but only when it is less than this old.
pub const LATE_MAX: Millis = DAY;

/// Over what a digest is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Period {
    Day,
    Week,
}

impl Period {
    /// Its name, also in the database.
    pub fn name(self) -> &'static str {
        match self {
            Period::Day => "daily",
            Period::Week => "weekly",
        }
    }

    pub fn want(self) -> Want {
        match self {
            Period::Day => Want::Daily,
            Period::Week => Want::Weekly,
        }
    }

    /// The day itself, or the week that holds it.
    pub fn around(self, zone: Tz, day: Day) -> Bucket {
        let (first, days) = match self {
            Period::Day => (day, 1),
            Period::Week => (day.week().first_day(), 7),
        };
        Bucket { from: day_start(zone, first), until: day_start(zone, first.plus(days)) }
    }

    /// The last whole period before a local day.
    pub fn before(self, zone: Tz, day: Day) -> Bucket {
        match self {
            Period::Day => self.around(zone, day.plus(-1)),
            Period::Week => self.around(zone, day.plus(-7)),
        }
    }
}

/// The digests that should have gone out by now and are not too old to go out still.
pub fn due(zone: Tz, hour: u32, now: Millis) -> Vec<(Period, Bucket)> {
    let today = day_of(zone, now);
    let days = [today, today.plus(-1)].into_iter();
    let late = |day: &Day| now - hour_of(zone, *day, hour);
    let Some(day) = days.into_iter().find(|day| (0..LATE_MAX).contains(&late(day))) else {
        return vec![];
    };
    let mut due = vec![(Period::Day, Period::Day.before(zone, day))];
    if day.date().weekday() == Weekday::Mon {
        due.push((Period::Week, Period::Week.before(zone, day)));
    }
    due
}

/// When the hour begins on a day; where a clock change skips it, when the next does.
fn hour_of(zone: Tz, day: Day, hour: u32) -> Millis {
    let (from, until) = (day_start(zone, day), day_start(zone, day.plus(1)));
    let mut hours = buckets(zone, from, until, Interval::Hour);
    let found = hours.find(|bucket| local(zone, bucket.from).hour() >= hour);
    found.map_or(until, |bucket| bucket.from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::DateTime;

    const ZONE: Tz = chrono_tz::Europe::Berlin;

    /// What is due then, by the local days it is about.
    fn due_at(zone: Tz, hour: u32, at: &str) -> Vec<String> {
        let now = DateTime::parse_from_rfc3339(at).unwrap().timestamp_millis();
        let shown = |at| local(zone, at).format("%m-%d").to_string();
        let due = due(zone, hour, now).into_iter();
        due.map(|(period, range)| {
            format!("{} {} {}", period.name(), shown(range.from), shown(range.until))
        })
        .collect()
    }

    #[test]
    fn the_daily_one_is_due_at_its_hour_and_for_a_day() {
        assert_eq!(due_at(ZONE, 7, "2026-03-04T07:00:00+01:00"), ["daily 03-03 03-04"]);
        assert_eq!(due_at(ZONE, 7, "2026-03-05T06:59:59+01:00"), ["daily 03-03 03-04"]);
        let new_york = chrono_tz::America::New_York;
        assert_eq!(due_at(new_york, 7, "2026-03-04T11:59:00Z"), ["daily 03-02 03-03"]);
        assert_eq!(due_at(new_york, 7, "2026-03-04T12:00:00Z"), ["daily 03-03 03-04"]);
    }

    #[test]
    fn the_weekly_one_is_due_on_monday() {
        let both = ["daily 03-01 03-02", "weekly 02-23 03-02"];
        assert_eq!(due_at(ZONE, 7, "2026-03-02T07:00:00+01:00"), both);
        assert_eq!(due_at(ZONE, 7, "2026-03-03T06:59:00+01:00"), both);
        assert_eq!(due_at(ZONE, 7, "2026-03-02T06:59:00+01:00"), ["daily 02-28 03-01"]);
    }

    #[test]
    fn clock_changes_move_it_with_the_gyms_clock() {
        assert_eq!(due_at(ZONE, 7, "2026-03-29T05:00:00Z"), ["daily 03-28 03-29"]);
        assert_eq!(due_at(ZONE, 2, "2026-03-29T00:59:00Z"), ["daily 03-27 03-28"]);
        assert_eq!(due_at(ZONE, 2, "2026-03-29T01:00:00Z"), ["daily 03-28 03-29"], "2:00 is 3:00");
        let after = due_at(ZONE, 7, "2026-10-26T06:00:00Z");
        assert_eq!(after, ["daily 10-25 10-26", "weekly 10-19 10-26"]);
        let too_old: [&str; 0] = [];
        assert_eq!(due_at(ZONE, 7, "2026-10-25T05:30:00Z"), too_old, "that day has 25 hours");
    }
}
