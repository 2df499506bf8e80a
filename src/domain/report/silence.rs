//! Silent spans: when a gym sent nothing although its own past made an event all but certain
//! (model section 4, silent span).
//!
//! Found on whole minutes, since that is what the tallies of events know. All sums are whole
//! numbers, so the answer does not depend on rounding.
//!
//! Every report asks for them, to tell which of its buckets are complete. So the hours are laid out
//! once, and the events and the runs between them are walked along these.

use chrono_tz::Tz;

use super::Series;
use crate::domain::calendar::{
    Bucket, Day, Interval, Week, buckets, day_of, day_start, start_of, weekday_and_hour,
};
use crate::domain::{DAY, MINUTE, Millis};

/// What is usual is learned from at most this many complete weeks before the span.
pub const WEEKS_MAX: i32 = 8;
/// With fewer weeks than this, nothing is called silent.
pub const WEEKS_MIN: i64 = 4;
/// A run without events is silent when this many were to be expected: chance leaves it with a
/// probability under 1 in 100,000.
pub const EXPECTED_MIN: i64 = 12;

const HOURS_OF_WEEK: usize = 168;
const MINUTES_OF_HOUR: i64 = 60;

/// A time without events, `[from, until)`, of whole minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    pub from: Millis,
    pub until: Millis,
}

impl Span {
    pub fn touches(&self, bucket: Bucket) -> bool {
        self.from < bucket.until && bucket.from < self.until
    }
}

/// Whether the bucket's end has passed and no silent span touches it.
pub fn is_complete(bucket: Bucket, silent: &[Span], now: Millis) -> bool {
    bucket.until <= now && !silent.iter().any(|span| span.touches(bucket))
}

/// Whether there are weeks enough before an instant to call anything silent then.
pub fn can_be_told(zone: Tz, first_event: Millis, at: Millis) -> bool {
    let (first, week) = (day_of(zone, first_event), day_of(zone, at).week().0);
    let exists = |week: &i32| Week(*week).first_day() >= first;
    (week - WEEKS_MAX..week).filter(exists).map(|_| 1).sum::<i64>() >= WEEKS_MIN
}

/// The silent spans among the runs without events in `events`, the family `Events` from
/// [`WEEKS_MAX`] weeks before the first run to the end of the last, in order.
pub fn spans(events: &Series, zone: Tz, first_event: Millis, now: Millis) -> Vec<Span> {
    let this_minute = now - now.rem_euclid(MINUTE);
    let minutes: Vec<_> = minutes(events).take_while(|(at, _)| *at <= now).collect();
    let Some((first, _)) = minutes.first().copied() else { return vec![] };
    let hours = hours(zone, &minutes, this_minute);
    let (first_week, last_week) = (hours[0].week, hours[hours.len() - 1].week);
    let rates = rates(&hours, first_week, last_week, day_of(zone, first_event));
    let mut spans = Vec::new();
    let (mut place, mut previous) = (0, first);
    for at in minutes[1..].iter().map(|(at, _)| *at).chain([this_minute]) {
        let run = Span { from: previous + MINUTE, until: at };
        previous = at;
        while hours[place].until <= run.from {
            place += 1;
        }
        let rates = &rates[(hours[place].week.0 - first_week.0).unsigned_abs() as usize];
        let ahead = hours[place..].iter().map(|hour| (hour.bucket(), hour.of_week));
        if rates.makes_silent(run, ahead) {
            spans.push(run);
        }
    }
    spans
}

/// Every minute that holds events, in order, with how many.
fn minutes(events: &Series) -> impl Iterator<Item = (Millis, i64)> + '_ {
    events.0.iter().flat_map(|(day, cells)| {
        let start = Millis::from(*day) * DAY;
        cells.iter().map(move |(minute, count)| (start + Millis::from(minute) * MINUTE, count))
    })
}

/// A local hour.
struct Hour {
    from: Millis,
    until: Millis,
    week: Week,
    of_week: usize,
    events: i64,
}

impl Hour {
    fn bucket(&self) -> Bucket {
        Bucket { from: self.from, until: self.until }
    }
}

