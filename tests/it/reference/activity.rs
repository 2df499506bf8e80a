//! Who is active: who came on one of the last so many days, looked up day by day.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::calendar::{Span, day_start, days_after, days_before, local_date};
use super::{Body, History, Interval, Question, fields};

/// The days on which a member entered a visit.
type Days = BTreeSet<NaiveDate>;

impl History {
    pub(super) fn activity(&self, range: Span, question: &Question) -> Body {
        match question.interval {
            Interval::D1 | Interval::W1 | Interval::Mo1 => {}
            Interval::M15 | Interval::H1 => panic!("activity is counted by day, week or month"),
        }
        let mut members: BTreeMap<Uuid, Days> = BTreeMap::new();
        for visit in &self.visits {
            let day = local_date(self.gym.zone, visit.entered);
            members.entry(visit.account).or_default().insert(day);
        }
        let figures = |span| {
            let days = self.days_begun(span, question.now);
            activity_on(&days, question.window, members.values())
        };
        let rows = self.rows(range, question, figures);
        ("buckets", rows, Value::Object(figures(range)))
    }

    /// The days of a span of whole days that have begun.
    fn days_begun(&self, span: Span, now: i64) -> Vec<NaiveDate> {
        let zone = self.gym.zone;
        let mut days = Vec::new();
        let mut day = local_date(zone, span.from);
        while day <= local_date(zone, span.until - 1) && day_start(zone, day) <= now {
            days.push(day);
            day = days_after(day, 1);
        }
        days
    }
}

fn activity_on<'a>(
    days: &[NaiveDate],
    window: u64,
    members: impl Iterator<Item = &'a Days> + Clone,
) -> Map<String, Value> {
    let is_active = |visited: &Days, day| {
        visited.range(days_after(days_before(day, window), 1)..=day).next().is_some()
    };
    let (mut new, mut returned, mut lapsed) = (0, 0, 0);
    for visited in members.clone() {
        for day in days {
            let (was, is) = (is_active(visited, days_before(*day, 1)), is_active(visited, *day));
            match (was, is) {
                (false, true) if visited.first() == Some(day) => new += 1,
                (false, true) => returned += 1,
                (true, false) => lapsed += 1,
                (true, true) | (false, false) => {}
            }
        }
    }
    let active = days.last().map(|day| members.filter(|visited| is_active(visited, *day)).count());
    fields(json!({"active": active, "new": new, "returned": returned, "lapsed": lapsed}))
}
