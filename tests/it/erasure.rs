//! Gone is gone: an erased member is in no byte of any file, and the sums stay right.

use std::path::Path;
use std::time::Duration;

use footfall::domain::ids::Account;
use footfall::projection::erase;
use footfall::store::ErasureReason;
use futures_util::future::join_all;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::laws::REPORTS;
use crate::ledger::Ledger;
use crate::patience::Patience;
use crate::random::history;
use crate::reference::{Gym, Rules};
use crate::service::{Service, Webhook, answer, delivery, now, run_json, verify};

const MINUTE: i64 = 60_000;
const DAY: i64 = 24 * 60 * MINUTE;

/// Where an account is found in the files of a folder and of those in it: as text in any case, with or without
/// hyphens, or as 16 bytes.
pub fn traces(folder: &Path, account: Uuid) -> Vec<String> {
    let (text, plain) = (account.to_string(), account.simple().to_string());
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("the folder is there") {
        let path = entry.expect("it can be read").path();
        if path.is_dir() {
            found.extend(traces(&path, account));
            continue;
        }
        let bytes = std::fs::read(&path).expect("it is a file");
        let lower = bytes.to_ascii_lowercase();
        let holds = |bytes: &[u8], sought: &[u8]| bytes.windows(sought.len()).any(|w| w == sought);
        let hidden = format!("\\u00{:02x}{}", text.as_bytes()[0], &text[1..]);
        if holds(&lower, text.as_bytes())
            || holds(&lower, hidden.as_bytes())
            || holds(&lower, plain.as_bytes())
            || holds(&bytes, account.as_bytes())
        {
            found.push(path.display().to_string());
        }
    }
    found
}

/// Waits until every erasure is complete.
pub async fn completed(service: &Service, token: &str) -> Value {
    let patience = Patience::until("every erasure is complete");
    loop {
        let records = service.get_ok(token, "/api/v1/erasures").await;
        let all = records["erasures"].as_array().expect("a list");
        if !all.is_empty() && all.iter().all(|one| one["completed_at"].is_string()) {
            return records;
        }
        patience.again().await;
    }
}

