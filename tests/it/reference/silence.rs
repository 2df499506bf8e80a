//! Silent spans: times without an event that the gym's own past made all but certain.

use std::collections::HashMap;

use chrono::NaiveDate;

use super::History;
use super::calendar::{
    MINUTE, QUARTER, Span, day_start, days_after, days_before, hour_of_week, local_date, monday,
};

/// How many bunches of events chance would have to swallow for a span to count as silent.
const MISSED_MIN: u128 = 12;
const WEEKS_MIN: usize = 4;
/// Divisible by every number of weeks from one to eight: parts of it are whole.
const WEEKS_PARTS: u128 = 840;

/// What was usual in the weeks before one Monday.
struct Usual {
    /// Whether enough of the last eight weeks exist.
    known: bool,
    /// Mean events by local hour of the week, in parts.
    mean: Vec<u128>,
    /// The index of dispersion, as a fraction that is at least one.
    dispersion: (u128, u128),
}

impl History {
    /// All silent spans that are known at `now`, in order.
    pub(super) fn silent_spans(&self, now: i64) -> Vec<Span> {
        let mut usual_before: HashMap<NaiveDate, Usual> = HashMap::new();
        let mut silent = self.runs_without_events(now);
        silent.retain(|run| {
            let monday = monday(self.gym.zone, run.from);
            let usual = usual_before.entry(monday).or_insert_with(|| self.usual_before(monday));
            self.is_silent(*run, usual)
        });
        silent
    }

    /// The longest runs of whole minutes without an event, from the first event on.
    fn runs_without_events(&self, now: i64) -> Vec<Span> {
        let floor = |at: i64| at.div_euclid(MINUTE) * MINUTE;
        let past = self.events.iter().map(|event| event.at).take_while(|at| *at <= now);
        let mut minutes: Vec<i64> = past.map(floor).collect();
        minutes.dedup();

        let following = minutes.iter().copied().skip(1).chain([floor(now)]);
        let runs = minutes.iter().zip(following);
        runs.map(|(last, next)| Span { from: last + MINUTE, until: next })
            .filter(|run| run.from < run.until)
            .collect()
    }

    /// The Mondays of the last eight complete weeks before a Monday that the gym was there for,
    /// oldest first. A week counts when it began on the local day of the first event or later.
    pub(super) fn weeks_before(&self, monday: NaiveDate) -> Vec<NaiveDate> {
        let mut lived = self.events.iter().filter(|event| event.kind != "MEMBERSHIP_DELETE");
        let Some(first) = lived.next() else { return Vec::new() };
        let first_date = local_date(self.gym.zone, first.at);
        let weeks = (1..=8).rev().map(|weeks| days_before(monday, 7 * weeks));
        weeks.filter(|week| *week >= first_date).collect()
    }

    fn usual_before(&self, monday: NaiveDate) -> Usual {
        let zone = self.gym.zone;
        let weeks = self.weeks_before(monday);
        // By week that the hour was open in, for each hour of the week.
        let mut counts: Vec<Vec<u128>> = vec![Vec::new(); 7 * 24];
        for week in &weeks {
            let mut of_week = vec![0; 7 * 24];
            let next = days_after(*week, 7);
            let span = Span { from: day_start(zone, *week), until: day_start(zone, next) };
            for event in self.events_in(span) {
                of_week[hour_of_week(zone, event.at)] += 1;
            }
            for (hour, count) in of_week.into_iter().enumerate() {
                if !self.is_closed_on(days_after(*week, hour as u64 / 24)) {
                    counts[hour].push(count);
                }
            }
        }
        let (mut squares, mut expected) = (0, 0);
        let mut mean = vec![0; 7 * 24];
        for (hour, counts) in counts.iter().enumerate() {
            let weeks = counts.len() as u128;
            if weeks == 0 {
                continue;
            }
            let sum: u128 = counts.iter().sum();
            mean[hour] = sum * WEEKS_PARTS / weeks;
            // Σ (n - sum / weeks)² is Σ n² - sum² / weeks.
            let square: u128 = counts.iter().map(|count| count * count).sum();
            squares += square * WEEKS_PARTS - sum * sum * WEEKS_PARTS / weeks;
            expected += (weeks - 1) * mean[hour];
        }
        let dispersion = if squares > expected { (squares, expected) } else { (1, 1) };
        Usual { known: weeks.len() >= WEEKS_MIN, mean, dispersion }
    }

    fn is_silent(&self, run: Span, usual: &Usual) -> bool {
        if !usual.known {
            return false;
        }
        // Nearly all runs are too short to ask for each of their hours.
        let busiest = usual.mean.iter().max().copied().unwrap_or(0);
        if !usual.reaches(minutes(run) * busiest) {
            return false;
        }
        let mut missed = 0;
        let mut from = run.from;
        while from < run.until {
            // Every minute of a quarter hour is in the same hour of the week.
            let until = (from.div_euclid(QUARTER) * QUARTER + QUARTER).min(run.until);
            if !self.is_closed_at(from) {
                missed += minutes(Span { from, until }) * usual.mean[self.hour_at(from)];
            }
            from = until;
        }
        usual.reaches(missed)
    }

    fn hour_at(&self, at: i64) -> usize {
        hour_of_week(self.gym.zone, at)
    }
}

impl Usual {
    /// Whether so many events, in parts times minutes, are too many for chance.
    fn reaches(&self, missed: u128) -> bool {
        let (squares, expected) = self.dispersion;
        missed * expected >= MISSED_MIN * 60 * WEEKS_PARTS * squares
    }
}

fn minutes(span: Span) -> u128 {
    u128::try_from((span.until - span.from) / MINUTE).expect("no span ends before it begins")
}
