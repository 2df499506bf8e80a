//! A clock that jumps: nothing that cannot be undone rests on one reading of it. The real service
//! under a moved clock.

use std::path::Path;
use std::process::{Command, Output};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use serde_json::{Value, json};
use tempfile::TempDir;
use uuid::Uuid;

use crate::process;
use crate::service::{BINARY, Service, Webhook, answer, delivery, now, run, run_json, verify};
use crate::tls::authority::{Authority, Term};

const MINUTE: i64 = 60_000;
const DAY: i64 = 24 * 60 * MINUTE;
/// What is waited for comes within this, or never.
const WITHIN: Duration = Duration::from_secs(60);

/// What to preload so that a program sees another clock.
static PRELOAD: LazyLock<String> = LazyLock::new(|| {
    let shown = process::output(Command::new("faketime").args(["-m", "-f", "+0d", "env"]));
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    let found = shown.lines().find_map(|line| line.strip_prefix("LD_PRELOAD="));
    found.expect("faketime preloads a library").to_owned()
});

/// The environment of a program whose clock is moved; its timers are not.
pub fn moved(by: &str) -> Vec<(&str, &str)> {
    vec![("LD_PRELOAD", &PRELOAD), ("FAKETIME", by), ("FAKETIME_DONT_FAKE_MONOTONIC", "1")]
}

/// The same, by what a file says at the moment.
fn moved_by_file(file: &Path) -> Vec<(&str, &str)> {
    let file = file.to_str().expect("text");
    let mut env = moved("");
    env.retain(|(name, _)| *name != "FAKETIME");
    env.extend([("FAKETIME_TIMESTAMP_FILE", file), ("FAKETIME_NO_CACHE", "1")]);
    env
}

fn start(folder: &Arc<TempDir>, env: &[(&str, &str)]) -> Service {
    Service::start_with(folder.clone(), "127.0.0.1:0", env)
}

fn run_with(folder: &TempDir, env: &[(&str, &str)], args: &[&str]) -> Output {
    let mut command = Command::new(BINARY);
    command.args(args).envs(env.iter().copied()).env("FOOTFALL_DATA", folder.path());
    process::output(&mut command)
}

