//! Laws that hold for every history: thousands of random ones, against a slow reference that
//! shares no line with the crate.

mod activity;
mod imported;
mod kept;
mod parts;
mod past;
mod stays;

use std::collections::BTreeSet;

use chrono::{DateTime, SecondsFormat, TimeZone, Utc};
use chrono_tz::Tz;
use footfall::domain::ids::Slug;
use footfall::domain::report::outlook::NextHour;
use footfall::domain::tally::{Count, Family};
use footfall::http::reports::Parameters;
use footfall::projection::read;
use footfall::store::Sums;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

use crate::ledger::Ledger;
use crate::random::{closed_days, history, shuffled, with_deletions, with_duplicates};
use crate::reference::{self, Closure, GroupBy, History, Interval, Question};
use parts::assert_parts_add_up;
use past::Moment;

/// Random histories to a law, unless the environment's `LAWS_HISTORIES` says how many.
const HISTORIES: u64 = 2_000;
const MINUTE: i64 = 60_000;
const QUARTER: i64 = 15 * MINUTE;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

pub const ZONES: [Tz; 6] = [
    chrono_tz::Europe::Berlin,
    chrono_tz::America::New_York,
    chrono_tz::Australia::Lord_Howe,
    chrono_tz::Asia::Kathmandu,
    chrono_tz::America::Santiago,
    chrono_tz::UTC,
];

pub const REPORTS: [&str; 10] = [
    "occupancy",
    "visits",
    "members",
    "activity",
    "durations",
    "equipment",
    "popular-times",
    "retention",
    "onboarding",
    "quality",
];

fn histories() -> u64 {
    std::env::var("LAWS_HISTORIES").map_or(HISTORIES, |asked| asked.parse().expect("a number"))
}

/// A random history at a random gym.
struct Case {
    gym: reference::Gym,
    events: Vec<reference::Event>,
    closed: Vec<Closure>,
    rng: ChaCha8Rng,
}

impl Case {
    fn of(seed: u64) -> Case {
        let mut rng = ChaCha8Rng::seed_from_u64(seed ^ 0x5eed);
        let zone = *ZONES.choose(&mut rng).expect("some");
        let rules = reference::Rules::default();
        let gym = reference::Gym { slug: String::new(), zone, capacity: Some(20), rules };
        let members = rng.random_range(1..6);
        let events = history(seed, members);
        let closed = closed_days(&mut rng, zone, &events);
        Case { gym, events, closed, rng }
    }

    fn add_to(&self, ledger: &mut Ledger) -> Slug {
        let slug = ledger.add_gym(&self.gym);
        ledger.close(&slug, &self.closed);
        slug
    }

    fn span(&self) -> (i64, i64) {
        let times = self.events.iter().map(|event| event.at);
        (times.clone().min().expect("some events"), times.max().expect("some events"))
    }

    /// A question about a part of the history, in the words of both sides.
    fn question(&mut self) -> (Question, Parameters) {
        let (first, last) = self.span();
        let rng = &mut self.rng;
        let from = rng.random_range(first - 3 * DAY..last);
        let until = (from + rng.random_range(HOUR..40 * DAY)).min(last + 10 * DAY).max(from + HOUR);
        let now = match rng.random_range(0..3) {
            0 => rng.random_range(from..until),
            _ => until + rng.random_range(0..20 * DAY),
        };
        let all = [Interval::M15, Interval::H1, Interval::D1, Interval::W1, Interval::Mo1];
        let interval = *all.choose(rng).expect("some");
        let group_by = *[GroupBy::None, GroupBy::Weekday, GroupBy::Hour].choose(rng).expect("some");
        let window = *[7, 28, 91].choose(rng).expect("some");
        let question = Question { from, until, interval, group_by, window, now };
        let group_by = match group_by {
            GroupBy::None => "none",
            GroupBy::Weekday => "weekday",
            GroupBy::Hour => "hour",
        };
        let parameters = Parameters {
            from: Some(rfc3339(from)),
            until: Some(rfc3339(until)),
            interval: Some(interval.name().into()),
            group_by: Some(group_by.into()),
            window: Some(window.to_string()),
            ..Parameters::default()
        };
        (question, parameters)
    }
}

fn rfc3339(at: i64) -> String {
    DateTime::<Utc>::from_timestamp_millis(at).expect("a time").to_rfc3339()
}

