//! One process follows another on the same socket: nobody is refused, whoever is slow meanwhile.

use std::fs;
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tempfile::TempDir;
use uuid::Uuid;

use super::eventually;
use crate::service::{BINARY, Service, Webhook, answer, delivery, now, verify};
use crate::tls::authority::{Authority, Term, trusting};

const RESTARTS: usize = 10;
/// Time between two deliveries: 20 a second.
const EVERY: Duration = Duration::from_millis(50);
/// The sender waits no longer.
const ANSWER_SECONDS_MAX: u64 = 5;
/// Senders that stop half way, at each restart.
const SLOW: usize = 12;

/// Gives a socket to a service as systemd does: as descriptor 3, for exactly this process.
pub(super) fn start_on_socket(
    folder: Arc<TempDir>,
    socket: &TcpListener,
    env: &[(&str, &str)],
) -> Service {
    let mut shell = Command::new("sh");
    let script = "exec 3<&0 </dev/null; LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=listen \
                  exec \"$0\" \"$@\"";
    shell.args(["-c", script, BINARY]);
    let socket = socket.try_clone().expect("a second handle");
    shell.stdin(Stdio::from(std::os::fd::OwnedFd::from(socket)));
    Service::start_by(shell, folder, "127.0.0.1:1", env)
}

/// Connections on which a request stops half way: nothing, a part of a head, a part of a body with
/// and without the right secret.
fn slow_senders(address: &str, webhook: &Webhook) -> Vec<TcpStream> {
    let head = format!("POST {} HTTP/1.1\r\nhost: x\r\n", webhook.path);
    let secret = format!("x-api-key: {}\r\n", webhook.secret);
    let body = "content-length: 100\r\n\r\n{\"accountId\"";
    let starts =
        [String::new(), head.clone(), format!("{head}{secret}{body}"), format!("{head}{body}")];
    let starts = starts.iter().cycle().take(SLOW);
    starts
        .map(|start| {
            let mut line = TcpStream::connect(address).expect("it listens");
            line.write_all(start.as_bytes()).expect("it takes it");
            line
        })
        .collect()
}

/// Posts until it is told to stop; returns how many were posted, and what went wrong.
pub(super) async fn deliver(
    client: reqwest::ClientBuilder,
    url: &str,
    webhook: &Webhook,
    answered: &AtomicUsize,
    stop: &AtomicBool,
) -> (usize, Vec<String>) {
    let within = Duration::from_secs(ANSWER_SECONDS_MAX);
    let client = client.pool_max_idle_per_host(0).timeout(within);
    let client = client.build().expect("a client");
    let mut ticks = tokio::time::interval(EVERY);
    let mut posts = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        ticks.tick().await;
        let request = client.post(url).header("x-api-key", &webhook.secret);
        let request = request.body(delivery(Uuid::new_v4(), now(), "GYM_CHECKIN"));
        let post = async move {
            let answer = request.send().await;
            answer.map(|answer| answer.status().as_u16()).map_err(|error| format!("{error:?}"))
        };
        posts.push(tokio::spawn(post));
        answered.fetch_add(1, Ordering::Relaxed);
    }
    let all = join_all(posts).await;
    let count = all.len();
    let wrong = all.into_iter().map(|one| one.expect("it does not panic"));
    (count, wrong.filter(|one| *one != Ok(200)).map(|one| format!("{one:?}")).collect())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_restarts_refuse_nobody_whoever_is_slow_meanwhile() {
    refuse_nobody(reqwest::Client::builder(), "http", &[]).await;
}

/// The kernel holds whole handshakes, too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_restarts_refuse_nobody_who_comes_by_https() {
    let place = TempDir::new().expect("a temporary folder");
    let authority = Authority::new();
    let files = authority.issue(place.path(), "now", Term::Now);
    let root = fs::read(authority.write_root(place.path())).expect("it is there");
    refuse_nobody(trusting(&root), "https", &files.env()).await;
}

