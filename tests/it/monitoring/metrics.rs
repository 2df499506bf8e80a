//! What `/metrics` says, what it must not say, and that it is documented.

use std::collections::BTreeSet;
use std::sync::Arc;

use uuid::Uuid;

use super::dashboards::BOARDS;
use super::rules::{ALERTS, RULES};
use super::{AT_TIMES, Watched, families, mentioned, scrape, value};
use crate::patience::Patience;
use crate::service::{Service, answer, delivery, now};

const METRICS: &str = include_str!("../../../docs/METRICS.md");
const OPERATING: &str = include_str!("../../../docs/OPERATING.md");
const API: &str = include_str!("../../../docs/API.md");

/// Every label, each with a bounded set of values.
const LABELS: [&str; 11] = [
    "ended_by", "gym", "le", "limit", "name", "outcome", "route", "status", "type", "version",
    "webhook",
];

#[tokio::test]
async fn every_metric_is_documented_and_every_name_that_is_used_exists() {
    let watched = Watched::start().await;
    let exported = families(&watched.text().await);
    let ours: BTreeSet<_> = exported.into_iter().filter(|name| name.starts_with("foot")).collect();
    let at_times = AT_TIMES.iter().map(|(name, _)| (*name).to_owned());
    let known: BTreeSet<_> = ours.iter().cloned().chain(at_times).collect();
    assert_eq!(mentioned(METRICS), known, "docs/METRICS.md has every metric and no other");
    let texts = [OPERATING, API, RULES, ALERTS].into_iter().chain(BOARDS.map(|(_, text)| text));
    for text in texts {
        let unknown: Vec<_> = mentioned(text).difference(&known).cloned().collect();
        assert!(unknown.is_empty(), "{unknown:?}");
    }
}

#[tokio::test]
async fn what_comes_from_outside_is_no_label_and_makes_no_new_series() {
    let watched = Watched::start().await;
    let (service, webhook) = (&watched.service, &watched.webhook);
    let token = service.add_token("manager", "manager", &[]);
    let mut counted = Vec::new();
    for round in 0..2 {
        let (account, word) = (Uuid::new_v4(), format!("NEW_{round}"));
        service.post(webhook, delivery(account, now(), &word)).await;
        for path in [format!("/{word}"), format!("/api/v1/gyms/mitte/members/{account}")] {
            service.get(&token, &path).await;
        }
        watched.knock().await;
        let text = watched.text().await;
        for secret in [&*account.to_string(), &word, &token, &webhook.secret, &webhook.path[10..]] {
            assert!(!text.contains(secret), "{secret} is in the metrics");
        }
        counted.push(text.lines().filter(|line| !line.starts_with('#')).count());
        assert_eq!(labels(&text), LABELS.map(str::to_owned).into());
    }
    assert_eq!(counted[0], counted[1], "a second of the same kind makes no new series");
}

