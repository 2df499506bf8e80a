//! Two webhooks for one gym: what one lost the other brought, and how much that was.

use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use uuid::Uuid;

use super::reports::tags::fall_silent;
use crate::service::{Service, Webhook, answer, delivery, now, run_json};

const MINUTE: i64 = 60_000;
const EVENTS: usize = 200;

/// How often each webhook brings an event: not at all, once, twice.
type Brought = [usize; 2];

fn id(webhook: &Webhook) -> &str {
    webhook.path.rsplit('/').next().expect("an id")
}

/// What the report must say, of all that was posted or of today.
fn expected(webhooks: &[Webhook; 2], brought: &[(bool, Brought)], whole: bool) -> Value {
    let one = |place: usize| {
        let came = brought.iter().filter(|(is_today, times)| {
            (whole || *is_today) && times.iter().any(|times| *times > 0)
        });
        let (events, missed) = came.fold((0, 0), |(events, missed), (_, times)| {
            (events + 1, missed + i32::from(times[place] == 0))
        });
        let loss = f64::from(missed) / f64::from(events);
        json!({ "webhook": id(&webhooks[place]), "events": events, "missed": missed, "loss": loss })
    };
    json!([one(0), one(1)])
}

/// So many days ago, as a parameter.
fn day(days: i64) -> String {
    let at = chrono::DateTime::from_timestamp_millis(now() - days * 24 * 60 * MINUTE);
    at.expect("a time").format("%Y-%m-%dT%H:%M:00Z").to_string()
}

async fn losses(service: &Service, token: &str, query: &str) -> Value {
    let path = format!("/api/v1/gyms/mitte/reports/quality?{query}");
    service.get_ok(token, &path).await["totals"]["webhooks"].clone()
}

async fn tag(service: &Service, token: &str) -> String {
    let url = format!("{}/api/v1/gyms/mitte/reports/quality", service.root);
    let report = service.client.get(url).bearer_auth(token).send().await.expect("an answer");
    report.headers()["etag"].to_str().expect("a text").to_owned()
}

