//! The event log by cursor, and quarantine: its list, and another try.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::patience::Patience;
use crate::service::{Service, Webhook, answer, delivery, now, run, run_json, verify};

const MINUTE: i64 = 60_000;
const KINDS: [&str; 3] = ["GYM_CHECKIN", "EQUIPMENT_CHECKIN", "POOL_CHECKIN"];

/// A service with two gyms whose events alternate, and a token for all.
async fn house(events: usize) -> (Service, [Webhook; 2], String) {
    let service = Service::start();
    let webhooks =
        [service.add_gym("mitte", "Europe/Berlin"), service.add_gym("soho", "Europe/London")];
    let token = service.add_token("all", "admin", &[]);
    for place in 0..events {
        for webhook in &webhooks {
            let at = now() - (1_000 + i64::try_from(place).expect("few")) * MINUTE;
            let body = delivery(Uuid::from_u128(1 + place as u128), at, KINDS[place % 3]);
            assert_eq!(service.post(webhook, body).await.0, 200);
        }
    }
    (service, webhooks, token)
}

/// Follows the cursor to the end; the pages, each with its entries.
async fn pages(service: &Service, token: &str, path: &str, list: &str) -> Vec<Vec<Value>> {
    let mut pages = Vec::new();
    let (mut after, mut reached) = (String::new(), i64::MIN);
    loop {
        let page = service.get_ok(token, &format!("{path}{after}")).await;
        let entries = page[list].as_array().expect("a list").clone();
        let next = page["next"].as_str().map(str::to_owned);
        let (place, _) = page["cursor"].as_str().and_then(|it| it.split_once('.')).expect("one");
        let place: i64 = place.parse().expect("a number");
        let last = entries.last().map(position);
        assert!(last.is_none_or(|last| last == place), "the cursor is the last entry's: {page}");
        assert!(next.is_none() || page["next"] == page["cursor"], "{page}");
        assert!(next.is_none() || reached < place, "it gets on: {page}");
        reached = place;
        pages.push(entries);
        let Some(next) = next else { return pages };
        let joint = if path.contains('?') { '&' } else { '?' };
        after = format!("{joint}after={next}");
    }
}

fn position(entry: &Value) -> i64 {
    let found = entry.get("position").or(entry.get("id"));
    found.and_then(Value::as_i64).expect("each has one")
}

#[tokio::test]
async fn pages_of_the_log_join_to_the_whole() {
    let (service, _, token) = house(150).await;
    for gym in ["mitte", "soho"] {
        let path = format!("/api/v1/gyms/{gym}/events?limit=1000");
        let whole = pages(&service, &token, &path, "events").await.remove(0);
        let positions: Vec<_> = whole.iter().map(position).collect();
        assert_eq!(positions.len(), 150);
        assert!(positions.is_sorted_by(|a, b| a < b), "{positions:?}");
        let first = if gym == "mitte" { 1 } else { 2 };
        assert!(positions.iter().all(|position| position % 2 == first % 2), "only the gym's own");
        // 150 is a multiple of 50 and 75: there the last page is an empty one.
        for (limit, count) in [(1, 151), (7, 22), (50, 4), (75, 3), (149, 2), (151, 1)] {
            let path = format!("/api/v1/gyms/{gym}/events?limit={limit}");
            let pages = pages(&service, &token, &path, "events").await;
            assert_eq!(pages.len(), count, "limit {limit}");
            assert!(pages.iter().all(|page| page.len() <= limit));
            assert_eq!(pages.concat(), whole, "limit {limit}");
        }
        let path = format!("/api/v1/gyms/{gym}/events");
        let by_default = pages(&service, &token, &path, "events").await;
        assert_eq!(by_default.iter().map(Vec::len).collect::<Vec<_>>(), [100, 50]);
    }
}

#[tokio::test]
async fn the_log_says_what_was_sent_and_when_it_came() {
    let (service, [webhook, _], token) = house(9).await;
    let (before, at, account) = (now(), now() - 5 * MINUTE, Uuid::new_v4());
    let body = json!({
        "accountId": account, "timestamp": at, "type": "SAUNA_CHECKIN", "room": { "no": [1, 2.50] },
    });
    assert_eq!(service.post(&webhook, body.to_string()).await.0, 200);
    let all = service.get_ok(&token, "/api/v1/gyms/mitte/events").await;
    let events = all["events"].as_array().expect("a list");
    let last = events.last().expect("some");
    let time = |name: &str| {
        let text = last[name].as_str().expect("a text");
        assert!(text.ends_with("+01:00") || text.ends_with("+02:00"), "the gym's clock: {text}");
        chrono::DateTime::parse_from_rfc3339(text).expect("a time").timestamp_millis()
    };
    assert_eq!((&last["account"], &last["type"]), (&json!(account), &json!("SAUNA_CHECKIN")));
    assert_eq!(last["extra"], json!({ "room": { "no": [1, 2.50] } }));
    assert_eq!(time("at"), at);
    assert!((before..=now()).contains(&time("received_at")), "{last}");
    assert!(events[0].get("extra").is_none(), "no field without a use: {}", events[0]);
    for (kind, count) in [("GYM_CHECKIN", 3), ("SAUNA_CHECKIN", 1), ("NOTHING", 0), ("", 0)] {
        let path = format!("/api/v1/gyms/mitte/events?limit=2&type={kind}");
        let found = pages(&service, &token, &path, "events").await.concat();
        let expected = events.iter().filter(|event| event["type"] == kind).cloned();
        assert_eq!(found, expected.collect::<Vec<_>>(), "{kind}");
        assert_eq!(found.len(), count, "{kind}");
    }
}

