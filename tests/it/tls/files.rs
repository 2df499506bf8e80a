//! A certificate from PEM files: what is good is used, what is not is refused, and a new one takes
//! over without a connection being dropped.

use std::fs;
use std::sync::Arc;

use rustix::process::Signal;
use tempfile::TempDir;
use uuid::Uuid;

use super::authority::{Authority, Files, Term};
use crate::patience::Patience;
use crate::process;
use crate::service::{Service, answer, client, delivery, now, run};

fn folder() -> Arc<TempDir> {
    Arc::new(TempDir::new().expect("a temporary folder"))
}

/// Over HTTPS, with a client that trusts the authority alone.
fn start(authority: &Authority, folder: Arc<TempDir>, files: &Files) -> Service {
    let mut service = Service::start_with(folder, "127.0.0.1:0", &files.env());
    assert!(service.root.starts_with("https://"), "{}", service.root);
    service.client = authority.client();
    service
}

/// When the certificate that the service has in use expires.
async fn expiry(service: &Service) -> String {
    let ready = service.client.get(format!("{}/readyz", service.root));
    let (status, body) = answer(ready).await;
    assert_eq!(status, 200, "{body}");
    body["certificate_expires_at"].as_str().expect("a time").to_owned()
}

fn hang_up(service: &Service) {
    process::signal(service.process_id(), Signal::HUP);
}

/// What the service has logged, when it has come to hold a text.
fn log_with(service: &Service, text: &str) -> String {
    let patience = Patience::until("the log says so");
    loop {
        let log = fs::read_to_string(service.data().join("service.log")).expect("a log");
        if log.contains(text) {
            return log;
        }
        patience.again_blocking();
    }
}

#[tokio::test]
async fn deliveries_come_over_https_and_plain_http_gets_nowhere() {
    let (authority, folder) = (Authority::new(), folder());
    let files = authority.issue(folder.path(), "first", Term::Now);
    let service = start(&authority, folder, &files);
    let webhook = service.add_gym("mitte", "Europe/Berlin");
    let body = delivery(Uuid::new_v4(), now(), "GYM_CHECKIN");
    assert_eq!(service.post(&webhook, body).await.0, 200);
    let plain = service.root.replace("https://", "http://");
    assert!(service.client.get(format!("{plain}/healthz")).send().await.is_err());
    let stranger = client().no_proxy().build().expect("a client");
    let refused = stranger.get(format!("{}/healthz", service.root)).send().await;
    assert!(refused.is_err(), "who does not trust the authority does not trust the service");
    assert!(service.stop(), "it ends well when asked to");
}

#[tokio::test]
async fn a_new_certificate_takes_over_and_open_connections_stay() {
    let (authority, folder) = (Authority::new(), folder());
    let files = authority.issue(folder.path(), "first", Term::Now);
    let service = start(&authority, folder.clone(), &files);
    let before = expiry(&service).await;
    // Of another authority, so that a handshake tells which of the two is shown.
    let other = Authority::new();
    other.issue(folder.path(), "second", Term::Now).replace(&files);
    hang_up(&service);
    log_with(&service, "the certificate was read again");
    assert_eq!(expiry(&service).await, before, "the connection that was open goes on");
    let root = format!("{}/healthz", service.root);
    assert!(authority.client().get(&root).send().await.is_err(), "a new one gets the new one");
    assert_eq!(answer(other.client().get(&root)).await.0, 200);
}

#[tokio::test]
async fn a_new_certificate_that_is_no_good_is_told_once_and_the_old_one_stays() {
    let (authority, folder) = (Authority::new(), folder());
    let files = authority.issue(folder.path(), "first", Term::Now);
    let mut service = start(&authority, folder.clone(), &files);
    let before = expiry(&service).await;
    authority.issue(folder.path(), "old", Term::Over).replace(&files);
    hang_up(&service);
    let log = log_with(&service, "the old one stays in use");
    assert!(log.contains("expired at"), "{log}");
    service.client = authority.client();
    assert_eq!(expiry(&service).await, before, "also for a new connection");
    authority.issue(folder.path(), "good", Term::Now).replace(&files);
    hang_up(&service);
    let log = log_with(&service, "the certificate was read again");
    assert_eq!(log.matches("the old one stays in use").count(), 1, "{log}");
}

#[test]
fn a_certificate_for_another_host_is_noticed() {
    let (authority, folder) = (Authority::new(), folder());
    let files = authority.issue(folder.path(), "good", Term::Now);
    let settings = folder.path().join("footfall.toml");
    let pair = format!("certificate = {:?}\nkey = {:?}\n", files.certificate, files.key);
    let acme = "acme.domains = ['localhost.test']\n".to_owned();
    for (tls, host, warned) in [
        (&pair, "localhost:8443", false),
        (&pair, "127.0.0.1", false),
        (&pair, "footfall.test", true),
        (&acme, "localhost.test", false),
        (&acme, "footfall.test", true),
    ] {
        let text = format!("public_url = 'https://{host}'\n[tls]\n{tls}");
        fs::write(&settings, text).expect("it can be written");
        let shown =
            run(folder.path(), &["--config", settings.to_str().expect("text"), "check-config"]);
        let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
        assert_eq!(shown.contains("the certificate is not for it"), warned, "{host}: {shown}");
    }
}

#[test]
fn what_is_no_good_is_refused_at_start_with_a_clear_word() {
    let (authority, folder) = (Authority::new(), folder());
    let issue = |name, term| authority.issue(folder.path(), name, term);
    let (good, other) = (issue("good", Term::Now), issue("other", Term::Now));
    let (over, to_come) = (issue("over", Term::Over), issue("to-come", Term::ToCome));
    let nonsense = folder.path().join("nonsense.pem");
    fs::write(&nonsense, "nonsense").expect("it can be written");
    let missing = folder.path().join("missing.pem");
    let pairs = [
        (&good.certificate, &other.key, "is not the key of"),
        (&over.certificate, &over.key, "expired at"),
        (&to_come.certificate, &to_come.key, "is not valid before"),
        (&nonsense, &good.key, "holds no certificate"),
        (&missing, &good.key, "cannot be read as PEM"),
        (&good.certificate, &nonsense, "cannot be read as a private key"),
        (&good.key, &good.key, "holds no certificate"),
    ];
    let pairs = pairs.into_iter().map(|(certificate, key, expected)| {
        (format!("certificate = {certificate:?}\nkey = {key:?}\n"), expected)
    });
    let nobody_answers = "acme.domains = ['a.test']\nacme.challenge = 'http-01'\n".to_owned();
    for (tls, expected) in pairs.chain([(nobody_answers, "set `tls.plain_listen`")]) {
        let settings = folder.path().join("footfall.toml");
        let text = format!("listen = '127.0.0.1:0'\n[tls]\n{tls}");
        fs::write(&settings, text).expect("it can be written");
        let settings = settings.to_str().expect("text");
        for command in ["serve", "check-config"] {
            let refused = run(folder.path(), &["--config", settings, command]);
            let error = String::from_utf8_lossy(&refused.stderr);
            assert!(!refused.status.success() && error.contains(expected), "{command}: {error}");
        }
    }
}