/// The local hours from the first of these minutes to the one after `until`, with what they hold.
fn hours(zone: Tz, mut minutes: &[(Millis, i64)], until: Millis) -> Vec<Hour> {
    let from = start_of(zone, minutes[0].0, Interval::Hour);
    let hours = buckets(zone, from, until + 2 * MINUTE, Interval::Hour);
    let hours = hours.map(|Bucket { from, until }| {
        let of_week = hour_of_week(zone, from);
        let held = minutes.iter().take_while(|(at, _)| *at < until).count();
        let (held, later) = minutes.split_at(held);
        minutes = later;
        let events = held.iter().map(|(_, count)| count).sum();
        Hour { from, until, week: day_of(zone, from).week(), of_week, events }
    });
    hours.collect()
}

fn hour_of_week(zone: Tz, at: Millis) -> usize {
    let (weekday, hour) = weekday_and_hour(zone, at);
    ((weekday - 1) * 24 + hour) as usize
}

/// What the complete weeks before a local week come to: how often a gym sends, by hour of the week.
#[derive(Debug, Clone)]
pub struct Rates {
    weeks: i64,
    events: [i64; HOURS_OF_WEEK],
}

/// The rates of each week from `first` to `last`, as far as the hours tell.
fn rates(hours: &[Hour], first: Week, last: Week, first_day: Day) -> Vec<Rates> {
    let exists = |week: &i32| Week(*week).first_day() >= first_day;
    let weeks = (first.0..=last.0).map(|week| {
        let weeks = (week - WEEKS_MAX..week).filter(exists).map(|_| 1).sum();
        Rates { weeks, events: [0; HOURS_OF_WEEK] }
    });
    let mut rates: Vec<_> = weeks.collect();
    for hour in hours.iter().filter(|hour| exists(&hour.week.0)) {
        for week in (hour.week.0 + 1).max(first.0)..=(hour.week.0 + WEEKS_MAX).min(last.0) {
            rates[(week - first.0).unsigned_abs() as usize].events[hour.of_week] += hour.events;
        }
    }
    rates
}

impl Rates {
    /// Learned from `events`, the family `Events` from [`WEEKS_MAX`] weeks before the week on.
    pub fn before(week: Week, events: &Series, zone: Tz, first_event: Millis) -> Rates {
        let start = day_start(zone, week.first_day());
        let minutes: Vec<_> = minutes(events).take_while(|(at, _)| *at < start).collect();
        let hours = if minutes.is_empty() { vec![] } else { hours(zone, &minutes, start) };
        rates(&hours, week, week, day_of(zone, first_event)).remove(0)
    }

    /// Whether there are weeks enough to call anything silent.
    fn are_known(&self) -> bool {
        self.weeks >= WEEKS_MIN
    }

    /// Whether a silent span goes on that began after that instant; none when that cannot be told.
    pub fn is_silent(&self, zone: Tz, last_event: Millis, now: Millis) -> Option<bool> {
        let whole_minute = |at: Millis| at - at.rem_euclid(MINUTE);
        let run = Span { from: whole_minute(last_event) + MINUTE, until: whole_minute(now) };
        self.are_known().then(|| run.from < run.until && self.call_silent(zone, run))
    }

    /// Whether a run without events that begins in the week is silent. Its hours are laid out no
    /// further than it takes, so that a door that was closed for years costs no more than others.
    fn call_silent(&self, zone: Tz, run: Span) -> bool {
        let hours =
            buckets(zone, start_of(zone, run.from, Interval::Hour), run.until, Interval::Hour);
        self.makes_silent(run, hours.map(|hour| (hour, hour_of_week(zone, hour.from))))
    }

    /// Whether enough events were to be expected in a run that begins in the first of these hours,
    /// each with its place in the week.
    fn makes_silent(&self, run: Span, hours: impl Iterator<Item = (Bucket, usize)>) -> bool {
        let needed = EXPECTED_MIN * MINUTES_OF_HOUR * self.weeks;
        if !self.are_known() {
            return false;
        }
        let mut expected = 0;
        for (hour, of_week) in hours.take_while(|(hour, _)| hour.from < run.until) {
            let minutes = (hour.until.min(run.until) - hour.from.max(run.from)) / MINUTE;
            expected += self.events[of_week] * minutes;
            if expected >= needed {
                return true;
            }
        }
        false
    }
}
