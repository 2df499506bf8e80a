//! Reports over HTTP, in what all of them have in common: as CSV, with a tag, compared with an
//! earlier range, and over several gyms. What their numbers are is for the laws.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use chrono::{DateTime, Datelike, Days, FixedOffset, NaiveDate, NaiveDateTime};
use chrono_tz::Tz;
use footfall::app::simulate::traffic::{Plan, deliveries};
use footfall::domain::calendar::{Day, day_start};
use footfall::domain::ids::Slug;
use footfall::http::reports::Parameters;
use futures_util::future::join_all;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::laws::{REPORTS, assert_same};
use crate::ledger::Ledger;
use crate::reference;
use crate::service::{Service, Webhook, delivery, now, run_json};

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// Clocks change on 2025-10-26 in Berlin, on 2025-11-02 in New York and on 2025-10-05 on Lord
/// Howe, where they change by half an hour.
const GYMS: [(&str, Tz); 3] = [
    ("berlin", chrono_tz::Europe::Berlin),
    ("lord-howe", chrono_tz::Australia::Lord_Howe),
    ("new-york", chrono_tz::America::New_York),
];

/// Local dates between which the gyms have traffic.
const TRAFFIC: [(&str, &str); 2] = [("2024-10-14", "2024-11-11"), ("2025-09-22", "2025-11-17")];

fn date(text: &str) -> NaiveDate {
    text.parse().expect("a date")
}

fn start_of(zone: Tz, text: &str) -> i64 {
    day_start(zone, Day::from_date(date(text)))
}

/// Three gyms with weeks of traffic, and a token that may see them.
struct House {
    service: Service,
    token: String,
}

impl House {
    async fn open() -> House {
        let service = Service::start();
        let token = service.add_token("all", "viewer", &[]);
        let (mut webhooks, mut posts) = (Vec::new(), Vec::new());
        for (seed, (slug, zone)) in (1..).zip(GYMS) {
            webhooks.push(service.add_gym(slug, zone.name()));
            for (from, until) in TRAFFIC {
                let (from, until) = (start_of(zone, from), start_of(zone, until));
                let plan = Plan { seed, zone, members: 25, from, until, leavers_deleted: false };
                let bodies = deliveries(&plan).into_iter().map(|one| one.body());
                posts.extend(bodies.map(|body| (webhooks.len() - 1, body)));
            }
        }
        let next = AtomicUsize::new(0);
        let sender = || async {
            while let Some((gym, body)) = posts.get(next.fetch_add(1, Ordering::Relaxed)) {
                let (status, answer) = service.post(&webhooks[*gym], body.clone()).await;
                assert_eq!(status, 200, "{answer}");
            }
        };
        join_all((0..32).map(|_| sender())).await;
        House { service, token }
    }

    async fn ask(&self, path: &str) -> Value {
        self.service.get_ok(&self.token, &format!("/api/v1/{path}")).await
    }

    async fn refused(&self, path: &str) -> (u16, String) {
        let (status, problem) = self.service.get(&self.token, &format!("/api/v1/{path}")).await;
        assert!(problem["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{problem}");
        (status, problem["code"].as_str().expect("a code").to_owned())
    }
}

/// An answer with what HTTP says around it.
struct Reply {
    status: u16,
    kind: String,
    tag: String,
    text: String,
}

/// Asks with further headers.
async fn fetch(service: &Service, token: &str, path: &str, headers: &[(&str, &str)]) -> Reply {
    let mut request = service.client.get(format!("{}/api/v1/{path}", service.root));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = request.bearer_auth(token).send().await.expect("the service answers");
    let header = |name: &str| {
        let value = response.headers().get(name).map(|value| value.to_str().expect("it is text"));
        value.unwrap_or_default().to_owned()
    };
    let (kind, tag) = (header("content-type"), header("etag"));
    let status = response.status().as_u16();
    Reply { status, kind, tag, text: response.text().await.expect("the answer comes whole") }
}

/// A range, with an interval or grouping, that suits the report.
fn suited(name: &str) -> &'static str {
    match name {
        "durations" => "from=2025-10-20&until=2025-11-03&group_by=weekday",
        "members" => "from=2025-10-20&until=2025-11-03&interval=1w",
        "retention" => "from=2024-10-01&until=2025-12-01",
        "occupancy" => "from=2025-10-25&until=2025-10-27&interval=1h",
        _ => "from=2025-10-20&until=2025-11-03&interval=1d",
    }
}

/// The list of a report.
fn list_of(report: &Value) -> &Vec<Value> {
    let lists = ["buckets", "groups", "cells", "cohorts"];
    let list = lists.iter().find_map(|name| report.get(name)).expect("every report has one");
    list.as_array().expect("it is a list")
}

