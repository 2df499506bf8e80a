//! Reports over several gyms: each gym's own, and the sum of what is a sum.

use std::collections::BTreeMap;

use chrono::{DateTime, FixedOffset, NaiveDateTime};
use serde_json::{Map, Value, json};

use super::{GYMS, House};
use crate::laws::{REPORTS, SUMS, assert_same, is_by_day};

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
        let sums = match SUMS.iter().find(|(report, _)| *report == name) {
            Some((_, sums)) => sums,
            None if name == "occupancy" => &["average"][..],
            None if name == "activity" => &["active", "new", "returned", "lapsed"],
            None => &[],
        };
        for interval in ["1h", "1d", "1w", "1mo"] {
            if is_by_day(name) && interval == "1h" {
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
    let (_, code) = house.refused("gyms/berlin/reports/visits?gyms=berlin,closed").await;
    assert_eq!(code, "bad_parameter", "one gym's report is of no others");
    let nobody = house.service.add_token("nobody", "viewer", &["closed"]);
    let empty = house.service.get_ok(&nobody, "/api/v1/reports/durations").await;
    assert_eq!(empty["totals"], json!({ "visits": 0, "observed": 0 }));
}
