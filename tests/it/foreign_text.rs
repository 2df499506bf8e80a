//! An account in text of others is erased too, wherever it stands; and where it could stand so that
//! nobody would find it, it is not kept.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use serde_json::{Value, json};
use uuid::Uuid;

use crate::erasure::completed;
use crate::service::{Service, Webhook, answer, delivery, now, run_json, verify};

const MINUTE: i64 = 60_000;

fn base64(bytes: &[u8], letters: &[u8; 64]) -> String {
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let number =
            chunk.iter().chain(&[0; 2]).take(3).fold(0, |n, byte| n << 8 | usize::from(*byte));
        for place in 0..=chunk.len() {
            text.push(char::from(letters[number >> (18 - 6 * place) & 63]));
        }
    }
    text
}

const STANDARD: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const URL_SAFE: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

fn each(text: &str, spell: impl Fn(u8) -> String) -> String {
    text.bytes().map(spell).collect()
}

/// An account in many spellings that fit into a JSON string, by name. All are written as they are,
/// so that they can be looked for.
fn spellings(account: Uuid) -> BTreeMap<&'static str, String> {
    let (text, plain) = (account.to_string(), account.simple().to_string());
    let mut all = BTreeMap::from([
        ("as it is", text.clone()),
        ("upper case", text.to_uppercase()),
        ("without hyphens", plain.clone()),
        ("braces", format!("{{{text}}}")),
        ("escaped", each(&text, |byte| format!("\\u{byte:04x}"))),
        ("escaped twice", each(&text, |byte| format!("\\\\u{byte:04x}"))),
        ("percent", each(&text, |byte| format!("%{byte:02X}"))),
        ("entities", each(&text, |byte| format!("&#{byte};"))),
        ("hex of the text", each(&text, |byte| format!("{byte:02x}"))),
        ("base64 of the bytes", base64(account.as_bytes(), STANDARD)),
        ("URL-safe base64 of the bytes", base64(account.as_bytes(), URL_SAFE)),
        ("spaces", each(&text, |byte| format!("{} ", char::from(byte)))),
        ("backwards", text.chars().rev().collect()),
        (
            "grouped",
            plain.as_bytes().chunks(4).map(String::from_utf8_lossy).collect::<Vec<_>>().join(" "),
        ),
    ]);
    for (shift, name) in ["base64 at 0", "base64 at 1", "base64 at 2"].into_iter().enumerate() {
        all.insert(name, base64(format!("{}{text}", &"ab"[..shift]).as_bytes(), STANDARD));
    }
    all
}

/// In which files of a folder and those in it some bytes stand.
fn found(folder: &Path, sought: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("the folder is there") {
        let path = entry.expect("it can be read").path();
        if path.is_dir() {
            found.extend(self::found(&path, sought));
            continue;
        }
        let bytes = std::fs::read(&path).expect("it is a file").to_ascii_lowercase();
        let sought = sought.to_ascii_lowercase();
        if bytes.windows(sought.len()).any(|part| part == sought) {
            found.push(path.display().to_string());
        }
    }
    found
}

fn assert_gone(folder: &Path, account: Uuid) {
    for (name, spelled) in spellings(account) {
        // What stands beside it changes what base64 makes of the ends.
        let middle =
            if name.starts_with("base64 at") { &spelled[4..spelled.len() - 4] } else { &spelled };
        assert_eq!(found(folder, middle.as_bytes()), Vec::<String>::new(), "{name}: {middle}");
    }
    let wide: Vec<u8> = account.to_string().bytes().flat_map(|byte| [byte, 0]).collect();
    for bytes in [account.as_bytes(), &wide[..]] {
        assert_eq!(found(folder, bytes), Vec::<String>::new(), "as bytes");
    }
}

async fn erase(service: &Service, token: &str, account: Uuid) {
    let url = format!("{}/api/v1/gyms/mitte/members/{account}", service.root);
    assert_eq!(answer(service.client.delete(url).bearer_auth(token)).await.0, 202);
    completed(service, token).await;
}

