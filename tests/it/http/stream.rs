//! Live occupancy as server-sent events: at once, on every change, not without one; and its end.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::time::timeout;
use uuid::Uuid;

use super::zone_by_day;
use crate::service::{Service, Webhook, delivery, now, run_json};

const MINUTE: i64 = 60_000;
const DAY: i64 = 24 * 60 * MINUTE;
/// A change is told within so many seconds.
const SECONDS_MAX: u64 = 5;

/// What a listener hears.
struct Stream {
    response: reqwest::Response,
    heard: String,
}

impl Stream {
    async fn open(service: &Service, token: &str, slug: &str) -> Stream {
        let url = format!("{}/api/v1/gyms/{slug}/occupancy/stream", service.root);
        let response = service.client.get(url).bearer_auth(token).send().await.expect("an answer");
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert_eq!(response.headers()["cache-control"], "no-store");
        Stream { response, heard: String::new() }
    }

    /// The next event; none when the stream ends, as it should: whole.
    async fn next(&mut self) -> Option<Value> {
        let end = loop {
            if let Some(end) = self.heard.find("\n\n") {
                break end;
            }
            let chunk = self.response.chunk().await.expect("it does not break off")?;
            self.heard.push_str(std::str::from_utf8(&chunk).expect("it is text"));
        };
        let event: String = self.heard.drain(..end + 2).collect();
        let lines: Vec<_> = event.trim_end().lines().collect();
        assert_eq!(lines[0], "event: occupancy");
        assert_eq!(lines.len(), 2, "{event}");
        Some(serde_json::from_str(lines[1].strip_prefix("data: ").expect("data")).expect("JSON"))
    }

    async fn soon(&mut self) -> Option<Value> {
        let next = timeout(Duration::from_secs(SECONDS_MAX), self.next()).await;
        next.expect("something happens in time")
    }

    async fn present(&mut self) -> Value {
        self.soon().await.expect("an event")["present"].clone()
    }
}

/// A gym with one member in it, who came ten minutes ago.
async fn with_ada(service: &Service) -> (Webhook, Uuid) {
    let webhook = service.add_gym("mitte", zone_by_day().name());
    let ada = Uuid::new_v4();
    let body = delivery(ada, now() - 10 * MINUTE, "GYM_CHECKIN");
    assert_eq!(service.post(&webhook, body).await.0, 200);
    (webhook, ada)
}

#[tokio::test]
async fn it_tells_at_once_and_again_when_the_number_changes() {
    let service = Service::start();
    let (webhook, ada) = with_ada(&service).await;
    let token = service.add_token("wall", "viewer", &["mitte"]);
    let (mut one, mut two) = (
        Stream::open(&service, &token, "mitte").await,
        Stream::open(&service, &token, "mitte").await,
    );
    let mut first = one.soon().await.expect("an event");
    let mut asked = service.get_ok(&token, "/api/v1/gyms/mitte/occupancy").await;
    for body in [&mut first, &mut asked] {
        assert!(body.as_object_mut().expect("an object").remove("at").is_some());
    }
    assert_eq!(first, asked, "the same as a plain question is answered");
    assert_eq!((&first["present"], &first["observed"]), (&json!(1), &json!(1)));
    assert_eq!(two.present().await, 1);

    let bob = Uuid::new_v4();
    let body = delivery(bob, now() - 3 * MINUTE, "EQUIPMENT_CHECKIN");
    assert_eq!(service.post(&webhook, body).await.0, 200);
    let both = one.soon().await.expect("an event");
    assert_eq!((&both["present"], &both["observed"]), (&json!(2), &json!(1)), "{both}");
    assert_eq!(two.present().await, 2, "every listener hears it");
    for (account, left) in [(ada, 1), (bob, 0)] {
        let body = delivery(account, now(), "GYM_CHECKOUT");
        assert_eq!(service.post(&webhook, body).await.0, 200);
        assert_eq!(one.present().await, left);
    }
    // A visit that is over says nothing of now, but today's peak was higher than was known.
    for _ in 0..2 {
        let account = Uuid::new_v4();
        for (at, kind) in [(now() - 9 * MINUTE, "GYM_CHECKIN"), (now() - MINUTE, "GYM_CHECKOUT")] {
            assert_eq!(service.post(&webhook, delivery(account, at, kind)).await.0, 200);
        }
    }
    let peak = loop {
        let event = one.soon().await.expect("an event");
        if event["present"] == 0 && event["today_peak"]["present"] != 2 {
            break event["today_peak"]["present"].clone();
        }
    };
    assert!(peak.as_u64() > Some(2), "{peak}");
}

