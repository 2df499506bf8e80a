//! Onboardings, and how long after the first visit they came.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::calendar::{Span, local_date};
use super::{Body, Event, History, Question, fields, nearest_rank, share};

impl History {
    pub(super) fn onboarding(&self, range: Span, question: &Question) -> Body {
        let rows = self.rows(range, question, |bucket| self.completed_in(bucket));
        let mut totals = self.completed_in(range);
        totals.insert("median_days".into(), json!(self.median_days(range)));
        totals.append(&mut self.newcomers(range));
        ("buckets", rows, Value::Object(totals))
    }

    fn completed_in(&self, span: Span) -> Map<String, Value> {
        let events = self.events_in(span).iter();
        fields(json!({"completed": events.filter(|event| completes(event)).count()}))
    }

    /// From first visit to first completion, of those who completed on a day of the range.
    fn median_days(&self, range: Span) -> Option<i64> {
        let completions = self.first_completions();
        let mut days = Vec::new();
        for (account, first_visit) in self.first_visits() {
            if let Some(completed) = completions.get(&account)
                && self.on_a_day_of(range, *completed)
            {
                days.push(self.days_between(first_visit, *completed));
            }
        }
        days.sort_unstable();
        nearest_rank(&days, 50)
    }

    /// Those whose first visit was on a day of the range, and how many of them completed in time.
    fn newcomers(&self, range: Span) -> Map<String, Value> {
        let completions = self.first_completions();
        let (mut new_members, mut in_time) = (0, 0);
        for (account, first_visit) in self.first_visits() {
            if !self.on_a_day_of(range, first_visit) {
                continue;
            }
            new_members += 1;
            if let Some(completed) = completions.get(&account)
                && self.days_between(first_visit, *completed) <= 30
            {
                in_time += 1;
            }
        }
        fields(json!({
            "new_members": new_members,
            "completed_within_30_days": in_time,
            "share_within_30_days": share(in_time, new_members),
        }))
    }

    fn first_completions(&self) -> BTreeMap<Uuid, i64> {
        let mut first = BTreeMap::new();
        for event in self.events.iter().filter(|event| completes(event)) {
            first.entry(event.account).or_insert(event.at);
        }
        first
    }

    /// Whether the local day of the instant is one that the range touches.
    fn on_a_day_of(&self, range: Span, at: i64) -> bool {
        let day = local_date(self.gym.zone, at);
        let first = local_date(self.gym.zone, range.from);
        let last = local_date(self.gym.zone, range.until - 1);
        range.from < range.until && first <= day && day <= last
    }

    /// Whole local days, none when the completion came first.
    fn days_between(&self, first_visit: i64, completed: i64) -> i64 {
        let zone = self.gym.zone;
        let days = local_date(zone, completed) - local_date(zone, first_visit);
        days.num_days().max(0)
    }
}

fn completes(event: &Event) -> bool {
    event.kind == "GENIUS_ONBOARDING_COMPLETED"
}