async fn eventually(about: &str, mut holds: impl AsyncFnMut() -> bool) {
    let began = Instant::now();
    while !holds().await {
        assert!(began.elapsed() < WITHIN, "{about}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn metric(service: &Service, name: &str) -> Option<f64> {
    let answer = service.client.get(format!("{}/metrics", service.root)).send().await;
    let text = answer.expect("it answers").text().await.expect("text");
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
    line.parse().ok()
}

async fn says(service: &Service) -> Value {
    let (status, body) = answer(service.client.get(format!("{}/readyz", service.root))).await;
    assert_eq!(status, 200, "{body}");
    body["clock"].clone()
}

async fn logged(service: &Service, token: &str, gym: &str) -> usize {
    let log = service.get_ok(token, &format!("/api/v1/gyms/{gym}/events")).await;
    log["events"].as_array().expect("a list").len()
}

async fn post_ok(service: &Service, webhook: &Webhook, body: String) -> String {
    let (status, answer) = service.post(webhook, body).await;
    assert_eq!(status, 200, "{answer}");
    answer["status"].as_str().expect("a word").to_owned()
}

async fn release(service: &Service, token: &str, gym: &str, id: &Value) -> Value {
    let path = format!("{}/api/v1/gyms/{gym}/quarantine/{id}/release", service.root);
    let (status, body) = answer(service.client.post(path).bearer_auth(token)).await;
    assert_eq!(status, 200, "{body}");
    body["status"].clone()
}

async fn erase(service: &Service, token: &str, gym: &str, account: Uuid) {
    let path = format!("{}/api/v1/gyms/{gym}/members/{account}", service.root);
    let (status, body) = answer(service.client.delete(path).bearer_auth(token)).await;
    assert_eq!(status, 202, "{body}");
    eventually("the erasure is complete", async || {
        let records = service.get_ok(token, "/api/v1/erasures").await;
        let records = records["erasures"].as_array().expect("a list").clone();
        records.iter().all(|record| record["completed_at"].is_string())
    })
    .await;
}

fn database(folder: &TempDir) -> Connection {
    Connection::open(folder.path().join("footfall.db")).expect("it is there")
}

fn count(folder: &TempDir, sql: &str) -> i64 {
    database(folder).query_row(sql, [], |row| row.get(0)).expect("it counts")
}

/// Runs of retention that were left out so far.
async fn skipped(service: &Service) -> Option<f64> {
    metric(service, "footfall_retention_skipped_total").await
}

async fn is_left_out(service: &Service) -> bool {
    skipped(service).await.is_some_and(|runs| runs >= 1.0)
}

/// A gym that keeps events for 25 months and one that keeps them for ever, each with a visit of
/// long ago and one of just now.
struct House {
    folder: Arc<TempDir>,
    short: Webhook,
    ever: Webhook,
    token: String,
    ada: Uuid,
    /// Came to the second gym only.
    bea: Uuid,
    /// When they came last.
    last: i64,
}

impl House {
    /// Under the right clock; nothing runs afterwards.
    async fn new() -> House {
        let service = Service::start();
        let (short, ever) = (service.add_gym("short", "UTC"), service.add_gym("ever", "UTC"));
        run_json(service.data(), &["gym", "set", "short", "--retain-events", "25", "--json"]);
        let token = service.add_token("all", "admin", &[]);
        let (ada, bea, last) = (Uuid::new_v4(), Uuid::new_v4(), now() - MINUTE);
        assert_eq!(post_ok(&service, &ever, delivery(bea, last, "GYM_CHECKIN")).await, "accepted");
        for webhook in [&short, &ever] {
            for at in [now() - 600 * DAY, last] {
                assert_eq!(
                    post_ok(&service, webhook, delivery(ada, at, "GYM_CHECKIN")).await,
                    "accepted"
                );
            }
        }
        let folder = service.folder.clone();
        assert!(service.stop());
        House { folder, short, ever, token, ada, bea, last }
    }
}

/// Who was erased stays out, and gets in anew.
async fn comes_back(service: &Service, webhook: &Webhook, account: Uuid, last: i64) {
    let old = delivery(account, last, "GYM_CHECKIN");
    assert_eq!(post_ok(service, webhook, old).await, "erased", "it stays out");
    let back = delivery(account, now() + 2 * MINUTE, "GYM_CHECKIN");
    assert_eq!(post_ok(service, webhook, back).await, "accepted", "who returns gets in");
}

#[needs::tools("faketime")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_is_not_refused_by_a_clock_that_is_wrong() {
    let House { folder, .. } = House::new().await;
    let files = Authority::new().issue(folder.path(), "now", Term::Now);
    for by in ["+1096d", "-1096d"] {
        let service = start(&folder, &[&files.env()[..], &moved(by)].concat());
        assert!(service.root.starts_with("https://"), "{by}");
    }
}

#[needs::tools("faketime")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_years_ahead_once_and_then_right_again_loses_nothing() {
    let House { folder, short, ever, token, ada, bea, last } = House::new().await;
    let service = start(&folder, &moved("+1096d"));
    eventually("a run of retention is left out", async || is_left_out(&service).await).await;
    assert_eq!(metric(&service, "footfall_clock_disagrees").await, Some(1.0));
    assert_eq!(says(&service).await, "ahead");
    let log = std::fs::read_to_string(folder.path().join("service.log")).expect("a log");
    assert!(log.contains("--clock-is-right"), "it says what to do: {log}");
    assert_eq!(logged(&service, &token, "short").await, 2);
    // What only the clock makes too old waits.
    let new = delivery(Uuid::new_v4(), now(), "GYM_CHECKIN");
    let (status, refused) = service.post(&short, new.clone()).await;
    assert_eq!((status, &refused["code"]), (422, &json!("beyond_retention")), "{refused}");
    // What comes is noted by its sender's time.
    let body = delivery(Uuid::new_v4(), now(), "GYM_CHECKIN");
    assert_eq!(post_ok(&service, &ever, body).await, "accepted");
    let future = format!("SELECT count(*) FROM events WHERE received_at > {}", now() + DAY);
    assert_eq!(count(&folder, &future), 0);
    // Members are erased meanwhile, by the sender and by hand.
    let deletion = delivery(bea, now(), "MEMBERSHIP_DELETE");
    assert_eq!(post_ok(&service, &ever, deletion).await, "accepted");
    erase(&service, &token, "ever", ada).await;
    let (old, later) = (delivery(ada, last, "GYM_CHECKIN"), now() + 2 * MINUTE);
    assert_eq!(post_ok(&service, &ever, old.clone()).await, "erased");
    assert!(service.stop());

    let service = start(&folder, &[]);
    assert_eq!(says(&service).await, "right");
    assert_eq!(logged(&service, &token, "short").await, 2);
    assert_eq!(release(&service, &token, "short", &refused["quarantine_id"]).await, "appended");
    assert_eq!(post_ok(&service, &short, new).await, "duplicate");
    let fresh = delivery(Uuid::new_v4(), now(), "GYM_CHECKIN");
    assert_eq!(post_ok(&service, &short, fresh).await, "accepted");
    assert_eq!(post_ok(&service, &ever, old).await, "erased", "it stays out");
    let back = delivery(ada, later, "GYM_CHECKIN");
    assert_eq!(post_ok(&service, &ever, back).await, "accepted", "who returns gets in");
    comes_back(&service, &ever, bea, last).await;
    let gym = service.get_ok(&token, "/api/v1/gyms/short").await;
    assert_eq!(gym["retention"]["frozen_until"], Value::Null, "{gym}");
    assert_eq!(skipped(&service).await, Some(1.0), "the next run is not left out");
    assert_eq!(verify(folder.path())["ok"], true);
}