async fn refuse_nobody(client: reqwest::ClientBuilder, scheme: &str, env: &[(&str, &str)]) {
    let socket = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = socket.local_addr().expect("it has one").to_string();
    let folder = Arc::new(TempDir::new().expect("a temporary folder"));
    let mut service = start_on_socket(folder.clone(), &socket, env);
    let webhook = service.add_gym("mitte", "Europe/Berlin");
    let port = socket.local_addr().expect("it has one").port();
    let url = format!("{scheme}://localhost:{port}{}", webhook.path);
    let (sent, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
    let restart = async {
        for _ in 0..RESTARTS {
            let before = sent.load(Ordering::Relaxed);
            eventually("deliveries are under way", async || {
                (sent.load(Ordering::Relaxed) >= before + 10).then_some(())
            })
            .await;
            let slow = slow_senders(&address, &webhook);
            let (old, began) = (service, Instant::now());
            assert!(tokio::task::block_in_place(|| old.stop()), "it ends well");
            let took = began.elapsed();
            assert!(took < Duration::from_secs(3), "it waits for nobody who is slow: {took:?}");
            drop(slow);
            service = tokio::task::block_in_place(|| start_on_socket(folder.clone(), &socket, env));
        }
        stop.store(true, Ordering::Relaxed);
        service
    };
    let ((count, wrong), service) =
        tokio::join!(deliver(client, &url, &webhook, &sent, &stop), restart);
    assert!(wrong.is_empty(), "{} of {count}: {wrong:?}", wrong.len());
    assert_eq!(verify(service.data())["events"], count, "every one that was acknowledged is there");
}

/// What was sent before the stop is answered, also on a connection that waited for its next request.
#[tokio::test]
async fn what_has_arrived_is_answered_though_the_service_stops() {
    let service = Service::start();
    let webhook = service.add_gym("mitte", "Europe/Berlin");
    let first = service.post(&webhook, delivery(Uuid::new_v4(), now(), "GYM_CHECKIN")).await;
    assert_eq!(first.0, 200, "the connection is open");
    let asleep = rusqlite::Connection::open(service.data().join("footfall.db")).expect("it opens");
    asleep.execute_batch("BEGIN IMMEDIATE").expect("the lock is free");
    let request = service.client.post(format!("{}{}", service.root, webhook.path));
    let request = request.header("x-api-key", &webhook.secret);
    let body = delivery(Uuid::new_v4(), now(), "GYM_CHECKIN");
    let waiting = tokio::spawn(answer(request.body(body)));
    eventually("it waits for the disk", async || {
        let waits = super::metric(&service, "footfall_write_queue_wait_seconds_count").await;
        waits.filter(|count| *count >= 2.0)
    })
    .await;
    let folder = service.folder.clone();
    let stopping = tokio::task::spawn_blocking(move || service.stop());
    asleep.execute_batch("ROLLBACK").expect("it was begun");
    assert_eq!(waiting.await.expect("it does not panic").0, 200);
    assert!(stopping.await.expect("it does not panic"), "it ends well");
    assert_eq!(verify(folder.path())["events"], 2);
}

#[tokio::test]
async fn a_stop_cuts_off_a_body_that_stays_half_and_keeps_what_came() {
    let service = Service::start();
    let webhook = service.add_gym("mitte", "Europe/Berlin");
    let address = service.root.strip_prefix("http://").expect("plain HTTP").to_owned();
    let _slow = slow_senders(&address, &webhook);
    eventually("they are read", async || {
        let (_, text) = answer(service.client.get(format!("{}/metrics", service.root))).await;
        text.as_str()
            .expect("a text")
            .contains(r#"route="/webhooks/{webhook}",status="401""#)
            .then_some(())
    })
    .await;
    let (folder, began) = (service.folder.clone(), Instant::now());
    assert!(service.stop(), "it ends well");
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    let waiting = crate::service::run_json(folder.path(), &["quarantine", "list", "--json"]);
    assert_eq!(waiting.as_array().map(Vec::len), Some(SLOW / 4), "{waiting}");
}

#[tokio::test]
async fn after_a_stop_all_is_in_the_one_file_of_the_database() {
    let service = Service::start();
    let webhook = service.add_gym("mitte", "Europe/Berlin");
    let posted = service.post(&webhook, delivery(Uuid::new_v4(), now(), "GYM_CHECKIN")).await;
    assert_eq!(posted.0, 200);
    let folder = service.folder.clone();
    assert!(service.stop(), "it ends well");
    let beside = fs::metadata(folder.path().join("footfall.db-wal"));
    assert_eq!(beside.map_or(0, |file| file.len()), 0, "nothing is left beside it");
}
