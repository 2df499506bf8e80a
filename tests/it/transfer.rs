//! Export and import: what leaves one installation comes into another as it was, once.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use futures_util::future::join_all;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use tempfile::TempDir;
use uuid::Uuid;

use crate::laws::REPORTS;
use crate::patience::Patience;
use crate::process::Program;
use crate::service::{BINARY, Service, Webhook, delivery, now, run, run_json, verify};

const MINUTE: i64 = 60_000;
const DAY: i64 = 24 * 60 * MINUTE;

/// Some weeks of deliveries: late ones, unknown types and fields, missing check-outs.
async fn weeks(service: &Service, webhook: &Webhook, seed: u64) -> Vec<Uuid> {
    let mut dice = ChaCha8Rng::seed_from_u64(seed);
    let members: Vec<Uuid> = (0..12).map(|_| Uuid::new_v4()).collect();
    let mut bodies = Vec::new();
    for account in &members {
        for day in 0..20 {
            let entered = now() - day * DAY - dice.random_range(2..20) * 60 * MINUTE;
            bodies.push(delivery(*account, entered, "GYM_CHECKIN"));
            let kind = ["EQUIPMENT_CHECKIN", "SAUNA"][dice.random_range(0..2)];
            let odd = json!({
                "accountId": account, "timestamp": entered + 7 * MINUTE, "type": kind,
                "card": {"n": [1, 2.5, "ü"]},
            });
            bodies.push(odd.to_string());
            if dice.random_bool(0.8) {
                bodies.push(delivery(*account, entered + 61 * MINUTE, "GYM_CHECKOUT"));
            }
        }
    }
    let posted = join_all(bodies.into_iter().map(|body| service.post(webhook, body))).await;
    assert!(posted.iter().all(|(status, _)| *status == 200));
    members
}

async fn reports(service: &Service, token: &str, gym: &str) -> Vec<Value> {
    let day = |days: i64| {
        let day = footfall::domain::calendar::day_of(chrono_tz::UTC, now() - days * DAY);
        day.date().to_string()
    };
    let mut all = Vec::new();
    for name in REPORTS {
        let (from, until) = (day(60), day(0));
        let path = format!("/api/v1/gyms/{gym}/reports/{name}?from={from}&until={until}");
        let mut report = service.get_ok(token, &path).await;
        report.as_object_mut().expect("an object").remove("position");
        all.push(report);
    }
    all
}

/// The log without positions, which are an installation's own.
async fn log(service: &Service, token: &str, gym: &str) -> Vec<Value> {
    let page = service.get_ok(token, &format!("/api/v1/gyms/{gym}/events?limit=1000")).await;
    assert_eq!(page["next"], Value::Null);
    let mut events = page["events"].as_array().expect("a list").clone();
    for event in &mut events {
        event.as_object_mut().expect("an object").remove("position");
    }
    events
}

