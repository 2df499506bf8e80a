//! Silent spans: times without an event that the gym's own past made all but certain.

use std::collections::HashMap;

use chrono::NaiveDate;

use super::History;
use super::calendar::{
    MINUTE, QUARTER, Span, day_start, days_before, hour_of_week, local_date, monday,
};

/// How many events chance would have to swallow for a span to count as silent.
const EVENTS_MISSED_MIN: u64 = 12;
const WEEKS_MIN: u64 = 4;

/// What was usual in the weeks before one Monday.
struct Usual {
    /// How many of the last eight weeks exist.
    weeks: u64,
    /// Events by local hour of the week, over all those weeks.
    events: Vec<u64>,
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
        let mut events = vec![0; 7 * 24];
        if let Some(oldest) = weeks.first() {
            let span = Span { from: day_start(zone, *oldest), until: day_start(zone, monday) };
            for event in self.events_in(span) {
                events[hour_of_week(zone, event.at)] += 1;
            }
        }
        Usual { weeks: weeks.len() as u64, events }
    }

    fn is_silent(&self, run: Span, usual: &Usual) -> bool {
        // In events × minutes × weeks, to stay with integers.
        let needed = EVENTS_MISSED_MIN * 60 * usual.weeks;
        let busiest = usual.events.iter().max().copied().unwrap_or(0);
        let minutes = ((run.until - run.from) / MINUTE).unsigned_abs();
        if usual.weeks < WEEKS_MIN || minutes * busiest < needed {
            return false;
        }
        let mut expected = 0;
        let mut from = run.from;
        while from < run.until {
            // Every minute of a quarter hour is in the same hour of the week.
            let until = (from.div_euclid(QUARTER) * QUARTER + QUARTER).min(run.until);
            let minutes = ((until - from) / MINUTE).unsigned_abs();
            expected += minutes * usual.events[hour_of_week(self.gym.zone, from)];
            from = until;
        }
        expected >= needed
    }
}
