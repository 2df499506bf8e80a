//! Signing in when many do at once: what it costs has an end, and none pass the limit together.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::join_all;
use reqwest::redirect::Policy;
use uuid::Uuid;

use super::page::add_user;
use crate::service::{Service, client, delivery, now};

/// How many tries of a name may fail.
const FAILURES_MAX: usize = 10;

async fn attempt(service: &Service, name: &str, password: &str) -> (u16, bool) {
    let request = service.client.post(format!("{}/sign-in", service.root));
    let request = request.form(&[("name", name), ("password", password)]);
    let answer = request.send().await.expect("the service answers");
    (answer.status().as_u16(), answer.headers().contains_key("retry-after"))
}

fn by_status(answers: &[(u16, bool)]) -> BTreeMap<u16, usize> {
    let mut counts = BTreeMap::new();
    for (status, _) in answers {
        *counts.entry(*status).or_default() += 1;
    }
    counts
}

/// The most memory the process has had, in MiB.
fn memory_high(service: &Service) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", service.process_id()));
    let status = status.expect("the process runs");
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("it is told");
    line.split_whitespace().nth(1).expect("a number").parse::<u64>().expect("a number") / 1024
}

#[actix_web::test]
async fn attempts_at_once_pass_no_limit() {
    let service = Service::start();
    add_user(&service, "ann", &["--role", "viewer"]);
    service.set_password("ann", "correct horse");
    for name in ["ann", "nobody"] {
        let tries = (0..40).map(|number| {
            // However it is written.
            let name = if number % 2 == 0 { name.to_owned() } else { name.to_uppercase() };
            let service = &service;
            async move { attempt(service, &name, "battery staple").await }
        });
        let answers = join_all(tries).await;
        let due = BTreeMap::from([(401, FAILURES_MAX), (429, 40 - FAILURES_MAX)]);
        assert_eq!(by_status(&answers), due, "{name}");
    }
    assert_eq!(attempt(&service, "ann", "correct horse").await.0, 429);
}

#[actix_web::test]
async fn a_stranger_locks_nobody_out_of_a_browser_in_which_they_signed_in() {
    let service = Service::start();
    add_user(&service, "ann", &["--role", "viewer"]);
    service.set_password("ann", "correct horse");
    // The cookie comes with the answer that leads on.
    let client = client().redirect(Policy::none()).build().expect("a client");
    let sign_in = |cookies: String, password: &'static str| {
        let request = client.post(format!("{}/sign-in", service.root));
        let request = request.header("cookie", cookies);
        async move {
            let request = request.form(&[("name", "ann"), ("password", password)]);
            request.send().await.expect("the service answers")
        }
    };
    let answer = sign_in(String::new(), "correct horse").await;
    let cookies = answer.headers().get_all("set-cookie").iter();
    let cookies = cookies.map(|cookie| cookie.to_str().expect("text").split(';').next());
    let known = cookies.flatten().find(|cookie| cookie.starts_with("footfall_browser="));
    let known = known.expect("the browser is known from now on").to_owned();
    for _ in 0..FAILURES_MAX {
        assert_eq!(attempt(&service, "ann", "battery staple").await.0, 401);
    }
    assert_eq!(attempt(&service, "ann", "correct horse").await.0, 429, "strangers are locked out");
    // Nor by what the browser's own count might go under.
    for _ in 0..FAILURES_MAX {
        assert_eq!(attempt(&service, "\0ann", "battery staple").await.0, 401);
    }
    let made_up = format!("footfall_browser={}", "0".repeat(64));
    assert_eq!(sign_in(made_up, "correct horse").await.status(), 429);
    assert_eq!(sign_in(known.clone(), "correct horse").await.status(), 303);
    // It guesses no better.
    for _ in 0..FAILURES_MAX {
        assert_eq!(sign_in(known.clone(), "battery staple").await.status(), 401);
    }
    assert_eq!(sign_in(known, "correct horse").await.status(), 429);
}

#[actix_web::test]
async fn a_crowd_at_the_door_costs_little_and_holds_up_no_delivery() {
    let service = Service::start();
    let webhook = service.add_gym("mitte", "Europe/Berlin");
    let before = memory_high(&service);
    let names: Vec<_> = (0..45).map(|number| format!("n{number}")).collect();
    let crowd = join_all(names.iter().map(|name| attempt(&service, name, "correct horse")));
    let deliveries = join_all((1..=20).map(|minute| {
        let body = delivery(Uuid::new_v4(), now() - minute * 60_000, "GYM_CHECKIN");
        tokio::time::timeout(Duration::from_secs(4), service.post(&webhook, body))
    }));
    let (answers, delivered) = tokio::join!(crowd, deliveries);
    for answer in delivered {
        assert_eq!(answer.expect("in time").0, 200);
    }
    let counts = by_status(&answers);
    assert!(counts.keys().all(|status| [401, 503].contains(status)), "{counts:?}");
    assert!(counts.get(&503).is_some_and(|refused| *refused > 0), "{counts:?}");
    assert!(answers.iter().all(|(status, later)| *status != 503 || *later), "when to try again");
    let grown = memory_high(&service) - before;
    assert!(grown < 200, "it took {grown} MiB");
    // Who was refused for the crowd has not failed.
    for name in names.iter().take(5) {
        assert_eq!(attempt(&service, name, "correct horse").await.0, 401);
    }
}
