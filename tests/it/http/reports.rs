//! Reports over HTTP, in what all of them have in common: as CSV, with a tag, compared with an
//! earlier range, and over several gyms. What their numbers are is for the laws.

mod chain;
mod compare;
pub mod tags;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use chrono::NaiveDate;
use chrono_tz::Tz;
use footfall::app::simulate::traffic::{Plan, deliveries};
use footfall::domain::calendar::{Day, day_start};
use futures_util::future::join_all;
use serde_json::Value;

use crate::laws::REPORTS;
use crate::service::Service;

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
        if expected.contains_key("complete") {
            // A column is there whatever the data is.
            expected.entry("closed".to_owned()).or_insert_with(|| "false".to_owned());
        }
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
