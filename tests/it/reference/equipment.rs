//! What was used of the equipment.

use serde_json::{Map, Value, json};

use super::calendar::{MINUTE, Span};
use super::{Body, EnteredBy, History, Question, fields, nearest_rank, share};

impl History {
    pub(super) fn equipment(&self, range: Span, question: &Question) -> Body {
        let rows = self.rows(range, question, |bucket| self.equipment_in(bucket));
        let mut totals = self.equipment_in(range);
        totals.insert("checkins_per_visit".into(), self.checkins_per_visit(range));
        totals.insert("first_checkin_minutes".into(), self.first_checkin_minutes(range));
        ("buckets", rows, Value::Object(totals))
    }

    fn equipment_in(&self, span: Span) -> Map<String, Value> {
        let events = self.events_in(span).iter();
        let visits = self.entered_in(span);
        let with_equipment = visits.iter().filter(|visit| !visit.equipment.is_empty()).count();
        fields(json!({
            "checkins": events.filter(|event| event.kind == "EQUIPMENT_CHECKIN").count(),
            "visits": visits.len(),
            "visits_with_equipment": with_equipment,
            "share_with_equipment": share(with_equipment, visits.len()),
        }))
    }

    fn checkins_per_visit(&self, range: Span) -> Value {
        let visits = self.entered_in(range);
        let mut counts = Map::new();
        for checkins in 0..=9 {
            let count = visits.iter().filter(|visit| visit.equipment.len() == checkins).count();
            counts.insert(checkins.to_string(), json!(count));
        }
        let many = visits.iter().filter(|visit| visit.equipment.len() >= 10).count();
        counts.insert("10+".into(), json!(many));
        Value::Object(counts)
    }

    /// From the door to the first machine. Where the door was missed, nobody knows.
    fn first_checkin_minutes(&self, range: Span) -> Value {
        let visits = self.entered_in(range).iter();
        let by_door = visits.filter(|visit| visit.entered_by == EnteredBy::Checkin);
        let mut minutes: Vec<i64> = by_door
            .filter_map(|visit| Some((visit.equipment.first()? - visit.entered) / MINUTE))
            .collect();
        minutes.sort_unstable();
        json!({"median": nearest_rank(&minutes, 50), "p90": nearest_rank(&minutes, 90)})
    }
}
