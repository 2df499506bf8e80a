//! Older copies that are put back, ledgers without their database, keys that are lost or another's.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Output;
use std::sync::Arc;

use serde_json::{Value, json};
use tempfile::TempDir;
use uuid::Uuid;

use crate::erasure::{completed, live_a_while, traces};
use crate::service::{Service, delivery, now, run, run_json, verify};

const MINUTE: i64 = 60_000;
const DATABASE: &str = "footfall.db";
const KEY: &str = "footfall.key";
const LEDGER: &str = "erasures.ledger";

fn temporary() -> TempDir {
    TempDir::new().expect("a temporary folder")
}

pub fn back_up(from: &Path) -> TempDir {
    let copy = temporary();
    run_json(from, &["backup", &copy.path().display().to_string(), "--json"]);
    copy
}

fn copy(file: &str, from: &Path, to: &Path) {
    fs::copy(from.join(file), to.join(file)).expect("it is copied");
}

/// Puts a database back as OPERATING says it.
pub fn put_back(from: &Path, to: &Path) {
    for file in ["footfall.db-wal", "footfall.db-shm"] {
        drop(fs::remove_file(to.join(file)));
    }
    copy(DATABASE, from, to);
}

fn said(output: &Output) -> String {
    let all = [&output.stdout[..], &output.stderr[..]].concat();
    String::from_utf8_lossy(&all).into_owned()
}

