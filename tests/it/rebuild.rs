//! Rebuilding and verifying: beside a running service, after a change of rules, after damage.

use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use footfall::store::GymSettings;
use futures_util::future::join_all;
use rusqlite::Connection;
use uuid::Uuid;

use crate::http::zone_by_day;
use crate::ledger::{Ledger, rules};
use crate::process::Program;
use crate::random::history;
use crate::reference::{Gym, Rules};
use crate::service::{BINARY, Service, Webhook, delivery, now, run, run_json, verify};

const MINUTE: i64 = 60_000;

/// Posts check-ins and check-outs of `members` members, and returns how many deliveries.
async fn post_visits(service: &Service, webhook: &Webhook, members: usize) -> usize {
    let member = |place: usize| async move {
        let account = Uuid::new_v4();
        let entered = now() - (100 + i64::try_from(place % 9_000).expect("small")) * MINUTE;
        for (at, kind) in [(entered, "GYM_CHECKIN"), (entered + 50 * MINUTE, "GYM_CHECKOUT")] {
            let (status, answer) = service.post(webhook, delivery(account, at, kind)).await;
            assert_eq!(status, 200, "{answer}");
        }
    };
    for chunk in (0..members).collect::<Vec<_>>().chunks(50) {
        join_all(chunk.iter().map(|place| member(*place))).await;
    }
    members * 2
}

