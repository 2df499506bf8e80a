//! Certificates from an authority, by both kinds of proof; kept, and used again at the next start.

use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use tempfile::TempDir;

use super::authority::trusting;
use super::front::Front;
use super::pebble::{Pebble, free_port};
use crate::patience::Patience;
use crate::process::Program;
use crate::service::{BINARY, Service, answer};

/// How long a certificate is good that is to be renewed soon. A third of it has to be enough for an
/// order that fails once and is tried again, on a machine that is busy with all other tests.
const SHORT_SECONDS: u64 = 45;

pub const DOMAIN: &str = "footfall.test";

/// Settings that get a certificate from pebble.
pub fn settings(pebble: &Pebble, challenge: &str) -> Vec<(&'static str, String)> {
    vec![
        ("FOOTFALL_TLS_ACME_DOMAINS", format!("[\"{DOMAIN}\"]")),
        ("FOOTFALL_TLS_ACME_DIRECTORY", pebble.directory()),
        ("FOOTFALL_TLS_ACME_ROOT", pebble.root.to_str().expect("text").to_owned()),
        ("FOOTFALL_TLS_ACME_CHALLENGE", challenge.to_owned()),
        ("FOOTFALL_TLS_ACME_CONTACT", "it@footfall.test".to_owned()),
    ]
}

/// Asks over a connection of its own; answers when the certificate ends.
async fn is_reached(service: &Service, root: &[u8]) -> String {
    let address = service.root.strip_prefix("https://").expect("HTTPS").parse().expect("address");
    let client = trusting(root).resolve(DOMAIN, address).build().expect("a client");
    let (status, body) =
        answer(client.get(format!("https://{DOMAIN}:{}/readyz", address.port()))).await;
    assert_eq!(status, 200, "{body}");
    body["certificate_expires_at"].as_str().expect("a time").to_owned()
}

#[needs::tools("pebble")]
#[tokio::test]
async fn a_certificate_is_fetched_by_either_proof_and_kept() {
    let folder = Arc::new(TempDir::new().expect("a temporary folder"));
    let pebble = Pebble::start(folder.path());
    let root = pebble.issuing_root().await;
    for challenge in ["tls-alpn-01", "http-01"] {
        let data = Arc::new(TempDir::new().expect("a temporary folder"));
        let mut settings = settings(&pebble, challenge);
        let plain = format!("127.0.0.1:{}", pebble.http_port);
        settings.push(("FOOTFALL_TLS_PLAIN_LISTEN", plain));
        let env: Vec<_> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let port = if challenge == "http-01" { free_port() } else { pebble.tls_port };
        let listen = format!("127.0.0.1:{port}");
        let service = Service::start_with(data.clone(), &listen, &env);
        is_reached(&service, &root).await;
        assert!(service.stop());
        for kept in std::fs::read_dir(data.path().join("acme")).expect("it keeps them") {
            let kept = kept.expect("it can be read").metadata().expect("it is there");
            assert_eq!(kept.permissions().mode() & 0o077, 0, "nobody else may read it");
        }
        let no_directory = ("FOOTFALL_TLS_ACME_ROOT", "");
        let env: Vec<_> = env.into_iter().chain([no_directory]).collect();
        let again = Service::start_with(data, &listen, &env);
        is_reached(&again, &root).await;
    }
}

/// The authority does not find us where it looks, and must not be asked again and again: it counts.
#[needs::tools("pebble")]
#[tokio::test]
async fn after_a_failed_proof_the_authority_is_left_in_peace() {
    let folder = Arc::new(TempDir::new().expect("a temporary folder"));
    let pebble = Pebble::start(folder.path());
    let settings = settings(&pebble, "tls-alpn-01");
    let env: Vec<_> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let listen = format!("127.0.0.1:{}", free_port());
    let data = Arc::new(TempDir::new().expect("a temporary folder"));
    let mut command = std::process::Command::new(BINARY);
    command.args(["serve", "--listen", &listen]).env("FOOTFALL_DATA", data.path());
    let log = std::fs::File::create(data.path().join("log")).expect("a file");
    let mut program = Program::start(command.envs(env).stderr(log.try_clone().expect("a file")));
    let said = || std::fs::read_to_string(data.path().join("log")).expect("a log");
    let patience = Patience::until("the proof has failed");
    while !said().contains("next_order_in_seconds=900") {
        patience.again().await;
    }
    program.kill();
    // Nor by the process that follows.
    let mut program = Program::start(command.stderr(log));
    let patience = Patience::until("the next process waits, too");
    while !said().contains("refused an order a short while ago") {
        patience.again().await;
    }
    program.kill();
    let said = said();
    assert_eq!(said.matches("port 443 of it is reached").count(), 1, "{said}");
    assert!(said.contains("next_order_in_seconds=900"), "{said}");
    assert!(said.contains("port 443 of it is reached from outside"), "{said}");
    assert!(said.contains(DOMAIN), "{said}");
}