#[tokio::test]
async fn what_waited_in_quarantine_counts_as_what_it_was_when_it_came() {
    let service = Service::start();
    let first = service.add_gym("mitte", "UTC");
    let token = service.add_token("all", "admin", &[]);
    run_json(service.data(), &["gym", "set", "mitte", "--retain-events", "25", "--json"]);
    let body = delivery(Uuid::new_v4(), now() - 800 * 24 * 60 * MINUTE, "GYM_CHECKIN");
    let mut waiting = Vec::new();
    for _ in 0..2 {
        let (status, problem) = service.post(&first, body.clone()).await;
        assert_eq!((status, &problem["code"]), (422, &json!("beyond_retention")));
        waiting.push(problem["quarantine_id"].clone());
    }
    // The second webhook is heard of only after they came.
    let second = service.add_webhook("mitte");
    assert_eq!(service.post(&second, r#"{"type":"TEST"}"#).await.0, 200);
    run_json(service.data(), &["gym", "set", "mitte", "--retain-events", "off", "--json"]);
    let mut released = Vec::new();
    for id in waiting {
        let path = format!("{}/api/v1/gyms/mitte/quarantine/{id}/release", service.root);
        let (status, release) = answer(service.client.post(path).bearer_auth(&token)).await;
        assert_eq!(status, 200, "{release}");
        released.push(release["status"].clone());
    }
    assert_eq!(released, ["appended", "dropped"]);
    let path = format!(
        "/api/v1/gyms/mitte/reports/quality?interval=1w&from={}&until={}",
        day(830),
        day(-1)
    );
    let totals = service.get_ok(&token, &path).await["totals"].clone();
    assert_eq!((&totals["quarantined"], &totals["duplicates"]), (&json!(2), &json!(0)), "{totals}");
    assert_eq!(totals["webhooks"], json!([]), "nothing was missed by one that was not there yet");
}

#[tokio::test]
async fn what_each_of_two_webhooks_lost_is_counted() {
    let service = Service::start();
    let webhooks = [service.add_gym("mitte", "Asia/Kathmandu"), service.add_webhook("mitte")];
    let token = service.add_token("all", "admin", &[]);
    let mut dice = ChaCha8Rng::seed_from_u64(1);
    // Before the second was heard of, nothing is awaited from it.
    let body = delivery(Uuid::new_v4(), now() - 9 * MINUTE, "GYM_CHECKIN");
    assert_eq!(service.post(&webhooks[0], body).await.0, 200);
    assert_eq!(losses(&service, &token, "").await, json!([]));
    for webhook in &webhooks {
        assert_eq!(service.post(webhook, r#"{"type":"TEST"}"#).await.0, 200);
    }
    let start = now();
    let members: Vec<_> = (0..20).map(|_| Uuid::new_v4()).collect();
    let mut posts = Vec::new();
    let mut brought: Vec<(bool, Brought)> = Vec::new();
    for event in 0..EVENTS {
        let is_today = event % 2 == 0;
        let minutes_ago = if is_today { 5 } else { 40 * 24 * 60 };
        // No two at the same millisecond.
        let at = start - minutes_ago * MINUTE + i64::try_from(event).expect("it is small");
        let body = delivery(members[event % members.len()], at, "EQUIPMENT_CHECKIN");
        let (first, second) = ([0, 1, 1, 1, 2], [0, 0, 1, 1, 2]);
        let times = [first[dice.random_range(0..5)], second[dice.random_range(0..5)]];
        for (place, times) in times.into_iter().enumerate() {
            posts.extend(std::iter::repeat_n((place, body.clone()), times));
        }
        brought.push((is_today, times));
    }
    posts.shuffle(&mut dice);
    for (place, body) in posts {
        assert_eq!(service.post(&webhooks[place], body).await.0, 200);
    }
    let expected = |whole| expected(&webhooks, &brought, whole);
    let whole = format!("interval=1d&from={}&until={}", day(60), day(-1));
    let today = format!("interval=1d&from={}&until={}", day(7), day(-1));
    assert_eq!(losses(&service, &token, &whole).await, expected(true));
    assert_eq!(losses(&service, &token, &today).await, expected(false));
    assert_ne!(expected(true), expected(false));

    // The sums outlast events, and are not counted again with them.
    let path = format!("{}/api/v1/gyms/mitte/members/{}", service.root, members[0]);
    let erased = service.client.delete(path).bearer_auth(&token).send().await;
    assert_eq!(erased.expect("an answer").status(), 202);
    run_json(service.data(), &["rebuild", "--json"]);
    assert_eq!(losses(&service, &token, &whole).await, expected(true));
    assert_eq!(crate::service::verify(service.data())["ok"], true);

    let gym = service.get_ok(&token, "/api/v1/gyms/mitte").await;
    let seen: Vec<_> = gym["webhooks"].as_array().expect("a list").iter().collect();
    for (seen, webhook) in seen.iter().zip(&webhooks) {
        assert_eq!(seen["webhook"], id(webhook));
        assert!(seen["last_delivery"].is_string() && seen["last_test"].is_string(), "{seen}");
        assert_eq!(seen["silent"], false);
    }
    let before = tag(&service, &token).await;
    run_json(service.data(), &["webhook", "remove", id(&webhooks[1]), "--json"]);
    let left = losses(&service, &token, &whole).await;
    assert_ne!(tag(&service, &token).await, before, "what the report rests on is another");
    assert_eq!(left.as_array().map(Vec::len), Some(1), "{left}");
}

#[tokio::test]
async fn a_webhook_that_never_delivered_is_silent_from_its_beginning_on() {
    let service = Service::start();
    fall_silent(&service).await;
    let token = service.add_token("all", "viewer", &[]);
    service.add_webhook("silent");
    let silent = async || {
        let gym = service.get_ok(&token, "/api/v1/gyms/silent").await;
        gym["webhooks"][1]["silent"].clone()
    };
    assert_eq!(silent().await, false, "it has only just been made");
    let database = rusqlite::Connection::open(service.data().join("footfall.db")).expect("opens");
    let sql = "UPDATE webhooks SET created_at = ?1 WHERE last_delivery_at IS NULL";
    database.execute(sql, [now() - 60 * MINUTE]).expect("the schema is known");
    assert_eq!(silent().await, true, "an hour in which many came to the gym by the other");
}