/// What was counted at the door stays in the frozen sums; it is no part of any timeline.
fn without_duplicates(mut sums: Sums) -> Sums {
    for ((family, _), cells) in &mut sums {
        if *family == Family::Counts {
            let kept = cells.iter().filter(|cell| cell.0 % 64 != Count::Duplicates as u32);
            *cells = footfall::domain::tally::Cells::from_sorted(kept.collect());
        }
    }
    sums.retain(|_, cells| !cells.is_empty());
    sums
}

#[test]
fn arrival_order_duplicates_and_rebuilds_change_nothing() {
    let mut ledger = Ledger::new();
    for seed in 0..histories() {
        let case = Case::of(seed);
        let mut in_order = case.events.clone();
        in_order.sort_by_key(|event| event.at);
        let (plain, stirred) = (ledger.add_gym(&case.gym), ledger.add_gym(&case.gym));
        ledger.append(&plain, &in_order);
        let mut disorder = shuffled(seed, &case.events);
        disorder.extend(shuffled(seed + 1, &case.events));
        ledger.append(&stirred, &disorder);
        let (expected, found) = (ledger.tallies(&plain), ledger.tallies(&stirred));
        assert_eq!(without_duplicates(found.clone()), expected, "seed {seed}");
        if seed % 10 == 0 {
            ledger.rebuild(&stirred, None);
            assert_eq!(ledger.tallies(&stirred), found, "seed {seed}, rebuilt");
        }
    }
    ledger.verify();
}

/// Reports that have no finer buckets than days.
pub fn is_by_day(name: &str) -> bool {
    ["members", "activity"].contains(&name)
}

fn same(ledger: &Ledger, slug: &Slug, history: &History, name: &str, case: &mut Case, seed: u64) {
    let (mut question, mut parameters) = case.question();
    if is_by_day(name) && matches!(question.interval, Interval::M15 | Interval::H1) {
        question.interval = Interval::D1;
        parameters.interval = Some("1d".into());
    }
    let found = ledger.report(slug, name, &parameters, question.now);
    let mut expected = history.report(name, &question);
    expected["gym"] = found["gym"].clone();
    expected["interval"] = found["interval"].clone();
    assert_same(
        &found,
        &expected,
        &format!("seed {seed}, {name}, {parameters:?}, now {}", question.now),
    );
}

/// Points at the first difference, since whole reports are long.
pub fn assert_same(found: &Value, expected: &Value, about: &str) {
    if found == expected {
        return;
    }
    match (found, expected) {
        (Value::Object(a), Value::Object(b)) => {
            let (a_keys, b_keys): (BTreeSet<_>, BTreeSet<_>) =
                (a.keys().collect(), b.keys().collect());
            assert_eq!(a_keys, b_keys, "{about}");
            a.iter().for_each(|(key, a)| assert_same(a, &b[key], &format!("{about} {key}")));
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (place, (a, b)) in a.iter().zip(b).enumerate() {
                assert_same(a, b, &format!("{about} [{place}]"));
            }
        }
        _ => assert_eq!(found, expected, "{about}"),
    }
}

#[test]
fn every_report_is_what_the_slow_reference_says() {
    let mut ledger = Ledger::new();
    for seed in 0..histories() {
        let mut case = Case::of(seed);
        let mut deliveries = shuffled(seed, &with_duplicates(seed, &case.events));
        if seed % 3 == 0 {
            deliveries = with_deletions(seed, &deliveries);
        }
        let slug = case.add_to(&mut ledger);
        ledger.append(&slug, &deliveries);
        let history = History::new(case.gym.clone(), &deliveries).closed(&case.closed);
        for name in REPORTS {
            same(&ledger, &slug, &history, name, &mut case, seed);
        }
        for _ in 0..4 {
            same_now(&ledger, &slug, &history, &mut case, seed);
        }
    }
    ledger.verify();
}

