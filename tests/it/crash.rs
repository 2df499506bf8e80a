//! The process is killed in the middle of load: what was answered 200 is in the log.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use rusqlite::{Connection, OpenFlags};
use uuid::Uuid;

use crate::service::{self, Service, Webhook, delivery};

const KILLS: u64 = 50;
const SENDERS: u64 = 8;

/// Posts until the service is gone; returns the accounts of the deliveries that were accepted.
async fn post_until_gone(
    service: &Service,
    webhook: &Webhook,
    posted: &AtomicU64,
    gone: &AtomicBool,
) -> Vec<Uuid> {
    let mut accepted = Vec::new();
    while !gone.load(Ordering::Relaxed) {
        let account = Uuid::new_v4();
        let body = delivery(account, service::now() - 60_000, "GYM_CHECKIN");
        let request = service
            .client
            .post(format!("{}{}", service.root, webhook.path))
            .header("x-api-key", &webhook.secret)
            .body(body);
        match request.send().await {
            Ok(answer) if answer.status() == 200 => accepted.push(account),
            Ok(answer) => panic!("only 200 or no answer was to be expected: {}", answer.status()),
            Err(_) => break,
        }
        posted.fetch_add(1, Ordering::Relaxed);
    }
    accepted
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answered_delivery_survives_fifty_kills() {
    let folder = Arc::new(tempfile::TempDir::new().expect("a temporary folder"));
    let mut service = Service::start_on(folder.clone());
    let webhook = service.add_gym("mitte", "Europe/Berlin");
    let mut accepted = BTreeSet::new();
    for kill in 0..KILLS {
        let (posted, gone) = (AtomicU64::new(0), AtomicBool::new(false));
        let id = service.process_id();
        let senders =
            join_all((0..SENDERS).map(|_| post_until_gone(&service, &webhook, &posted, &gone)));
        let killer = async {
            // Kills at another moment of a batch each time, but never before there was load.
            while posted.load(Ordering::Relaxed) < 20 + kill * 7 {
                tokio::time::sleep(Duration::from_micros(200 + kill * 13)).await;
            }
            service::kill_process(id);
            gone.store(true, Ordering::Relaxed);
        };
        let (lists, ()) = tokio::join!(senders, killer);
        accepted.extend(lists.into_iter().flatten());
        service.kill();
        service = Service::start_on(folder.clone());
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
    let log = Connection::open_with_flags(folder.path().join("footfall.db"), flags);
    let log = log.expect("the database opens");
    let sql = "SELECT account FROM events JOIN members ON members.id = events.member";
    let mut statement = log.prepare(sql).expect("the schema is known");
    let rows = statement.query_map([], |row| Ok(Uuid::from_bytes(row.get(0)?)));
    let logged: Vec<Uuid> = rows.expect("it runs").map(|row| row.expect("a UUID")).collect();
    let distinct: BTreeSet<_> = logged.iter().copied().collect();
    assert_eq!(distinct.len(), logged.len(), "every event is in the log once");
    assert!(accepted.len() as u64 > KILLS * 20);
    let lost = accepted.difference(&distinct).count();
    assert_eq!(lost, 0, "of {} accepted deliveries", accepted.len());
    let verified = service::verify(folder.path());
    assert_eq!(verified["ok"], true, "{verified}");
    assert_eq!(verified["events"], logged.len());
}