/// Posts other members' deliveries that name an account, in fields, types and what cannot be read.
async fn plant(service: &Service, webhook: &Webhook, account: Uuid) {
    let text = account.to_string();
    for spelled in spellings(account).values() {
        let other = Uuid::new_v4();
        let at = now() - 5 * MINUTE;
        let event = |kind: &str, rest: &str| {
            format!(r#"{{"accountId":"{other}","timestamp":{at},"type":"{kind}"{rest}}}"#)
        };
        let bodies = [
            event("GYM_CHECKIN", &format!(r#","friend":"{spelled}""#)),
            event("GYM_CHECKOUT", &format!(r#","with":{{"a":["{spelled}"]}},"lane":7"#)),
            event("EQUIPMENT_CHECKIN", &format!(r#","{spelled}":null"#)),
            event(spelled, ""),
            event("GYM_CHECKIN", &format!(r#","friend":"{spelled}""#))
                .replace(&at.to_string(), "7"),
            format!("<friend>{spelled}</friend>"),
            spelled.clone(),
        ];
        for body in bodies {
            let (status, _) = service.post(webhook, body.clone()).await;
            assert!([200, 400, 422].contains(&status), "{status}: {body}");
        }
    }
    let whole = format!(r#"{{"type":"GYM_CHECKIN","accountId":"{text}"#);
    for cut in 1..=text.len() {
        service.post(webhook, whole.as_bytes()[..whole.len() - text.len() + cut].to_vec()).await;
    }
    let wide: Vec<u8> = whole.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let mut raw = b"\x01\x02".to_vec();
    raw.extend(account.as_bytes());
    let list = account.as_bytes().iter().fold(String::new(), |mut list, byte| {
        write!(list, "{byte},").expect("a string takes it");
        list
    });
    for body in [wide, raw, format!("[{list}0]").into_bytes()] {
        assert!(service.post(webhook, body).await.0 >= 400);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_erased_account_is_in_no_text_of_others_however_it_is_spelled() {
    let service = Service::start();
    let webhook = service.add_gym("mitte", "UTC");
    let token = service.add_token("all", "admin", &[]);
    let (gone, kept) = (Uuid::new_v4(), Uuid::new_v4());
    for account in [gone, kept] {
        plant(&service, &webhook, account).await;
    }
    let database =
        rusqlite::Connection::open(service.data().join("footfall.db")).expect("it opens");
    let sql = "INSERT INTO annotations (gym, first_day, last_day, kind, text, created_at)
               VALUES (1, 0, 0, 'other', ?1, 0)";
    database
        .execute(sql, [format!("locker of {}", gone.to_string().to_uppercase())])
        .expect("written");
    drop(database);
    assert!(!found(service.data(), gone.to_string().as_bytes()).is_empty(), "it was there");
    erase(&service, &token, gone).await;
    assert_gone(service.data(), gone);
    // A part of it that was cut off is not there either.
    for length in [12, 20, 30] {
        assert_eq!(
            found(service.data(), &gone.to_string().as_bytes()[..length]),
            Vec::<String>::new()
        );
    }
    assert!(!found(service.data(), kept.to_string().as_bytes()).is_empty(), "only one was erased");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_senders_add_is_kept_and_what_cannot_be_searched_is_said_to_be_left_out() {
    let service = Service::start();
    let webhook = service.add_gym("mitte", "UTC");
    let token = service.add_token("all", "admin", &[]);
    let friend = Uuid::new_v4();
    let body = format!(
        r#"{{"accountId":"{}","timestamp":{},"type":"POOL_CHECKIN","lane":{{"n":[1,2.50]}},"at":"2026-11-26T10:00:00Z","club":"Fünf Höfe","friend":"{friend}","key":"q83vEjRWeJCrze8SNFZ4kA==","long":"{}"}}"#,
        Uuid::new_v4(),
        now() - MINUTE,
        "word ".repeat(2_000)
    );
    assert_eq!(service.post(&webhook, body).await.0, 200);
    let log = service.get_ok(&token, "/api/v1/gyms/mitte/events").await;
    let expected = json!({
        "lane": { "n": [1, 2.50] }, "at": "2026-11-26T10:00:00Z", "club": "Fünf Höfe",
        "friend": friend, "key": "not kept: 26 bytes", "long": "not kept: 10002 bytes",
    });
    assert_eq!(log["events"][0]["extra"], expected);
    erase(&service, &token, friend).await;
    assert_eq!(verify(service.data())["ok"], true);
    let log = service.get_ok(&token, "/api/v1/gyms/mitte/events").await;
    assert!(log["events"][0].get("extra").is_none_or(Value::is_null), "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_what_cannot_be_searched_words_length_and_hash_are_kept() {
    let service = Service::start();
    let webhook = service.add_gym("mitte", "UTC");
    let token = service.add_token("all", "admin", &[]);
    let account = Uuid::new_v4();
    let torn = format!(r#"{{"type":"GYM_CHECKIN","accountId":"{}"#, &account.to_string()[..30]);
    for _ in 0..2 {
        assert_eq!(service.post(&webhook, torn.clone()).await.0, 400);
    }
    let page = service.get_ok(&token, "/api/v1/gyms/mitte/quarantine").await;
    let (first, second) = (&page["quarantine"][0], &page["quarantine"][1]);
    assert_eq!(first["body"], r#"{"type":"GYM_CHECKIN","accountId":"…-…-…-…-…"#);
    assert_eq!((&first["whole"], &first["bytes"]), (&json!(false), &json!(torn.len())));
    assert_eq!(first["hash"].as_str().map(str::len), Some(64));
    assert_eq!(first["hash"], second["hash"], "the same came twice");
    let released = format!("{}/api/v1/gyms/mitte/quarantine/1/release", service.root);
    let (status, problem) = answer(service.client.post(released).bearer_auth(&token)).await;
    assert_eq!(status, 422);
    assert!(problem["detail"].as_str().is_some_and(|text| text.contains("words")), "{problem}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_names_two_members_is_shown_to_admins_only() {
    let service = Service::start();
    let webhook = service.add_gym("mitte", "UTC");
    let (ada, bob) = (Uuid::new_v4(), Uuid::new_v4());
    let body = json!({ "accountId": ada, "timestamp": 7, "type": "GYM_CHECKIN", "with": bob });
    assert_eq!(service.post(&webhook, body.to_string()).await.0, 422);
    let (manager, admin) =
        (service.add_token("desk", "manager", &[]), service.add_token("all", "admin", &[]));
    for (account, other) in [(ada, bob), (bob, ada)] {
        let path = format!("/api/v1/gyms/mitte/members/{account}");
        let told = service.get_ok(&manager, &path).await;
        assert_eq!(told["quarantine"][0]["reason"], "time_too_early");
        assert_eq!(told["quarantine"][0]["bytes"], body.to_string().len());
        assert!(!told.to_string().contains(&other.to_string()), "{told}");
        let told = service.get_ok(&admin, &path).await;
        assert_eq!(told["quarantine"][0]["body"], body.to_string());
    }
    for path in ["/api/v1/gyms/mitte/quarantine", "/api/v1/gyms/mitte/quarantine/1"] {
        assert_eq!(service.get(&manager, path).await.0, 403, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_erasure_is_not_complete_while_a_copy_from_before_it_is_there() {
    let service = Service::start();
    let webhook = service.add_gym("mitte", "UTC");
    let token = service.add_token("all", "admin", &[]);
    let ada = Uuid::new_v4();
    assert_eq!(service.post(&webhook, delivery(ada, now(), "GYM_CHECKIN")).await.0, 200);
    let database = footfall::store::Database::open(service.data()).expect("it opens");
    // A dry run that goes on, and one that was broken off.
    let live = database.try_out().expect("it is copied");
    let left = service.data().join("trial-left");
    std::fs::create_dir(&left).expect("it is made");
    std::fs::copy(service.data().join("footfall.db-wal"), left.join("footfall.db"))
        .expect("copied");
    assert!(!found(&left, ada.as_bytes()).is_empty(), "it is there");
    let url = format!("{}/api/v1/gyms/mitte/members/{ada}", service.root);
    assert_eq!(answer(service.client.delete(url).bearer_auth(&token)).await.0, 202);
    // The one that nobody holds goes, the other is waited for.
    while left.exists() {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    let records = service.get_ok(&token, "/api/v1/erasures").await;
    assert_eq!(records["erasures"][0]["completed_at"], Value::Null);
    drop(live);
    completed(&service, &token).await;
    assert_gone(service.data(), ada);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_quarantine_keeps_words_then_counts_and_shows_little_at_once() {
    let service = Service::start();
    let webhook = service.add_gym("mitte", "UTC");
    let other = service.add_gym("soho", "UTC");
    let token = service.add_token("all", "admin", &[]);
    let large = format!("{}{{", "word ".repeat(100_000));
    for _ in 0..40 {
        assert_eq!(service.post(&webhook, large.clone()).await.0, 413);
    }
    let page = service.get_ok(&token, "/api/v1/gyms/mitte/quarantine").await;
    let rows = page["quarantine"].as_array().expect("a list");
    assert_eq!(rows.len(), 40, "all of them are told of");
    assert!(page.to_string().len() < 40 * 4_000, "a page is small");
    assert_eq!((&rows[0]["whole"], &rows[0]["truncated"]), (&json!(true), &json!(true)));
    assert_eq!((&rows[39]["whole"], &rows[39]["bytes"]), (&json!(false), &json!(large.len())));
    let one = service.get_ok(&token, "/api/v1/gyms/mitte/quarantine/1").await;
    assert_eq!((&one["body"], &one["truncated"]), (&json!(large), &json!(false)));
    let metrics = service.client.get(format!("{}/metrics", service.root)).send().await;
    let metrics = metrics.expect("an answer").text().await.expect("a text");
    for (gym, full) in [("mitte", 1), ("soho", 0)] {
        let line = format!("footfall_gym_quarantine_full{{gym=\"{gym}\"}} {full}");
        assert!(metrics.contains(&line), "{line}");
    }
    // As if it had gone on for long.
    let database =
        rusqlite::Connection::open(service.data().join("footfall.db")).expect("it opens");
    database.execute("UPDATE quarantine_held SET rows = 20000 WHERE gym = 1", []).expect("written");
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(service.post(&webhook, "nonsense").await.1["quarantine_id"].clone());
    }
    assert_eq!(ids, vec![json!(41); 5], "one row stands for all");
    let one = service.get_ok(&token, "/api/v1/gyms/mitte/quarantine/41").await;
    assert_eq!(one["deliveries"], 5);
    assert_eq!(service.post(&other, "nonsense").await.1["quarantine_id"], 42, "others have theirs");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_older_version_kept_is_read_again() {
    let service = Service::start();
    let webhook = service.add_gym("mitte", "UTC");
    let token = service.add_token("all", "admin", &[]);
    let (ada, bob, eve) = (Uuid::new_v4(), Uuid::new_v4(), Uuid::new_v4());
    for account in [ada, bob] {
        let body = delivery(account, now() - MINUTE, "GYM_CHECKIN");
        assert_eq!(service.post(&webhook, body.replace('}', ",\"x\":1}")).await.0, 200);
    }
    assert_eq!(service.post(&webhook, "nonsense").await.0, 400);
    let folder = service.folder.clone();
    assert!(service.stop());
    let database = rusqlite::Connection::open(folder.path().join("footfall.db")).expect("it opens");
    let wide: Vec<u8> = eve.to_string().encode_utf16().flat_map(u16::to_le_bytes).collect();
    let deletion = format!(r#"{{"accountId":"{ada}","type":"MEMBERSHIP_DELETE","timestamp":"x"}}"#);
    let names = format!(r#"{{"accountId":"{eve}","type":"GYM_CHECKIN","timestamp":7}}"#);
    for body in [&wide[..], deletion.as_bytes(), names.as_bytes()] {
        let sql = "INSERT INTO quarantine (gym, webhook, received_at, reason, detail, body)
                   VALUES (1, 1, ?1, 'wrong_shape', '', ?2)";
        database.execute(sql, rusqlite::params![now(), body]).expect("it is written");
    }
    let fields = format!(r#"{{"friend":"{eve}"}}"#);
    database
        .execute("UPDATE extras SET fields = ?1 WHERE position = 2", [fields])
        .expect("written");
    database
        .execute_batch("INSERT INTO foreign_text_unread VALUES (1, 0, 4), (2, 0, 2)")
        .expect("written");
    drop(database);
    let service = Service::start_on(folder);
    let reasons = completed(&service, &token).await;
    assert_eq!(
        reasons["erasures"][0]["reason"], "membership_delete",
        "the deletion was carried out"
    );
    assert_gone(service.data(), ada);
    erase(&service, &token, eve).await;
    assert_gone(service.data(), eve);
    let listed = run_json(service.data(), &["quarantine", "list", "--json"]);
    let ids: Vec<_> =
        listed.as_array().expect("a list").iter().map(|one| one["id"].clone()).collect();
    assert_eq!(ids, [1, 2], "{listed}");
    let path = format!("/api/v1/gyms/mitte/members/{bob}");
    assert_eq!(service.get(&token, &path).await.0, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_has_nothing_to_erase_writes_nothing() {
    let service = Service::start();
    let webhook = service.add_gym("mitte", "UTC");
    let token = service.add_token("all", "admin", &[]);
    let ada = Uuid::new_v4();
    assert_eq!(service.post(&webhook, delivery(ada, now(), "GYM_CHECKIN")).await.0, 200);
    erase(&service, &token, ada).await;
    let commits = async || {
        let metrics = service.client.get(format!("{}/metrics", service.root)).send().await;
        let metrics = metrics.expect("an answer").text().await.expect("a text");
        let count = metrics.lines().find_map(|line| {
            line.strip_prefix("footfall_write_commit_seconds_count ")?.parse::<f64>().ok()
        });
        count.expect("it is counted")
    };
    let before = commits().await;
    for _ in 0..300 {
        let alive = service.client.get(format!("{}/healthz", service.root)).send().await;
        assert_eq!(alive.expect("an answer").status(), 200);
    }
    // The heartbeat is one; a loop would be hundreds.
    let written = commits().await - before;
    assert!(written < 20.0, "{written} commits while nothing happened");
}
