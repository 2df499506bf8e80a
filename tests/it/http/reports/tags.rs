//! A report's tag: who has the answer gets no second one, and who has an older one gets the new.

use std::collections::BTreeMap;

use chrono::DateTime;
use futures_util::future::join_all;
use uuid::Uuid;

use super::{DAY, HOUR, MINUTE, Reply, fetch, start_of};
use crate::laws::REPORTS;
use crate::patience::Patience;
use crate::service::{Service, Webhook, delivery, now, run_json};

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

/// Seven weeks in which a busy hour is about now, then silence for twenty minutes. On every weekday
/// each complete week since the first event has that hour.
pub async fn fall_silent(service: &Service) -> Webhook {
    let webhook = service.add_gym("silent", "UTC");
    let mut times = vec![now() - 45 * DAY];
    for week in 0..=6 {
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
    webhook
}

#[tokio::test]
async fn an_event_that_a_fast_clock_stamped_ends_a_silence_when_it_comes() {
    let service = Service::start();
    let webhook = fall_silent(&service).await;
    let token = service.add_token("all", "viewer", &[]);
    let is_silent = async || service.get_ok(&token, "/api/v1/gyms/silent").await["silent"].clone();
    assert_eq!(is_silent().await, true);
    let body = delivery(Uuid::new_v4(), now() + 9 * MINUTE, "GYM_CHECKIN");
    assert_eq!(service.post(&webhook, body).await.0, 200);
    let came = now();
    assert_eq!(is_silent().await, false);
    let at = |at| DateTime::from_timestamp_millis(at).expect("a time").format("%FT%TZ").to_string();
    let asked = format!("from={}&until={}", at(came - 3 * HOUR), at(came + HOUR));
    let path = format!("gyms/silent/reports/quality?interval=1h&{asked}");
    // Time is what is tested: the span does not grow with it.
    let patience = Patience::until("a minute is over");
    while now().div_euclid(MINUTE) == came.div_euclid(MINUTE) {
        patience.again().await;
    }
    assert!(silent_until(&service, &token, &path).await <= came);
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
    let patience = Patience::until("no minute ends meanwhile");
    let (minute, was_running) = loop {
        let minute = now().div_euclid(MINUTE);
        let tag = seen.fetch(&service, &token, &running).await;
        if now().div_euclid(MINUTE) == minute {
            break (minute, tag);
        }
        patience.again().await;
    };
    for path in over_paths().into_iter().filter(|path| path.starts_with("gyms/")) {
        tags.insert(path.clone(), seen.fetch(&service, &token, &path).await);
    }
    assert!(silent_until(&service, &token, &silent).await >= until.timestamp_millis());
    seen.fetch(&service, &token, &silent).await;
    let patience = Patience::until("the minute is over");
    while now().div_euclid(MINUTE) <= minute {
        patience.again().await;
    }
    for (path, tag) in tags {
        assert_eq!(seen.fetch(&service, &token, &path).await, tag, "{path}");
    }
    assert_ne!(seen.fetch(&service, &token, &running).await, was_running, "today goes on");
    // The span still grows, though the range is over: then the answer is another one.
    seen.fetch(&service, &token, &silent).await;
}

/// Until when the last silent span lasts, of those that touch the range asked about.
async fn silent_until(service: &Service, token: &str, path: &str) -> i64 {
    let report = service.get_ok(token, &format!("/api/v1/{path}")).await;
    let spans = report["totals"]["silent_spans"].as_array().expect("a list");
    let until = spans.last().expect("it fell silent")["until"].as_str().expect("a text");
    DateTime::parse_from_rfc3339(until).expect("a time").timestamp_millis()
}
