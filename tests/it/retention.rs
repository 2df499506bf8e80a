//! Retention: what is too old leaves the log, and no number changes by it, then or later.

use std::sync::Arc;

use footfall::domain::ids::Slug;
use footfall::projection::retention;
use footfall::store::GymSettings;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use tempfile::TempDir;
use uuid::Uuid;

use crate::erasure::traces;
use crate::laws::{REPORTS, ZONES};
use crate::ledger::Ledger;
use crate::patience::Patience;
use crate::random::{history, shuffled};
use crate::reference::{Event, Gym, Rules};
use crate::service::{Service, Webhook, delivery, now, run, run_json, verify};

const MINUTE: i64 = 60_000;
const DAY: i64 = 24 * 60 * MINUTE;
const MONTHS: u32 = 3;

impl Ledger {
    fn freeze(&mut self, slug: &Slug, now: i64) {
        let gym = self.gym(slug).id;
        while !self.transact(|tx| retention::freeze_some(tx, gym, now)).is_empty() {}
    }
}

/// The same history at two gyms, one of which keeps its events for a short time.
struct Pair {
    ledger: Ledger,
    whole: Slug,
    short: Slug,
}

impl Pair {
    fn of(mut ledger: Ledger, dice: &mut ChaCha8Rng) -> Pair {
        let zone = *ZONES.choose(dice).expect("some");
        let like = Gym { slug: String::new(), zone, capacity: None, rules: Rules::default() };
        let (whole, short) = (ledger.add_gym(&like), ledger.add_gym(&like));
        let gym = ledger.gym(&short);
        let settings = GymSettings { retain_months: Some(MONTHS), ..gym.settings };
        ledger.transact(|tx| tx.set_gym(gym.id, &settings, gym.generation));
        Pair { ledger, whole, short }
    }

    /// Appends to both what the one that forgets still accepts.
    fn append(&mut self, events: &[Event]) {
        let from = self.ledger.gym(&self.short).frozen_until;
        let accepted = events.iter().filter(|event| from.is_none_or(|from| event.at >= from));
        let accepted: Vec<_> = accepted.cloned().collect();
        self.ledger.append(&self.whole, &accepted);
        self.ledger.append(&self.short, events);
    }

    fn assert_same(&self, about: &str) {
        let (whole, short) = (self.ledger.tallies(&self.whole), self.ledger.tallies(&self.short));
        assert_eq!(short, whole, "{about}");
    }
}

#[test]
fn freezing_changes_no_number_whatever_comes_after() {
    let mut ledger = Ledger::new();
    let mut frozen = 0;
    for seed in 0..400 {
        let dice = &mut ChaCha8Rng::seed_from_u64(seed);
        let mut pair = Pair::of(ledger, dice);
        let events = shuffled(seed, &history(seed, 4));
        let mut cuts: Vec<i64> = (0..3).map(|_| events.choose(dice).expect("some").at).collect();
        cuts.sort_unstable();
        for (part, cut) in events.chunks(events.len().div_ceil(3)).zip(cuts) {
            pair.append(part);
            pair.assert_same(&format!("seed {seed}, before the cut"));
            let months = i64::from(MONTHS) * 31 * DAY;
            pair.ledger.freeze(&pair.short, cut + months + dice.random_range(0..3 * DAY));
            pair.assert_same(&format!("seed {seed}, after the cut"));
            if seed % 5 == 0 {
                pair.ledger.rebuild(&pair.short, None);
                pair.assert_same(&format!("seed {seed}, rebuilt"));
            }
        }
        frozen += usize::from(pair.ledger.gym(&pair.short).frozen_until.is_some());
        let last = events.iter().map(|event| event.at).max().expect("some");
        let account = events.choose(dice).expect("some").account;
        for slug in [pair.whole.clone(), pair.short.clone()] {
            pair.ledger.erase(&slug, account, last + DAY);
        }
        pair.assert_same(&format!("seed {seed}, erased"));
        ledger = pair.ledger;
    }
    assert!(frozen > 300, "only {frozen} histories were cut");
    ledger.verify();
}

