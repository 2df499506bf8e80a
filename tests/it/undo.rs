//! An import that is undone was never there.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use tempfile::TempDir;
use uuid::Uuid;

use crate::laws::REPORTS;
use crate::service::{
    BINARY, Service, Webhook, delivery, kill_process, now, run, run_json, verify,
};
use crate::transfer::long_file;

const MINUTE: i64 = 60_000;
const DAY: i64 = 24 * 60 * MINUTE;

/// Who, when, what.
type Told = (Uuid, i64, &'static str);

/// Events of few members on a coarse grid, so that many are told twice and stretches join.
fn told(dice: &mut ChaCha8Rng, since: i64, events: usize) -> Vec<Told> {
    let kinds = ["GYM_CHECKIN", "GYM_CHECKOUT", "EQUIPMENT_CHECKIN", "GENIUS_ONBOARDING_COMPLETED"];
    let mut one = || {
        let member = Uuid::from_u128(dice.random_range(1..6));
        let at = since + dice.random_range(0..200) * 60 * MINUTE;
        (member, at, kinds[dice.random_range(0..kinds.len())])
    };
    (0..events).map(|_| one()).collect()
}

fn file(folder: &Path, name: &str, events: &[Told]) -> PathBuf {
    let mut text = "{\"header\":{\"format\":\"footfall\",\"version\":1}}\n".to_owned();
    for (account, at, kind) in events {
        let event = json!({"event": {"gym": "mitte", "position": 1, "received_at": at,
            "imported": true,
            "delivery": {"accountId": account, "timestamp": at, "type": kind}}});
        writeln!(text, "{event}").expect("a string takes it");
    }
    text.push_str("{\"end\":{\"events\":0,\"next\":0}}\n");
    let path = folder.join(name);
    std::fs::write(&path, text).expect("it is written");
    path
}

/// A service that was told some of one history.
struct Twin {
    service: Service,
    webhook: Webhook,
    token: String,
}

enum Step<'s> {
    Deliver(&'s [Told]),
    Import(&'s Path),
}

impl Twin {
    async fn of(steps: &[Step<'_>]) -> Twin {
        let service = Service::start();
        let webhook = service.add_gym("mitte", "Europe/Berlin");
        let token = service.add_token("all", "admin", &[]);
        let twin = Twin { service, webhook, token };
        for step in steps {
            match step {
                Step::Deliver(events) => twin.deliver(events).await,
                Step::Import(path) => {
                    let path = path.display().to_string();
                    run_json(twin.service.data(), &["import", &path, "--json"]);
                }
            }
        }
        twin
    }

    async fn deliver(&self, events: &[Told]) {
        for (account, at, kind) in events {
            let (status, _) = self.service.post(&self.webhook, delivery(*account, *at, kind)).await;
            assert_eq!(status, 200);
        }
    }

    fn command(&self, args: &[&str]) -> Value {
        run_json(self.service.data(), &[args, &["--json"]].concat())
    }

    async fn reports(&self) -> Vec<Value> {
        let day = |days: i64| {
            let at = now() - days * DAY;
            footfall::domain::calendar::day_of(chrono_tz::UTC, at).date().to_string()
        };
        let (from, until) = (day(40), day(-2));
        let mut all = Vec::new();
        for name in REPORTS {
            let path = format!("/api/v1/gyms/mitte/reports/{name}?from={from}&until={until}");
            let mut report = self.service.get_ok(&self.token, &path).await;
            report.as_object_mut().expect("an object").remove("position");
            all.push(report);
        }
        all
    }

    async fn equals(&self, other: &Twin, about: &str) {
        let (mine, others) = (self.reports().await, other.reports().await);
        for (mine, other) in mine.iter().zip(&others) {
            assert_eq!(mine, other, "{about}");
        }
        let found = verify(self.service.data());
        assert_eq!(found["ok"], true, "{about}: {found}");
        assert_eq!(found["events"], verify(other.service.data())["events"], "{about}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_that_is_undone_was_never_there_whatever_else_was_told() {
    use Step::{Deliver, Import};
    let folder = TempDir::new().expect("a temporary folder");
    for seed in 0..3 {
        let mut dice = ChaCha8Rng::seed_from_u64(seed);
        let since = now() - 12 * DAY;
        let mut told = |events| told(&mut dice, since, events);
        let (first, second, third) = (told(20), told(25), told(20));
        let (a, b) = (told(120), told(120));
        let a = file(folder.path(), "a.jsonl", &a);
        let b = file(folder.path(), "b.jsonl", &b);
        let all = [Deliver(&first), Import(&a), Deliver(&second), Import(&b), Deliver(&third)];
        let both = Twin::of(&all).await;
        let without_a = [Deliver(&first), Deliver(&second), Import(&b), Deliver(&third)];
        let without_a = Twin::of(&without_a).await;
        let without_b = [Deliver(&first), Import(&a), Deliver(&second), Deliver(&third)];
        let without_b = Twin::of(&without_b).await;
        let neither = Twin::of(&[Deliver(&first), Deliver(&second), Deliver(&third)]).await;
        // Other rules since, and a rebuild.
        for twin in [&both, &without_a, &without_b, &neither] {
            twin.command(&["gym", "set", "mitte", "--visit-window", "240", "--assumed-stay", "60"]);
        }
        let would = both.command(&["import", "undo", "1", "--dry-run"]);
        let mut done = both.command(&["import", "undo", "1"]);
        done["dry_run"] = json!(true);
        (done["undone_at"], done["started_at"]) =
            (would["undone_at"].clone(), would["started_at"].clone());
        assert_eq!(done, would, "seed {seed}");
        both.equals(&without_a, &format!("seed {seed}, a undone")).await;
        both.command(&["import", "undo", "2"]);
        both.equals(&neither, &format!("seed {seed}, both undone")).await;
        both.command(&["rebuild"]);
        both.equals(&neither, &format!("seed {seed}, and rebuilt")).await;
        without_b.command(&["import", "undo", "1"]);
        without_b.equals(&neither, &format!("seed {seed}, the only one undone")).await;
        let states: Vec<Value> = both
            .command(&["import", "list"])
            .as_array()
            .expect("a list")
            .iter()
            .map(|import| import["state"].clone())
            .collect();
        assert_eq!(states, ["undone", "undone"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_undo_that_was_killed_goes_on_beside_deliveries() {
    const EVENTS: u32 = 6_000;
    let (service, scratch) = (Service::start(), TempDir::new().expect("a temporary folder"));
    let file = long_file(scratch.path(), EVENTS).display().to_string();
    let done = run_json(service.data(), &["import", &file, "--json"]);
    assert_eq!((&done["import"], &done["gyms"][0]["new"]), (&json!(1), &json!(EVENTS)));
    let webhook = service.add_webhook("a");
    let stays = delivery(Uuid::new_v4(), now(), "GYM_CHECKIN");
    assert_eq!(service.post(&webhook, stays).await.0, 200);
    let mut child = Command::new(BINARY)
        .args(["import", "undo", "1"])
        .env("FOOTFALL_DATA", service.data())
        .stdout(Stdio::null())
        .spawn()
        .expect("it starts");
    let state = || run_json(service.data(), &["import", "list", "--json"])[0]["state"].clone();
    let limit = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while state() == "done" {
        assert!(std::time::Instant::now() < limit, "it has not begun");
    }
    kill_process(child.id());
    child.wait().expect("it ended");
    // It may have ended by itself before it was killed.
    assert!(state() == "undoing" || state() == "undone");
    assert_eq!(verify(service.data())["ok"], true);
    let undone = run_json(service.data(), &["import", "undo", "1", "--json"]);
    assert_eq!(undone["taken_back"], EVENTS, "{undone}");
    let found = verify(service.data());
    assert_eq!((&found["ok"], &found["events"]), (&json!(true), &json!(1)), "{found}");
    let again = run_json(service.data(), &["import", "undo", "1", "--json"]);
    assert_eq!(again["taken_back"], undone["taken_back"], "it is done once");
    let output = run(service.data(), &["import", "undo", "2"]);
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("there is no import 2"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_erased_is_gone_already_and_no_account_stays_without_events() {
    let (service, scratch) = (Service::start(), TempDir::new().expect("a temporary folder"));
    service.add_gym("mitte", "UTC");
    let (erased, only) = (Uuid::from_u128(0xabcd_ef01), Uuid::from_u128(0xabcd_ef02));
    let at = now() - DAY;
    let events = [(erased, at, "GYM_CHECKIN"), (only, at, "GYM_CHECKIN")];
    let file = file(scratch.path(), "a.jsonl", &events).display().to_string();
    run_json(service.data(), &["import", &file, "--json"]);
    run_json(service.data(), &["erase", &erased.to_string(), "--gym", "mitte", "--json"]);
    let undone = run_json(service.data(), &["import", "undo", "1", "--json"]);
    assert_eq!((&undone["taken_back"], &undone["gone"]), (&json!(1), &json!(1)), "{undone}");
    assert_eq!(verify(service.data())["ok"], true);
    let token = service.add_token("all", "admin", &[]);
    let path = format!("/api/v1/gyms/mitte/members/{only}");
    assert_eq!(service.get(&token, &path).await.0, 404);
}