/// A browser that is signed in by a link.
async fn sign_in(service: &Service, link: &str) -> reqwest::Client {
    let client = reqwest::Client::builder().cookie_store(true).build().expect("a client");
    let request = client.post(format!("{}{link}", service.root));
    assert_eq!(request.send().await.expect("it answers").status(), 200);
    client
}

async fn is_signed_in(service: &Service, browser: &reqwest::Client) -> bool {
    let answer = browser.get(format!("{}/", service.root)).send().await.expect("it answers");
    !answer.text().await.expect("text").contains("type=\"password\"")
}

/// A link that signs somebody in.
fn link(folder: &TempDir, env: &[(&str, &str)], name: &str) -> String {
    let added = run_with(folder, env, &["user", "add", name, "--role", "viewer", "--json"]);
    let added: Value = serde_json::from_slice(&added.stdout).expect("JSON");
    added["path"].as_str().expect("a path").to_owned()
}

#[needs::tools("faketime")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_and_links_outlive_a_clock_that_is_wrong_for_a_while() {
    let House { folder, .. } = House::new().await;
    let service = start(&folder, &[]);
    let ann = sign_in(&service, &link(&folder, &[], "ann")).await;
    let of_bob = link(&folder, &[], "bob");
    assert!(service.stop());
    let service = start(&folder, &moved("+1096d"));
    assert!(is_signed_in(&service, &ann).await, "her session is of an hour ago");
    let of_eve = link(&folder, &moved("+1096d"), "eve");
    let cleo = sign_in(&service, &link(&folder, &moved("+1096d"), "cleo")).await;
    assert!(is_signed_in(&service, &cleo).await);
    assert!(service.stop());
    let service = start(&folder, &[]);
    assert!(is_signed_in(&service, &ann).await);
    assert!(!is_signed_in(&service, &cleo).await, "a session in the future is none");
    let bob = sign_in(&service, &of_bob).await;
    assert!(is_signed_in(&service, &bob).await);
    sign_in(&service, &of_eve).await;
    let sql = format!("UPDATE users SET link_until = {} WHERE name = 'dora'", now() + 300 * DAY);
    let of_dora = link(&folder, &[], "dora");
    database(&folder).execute(&sql, []).expect("it is set");
    assert!(service.stop());
    let service = start(&folder, &[]);
    let asked = service.client.get(format!("{}{of_dora}", service.root)).send().await;
    assert_eq!(asked.expect("it answers").status(), 404, "no link is good for so long");
    assert!(service.stop());
}