/// The cells that a row becomes, by name; those without a value are empty.
fn cells(name: &str, value: &Value, into: &mut BTreeMap<String, String>) {
    let part =
        |part: &str| if name.is_empty() { part.to_owned() } else { format!("{name}_{part}") };
    match value {
        Value::Object(fields) => fields.iter().for_each(|(key, one)| cells(&part(key), one, into)),
        Value::Array(items) => {
            for (place, item) in items.iter().enumerate() {
                match item.get("from_minutes") {
                    Some(from) => cells(&part(&from.to_string()), &item["visits"], into),
                    None => cells(&part(&place.to_string()), item, into),
                }
            }
        }
        Value::Null => drop(into.insert(name.to_owned(), String::new())),
        Value::String(text) => drop(into.insert(name.to_owned(), text.clone())),
        Value::Bool(_) | Value::Number(_) => drop(into.insert(name.to_owned(), value.to_string())),
    }
}

/// Reads CSV into rows by column, and compares them with the rows they were made of.
fn assert_csv(text: &str, rows: &[Value], about: &str) {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let columns: Vec<_> = reader.headers().expect("a header").iter().map(str::to_owned).collect();
    let mut distinct = columns.clone();
    distinct.sort();
    distinct.dedup();
    assert_eq!(distinct.len(), columns.len(), "{about}: {columns:?}");
    let found: Vec<_> = reader.records().map(|record| record.expect("as many cells")).collect();
    assert_eq!(found.len(), rows.len(), "{about}");
    let mut known = BTreeMap::new();
    for (record, row) in found.iter().zip(rows) {
        let mut expected = BTreeMap::new();
        cells("", row, &mut expected);
        for (column, cell) in columns.iter().zip(record) {
            assert_eq!(cell, expected.get(column).map_or("", String::as_str), "{about} {column}");
        }
        known.extend(expected);
    }
    assert_eq!(distinct, known.into_keys().collect::<Vec<_>>(), "{about}: no column is missing");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn csv_has_the_rows_and_numbers_of_json() {
    let house = House::open().await;
    for name in REPORTS {
        for path in [
            format!("gyms/berlin/reports/{name}?{}", suited(name)),
            format!("reports/{name}?{}", suited(name)),
        ] {
            let whole = house.ask(&path).await;
            let rows: Vec<Value> = match whole["gyms"].as_array() {
                None => list_of(&whole).clone(),
                Some(gyms) => gyms
                    .iter()
                    .flat_map(|gym| {
                        list_of(gym).iter().map(|row| {
                            let mut row = row.clone();
                            row["gym"] = gym["gym"].clone();
                            row
                        })
                    })
                    .collect(),
            };
            assert!(!rows.is_empty(), "{path}");
            let asked = format!("{path}&format=csv");
            let by_name = fetch(&house.service, &house.token, &asked, &[]).await;
            let accept = [("accept", "text/csv")];
            let by_header = fetch(&house.service, &house.token, &path, &accept).await;
            for reply in [&by_name, &by_header] {
                assert_eq!(reply.status, 200, "{path}");
                assert_eq!(reply.kind, "text/csv; charset=utf-8; header=present", "{path}");
                assert_csv(&reply.text, &rows, &path);
            }
            let asked = format!("{path}&format=json");
            let json = fetch(&house.service, &house.token, &asked, &accept).await;
            assert_eq!(json.kind, "application/json", "the parameter wins");
            assert_ne!(json.tag, by_header.tag, "another text has another tag");
            let refused = house.refused(&format!("{path}&format=xml")).await;
            assert_eq!(refused, (422, "bad_parameter".into()));
        }
    }
}

/// Every answer seen, by its tag: the same tag must stand for the same answer.
#[derive(Default)]
struct Seen(BTreeMap<String, (String, String)>);

impl Seen {
    async fn fetch(&mut self, service: &Service, token: &str, path: &str) -> String {
        let Reply { status, tag, text, .. } = fetch(service, token, path, &[]).await;
        assert_eq!(status, 200, "{path}: {text}");
        assert!(tag.len() > 2 && tag.starts_with('"') && tag.ends_with('"'), "{path}: {tag:?}");
        let answer = (path.to_owned(), text);
        let known = self.0.entry(tag.clone()).or_insert_with(|| answer.clone());
        assert_eq!(*known, answer, "one tag for two answers");
        tag
    }
}

/// The paths of every report on a range that is over.
fn over_paths() -> Vec<String> {
    let one = |name: &&str| format!("gyms/mitte/reports/{name}?from=2025-03-03&until=2025-03-10");
    let all = |name: &&str| format!("reports/{name}?from=2025-03-03&until=2025-03-10");
    let compared = "gyms/mitte/reports/visits?from=2025-03-03&until=2025-03-10&compare=previous";
    let names = REPORTS.iter();
    names.clone().map(one).chain(names.map(all)).chain([compared.to_owned()]).collect()
}

#[tokio::test]
async fn who_has_the_answer_is_told_so_and_who_has_an_older_one_gets_the_new() {
    let service = Service::start();
    let (mitte, soho) = (service.add_gym("mitte", "UTC"), service.add_gym("soho", "UTC"));
    let token = service.add_token("all", "manager", &[]);
    let only_soho = service.add_token("soho", "viewer", &["soho"]);
    let at = |text: &str| start_of(chrono_tz::UTC, text) + 12 * HOUR;
    let send = async |webhook: &Webhook, day: &str, status: &str| {
        let body = delivery(Uuid::from_u128(5), at(day), "GYM_CHECKIN");
        assert_eq!(service.post(webhook, body).await.1["status"], status);
    };
    for webhook in [&mitte, &soho] {
        send(webhook, "2025-03-04", "accepted").await;
        send(webhook, "2025-03-20", "accepted").await;
    }
    let mut seen = Seen::default();
    for path in over_paths() {
        let tag = seen.fetch(&service, &token, &path).await;
        assert_eq!(seen.fetch(&service, &token, &path).await, tag, "{path}: asked twice");
        for has in [tag.clone(), format!("W/{tag}"), format!("\"other\", {tag}")] {
            let again = fetch(&service, &token, &path, &[("if-none-match", &has)]).await;
            let found = (again.status, again.text.as_str(), again.tag.as_str());
            assert_eq!(found, (304, "", tag.as_str()), "{path}, {has}");
        }
        let has = [("if-none-match", tag.as_str()), ("accept", "text/csv")];
        assert_eq!(fetch(&service, &token, &path, &has).await.status, 200, "CSV is another text");
        let refused = fetch(&service, &only_soho, &path, &has[..1]).await.status;
        let of_chain = path.starts_with("reports/");
        assert_eq!(refused, if of_chain { 200 } else { 404 }, "{path}: who may not see it");
        let removed = fetch(&service, "wrong", &path, &has[..1]).await.status;
        assert_eq!(removed, 401, "{path}");
    }
    // The answer names the last position it rests on, so also an event outside of the range makes
    // it another one; and what comes again is counted when it is received.
    for (day, status) in [
        ("2025-03-05", "accepted"),
        ("2025-03-19", "accepted"),
        ("2025-02-26", "accepted"),
        ("2025-03-05", "duplicate"),
    ] {
        let mut tags = BTreeMap::new();
        for path in over_paths() {
            tags.insert(path.clone(), seen.fetch(&service, &token, &path).await);
        }
        send(&mitte, day, status).await;
        for (path, tag) in tags {
            let again = fetch(&service, &token, &path, &[("if-none-match", &tag)]).await;
            if status == "accepted" {
                assert_eq!(again.status, 200, "{path}: {day}");
                assert_ne!(again.tag, tag, "{path}: {day}");
            }
            seen.fetch(&service, &token, &path).await;
        }
    }
    // So do other rules and another zone.
    for setting in [["--assumed-stay", "30"], ["--time-zone", "Europe/Berlin"]] {
        let path = over_paths().remove(0);
        let tag = seen.fetch(&service, &token, &path).await;
        run_json(service.data(), &[&["gym", "set", "mitte"][..], &setting, &["--json"]].concat());
        assert_ne!(seen.fetch(&service, &token, &path).await, tag, "{setting:?}");
    }
}

/// Six weeks in which a busy hour is about now, then silence for twenty minutes; and one event
/// that a fast clock dated five minutes ahead.
async fn fall_silent(service: &Service) {
    let webhook = service.add_gym("silent", "UTC");
    let mut times = vec![now() - 45 * DAY, now() + 5 * MINUTE];
    for week in 0..=5 {
        let minutes = if week == 0 { -60..=-20 } else { -60..=20 };
        let around = now() - week * 7 * DAY;
        times.extend(minutes.flat_map(|minute| [around + minute * MINUTE; 3]));
    }
    let sender = async |times: &[i64]| {
        for at in times {
            let body = delivery(Uuid::new_v4(), *at, "GYM_CHECKIN");
            assert_eq!(service.post(&webhook, body).await.0, 200);
        }
    };
    join_all(times.chunks(100).map(sender)).await;
}

#[tokio::test]
async fn what_is_over_keeps_its_tag_while_time_passes() {
    let service = Service::start();
    let webhook = service.add_gym("mitte", "UTC");
    let token = service.add_token("all", "viewer", &[]);
    for at in [start_of(chrono_tz::UTC, "2025-03-04"), now() - 40 * MINUTE] {
        let body = delivery(Uuid::new_v4(), at, "GYM_CHECKIN");
        assert_eq!(service.post(&webhook, body).await.0, 200);
    }
    fall_silent(&service).await;
    let quarter = 15 * MINUTE;
    let until = DateTime::from_timestamp_millis(now() - now().rem_euclid(quarter)).expect("a time");
    let from = DateTime::from_timestamp_millis(now() - 3 * HOUR).expect("a time");
    let asked = format!("from={}&until={}", from.format("%FT%TZ"), until.format("%FT%TZ"));
    let running = "gyms/mitte/reports/occupancy".to_owned();
    let silent = format!("gyms/silent/reports/quality?{asked}");
    let mut seen = Seen::default();
    let mut tags = BTreeMap::new();
    // Time is what is tested: to the end of a minute, and beyond.
    let (minute, was_running) = loop {
        let minute = now().div_euclid(MINUTE);
        let tag = seen.fetch(&service, &token, &running).await;
        if now().div_euclid(MINUTE) == minute {
            break (minute, tag);
        }
    };
    for path in over_paths().into_iter().filter(|path| path.starts_with("gyms/")) {
        tags.insert(path.clone(), seen.fetch(&service, &token, &path).await);
    }
    let spans = silent_spans(&service, &token, &silent).await;
    assert!(spans >= 1, "it fell silent");
    seen.fetch(&service, &token, &silent).await;
    while now().div_euclid(MINUTE) <= minute {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    for (path, tag) in tags {
        assert_eq!(seen.fetch(&service, &token, &path).await, tag, "{path}");
    }
    assert_ne!(seen.fetch(&service, &token, &running).await, was_running, "today goes on");
    // The span still grows, though the range is over: then the answer is another one.
    seen.fetch(&service, &token, &silent).await;
}

async fn silent_spans(service: &Service, token: &str, path: &str) -> usize {
    let report = service.get_ok(token, &format!("/api/v1/{path}")).await;
    report["totals"]["silent_spans"].as_array().map_or(0, Vec::len)
}

/// One side of a comparison, or a report as if it were one.
fn side(report: &Value) -> Value {
    let mut side = report.clone();
    let fields = side.as_object_mut().expect("an object");
    for name in ["gym", "report", "interval", "time_zone", "position", "comparison"] {
        fields.remove(name);
    }
    side
}

/// The same date so many weeks earlier.
fn weeks_before(text: &str, weeks: u64) -> String {
    date(text).checked_sub_days(Days::new(7 * weeks)).expect("a date").to_string()
}

/// Asks for a comparison of local dates, and compares each side with a plain report. `weeks` is
/// how far apart they must be.
async fn assert_compared(house: &House, gym: &str, range: (&str, &str), compare: &str, weeks: u64) {
    let (from, until) = range;
    let (earlier_from, earlier_until) = (weeks_before(from, weeks), weeks_before(until, weeks));
    for (name, options) in [
        ("occupancy", "interval=1h"),
        ("visits", "interval=1d"),
        ("visits", "interval=15m"),
        ("visits", "interval=1mo"),
        ("members", "interval=1d"),
        ("durations", "group_by=weekday"),
        ("equipment", "interval=1w"),
        ("popular-times", "format=json"),
        ("onboarding", "interval=1d"),
        ("quality", "interval=1d"),
    ] {
        let about = format!("{gym} {name} {from} {until} {compare}");
        let path = format!("gyms/{gym}/reports/{name}?{options}");
        let asked = format!("{path}&from={from}&until={until}&compare={compare}");
        let compared = house.ask(&asked).await;
        let plain = house.ask(&format!("{path}&from={from}&until={until}")).await;
        let earlier = format!("{path}&from={earlier_from}&until={earlier_until}");
        let earlier = house.ask(&earlier).await;
        let Value::Object(mut sides) = compared["comparison"].clone() else {
            panic!("{about}: {compared}")
        };
        assert_eq!(sides.remove("compare"), Some(json!(compare)));
        assert_same(&side(&compared), &side(&plain), &about);
        assert_same(&sides["this"], &side(&plain), &about);
        assert_same(&sides["that"], &side(&earlier), &about);
        assert_eq!(sides.len(), 2, "{about}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_range_is_compared_with_the_same_weekdays_of_before() {
    let house = House::open().await;
    for (gym, range, compare, weeks) in [
        // The week before has an hour more, or half an hour less.
        ("berlin", ("2025-10-27", "2025-11-03"), "previous", 1),
        ("new-york", ("2025-11-03", "2025-11-10"), "previous", 1),
        ("lord-howe", ("2025-10-06", "2025-10-13"), "previous", 1),
        // This week has it.
        ("berlin", ("2025-10-20", "2025-10-27"), "previous", 1),
        // By the smallest number of weeks that is at least its length.
        ("berlin", ("2025-10-26", "2025-10-27"), "previous", 1),
        ("berlin", ("2025-10-27", "2025-11-04"), "previous", 2),
        ("new-york", ("2025-10-20", "2025-11-03"), "previous", 2),
        ("new-york", ("2025-10-20", "2025-11-10"), "previous", 3),
        // 52 weeks are 364 days.
        ("berlin", ("2025-10-27", "2025-11-03"), "year", 52),
        ("lord-howe", ("2025-10-13", "2025-10-27"), "year", 52),
    ] {
        assert_compared(&house, gym, range, compare, weeks).await;
    }
    let path = "gyms/berlin/reports/visits?from=2025-10-20&until=2025-11-03&compare=previous";
    let compared = &house.ask(path).await["comparison"];
    let days = |side: &str| -> Vec<NaiveDate> {
        let buckets = compared[side]["buckets"].as_array().expect("a list").iter();
        let starts = buckets.map(|bucket| bucket["start"].as_str().expect("a text")[..10].parse());
        starts.collect::<Result<_, _>>().expect("dates")
    };
    assert_eq!(days("this").len(), 14);
    for (this, that) in days("this").into_iter().zip(days("that")) {
        assert_eq!((this.weekday(), (this - that).num_days()), (that.weekday(), 14));
    }
    let with_hours = "gyms/berlin/reports/visits?compare=previous\
         &from=2025-10-27T06:00:00%2B01:00&until=2025-10-27T22:00:00%2B01:00";
    let that = &house.ask(with_hours).await["comparison"]["that"];
    assert_eq!(that["from"], "2025-10-20T06:00:00+02:00", "the same hours on the gym's clock");
    assert_eq!(that["until"], "2025-10-20T22:00:00+02:00");
    assert!(that["totals"]["visits"].as_u64() > Some(0), "{that}");
    let chain = house.ask("reports/visits?from=2025-10-27&until=2025-11-03&compare=year").await;
    for gym in chain["gyms"].as_array().expect("a list") {
        let slug = gym["gym"].as_str().expect("a text");
        let path = "reports/visits?from=2025-10-27&until=2025-11-03&compare=year";
        assert_eq!(*gym, house.ask(&format!("gyms/{slug}/{path}")).await, "also over several gyms");
    }
}

#[tokio::test]
async fn what_cannot_be_compared_is_refused_clearly() {
    let service = Service::start();
    service.add_gym("mitte", "Europe/Berlin");
    let token = service.add_token("all", "viewer", &[]);
    let house = House { service, token };
    let in_days = |days| DateTime::from_timestamp_millis(now() + days * DAY).expect("a time");
    let to_come = format!("from={}&until={}", in_days(2).date_naive(), in_days(30).date_naive());
    for (report, options, code) in [
        ("members", "interval=1mo&from=2025-01-01&until=2025-03-01".to_owned(), "bad_parameter"),
        ("retention", "from=2025-01-01&until=2025-03-01".to_owned(), "bad_parameter"),
        ("visits", to_come.clone(), "bad_range"),
        ("occupancy", to_come.clone(), "bad_range"),
        ("members", format!("{to_come}&interval=1w"), "bad_range"),
    ] {
        for compare in ["previous", "year"] {
            for place in ["gyms/mitte/", ""] {
                let path = format!("{place}reports/{report}?{options}&compare={compare}");
                assert_eq!(house.refused(&path).await, (422, code.to_owned()), "{path}");
            }
        }
    }
    for bad in ["compare=week", "compare="] {
        let path = format!("gyms/mitte/reports/visits?{bad}");
        assert_eq!(house.refused(&path).await, (422, "bad_parameter".into()), "{path}");
    }
    // Without a comparison, what is to come is a report like any other.
    let report = house.ask(&format!("gyms/mitte/reports/visits?{to_come}")).await;
    assert_eq!((&report["totals"]["visits"], &report.get("comparison")), (&json!(0), &None));
}

/// Compares at a moment that is chosen: from a ledger, since a service goes by its clock. Both
/// sides must be about the ranges given, and say what plain reports on these say.
fn assert_sides(
    ledger: &Ledger,
    (zone, slug): &(Tz, Slug),
    report: (&str, &str),
    range: (&str, &str),
    now: &str,
    sides: [[&str; 2]; 2],
) {
    let at = DateTime::parse_from_rfc3339(now).expect("a time").timestamp_millis();
    let (name, interval) = report;
    let ask = |from: &str, until: &str, compare: Option<&str>| {
        let parameters = Parameters {
            from: Some(from.to_owned()),
            until: Some(until.to_owned()),
            interval: Some(interval.to_owned()),
            compare: compare.map(str::to_owned),
            ..Parameters::default()
        };
        ledger.report(slug, name, &parameters, at)
    };
    let compared = ask(range.0, range.1, Some("previous"));
    for (side_name, [from, until]) in ["this", "that"].into_iter().zip(sides) {
        let about = format!("{zone} {name} {range:?} {side_name}");
        let part = &compared["comparison"][side_name];
        assert_eq!((&part["from"], &part["until"]), (&json!(from), &json!(until)), "{about}");
        assert_same(part, &side(&ask(from, until, None)), &about);
    }
}

/// A gym in a ledger, with traffic over local dates.
fn add_traffic(ledger: &mut Ledger, zone: Tz, from: &str, until: &str) -> (Tz, Slug) {
    let rules = reference::Rules::default();
    let slug = ledger.add_gym(&reference::Gym { slug: String::new(), zone, capacity: None, rules });
    let (from, until) = (start_of(zone, from), start_of(zone, until));
    let plan = Plan { seed: 3, zone, members: 60, from, until, leavers_deleted: false };
    let events = deliveries(&plan).into_iter().map(|one| reference::Event {
        account: one.account,
        at: one.at,
        kind: one.kind.to_owned(),
        received_at: one.due,
    });
    ledger.append(&slug, &events.collect::<Vec<_>>());
    (zone, slug)
}

#[test]
fn what_is_to_come_is_left_out_on_both_sides() {
    let mut ledger = Ledger::new();
    let berlin = add_traffic(&mut ledger, GYMS[0].1, "2025-09-22", "2025-11-17");
    let week = ("2025-11-03", "2025-11-10");
    let wednesday = "2025-11-05T17:52:40+01:00";
    for name in ["visits", "occupancy", "durations", "equipment", "quality", "popular-times"] {
        let this = ["2025-11-03T00:00:00+01:00", "2025-11-05T17:45:00+01:00"];
        let that = ["2025-10-27T00:00:00+01:00", "2025-10-29T17:45:00+01:00"];
        assert_sides(&ledger, &berlin, (name, "1d"), week, wednesday, [this, that]);
    }
    // The part that has passed has an hour more than the same part of before: weekdays and the
    // time of day are what is the same.
    let (range, now) = (("2025-10-20", "2025-11-03"), "2025-10-29T17:52:40+01:00");
    let this = ["2025-10-20T00:00:00+02:00", "2025-10-29T17:45:00+01:00"];
    let that = ["2025-10-06T00:00:00+02:00", "2025-10-15T17:45:00+02:00"];
    assert_sides(&ledger, &berlin, ("visits", "1d"), range, now, [this, that]);
    // Distinct members of a part of a day or week are not known: the whole of it is left out.
    let this = ["2025-11-03T00:00:00+01:00", "2025-11-05T00:00:00+01:00"];
    let that = ["2025-10-27T00:00:00+01:00", "2025-10-29T00:00:00+01:00"];
    assert_sides(&ledger, &berlin, ("members", "1d"), week, wednesday, [this, that]);
    let weeks = ("2025-10-27", "2025-11-10");
    let this = ["2025-10-27T00:00:00+01:00", "2025-11-03T00:00:00+01:00"];
    let that = ["2025-10-13T00:00:00+02:00", "2025-10-20T00:00:00+02:00"];
    assert_sides(&ledger, &berlin, ("members", "1w"), weeks, wednesday, [this, that]);
    // Of what has passed, nothing is left out.
    let this = ["2025-11-03T00:00:00+01:00", "2025-11-10T00:00:00+01:00"];
    let that = ["2025-10-27T00:00:00+01:00", "2025-11-03T00:00:00+01:00"];
    let now = "2025-11-10T00:00:00+01:00";
    assert_sides(&ledger, &berlin, ("visits", "1d"), week, now, [this, that]);
}

/// Where clocks change at midnight, a day begins at one, or has midnight twice. A local date
/// stands for its first instant, on both sides, and a week of dates is a week.
#[test]
fn days_are_compared_with_days_also_where_midnight_is_skipped() {
    let mut ledger = Ledger::new();
    // 2025-09-07 begins at one.
    let gym = add_traffic(&mut ledger, chrono_tz::America::Santiago, "2025-08-18", "2025-09-29");
    let start = |date: &str| match date {
        "2025-09-07" => "2025-09-07T01:00:00-03:00".to_owned(),
        date if date < "2025-09-07" => format!("{date}T00:00:00-04:00"),
        date => format!("{date}T00:00:00-03:00"),
    };
    for (from, until) in [
        ("2025-09-14", "2025-09-21"),
        ("2025-09-08", "2025-09-14"),
        ("2025-09-07", "2025-09-14"),
        ("2025-08-31", "2025-09-07"),
    ] {
        assert_days(&ledger, &gym, (from, until), start);
    }
}

#[test]
fn days_are_compared_with_days_also_where_midnight_is_doubled() {
    let mut ledger = Ledger::new();
    // 2025-11-02 has midnight twice.
    let gym = add_traffic(&mut ledger, chrono_tz::America::Havana, "2025-10-13", "2025-11-24");
    let start = |date: &str| match date {
        date if date <= "2025-11-02" => format!("{date}T00:00:00-04:00"),
        date => format!("{date}T00:00:00-05:00"),
    };
    for (from, until) in [
        ("2025-11-09", "2025-11-16"),
        ("2025-11-03", "2025-11-09"),
        ("2025-11-02", "2025-11-09"),
        ("2025-10-26", "2025-11-02"),
    ] {
        assert_days(&ledger, &gym, (from, until), start);
    }
}

/// Compares a range of at most seven local dates with the week before.
fn assert_days(
    ledger: &Ledger,
    gym: &(Tz, Slug),
    (from, until): (&str, &str),
    start: impl Fn(&str) -> String,
) {
    let this = [start(from), start(until)];
    let that = [start(&weeks_before(from, 1)), start(&weeks_before(until, 1))];
    let sides = [[&*this[0], &*this[1]], [&*that[0], &*that[1]]];
    for name in ["visits", "members"] {
        let now = "2026-01-01T00:00:00Z";
        assert_sides(ledger, gym, (name, "1d"), (from, until), now, sides);
    }
}

/// The fields of each report that are sums.
const SUMS: [(&str, &[&str]); 6] = [
    ("occupancy", &["average"]),
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

/// The sum of two figures, or of all that are in them.
fn plus(a: &Value, b: &Value) -> Value {
    match (a, b) {
        (Value::Null, _) | (_, Value::Null) => Value::Null,
        (Value::Object(a), Value::Object(b)) => {
            assert!(a.keys().eq(b.keys()), "{a:?} {b:?}");
            a.iter().map(|(name, a)| (name.clone(), plus(a, &b[name]))).collect()
        }
        _ => match (a.as_i64(), b.as_i64()) {
            (Some(a), Some(b)) => json!(a + b),
            _ => json!(a.as_f64().expect("a number") + b.as_f64().expect("a number")),
        },
    }
}

/// The named fields, as far as a row has them.
fn only(row: &Value, names: &[&str]) -> Value {
    let has = names.iter().filter_map(|name| Some(((*name).to_owned(), row.get(name)?.clone())));
    Value::Object(has.collect::<Map<_, _>>())
}

/// A bucket's name on its gym's clock, and whether it is the first or second of that name.
fn local_names(rows: &[Value]) -> Vec<(NaiveDateTime, usize)> {
    let mut names: Vec<(NaiveDateTime, usize)> = Vec::new();
    for row in rows {
        let start: DateTime<FixedOffset> =
            row["start"].as_str().and_then(|text| text.parse().ok()).expect("a time");
        let name = start.naive_local();
        names.push((name, names.iter().filter(|other| other.0 == name).count()));
    }
    names
}

/// What the buckets of a report over several gyms must be: sums by local name.
fn summed(gyms: &[Value], names: &[&str]) -> Vec<Value> {
    let mut sums: BTreeMap<(NaiveDateTime, usize), (bool, Value)> = BTreeMap::new();
    for gym in gyms {
        let Some(rows) = gym["buckets"].as_array() else { continue };
        for (name, row) in local_names(rows).into_iter().zip(rows) {
            let own = (row["complete"] == true, only(row, names));
            match sums.get_mut(&name) {
                Some((complete, sum)) => {
                    (*complete, *sum) = (*complete && own.0, plus(sum, &own.1));
                }
                None => drop(sums.insert(name, own)),
            }
        }
    }
    let rows = sums.into_iter().map(|((name, _), (complete, mut sum))| {
        let fields = sum.as_object_mut().expect("an object");
        fields.insert("start".into(), json!(name.format("%FT%T").to_string()));
        fields.insert("complete".into(), json!(complete));
        sum
    });
    rows.collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chain_is_each_gym_and_the_sum_of_what_is_a_sum() {
    let house = House::open().await;
    // All three clock changes are in it, and the last bucket is cut.
    let range = "from=2025-10-04&until=2025-11-04T15:00:00Z";
    for name in REPORTS {
        let sums =
            SUMS.iter().find(|(report, _)| *report == name).map_or(&[][..], |(_, sums)| sums);
        for interval in ["1h", "1d", "1w", "1mo"] {
            if name == "members" && interval == "1h" {
                continue;
            }
            let path = format!("reports/{name}?{range}&interval={interval}&group_by=hour");
            let about = format!("{name} {interval}");
            let chain = house.ask(&path).await;
            let mut gyms = Vec::new();
            for (slug, _) in GYMS {
                gyms.push(house.ask(&format!("gyms/{slug}/{path}")).await);
            }
            assert_same(&chain["gyms"], &json!(gyms), &about);
            let has_sums = !sums.is_empty() && gyms[0].get("buckets").is_some();
            let buckets = if has_sums { summed(&gyms, sums) } else { vec![] };
            assert_same(&chain["buckets"], &json!(buckets), &about);
            let totals = gyms.iter().map(|gym| only(&gym["totals"], sums));
            let total = totals.reduce(|a, b| plus(&a, &b)).expect("three gyms");
            assert_same(&chain["totals"], &total, &about);
            assert_eq!(total.as_object().map(Map::len), Some(sums.len()), "{about}: {total}");
            assert_eq!((&chain["report"], chain.get("members")), (&json!(name), None));
        }
    }
    let two = house.ask("reports/visits?from=2025-10-25&until=2025-10-27&interval=1h").await;
    let doubled = two["buckets"].as_array().expect("a list").iter();
    let doubled = doubled.filter(|bucket| bucket["start"] == "2025-10-26T02:00:00").count();
    assert_eq!(doubled, 2, "Berlin had that hour twice");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chain_is_of_the_gyms_that_were_asked_for() {
    let house = House::open().await;
    house.service.add_gym("closed", "UTC");
    let range = "from=2025-10-20&until=2025-10-27";
    let gyms_of = |chain: &Value| -> Vec<String> {
        let gyms = chain["gyms"].as_array().expect("a list").iter();
        gyms.map(|gym| gym["gym"].as_str().expect("a text").to_owned()).collect()
    };
    for (asked, expected) in [
        ("", &["berlin", "closed", "lord-howe", "new-york"][..]),
        ("&gyms=berlin", &["berlin"]),
        ("&gyms=new-york,berlin", &["berlin", "new-york"]),
        ("&gyms=berlin,%20closed", &["berlin", "closed"]),
        ("&gyms=berlin,berlin", &["berlin"]),
    ] {
        let chain = house.ask(&format!("reports/visits?{range}{asked}")).await;
        assert_eq!(gyms_of(&chain), expected, "{asked}");
        let visits = chain["gyms"].as_array().expect("a list").iter();
        let visits: i64 = visits.filter_map(|gym| gym["totals"]["visits"].as_i64()).sum();
        assert_eq!(chain["totals"]["visits"], visits, "{asked}: each is counted once");
    }
    let one = house.service.add_token("one", "viewer", &["berlin"]);
    let path = |gyms: &str| format!("/api/v1/reports/visits?{range}&gyms={gyms}");
    let own = house.service.get_ok(&one, &format!("/api/v1/reports/visits?{range}")).await;
    assert_eq!(gyms_of(&own), ["berlin"], "all that the token may see");
    for gyms in ["new-york", "berlin,new-york", "berlin,nowhere", "", "berlin,"] {
        let (status, problem) = house.service.get(&one, &path(gyms)).await;
        assert_eq!((status, problem["code"].as_str()), (404, Some("not_found")), "{gyms:?}");
    }
    for (bad, status, code) in [
        ("visits?gym=berlin", 422, "bad_parameter"),
        ("visits?gyms=berlin&gyms=closed", 422, "bad_parameter"),
        ("visits?interval=1y", 422, "bad_parameter"),
        ("durations?group_by=day", 422, "bad_parameter"),
        ("members?interval=1h", 422, "bad_parameter"),
        ("visits?from=2025-10-21&until=2025-10-20", 422, "bad_range"),
        ("visits?from=2020-01-01&until=2021-01-01&interval=15m", 422, "too_many_buckets"),
        ("nothing", 404, "not_found"),
    ] {
        let found = house.refused(&format!("reports/{bad}")).await;
        assert_eq!(found, (status, code.to_owned()), "{bad}");
    }
    let nobody = house.service.add_token("nobody", "viewer", &["closed"]);
    let empty = house.service.get_ok(&nobody, "/api/v1/reports/durations").await;
    assert_eq!(empty["totals"], json!({ "visits": 0, "observed": 0 }));
}
