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
use crate::domain::closed::ClosedDays;
use crate::domain::{DAY, MINUTE, Millis};

/// What is usual is learned from at most this many complete weeks before the span.
pub const WEEKS_MAX: i32 = 8;
/// With fewer weeks than this, nothing is called silent.
pub const WEEKS_MIN: i64 = 4;
/// A run without events is silent when this many were to be expected, over the index of dispersion:
/// chance leaves it with a probability under 1 in 100,000.
pub const EXPECTED_MIN: i64 = 12;
/// Means over one to [`WEEKS_MAX`] weeks are whole numbers of such parts of an event.
const PARTS: i64 = 840;

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
/// [`WEEKS_MAX`] weeks before the first run to the end of the last, in order. The last run goes on to
/// this minute, unless it was `answered`: by an event that stands some minutes ahead.
pub fn spans(
    events: &Series,
    zone: Tz,
    first_event: Millis,
    closed: &ClosedDays,
    now: Millis,
    answered: Option<Millis>,
) -> Vec<Span> {
    let this_minute = now - now.rem_euclid(MINUTE);
    let last_until = answered.map_or(this_minute, |at| at - at.rem_euclid(MINUTE));
    let minutes: Vec<_> = minutes(events).take_while(|(at, _)| *at <= now).collect();
    let Some((first, _)) = minutes.first().copied() else { return vec![] };
    let hours = hours(zone, &minutes, this_minute);
    let (first_week, last_week) = (hours[0].week, hours[hours.len() - 1].week);
    let past = Past { first_day: day_of(zone, first_event), closed };
    let rates = rates(&hours, first_week, last_week, &past);
    let shortest = rates.iter().map(Rates::shortest_silence).min().unwrap_or(0);
    let mut spans = Vec::new();
    let (mut place, mut previous) = (0, first);
    for at in minutes[1..].iter().map(|(at, _)| *at).chain([last_until]) {
        let run = Span { from: previous + MINUTE, until: at };
        previous = at;
        if run.until - run.from < shortest {
            continue;
        }
        while hours[place].until <= run.from {
            place += 1;
        }
        let rates = &rates[(hours[place].week.0 - first_week.0).unsigned_abs() as usize];
        let ahead = hours[place..].iter().map(|hour| (hour.bucket(), hour.week, hour.of_week));
        if rates.makes_silent(run, closed, ahead) {
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

/// What the complete weeks before a local week come to: how often a gym sends, by hour of the week,
/// and how much that varies.
#[derive(Debug, Clone)]
pub struct Rates {
    /// How many weeks there are to learn from.
    weeks: i64,
    /// The mean number of events of each hour of the week, in [`PARTS`].
    means: [i64; HOURS_OF_WEEK],
    /// The index of dispersion, at least 1, as a fraction: above it and below it.
    dispersion: (i64, i64),
}

/// The rates of each week from `first` to `last`, as far as the hours tell.
fn rates(hours: &[Hour], first: Week, last: Week, past: &Past<'_>) -> Vec<Rates> {
    let mut by_week = vec![[0; HOURS_OF_WEEK]; (last.0 - first.0 + 1).unsigned_abs() as usize];
    for hour in hours.iter().filter(|hour| first <= hour.week && hour.week <= last) {
        by_week[(hour.week.0 - first.0).unsigned_abs() as usize][hour.of_week] += hour.events;
    }
    let weeks = (first.0..=last.0).map(|week| {
        let learned = (week - WEEKS_MAX..week).map(Week).filter(|week| past.has(*week));
        let events = |week: Week| by_week.get(usize::try_from(week.0 - first.0).ok()?);
        let learned = learned.map(|week| (week, events(week).unwrap_or(&[0; HOURS_OF_WEEK])));
        Rates::of(&learned.collect::<Vec<_>>(), past.closed)
    });
    weeks.collect()
}

/// From when on a gym's weeks count, and which of its days teach nothing.
struct Past<'a> {
    first_day: Day,
    closed: &'a ClosedDays,
}

impl Past<'_> {
    fn has(&self, week: Week) -> bool {
        week.first_day() >= self.first_day
    }
}

/// The local day of an hour of the week.
fn day_in(week: Week, of_week: usize) -> Day {
    week.first_day().plus(i32::try_from(of_week / 24).expect("a week has seven days"))
}

impl Rates {
    /// Of the events of some weeks by hour. With `w` weeks, sum `S` and sum of squares `Q` for an
    /// hour, the mean is `S / w` and the squares of the differences from it sum to `Q - S² / w`;
    /// times [`PARTS`], which every `w` divides, all of these are whole numbers.
    fn of(weeks: &[(Week, &[i64; HOURS_OF_WEEK])], closed: &ClosedDays) -> Rates {
        let mut means = [0; HOURS_OF_WEEK];
        let (mut above, mut below) = (0, 0);
        for of_week in 0..HOURS_OF_WEEK {
            let open = weeks.iter().filter(|(week, _)| !closed.contains(day_in(*week, of_week)));
            let (mut count, mut sum, mut squares) = (0, 0, 0);
            for (_, events) in open {
                count += 1;
                sum += events[of_week];
                squares += events[of_week] * events[of_week];
            }
            if count > 0 {
                means[of_week] = sum * (PARTS / count);
                above += squares * PARTS - sum * means[of_week];
                below += (count - 1) * means[of_week];
            }
        }
        let dispersion = if above > below { (above, below) } else { (1, 1) };
        Rates { weeks: i64::try_from(weeks.len()).expect("a few weeks"), means, dispersion }
    }

    /// Learned from `events`, the family `Events` from [`WEEKS_MAX`] weeks before the week on.
    pub fn before(
        week: Week,
        events: &Series,
        zone: Tz,
        first_event: Millis,
        closed: &ClosedDays,
    ) -> Rates {
        let start = day_start(zone, week.first_day());
        let minutes: Vec<_> = minutes(events).take_while(|(at, _)| *at < start).collect();
        let hours = if minutes.is_empty() { vec![] } else { hours(zone, &minutes, start) };
        let past = Past { first_day: day_of(zone, first_event), closed };
        let first = Week(week.0 - WEEKS_MAX);
        rates(&hours, first, week, &past).pop().expect("there is at least the week itself")
    }

    /// No run of less than this is silent, whenever it begins: were it as busy as in the busiest hour.
    /// At least a minute.
    fn shortest_silence(&self) -> Millis {
        let (above, below) = self.dispersion;
        let busiest = i128::from(self.means.iter().copied().max().unwrap_or(0)) * i128::from(below);
        if !self.are_known() || busiest == 0 {
            return Millis::MAX;
        }
        let needed = i128::from(EXPECTED_MIN * MINUTES_OF_HOUR * PARTS) * i128::from(above);
        let minutes = ((needed + busiest - 1) / busiest).max(1);
        Millis::try_from(minutes).map_or(Millis::MAX, |minutes| minutes.saturating_mul(MINUTE))
    }

    /// Whether there are weeks enough to call anything silent.
    fn are_known(&self) -> bool {
        self.weeks >= WEEKS_MIN
    }

    /// Whether a silent span goes on that began after that instant; none when that cannot be told.
    pub fn is_silent(
        &self,
        zone: Tz,
        closed: &ClosedDays,
        last_event: Millis,
        now: Millis,
    ) -> Option<bool> {
        let whole_minute = |at: Millis| at - at.rem_euclid(MINUTE);
        let run = Span { from: whole_minute(last_event) + MINUTE, until: whole_minute(now) };
        let is_open = !closed.contains(day_of(zone, now));
        self.are_known()
            .then(|| is_open && run.from < run.until && self.call_silent(zone, closed, run))
    }

    /// Whether a run without events that begins in the week is silent. Its hours are laid out no
    /// further than it takes, so that a door that was closed for years costs no more than others.
    fn call_silent(&self, zone: Tz, closed: &ClosedDays, run: Span) -> bool {
        let hours =
            buckets(zone, start_of(zone, run.from, Interval::Hour), run.until, Interval::Hour);
        let hours = hours.map(|hour| {
            let of_week = hour_of_week(zone, hour.from);
            (hour, day_of(zone, hour.from).week(), of_week)
        });
        self.makes_silent(run, closed, hours)
    }

    /// Whether enough events were to be expected in a run that begins in the first of these hours,
    /// each with its week and its place in it: `Σ λ / D >= EXPECTED_MIN`.
    fn makes_silent(
        &self,
        run: Span,
        closed: &ClosedDays,
        hours: impl Iterator<Item = (Bucket, Week, usize)>,
    ) -> bool {
        if !self.are_known() {
            return false;
        }
        let (above, below) = self.dispersion;
        let needed = i128::from(EXPECTED_MIN * MINUTES_OF_HOUR * PARTS) * i128::from(above);
        let mut expected = 0;
        for (hour, week, of_week) in hours.take_while(|(hour, ..)| hour.from < run.until) {
            if closed.contains(day_in(week, of_week)) {
                continue;
            }
            let minutes = (hour.until.min(run.until) - hour.from.max(run.from)) / MINUTE;
            expected += i128::from(self.means[of_week] * minutes) * i128::from(below);
            if expected >= needed {
                return true;
            }
        }
        false
    }
}