#[tokio::test]
async fn a_bad_page_gets_a_clear_problem() {
    let (service, _, token) = house(1).await;
    for list in ["events", "quarantine"] {
        let only_in_one = if list == "events" { "kind=X" } else { "type=X" };
        for bad in
            ["limit=0", "limit=1001", "limit=-1", "limit=x", "after=x", "page=2", only_in_one]
        {
            let path = format!("/api/v1/gyms/mitte/{list}?{bad}");
            let (status, problem) = service.get(&token, &path).await;
            let found = (status, problem["code"].as_str());
            assert_eq!(found, (422, Some("bad_parameter")), "{path}: {problem}");
        }
        for beyond in ["after=3", "after=9223372036854775807", "after=0.0123456789abcdef"] {
            let path = format!("/api/v1/gyms/mitte/{list}?{beyond}");
            let (status, problem) = service.get(&token, &path).await;
            let found = (status, problem["code"].as_str());
            assert_eq!(found, (409, Some("stale_cursor")), "{path}: {problem}");
        }
        for (good, count) in
            [("limit=1", 1), ("limit=1000", 1), ("after=0", 1), ("after=-9223372036854775808", 1)]
        {
            let path = format!("/api/v1/gyms/mitte/{list}?{good}");
            let count = if list == "events" { count } else { 0 };
            let page = service.get_ok(&token, &path).await;
            assert_eq!(page[list].as_array().map(Vec::len), Some(count), "{path}");
        }
    }
}

/// So many spaces more than a body may have: the rest of it is as good as any other.
fn padded(body: &str) -> String {
    format!("{body}{}", " ".repeat(16 * 1024 + 1 - body.len()))
}

async fn quarantine(service: &Service, webhook: &Webhook, body: String) -> i64 {
    let (status, problem) = service.post(webhook, body).await;
    assert!(status >= 400, "{problem}");
    problem["quarantine_id"].as_i64().expect("it is kept")
}

async fn release(service: &Service, token: &str, gym: &str, id: impl ToString) -> (u16, Value) {
    let id = id.to_string();
    let url = format!("{}/api/v1/gyms/{gym}/quarantine/{id}/release", service.root);
    answer(service.client.post(url).bearer_auth(token)).await
}

/// The ids that wait at a gym.
async fn waiting(service: &Service, token: &str, gym: &str) -> Vec<i64> {
    let path = format!("/api/v1/gyms/{gym}/quarantine?limit=2");
    pages(service, token, &path, "quarantine").await.iter().flatten().map(position).collect()
}

#[tokio::test]
async fn quarantine_shows_what_came_and_why_it_waits() {
    let (service, [mitte, soho], token) = house(0).await;
    let account = Uuid::new_v4();
    let early = delivery(account, 7, "GYM_CHECKIN");
    for (number, body) in (1..).zip(["nonsense", &early, "{}", "[]", "null"]) {
        assert_eq!(quarantine(&service, &mitte, body.to_owned()).await, 2 * number - 1);
        assert_eq!(quarantine(&service, &soho, body.to_owned()).await, 2 * number);
    }
    let torn = service.post(&mitte, b"\xff\x00{".to_vec()).await;
    assert_eq!(torn.1["quarantine_id"], 11);
    assert_eq!(waiting(&service, &token, "mitte").await, [1, 3, 5, 7, 9, 11]);
    assert_eq!(waiting(&service, &token, "soho").await, [2, 4, 6, 8, 10]);
    let whole = service.get_ok(&token, "/api/v1/gyms/mitte/quarantine").await;
    let (first, second, last) =
        (&whole["quarantine"][0], &whole["quarantine"][1], &whole["quarantine"][5]);
    assert_eq!((&first["body"], &first["reason"]), (&json!("nonsense"), &json!("not_json")));
    assert_eq!((&second["body"], &second["reason"]), (&json!(early), &json!("time_too_early")));
    assert_eq!((&last["body"], &last["bytes"]), (&json!("\u{fffd}\0{"), &json!(3)));
    let bytes: Vec<_> = [first, second].map(|one| one["bytes"].clone()).into();
    assert_eq!(bytes, [json!(8), json!(early.len())]);
    assert!(second["detail"].as_str().is_some_and(|detail| detail.contains("2015")), "{second}");
    assert!(!second["detail"].to_string().contains(&account.to_string()));
}