/// Who is there at some moment, often on the edge of a visit.
fn same_now(ledger: &Ledger, slug: &Slug, history: &History, case: &mut Case, seed: u64) {
    let (first, last) = case.span();
    let rng = &mut case.rng;
    let visit = history.visits().choose(rng);
    let now = match visit {
        Some(visit) if rng.random_bool(0.8) => {
            *[visit.entered, visit.left].choose(rng).expect("two") + rng.random_range(-1..=1)
        }
        _ => rng.random_range(first - DAY..last + 20 * DAY),
    };
    let gym = ledger.gym(slug);
    let found = ledger.database.read(|snapshot| read::occupancy_now(snapshot, &gym, now));
    let found = found.expect("it can be read");
    let zone = case.gym.zone;
    let minute = |at| zone.timestamp_millis_opt(at).single().expect("a time");
    let minute = |at| minute(at).to_rfc3339_opts(SecondsFormat::Secs, false);
    let mut expected = history.occupancy_now(now);
    let about = format!("seed {seed}, now {now}");
    assert_next_hours(&found.next_hours, &expected["next_hours"], minute, &about);
    let found = json!({
        "gym": expected["gym"].take(),
        "at": expected["at"].take(),
        "present": found.present,
        "observed": found.observed,
        "capacity": gym.settings.capacity,
        "utilisation": f64::from(found.present) / 20.0,
        "usual": found.usual.map(|usual| json!({ "average": usual.average, "peak": usual.peak })),
        "today_peak": found.today_peak.map(|p| json!({ "at": minute(p.at), "present": p.present })),
        "next_hours": expected["next_hours"].take(),
        "closed": found.is_closed,
    });
    expected["gym"] = found["gym"].clone();
    expected["at"] = found["at"].clone();
    expected["next_hours"] = found["next_hours"].clone();
    assert_same(&found, &expected, &about);
}

/// Means of means, which differ in the last bits by the order in which they are added up.
fn assert_next_hours(
    found: &[NextHour],
    expected: &Value,
    name: impl Fn(i64) -> String,
    about: &str,
) {
    let expected = expected.as_array().expect("a list");
    assert_eq!((found.len(), expected.len()), (6, 6), "{about}");
    for (found, expected) in found.iter().zip(expected) {
        assert_eq!(name(found.start), expected["start"], "{about}");
        for (field, found) in
            [("usual", found.usual), ("expected", found.expected), ("error", found.error)]
        {
            let same = match (found, expected[field].as_f64()) {
                (Some(found), Some(expected)) => (found - expected).abs() < 1e-9,
                (found, expected) => found == expected,
            };
            assert!(same, "{about}, {field}: {found:?}, and not {expected}");
        }
    }
}

/// A report's parameters for a range in UTC milliseconds.
fn over(range: (i64, i64), interval: &str) -> Parameters {
    Parameters {
        from: Some(rfc3339(range.0)),
        until: Some(rfc3339(range.1)),
        interval: Some(interval.into()),
        group_by: Some("weekday".into()),
        ..Parameters::default()
    }
}

/// The figures of `totals` that are sums. So are averages of occupancy, each times its samples.
pub const SUMS: [(&str, &[&str]); 5] = [
    ("visits", &["visits", "arrivals", "departures", "entered_by", "ended_by"]),
    ("durations", &["visits", "observed"]),
    ("equipment", &["checkins", "visits", "visits_with_equipment", "checkins_per_visit"]),
    ("onboarding", &["completed"]),
    (
        "quality",
        &[
            "duplicates",
            "repeat_swipes",
            "orphan_checkouts",
            "doors_missed",
            "without_checkout",
            "quarantined",
            "erased",
            "unknown_types",
            "late_events",
            "late_by",
            "visits",
            "observed",
        ],
    ),
];

#[test]
fn parts_add_up_and_what_is_complete_stays_whatever_comes_later() {
    let mut ledger = Ledger::new();
    let mut complete: u64 = 0;
    for seed in 0..histories() {
        let mut case = Case::of(seed);
        let mut deliveries = with_duplicates(seed, &case.events);
        if seed % 3 == 0 {
            deliveries = with_deletions(seed, &case.events);
        }
        let moment = Moment::of(&mut case);
        let (past, later): (Vec<_>, Vec<_>) =
            deliveries.into_iter().partition(|event| event.at <= moment.at);
        let slug = case.add_to(&mut ledger);
        ledger.append(&slug, &past);
        let before = moment.said(&ledger, &slug);
        ledger.append(&slug, &later);
        let mut after = moment.said(&ledger, &slug);
        after.retain(|name, _| before.contains_key(name));
        assert_same(&json!(after), &json!(before), &format!("seed {seed}, at {}", moment.at));
        complete += before.len() as u64;
        assert_parts_add_up(&ledger, &slug, &mut case, seed);
    }
    assert!(complete > 100 * histories(), "only {complete} buckets were compared");
    ledger.verify();
}
