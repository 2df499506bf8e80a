//! A new version takes over a data folder of an earlier one, and then another process from it, on one
//! socket and under load.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::eventually;
use super::restart::{deliver, start_on_socket};
use crate::service::{Service, verify};
use crate::upgrade::{assert_holds, copy, text, versions, webhook};

/// Deliveries that come in before there is a process, and in each stage after that.
const DELIVERIES_MIN: usize = 20;

/// What is answered about days that are over, byte by byte; only how far the log had come is left out,
/// since it grows meanwhile.
async fn reports(service: &Service, token: &str) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for name in ["visits", "members", "durations", "occupancy", "quality", "popular-times"] {
        let range = "from=2026-08-01&until=2026-11-15";
        let path = format!("{}/api/v1/gyms/mitte/reports/{name}?{range}", service.root);
        let request = service.client.get(path).bearer_auth(token);
        let answer = request.send().await.expect("an answer");
        assert_eq!(answer.status(), 200, "{name}");
        let text = answer.text().await.expect("a text");
        let (before, position) = text.split_once("\"position\":").expect("it says where it rests");
        let after = position.trim_start_matches(|digit: char| digit.is_ascii_digit());
        all.insert(name.to_owned(), format!("{before}{after}"));
    }
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upgrade_from_an_earlier_version_under_load_refuses_nobody() {
    for version in versions() {
        let (folder, facts) = copy(&version);
        let (webhook, token) = (webhook(&facts, "mitte"), text(&facts, "/tokens/admin"));
        let socket = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}{}", socket.local_addr().expect("it has one"), webhook.path);
        let (sent, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
        let some_are_sent = async || {
            let before = sent.load(Ordering::Relaxed);
            eventually("deliveries are under way", async || {
                (sent.load(Ordering::Relaxed) >= before + DELIVERIES_MIN).then_some(())
            })
            .await;
        };
        let start =
            || tokio::task::block_in_place(|| start_on_socket(folder.clone(), &socket, &[]));
        let upgrade = async {
            // Nobody serves yet: they wait in the kernel, and while the database is brought up to date.
            some_are_sent().await;
            let first = start();
            for (path, answer) in facts["answers"].as_object().expect("answers") {
                // Who comes now is in the cohort of this month, also where a range ends before.
                if path.contains("/reports/") && !path.contains("/retention?") {
                    assert_holds(answer, &first.get_ok(token, path).await, path);
                }
            }
            let before = reports(&first, token).await;
            some_are_sent().await;
            assert!(tokio::task::block_in_place(|| first.stop()), "it ends well");
            let second = start();
            some_are_sent().await;
            for (name, text) in reports(&second, token).await {
                assert!(before[&name] == text, "{name} changed");
            }
            stop.store(true, Ordering::Relaxed);
            // It has the last of them still to answer.
            second
        };
        let known = newest(&version.join("footfall.db"));
        let sending = deliver(reqwest::Client::builder(), &url, &webhook, &sent, &stop);
        let ((count, wrong), _second) = tokio::join!(sending, upgrade);
        assert!(wrong.is_empty(), "{} of {count}: {wrong:?}", wrong.len());
        let said = verify(folder.path());
        assert_eq!(said["ok"], true, "{said}");
        let after = added(&folder.path().join("footfall.db"), known);
        assert_eq!(after, count, "every one that was acknowledged is there");
    }
}

/// The position of the newest event in a database that nobody has opened.
fn newest(database: &Path) -> i64 {
    let uri = format!("file:{}?immutable=1", database.display());
    let connection = rusqlite::Connection::open(uri).expect("it opens");
    let newest = "SELECT MAX(position) FROM events";
    connection.query_row(newest, [], |row| row.get(0)).expect("a number")
}

/// How many events came after that.
fn added(database: &Path, position: i64) -> usize {
    let connection = rusqlite::Connection::open(database).expect("it opens");
    let added = "SELECT COUNT(*) FROM events WHERE position > ?1";
    let added: i64 = connection.query_row(added, [position], |row| row.get(0)).expect("a number");
    usize::try_from(added).expect("it fits")
}