#[needs::tools("faketime")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_jump_while_it_runs_loses_nothing_and_is_over_when_the_clock_is_right() {
    let House { folder, short, token, .. } = House::new().await;
    let file = folder.path().join("clock");
    let set = |by: &str| std::fs::write(&file, by).expect("it is written");
    set("+0");
    let service = start(&folder, &moved_by_file(&file));
    assert_eq!(says(&service).await, "right");
    set("+1096d");
    assert_eq!(says(&service).await, "ahead");
    let refused = run_with(&folder, &moved_by_file(&file), &["retention", "--json"]);
    let error = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && error.contains("--clock-is-right"), "{error}");
    eventually("the service says so", async || {
        let log = std::fs::read_to_string(folder.path().join("service.log")).expect("a log");
        log.contains("but what was witnessed is")
    })
    .await;
    assert_eq!(logged(&service, &token, "short").await, 2);
    // By an older version, it would have told and frozen up to the future.
    let sql = "UPDATE gyms SET frozen_until = (SELECT at FROM heartbeat)";
    database(&folder).execute(sql, []).expect("it is set");
    set("+0");
    eventually("it is cut back while it runs", async || {
        count(&folder, "SELECT count(*) FROM gyms WHERE frozen_until IS NOT NULL") == 0
    })
    .await;
    assert_eq!(says(&service).await, "right");
    let fresh = delivery(Uuid::new_v4(), now(), "GYM_CHECKIN");
    assert_eq!(post_ok(&service, &short, fresh).await, "accepted");
    assert_eq!(logged(&service, &token, "short").await, 3);
}

#[needs::tools("faketime")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_clock_that_was_ahead_wrote_down_is_cut_back_for_good() {
    let House { folder, short, ever, token, ada, last, .. } = House::new().await;
    let service = start(&folder, &[]);
    erase(&service, &token, "ever", ada).await;
    assert!(service.stop());
    // As an older version left it: everything in the future, in the ledger too.
    let future = now() + 300 * DAY;
    let sql = format!(
        "UPDATE tombstones SET erased_until = {future}; UPDATE erasures SET completed_at = {future}, cut_at = {future};
         INSERT INTO import_deliveries (position, received_at) VALUES (1, {future});
         UPDATE gyms SET frozen_until = {future}; UPDATE webhooks SET last_delivery_at = {future},
             old_secret_hash = secret_hash, old_secret_until = {future};
         INSERT INTO notices (gym, subject, recipient, at, holds)
             VALUES (1, 'daily', x'00', {future}, 0);
         INSERT INTO quarantine (gym, webhook, received_at, reason, detail, body)
             VALUES (1, 1, {future}, 'not_json', '', x'7b');"
    );
    database(&folder).execute_batch(&sql).expect("it is set");
    let ledger = folder.path().join("erasures.ledger");
    let text = std::fs::read_to_string(&ledger).expect("it is there");
    let line = text.lines().last().expect("a line").to_owned();
    let [gym, hash, ..] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
    std::fs::write(&ledger, format!("{text}{gym} {hash} {future}\n")).expect("it is written");

    for _ in 0..2 {
        let service = start(&folder, &[]);
        for (table, column) in [
            ("tombstones", "erased_until"),
            ("erasures", "completed_at"),
            ("erasures", "cut_at"),
            ("import_deliveries", "received_at"),
            ("gyms", "frozen_until"),
            ("webhooks", "last_delivery_at"),
            ("webhooks", "old_secret_until - 8 * 86400000"),
            ("notices", "at"),
            ("quarantine", "received_at"),
        ] {
            let sql = format!("SELECT count(*) FROM {table} WHERE {column} > {}", now() + MINUTE);
            assert_eq!(count(&folder, &sql), 0, "{table}");
        }
        let gone = delivery(ada, last, "GYM_CHECKIN");
        assert_eq!(post_ok(&service, &ever, gone).await, "erased", "it stays out");
        let back = delivery(ada, now(), "GYM_CHECKIN");
        assert_eq!(post_ok(&service, &ever, back).await, "accepted", "who returns gets in");
        let fresh = delivery(Uuid::new_v4(), now(), "GYM_CHECKIN");
        assert_eq!(post_ok(&service, &short, fresh).await, "accepted");
        let records = service.get_ok(&token, "/api/v1/erasures").await;
        let records = records["erasures"].as_array().expect("a list").len();
        assert_eq!(records, 1, "nobody is erased a second time by the ledger");
        assert!(service.stop());
    }
}

