//! Who is slow, silent or talks too much takes no delivery's time from it, over HTTPS and without.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use tempfile::TempDir;
use uuid::Uuid;

use super::authority::{Authority, Term};
use crate::patience::Patience;
use crate::service::{Service, connect, delivery, now};

/// Connections over which nothing comes.
const IDLE: usize = 2_000;
/// Connections on which a request, or a handshake, stops half way.
const HALF_OPEN: usize = 100;
const DELIVERIES: usize = 50;
/// The sender waits no longer.
const ANSWER_SECONDS_MAX: u64 = 5;

trait Line: Read + Write {}

impl<T: Read + Write> Line for T {}

/// Opens connections that are ready for a request.
type Connect<'c> = &'c dyn Fn() -> Box<dyn Line>;

/// Over HTTPS, with the handshake done.
fn connect_securely(
    address: &str,
    config: &Arc<ClientConfig>,
) -> StreamOwned<ClientConnection, TcpStream> {
    let name = ServerName::try_from("localhost").expect("a name");
    let session = ClientConnection::new(config.clone(), name).expect("a session");
    let mut line = StreamOwned::new(session, connect(address));
    line.conn.complete_io(&mut line.sock).expect("a handshake");
    line
}

/// Leaves lines as slow clients do, and sees deliveries answered all the same.
async fn deliver_beside_the_slow(service: &Service, address: &str, connect_line: Connect<'_>) {
    let webhook = service.add_gym("mitte", "Europe/Berlin");
    let head = format!("POST {} HTTP/1.1\r\nhost: x\r\n", webhook.path);
    let secret = format!("x-api-key: {}\r\n", webhook.secret);
    let starts =
        [head.clone(), format!("{head}{secret}content-length: 100\r\n\r\n{{\"accountId\"")];
    let half_open: Vec<_> = (0..HALF_OPEN)
        .map(|number| {
            let mut line = connect_line();
            line.write_all(starts[number % 2].as_bytes()).expect("it takes it");
            line.flush().expect("it takes it");
            line
        })
        .collect();
    let mut garbled = connect(address);
    garbled.write_all(b"\x16\x03\x01\x02\x00\x01").expect("it takes it");
    let mut talker = connect_line();
    // It may close before it has read all.
    drop(talker.write_all(format!("{head}x: {}\r\n\r\n", "x".repeat(1 << 20)).as_bytes()));
    drop(talker.flush());
    // Last, so that nothing but the deliveries comes after them: over HTTPS each is a handshake
    // that does not go on.
    let idle: Vec<_> = (0..IDLE).map(|_| connect(address)).collect();
    let posts = (0..DELIVERIES).map(|_| {
        let request = service.client.post(format!("{}{}", service.root, webhook.path));
        let request = request.timeout(Duration::from_secs(ANSWER_SECONDS_MAX));
        let body = delivery(Uuid::new_v4(), now(), "GYM_CHECKIN");
        request.header("x-api-key", &webhook.secret).body(body).send()
    });
    for answer in join_all(posts).await {
        assert_eq!(answer.expect("an answer within the sender's time").status(), 200);
    }
    let mut told = Vec::new();
    drop(talker.read_to_end(&mut told));
    assert!(!told.starts_with(b"HTTP/1.1 2"), "so large a head is not taken");
    drop((idle, half_open, garbled));
}

/// Of a client that trusts the authority alone.
fn client_config(authority: &Authority, folder: &TempDir) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    let root = CertificateDer::from_pem_file(authority.write_root(folder.path()));
    roots.add(root.expect("it was written")).expect("a root");
    Arc::new(ClientConfig::builder().with_root_certificates(roots).with_no_client_auth())
}

