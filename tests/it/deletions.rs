//! A deletion that names an account is carried out, whatever its time, and takes with it all that
//! came before it.

use footfall::projection::{live, read};
use footfall::store::Database;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::erasure::{completed, traces};
use crate::service::{Service, Webhook, delivery, now, run_json, verify};

const MINUTE: i64 = 60_000;
const DAY: i64 = 24 * 60 * MINUTE;
const SILENT_WEEKS: i64 = 7;

async fn accepted(service: &Service, webhook: &Webhook, body: String) {
    let (status, answer) = service.post(webhook, body.clone()).await;
    assert_eq!((status, &answer["status"]), (200, &json!("accepted")), "{body}: {answer}");
}

async fn waiting(service: &Service, token: &str) -> Vec<Value> {
    let page = service.get_ok(token, "/api/v1/gyms/mitte/quarantine").await;
    page["quarantine"].as_array().expect("a list").clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deletion_is_carried_out_whatever_its_time_is_like() {
    let service = Service::start();
    let webhook = service.add_gym("mitte", "UTC");
    let token = service.add_token("all", "admin", &[]);
    let seconds = (now() / 1_000).to_string();
    let ahead = (now() + 11 * MINUTE).to_string();
    let future = (now() + 400 * DAY).to_string();
    let old = (now() - 4_000 * DAY).to_string();
    let text = format!("\"{}\"", now());
    let times = [
        "",
        "null",
        "-1",
        "1.5",
        "1e400",
        "[]",
        "true",
        "\"\"",
        &seconds,
        &ahead,
        &future,
        &old,
        &text,
        "1420070399999",
        "9223372036854775807",
    ];
    let mut gone = Vec::new();
    for time in times {
        let account = Uuid::new_v4();
        accepted(&service, &webhook, delivery(account, now() - 3 * MINUTE, "GYM_CHECKIN")).await;
        let time = if time.is_empty() { String::new() } else { format!(r#""timestamp":{time},"#) };
        let body = format!(
            r#"{{"accountId":"{}",{time}"type":"MEMBERSHIP_DELETE","of":"{account}"}}"#,
            account.simple().to_string().to_uppercase()
        );
        accepted(&service, &webhook, body).await;
        gone.push(account);
    }
    let large = Uuid::new_v4();
    accepted(&service, &webhook, delivery(large, now() - MINUTE, "GYM_CHECKIN")).await;
    let body = delivery(large, now(), "MEMBERSHIP_DELETE");
    accepted(&service, &webhook, format!("{body}{}", " ".repeat(20_000))).await;
    gone.push(large);
    gone.extend(delete_by_what_is_no_delivery(&service, &webhook).await);
    completed(&service, &token).await;
    assert_eq!(waiting(&service, &token).await, Vec::<Value>::new(), "none waits");
    let occupancy = service.get_ok(&token, "/api/v1/gyms/mitte/occupancy").await;
    assert_eq!(occupancy["present"], 0);
    for account in gone {
        assert_eq!(traces(service.data(), account), Vec::<String>::new());
        let late = delivery(account, now() - 2 * MINUTE, "GYM_CHECKIN");
        assert_eq!(service.post(&webhook, late).await.1, json!({ "status": "erased" }));
    }
    assert_eq!(verify(service.data())["ok"], true);
}

/// Deletions in bodies that are cut off, no JSON, or not in UTF-8, each of a member of its own.
async fn delete_by_what_is_no_delivery(service: &Service, webhook: &Webhook) -> Vec<Uuid> {
    let begin = |account: Uuid| format!(r#"{{"accountId":"{account}","type":"MEMBERSHIP_DELETE""#);
    let whole = |account: Uuid| format!("{}}}", begin(account));
    let mut bodies: Vec<Box<dyn Fn(Uuid) -> Vec<u8>>> = vec![
        Box::new(move |account| format!("[{}]", whole(account)).into_bytes()),
        Box::new(move |account| format!("{{\"event\":{}}}", whole(account)).into_bytes()),
        Box::new(move |account| whole(account).encode_utf16().flat_map(u16::to_le_bytes).collect()),
        Box::new(move |account| [begin(account).as_bytes(), b",\"name\":\"\xfc\"}"].concat()),
    ];
    for end in [
        ",\"timestamp\":NaN}",
        ",\"timestamp\":,}",
        ",}",
        ",\"timestamp\":17",
        ",\"type\":\"membership_delete\"}",
    ] {
        bodies.push(Box::new(move |account| format!("{}{end}", begin(account)).into_bytes()));
    }
    let mut gone = Vec::new();
    for body in bodies {
        let account = Uuid::new_v4();
        accepted(service, webhook, delivery(account, now() - 3 * MINUTE, "GYM_CHECKIN")).await;
        let body = body(account);
        let request = service.client.post(format!("{}{}", service.root, webhook.path));
        let answer = request.header("x-api-key", &webhook.secret).body(body.clone()).send().await;
        let answer = answer.expect("an answer");
        assert_eq!(answer.status(), 200, "{}", String::from_utf8_lossy(&body));
        gone.push(account);
    }
    gone
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_deleted_by_a_fast_clock_is_present_until_it_says_so_and_erased_at_once() {
    let service = Service::start();
    let webhook = service.add_gym("mitte", "UTC");
    let token = service.add_token("all", "admin", &[]);
    let (ada, cut) = (Uuid::new_v4(), now() + 9 * MINUTE);
    accepted(&service, &webhook, delivery(ada, now() - 3 * MINUTE, "GYM_CHECKIN")).await;
    accepted(&service, &webhook, delivery(ada, cut, "MEMBERSHIP_DELETE")).await;
    completed(&service, &token).await;
    assert_eq!(traces(service.data(), ada), Vec::<String>::new());
    let gyms = service.get_ok(&token, "/api/v1/gyms/mitte/occupancy").await;
    assert_eq!((&gyms["present"], &gyms["observed"]), (&json!(1), &json!(1)), "{gyms}");
    let database = Database::open(service.data()).expect("it opens");
    let present = |at: i64| {
        let read = database.read(|snapshot| {
            let gym = snapshot.gyms()?.remove(0);
            let live = live::Watch::default().look(snapshot, at)?[0].present;
            Ok((read::occupancy_now(snapshot, &gym, at)?.present, live))
        });
        read.expect("it can be read")
    };
    assert_eq!((present(cut - 1), present(cut)), ((1, 1), (0, 0)), "as the report counts it");
    assert_eq!(verify(service.data())["ok"], true);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_came_before_a_deletion_goes_with_it_also_what_a_fast_clock_stamped_after_it() {
    let service = Service::start();
    let webhook = service.add_gym("mitte", "UTC");
    let token = service.add_token("all", "admin", &[]);
    let (ada, bob) = (Uuid::new_v4(), Uuid::new_v4());
    let fast =
        [delivery(ada, now() + 4 * MINUTE, "GYM_CHECKIN"), delivery(bob, now(), "GYM_CHECKIN")];
    accepted(&service, &webhook, delivery(ada, now() - 30 * MINUTE, "GYM_CHECKIN")).await;
    for body in &fast {
        accepted(&service, &webhook, body.clone()).await;
    }
    let visits = "/api/v1/gyms/mitte/reports/visits?interval=1mo";
    let before = service.get_ok(&token, visits).await["totals"]["visits"].clone();
    // Both deletions are stamped before what the doors stamped.
    let deleted =
        [ada, bob].map(|account| delivery(account, now() - 5 * MINUTE, "MEMBERSHIP_DELETE"));
    for body in &deleted {
        accepted(&service, &webhook, body.clone()).await;
    }
    let occupancy = "/api/v1/gyms/mitte/occupancy";
    completed(&service, &token).await;
    assert_eq!(service.get_ok(&token, occupancy).await["present"], 0, "nobody is there any more");
    for account in [ada, bob] {
        assert_eq!(traces(service.data(), account), Vec::<String>::new());
        let path = format!("/api/v1/gyms/mitte/members/{account}");
        assert_eq!(service.get(&token, &path).await.0, 404);
    }
    for body in fast.iter().chain(&deleted) {
        let answer = service.post(&webhook, body.clone()).await.1;
        assert_eq!(answer, json!({ "status": "erased" }), "it does not bring the member back");
    }
    assert_eq!(service.get_ok(&token, visits).await["totals"]["visits"], before, "sums stay");
    run_json(service.data(), &["rebuild", "--json"]);
    assert_eq!(service.get_ok(&token, visits).await["totals"]["visits"], before);
    assert_eq!(verify(service.data())["ok"], true);
    // Who comes back is new, and is deleted again by a deletion that a slow clock stamped.
    accepted(&service, &webhook, delivery(bob, now() + MINUTE, "GYM_CHECKIN")).await;
    accepted(&service, &webhook, deleted[1].clone()).await;
    completed(&service, &token).await;
    assert_eq!(traces(service.data(), bob), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_of_zeros_is_erased_like_any_other() {
    let service = Service::start();
    let webhook = service.add_gym("mitte", "UTC");
    let token = service.add_token("all", "admin", &[]);
    // The second time it is a new member, whose clock is a little fast.
    for at in [now() - MINUTE, now() + MINUTE] {
        accepted(&service, &webhook, delivery(Uuid::nil(), at, "GYM_CHECKIN")).await;
        accepted(&service, &webhook, delivery(Uuid::nil(), at, "MEMBERSHIP_DELETE")).await;
        completed(&service, &token).await;
        let path = format!("/api/v1/gyms/mitte/members/{}", Uuid::nil());
        assert_eq!(service.get(&token, &path).await.0, 404);
    }
    let log = service.get_ok(&token, "/api/v1/gyms/mitte/events").await;
    assert_eq!(log["events"], json!([]), "nothing of it stays");
    assert_eq!(verify(service.data())["ok"], true);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn erasure_records_are_told_by_the_page() {
    let service = Service::start();
    let webhooks = ["mitte", "nord"].map(|gym| service.add_gym(gym, "UTC"));
    let token = service.add_token("all", "manager", &["mitte"]);
    for number in 0..6 {
        let body = delivery(Uuid::new_v4(), now(), "MEMBERSHIP_DELETE");
        accepted(&service, &webhooks[number % 2], body).await;
    }
    let (mut path, mut pages, mut ids) = ("?limit=2".to_owned(), Vec::new(), Vec::new());
    loop {
        let page = service.get_ok(&token, &format!("/api/v1/erasures{path}")).await;
        let records = page["erasures"].as_array().expect("a list").clone();
        pages.push(records.len());
        ids.extend(records.iter().map(|record| record["id"].as_i64().expect("a number")));
        let Some(next) = page["next"].as_i64() else { break };
        path = format!("?limit=2&before={next}");
    }
    assert_eq!(pages, [2, 1], "of one gym only");
    assert!(ids.is_sorted_by(|newer, older| newer > older), "{ids:?}");
    let (status, _) = service.get(&token, "/api/v1/erasures?limit=1001").await;
    assert_eq!(status, 422);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deletion_is_never_a_gyms_first_event() {
    let service = Service::start();
    let webhook = service.add_gym("mitte", "UTC");
    let token = service.add_token("all", "admin", &[]);
    // As an import brings it: a deletion long before all else, and busy hours just now.
    let line = |account: Uuid, at: i64, kind: &str| {
        let delivery: Value = serde_json::from_str(&delivery(account, at, kind)).expect("JSON");
        json!({ "event": { "gym": "mitte", "position": 1, "received_at": at, "imported": false,
            "delivery": delivery } })
    };
    let old = now() - SILENT_WEEKS * 7 * DAY;
    let mut lines = vec![json!({ "header": { "format": "footfall", "version": 1 } })];
    lines.push(line(Uuid::new_v4(), old, "MEMBERSHIP_DELETE"));
    for minute in 0..40 {
        lines.push(line(Uuid::new_v4(), now() - 7 * DAY + minute * MINUTE, "GYM_CHECKIN"));
    }
    lines.push(json!({ "end": { "events": lines.len() - 1, "next": 0 } }));
    let text: Vec<String> = lines.iter().map(Value::to_string).collect();
    let file = service.data().join("x.export");
    std::fs::write(&file, text.join("\n")).expect("it is written");
    run_json(service.data(), &["import", &file.display().to_string(), "--json"]);
    completed(&service, &token).await;
    accepted(&service, &webhook, delivery(Uuid::new_v4(), now(), "GYM_CHECKIN")).await;
    // With a week behind it instead of seven, nothing is usual.
    let occupancy = service.get_ok(&token, "/api/v1/gyms/mitte/occupancy").await;
    assert_eq!(occupancy["usual"], Value::Null, "{occupancy}");
    assert_eq!(verify(service.data())["ok"], true);
}