#[needs::tools("faketime")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_is_behind_refuses_into_quarantine_and_keeps_it_there() {
    let House { folder, short, ever, token, bea, last, .. } = House::new().await;
    let mut waiting = vec![];
    for by in ["-40d", "-1096d", "@1970-01-02 00:00:00"] {
        let service = start(&folder, &moved(by));
        assert_eq!(says(&service).await, "behind", "{by}");
        let body = delivery(Uuid::new_v4(), now(), "GYM_CHECKIN");
        let (status, refused) = service.post(&short, body).await;
        assert_eq!(status, 422, "{by}: {refused}");
        waiting.push(refused["quarantine_id"].clone());
        if by == "-1096d" {
            let deletion = delivery(bea, now(), "MEMBERSHIP_DELETE");
            assert_eq!(post_ok(&service, &ever, deletion).await, "accepted");
        }
        assert!(service.stop());
    }
    let run = run_with(&folder, &moved("-1096d"), &["retention", "--json"]);
    let error = String::from_utf8_lossy(&run.stderr).into_owned();
    assert!(!run.status.success() && error.contains("the clock"), "{error}");
    let service = start(&folder, &[]);
    assert_eq!(says(&service).await, "right");
    comes_back(&service, &ever, bea, last).await;
    let done = run_json(folder.path(), &["retention", "--json"]);
    assert_eq!(done[1]["quarantined"], 0, "what is young does not go: {done}");
    for id in waiting {
        assert_eq!(release(&service, &token, "short", &id).await, "appended");
    }
    assert_eq!(logged(&service, &token, "short").await, 5);
    assert_eq!(verify(folder.path())["ok"], true);
}

#[needs::tools("faketime")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_is_further_ahead_at_each_start_lets_nothing_go() {
    let House { folder, token, .. } = House::new().await;
    run_json(folder.path(), &["gym", "set", "short", "--retain-events", "20", "--json"]);
    // In a month the older visit would be older than that.
    for start in 1..32 {
        let by = format!("+{}h", 23 * start);
        run_with(&folder, &moved(&by), &["retention", "--json"]);
    }
    let service = start(&folder, &[]);
    assert_eq!(logged(&service, &token, "short").await, 2);
}

#[needs::tools("faketime")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_to_come_back_to_a_quiet_gym_gets_in_though_the_clock_was_ahead() {
    let folder = Arc::new(TempDir::new().expect("a temporary folder"));
    let service = start(&folder, &[]);
    let (webhook, token) =
        (service.add_gym("quiet", "UTC"), service.add_token("all", "admin", &[]));
    let (ada, last) = (Uuid::new_v4(), now() - 5 * DAY);
    assert_eq!(post_ok(&service, &webhook, delivery(ada, last, "GYM_CHECKIN")).await, "accepted");
    assert!(service.stop());
    let service = start(&folder, &moved("+20h"));
    erase(&service, &token, "quiet", ada).await;
    assert!(service.stop());
    // Nobody says that the clock is right now, but she.
    let service = start(&folder, &[]);
    assert_eq!(says(&service).await, "behind");
    for (at, becomes) in [(last, "erased"), (now(), "accepted"), (last, "erased")] {
        let body = delivery(ada, at, "GYM_CHECKIN");
        assert_eq!(post_ok(&service, &webhook, body).await, becomes);
    }
    let sql = format!("SELECT count(*) FROM tombstones WHERE erased_until > {}", now() + MINUTE);
    eventually("it is cut back", async || count(&folder, &sql) == 0).await;
    let (again, later) = (delivery(ada, last, "GYM_CHECKIN"), delivery(ada, now(), "GYM_CHECKOUT"));
    assert_eq!(post_ok(&service, &webhook, again).await, "erased");
    assert_eq!(post_ok(&service, &webhook, later).await, "accepted");
    assert_eq!(verify(folder.path())["ok"], true);
}

/// What `footfall retention` says of the gym, with more words.
fn retention(folder: &Path, more: &[&str]) -> Result<Value, String> {
    let run = run(folder, &[&["retention", "--gym", "mitte", "--json"], more].concat());
    if !run.status.success() {
        return Err(String::from_utf8_lossy(&run.stderr).into_owned());
    }
    let rows: Value = serde_json::from_slice(&run.stdout).expect("JSON");
    Ok(rows[0].clone())
}