/// Posts visits of a member over the last weeks, with fields that name the member again.
pub async fn live_a_while(service: &Service, webhook: &Webhook, account: Uuid, seed: u64) {
    let mut dice = ChaCha8Rng::seed_from_u64(seed);
    for day in 1..12 {
        let entered = now() - day * DAY + dice.random_range(0..300) * MINUTE;
        for (after, kind) in [(0, "GYM_CHECKIN"), (9, "EQUIPMENT_CHECKIN"), (55, "GYM_CHECKOUT")] {
            let body = json!({
                "accountId": account,
                "timestamp": entered + after * MINUTE,
                "type": kind,
                "card": account.to_string().to_uppercase(),
            });
            let (status, answer) = service.post(webhook, body.to_string()).await;
            assert_eq!(status, 200, "{answer}");
        }
    }
    let bad = format!(r#"{{"accountId":"{account}","timestamp":"soon","type":"GYM_CHECKIN"}}"#);
    assert_eq!(service.post(webhook, bad).await.0, 422);
    let torn = format!(r#"{{"accountId":"{}"#, account.to_string().to_uppercase());
    assert_eq!(service.post(webhook, torn).await.0, 400);
    // JSON may write any letter of it in another way.
    let text = account.to_string();
    let hidden = format!(r#"{{"accountId":"\u00{:02x}{}""#, text.as_bytes()[0], &text[1..]);
    assert_eq!(service.post(webhook, hidden).await.0, 400);
}

pub async fn reports(service: &Service, token: &str) -> Vec<Value> {
    let mut all = Vec::new();
    let until = footfall::domain::calendar::day_of(chrono_tz::UTC, now()).date();
    for name in REPORTS {
        let path = format!("/api/v1/gyms/mitte/reports/{name}?until={until}&interval=1d");
        let mut report = service.get_ok(token, &path).await;
        report.as_object_mut().expect("an object").remove("position");
        all.push(report);
    }
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_member_is_in_no_byte_and_the_sums_stay() {
    let service = Service::start();
    let webhook = service.add_gym("mitte", "UTC");
    let token = service.add_token("all", "admin", &[]);
    let members: Vec<Uuid> = (0..120).map(|_| Uuid::new_v4()).collect();
    let lives = (0..).zip(&members).map(|(seed, id)| live_a_while(&service, &webhook, *id, seed));
    join_all(lives).await;
    let ada = members[60];
    let inside = delivery(ada, now() - 5 * MINUTE, "GYM_CHECKIN");
    assert_eq!(service.post(&webhook, inside.clone()).await.0, 200);
    let occupancy = || service.get_ok(&token, "/api/v1/gyms/mitte/occupancy");
    assert_eq!(occupancy().await["present"], 1);
    let before = reports(&service, &token).await;
    let member = format!("/api/v1/gyms/mitte/members/{ada}");
    assert_eq!(service.get_ok(&token, &member).await["events"].as_array().map(Vec::len), Some(34));
    assert!(!traces(service.data(), ada).is_empty(), "it was there");

    let deleted = delivery(ada, now(), "MEMBERSHIP_DELETE");
    assert_eq!(service.post(&webhook, deleted.clone()).await.1["status"], "accepted");
    let record = &completed(&service, &token).await["erasures"][0];
    assert_eq!((&record["reason"], &record["events"]), (&json!("membership_delete"), &json!(35)));
    assert_eq!(traces(service.data(), ada), Vec::<String>::new());
    assert_eq!(occupancy().await["present"], 0);
    assert_eq!(reports(&service, &token).await, before);
    assert_eq!(service.get(&token, &member).await.0, 404);

    for repeated in [inside, deleted] {
        assert_eq!(service.post(&webhook, repeated).await.1, json!({ "status": "erased" }));
    }
    let late = delivery(ada, now() - 3 * DAY, "GYM_CHECKIN");
    assert_eq!(service.post(&webhook, late).await.1, json!({ "status": "erased" }));
    assert_eq!(traces(service.data(), ada), Vec::<String>::new());
    run_json(service.data(), &["rebuild", "--json"]);
    assert_eq!(reports(&service, &token).await, before);
    assert_eq!(verify(service.data())["ok"], true);
    let again = delivery(ada, now() + MINUTE, "GYM_CHECKIN");
    assert_eq!(service.post(&webhook, again).await.1["status"], "accepted", "a new member");
    for other in members.iter().filter(|other| **other != ada) {
        assert!(!traces(service.data(), *other).is_empty(), "only one was erased");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_are_erased_by_hand_while_deliveries_go_on_and_none_leaves_a_trace() {
    let service = Service::start();
    let webhook = service.add_gym("mitte", "UTC");
    let token = service.add_token("all", "manager", &[]);
    let members: Vec<Uuid> = (0..200).map(|_| Uuid::new_v4()).collect();
    let lives = (0..).zip(&members).map(|(seed, id)| live_a_while(&service, &webhook, *id, seed));
    join_all(lives).await;
    let before = reports(&service, &token).await;
    // Every other one, so that pages keep living neighbours and are filled and split again.
    let (gone, kept): (Vec<_>, Vec<_>) = members.chunks(2).map(|pair| (pair[0], pair[1])).unzip();
    let erase = gone.iter().map(|account| {
        let url = format!("{}/api/v1/gyms/mitte/members/{account}", service.root);
        let request = service.client.delete(url).bearer_auth(&token);
        async {
            let (status, record) = answer(request).await;
            assert_eq!((status, &record["reason"]), (202, &json!("manual")), "{record}");
        }
    });
    let more: Vec<Uuid> = (0..100).map(|_| Uuid::new_v4()).collect();
    let lives = (0..).zip(&more).map(|(seed, id)| live_a_while(&service, &webhook, *id, seed));
    tokio::join!(join_all(erase), join_all(lives));
    completed(&service, &token).await;
    for account in &gone {
        assert_eq!(traces(service.data(), *account), Vec::<String>::new());
    }
    for account in kept.iter().chain(&more) {
        assert!(!traces(service.data(), *account).is_empty());
    }
    assert_ne!(reports(&service, &token).await, before, "there were more deliveries");
    let verified = verify(service.data());
    assert_eq!((&verified["ok"], &verified["events"]), (&json!(true), &json!(200 * 33)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn erasures_complete_however_often_the_service_is_killed() {
    let mut service = Service::start();
    let webhook = service.add_gym("mitte", "UTC");
    let token = service.add_token("all", "manager", &[]);
    let members: Vec<Uuid> = (0..60).map(|_| Uuid::new_v4()).collect();
    let lives = (0..).zip(&members).map(|(seed, id)| live_a_while(&service, &webhook, *id, seed));
    join_all(lives).await;
    let before = reports(&service, &token).await;
    let mut dice = ChaCha8Rng::seed_from_u64(7);
    for account in &members {
        let body = delivery(*account, now(), "MEMBERSHIP_DELETE");
        assert_eq!(service.post(&webhook, body).await.0, 200);
        tokio::time::sleep(Duration::from_micros(dice.random_range(0..4_000))).await;
        service.kill();
        service = Service::start_on(service.folder.clone());
    }
    completed(&service, &token).await;
    for account in &members {
        assert_eq!(traces(service.data(), *account), Vec::<String>::new());
    }
    assert_eq!(reports(&service, &token).await, before);
    let verified = verify(service.data());
    assert_eq!((&verified["ok"], &verified["events"]), (&json!(true), &json!(0)), "{verified}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restored_copy_from_before_an_erasure_does_not_serve_the_member() {
    let service = Service::start();
    let webhook = service.add_gym("mitte", "UTC");
    let token = service.add_token("all", "admin", &[]);
    let (ada, bob) = (Uuid::new_v4(), Uuid::new_v4());
    live_a_while(&service, &webhook, ada, 1).await;
    live_a_while(&service, &webhook, bob, 2).await;
    let before = reports(&service, &token).await;
    let copy = tempfile::TempDir::new().expect("a temporary folder");
    run_json(service.data(), &["backup", &copy.path().display().to_string(), "--json"]);
    assert!(!traces(copy.path(), ada).is_empty(), "the copy is from before");
    let deleted = delivery(ada, now(), "MEMBERSHIP_DELETE");
    assert_eq!(service.post(&webhook, deleted.clone()).await.0, 200);
    completed(&service, &token).await;
    let later = tempfile::TempDir::new().expect("a temporary folder");
    run_json(service.data(), &["backup", &later.path().display().to_string(), "--json"]);
    assert_eq!(traces(later.path(), ada), Vec::<String>::new(), "a copy from after it");
    let folder = service.folder.clone();
    assert!(service.stop());
    for file in ["footfall.db-wal", "footfall.db-shm"] {
        drop(std::fs::remove_file(folder.path().join(file)));
    }
    let restored = folder.path().join("footfall.db");
    std::fs::copy(copy.path().join("footfall.db"), restored).expect("it is restored");
    assert!(!traces(folder.path(), ada).is_empty(), "it came back");
    let service = Service::start_on(folder);
    assert_eq!(traces(service.data(), ada), Vec::<String>::new(), "gone before it serves");
    let member = |account| format!("/api/v1/gyms/mitte/members/{account}");
    assert_eq!(service.get(&token, &member(ada)).await.0, 404);
    assert_eq!(service.get(&token, &member(bob)).await.0, 200);
    assert_eq!(service.post(&webhook, deleted).await.1, json!({ "status": "erased" }));
    let records = service.get_ok(&token, "/api/v1/erasures").await;
    assert_eq!(records["erasures"][0]["reason"], "restore");
    assert_eq!(reports(&service, &token).await, before);
    assert_eq!(verify(service.data())["ok"], true);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_erasure_waits_for_who_keeps_reading_and_nothing_else_does() {
    let service = Service::start();
    let webhook = service.add_gym("mitte", "UTC");
    let token = service.add_token("all", "manager", &[]);
    let ada = Uuid::new_v4();
    live_a_while(&service, &webhook, ada, 1).await;
    let reader = rusqlite::Connection::open(service.data().join("footfall.db")).expect("it opens");
    reader.execute_batch("BEGIN; SELECT count(*) FROM events").expect("it reads");
    let deleted = delivery(ada, now(), "MEMBERSHIP_DELETE");
    assert_eq!(service.post(&webhook, deleted).await.0, 200);
    for seed in 2..8 {
        live_a_while(&service, &webhook, Uuid::new_v4(), seed).await;
    }
    // Who is deleted meanwhile is noted and erased, and not complete either.
    let bea = Uuid::new_v4();
    live_a_while(&service, &webhook, bea, 9).await;
    let lines = || std::fs::read_to_string(service.data().join("erasures.ledger")).expect("text");
    let noted = lines().lines().count();
    let deleted = delivery(bea, now(), "MEMBERSHIP_DELETE");
    assert_eq!(service.post(&webhook, deleted).await.0, 200);
    let database =
        rusqlite::Connection::open(service.data().join("footfall.db")).expect("it opens");
    let sql = "SELECT count(*) FROM erasures WHERE erased_at IS NOT NULL";
    let erased = || database.query_row(sql, [], |row| row.get::<_, i64>(0)).expect("it is read");
    let patience = Patience::until("both are erased from the database");
    while erased() < 2 {
        patience.again().await;
    }
    assert_eq!(lines().lines().count(), noted + 1);
    let records = service.get_ok(&token, "/api/v1/erasures").await;
    for place in 0..2 {
        let completed = &records["erasures"][place]["completed_at"];
        assert_eq!(*completed, Value::Null, "the log holds it still");
    }
    drop((reader, database));
    completed(&service, &token).await;
    for account in [ada, bea] {
        assert_eq!(traces(service.data(), account), Vec::<String>::new());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gym_that_is_removed_keeps_no_rebuild_waiting_for_who_keeps_reading() {
    let service = Service::start();
    let webhook = service.add_gym("mitte", "UTC");
    service.add_gym("harbour", "UTC");
    let token = service.add_token("all", "admin", &[]);
    live_a_while(&service, &webhook, Uuid::new_v4(), 1).await;
    let reader = rusqlite::Connection::open(service.data().join("footfall.db")).expect("it opens");
    reader.execute_batch("BEGIN; SELECT count(*) FROM events").expect("it reads");
    let removed = service.client.delete(format!("{}/api/v1/gyms/mitte", service.root));
    let removed = removed.bearer_auth(&token).send().await.expect("an answer");
    assert!(removed.status().is_success(), "{}", removed.status());
    let database =
        rusqlite::Connection::open(service.data().join("footfall.db")).expect("it opens");
    let left = || database.query_row("SELECT count(*) FROM events", [], |row| row.get::<_, i64>(0));
    let patience = Patience::until("its events are gone");
    while left().expect("it is read") > 0 {
        patience.again().await;
    }
    run_json(service.data(), &["rebuild", "--json"]);
    drop(reader);
}

#[test]
fn the_command_erases_without_a_service() {
    let folder = tempfile::TempDir::new().expect("a temporary folder");
    let args = ["gym", "add", "mitte", "--name", "m", "--time-zone", "UTC", "--json"];
    run_json(folder.path(), &args);
    let account = Uuid::new_v4();
    let erased = run_json(folder.path(), &["erase", &account.to_string(), "--all-gyms", "--json"]);
    assert!(erased[0]["completed_at"].is_string(), "{erased}");
    assert_eq!(traces(folder.path(), account), Vec::<String>::new());
}

#[test]
fn erasing_and_rebuilding_commute_and_change_no_sum() {
    let mut ledger = Ledger::new();
    for seed in 0..300 {
        let zone = chrono_tz::Europe::Berlin;
        let gym = Gym { slug: String::new(), zone, capacity: None, rules: Rules::default() };
        let events = history(seed, 4);
        let (first, second) = (ledger.add_gym(&gym), ledger.add_gym(&gym));
        ledger.append(&first, &events);
        ledger.append(&second, &events);
        let mut dice = ChaCha8Rng::seed_from_u64(seed);
        let account = events[dice.random_range(0..events.len())].account;
        let last = events.iter().map(|event| event.at).max().expect("some");
        // Long after all, where it may change no sum, or in the middle.
        let after_all = seed % 2 == 0;
        let until = if after_all { last + DAY } else { events[events.len() / 2].at };
        let before = ledger.tallies(&first);
        ledger.erase(&first, account, until);
        if after_all {
            assert_eq!(ledger.tallies(&first), before, "seed {seed}");
        }
        ledger.rebuild(&first, None);
        ledger.rebuild(&second, None);
        ledger.erase(&second, account, until);
        assert_eq!(ledger.tallies(&first), ledger.tallies(&second), "seed {seed}");
        // What was erased does not come back, whatever is delivered again.
        let again: Vec<_> =
            events.iter().filter(|event| event.account == account).cloned().collect();
        let positions = ledger.gym(&first).position;
        ledger.append(&first, &again);
        assert_eq!(ledger.gym(&first).position, positions, "seed {seed}: nothing was appended");
    }
    ledger.verify();
}

impl Ledger {
    pub fn erase(&mut self, slug: &footfall::domain::ids::Slug, account: Uuid, until: i64) {
        let gym = self.gym(slug).id;
        self.transact(|tx| {
            let reason = ErasureReason::Manual;
            let id = erase::request(tx, gym, Account(account), until, reason, until)?;
            let erasure = tx.view().erasure(id)?.expect("it was asked for");
            // As many events at a time as the account says: the sums do not depend on it.
            let room = 1 + usize::from(account.as_bytes()[15] % 8);
            while erase::erase_some(tx, std::slice::from_ref(&erasure), room, until)? {}
            Ok(())
        });
    }
}
