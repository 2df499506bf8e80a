//! A day at a real gym, as far as one can be had: an authority issues the certificate, EGYM trusts
//! nobody else, and while deliveries come the secret and the certificate are changed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use footfall::app::simulate::traffic::{Plan, deliveries};
use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::Operator;
use super::stand_in::{Faults, StandIn};
use crate::patience::Patience;
use crate::process;
use crate::service::{Service, answer, now, run_json, verify};
use crate::tls::acme;
use crate::tls::authority::{Authority, Term, trusting};
use crate::tls::pebble::Pebble;

const KEY: &str = "key-of-mitte";
const DAY: i64 = 86_400_000;
/// Deliveries that are under way at once, at most.
const AT_ONCE: usize = 16;

fn events_of_a_day() -> Vec<Value> {
    let until = now() - DAY;
    let zone = chrono_tz::Europe::Berlin;
    let from = until - DAY;
    let plan = Plan { seed: 7, zone, members: 400, from, until, leavers_deleted: false };
    let events = deliveries(&plan).into_iter().map(
        |event| json!({ "accountId": event.account, "timestamp": event.at, "type": event.kind }),
    );
    let mut distinct: Vec<Value> = Vec::new();
    for event in events {
        if !distinct.contains(&event) {
            distinct.push(event);
        }
    }
    distinct
}

/// Lets a day happen, and goes on with it, from the beginning if need be, until `done`.
async fn live(egym: &StandIn, events: &[Value], done: &AtomicBool) {
    let mut under_way = egym.under_way();
    let mut days = 0;
    while days == 0 || !done.load(Ordering::Relaxed) {
        for event in events {
            egym.happens(KEY, event);
            under_way.wait_for(|count| *count < AT_ONCE).await.expect("it goes on");
        }
        days += 1;
    }
}

async fn certificate_expiry(client: &reqwest::Client, root: &str) -> Value {
    let (status, ready) = answer(client.get(format!("{root}/readyz"))).await;
    assert_eq!(status, 200, "{ready}");
    ready["certificate_expires_at"].clone()
}

/// Asks for a new certificate, and returns when it is in use.
async fn renew(service: &Service, client: &reqwest::Client, root: &str) {
    let before = certificate_expiry(client, root).await;
    process::signal(service.process_id(), Signal::HUP);
    let patience = Patience::until("there is another certificate");
    while certificate_expiry(client, root).await == before {
        patience.again().await;
    }
}

#[needs::tools("pebble")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_day_over_https_survives_new_secrets_and_new_certificates() {
    let folder = Arc::new(TempDir::new().expect("a temporary folder"));
    let pebble = Pebble::start(folder.path());
    let settings = acme::settings(&pebble, "tls-alpn-01");
    let env: Vec<_> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let at = format!("127.0.0.1:{}", pebble.tls_port);
    let service = Service::start_with(folder.clone(), &at, &env);
    let args = ["gym", "add", "mitte", "--name", "Mitte", "--time-zone", "Europe/Berlin", "--json"];
    run_json(service.data(), &args);
    // EGYM trusts the authority that issued the certificate, and nobody else.
    let issuing_root = pebble.issuing_root().await;
    let address = at.parse().expect("an address");
    let authority = Authority::new();
    let files = authority.issue(folder.path(), "egym", Term::Now);
    let egym = StandIn::start(&files, &issuing_root, &[(acme::DOMAIN, address)]);
    egym.add_location(KEY, true);
    let root = format!("https://{}:{}", acme::DOMAIN, pebble.tls_port);
    let operator = Operator {
        data: folder.path().to_owned(),
        env: vec![
            ("FOOTFALL_EGYM_API_KEY", KEY.to_owned()),
            ("FOOTFALL_EGYM_URL", egym.url.clone()),
            ("FOOTFALL_EGYM_ROOT", authority.write_root(folder.path()).display().to_string()),
            ("FOOTFALL_PUBLIC_URL", root.clone()),
        ],
    };
    operator.ok(&["register", "mitte"]);
    let events = events_of_a_day();
    egym.set_faults(Faults { repeat_each: 7, slow_each: 501, shuffled: true, drop_each: 0 });
    let done = AtomicBool::new(false);
    let client = trusting(&issuing_root).resolve(acme::DOMAIN, address).build().expect("a client");
    let change = async {
        let rotate = tokio::task::spawn_blocking(move || operator.ok(&["rotate", "mitte"]));
        rotate.await.expect("it succeeds");
        renew(&service, &client, &root).await;
        done.store(true, Ordering::Relaxed);
    };
    futures_util::join!(live(&egym, &events, &done), change);
    let answers = egym.answers().await;
    assert!(answers.iter().all(|status| *status == 200), "no delivery failed: {answers:?}");
    let verified = verify(service.data());
    assert_eq!((&verified["events"], &verified["ok"]), (&json!(events.len()), &json!(true)));
    egym.set_faults(Faults { drop_each: 2, ..Faults::default() });
    // Asked once: of two events at the same instant, one would be a duplicate.
    let last = now();
    for at in last - 9..=last {
        egym.happens(
            KEY,
            &json!({ "accountId": events[0]["accountId"], "timestamp": at, "type": "X" }),
        );
    }
    egym.answers().await;
    assert_eq!(verify(service.data())["events"], events.len() + 5, "what is not sent is lost");
}