#[test]
fn other_rules_or_another_zone_recount_what_is_not_frozen() {
    let mut ledger = Ledger::new();
    for seed in 0..60 {
        let dice = &mut ChaCha8Rng::seed_from_u64(seed);
        let mut pair = Pair::of(ledger, dice);
        let events = history(seed, 4);
        pair.append(&events);
        let cut = events.choose(dice).expect("some").at;
        pair.ledger.freeze(&pair.short, cut + i64::from(MONTHS) * 31 * DAY);
        let settings = pair.ledger.gym(&pair.short).settings;
        let rules = footfall::domain::rules::Rules::new(600, 45, 30, 5).expect("good rules");
        let zone = *ZONES.choose(dice).expect("some");
        let settings = GymSettings { rules, zone, ..settings };
        pair.ledger.rebuild(&pair.short, Some(&settings));
        pair.ledger.freeze(&pair.short, cut + 200 * DAY);
        ledger = pair.ledger;
    }
    ledger.verify();
}

/// Posts a visit that long ago, with a field that we do not know.
async fn visit(service: &Service, webhook: &Webhook, account: Uuid, days: i64, card: Uuid) {
    let entered = now() - days * DAY;
    for (after, kind) in [(0, "GYM_CHECKIN"), (9, "EQUIPMENT_CHECKIN"), (55, "GYM_CHECKOUT")] {
        let at = entered + after * MINUTE;
        let body = json!({ "accountId": account, "timestamp": at, "type": kind, "card": card });
        let (status, answer) = service.post(webhook, body.to_string()).await;
        assert_eq!(status, 200, "{answer}");
    }
}

async fn reports(service: &Service, token: &str) -> Vec<Value> {
    let mut all = Vec::new();
    let day = |days: i64| {
        let day = footfall::domain::calendar::day_of(chrono_tz::UTC, now() - days * DAY);
        day.date().to_string()
    };
    let (from, until) = (day(1_000), day(0));
    for name in REPORTS {
        let path = format!("/api/v1/gyms/mitte/reports/{name}?from={from}&until={until}");
        all.push(service.get_ok(token, &format!("{path}&interval=1d")).await);
    }
    all
}

async fn logged(service: &Service, token: &str) -> usize {
    let log = service.get_ok(token, "/api/v1/gyms/mitte/events").await;
    log["events"].as_array().expect("a list").len()
}

