//! An account that others wrote in pieces, by numbers, or among many is gone with its erasure too.

use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::erasure::completed;
use crate::service::{Service, Webhook, delivery, now};

const MINUTE: i64 = 60_000;

/// Ways to spell an account by more than one value, by name.
fn spellings(account: Uuid) -> Vec<(&'static str, Value)> {
    let (high, low) = account.as_u64_pair();
    let hex = account.simple().to_string();
    let groups = |length: usize| -> Vec<String> {
        let letters: Vec<char> = hex.chars().collect();
        letters.chunks(length).map(|group| group.iter().collect()).collect()
    };
    let keyed = |values: Vec<Value>| -> Value {
        let fields = values.into_iter().enumerate().map(|(n, value)| (format!("k{n}"), value));
        Value::Object(fields.collect::<Map<_, _>>())
    };
    let bytes = account.into_bytes();
    vec![
        ("halves", json!({ "mostSigBits": high.cast_signed(), "leastSigBits": low.cast_signed() })),
        ("halves as texts", json!({ "most": high.to_string(), "least": low.to_string() })),
        ("bytes by name", keyed(bytes.iter().map(|byte| json!(byte)).collect())),
        ("bytes", json!(groups(2))),
        ("letters", json!(groups(1))),
        ("groups by name", keyed(groups(5).into_iter().map(Value::from).collect())),
        ("groups in words", json!(groups(4).join(" and "))),
        (
            "other letters",
            json!(hex.bytes().map(|b| char::from(b'a' + b % 26)).collect::<String>()),
        ),
    ]
}

/// How many values there are in one, without those that only say that something was not kept.
fn leaves(value: &Value) -> usize {
    if let Some(fields) = value.as_object() {
        return fields.values().map(leaves).sum();
    }
    if let Some(items) = value.as_array() {
        return items.iter().map(leaves).sum();
    }
    let is_mark = value.as_str().is_some_and(|text| text.starts_with("not kept"));
    usize::from(!is_mark && !value.is_null())
}

async fn post(service: &Service, webhook: &Webhook, extra: &Value, at: Value) {
    let mut body = json!({
        "accountId": Uuid::new_v4(), "timestamp": at, "type": "GYM_CHECKIN",
    });
    let fields = body.as_object_mut().expect("an object");
    if let Some(extra) = extra.as_object() {
        fields.extend(extra.clone());
    } else {
        fields.insert("of".into(), extra.clone());
    }
    let (status, answer) = service.post(webhook, body.to_string()).await;
    assert!([200, 422].contains(&status), "{answer}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_in_pieces_is_not_kept() {
    let service = Service::start();
    let webhook = service.add_gym("mitte", "UTC");
    let token = service.add_token("all", "admin", &[]);
    let account: Uuid = "7a90f3b1-58c6-4d2e-9b47-e06d1f83c2a5".parse().expect("a UUID");
    let mut sent = Vec::new();
    for (name, spelled) in spellings(account) {
        for extra in [spelled.clone(), json!({ "friend": spelled })] {
            post(&service, &webhook, &extra, json!(now() - MINUTE)).await;
            post(&service, &webhook, &extra, json!(7)).await;
            sent.push((name, leaves(&extra)));
        }
    }
    let log = service.get_ok(&token, "/api/v1/gyms/mitte/events?limit=1000").await;
    let waiting = service.get_ok(&token, "/api/v1/gyms/mitte/quarantine?limit=1000").await;
    let events = log["events"].as_array().expect("a list");
    assert_eq!(events.len(), sent.len());
    for (event, (name, sent)) in events.iter().zip(sent) {
        let kept = leaves(&event["extra"]);
        assert!(kept * 2 < sent, "{name}: {}", event["extra"]);
    }
    for row in waiting["quarantine"].as_array().expect("a list") {
        assert_eq!(row["whole"], false, "{row}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_among_many_or_written_from_behind_is_erased() {
    let service = Service::start();
    let webhook = service.add_gym("mitte", "UTC");
    let token = service.add_token("all", "admin", &[]);
    let accounts: Vec<Uuid> = (0..40).map(|_| Uuid::new_v4()).collect();
    let swapped = |account: &Uuid| Uuid::from_bytes(account.to_bytes_le());
    let letter = |number: usize| char::from(b'a' + u8::try_from(number).expect("it is small"));
    let many: Map<String, Value> = accounts
        .iter()
        .enumerate()
        .map(|(n, account)| (format!("of{}{}", letter(n / 20), letter(n % 20)), json!(account)))
        .collect();
    for at in [json!(now() - MINUTE), json!(7)] {
        post(&service, &webhook, &Value::Object(many.clone()), at.clone()).await;
        post(&service, &webhook, &json!({ "friend": swapped(&accounts[0]) }), at).await;
    }
    for account in &accounts {
        let body = delivery(*account, now(), "MEMBERSHIP_DELETE");
        assert_eq!(service.post(&webhook, body).await.0, 200);
    }
    completed(&service, &token).await;
    let log = service.get_ok(&token, "/api/v1/gyms/mitte/events").await.to_string();
    let waiting = service.get_ok(&token, "/api/v1/gyms/mitte/quarantine").await.to_string();
    for account in accounts.iter().flat_map(|account| [*account, swapped(account)]) {
        let account = account.to_string();
        assert!(!log.contains(&account) && !waiting.contains(&account), "{account}");
    }
}
