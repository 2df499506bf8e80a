//! Room: what an erasure or retention frees goes back to the disk.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use serde_json::json;
use tempfile::TempDir;
use uuid::Uuid;

use crate::erasure::{completed, traces};
use crate::service::{Service, Webhook, delivery, now, run, run_json, verify};

/// Bodies that wait in quarantine, each with more than fits a page.
const BODIES: i64 = 300;
/// What they take, each in three pages of 4 KiB; and what stays free of that.
const FILLED: u64 = 300 * 3 * 4_096;
const KEPT_FREE: u64 = 256 * 4_096;

fn size(folder: &Path) -> u64 {
    fs::metadata(folder.join("footfall.db")).expect("it is there").len()
}

async fn fill(service: &Service, webhook: &Webhook, account: Uuid) {
    let note = "room ".repeat(2_480);
    for _ in 0..BODIES {
        let body = json!({
            "accountId": account, "timestamp": "soon", "type": "GYM_CHECKIN", "note": note,
        });
        assert_eq!(service.post(webhook, body.to_string()).await.0, 422);
    }
}

/// How many bodies wait as they came.
fn whole_bodies(folder: &Path) -> i64 {
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
    let database = rusqlite::Connection::open_with_flags(folder.join("footfall.db"), flags);
    let sql = "SELECT count(*) FROM quarantine WHERE instr(body, 'soon') AND length(body) > 12400";
    let count = database.and_then(|database| database.query_row(sql, [], |row| row.get(0)));
    count.expect("the schema is known")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_file_shrinks_after_an_erasure_and_no_page_of_it_holds_what_moved() {
    let service = Service::start();
    let webhook = service.add_gym("mitte", "UTC");
    let token = service.add_token("all", "admin", &[]);
    let (ada, bob) = (Uuid::new_v4(), Uuid::new_v4());
    fill(&service, &webhook, ada).await;
    // What stands at the end of the file has to move up.
    fill(&service, &webhook, bob).await;
    let erase = async |account: Uuid| {
        let url = format!("{}/api/v1/gyms/mitte/members/{account}", service.root);
        let asked = service.client.delete(url).bearer_auth(&token);
        assert_eq!(crate::service::answer(asked).await.0, 202);
        completed(&service, &token).await;
        size(service.data())
    };
    let half = erase(ada).await;
    assert!(half < 2 * FILLED, "ada's have gone: {half}");
    assert!(half > FILLED, "bob's bodies are there: {half}");
    assert_eq!(traces(service.data(), ada), Vec::<String>::new());
    assert_eq!(whole_bodies(service.data()), BODIES, "what moved is whole");
    let least = erase(bob).await;
    assert!(least + FILLED * 9 / 10 < half, "{least} after {half}");
    assert!(least < FILLED / 2 + KEPT_FREE, "{least}");
    for account in [ada, bob] {
        assert_eq!(traces(service.data(), account), Vec::<String>::new());
    }
    assert_eq!(verify(service.data())["ok"], true);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_of_an_earlier_version_shrinks_once_it_was_compacted() {
    let service = Service::start();
    let webhook = service.add_gym("mitte", "UTC");
    let ada = Uuid::new_v4();
    fill(&service, &webhook, ada).await;
    assert!(!run(service.data(), &["compact"]).status.success(), "not beside a service");
    let folder = service.folder.clone();
    assert!(service.stop());
    let database = rusqlite::Connection::open(folder.path().join("footfall.db")).expect("it opens");
    let sql = "PRAGMA journal_mode = DELETE; PRAGMA auto_vacuum = NONE; VACUUM";
    database.execute_batch(sql).expect("it is as it was made before");
    drop(database);
    let before = size(folder.path());
    run_json(folder.path(), &["erase", &ada.to_string(), "--all-gyms", "--json"]);
    assert!(size(folder.path()) >= before, "it cannot shrink");
    let done = run_json(folder.path(), &["compact", "--json"]);
    assert_eq!(done["bytes"], size(folder.path()), "{done}");
    assert!(size(folder.path()) * 2 < before, "{done}");
    assert_eq!(verify(folder.path())["ok"], true);
    let service = Service::start_on(folder);
    fill(&service, &webhook, ada).await;
    let full = size(service.data());
    run_json(service.data(), &["erase", &ada.to_string(), "--all-gyms", "--json"]);
    assert!(size(service.data()) < full.max(before), "from then on it shrinks by itself");
    assert_eq!(traces(service.data(), ada), Vec::<String>::new());
}

/// A small disk, until it is dropped; none where disks cannot be made.
struct SmallDisk(Arc<TempDir>);

impl SmallDisk {
    fn of(size: &str) -> Option<SmallDisk> {
        let folder = TempDir::new().expect("a temporary folder");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={size},mode=700"), "none"]);
        let is_there = mount.arg(folder.path()).output().is_ok_and(|done| done.status.success());
        is_there.then(|| SmallDisk(Arc::new(folder)))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Whatever is open on it goes on until it is closed.
        drop(Command::new("umount").arg("--lazy").arg(self.0.path()).output());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_write_ahead_log_does_not_take_the_last_room_of_a_disk() {
    let Some(disk) = SmallDisk::of("16m") else { return };
    let service = Service::start_on(disk.0.clone());
    let webhook = service.add_gym("mitte", "UTC");
    for number in 0..2_000 {
        let body = delivery(Uuid::new_v4(), now() - number * 60_000, "GYM_CHECKIN");
        assert_eq!(service.post(&webhook, body).await.0, 200, "delivery {number}");
    }
    assert_eq!(verify(service.data())["ok"], true);
    assert!(service.stop());
}