#[tokio::test]
async fn what_waits_is_appended_when_it_fits() {
    let (service, [webhook, _], token) = house(2).await;
    let (account, at, before) = (Uuid::new_v4(), now() - 30 * MINUTE, now());
    let body = delivery(account, at, "GYM_CHECKIN");
    let first = quarantine(&service, &webhook, padded(&body)).await;
    let second = quarantine(&service, &webhook, padded(&body)).await;
    let test = quarantine(&service, &webhook, padded(r#"{"type":"TEST"}"#)).await;
    let unfit = quarantine(&service, &webhook, "nonsense".to_owned()).await;
    let after = now();
    assert_eq!(waiting(&service, &token, "mitte").await, [first, second, test, unfit]);

    let released = release(&service, &token, "mitte", first).await;
    assert_eq!(released, (200, json!({ "status": "appended", "position": 5 })));
    let events = service.get_ok(&token, "/api/v1/gyms/mitte/events?after=4").await;
    let event = &events["events"][0];
    assert_eq!((&event["account"], &event["position"]), (&json!(account), &json!(5)));
    let received = event["received_at"].as_str().expect("a text");
    let received = chrono::DateTime::parse_from_rfc3339(received).expect("a time");
    assert!((before..=after).contains(&received.timestamp_millis()), "when it came at first");
    let occupancy = service.get_ok(&token, "/api/v1/gyms/mitte/occupancy").await;
    assert_eq!(occupancy["present"], 1, "and it counts");

    for dropped in [second, test] {
        let (status, released) = release(&service, &token, "mitte", dropped).await;
        assert_eq!((status, &released["status"]), (200, &json!("dropped")), "{released}");
        assert!(released["detail"].is_string() && released.get("position").is_none());
    }
    let (status, problem) = release(&service, &token, "mitte", unfit).await;
    assert_eq!((status, problem["code"].as_str()), (422, Some("wrong_shape")), "{problem}");
    assert_eq!(waiting(&service, &token, "mitte").await, [unfit], "what does not fit stays");
    let (status, problem) = release(&service, &token, "mitte", first).await;
    assert_eq!((status, problem["code"].as_str()), (404, Some("not_found")), "{problem}");
    let verified = verify(service.data());
    assert_eq!((&verified["ok"], &verified["events"]), (&json!(true), &json!(5)));
}

#[tokio::test]
async fn what_waits_of_an_erased_member_is_dropped() {
    let (service, [webhook, soho], token) = house(0).await;
    let account = Uuid::new_v4();
    let late = padded(&delivery(account, now() - 9 * MINUTE, "GYM_CHECKIN"));
    let url = format!("{}/api/v1/gyms/mitte/members/{account}", service.root);
    assert_eq!(answer(service.client.delete(url).bearer_auth(&token)).await.0, 202);
    let patience = Patience::until("the erasure is done");
    loop {
        let records = service.get_ok(&token, "/api/v1/erasures").await;
        if records["erasures"][0]["completed_at"].is_string() {
            break;
        }
        patience.again().await;
    }
    let id = quarantine(&service, &webhook, late.clone()).await;
    let (status, released) = release(&service, &token, "mitte", id).await;
    assert_eq!((status, &released["status"]), (200, &json!("dropped")), "{released}");
    assert_eq!(waiting(&service, &token, "mitte").await, [0_i64; 0]);
    let id = quarantine(&service, &soho, late).await;
    let (status, released) = release(&service, &token, "soho", id).await;
    assert_eq!((status, &released["status"]), (200, &json!("appended")), "not erased there");
}

#[tokio::test]
async fn an_id_of_another_gym_is_like_none() {
    let (service, [_, soho], token) = house(0).await;
    let body = padded(&delivery(Uuid::new_v4(), now(), "GYM_CHECKIN"));
    let id = quarantine(&service, &soho, body).await;
    let elsewhere = release(&service, &token, "mitte", id).await;
    assert_eq!((elsewhere.0, elsewhere.1["code"].as_str()), (404, Some("not_found")));
    for nothing in ["99", "0", "-1"] {
        assert_eq!(release(&service, &token, "mitte", nothing).await, elsewhere, "{nothing}");
    }
    for no_id in ["x", "1.5", "99999999999999999999", "%FF"] {
        let (status, problem) = release(&service, &token, "mitte", no_id).await;
        assert_eq!((status, problem["code"].as_str()), (404, Some("not_found")), "{no_id}");
    }
    assert_eq!(waiting(&service, &token, "soho").await, [id], "it was not touched");
    assert_eq!(verify(service.data())["events"], 0);
    assert_eq!(release(&service, &token, "soho", id).await.0, 200);
    let tried = run(service.data(), &["quarantine", "release", &id.to_string()]);
    assert!(!tried.status.success(), "it is gone for the command line too");
    let listed = run_json(service.data(), &["quarantine", "list", "--json"]);
    assert_eq!(listed, json!([]));
}