fn folder() -> Arc<TempDir> {
    Arc::new(TempDir::new().expect("a temporary folder"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deliveries_are_answered_beside_slow_clients() {
    let service = Service::start_on(folder());
    let address = service.root.strip_prefix("http://").expect("plain").to_owned();
    deliver_beside_the_slow(&service, &address, &|| Box::new(connect(&address))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deliveries_are_answered_beside_slow_clients_over_https() {
    let (authority, folder) = (Authority::new(), folder());
    let files = authority.issue(folder.path(), "service", Term::Now);
    let mut service = Service::start_with(folder.clone(), "127.0.0.1:0", &files.env());
    service.client = authority.client();
    let config = client_config(&authority, &folder);
    let address = service.root.strip_prefix("https://").expect("HTTPS").to_owned();
    deliver_beside_the_slow(&service, &address, &|| Box::new(connect_securely(&address, &config)))
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn handshakes_that_do_not_end_count_for_their_address() {
    let (authority, folder) = (Authority::new(), folder());
    let files = authority.issue(folder.path(), "service", Term::Now);
    // Nothing but the limit of an address ends a handshake as early as this test looks.
    let limits =
        [("FOOTFALL_HTTP_CONNECTIONS_PER_ADDRESS_MAX", "20"), ("FOOTFALL_HTTP_HEAD_SECONDS", "60")];
    let settings = [&files.env()[..], &limits].concat();
    let service = Service::start_with(folder.clone(), "127.0.0.1:0", &settings);
    let address = service.root.strip_prefix("https://").expect("HTTPS").to_owned();
    let mut begun: Vec<_> = (0..60)
        .map(|number| {
            let mut line = connect(&address);
            if number % 2 == 0 {
                line.write_all(b"\x16\x03\x01\x02\x00\x01").expect("it takes it");
            }
            line.set_nonblocking(true).expect("it need not wait");
            line
        })
        .collect();
    let is_open = |line: &mut TcpStream| {
        line.read(&mut [0]).is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
    };
    let mut open = || begun.iter_mut().filter_map(|line| is_open(line).then_some(())).count();
    let patience = Patience::until("40 of 60 handshakes had to go");
    while open() > 20 {
        patience.again().await;
    }
    assert_eq!(open(), 20, "those within the limit may go on");
    let newest = connect_securely(&address, &client_config(&authority, &folder));
    drop((begun, newest));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn idle_connections_take_no_files_from_deliveries() {
    let service = Service::start_with_files(folder(), 256);
    let webhook = service.add_gym("mitte", "Europe/Berlin");
    let address = service.root.strip_prefix("http://").expect("plain");
    let idle: Vec<_> = (0..IDLE).map(|_| connect(address)).collect();
    let body = delivery(Uuid::new_v4(), now(), "GYM_CHECKIN");
    assert_eq!(service.post(&webhook, body).await.0, 200);
    drop(idle);
}

/// Asks once, and then stops half way in the next request; returns when the service hangs up.
fn stop_in_the_second_request(mut line: impl Line) {
    line.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").expect("it takes it");
    line.flush().expect("it takes it");
    let mut told = [0; 15];
    line.read_exact(&mut told).expect("an answer");
    assert_eq!(&told, b"HTTP/1.1 200 OK");
    line.write_all(b"GET /hea").expect("it takes it");
    line.flush().expect("it takes it");
    // It hangs up without a word.
    match line.read_to_end(&mut Vec::new()) {
        Ok(_) => {}
        Err(error) => assert_ne!(error.kind(), ErrorKind::WouldBlock, "{error}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_stops_in_a_later_request_is_closed_and_a_stream_is_not() {
    let short = [("FOOTFALL_HTTP_IDLE_SECONDS", "1"), ("FOOTFALL_HTTP_HEAD_SECONDS", "1")];
    let patience = Duration::from_secs(10);
    let service = Service::start_with(folder(), "127.0.0.1:0", &short);
    service.add_gym("mitte", "Europe/Berlin");
    let token = service.add_token("all", "viewer", &[]);
    let address = service.root.strip_prefix("http://").expect("plain").to_owned();
    let mut stream = connect(&address);
    let path = "/api/v1/gyms/mitte/occupancy/stream";
    let ask = format!("GET {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\r\n");
    stream.write_all(ask.as_bytes()).expect("it takes it");
    let line = connect(&address);
    line.set_read_timeout(Some(patience)).expect("a time-out");
    stop_in_the_second_request(line);
    // It was there before, and says something yet.
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a time-out");
    let (mut told, mut some) = (String::new(), [0; 4_096]);
    while told.matches("data:").count() < 2 {
        let read = stream.read(&mut some).expect("it says something in time");
        assert!(read > 0, "it was closed after {told}");
        told.push_str(&String::from_utf8_lossy(&some[..read]));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_stops_in_a_later_request_is_closed_over_https_too() {
    let (authority, folder) = (Authority::new(), folder());
    let files = authority.issue(folder.path(), "service", Term::Now);
    let short = [("FOOTFALL_HTTP_IDLE_SECONDS", "1"), ("FOOTFALL_HTTP_HEAD_SECONDS", "1")];
    let settings = [&files.env()[..], &short].concat();
    let service = Service::start_with(folder.clone(), "127.0.0.1:0", &settings);
    let address = service.root.strip_prefix("https://").expect("HTTPS").to_owned();
    let config = client_config(&authority, &folder);
    let line = connect_securely(&address, &config);
    line.sock.set_read_timeout(Some(Duration::from_secs(10))).expect("a time-out");
    stop_in_the_second_request(line);
}
