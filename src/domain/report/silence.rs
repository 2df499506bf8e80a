//! Silent spans: when a gym sent nothing although its own past made an event all but certain
//! (model section 4, silent span).
//!
//! Found on whole minutes, since that is what the tallies of events know. All sums are whole
//! numbers, so the answer does not depend on rounding.

use std::collections::HashMap;

use chrono_tz::Tz;

use super::Series;
use crate::domain::calendar::{Bucket, Day, Interval, Week, day_of, next_start, weekday_and_hour};
use crate::domain::{DAY, HOUR, MINUTE, Millis};

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

/// The silent spans among the runs without events in `events`, the family `Events` from
/// [`WEEKS_MAX`] weeks before the first run to the end of the last, in order.
pub fn spans(events: &Series, zone: Tz, first_event: Millis, now: Millis) -> Vec<Span> {
    let past = Past::gather(events, zone, day_of(zone, first_event));
    let mut usual = HashMap::new();
    let mut spans = Vec::new();
    let mut previous = None;
    let this_minute = now - now.rem_euclid(MINUTE);
    let minutes = minutes(events).map(|(at, _)| at).filter(|at| *at <= now);
    for at in minutes.chain([this_minute]) {
        if let Some(previous) = previous.replace(at) {
            let run = Span { from: previous + MINUTE, until: at };
            if run.from < run.until && past.is_silent(run, &mut usual) {
                spans.push(run);
            }
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

/// Events by local week and hour of the week.
struct Past {
    zone: Tz,
    first_day: Day,
    weeks: HashMap<Week, Box<[i64; HOURS_OF_WEEK]>>,
}

/// What some weeks before a run come to.
struct Usual {
    weeks: i64,
    by_hour: [i64; HOURS_OF_WEEK],
    hour_max: i64,
}

impl Past {
    fn gather(events: &Series, zone: Tz, first_day: Day) -> Past {
        let mut past = Past { zone, first_day, weeks: HashMap::new() };
        // Minutes come in order, so the local hour is looked up once for each quarter.
        let mut quarter = (Millis::MIN, Week(0), 0);
        for (at, count) in minutes(events) {
            let start = at - at.rem_euclid(HOUR / 4);
            if start != quarter.0 {
                quarter = (start, day_of(zone, at).week(), hour_of_week(zone, at));
            }
            let week = past.weeks.entry(quarter.1).or_insert_with(|| Box::new([0; HOURS_OF_WEEK]));
            week[quarter.2] += count;
        }
        past
    }

    fn is_silent(&self, run: Span, usual: &mut HashMap<Week, Usual>) -> bool {
        let week = day_of(self.zone, run.from).week();
        let usual = usual.entry(week).or_insert_with(|| self.usual_before(week));
        let needed = EXPECTED_MIN * MINUTES_OF_HOUR * usual.weeks;
        let minutes_max = (run.until - run.from) / MINUTE;
        if usual.weeks < WEEKS_MIN || minutes_max.saturating_mul(usual.hour_max) < needed {
            return false;
        }
        let (mut at, mut expected) = (run.from, 0);
        while at < run.until && expected < needed {
            let next = next_start(self.zone, at, Interval::Hour).min(run.until);
            expected += usual.by_hour[hour_of_week(self.zone, at)] * ((next - at) / MINUTE);
            at = next;
        }
        expected >= needed
    }

    fn usual_before(&self, week: Week) -> Usual {
        let mut usual = Usual { weeks: 0, by_hour: [0; HOURS_OF_WEEK], hour_max: 0 };
        let before = (1..=WEEKS_MAX).map(|back| Week(week.0 - back));
        for past in before.filter(|past| past.first_day() >= self.first_day) {
            usual.weeks += 1;
            let Some(counts) = self.weeks.get(&past) else { continue };
            usual.by_hour.iter_mut().zip(counts.iter()).for_each(|(sum, count)| *sum += count);
        }
        usual.hour_max = usual.by_hour.iter().copied().max().unwrap_or(0);
        usual
    }
}

fn hour_of_week(zone: Tz, at: Millis) -> usize {
    let (weekday, hour) = weekday_and_hour(zone, at);
    ((weekday - 1) * 24 + hour) as usize
}
