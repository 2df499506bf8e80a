//! How far the numbers can be trusted: what came twice, late, in part, or not at all.

use serde_json::{Map, Value, json};

use super::calendar::{HOUR, Span, rfc3339};
use super::durations::fixed_stays;
use super::{Body, EndedBy, EnteredBy, Event, History, Question, fields, within};

const KNOWN_TYPES: [&str; 5] = [
    "GYM_CHECKIN",
    "GYM_CHECKOUT",
    "EQUIPMENT_CHECKIN",
    "GENIUS_ONBOARDING_COMPLETED",
    "MEMBERSHIP_DELETE",
];

impl History {
    pub(super) fn quality(&self, range: Span, question: &Question) -> Body {
        let rows = self.rows(range, question, |bucket| self.quality_in(bucket));
        let mut totals = self.quality_in(range);
        let silent: Vec<Value> = self
            .silent_spans(question.now)
            .into_iter()
            .filter(|span| span.overlaps(range))
            .map(|span| {
                let zone = self.gym.zone;
                json!({"from": rfc3339(zone, span.from), "until": rfc3339(zone, span.until)})
            })
            .collect();
        totals.insert("silent_spans".into(), Value::Array(silent));
        let stays = fixed_stays(self.entered_in(range));
        totals.insert("fixed_stays".into(), Value::Array(stays));
        // One webhook has nothing to be compared with.
        totals.insert("webhooks".into(), Value::Array(vec![]));
        ("buckets", rows, Value::Object(totals))
    }

    /// What is about a visit is told by its entry, what is about an event by its own time; only a
    /// duplicate has no place but the moment it came.
    fn quality_in(&self, span: Span) -> Map<String, Value> {
        let visits = self.entered_in(span);
        let events = self.events_in(span);
        let repeat_swipes: u32 = visits.iter().map(|visit| visit.repeat_swipes).sum();
        let missed = visits.iter().filter(|visit| visit.entered_by == EnteredBy::Equipment);
        let without_checkout = visits.iter().filter(|visit| visit.ended_by != EndedBy::Checkout);
        let unknown = events.iter().filter(|event| !KNOWN_TYPES.contains(&event.kind.as_str()));
        let late = events.iter().filter(|event| lateness(event) > HOUR);
        fields(json!({
            "duplicates": within(&self.duplicates, |received_at| *received_at, span).len(),
            "repeat_swipes": repeat_swipes,
            "orphan_checkouts": within(&self.orphans, |at| *at, span).len(),
            "doors_missed": missed.count(),
            "without_checkout": without_checkout.count(),
            // Neither leaves a trace in the list of events.
            "quarantined": 0,
            "erased": 0,
            "unknown_types": unknown.count(),
            "late_events": late.count(),
            "late_by": late_by(events),
            "visits": visits.len(),
            "observed": visits.iter().filter(|visit| visit.observed()).count(),
        }))
    }
}

/// Each late event is in exactly one class, the highest that it is beyond.
fn late_by(events: &[Event]) -> Value {
    let between = |over: i64, upto: i64| {
        events.iter().filter(|event| over < lateness(event) && lateness(event) <= upto).count()
    };
    json!({
        "over_1h": between(HOUR, 6 * HOUR),
        "over_6h": between(6 * HOUR, 24 * HOUR),
        "over_1d": between(24 * HOUR, 7 * 24 * HOUR),
        "over_1w": between(7 * 24 * HOUR, i64::MAX),
    })
}

fn lateness(event: &Event) -> i64 {
    event.received_at - event.at
}
