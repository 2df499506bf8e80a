//! Whoever is only mentioned, in text of others, is forgotten for good all the same: after a restore,
//! in copies that are kept, in what an earlier version left, and with a new key.

use std::fs;
use std::path::Path;

use footfall::domain::annotation::{Annotation, AnnotationKind};
use footfall::domain::calendar::Day;
use footfall::domain::ids::GymId;
use footfall::store::Database;
use serde_json::{Value, json};
use tempfile::TempDir;
use uuid::Uuid;

use crate::backups::{copies, made};
use crate::erasure::{completed, live_a_while, traces};
use crate::patience::Patience;
use crate::restore::{back_up, put_back};
use crate::service::{Service, Webhook, answer, now, run, run_json, verify};
use crate::upgrade;

const MINUTE: i64 = 60_000;
const DAY: i64 = 24 * 60 * MINUTE;

/// Posts what names an account that never is a member: a body that waits, another member's field.
async fn mention(service: &Service, webhook: &Webhook, account: Uuid) {
    let body = format!(r#"{{"accountId":"{account}","timestamp":7,"type":"GYM_CHECKIN"}}"#);
    assert_eq!(service.post(webhook, body).await.0, 422);
    let body = json!({ "accountId": Uuid::new_v4(), "timestamp": now() - MINUTE,
        "type": "GYM_CHECKIN", "friend": account });
    assert_eq!(service.post(webhook, body.to_string()).await.0, 200);
}

/// Adds a note that names an account, as an earlier version took it.
fn note(folder: &Path, account: Uuid) {
    let text = format!("locker of {}", account.to_string().to_uppercase());
    let kind = AnnotationKind::Other;
    let note = Annotation { first: Day(20_000), last: Day(20_000), kind, yearly: false, text };
    let database = Database::open(folder).expect("it opens");
    let mut connection = database.connect().expect("it connects");
    let added = database.transact(&mut connection, |tx| tx.add_annotation(GymId(1), &note, now()));
    assert!(added.expect("it is written").is_some());
}

async fn erase(service: &Service, token: &str, account: Uuid) {
    let url = format!("{}/api/v1/gyms/mitte/members/{account}", service.root);
    assert_eq!(answer(service.client.delete(url).bearer_auth(token)).await.0, 202);
    completed(service, token).await;
}

fn bodies(folder: &Path) -> usize {
    run_json(folder, &["quarantine", "list", "--json"]).as_array().map_or(0, Vec::len)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_was_only_mentioned_is_forgotten_again_after_a_restore_and_in_kept_copies() {
    let service = Service::start();
    let webhook = service.add_gym("mitte", "UTC");
    let token = service.add_token("all", "admin", &[]);
    let (gone, kept) = (Uuid::new_v4(), Uuid::new_v4());
    for account in [gone, kept] {
        mention(&service, &webhook, account).await;
        note(service.data(), account);
    }
    // She is nowhere but in a note.
    let noted = Uuid::new_v4();
    note(service.data(), noted);
    let place = TempDir::new().expect("a temporary folder");
    made(service.data(), place.path(), "2");
    let copy = back_up(service.data());
    for account in [gone, noted] {
        assert!(!traces(copy.path(), account).is_empty(), "it was there");
        erase(&service, &token, account).await;
        assert_eq!(traces(service.data(), account), Vec::<String>::new());
    }
    made(service.data(), place.path(), "2");
    for copy in copies(place.path()) {
        assert_eq!(traces(&copy, gone), Vec::<String>::new());
        assert_eq!(traces(&copy, noted), Vec::<String>::new());
        assert!(!traces(&copy, kept).is_empty(), "nobody else is lost");
        assert_eq!(verify(&copy)["ok"], true);
    }
    let folder = service.folder.clone();
    assert!(service.stop());

    put_back(copy.path(), folder.path());
    let service = Service::start_on(folder);
    for account in [gone, noted] {
        assert_eq!(traces(service.data(), account), Vec::<String>::new());
    }
    assert!(!traces(service.data(), kept).is_empty(), "nobody else is lost");
    assert_eq!(bodies(service.data()), 1);
    assert_eq!(verify(service.data())["ok"], true);
    let records = service.get_ok(&token, "/api/v1/erasures").await;
    let records = records["erasures"].as_array().expect("a list");
    assert_eq!(records.len(), 2, "{records:?}");
    for record in records {
        assert_eq!((&record["reason"], &record["events"]), (&json!("restore"), &json!(0)));
        assert!(record["completed_at"].is_string(), "{record}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_whose_account_is_all_zeros_is_erased_again_after_a_restore() {
    let service = Service::start();
    let webhook = service.add_gym("mitte", "UTC");
    let token = service.add_token("all", "admin", &[]);
    let bob = Uuid::new_v4();
    for (seed, account) in (0..).zip([Uuid::nil(), bob]) {
        live_a_while(&service, &webhook, account, seed).await;
    }
    // Zeros are written over his account.
    erase(&service, &token, bob).await;
    let copy = back_up(service.data());
    erase(&service, &token, Uuid::nil()).await;
    let folder = service.folder.clone();
    assert!(service.stop());
    put_back(copy.path(), folder.path());
    let service = Service::start_on(folder);
    let member = format!("/api/v1/gyms/mitte/members/{}", Uuid::nil());
    assert_eq!(service.get(&token, &member).await.0, 404);
    assert_eq!(verify(service.data())["ok"], true);
}

/// An account that the first version's database names in a type, and so in a receipt.
fn in_a_type(facts: &Value) -> Uuid {
    upgrade::text(facts, "/accounts/4").parse().expect("an account")
}

fn erase_by_command(folder: &Path, account: Uuid) {
    run_json(folder, &["erase", "--gym", "mitte", &account.to_string(), "--json"]);
}

#[actix_web::test]
async fn an_account_in_a_type_is_gone_from_the_log_and_from_receipts() {
    for version in upgrade::versions() {
        let (folder, facts) = upgrade::copy(&version);
        let account = in_a_type(&facts);
        let named = format!("MET_{account}");
        let file = folder.path().join("footfall.db");
        let holds = |named: &str| {
            let bytes = fs::read(&file).expect("it is there");
            bytes.windows(named.len()).filter(|part| *part == named.as_bytes()).count()
        };
        assert!(holds(&named) >= 2, "in the log and in a receipt");
        let service = Service::start_on(folder.clone());
        erase_by_command(folder.path(), account);
        assert_eq!(traces(folder.path(), account), Vec::<String>::new());
        assert_eq!(verify(folder.path())["ok"], true, "log and receipts say the same");
        let token = upgrade::text(&facts, "/tokens/admin");
        let log = service.get_ok(token, "/api/v1/gyms/mitte/events?after=8243").await;
        assert_eq!(log["events"][0]["type"], "NAMELESS_8244", "{log}");
        assert!(run(folder.path(), &["rebuild"]).status.success());
        assert_eq!(traces(folder.path(), account), Vec::<String>::new());
        assert!(service.stop());

        // The first version's database is a backup too, and so is one in which types were read.
        fs::copy(version.join("footfall.db"), &file).expect("it is copied");
        run_json(folder.path(), &["gym", "list", "--json"]);
        assert_eq!(traces(folder.path(), account), Vec::<String>::new(), "forgotten again");
        assert_eq!(verify(folder.path())["ok"], true);
    }
}

#[actix_web::test]
async fn with_a_new_key_types_that_name_an_account_are_found_as_before() {
    for version in upgrade::versions() {
        let (folder, facts) = upgrade::copy(&version);
        let account = in_a_type(&facts);
        // All text is read, and what was noted goes with the old key.
        erase_by_command(folder.path(), Uuid::new_v4());
        fs::remove_file(folder.path().join("footfall.key")).expect("it is removed");
        run_json(folder.path(), &["new-key", "--old-key-is-lost", "--json"]);
        erase_by_command(folder.path(), account);
        assert_eq!(traces(folder.path(), account), Vec::<String>::new());
        assert_eq!(verify(folder.path())["ok"], true);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_was_erased_before_text_was_searched_is_taken_out_when_it_is_read() {
    let service = Service::start();
    let webhook = service.add_gym("mitte", "UTC");
    let token = service.add_token("all", "admin", &[]);
    let (gone, later) = (Uuid::new_v4(), Uuid::new_v4());
    for account in [Uuid::new_v4(), gone] {
        mention(&service, &webhook, account).await;
    }
    let copy = back_up(service.data());
    for account in [gone, later] {
        erase(&service, &token, account).await;
    }
    // What comes after an erasure is a new member's.
    mention(&service, &webhook, later).await;
    let folder = service.folder.clone();
    assert!(service.stop());
    // As an earlier version left it, which did not look there.
    let database = rusqlite::Connection::open(folder.path().join("footfall.db")).expect("it opens");
    let old = copy.path().join("footfall.db").display().to_string();
    database.execute("ATTACH ?1 AS old", [old]).expect("it is attached");
    let planted = database.execute_batch(
        "UPDATE quarantine SET body = (SELECT body FROM old.quarantine WHERE id = 2) WHERE id = 2;
         UPDATE extras SET fields = (SELECT fields FROM old.extras WHERE position = 2)
             WHERE position = 2;
         DELETE FROM foreign_accounts;
         INSERT INTO foreign_text_unread VALUES (1, 0, 3), (2, 0, 3);",
    );
    planted.expect("the schema is known");
    drop(database);
    assert!(!traces(folder.path(), gone).is_empty(), "it is there");
    let service = Service::start_on(folder);
    let patience = Patience::until("what names her is gone");
    while !traces(service.data(), gone).is_empty() {
        patience.again().await;
    }
    assert_eq!(bodies(service.data()), 2, "of her, one has gone");
    assert!(!traces(service.data(), later).is_empty());
}

/// How many notes there are of whom bodies in quarantine name, and of whom fields do.
fn notes(folder: &Path) -> [i64; 2] {
    let database = rusqlite::Connection::open(folder.join("footfall.db")).expect("it opens");
    let sql = "SELECT count(*) FROM foreign_accounts WHERE place = ?1";
    [1, 2].map(|place| {
        database.query_row(sql, [place], |row| row.get(0)).expect("the schema is known")
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_noted_of_whom_a_text_names_goes_with_the_text() {
    let service = Service::start();
    let webhook = service.add_gym("mitte", "UTC");
    let token = service.add_token("all", "admin", &[]);
    let (ada, bob, cleo) = (Uuid::new_v4(), Uuid::new_v4(), Uuid::new_v4());
    let naming = |member: Uuid, at: i64| {
        json!({ "accountId": member, "timestamp": at, "type": "GYM_CHECKIN", "with": [bob, cleo] })
            .to_string()
    };
    let keep = |months: &str| {
        run_json(service.data(), &["gym", "set", "mitte", "--retain-events", months, "--json"]);
    };
    keep("25");
    assert_eq!(service.post(&webhook, naming(ada, now() - 800 * DAY)).await.0, 422);
    assert_eq!(notes(service.data()), [6, 0], "each in both orders of its bytes");
    keep("off");
    run_json(service.data(), &["quarantine", "release", "1", "--json"]);
    assert_eq!(notes(service.data()), [0, 4], "released");
    keep("25");
    run_json(service.data(), &["retention", "--json"]);
    assert_eq!(notes(service.data()), [0, 0], "too old");
    for (member, gone) in [(ada, ada), (Uuid::new_v4(), cleo)] {
        assert_eq!(service.post(&webhook, naming(member, now() - MINUTE)).await.0, 200);
        assert_eq!(notes(service.data()), [0, 4]);
        erase(&service, &token, gone).await;
        assert_eq!(notes(service.data()), [0, 0], "who names, or who is named, was erased");
    }
    assert_eq!(verify(service.data())["ok"], true);
}
