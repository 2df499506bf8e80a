//! `HEAD` wherever there is `GET`: the same status and headers, and no body, over one connection.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::service::Service;

/// Asks over a connection that is open; returns the status line and the headers, less the date.
fn ask(line: &mut BufReader<TcpStream>, method: &str, path: &str, token: &str) -> Vec<String> {
    let request =
        format!("{method} {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\r\n");
    line.get_mut().write_all(request.as_bytes()).expect("it takes it");
    let mut head = Vec::new();
    loop {
        let mut text = String::new();
        assert!(line.read_line(&mut text).expect("an answer within the time-out") > 0, "{path}");
        if text == "\r\n" {
            break;
        }
        head.push(text.trim_end().to_ascii_lowercase());
    }
    head.retain(|header| !header.starts_with("date:"));
    head.sort();
    head
}

fn connect(service: &Service) -> BufReader<TcpStream> {
    let address = service.root.strip_prefix("http://").expect("plain HTTP");
    let line = TcpStream::connect(address).expect("it listens");
    line.set_read_timeout(Some(Duration::from_secs(30))).expect("it can be set");
    BufReader::new(line)
}

fn length(head: &[String]) -> Option<usize> {
    let lengths = head.iter().filter_map(|header| header.strip_prefix("content-length: "));
    lengths.map(|length| length.parse().expect("a number")).next()
}

#[tokio::test]
async fn it_is_answered_like_get_without_the_body() {
    let service = Service::start();
    service.add_gym("mitte", "Europe/Berlin");
    let token = service.add_token("all", "admin", &[]);
    let mut heads = connect(&service);
    let day = "from=2026-03-01&until=2026-03-02";
    for path in [
        "/healthz",
        "/readyz",
        "/api/openapi.json",
        "/docs/",
        "/docs",
        "/api/v1/gyms",
        "/api/v1/gyms/mitte",
        "/api/v1/gyms/nowhere",
        &format!("/api/v1/gyms/mitte/reports/visits?{day}"),
        &format!("/api/v1/gyms/mitte/reports/visits?{day}&format=csv"),
        "/api/v1/gyms/mitte/events",
        "/",
        "/sign-in",
        "/nothing",
    ] {
        let mut gets = connect(&service);
        let get = ask(&mut gets, "GET", path, &token);
        let head = ask(&mut heads, "HEAD", path, &token);
        assert_eq!(head, get, "{path}");
        if let Some(length) = length(&get) {
            let mut body = vec![0; length];
            gets.read_exact(&mut body).expect("it is as long as it says");
        }
    }
}

#[tokio::test]
async fn a_stream_is_not_begun() {
    let service = Service::start();
    service.add_gym("mitte", "Europe/Berlin");
    let token = service.add_token("all", "viewer", &[]);
    let mut line = connect(&service);
    let head = ask(&mut line, "HEAD", "/api/v1/gyms/mitte/occupancy/stream", &token);
    assert!(head.contains(&"content-type: text/event-stream".to_owned()), "{head:?}");
    let next = ask(&mut line, "HEAD", "/healthz", &token);
    assert!(next.contains(&"http/1.1 200 ok".to_owned()), "the connection goes on: {next:?}");
    assert!(service.stop(), "nothing is left that a stop would wait for");
}

#[tokio::test]
async fn a_path_that_takes_no_get_takes_no_head() {
    let service = Service::start();
    let head = ask(&mut connect(&service), "HEAD", "/webhooks/x", "none");
    assert!(head.contains(&"allow: post".to_owned()), "{head:?}");
    assert!(head.iter().any(|line| line.starts_with("http/1.1 405")), "{head:?}");
}