/// A gym that was served for the last time twenty days ago, with an event that is too old by now.
async fn left_alone() -> (Arc<TempDir>, Webhook, String) {
    let folder = Arc::new(TempDir::new().expect("a temporary folder"));
    let added = run_with(
        &folder,
        &moved("-20d"),
        &["gym", "add", "mitte", "--name", "mitte", "--time-zone", "UTC", "--retain-events", "3"],
    );
    assert!(added.status.success(), "{}", String::from_utf8_lossy(&added.stderr));
    let service = start(&folder, &moved("-20d"));
    let (webhook, token) = (service.add_webhook("mitte"), service.add_token("all", "admin", &[]));
    for days in [98, 60] {
        let body = delivery(Uuid::new_v4(), now() - days * DAY, "GYM_CHECKIN");
        assert_eq!(post_ok(&service, &webhook, body).await, "accepted");
    }
    assert!(service.stop());
    (folder, webhook, token)
}

#[needs::tools("faketime")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_long_pause_deliveries_confirm_the_clock_and_retention_follows_by_the_day() {
    let (folder, webhook, token) = left_alone().await;
    let refused = retention(folder.path(), &[]).expect_err("nothing confirms the clock");
    assert!(refused.contains("--clock-is-right"), "{refused}");
    let dry = retention(folder.path(), &["--dry-run"]).expect("it shows what would go");
    assert_eq!(dry["events"], 0, "{dry}");
    let service = start(&folder, &[]);
    assert_eq!(says(&service).await, "ahead");
    let body = delivery(Uuid::new_v4(), now(), "GYM_CHECKIN");
    assert_eq!(post_ok(&service, &webhook, body).await, "accepted");
    assert_eq!(says(&service).await, "right");
    assert_eq!(logged(&service, &token, "mitte").await, 3);
    let day = |row: &Value| {
        let at =
            row["horizon"].as_str().expect("a horizon").parse::<chrono::DateTime<chrono::Utc>>();
        at.expect("a time").timestamp_millis() / DAY
    };
    let (mut runs, mut gone, mut before) = (0, 0, None);
    while gone == 0 {
        let row = retention(folder.path(), &[]).expect("it runs");
        // Months end on different days, so one that is a day later can be up to four days later.
        assert!(before.is_none_or(|before| day(&row) - before <= 4), "{row}");
        before = Some(day(&row));
        gone += row["events"].as_i64().expect("a number");
        runs += 1;
        assert!(runs <= 21, "it catches up");
    }
    assert!(runs > 5, "only {runs} runs");
    assert_eq!(gone, 1);
    assert_eq!(logged(&service, &token, "mitte").await, 2);
    assert_eq!(verify(folder.path())["ok"], true);
}

#[needs::tools("faketime")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_may_say_that_the_clock_is_right() {
    let (folder, ..) = left_alone().await;
    retention(folder.path(), &[]).expect_err("nothing confirms the clock");
    let row = retention(folder.path(), &["--clock-is-right"]).expect("it runs");
    assert_eq!(row["events"], 1, "{row}");
    assert_eq!(retention(folder.path(), &[]).expect("it runs")["events"], 0);
}

#[needs::tools("faketime")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_secret_is_good_for_its_time_whatever_the_clock_says() {
    let House { folder, ever, .. } = House::new().await;
    let id = ever.path.trim_start_matches("/webhooks/");
    run_json(folder.path(), &["webhook", "rotate", id, "--json"]);
    let body = || delivery(Uuid::new_v4(), now() - DAY, "GYM_CHECKIN");
    let service = start(&folder, &moved("+1096d"));
    assert_eq!(post_ok(&service, &ever, body()).await, "accepted");
    assert!(service.stop());
    let sql = format!("UPDATE webhooks SET old_secret_until = {}", now() - MINUTE);
    database(&folder).execute(&sql, []).expect("it is set");
    let service = start(&folder, &moved("-1096d"));
    assert_eq!(service.post(&ever, body()).await.0, 401, "it does not come back");
    assert!(service.stop());
}