#[needs::tools("pebble")]
#[tokio::test]
async fn a_certificate_is_renewed_by_itself_before_it_ends() {
    let folder = Arc::new(TempDir::new().expect("a temporary folder"));
    let pebble = Pebble::start_issuing(folder.path(), SHORT_SECONDS);
    let root = pebble.issuing_root().await;
    let settings = settings(&pebble, "tls-alpn-01");
    let env: Vec<_> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let listen = format!("127.0.0.1:{}", pebble.tls_port);
    let data = Arc::new(TempDir::new().expect("a temporary folder"));
    let service = Service::start_with(data, &listen, &env);
    let mut ends = std::collections::BTreeSet::new();
    // Each time over a new connection, which a certificate that has ended would not allow.
    let patience = Patience::until("it was renewed twice");
    while ends.len() < 3 {
        ends.insert(is_reached(&service, &root).await);
        patience.again().await;
    }
}

#[needs::tools("pebble")]
#[tokio::test]
async fn an_authority_is_understood_that_says_how_long_an_answer_to_head_would_be() {
    let [folder, front_folder] = [(); 2].map(|()| TempDir::new().expect("a temporary folder"));
    let pebble = Pebble::start(folder.path());
    let root = pebble.issuing_root().await;
    let front = Front::start(front_folder.path(), &pebble);
    let mut settings = settings(&pebble, "tls-alpn-01");
    settings.push(("FOOTFALL_TLS_ACME_DIRECTORY", front.directory()));
    settings.push(("FOOTFALL_TLS_ACME_ROOT", front.root.to_str().expect("text").to_owned()));
    let address = std::net::SocketAddr::from(([127, 0, 0, 1], pebble.tls_port));
    let data = TempDir::new().expect("a temporary folder");
    let mut command = std::process::Command::new(BINARY);
    command.args(["serve", "--listen", &address.to_string()]).env("FOOTFALL_DATA", data.path());
    let _program = Program::start(command.envs(settings).stderr(std::process::Stdio::null()));
    let client = trusting(&root).resolve(DOMAIN, address).build().expect("a client");
    let patience = Patience::until("it shows a certificate of the authority");
    while client.get(format!("https://{DOMAIN}:{}/readyz", address.port())).send().await.is_err() {
        patience.again().await;
    }
}

/// What an earlier start kept is of use; what is damaged there is made anew.
#[needs::tools("pebble")]
#[tokio::test]
async fn the_account_that_is_kept_is_used_while_the_authority_knows_it() {
    let folder = Arc::new(TempDir::new().expect("a temporary folder"));
    let pebble = Pebble::start(folder.path());
    let root = pebble.issuing_root().await;
    let settings = settings(&pebble, "tls-alpn-01");
    let env: Vec<_> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let listen = format!("127.0.0.1:{}", pebble.tls_port);
    let data = Arc::new(TempDir::new().expect("a temporary folder"));
    let kept = |kind: &str| {
        let mut found = std::fs::read_dir(data.path().join("acme")).expect("it keeps them");
        let found = found.find_map(|file| Some(file.ok()?.path()).filter(|path| is_of(path, kind)));
        found.expect("it is kept")
    };
    let fetch = || async {
        let service = Service::start_with(data.clone(), &listen, &env);
        is_reached(&service, &root).await;
        assert!(service.stop());
        std::fs::read(kept("account")).expect("it can be read")
    };
    let first = fetch().await;
    std::fs::remove_file(kept("certificate")).expect("it is there");
    assert_eq!(fetch().await, first);
    std::fs::remove_file(kept("certificate")).expect("it is there");
    std::fs::write(kept("account"), "torn").expect("it can be written");
    assert_ne!(fetch().await, b"torn");
}

/// By the clock of this machine, what the authority issues is as good as over. So would be the next.
#[needs::tools("pebble", "faketime")]
#[tokio::test]
async fn by_a_clock_that_is_ahead_the_authority_is_not_asked_again_and_again() {
    let folder = TempDir::new().expect("a temporary folder");
    let pebble = Pebble::start(folder.path());
    let data = TempDir::new().expect("a temporary folder");
    let mut command = std::process::Command::new(BINARY);
    let listen = format!("127.0.0.1:{}", pebble.tls_port);
    command.args(["serve", "--listen", &listen]).env("FOOTFALL_DATA", data.path());
    let log = std::fs::File::create(data.path().join("log")).expect("a file");
    // The authority's own certificate is good for 90 days too.
    command.envs(settings(&pebble, "tls-alpn-01")).envs(crate::clock::moved("+70d")).stderr(log);
    let _program = Program::start(&mut command);
    let said = || std::fs::read_to_string(data.path().join("log")).expect("a log");
    let patience = Patience::until("it asks whether the clock is right");
    while !said().contains("is the clock right?") {
        patience.again().await;
    }
    assert_eq!(said().matches("a new certificate is in use").count(), 1);
}

fn is_of(path: &std::path::Path, kind: &str) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(kind))
}
