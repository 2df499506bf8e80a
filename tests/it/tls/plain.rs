//! The plain door beside HTTPS: everybody is sent to where HTTPS is, and nowhere else.

use std::io::{Read, Write};
use std::sync::Arc;

use tempfile::TempDir;

use super::authority::{Authority, Term};
use super::pebble::free_port;
use crate::service::{Service, answer, connect};

/// A service with a plain door at that address.
fn start(authority: &Authority, plain: &str, settings: &[(&str, &str)]) -> Service {
    let folder = Arc::new(TempDir::new().expect("a temporary folder"));
    let files = authority.issue(folder.path(), "first", Term::Now);
    let settings = [&files.env()[..], &[("FOOTFALL_TLS_PLAIN_LISTEN", plain)], settings].concat();
    let mut service = Service::start_with(folder, "127.0.0.1:0", &settings);
    service.client = authority.client();
    service
}

/// The status of a request as it is written here, and where it sends to.
fn sent_to(address: &str, request: &str) -> (String, Option<String>) {
    let mut line = connect(address);
    let request = format!("{request}\r\nconnection: close\r\n\r\n");
    line.write_all(request.as_bytes()).expect("it takes it");
    let mut told = String::new();
    line.read_to_string(&mut told).expect("text");
    let to = told.lines().find_map(|line| line.strip_prefix("location: ")).map(str::to_owned);
    (told[9..12].to_owned(), to)
}

#[tokio::test]
async fn the_plain_door_sends_everybody_to_https() {
    let authority = Authority::new();
    let address = format!("127.0.0.1:{}", free_port());
    let service = start(&authority, &address, &[]);
    let to = |request: &str| sent_to(&address, request);
    let home = |path: &str| ("308".to_owned(), Some(format!("{}{path}", service.root)));
    let host = format!("host: {address}");
    assert_eq!(to(&format!("GET /docs?x=1 HTTP/1.1\r\n{host}")), home("/docs?x=1"));
    assert_eq!(to(&format!("POST / HTTP/1.1\r\n{host}")), home("/"));
    // What anybody may write does not lead elsewhere.
    for other in ["x-forwarded-host: evil.test", "forwarded: host=evil.test;proto=http"] {
        assert_eq!(to(&format!("GET /a HTTP/1.1\r\n{host}\r\n{other}")), home("/a"));
    }
    assert_eq!(to(&format!("GET http://evil.test/a?b HTTP/1.1\r\n{host}")), home("/a?b"));
    for nobody in ["host: ", "host: a@evil.test", "host: evil.test/x", "x: y"] {
        let (status, sent_to) = to(&format!("GET /a HTTP/1.1\r\n{nobody}"));
        assert!(status.starts_with('4') && sent_to.is_none(), "{nobody}: {status} {sent_to:?}");
    }
    let (status, _) = answer(service.client.get(format!("http://{address}/healthz"))).await;
    assert_eq!(status, 200, "who follows arrives");
    let challenge = "GET /.well-known/acme-challenge/x HTTP/1.1\r\n";
    assert_eq!(to(&format!("{challenge}{host}")), ("404".to_owned(), None));
}

#[tokio::test]
async fn the_plain_door_sends_to_the_public_url_when_it_is_known() {
    let authority = Authority::new();
    let address = format!("127.0.0.1:{}", free_port());
    let public = ("FOOTFALL_PUBLIC_URL", "https://footfall.test:8443");
    let _service = start(&authority, &address, &[public]);
    for host in [address.as_str(), "evil.test"] {
        let sent = sent_to(&address, &format!("GET /docs?x=1 HTTP/1.1\r\nhost: {host}"));
        let to = "https://footfall.test:8443/docs?x=1".to_owned();
        assert_eq!(sent, ("308".to_owned(), Some(to)));
    }
}
