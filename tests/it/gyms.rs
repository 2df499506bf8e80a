//! Gyms that have closed, and gyms that were never meant to be.

use std::process::{Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;
use uuid::Uuid;

use crate::erasure::traces;
use crate::service::{BINARY, Service, delivery, kill_process, now, run, run_json, verify};
use crate::transfer::{long_file, long_member};

const HOUR: i64 = 3_600_000;

async fn metrics(service: &Service) -> String {
    let answer = service.client.get(format!("{}/metrics", service.root)).send().await;
    answer.expect("an answer").text().await.expect("text")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_archived_gym_is_not_watched_and_its_reports_and_deliveries_stay() {
    let service = Service::start();
    let webhook = service.add_gym("mitte", "Europe/Berlin");
    service.add_gym("nyc", "America/New_York");
    let token = service.add_token("all", "admin", &[]);
    let public = ["gym", "set", "mitte", "--capacity", "50", "--public", "levels", "--json"];
    run_json(service.data(), &public);
    let member = Uuid::new_v4();
    let entry = delivery(member, now() - HOUR, "GYM_CHECKIN");
    assert_eq!(service.post(&webhook, entry).await.0, 200);
    let busy = async || {
        let url = format!("{}/busy/mitte", service.root);
        service.client.get(url).send().await.expect("an answer").status().as_u16()
    };
    assert_eq!(busy().await, 200);
    assert!(metrics(&service).await.contains("footfall_gym_members_present{gym=\"mitte\"}"));

    let archived = run_json(service.data(), &["gym", "archive", "mitte", "--json"]);
    assert_eq!(archived, json!({"gym": "mitte", "archived": true}));
    assert_eq!(run_json(service.data(), &["gym", "list", "--json"])[0]["archived"], true);
    let gym = service.get_ok(&token, "/api/v1/gyms/mitte").await;
    assert_eq!((&gym["archived"], &gym["silent"]), (&json!(true), &Value::Null));
    assert_eq!(busy().await, 404);
    let text = metrics(&service).await;
    assert!(!text.contains("footfall_gym_members_present{gym=\"mitte\"}"), "{text}");
    assert!(text.contains("footfall_gym_members_present{gym=\"nyc\"}"), "{text}");
    let exit = delivery(member, now(), "GYM_CHECKOUT");
    assert_eq!(service.post(&webhook, exit).await.1["status"], "accepted");
    let counted = "footfall_deliveries_total{gym=\"mitte\"";
    assert!(metrics(&service).await.contains(counted), "{text}");
    let path = "/api/v1/gyms/mitte/reports/visits?from=2026-01-01&interval=1mo";
    assert_eq!(service.get(&token, path).await.0, 200);
    let digests = run_json(service.data(), &["digest", "--print", "--json"]);
    assert_eq!(digests.as_array().map(Vec::len), Some(1), "{digests}");

    let in_chain = async |query: &str| {
        let path = format!("/api/v1/reports/visits?{query}");
        let chain = service.get_ok(&token, &path).await;
        let gyms = chain["gyms"].as_array().expect("a list").iter();
        gyms.map(|gym| gym["gym"].as_str().expect("a slug").to_owned()).collect::<Vec<_>>()
    };
    let past = "from=2026-01-01&until=2031-01-01&interval=1mo";
    let coming = "from=2099-01-01&until=2099-01-03";
    assert_eq!(in_chain(past).await, ["mitte", "nyc"], "what it counted stays");
    assert_eq!(in_chain(coming).await, ["nyc"], "it had closed before");
    assert_eq!(in_chain(&format!("{coming}&gyms=mitte")).await, ["mitte"], "it was named");

    run_json(service.data(), &["gym", "archive", "mitte", "--undo", "--json"]);
    assert_eq!(in_chain(coming).await, ["mitte", "nyc"]);
    assert_eq!(service.get_ok(&token, "/api/v1/gyms/mitte").await["archived"], false);
    assert_eq!(busy().await, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gym_that_is_removed_leaves_nothing_and_its_name_is_free() {
    let service = Service::start();
    let (webhook, other) = (service.add_gym("mite", "UTC"), service.add_gym("nyc", "UTC"));
    let (all, scoped) =
        (service.add_token("all", "admin", &[]), service.add_token("some", "manager", &["mite"]));
    let members: Vec<Uuid> = (0..30).map(|_| Uuid::new_v4()).collect();
    let stays = Uuid::new_v4();
    for member in &members {
        let odd = json!({"accountId": member, "timestamp": now(), "type": "SWIM", "who": member});
        assert_eq!(service.post(&webhook, odd.to_string()).await.0, 200);
        let entry = delivery(*member, now(), "GYM_CHECKIN");
        assert_eq!(service.post(&webhook, entry).await.0, 200);
        let early = delivery(*member, 17, "GYM_CHECKIN");
        assert_eq!(service.post(&webhook, early).await.0, 422);
    }
    assert_eq!(service.post(&other, delivery(stays, now(), "GYM_CHECKIN")).await.0, 200);

    let would = run_json(service.data(), &["gym", "remove", "mite", "--dry-run", "--json"]);
    assert_eq!((&would["events"], &would["members"]), (&json!(60), &json!(30)), "{would}");
    assert_eq!((&would["quarantined"], &would["tokens"]), (&json!(30), &json!(1)), "{would}");
    let asked = run(service.data(), &["gym", "remove", "mite"]);
    assert!(!asked.status.success());
    assert!(String::from_utf8_lossy(&asked.stderr).contains("--yes"));
    assert_eq!(service.get(&all, "/api/v1/gyms/mite").await.0, 200, "nothing was removed");

    let said = run(service.data(), &["gym", "remove", "mite", "--dry-run"]);
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    assert!(said.contains("may still be registered at EGYM"), "{said}");

    let mut went = run_json(service.data(), &["gym", "remove", "mite", "--yes", "--json"]);
    went["dry_run"] = json!(true);
    assert_eq!(went, would);
    for member in &members {
        assert_eq!(traces(service.data(), *member), Vec::<String>::new());
    }
    assert_eq!(service.get(&all, "/api/v1/gyms/mite").await.0, 404);
    let late = delivery(members[0], now(), "GYM_CHECKOUT");
    assert_eq!(service.post(&webhook, late).await.0, 401);
    let found = verify(service.data());
    assert_eq!((&found["ok"], &found["events"]), (&json!(true), &json!(1)), "{found}");

    let file = service.data().join("footfall.db");
    let database = rusqlite::Connection::open(file).expect("it opens");
    for table in ["foreign_accounts", "quarantine_held", "quarantine_counted", "tombstones"] {
        let sql = format!("SELECT count(*) FROM {table}");
        assert_eq!(database.query_row(&sql, [], |row| row.get(0)), Ok(0_i64), "{table}");
    }

    let again = service.add_gym("mite", "UTC");
    assert_eq!(service.post(&again, delivery(stays, now(), "GYM_CHECKIN")).await.0, 200);
    assert_eq!(service.get(&scoped, "/api/v1/gyms/mite").await.0, 404, "it was for the old one");
    let events = service.get_ok(&all, "/api/v1/gyms/mite/events").await;
    assert_eq!(events["events"].as_array().map(Vec::len), Some(1), "{events}");
    assert_eq!(verify(service.data())["ok"], true);
}

#[test]
fn a_removal_that_was_killed_is_ended_by_the_next() {
    const EVENTS: u32 = 6_000;
    let (folder, scratch) = (TempDir::new(), TempDir::new().expect("a temporary folder"));
    let folder = folder.expect("a temporary folder");
    let file = long_file(scratch.path(), EVENTS).display().to_string();
    run_json(folder.path(), &["import", &file, "--json"]);
    let mut child = Command::new(BINARY)
        .args(["gym", "remove", "a", "--yes"])
        .env("FOOTFALL_DATA", folder.path())
        .stdout(Stdio::null())
        .spawn()
        .expect("it starts");
    let is_there = || run_json(folder.path(), &["gym", "list", "--json"]) != json!([]);
    let limit = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while is_there() {
        assert!(std::time::Instant::now() < limit, "it has not begun");
    }
    kill_process(child.id());
    child.wait().expect("it ended");
    assert_eq!(verify(folder.path())["ok"], true);
    let ended = run(folder.path(), &["gym", "remove", "a", "--yes"]);
    let error = String::from_utf8_lossy(&ended.stderr);
    // It may have ended by itself before it was killed.
    assert!(ended.status.success() || error.contains("there is no gym"), "{error}");
    assert_eq!(traces(folder.path(), long_member(1)), Vec::<String>::new());
    let add = ["gym", "add", "a", "--name", "A", "--time-zone", "UTC", "--json"];
    assert_eq!(run_json(folder.path(), &add)["gym"], "a");
    assert_eq!(verify(folder.path())["events"], 0);
}
