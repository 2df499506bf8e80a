//! Visits by the bucket they were entered in, and departures by the bucket they ended in.

use serde_json::{Map, Value, json};

use super::calendar::Span;
use super::{Body, EndedBy, EnteredBy, History, Question, fields, within};

impl History {
    pub(super) fn visits_report(&self, range: Span, question: &Question) -> Body {
        let rows = self.rows(range, question, |bucket| self.visits_in(bucket, question.now));
        ("buckets", rows, Value::Object(self.visits_in(range, question.now)))
    }

    fn visits_in(&self, span: Span, now: i64) -> Map<String, Value> {
        let visits = self.entered_in(span);
        let entered = |by: EnteredBy| visits.iter().filter(|visit| visit.entered_by == by).count();
        let ended = |by: EndedBy| visits.iter().filter(|visit| visit.ended_by == by).count();
        let entered_by = [EnteredBy::Checkin, EnteredBy::Equipment];
        let ended_by = [
            EndedBy::Checkout,
            EndedBy::Assumed,
            EndedBy::Window,
            EndedBy::NextVisit,
            EndedBy::Erasure,
        ];
        let entered_by: Map<String, Value> =
            entered_by.iter().map(|by| (by.name().into(), json!(entered(*by)))).collect();
        let ended_by: Map<String, Value> =
            ended_by.iter().map(|by| (by.name().into(), json!(ended(*by)))).collect();
        let departures = within(&self.departures, |left| *left, span).iter();
        let departures = departures.filter(|left| **left <= now);
        fields(json!({
            "visits": visits.len(),
            "arrivals": visits.len(),
            "departures": departures.count(),
            "entered_by": entered_by,
            "ended_by": ended_by,
        }))
    }
}
