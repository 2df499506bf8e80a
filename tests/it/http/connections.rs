//! Who opens connections and does nothing with them, asks without reading, or sends without end, takes
//! neither place nor memory from deliveries.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use uuid::Uuid;

use super::budgets::peak_memory_mib;
use crate::service::{Service, delivery, now};

/// The sender waits no longer.
const ANSWER_SECONDS_MAX: u64 = 5;
const PATIENCE: Duration = Duration::from_secs(30);

fn start(env: &[(&str, &str)]) -> Service {
    let folder = Arc::new(TempDir::new().expect("a temporary folder"));
    Service::start_with(folder, "127.0.0.1:0", env)
}

fn address(service: &Service) -> &str {
    service.root.strip_prefix("http://").expect("plain")
}

/// Asks for something small; whether it was answered.
fn ask(line: &mut TcpStream) -> bool {
    if line.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").is_err() {
        return false;
    }
    let (mut told, mut some) = (String::new(), [0; 1_024]);
    while !told.ends_with('}') {
        match line.read(&mut some) {
            Ok(read) if read > 0 => told.push_str(&String::from_utf8_lossy(&some[..read])),
            _ => return false,
        }
    }
    told.starts_with("HTTP/1.1 200 OK")
}

/// A connection on which something was asked, so that no time-out of the first request ends it.
fn asked(service: &Service) -> TcpStream {
    let mut line = TcpStream::connect(address(service)).expect("it listens");
    line.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    assert!(ask(&mut line), "it is answered");
    line
}

fn is_closed(line: &mut TcpStream) -> bool {
    match line.read_to_end(&mut Vec::new()) {
        Ok(_) => true,
        Err(error) => !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
    }
}

async fn delivers_from(service: &Service, webhook: &crate::service::Webhook, from: Ipv4Addr) {
    let client = reqwest::Client::builder().local_address(IpAddr::V4(from)).build();
    let post = client.expect("a client").post(format!("{}{}", service.root, webhook.path));
    let post = post.timeout(Duration::from_secs(ANSWER_SECONDS_MAX));
    let body = delivery(Uuid::new_v4(), now() - 60_000, "GYM_CHECKIN");
    let answer = post.header("x-api-key", &webhook.secret).body(body).send().await;
    assert_eq!(answer.expect("an answer in time").status(), 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_longest_idle_of_an_address_make_room_for_its_new_ones() {
    let service = start(&[("FOOTFALL_HTTP_CONNECTIONS_PER_ADDRESS_MAX", "20")]);
    let webhook = service.add_gym("mitte", "Europe/Berlin");
    let mut lines: Vec<_> = (0..60).map(|_| asked(&service)).collect();
    for (place, line) in lines[..40].iter_mut().enumerate() {
        assert!(is_closed(line), "line {place} of 60 had to go");
    }
    assert!(ask(&mut lines[59]), "the newest is open");
    delivers_from(&service, &webhook, Ipv4Addr::new(127, 0, 0, 2)).await;
    delivers_from(&service, &webhook, Ipv4Addr::LOCALHOST).await;
    let (_, metrics) = service.get("", "/metrics").await;
    let metrics = metrics.as_str().expect("a text");
    let refused = "footfall_refused_total{limit=\"connections_per_address\"} 0\n";
    assert!(!metrics.contains(refused) && metrics.contains("connections_per_address"), "{metrics}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delivery_finds_a_place_where_idle_connections_have_taken_all() {
    let service = start(&[("FOOTFALL_HTTP_CONNECTIONS_MAX", "64")]);
    let webhook = service.add_gym("mitte", "Europe/Berlin");
    let lines: Vec<_> = (0..200).map(|_| asked(&service)).collect();
    for last in 1..10 {
        delivers_from(&service, &webhook, Ipv4Addr::new(127, 0, 0, last)).await;
    }
    drop(lines);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_asks_without_reading_is_not_kept_in_memory() {
    const SENT_MAX: usize = 48 * 1024 * 1024;
    let service = start(&[]);
    let webhook = service.add_gym("mitte", "Europe/Berlin");
    // Its answer is a redirect without a body, ten times as long as the question.
    let questions = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n".repeat(2_000);
    let mut lines: Vec<_> = (0..4)
        .map(|_| {
            let line = TcpStream::connect(address(&service)).expect("it listens");
            line.set_write_timeout(Some(Duration::from_secs(3))).expect("a time-out");
            line
        })
        .collect();
    for line in &mut lines {
        let mut sent = 0;
        while sent < SENT_MAX && line.write_all(&questions).is_ok() {
            sent += questions.len();
        }
        assert!(sent < SENT_MAX, "it goes on taking what nobody reads the answers to");
    }
    let taken = peak_memory_mib(&service);
    assert!(taken < 200, "{taken} MiB");
    delivers_from(&service, &webhook, Ipv4Addr::LOCALHOST).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_does_not_come_is_not_waited_for() {
    let service = start(&[]);
    let mut line = TcpStream::connect(address(&service)).expect("it listens");
    line.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    let head = "POST /sign-in HTTP/1.1\r\nhost: x\r\nsec-fetch-site: same-origin\r\n\
                content-type: application/x-www-form-urlencoded\r\ncontent-length: 100\r\n\r\nname=";
    line.write_all(head.as_bytes()).expect("it takes it");
    let mut told = [0; 10];
    line.read_exact(&mut told).expect("an answer, and not after a minute");
    assert_eq!(&told, b"HTTP/1.1 4");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heads_that_are_too_large_are_refused_and_not_kept() {
    let service = start(&[]);
    let webhook = service.add_gym("mitte", "Europe/Berlin");
    let path = &webhook.path;
    for head in [
        format!("POST {path}?{} HTTP/1.1\r\nhost: x\r\n\r\n", "a".repeat(4 << 20)),
        format!("POST {path} HTTP/1.1\r\nhost: x\r\nx-api-key: {}\r\n\r\n", "k".repeat(4 << 20)),
        format!("POST {path} HTTP/1.1\r\nhost: x\r\n{}\r\n", "x: y\r\n".repeat(200_000)),
    ] {
        let mut line = TcpStream::connect(address(&service)).expect("it listens");
        line.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        // It may hang up before it has read all.
        drop(line.write_all(head.as_bytes()));
        let mut told = Vec::new();
        drop(line.read_to_end(&mut told));
        let told = String::from_utf8_lossy(&told);
        assert!(told.is_empty() || told.starts_with("HTTP/1.1 4"), "{told}");
    }
    assert!(peak_memory_mib(&service) < 200, "{} MiB", peak_memory_mib(&service));
    delivers_from(&service, &webhook, Ipv4Addr::LOCALHOST).await;
}