#[test]
fn a_gym_rebuilt_by_other_settings_is_as_if_it_had_always_had_them() {
    let mut ledger = Ledger::new();
    for seed in 0..150 {
        let old = Gym {
            slug: String::new(),
            zone: chrono_tz::Europe::Berlin,
            capacity: None,
            rules: Rules::default(),
        };
        let strict = Rules { visit_window: 90, assumed_stay: 30, assumed_tail: 5, rejoin_grace: 2 };
        let new = Gym { zone: chrono_tz::Australia::Lord_Howe, rules: strict, ..old.clone() };
        let events = history(seed, 4);
        let (changed, fresh) = (ledger.add_gym(&old), ledger.add_gym(&new));
        ledger.append(&changed, &events);
        ledger.append(&fresh, &events);
        let settings = GymSettings {
            zone: new.zone,
            rules: rules(&new.rules),
            ..ledger.gym(&changed).settings
        };
        ledger.rebuild(&changed, Some(&settings));
        assert_eq!(ledger.gym(&changed).settings, settings);
        assert_eq!(ledger.tallies(&changed), ledger.tallies(&fresh), "seed {seed}");
    }
    ledger.verify();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_goes_on_receiving_and_reading_while_it_is_rebuilt() {
    let service = Service::start();
    let webhook = service.add_gym("mitte", "Europe/Berlin");
    let token = service.add_token("all", "viewer", &[]);
    let mut posted = post_visits(&service, &webhook, 3_000).await;
    let before = service.get_ok(&token, "/api/v1/gyms/mitte/reports/visits").await;
    assert_eq!(before["totals"]["ended_by"]["checkout"], 3_000);
    let done = AtomicBool::new(false);
    let folder = service.data().to_owned();
    let rebuild = async {
        let args = ["gym", "set", "mitte", "--assumed-stay", "60", "--time-zone", "UTC", "--json"];
        let set = tokio::task::spawn_blocking(move || run_json(&folder, &args)).await;
        done.store(true, Ordering::Relaxed);
        set.expect("it is no panic")
    };
    let read = async {
        while !done.load(Ordering::Relaxed) {
            let report = service.get_ok(&token, "/api/v1/gyms/mitte/reports/visits").await;
            let visits = report["totals"]["visits"].as_u64().expect("a number");
            assert!(visits >= 3_000, "never less than there was: {visits}");
        }
    };
    let (set, (), more) = tokio::join!(rebuild, read, post_visits(&service, &webhook, 300));
    posted += more;
    assert_eq!(set["assumed_stay"], 60);
    assert_eq!(service.get_ok(&token, "/api/v1/gyms/mitte").await["time_zone"], "UTC");
    let verified = verify(service.data());
    assert_eq!((&verified["ok"], verified["events"].as_u64()), (&true.into(), Some(posted as u64)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rebuild_that_was_killed_leaves_what_was_read_and_the_next_one_clears_up() {
    let service = Service::start();
    let webhook = service.add_gym("mitte", "Europe/Berlin");
    post_visits(&service, &webhook, 2_000).await;
    let generations = || {
        let database = Connection::open(service.data().join("footfall.db")).expect("it opens");
        let sql = "SELECT count(*) FROM generations";
        database.query_row(sql, [], |row| row.get::<_, i64>(0)).expect("the schema is known")
    };
    let mut rebuild = Command::new(BINARY);
    rebuild.arg("rebuild").env("FOOTFALL_DATA", service.data()).stdout(Stdio::null());
    let mut rebuild = Program::start(&mut rebuild);
    while generations() < 2 {
        assert!(rebuild.is_running(), "it was too fast to be killed");
    }
    rebuild.kill();
    assert_eq!(verify(service.data())["ok"], true);
    run_json(service.data(), &["rebuild", "--json"]);
    assert_eq!(generations(), 1);
    assert_eq!(verify(service.data())["ok"], true);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn verify_names_the_tally_that_is_off_and_rebuild_mends_it() {
    let service = Service::start();
    let webhook = service.add_gym("mitte", "Europe/Berlin");
    post_visits(&service, &webhook, 20).await;
    let tamper = |sql: &str| {
        let database = Connection::open(service.data().join("footfall.db")).expect("it opens");
        assert!(database.execute(sql, []).expect("the schema is known") > 0, "{sql}");
    };
    // Each family that visits without equipment have, in turn: its first row becomes one cell of
    // another value.
    for family in [1, 2, 3, 5, 6, 7] {
        tamper(&format!(
            "UPDATE tallies SET cells = x'0510'
             WHERE slot = (SELECT min(slot) FROM tallies WHERE (slot >> 20) & 255 = {family})"
        ));
        let found = run(service.data(), &["verify", "--json"]);
        assert_eq!(found.status.code(), Some(1), "family {family}");
        let found: serde_json::Value = serde_json::from_slice(&found.stdout).expect("JSON");
        assert_eq!(found["ok"], false);
        let first = found["differences"][0].as_str().expect("a text");
        assert!(first.starts_with("mitte: ") && first.contains("the tally is"), "{first}");
        run_json(service.data(), &["rebuild", "--json"]);
        assert_eq!(verify(service.data())["ok"], true, "family {family}");
    }
    tamper("DELETE FROM receipts WHERE start = (SELECT min(start) FROM receipts)");
    assert_eq!(verify(service.data())["ok"], false);
    tamper("UPDATE receipts SET fold = x'00'");
    assert_eq!(verify(service.data())["ok"], false);
    run_json(service.data(), &["rebuild", "--gym", "mitte", "--json"]);
    tamper("DELETE FROM events WHERE position = 1");
    assert_eq!(verify(service.data())["ok"], false);
    run_json(service.data(), &["rebuild", "--json"]);
    assert_eq!(verify(service.data())["ok"], true);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_if_shows_what_would_change_and_changes_nothing() {
    let service = Service::start();
    // A visit that goes on over midnight adds to another day.
    let webhook = service.add_gym("mitte", zone_by_day().name());
    let token = service.add_token("all", "viewer", &[]);
    let yesterday = now() - 24 * 60 * MINUTE;
    let body = delivery(Uuid::new_v4(), yesterday, "GYM_CHECKIN");
    assert_eq!(service.post(&webhook, body).await.0, 200);
    let gym = service.get_ok(&token, "/api/v1/gyms/mitte").await;
    let args = ["gym", "set", "mitte", "--assumed-stay", "20", "--what-if", "--json"];
    let shown = run_json(service.data(), &args);
    let average = |side: &str| shown[side]["average"].as_f64().expect("a number");
    assert_eq!((&shown["before"]["visits"], &shown["after"]["visits"]), (&1.into(), &1.into()));
    assert!((average("before") / average("after") - 75.0 / 20.0).abs() < 0.2, "{shown}");
    assert_eq!(service.get_ok(&token, "/api/v1/gyms/mitte").await, gym);
    assert_eq!(verify(service.data())["ok"], true);
}