async fn erase_at(service: &Service, token: &str, webhook: &crate::service::Webhook, who: Uuid) {
    let deleted = delivery(who, now(), "MEMBERSHIP_DELETE");
    assert_eq!(service.post(webhook, deleted).await.0, 200);
    completed(service, token).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_from_before_a_gym_serves_and_a_later_copy_forgets_again() {
    let service = Service::start();
    let mitte = service.add_gym("mitte", "UTC");
    let token = service.add_token("all", "admin", &[]);
    let (ada, bob) = (Uuid::new_v4(), Uuid::new_v4());
    live_a_while(&service, &mitte, bob, 1).await;
    let before = back_up(service.data());
    let soho = service.add_gym("soho", "UTC");
    live_a_while(&service, &soho, ada, 2).await;
    let later = back_up(service.data());
    erase_at(&service, &token, &soho, ada).await;
    let folder = service.folder.clone();
    assert!(service.stop());
    let ledger = fs::read(folder.path().join(LEDGER)).expect("it is there");

    put_back(before.path(), folder.path());
    let service = Service::start_on(folder.clone());
    assert_eq!(service.get(&token, "/api/v1/gyms/mitte").await.0, 200, "it serves");
    // The next gym gets the number of the one that is not there any more.
    let other = service.add_gym("other", "UTC");
    live_a_while(&service, &other, ada, 3).await;
    assert!(service.stop());
    let service = Service::start_on(folder.clone());
    let member = |gym: &str| format!("/api/v1/gyms/{gym}/members/{ada}");
    assert_eq!(service.get(&token, &member("other")).await.0, 200, "erased at another gym only");
    assert_eq!(fs::read(folder.path().join(LEDGER)).expect("it is there"), ledger, "all is kept");
    assert!(service.stop());

    put_back(later.path(), folder.path());
    // Any command does it, not only `serve`.
    run_json(folder.path(), &["gym", "list", "--json"]);
    assert_eq!(traces(folder.path(), ada), Vec::<String>::new(), "erased again");
    let service = Service::start_on(folder);
    assert_eq!(service.get(&token, &member("soho")).await.0, 404);
    assert_eq!(verify(service.data())["ok"], true);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ledger_and_key_on_a_new_machine_serve() {
    let service = Service::start();
    let webhook = service.add_gym("mitte", "UTC");
    let token = service.add_token("all", "admin", &[]);
    erase_at(&service, &token, &webhook, Uuid::new_v4()).await;
    let machine = Arc::new(temporary());
    copy(LEDGER, service.data(), machine.path());
    let without_key = run(machine.path(), &["gym", "list"]);
    assert!(!without_key.status.success(), "the ledger would be of no use for ever");
    assert!(said(&without_key).contains("footfall.key"), "{}", said(&without_key));
    copy(KEY, service.data(), machine.path());
    let service = Service::start_on(machine);
    let webhook = service.add_gym("first", "UTC");
    let body = delivery(Uuid::new_v4(), now(), "GYM_CHECKIN");
    assert_eq!(service.post(&webhook, body).await.0, 200);
    assert_eq!(verify(service.data())["ok"], true);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_torn_line_in_the_ledger_swallows_no_erasure() {
    let service = Service::start();
    let webhook = service.add_gym("mitte", "UTC");
    let token = service.add_token("all", "admin", &[]);
    let members: Vec<Uuid> = (0..6).map(|_| Uuid::new_v4()).collect();
    for (seed, member) in (0..).zip(&members) {
        live_a_while(&service, &webhook, *member, seed).await;
    }
    let copy = back_up(service.data());
    let torn: [&[u8]; 6] =
        [b"", b"v2 1 17", b"1 abcdef", b"\xff\xfe\n\n1 2 3\nv2", b"1 ", b"\0\0\0\0"];
    for (bytes, member) in torn.iter().zip(&members) {
        let ledger = service.data().join(LEDGER);
        let ledger = fs::File::options().append(true).create(true).open(ledger);
        ledger.and_then(|mut file| file.write_all(bytes)).expect("it is written");
        erase_at(&service, &token, &webhook, *member).await;
    }
    let folder = service.folder.clone();
    assert!(service.stop());
    put_back(copy.path(), folder.path());
    let service = Service::start_on(folder);
    for member in members {
        assert_eq!(traces(service.data(), member), Vec::<String>::new());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ledger_that_was_edited_joined_or_lost_forgets_nobody() {
    let service = Service::start();
    let webhook = service.add_gym("mitte", "UTC");
    let token = service.add_token("all", "admin", &[]);
    let members: Vec<Uuid> = (0..3).map(|_| Uuid::new_v4()).collect();
    for (seed, member) in (0..).zip(&members) {
        live_a_while(&service, &webhook, *member, seed).await;
    }
    let copy = back_up(service.data());
    for member in &members {
        erase_at(&service, &token, &webhook, *member).await;
    }
    let folder = service.folder.clone();
    assert!(service.stop());
    let ledger = folder.path().join(LEDGER);
    let text = fs::read_to_string(&ledger).expect("it is there");
    let lines: Vec<&str> = text.lines().collect();
    let torn_and_joined = format!("{}\nv2 1 17{}\n{}\n", lines[0], lines[1], lines[2]);
    for told in [format!("\u{feff}{}", text.replace('\n', "\r\n")), torn_and_joined] {
        put_back(copy.path(), folder.path());
        fs::write(&ledger, told).expect("it is written");
        run_json(folder.path(), &["gym", "list", "--json"]);
        for member in &members {
            assert_eq!(traces(folder.path(), *member), Vec::<String>::new());
        }
    }
    // Lost, while the database still knows: it is written again before an older copy needs it.
    fs::remove_file(&ledger).expect("it is removed");
    run_json(folder.path(), &["gym", "list", "--json"]);
    put_back(copy.path(), folder.path());
    run_json(folder.path(), &["gym", "list", "--json"]);
    for member in &members {
        assert_eq!(traces(folder.path(), *member), Vec::<String>::new());
    }
}

/// The `ETag` of a report, and its status when asked with one.
async fn tag(service: &Service, token: &str, has: Option<&str>) -> (u16, String) {
    let url = format!(
        "{}/api/v1/gyms/mitte/reports/visits?from=2026-03-01&until=2026-03-08",
        service.root
    );
    let mut request = service.client.get(url).bearer_auth(token);
    if let Some(has) = has {
        request = request.header("if-none-match", has);
    }
    let answer = request.send().await.expect("it answers");
    let tag = answer.headers()["etag"].to_str().expect("a text").to_owned();
    (answer.status().as_u16(), tag)
}

/// One event more, at a fixed time.
async fn visit(service: &Service, webhook: &crate::service::Webhook, at: &str) {
    let at = chrono::DateTime::parse_from_rfc3339(at).expect("a time").timestamp_millis();
    let body = delivery(Uuid::new_v4(), at, "GYM_CHECKIN");
    assert_eq!(service.post(webhook, body).await.0, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_restore_no_cursor_and_no_tag_of_before_holds() {
    for is_backup in [true, false] {
        let service = Service::start();
        let webhook = service.add_gym("mitte", "UTC");
        let token = service.add_token("all", "admin", &[]);
        visit(&service, &webhook, "2026-03-02T10:00:00Z").await;
        assert_eq!(service.post(&webhook, "nonsense").await.0, 400);
        let folder = service.folder.clone();
        let copy_of = if is_backup { back_up(service.data()) } else { temporary() };
        assert!(service.stop());
        let log = fs::metadata(folder.path().join("footfall.db-wal")).map_or(0, |log| log.len());
        assert_eq!(log, 0, "a service that was stopped leaves all in one file");
        if !is_backup {
            copy(DATABASE, folder.path(), copy_of.path());
        }
        let service = Service::start_on(folder.clone());
        let (status, unchanged) = tag(&service, &token, None).await;
        assert_eq!((status, tag(&service, &token, Some(&unchanged)).await.0), (200, 304));
        visit(&service, &webhook, "2026-03-03T10:00:00Z").await;
        assert_eq!(service.post(&webhook, "nonsense").await.0, 400);
        let (_, old) = tag(&service, &token, None).await;
        let list = |name: &str, after: &str| format!("/api/v1/gyms/mitte/{name}?after={after}");
        let mut cursors = Vec::new();
        for name in ["events", "quarantine"] {
            let page = service.get_ok(&token, &list(name, "0")).await;
            let cursor = page["cursor"].as_str().expect("a text").to_owned();
            assert_eq!(service.get(&token, &list(name, &cursor)).await.0, 200);
            cursors.push((name, cursor));
        }
        assert!(service.stop(), "a restart is no restore");
        let service = Service::start_on(folder.clone());
        assert_eq!(tag(&service, &token, Some(&old)).await.0, 304);
        assert_eq!(service.get(&token, &list("events", &cursors[0].1)).await.0, 200);
        assert!(service.stop());

        put_back(copy_of.path(), folder.path());
        let service = Service::start_on(folder);
        let refused = |answer: (u16, Value)| {
            assert_eq!((answer.0, &answer.1["code"]), (409, &json!("stale_cursor")), "{is_backup}");
        };
        for (name, cursor) in &cursors {
            refused(service.get(&token, &list(name, cursor)).await);
            refused(service.get(&token, &list(name, "2")).await);
        }
        assert!(!run(service.data(), &["export", "--after", "2"]).status.success());
        // As many positions and changes as before, given to something else.
        visit(&service, &webhook, "2026-03-04T10:00:00Z").await;
        assert_eq!(service.post(&webhook, "other").await.0, 400);
        for (name, cursor) in &cursors {
            refused(service.get(&token, &list(name, cursor)).await);
        }
        let (status, new) = tag(&service, &token, Some(&old)).await;
        assert_eq!(status, 200, "another day has the second visit");
        assert_ne!(new, old);
    }
}

const COMMANDS: [&[&str]; 7] = [
    &["gym", "list"],
    &["verify"],
    &["backup", "/nowhere/to/be/made"],
    &["export"],
    &["rebuild"],
    &["retention", "--dry-run"],
    &["erase", "6f2c1d3e-0000-4000-8000-000000000001", "--all-gyms"],
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_its_key_or_with_another_nothing_is_done() {
    let service = Service::start();
    let webhook = service.add_gym("mitte", "UTC");
    let body = delivery(Uuid::new_v4(), now() - MINUTE, "GYM_CHECKIN");
    assert_eq!(service.post(&webhook, body).await.0, 200);
    let folder = service.folder.clone();
    assert!(service.stop());
    let file = folder.path().join(KEY);
    let key = fs::read(&file).expect("it is there");
    let refused = |what: &str| {
        let database = fs::read(folder.path().join(DATABASE)).expect("it is there");
        for command in COMMANDS.iter().copied().chain([&["serve"][..]]) {
            let output = run(folder.path(), command);
            let said = said(&output);
            assert!(!output.status.success(), "{what}: {command:?}: {said}");
            assert!(said.contains("Put back the footfall.key"), "{what}: {command:?}: {said}");
        }
        let after = fs::read(folder.path().join(DATABASE)).expect("it is there");
        assert!(database == after, "{what}: the database is as it was");
    };
    fs::remove_file(&file).expect("it is removed");
    refused("missing");
    assert!(!file.exists(), "no other is made");
    for (what, bytes) in [("another", &[7; 32][..]), ("cut", &key[..31]), ("empty", b"")] {
        fs::write(&file, bytes).expect("it is written");
        refused(what);
        assert_eq!(fs::read(&file).expect("it is there"), bytes, "{what}: it is left alone");
    }
    fs::remove_file(&file).expect("it is removed");
    fs::create_dir(&file).expect("it is made");
    refused("a folder");
    fs::remove_dir(&file).expect("it is removed");
    fs::write(&file, &key).expect("it is written");
    assert_eq!(verify(folder.path())["ok"], true, "with its own key all is well");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_a_new_key_all_goes_on() {
    let service = Service::start();
    let webhook = service.add_gym("mitte", "UTC");
    let token = service.add_token("all", "admin", &[]);
    let (ada, bob, cleo) = (Uuid::new_v4(), Uuid::new_v4(), Uuid::new_v4());
    for (seed, member) in (0..).zip([ada, bob, cleo]) {
        live_a_while(&service, &webhook, member, seed).await;
    }
    erase_at(&service, &token, &webhook, cleo).await;
    // Text of others that names her must still be found.
    let body = json!({ "accountId": bob, "timestamp": now() - MINUTE, "type": "GYM_CHECKIN",
        "friend": ada });
    assert_eq!(service.post(&webhook, body.to_string()).await.0, 200);
    assert_eq!(service.post(&webhook, format!("{{\"of\": \"{ada}\"")).await.0, 400);
    let report = "/api/v1/gyms/mitte/reports/visits?from=2026-03-01&until=2026-03-08";
    let before = service.get_ok(&token, report).await;
    let folder = service.folder.clone();
    let new_key = ["new-key", "--old-key-is-lost", "--json"];
    fs::remove_file(folder.path().join(KEY)).expect("it is removed");
    assert!(!run(folder.path(), &new_key).status.success(), "not under a running service");
    assert!(service.stop());
    drop(fs::remove_file(folder.path().join(KEY)));
    assert!(!run(folder.path(), &["new-key"]).status.success(), "not without the word");
    let done = run_json(folder.path(), &new_key);
    assert_eq!(done, json!({ "members": 2, "erased_members_forgotten": 1 }));
    assert!(!run(folder.path(), &new_key).status.success(), "not where there is a key");
    assert_eq!(verify(folder.path())["ok"], true, "{}", verify(folder.path()));

    let service = Service::start_on(folder.clone());
    assert_eq!(service.get_ok(&token, report).await["buckets"], before["buckets"]);
    let again = json!({ "accountId": bob, "timestamp": now() - 2 * MINUTE, "type": "GYM_CHECKIN" });
    for status in ["accepted", "duplicate"] {
        let (code, answer) = service.post(&webhook, again.to_string()).await;
        assert_eq!((code, &answer["status"]), (200, &json!(status)));
    }
    erase_at(&service, &token, &webhook, ada).await;
    assert_eq!(traces(folder.path(), ada), Vec::<String>::new(), "she is found everywhere");
    let member = format!("/api/v1/gyms/mitte/members/{bob}");
    let found = service.get_ok(&token, &member).await;
    assert!(found.to_string().contains("GYM_CHECKIN"), "{found}");
    assert_eq!(verify(folder.path())["ok"], true);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_of_the_version_before_takes_its_own_key_only() {
    let service = Service::start();
    let webhook = service.add_gym("mitte", "UTC");
    for _ in 0..3 {
        let body = delivery(Uuid::new_v4(), now() - MINUTE, "GYM_CHECKIN");
        assert_eq!(service.post(&webhook, body).await.0, 200);
    }
    let folder = service.folder.clone();
    assert!(service.stop());
    let file = folder.path().join(KEY);
    let key = fs::read(&file).expect("it is there");
    let forget = || {
        let database = rusqlite::Connection::open(folder.path().join(DATABASE)).expect("it opens");
        database.execute("UPDATE identity SET key_check = NULL", []).expect("it is written");
    };
    forget();
    fs::write(&file, [7; 32]).expect("it is written");
    let output = run(folder.path(), &["gym", "list"]);
    assert!(said(&output).contains("is not the key of the database"), "{}", said(&output));
    fs::remove_file(&file).expect("it is removed");
    let output = run(folder.path(), &["gym", "list"]);
    assert!(said(&output).contains("is not there"), "{}", said(&output));
    fs::write(&file, &key).expect("it is written");
    assert!(run(folder.path(), &["gym", "list"]).status.success());
    assert!(
        run(folder.path(), &["gym", "list"]).status.success(),
        "and again, now that it is noted"
    );
}