fn export(service: &Service, file: &Path, more: &[&str]) {
    let file = file.display().to_string();
    let done = run(service.data(), &[&["export", "--out", &file][..], more].concat());
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

fn import(folder: &Path, file: &Path, more: &[&str]) -> Value {
    let file = file.display().to_string();
    run_json(folder, &[&["import", &file, "--json"][..], more].concat())
}

/// An import that must fail; what it says.
fn refused(folder: &Path, file: &Path, more: &[&str]) -> String {
    let file = file.display().to_string();
    let output = run(folder, &[&["import", &file][..], more].concat());
    assert!(!output.status.success());
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_installation_gets_the_same_log_and_the_same_reports() {
    let (service, scratch) = (Service::start(), TempDir::new().expect("a temporary folder"));
    let webhook = service.add_gym("mitte", "Europe/Berlin");
    let other = service.add_gym("nyc", "America/New_York");
    let token = service.add_token("all", "admin", &[]);
    let members = weeks(&service, &webhook, 1).await;
    weeks(&service, &other, 2).await;
    let file = scratch.path().join("all.jsonl");
    export(&service, &file, &[]);

    let folder = Arc::new(TempDir::new().expect("a temporary folder"));
    let would = import(folder.path(), &file, &["--dry-run"]);
    assert_eq!((&would["dry_run"], &would["gyms_added"]), (&json!(true), &json!(2)), "{would}");
    assert_eq!(run_json(folder.path(), &["gym", "list", "--json"]), json!([]), "nothing changed");
    let mut done = import(folder.path(), &file, &[]);
    done["dry_run"] = json!(true);
    assert_eq!(done, would, "the run does what the dry run said");
    let again = import(folder.path(), &file, &[]);
    assert_eq!((&again["gyms"][0]["new"], &again["webhooks_added"]), (&json!(0), &json!(0)));
    assert_eq!(again["gyms"][0]["duplicate"], done["gyms"][0]["new"]);

    let moved = Service::start_on(folder);
    let key = moved.add_token("all", "admin", &[]);
    for gym in ["mitte", "nyc"] {
        let (here, there) = (log(&service, &token, gym).await, log(&moved, &key, gym).await);
        assert!(here.len() > 400 && here == there, "{gym}");
        let here = reports(&service, &token, gym).await;
        assert_eq!(reports(&moved, &key, gym).await, here, "{gym}");
    }
    assert_eq!(verify(moved.data())["ok"], true);
    // What was registered at the sender goes on working.
    let (status, answer) = moved.post(&webhook, delivery(members[0], now(), "GYM_CHECKIN")).await;
    assert_eq!((status, &answer["status"]), (200, &json!("accepted")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_next_export_has_only_what_is_new_and_erased_members_stay_erased() {
    let (service, scratch) = (Service::start(), TempDir::new().expect("a temporary folder"));
    let webhook = service.add_gym("mitte", "UTC");
    let members = weeks(&service, &webhook, 3).await;
    let (first, second) = (scratch.path().join("1"), scratch.path().join("2"));
    export(&service, &first, &[]);
    let text = std::fs::read_to_string(&first).expect("it was written");
    let end: Value = serde_json::from_str(text.lines().last().expect("lines")).expect("JSON");
    let next = end["end"]["next"].to_string();
    let newcomer = Uuid::new_v4();
    assert_eq!(service.post(&webhook, delivery(newcomer, now(), "GYM_CHECKIN")).await.0, 200);
    export(&service, &second, &["--gym", "mitte", "--after", &next]);
    let text = std::fs::read_to_string(&second).expect("it was written");
    assert_eq!(text.matches("\"event\":").count(), 1, "{text}");
    assert!(text.contains(&newcomer.to_string()));

    let erased = members[0].to_string();
    let erasure = run_json(service.data(), &["erase", &erased, "--gym", "mitte", "--json"]);
    let report = import(service.data(), &first, &[]);
    assert_eq!(report["gyms"][0]["erased"], erasure[0]["events"], "{report}");
    assert_eq!(report["gyms"][0]["new"], 0);
    assert_eq!(crate::erasure::traces(service.data(), members[0]), Vec::<String>::new());
    let token = service.add_token("all", "admin", &[]);
    let quality = service.get_ok(&token, "/api/v1/gyms/mitte/reports/quality").await;
    assert_eq!(quality["totals"]["duplicates"], 0, "an import is no delivery");
}

#[test]
fn what_cannot_be_understood_is_refused_by_its_line_and_changes_nothing() {
    let folder = TempDir::new().expect("a temporary folder");
    let file = folder.path().join("in.jsonl");
    let header = r#"{"header":{"format":"footfall","version":1}}"#;
    let end = r#"{"end":{"events":0,"next":0}}"#;
    let gym = json!({"gym": {"gym": "a", "name": "A", "time_zone": "UTC", "capacity": null,
        "visit_window": 480, "assumed_stay": 75, "assumed_tail": 20, "rejoin_grace": 15,
        "retain_events_months": 25}});
    let event = |gym: &str, at: i64| {
        let account = Uuid::from_u128(7);
        json!({"event": {"gym": gym, "position": 1, "received_at": at, "imported": false,
            "delivery": {"accountId": account, "timestamp": at, "type": "GYM_CHECKIN"}}})
    };
    let says = |text: String, words: &str| {
        std::fs::write(&file, text).expect("it is written");
        let error = refused(folder.path(), &file, &[]);
        assert!(error.contains(words), "{error}");
        assert!(!error.contains(&Uuid::from_u128(7).to_string()), "{error}");
    };
    says(String::new(), "cut off");
    says("{}\n".into(), "does not begin as an export does");
    says(header.replace(":1}", ":2}"), "format 2, and this footfall reads format 1");
    says(format!("{header}\n{gym}\n"), "cut off");
    says(format!("{header}\n{}\n{end}", event("b", now())), "line 2: there is no gym b");
    says(format!("{header}\n{gym}\n{{\"event\":3}}\n{end}"), "line 3: a mistake in column");
    says(format!("{header}\n{gym}\n{}\n{end}", event("a", 17)), "line 3: `timestamp` is before");
    for received_at in [i64::MIN, -1, 17, now() + DAY, 9_000_000_000_000_000, i64::MAX] {
        let mut event = event("a", now() - DAY);
        event["event"]["received_at"] = json!(received_at);
        says(format!("{header}\n{gym}\n{event}\n{end}"), "line 3: `received_at` is");
    }
    for (field, value, words) in [
        ("retain_events_months", json!(0), "3 to 240 months"),
        ("retain_events_months", json!(4_000_000_000_u32), "3 to 240 months"),
        ("visit_window", json!(0), "visit_window is 1 to 1440 minutes"),
        ("time_zone", json!("Mars"), "IANA"),
        ("name", json!(""), "the gym's name is no good"),
        ("name", json!("x".repeat(101)), "the gym's name is no good"),
    ] {
        let mut gym = gym.clone();
        gym["gym"][field] = value;
        says(format!("{header}\n{gym}\n{end}"), words);
    }
    let webhook = json!({"webhook": {"gym": "a", "webhook": Uuid::from_u128(7).to_string(),
        "secret_sha256": "0".repeat(64)}});
    says(format!("{header}\n{gym}\n{webhook}\n{end}"), "line 3: a webhook's id has 24");
    assert_eq!(run_json(folder.path(), &["gym", "list", "--json"]), json!([]));

    let (good, old) = (event("a", now() - DAY), event("a", now() - 1_000 * DAY));
    let text = format!("{header}\n{gym}\n{}\n{good}\n{old}\n{end}", event("a", 17));
    std::fs::write(&file, text).expect("it is written");
    let report = import(folder.path(), &file, &["--skip-bad-lines"]);
    assert_eq!((&report["bad_lines"], &report["gyms"][0]["new"]), (&json!(1), &json!(1)));
    assert_eq!(report["gyms"][0]["beyond_retention"], 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unknown_fields_come_out_and_in_letter_by_letter() {
    let (service, scratch) = (Service::start(), TempDir::new().expect("a temporary folder"));
    let webhook = service.add_gym("mitte", "UTC");
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    let fields = [
        r#""r":1.000000000000001,"e":1e400"#.to_owned(),
        "\"o\":{\"a\":1,\n \"a\":2}".to_owned(),
        r#""n":1E2,"n":2"#.to_owned(),
        format!(r#""deep":{deep}"#),
    ];
    for (place, fields) in (0..).zip(&fields) {
        let body = format!(
            r#"{{"accountId":"{}","timestamp":{},"type":"GYM_CHECKIN",{fields}}}"#,
            Uuid::new_v4(),
            now() - (9 - place) * MINUTE
        );
        assert_eq!(service.post(&webhook, body).await.0, 200);
    }
    let (first, second) = (scratch.path().join("1"), scratch.path().join("2"));
    export(&service, &first, &[]);
    let text = std::fs::read_to_string(&first).expect("it was written");
    for fields in &fields {
        assert!(text.contains(&fields.replace('\n', " ")), "{fields}: {text}");
    }
    let moved = Service::start();
    let report = import(moved.data(), &first, &[]);
    assert_eq!(report["gyms"][0]["new"], fields.len(), "{report}");
    export(&moved, &second, &[]);
    assert_eq!(std::fs::read_to_string(&second).expect("it was written"), text);
}

/// One of the 100 members in a long file.
pub fn long_member(number: u32) -> Uuid {
    Uuid::from_u128(0xfeed_face_cafe_beef << 64 | u128::from(number))
}

/// A file with that many events of one gym.
pub fn long_file(folder: &Path, events: u32) -> PathBuf {
    let gym = r#"{"gym":{"gym":"a","name":"A","time_zone":"UTC","capacity":null,"visit_window":480,"assumed_stay":75,"assumed_tail":20,"rejoin_grace":15,"retain_events_months":null}}"#;
    let mut text = format!("{{\"header\":{{\"format\":\"footfall\",\"version\":1}}}}\n{gym}\n");
    for number in 0..events {
        let at = now() - 300 * DAY + i64::from(number) * 20_000;
        let kind = ["GYM_CHECKIN", "GYM_CHECKOUT"][number as usize / 100 % 2];
        let body = delivery(long_member(number % 100), at, kind);
        let start = r#"{"event":{"gym":"a","position":1,"imported":false,"received_at":"#;
        writeln!(text, "{start}{at},\"delivery\":{body}}}}}").expect("a string takes it");
    }
    writeln!(text, "{{\"end\":{{\"events\":{events},\"next\":0}}}}").expect("a string takes it");
    let file = folder.join("long.jsonl");
    std::fs::write(&file, text).expect("it is written");
    file
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_that_was_killed_is_repeated_beside_deliveries() {
    const EVENTS: u32 = 20_000;
    let (service, scratch) = (Service::start(), TempDir::new().expect("a temporary folder"));
    let file = long_file(scratch.path(), EVENTS);
    let mut command = Command::new(BINARY);
    command.args(["import", &file.display().to_string()]).env("FOOTFALL_DATA", service.data());
    let mut first = Program::start(command.stdout(Stdio::null()).stderr(Stdio::null()));
    let token = service.add_token("all", "admin", &[]);
    let taken = async || {
        let (status, page) = service.get(&token, "/api/v1/gyms/a/events?limit=1000").await;
        if status == 200 { page["events"].as_array().map_or(0, Vec::len) } else { 0 }
    };
    let patience = Patience::until("a thousand events are taken in");
    while taken().await < 1_000 {
        patience.again().await;
    }
    first.kill();
    let webhook = service.add_webhook("a");
    let members: Vec<Uuid> = (0..200).map(|_| Uuid::new_v4()).collect();
    let at = now();
    let posts = members.iter().map(|id| service.post(&webhook, delivery(*id, at, "GYM_CHECKIN")));
    let (folder, long) = (service.data().to_owned(), file.clone());
    let repeat = tokio::task::spawn_blocking(move || import(&folder, &long, &[]));
    let (posted, report) = tokio::join!(join_all(posts), repeat);
    assert!(posted.iter().all(|(status, _)| *status == 200));
    let gym = report.expect("it ended")["gyms"][0].clone();
    let count = |name: &str| gym[name].as_i64().expect("a number");
    assert!(count("duplicate") >= 1_000, "{gym}");
    assert_eq!(count("new") + count("duplicate"), i64::from(EVENTS), "{gym}");
    let found = verify(service.data());
    assert_eq!((&found["ok"], &found["events"]), (&json!(true), &json!(EVENTS + 200)), "{found}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_club_systems_visits_come_in_as_imported_events() {
    let (service, scratch) = (Service::start(), TempDir::new().expect("a temporary folder"));
    service.add_gym("mitte", "Europe/Berlin");
    let token = service.add_token("all", "admin", &[]);
    let (csv, mapping) = (scratch.path().join("v.csv"), scratch.path().join("m.toml"));
    let write = |path: &Path, text: &str| std::fs::write(path, text).expect("it is written");
    let account = Uuid::from_u128(42);
    write(&scratch.path().join("a.csv"), &format!("member,account\n0815,{account}\n"));
    write(
        &mapping,
        "account = \"Nr\"\nentered = \"Kommt\"\nleft = \"Geht\"\ndelimiter = \";\"\n\
         format = \"%d.%m.%Y %H:%M\"\naccounts = \"a.csv\"\n",
    );
    let with = |dry: &[&'static str]| {
        let mapping = mapping.display().to_string();
        let args = ["--gym", "mitte", "--mapping", &mapping];
        let args: Vec<String> = args.iter().chain(dry).map(|word| (*word).to_owned()).collect();
        args
    };
    let rows = "\u{feff}Nr;Kommt;Geht\n\
        0815;25.10.2025 01:30;25.10.2025 02:40\n\
        0815;26.10.2025 02:50;26.10.2025 02:10\n\
        0815;27.10.2025 09:00;\n";
    let bad = "0815;30.03.2025 02:30;30.03.2025 04:00\n\
        0815;28.10.2025 09:00;28.10.2025 08:00\n\
        4711;29.10.2025 09:00;29.10.2025 10:00\n\
        0815;gestern;heute\n";
    write(&csv, &format!("{rows}{bad}"));
    let args = with(&[]);
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let error = refused(service.data(), &csv, &args);
    for words in [
        "4 lines cannot be understood",
        "line 5: its \"Kommt\" is a time that Europe/Berlin skipped",
        "line 6: it leaves before it enters",
        "line 7: its \"Nr\" is not in `accounts`",
        "line 8: its \"Kommt\" is not written as",
    ] {
        assert!(error.contains(words), "{error}");
    }
    write(&csv, rows);
    let would = import(service.data(), &csv, &[&args[..], &["--dry-run"]].concat());
    let mut done = import(service.data(), &csv, &args);
    assert_eq!(done["gyms"][0]["new"], 5);
    done["dry_run"] = json!(true);
    assert_eq!(done, would);

    let member = service.get_ok(&token, &format!("/api/v1/gyms/mitte/members/{account}")).await;
    let events = member["events"].as_array().expect("a list");
    assert!(events.iter().all(|event| event["imported"] == true), "{member}");
    // The hour from two to three came twice: who leaves before the entry left in the second.
    assert_eq!(member["visits"][1]["entered"], "2025-10-26T02:50:00.000+02:00");
    assert_eq!(member["visits"][1]["left"], "2025-10-26T02:10:00.000+01:00");
    let quality = "/api/v1/gyms/mitte/reports/quality?from=2025-10-01&until=2025-11-01";
    let quality = service.get_ok(&token, quality).await;
    assert_eq!(quality["totals"]["late_events"], 0, "nobody was late with them");
    assert_eq!(quality["totals"]["without_checkout"], 1);
    run_json(service.data(), &["rebuild", "--json"]);
    assert_eq!(verify(service.data())["ok"], true);

    write(&mapping, "account = \"Nummer\"\nentered = \"Kommt\"\ndelimiter = \";\"\n");
    let error = refused(service.data(), &csv, &args);
    assert!(error.contains("no column \"Nummer\"") && error.contains("Nr, Kommt, Geht"), "{error}");
}
