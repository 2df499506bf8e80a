//! 200,000 deliveries through the door at once, a tenth of them duplicates, in no order.

use std::sync::atomic::{AtomicUsize, Ordering};

use chrono_tz::Tz;
use footfall::app::simulate::traffic::{Plan, deliveries};
use futures_util::future::join_all;

use crate::laws::{REPORTS, assert_same};
use crate::random::shuffled;
use crate::reference::{Event, GroupBy, Gym, History, Interval, Question, Rules};
use crate::service::{Service, Webhook, delivery, now, verify};

const DELIVERIES: usize = 200_000;
const CONNECTIONS: usize = 64;
const DAY: i64 = 86_400_000;

const GYMS: [(&str, Tz); 3] = [
    ("berlin", chrono_tz::Europe::Berlin),
    ("new-york", chrono_tz::America::New_York),
    ("lord-howe", chrono_tz::Australia::Lord_Howe),
];

/// Distinct events of a gym, all more than a week old, so that every one of them is late by the
/// same class whenever it is received.
fn past(seed: u64, zone: Tz, count: usize) -> Vec<Event> {
    let until = now() - 9 * DAY;
    let plan =
        Plan { seed, zone, members: 700, from: until - 60 * DAY, until, leavers_deleted: false };
    let mut seen = std::collections::HashSet::new();
    let all = deliveries(&plan).into_iter().map(|delivery| Event {
        account: delivery.account,
        at: delivery.at,
        kind: delivery.kind.to_owned(),
        received_at: now(),
    });
    let distinct = all.filter(|event| seen.insert((event.account, event.at, event.kind.clone())));
    let events: Vec<_> = distinct.take(count).collect();
    assert_eq!(events.len(), count, "the simulated gym is large enough");
    events
}

async fn post_all(service: &Service, posts: &[(&Webhook, &Event)]) {
    let next = AtomicUsize::new(0);
    let sender = || async {
        while let Some((webhook, event)) = posts.get(next.fetch_add(1, Ordering::Relaxed)) {
            let body = delivery(event.account, event.at, &event.kind);
            let (status, answer) = service.post(webhook, body).await;
            assert_eq!(status, 200, "{answer}");
        }
    };
    join_all((0..CONNECTIONS).map(|_| sender())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_thousand_deliveries_in_any_order_are_each_counted_once() {
    let service = Service::start();
    let token = service.add_token("all", "viewer", &[]);
    let each = DELIVERIES * 9 / 10 / GYMS.len();
    let (mut histories, mut posts) = (Vec::new(), Vec::new());
    for (seed, (slug, zone)) in (1..).zip(GYMS) {
        let webhook = service.add_gym(slug, zone.name());
        let events = past(seed, zone, each);
        let repeats = shuffled(seed, &events).into_iter().take(DELIVERIES / 10 / GYMS.len());
        posts.push((webhook, shuffled(seed + 9, &[events.clone(), repeats.collect()].concat())));
        histories.push((slug, zone, events));
    }
    let longest = posts.iter().map(|(_, events)| events.len()).max().expect("three gyms");
    let mixed: Vec<_> = (0..longest)
        .flat_map(|place| posts.iter().filter_map(move |(w, events)| Some((w, events.get(place)?))))
        .collect();
    post_all(&service, &mixed).await;
    let verified = verify(service.data());
    assert_eq!(verified["ok"], true, "{verified}");
    assert_eq!(verified["events"], each * GYMS.len(), "every distinct event is in the log once");
    for (slug, zone, events) in histories {
        compare(&service, &token, slug, zone, &events).await;
        let quality = service.get_ok(&token, &format!("/api/v1/gyms/{slug}/reports/quality")).await;
        assert_eq!(quality["totals"]["duplicates"], DELIVERIES / 10 / GYMS.len());
    }
}

async fn compare(service: &Service, token: &str, slug: &str, zone: Tz, events: &[Event]) {
    let gym = Gym { slug: slug.into(), zone, capacity: Some(80), rules: Rules::default() };
    let first = events.iter().map(|event| event.at).min().expect("some");
    let last = events.iter().map(|event| event.at).max().expect("some");
    let date = |at| footfall::domain::calendar::day_of(zone, at);
    let (from, until) = (date(first), date(last));
    let start = |day| footfall::domain::calendar::day_start(zone, day);
    let history = History::new(gym, events);
    for name in REPORTS {
        let question = Question {
            from: start(from),
            until: start(until),
            interval: Interval::D1,
            group_by: GroupBy::Hour,
            window: 28,
            now: now(),
        };
        let path = format!(
            "/api/v1/gyms/{slug}/reports/{name}?from={}&until={}&interval=1d&group_by=hour",
            from.date(),
            until.date()
        );
        let mut found = service.get_ok(token, &path).await;
        found.as_object_mut().expect("an object").remove("position");
        let mut expected = history.report(name, &question);
        expected["interval"] = found["interval"].clone();
        assert_same(&found, &expected, &format!("{slug} {name}"));
    }
}