#[tokio::test]
async fn it_says_nothing_of_what_changes_nothing() {
    let service = Service::start();
    let (webhook, ada) = with_ada(&service).await;
    let elsewhere = service.add_gym("soho", "Europe/London");
    let token = service.add_token("wall", "viewer", &[]);
    let mut stream = Stream::open(&service, &token, "mitte").await;
    assert_eq!(stream.present().await, 1);
    let bob = Uuid::new_v4();
    let other_day = now() - 3 * DAY;
    for (webhook, body) in [
        (&elsewhere, delivery(ada, now(), "GYM_CHECKIN")),
        (&webhook, delivery(bob, other_day, "GYM_CHECKIN")),
        (&webhook, delivery(bob, other_day + MINUTE, "GYM_CHECKOUT")),
        (&webhook, delivery(ada, now() - 5 * MINUTE, "LOCKER_OPENED")),
        (&webhook, delivery(ada, now() - 5 * MINUTE, "EQUIPMENT_CHECKIN")),
        (&webhook, r#"{"type":"TEST"}"#.to_owned()),
    ] {
        assert_eq!(service.post(webhook, body).await.0, 200);
    }
    assert_eq!(service.post(&webhook, "nonsense").await.0, 400);
    service.get_ok(&service.add_token("other", "viewer", &[]), "/api/v1/gyms").await;
    let quiet = timeout(Duration::from_secs(2), stream.next()).await;
    assert!(quiet.is_err(), "{quiet:?}");
    let body = delivery(bob, now(), "GYM_CHECKIN");
    assert_eq!(service.post(&webhook, body).await.0, 200);
    assert_eq!(stream.present().await, 2, "it was awake all the time");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_ends_when_the_service_stops() {
    let service = Service::start();
    with_ada(&service).await;
    let token = service.add_token("wall", "viewer", &[]);
    let mut streams = Vec::new();
    for _ in 0..5 {
        let mut stream = Stream::open(&service, &token, "mitte").await;
        assert_eq!(stream.present().await, 1);
        streams.push(stream);
    }
    let started = Instant::now();
    let stopped = tokio::task::spawn_blocking(move || service.stop());
    for stream in &mut streams {
        assert_eq!(stream.soon().await, None);
    }
    assert!(started.elapsed() < Duration::from_secs(2), "after {:?}", started.elapsed());
    assert!(stopped.await.expect("it is no panic"), "the service ends well");
    assert!(started.elapsed() < Duration::from_secs(4), "after {:?}", started.elapsed());
}

#[tokio::test]
async fn it_shows_nothing_more_to_a_token_that_was_removed() {
    let service = Service::start();
    let (webhook, _) = with_ada(&service).await;
    let (kept, token) =
        (service.add_token("kept", "viewer", &[]), service.add_token("wall", "viewer", &[]));
    let mut stream = Stream::open(&service, &token, "mitte").await;
    let mut other = Stream::open(&service, &kept, "mitte").await;
    assert_eq!((stream.present().await, other.present().await), (json!(1), json!(1)));
    run_json(service.data(), &["token", "remove", "wall", "--json"]);
    let body = delivery(Uuid::new_v4(), now(), "GYM_CHECKIN");
    assert_eq!(service.post(&webhook, body).await.0, 200);
    assert_eq!(stream.soon().await, None, "the number after that is not for it");
    assert_eq!(other.present().await, 2);
}
