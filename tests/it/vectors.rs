//! The cases of visits that must hold, from `tests/vectors/visits.json`.

use footfall::domain::event::{Entry, Kind, Lateness};
use footfall::domain::ids::Position;
use footfall::domain::rules::Rules;
use footfall::domain::stretch::Stretch;
use footfall::domain::visit::{EndedBy, EnteredBy, Visit};
use serde_json::{Value, json};

fn entry(event: &Value, position: i64) -> Entry {
    Entry {
        at: event["timestamp"].as_i64().expect("a number"),
        kind: Kind::from_name(event["type"].as_str().expect("a text")),
        position: Position(position),
        lateness: Lateness::OnTime,
    }
}

fn shown(visit: &Visit) -> Value {
    json!({
        "entered": visit.entered,
        "entered_by": match visit.entered_by {
            EnteredBy::Checkin => "checkin",
            EnteredBy::Equipment => "equipment",
        },
        "left": visit.left,
        "ended_by": match visit.ended_by {
            EndedBy::Checkout => "checkout",
            EndedBy::Assumed => "assumed",
            EndedBy::Window => "window",
            EndedBy::NextVisit => "next_visit",
            EndedBy::Erasure => "erasure",
        },
        "equipment_checkins": visit.equipment_checkins,
        "repeat_swipes": visit.repeat_swipes,
    })
}

/// Folds a case as the projection does: cut into stretches where the gap exceeds the window.
fn fold(rules: &Rules, mut entries: Vec<Entry>) -> Value {
    entries.sort_by_key(Entry::order);
    let stretches = entries.chunk_by(|a, b| b.at - a.at <= rules.visit_window());
    let stretches: Vec<_> =
        stretches.map(|stretch| Stretch::fold(rules, stretch.to_vec())).collect();
    let visits: Vec<_> = stretches.iter().flat_map(Stretch::visits).map(shown).collect();
    let orphans: usize = stretches.iter().map(|stretch| stretch.orphan_checkouts().len()).sum();
    json!({ "orphan_checkouts": orphans, "visits": visits })
}

#[test]
fn every_case_folds_as_written_in_any_order_of_arrival() {
    let cases: Value =
        serde_json::from_str(include_str!("../vectors/visits.json")).expect("it is JSON");
    let rules = Rules::default();
    assert_eq!(
        json!(rules.minutes()),
        json!(
            ["visit_window", "assumed_stay", "assumed_tail", "rejoin_grace"]
                .map(|name| cases["rules_minutes"][name].as_u64())
        )
    );
    let cases = cases["cases"].as_array().expect("a list");
    assert!(cases.len() >= 29);
    for case in cases {
        let mut events = case["events"].as_array().expect("a list").clone();
        if let Some(at) = case["erased_at"].as_i64() {
            events.push(json!({ "type": "MEMBERSHIP_DELETE", "timestamp": at }));
        }
        for _ in 0..events.len() {
            events.rotate_left(1);
            let entries = (0..).zip(&events).map(|(position, event)| entry(event, position));
            assert_eq!(fold(&rules, entries.collect()), case["expect"], "{}", case["name"]);
        }
    }
}
