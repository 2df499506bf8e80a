//! What `/metrics` says at times that a healthy service does not have, each brought about as it
//! comes about: a rebuild, an erasure that cannot be completed, a silent gym, a disk that is held.

use chrono::{DateTime, SecondsFormat};
use footfall::domain::calendar::day_of;
use footfall::projection::rebuild;
use footfall::store::Database;
use rusqlite::Connection;
use tokio::runtime::Runtime;
use uuid::Uuid;

use super::dashboards::{MAY_BE_EMPTY, columns_of};
use super::{Watched, scrape, value};
use crate::patience::Patience;
use crate::service::{Service, answer, delivery, now, run};

const DAY: i64 = 86_400_000;
const PROGRESS: &str = "footfall_gym_rebuild_progress_ratio{gym=\"mitte\"}";
const SINCE: &str = "footfall_erasures_pending_since_timestamp_seconds";
const REFUSED: &str =
    r#"footfall_deliveries_total{gym="mitte",outcome="refused",type="GYM_CHECKIN"}"#;

#[test]
fn a_rebuild_shows_how_far_it_is_and_then_nothing() {
    let runtime = Runtime::new().expect("threads");
    let watched = runtime.block_on(Watched::start());
    let text = || runtime.block_on(watched.text());
    let database = Database::open(watched.service.data()).expect("it opens");
    let gyms = database.read(|snapshot| snapshot.gyms()).expect("they can be read");
    assert_eq!(value(&text(), PROGRESS), None, "none is running");
    let mut seen = Vec::new();
    let mut progress = |_| seen.extend(value(&text(), PROGRESS));
    rebuild::rebuild(&database, gyms[0].id, None, &mut progress).expect("it is rebuilt");
    assert!(seen.len() > 1 && seen.is_sorted(), "{seen:?}");
    assert!(seen.iter().all(|ratio| 0.0 < *ratio && *ratio < 1.0), "{seen:?}");
    assert_eq!(value(&text(), PROGRESS), None, "it is over");
}

#[tokio::test]
async fn an_erasure_that_waits_shows_since_when() {
    let watched = Watched::start().await;
    let token = watched.service.add_token("manager", "manager", &[]);
    // Who reads keeps the write-ahead log from being emptied.
    let reader = Connection::open(watched.service.data().join("footfall.db")).expect("it opens");
    reader.execute_batch("BEGIN; SELECT count(*) FROM gyms").expect("it reads");
    let asked_at = now();
    let path = format!("{}/api/v1/gyms/mitte/members/{}", watched.service.root, Uuid::new_v4());
    let (status, record) = answer(watched.service.client.delete(path).bearer_auth(token)).await;
    assert_eq!(status, 202, "{record}");
    let text = watched.text().await;
    assert_eq!(value(&text, "footfall_erasures_pending"), Some(1.0));
    let since = value(&text, SINCE).map(|seconds| (seconds * 1_000.0).round() as i64);
    assert!(since.is_some_and(|since| asked_at <= since && since <= now()), "{since:?}");
    reader.execute_batch("ROLLBACK").expect("it was begun");
    let patience = Patience::until("the erasure is done");
    loop {
        let text = watched.text().await;
        if value(&text, "footfall_erasures_done_total") == Some(2.0) {
            assert_eq!(value(&text, "footfall_erasures_pending"), Some(0.0));
            assert_eq!(value(&text, SINCE), None);
            return;
        }
        patience.again().await;
    }
}

#[tokio::test]
async fn a_gym_that_stopped_sending_is_silent_as_the_report_says() {
    let service = Service::start();
    let webhook = service.add_gym("mitte", "Europe/Berlin");
    let time = |days: i64| {
        let time = DateTime::from_timestamp_millis(now() - days * DAY).expect("a time");
        time.to_rfc3339_opts(SecondsFormat::Secs, true)
    };
    let (url, from, until) = (format!("{}{}", service.root, webhook.path), time(50), time(3));
    let args = ["simulate", "--members", "60", "--url", &url, "--secret", &webhook.secret];
    let simulated =
        run(service.data(), &[&args[..], &["--from", &from, "--until", &until]].concat());
    assert!(simulated.status.success(), "{}", String::from_utf8_lossy(&simulated.stderr));
    let token = service.add_token("viewer", "viewer", &[]);
    let text = scrape(&service).await;
    assert_eq!(value(&text, "footfall_gym_silent{gym=\"mitte\"}"), Some(1.0));
    // All of it was received just now, so the webhook is not silent though the gym is.
    let labels = format!(r#"{{gym="mitte",webhook="{}"}}"#, &webhook.path[10..18]);
    let silent = format!("footfall_webhook_silent{labels}");
    assert_eq!(value(&text, &silent), Some(0.0));
    let sql = format!("UPDATE webhooks SET last_delivery_at = {}", now() - 3 * DAY);
    let database = Connection::open(service.data().join("footfall.db")).expect("it opens");
    database.execute_batch(&sql).expect("the schema is known");
    assert_eq!(value(&scrape(&service).await, &silent), Some(1.0));
    let until = day_of(chrono_tz::UTC, now()).plus(2).date();
    let path = format!("/api/v1/gyms/mitte/reports/quality?until={until}");
    let quality = service.get_ok(&token, &path).await;
    let spans = quality["totals"]["silent_spans"].as_array().expect("a list");
    let columns = columns_of(MAY_BE_EMPTY);
    assert!(!columns.is_empty() && columns.iter().all(|name| spans[0][name].is_string()));
    let last = spans.last().and_then(|span| span["until"].as_str()).expect("there is a span");
    let end = DateTime::parse_from_rfc3339(last).expect("a time").timestamp_millis();
    assert!(now() - end < DAY, "it is still going on: {last}");
}

#[tokio::test]
async fn what_is_refused_is_counted_as_refused() {
    let service = Service::start();
    let webhook = service.add_gym("mitte", "Europe/Berlin");
    let locker = Connection::open(service.data().join("footfall.db")).expect("it opens");
    locker.execute_batch("BEGIN IMMEDIATE").expect("the lock is free");
    let body = delivery(Uuid::new_v4(), now(), "GYM_CHECKIN");
    let (status, problem) = service.post(&webhook, body).await;
    assert_eq!(status, 503, "{problem}");
    assert_eq!(value(&scrape(&service).await, REFUSED), Some(1.0));
}
