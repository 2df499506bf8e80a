//! What others can ask for at once, and what it takes: never more than a budget, whoever asks.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::Value;
use uuid::Uuid;

use crate::service::{Service, delivery, now};

const GYMS: usize = 20;
/// The most memory that the service takes meanwhile, in MiB: of this build, which is not optimised.
const MEMORY_MIB_MAX: u64 = 500;
/// The same while tables are written, whose rows in pieces would take 280.
const TABLES_MIB_MAX: u64 = 170;
/// Questions at once.
const ASKERS: usize = 24;
const DAY: i64 = 24 * 60 * 60_000;

/// The most memory that a process ever had, in MiB.
pub fn peak_memory_mib(service: &Service) -> u64 {
    let path = format!("/proc/{}/status", service.process_id());
    let status = std::fs::read_to_string(path).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("it is told");
    let kib: u64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
    kib / 1024
}

/// Some gyms with an event each, so that there is something to report.
async fn chain(service: &Service) -> String {
    for gym in 0..GYMS {
        let webhook = service.add_gym(&format!("gym-{gym:02}"), "Europe/Berlin");
        let body = delivery(Uuid::new_v4(), now() - DAY, "GYM_CHECKIN");
        assert_eq!(service.post(&webhook, body).await.0, 200);
    }
    service.add_token("all", "viewer", &[])
}

fn day(days_ago: i64) -> String {
    footfall::domain::calendar::day_of(chrono_tz::UTC, now() - days_ago * DAY).date().to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_largest_questions_at_once_take_no_more_memory_than_there_is() {
    let service = Service::start();
    let token = chain(&service).await;
    // 100 days by quarters of an hour are within the limit for one gym, and not for twenty.
    let large = format!("from={}&until={}&interval=15m", day(101), day(1));
    for name in ["occupancy", "visits", "quality"] {
        let one = format!("/api/v1/gyms/gym-00/reports/{name}?{large}");
        assert_eq!(service.get(&token, &one).await.0, 200);
        for question in [
            format!("/api/v1/reports/{name}?{large}"),
            format!("/api/v1/reports/{name}?{large}&format=csv"),
            format!("{one}&compare=previous"),
            format!("{one}&compare=year&format=csv"),
        ] {
            let (status, problem) = service.get(&token, &question).await;
            assert_eq!((status, &problem["code"]), (422, &"too_many_buckets".into()), "{question}");
            let detail = problem["detail"].as_str().expect("a text");
            assert!(detail.contains("10000 buckets, over all its gyms and both sides"), "{detail}");
        }
    }
    // The largest that are allowed, all at once: 20 gyms, 5 days, 96 quarters each.
    let most = format!("from={}&until={}&interval=15m", day(6), day(1));
    let kinds = ["occupancy", "visits", "quality", "equipment"];
    let formats = ["json", "csv"];
    let asked = (0..ASKERS).map(|number| {
        let (kind, format) = (kinds[number % 4], formats[number / 4 % 2]);
        let path = format!("/api/v1/reports/{kind}?{most}&format={format}");
        let (service, token) = (&service, &token);
        async move { service.get(token, &path).await }
    });
    let answers: Vec<(u16, Value)> = join_all(asked).await;
    for (status, body) in &answers {
        // Who would have to wait too long is told to come again.
        assert!([200, 503].contains(status), "{status}: {body}");
    }
    assert!(answers.iter().any(|(status, _)| *status == 200));
    let taken = peak_memory_mib(&service);
    assert!(taken < MEMORY_MIB_MAX, "{taken} MiB");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_widest_tables_at_once_are_written_row_by_row() {
    let service = Service::start();
    service.add_gym("mitte", "Europe/Berlin");
    let token = service.add_token("all", "viewer", &[]);
    let table = format!(
        "/api/v1/gyms/mitte/reports/quality?from={}&until={}&interval=15m&format=csv",
        day(101),
        day(1)
    );
    let answers = join_all((0..ASKERS).map(|_| service.get(&token, &table))).await;
    assert!(answers.iter().any(|(status, _)| *status == 200));
    let taken = peak_memory_mib(&service);
    assert!(taken < TABLES_MIB_MAX, "{taken} MiB");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_are_limited_for_each_reader_and_closing_one_makes_room() {
    let service = Service::start();
    service.add_gym("mitte", "Europe/Berlin");
    let token = service.add_token("all", "viewer", &[]);
    let other = service.add_token("other", "viewer", &[]);
    let open = |token: &str| {
        let url = format!("{}/api/v1/gyms/mitte/occupancy/stream", service.root);
        service.client.get(url).bearer_auth(token).send()
    };
    let mut streams = Vec::new();
    for _ in 0..50 {
        let stream = open(&token).await.expect("an answer");
        assert_eq!(stream.status(), 200);
        streams.push(stream);
    }
    let one_more = open(&token).await.expect("an answer");
    assert_eq!(one_more.status(), 503);
    assert!(one_more.headers().contains_key("retry-after"));
    assert_eq!(open(&other).await.expect("an answer").status(), 200, "it has its own");
    let (_, metrics) = service.get("", "/metrics").await;
    let metrics = metrics.as_str().expect("a text");
    assert!(metrics.contains("footfall_refused_total{limit=\"streams\"} 1\n"), "{metrics}");
    drop(streams.pop());
    // That a reader has gone is noticed with the second event that does not arrive, after 30 s.
    let until = std::time::Instant::now() + Duration::from_secs(90);
    while open(&token).await.expect("an answer").status() != 200 {
        assert!(std::time::Instant::now() < until, "what was closed makes room");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