/// A gym with a member who came long ago and lately, one who came only long ago, and what their
/// old events held.
async fn house() -> (Service, Webhook, String, [Uuid; 2], Uuid) {
    let service = Service::start();
    let webhook = service.add_gym("mitte", "UTC");
    let token = service.add_token("all", "admin", &[]);
    let (members, card) = ([Uuid::new_v4(), Uuid::new_v4()], Uuid::new_v4());
    for days in [900, 880, 790] {
        visit(&service, &webhook, members[0], days, card).await;
        visit(&service, &webhook, members[1], days + 1, card).await;
    }
    visit(&service, &webhook, members[0], 30, Uuid::new_v4()).await;
    (service, webhook, token, members, card)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn old_events_leave_the_log_and_reports_stay() {
    let (service, webhook, token, [ada, bob], card) = house().await;
    let before = reports(&service, &token).await;
    let dry = || run_json(service.data(), &["retention", "--dry-run", "--json"]);
    assert_eq!((&dry()[0]["events"], &dry()[0]["horizon"]), (&json!(0), &Value::Null));
    run_json(service.data(), &["gym", "set", "mitte", "--retain-events", "25", "--json"]);
    let would = dry();
    assert_eq!((&would[0]["events"], &would[0]["members"]), (&json!(18), &json!(2)), "{would}");
    assert_eq!(logged(&service, &token).await, 21, "a dry run changes nothing");
    let done = run_json(service.data(), &["retention", "--gym", "mitte", "--json"]);
    assert_eq!(done, would, "the run does what the dry run said");
    assert_eq!(dry()[0]["events"], 0);
    assert_eq!(logged(&service, &token).await, 3);
    assert_eq!(reports(&service, &token).await, before, "byte for byte");
    assert_eq!(traces(service.data(), card), Vec::<String>::new(), "gone from every file");
    assert_eq!(verify(service.data())["ok"], true);

    let gym = service.get_ok(&token, "/api/v1/gyms/mitte").await;
    assert_eq!(gym["retention"]["retain_events_months"], 25);
    let time = |field: &str| {
        let time = gym["retention"][field].as_str().expect("a time");
        chrono::DateTime::parse_from_rfc3339(time).expect("a time")
    };
    let window = chrono::TimeDelta::minutes(480);
    assert_eq!(time("frozen_until"), time("accepted_from") - window, "a visit may go on till then");
    let member = service.get_ok(&token, &format!("/api/v1/gyms/mitte/members/{bob}")).await;
    assert_eq!(member["events"], json!([]));
    assert!(member["frozen"]["last_visit"].is_string(), "{member}");
    let absent = "/api/v1/gyms/mitte/members/absent?days=700&lost_after=1000";
    let absent = service.get_ok(&token, absent).await;
    assert_eq!(absent["members"].as_array().map(Vec::len), Some(1), "{absent}");
    assert_eq!(absent["members"][0]["account"], json!(bob));
    assert_eq!(absent["members"][0]["visits_before"], Value::Null);

    let (status, refused) =
        service.post(&webhook, delivery(ada, now() - 800 * DAY, "GYM_CHECKIN")).await;
    assert_eq!((status, &refused["code"]), (422, &json!("beyond_retention")), "{refused}");
    assert!(refused["quarantine_id"].is_number(), "{refused}");
    run_json(service.data(), &["rebuild", "--json"]);
    assert_eq!(
        reports(&service, &token).await[..8],
        before[..8],
        "all but what counts the quarantine"
    );
    for account in [ada, bob] {
        run_json(service.data(), &["erase", &account.to_string(), "--gym", "mitte", "--json"]);
        assert_eq!(traces(service.data(), account), Vec::<String>::new());
    }
    assert_eq!(verify(service.data())["ok"], true);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_forgets_by_itself() {
    let (service, _, token, ..) = house().await;
    let before = reports(&service, &token).await;
    run_json(service.data(), &["gym", "set", "mitte", "--retain-events", "25", "--json"]);
    let folder: Arc<TempDir> = service.folder.clone();
    assert!(service.stop());
    let service = Service::start_on(folder);
    let patience = Patience::until("old events left the log");
    while logged(&service, &token).await > 3 {
        patience.again().await;
    }
    assert_eq!(reports(&service, &token).await, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_time_zone_needs_a_word_when_days_are_frozen() {
    let (service, ..) = house().await;
    let set = ["gym", "set", "mitte", "--time-zone", "Europe/Berlin", "--json"];
    let on = |more: &[&str]| run(service.data(), &[&set[..], more].concat());
    run_json(service.data(), &["gym", "set", "mitte", "--retain-events", "25", "--json"]);
    run_json(service.data(), &["retention", "--json"]);
    let refused = on(&[]);
    assert!(!refused.status.success());
    let error = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(error.contains("--frozen-days-keep-zone"), "{error}");
    let changed = on(&["--frozen-days-keep-zone"]);
    assert!(changed.status.success());
    let changed: Value = serde_json::from_slice(&changed.stdout).expect("JSON");
    assert!(changed["recounted_from"].is_string(), "{changed}");
    assert_eq!(verify(service.data())["ok"], true);
}

#[test]
fn a_time_to_keep_that_makes_no_sense_is_refused() {
    let folder = TempDir::new().expect("a temporary folder");
    for months in ["2", "241", "2.5", "never"] {
        let args = ["gym", "add", "a", "--name", "a", "--time-zone", "UTC", "--retain-events"];
        let refused = run(folder.path(), &[&args[..], &[months]].concat());
        let error = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(!refused.status.success() && error.contains("3 to 240 months"), "{error}");
    }
}
