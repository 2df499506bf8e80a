//! Who came, told by numbers: distinct members, new ones, and those who keep coming.
//!
//! A member whose timeline was cut by a deletion counts on as the same member here. The service
//! cannot know that it is the same one, so a law about distinct counts leaves such members out.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::calendar::{Span, buckets, day_start, local, monday};
use super::{Body, History, Interval, Question, fields};

impl History {
    pub(super) fn members(&self, range: Span, question: &Question) -> Body {
        match question.interval {
            Interval::D1 | Interval::W1 | Interval::Mo1 => {}
            Interval::M15 | Interval::H1 => panic!("members are counted by day, week or month"),
        }
        let first_visits = self.first_visits();
        let figures = |span: Span| {
            let new = first_visits.values().filter(|first| span.holds(**first)).count();
            fields(json!({"members": self.members_in(span).len(), "new": new}))
        };
        let rows = self.rows(range, question, figures);
        let mut totals = figures(range);
        if rows.len() != 1 {
            totals.insert("members".into(), Value::Null);
        }
        totals.insert("visits_per_week".into(), self.visits_per_week(range));
        ("buckets", rows, Value::Object(totals))
    }

    pub(super) fn retention(&self, range: Span, now: i64) -> Body {
        let first_visits = self.first_visits();
        let months = buckets(self.gym.zone, Interval::Mo1, range);
        let begun: Vec<Span> = months.iter().copied().filter(|month| month.from <= now).collect();
        let mut total = 0;
        let mut cohorts = Vec::new();
        for (index, month) in months.iter().enumerate() {
            let joined = |account: &Uuid| month.holds(first_visits[account]);
            let active: Vec<usize> = begun
                .iter()
                .skip(index)
                .map(|later| self.members_in(*later).into_iter().filter(joined).count())
                .collect();
            let size = first_visits.values().filter(|first| month.holds(**first)).count();
            total += size;
            let name = local(self.gym.zone, month.from).format("%Y-%m").to_string();
            cohorts.push(json!({"month": name, "size": size, "active": active}));
        }
        ("cohorts", cohorts, json!({"size": total}))
    }

    fn members_in(&self, span: Span) -> BTreeSet<Uuid> {
        self.entered_in(span).iter().map(|visit| visit.account).collect()
    }

    /// Of the ISO weeks that begin in the range: members by how often they came in the whole week.
    fn visits_per_week(&self, range: Span) -> Value {
        let mut weeks: BTreeMap<NaiveDate, BTreeMap<Uuid, u32>> = BTreeMap::new();
        for visit in &self.visits {
            let week = weeks.entry(monday(self.gym.zone, visit.entered)).or_default();
            *week.entry(visit.account).or_default() += 1;
        }
        weeks.retain(|monday, _| range.holds(day_start(self.gym.zone, *monday)));

        let visits: Vec<u32> = weeks.into_values().flat_map(BTreeMap::into_values).collect();
        let mut members = Map::new();
        for times in 1..=4 {
            let count = visits.iter().filter(|visits| **visits == times).count();
            members.insert(times.to_string(), json!(count));
        }
        let often = visits.iter().filter(|visits| **visits >= 5).count();
        members.insert("5+".into(), json!(often));
        Value::Object(members)
    }
}
