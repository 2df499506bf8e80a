//! What is usual at this hour, and what is to be expected of the coming ones.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::calendar::{
    HOUR, Span, buckets, day_start, days_after, hour_of_week, monday, rfc3339, widen,
};
use super::occupancy::{Summary, mean};
use super::{History, Interval};

/// Hours of one local week that the gym was open, by hour of the week: two of them where a clock
/// change has it twice, none where it skips it.
struct Week {
    hours: BTreeMap<usize, Vec<Span>>,
    open: Vec<bool>,
}

pub(super) struct Outlook<'a> {
    history: &'a History,
    now: i64,
    /// The last complete ones that exist, at most eight.
    weeks: Vec<Week>,
    /// The one before them, if there is one: its last hours come before their first.
    week_before: Option<Week>,
}

impl Outlook<'_> {
    pub(super) fn new(history: &History, now: i64) -> Outlook<'_> {
        let zone = history.gym.zone;
        let week = |monday| {
            let next = days_after(monday, 7);
            let span = Span { from: day_start(zone, monday), until: day_start(zone, next) };
            let mut hours: BTreeMap<usize, Vec<Span>> = BTreeMap::new();
            for hour in buckets(zone, Interval::H1, span) {
                hours.entry(hour_of_week(zone, hour.from)).or_default().push(hour);
            }
            let open = |day| !history.is_closed_on(days_after(monday, day));
            Week { hours, open: (0..7).map(open).collect() }
        };
        let mondays = history.weeks_before(monday(zone, now));
        let oldest = mondays.first().copied();
        let before = oldest.and_then(|oldest| history.weeks_before(oldest).pop());
        let week_before = before.map(week);
        Outlook { history, now, weeks: mondays.into_iter().map(week).collect(), week_before }
    }

    /// The weeks that teach something of this hour.
    fn weeks_with(&self, hour: usize) -> Vec<&Week> {
        let weeks = self.weeks.iter();
        weeks.filter(|week| week.open[hour / 24] && week.hours.contains_key(&hour)).collect()
    }

    fn summaries(&self, week: &Week, hour: usize) -> Vec<Summary> {
        let summary = |span: &Span| Summary::of(&self.history.samples(*span, self.now));
        week.hours.get(&hour).into_iter().flatten().filter_map(summary).collect()
    }

    fn usual(&self, hour: usize) -> Option<Vec<Summary>> {
        let weeks = self.weeks_with(hour);
        let summaries = weeks.iter().flat_map(|week| self.summaries(week, hour));
        (weeks.len() >= 2).then(|| summaries.collect())
    }

    fn usual_average(&self, hour: usize) -> Option<f64> {
        mean(self.usual(hour)?.iter().map(|summary| summary.average))
    }

    pub(super) fn usual_now(&self) -> Value {
        let Some(usual) = self.usual(hour_of_week(self.history.gym.zone, self.now)) else {
            return Value::Null;
        };
        json!({
            "average": mean(usual.iter().map(|summary| summary.average)),
            "peak": mean(usual.iter().map(|summary| summary.peak.present as f64)),
        })
    }

    pub(super) fn next_hours(&self) -> Value {
        let zone = self.history.gym.zone;
        let instant = Span { from: self.now, until: self.now + 1 };
        let here = widen(zone, Interval::H1, instant);
        let around = Span { from: here.from - 6 * HOUR, until: here.until + 8 * HOUR };
        let hours = buckets(zone, Interval::H1, widen(zone, Interval::H1, around));
        let past: Vec<Span> = hours.iter().copied().filter(|hour| hour.until <= self.now).collect();
        let last = &past[past.len() - 3..];
        let coming = hours.into_iter().filter(|hour| hour.from > self.now).take(6);
        coming.map(|hour| self.next_hour(hour, last)).collect()
    }

    fn next_hour(&self, coming: Span, last: &[Span]) -> Value {
        let zone = self.history.gym.zone;
        let hour = hour_of_week(zone, coming.from);
        let last_hours: Vec<usize> = last.iter().map(|one| hour_of_week(zone, one.from)).collect();
        let average = |span: &Span| Summary::of(&self.history.samples(*span, self.now));
        let today = last.iter().filter_map(average).map(|summary| summary.average).sum();
        let was_closed = last.iter().any(|one| self.history.is_closed_at(one.from));
        let today = (!was_closed).then_some(today);
        let usual = self.usual_average(hour);
        // Of a closed day nothing is expected, and nothing has no error.
        let of_open = usual.filter(|_| !self.history.is_closed_at(coming.from));
        json!({
            "start": rfc3339(zone, coming.from),
            "usual": usual,
            "expected": of_open.map(|usual| self.expected(usual, today, &last_hours)),
            "error": of_open.and_then(|usual| self.error(usual, hour, &last_hours)),
        })
    }

    /// By what the last hours came to, unless the gym was closed in them.
    fn expected(&self, usual: f64, came: Option<f64>, last_hours: &[usize]) -> f64 {
        let usual_then: Option<Vec<f64>> =
            last_hours.iter().map(|hour| self.usual_average(*hour)).collect();
        let Some((came, usual_then)) = came.zip(usual_then) else { return usual };
        let usual_then: f64 = usual_then.iter().sum();
        let k = usual_then / 3.0;
        if usual_then > 0.0 { usual * (came + k) / (usual_then + k) } else { usual }
    }

    /// How far off the rule was for this hour of each of the weeks, in the mean. The last hours
    /// before the first of a week are in the week before.
    fn error(&self, usual: f64, hour: usize, last_hours: &[usize]) -> Option<f64> {
        let at = |week: &Week, of: usize| {
            let summaries = self.summaries(week, of);
            let average = mean(summaries.iter().map(|summary| summary.average));
            average.filter(|_| week.open[of / 24])
        };
        let before = [self.week_before.as_ref()].into_iter().chain(self.weeks.iter().map(Some));
        let errors = self.weeks.iter().zip(before).filter_map(|(week, before)| {
            let then = |of: usize| if of < hour { Some(week) } else { before };
            let weeks: Option<Vec<&Week>> = last_hours.iter().map(|of| then(*of)).collect();
            let came = weeks?.into_iter().zip(last_hours).map(|(week, of)| at(week, *of));
            let came: Option<f64> = came.sum();
            Some((at(week, hour)? - self.expected(usual, came, last_hours)).abs())
        });
        mean(errors)
    }
}