#[tokio::test]
async fn a_gym_has_its_series_before_its_first_event() {
    let service = Service::start();
    let webhook = service.add_gym("mitte", "Europe/Berlin");
    let text = scrape(&service).await;
    let first = &webhook.path["/webhooks/".len()..][..8];
    let mut expected = vec![
        r#"footfall_stay_seconds_count{gym="mitte"}"#.to_owned(),
        r#"footfall_delivery_delay_seconds_count{gym="mitte"}"#.to_owned(),
        r#"footfall_deliveries_unauthorized_total{gym="",webhook="unknown"}"#.to_owned(),
        format!(r#"footfall_deliveries_unauthorized_total{{gym="mitte",webhook="{first}"}}"#),
    ];
    for outcome in ["accepted", "duplicate", "erased", "quarantined", "refused"] {
        let word = if outcome == "quarantined" { "unknown" } else { "GYM_CHECKIN" };
        let labels = format!(r#"{{gym="mitte",outcome="{outcome}",type="{word}"}}"#);
        expected.push(format!("footfall_deliveries_total{labels}"));
    }
    for series in expected {
        assert_eq!(value(&text, &series), Some(0.0), "{series} in\n{text}");
    }
}

/// The names of labels in a text of metrics.
fn labels(text: &str) -> BTreeSet<String> {
    let series = text.lines().filter_map(|line| line.split_once('{')?.1.rsplit_once('}'));
    let pairs = series.flat_map(|(pairs, _)| pairs.split("\",").map(str::to_owned));
    pairs.filter_map(|pair| Some(pair.split_once('=')?.0.to_owned())).collect()
}

#[tokio::test]
async fn it_says_what_the_api_says_and_forgets_who_is_erased() {
    let watched = Watched::start().await;
    let token = watched.service.add_token("viewer", "viewer", &[]);
    for account in [watched.erased.to_string(), watched.erased.simple().to_string()] {
        assert!(!watched.text().await.to_lowercase().contains(&account));
    }
    let present = delivery(Uuid::new_v4(), now(), "GYM_CHECKIN");
    assert_eq!(watched.service.post(&watched.webhook, present).await.0, 200);
    // Somebody may leave between two questions, so the API is asked before and after.
    let path = "/api/v1/gyms/mitte/occupancy";
    let patience = Patience::until("nothing changes between two questions");
    loop {
        let before = watched.service.get_ok(&token, path).await;
        let text = watched.text().await;
        let after = watched.service.get_ok(&token, path).await;
        let figures =
            ["present", "capacity"].map(|name| (before[name].clone(), after[name].clone()));
        if before["usual"] != after["usual"] || figures.iter().any(|(one, other)| one != other) {
            patience.again().await;
            continue;
        }
        let of = |name: &str| value(&text, &format!("footfall_gym_{name}{{gym=\"mitte\"}}"));
        assert!(of("members_present").is_some_and(|present| present >= 1.0));
        assert_eq!(of("members_present"), before["present"].as_f64());
        assert_eq!(of("capacity_members"), before["capacity"].as_f64());
        let usual = before["usual"]["average"].as_f64().expect("six weeks are enough");
        assert!((of("usual_members").expect("it is there") - usual).abs() < 1e-9);
        assert_eq!(of("silent"), Some(0.0), "somebody has just come");
        return;
    }
}

#[tokio::test]
async fn it_answers_beside_a_writer_that_is_held_up_and_shows_the_lag() {
    let service = Service::start();
    service.add_gym("mitte", "Europe/Berlin");
    let ready = format!("{}/readyz", service.root);
    assert_eq!(answer(service.client.get(&ready)).await.0, 200);
    let other = rusqlite::Connection::open(service.data().join("footfall.db")).expect("it opens");
    let sql = "BEGIN IMMEDIATE;
               INSERT INTO events (gym, member, at, type, received_at) VALUES (1, 1, 1, 'X', 1)";
    other.execute_batch(sql).expect("the schema is known");
    let beat = "footfall_projection_heartbeat_timestamp_seconds";
    let before = value(&scrape(&service).await, beat);
    assert!(before.is_some(), "a held writer keeps nobody from reading");
    other.execute_batch("COMMIT").expect("it was begun");
    assert_eq!(answer(service.client.get(&ready)).await.0, 503);
    let text = scrape(&service).await;
    assert_eq!(value(&text, beat), before, "no heartbeat without every event counted");
    assert_eq!(value(&text, "footfall_log_position"), Some(1.0));
    assert_eq!(value(&text, "footfall_projection_position"), Some(0.0));
}

#[tokio::test]
async fn what_the_tallies_hold_survives_a_restart() {
    let mut watched = Watched::start().await;
    let kept = |text: &str| {
        let is_kept = |line: &&str| {
            let names = ["footfall_erasures_done", "footfall_gym_last", "footfall_webhook_last"];
            names.iter().any(|name| line.starts_with(name))
        };
        text.lines().filter(is_kept).map(str::to_owned).collect::<Vec<_>>()
    };
    let before = kept(&watched.text().await);
    assert_eq!(before.len(), 4, "{before:?}");
    watched.service.kill();
    let again = Service::start_on(Arc::clone(&watched.service.folder));
    assert_eq!(kept(&scrape(&again).await), before);
}
