//! Databases that are moved, replaced, lost, or put beside what belongs to another one: what was
//! answered with 200 is where it will be looked for.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use tempfile::TempDir;
use uuid::Uuid;

use crate::patience::Patience;
use crate::service::{BINARY, Service, Webhook, answer, delivery, now, run, run_json, verify};

const DATABASE: &str = "footfall.db";
const LOG: &str = "footfall.db-wal";

async fn post(service: &Service, webhook: &Webhook) -> u16 {
    service.post(webhook, delivery(Uuid::new_v4(), now(), "GYM_CHECKIN")).await.0
}

async fn ready(service: &Service) -> u16 {
    answer(service.client.get(format!("{}/readyz", service.root))).await.0
}

fn said(folder: &Path, args: &[&str]) -> String {
    let output = run(folder, args);
    assert!(!output.status.success(), "{args:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_would_be_written_to_a_file_that_was_moved_away_is_refused() {
    let service = Service::start();
    let webhook = service.add_gym("mitte", "UTC");
    assert_eq!(post(&service, &webhook).await, 200);
    let mut kept = 1;
    let aside = TempDir::new_in(service.data().parent().expect("a folder")).expect("a folder");
    for file in [DATABASE, LOG, "footfall.db-shm"] {
        let (here, there) = (service.data().join(file), aside.path().join(file));
        fs::rename(&here, &there).expect("it is moved");
        assert_eq!((post(&service, &webhook).await, ready(&service).await), (503, 503), "{file}");
        // Another in its place is not it.
        fs::copy(&there, &here).expect("it is copied");
        assert_eq!((post(&service, &webhook).await, ready(&service).await), (503, 503), "{file}");
        fs::rename(&there, &here).expect("it is moved back");
        assert_eq!((post(&service, &webhook).await, ready(&service).await), (200, 200), "{file}");
        kept += 1;
    }
    let log = fs::read_to_string(service.data().join("service.log")).expect("a log");
    assert!(log.contains("was moved, removed or replaced"), "it says why");
    let folder = service.folder.clone();
    assert!(service.stop());
    assert_eq!(verify(folder.path())["events"], kept, "every one that was acknowledged is there");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_lost_is_not_begun_anew() {
    let service = Service::start();
    let webhook = service.add_gym("mitte", "UTC");
    assert_eq!(post(&service, &webhook).await, 200);
    let folder = service.folder.clone();
    assert!(service.stop());
    let file = folder.path().join(DATABASE);
    let database = fs::read(&file).expect("it is there");
    for is_empty in [false, true] {
        fs::remove_file(&file).expect("it is removed");
        if is_empty {
            fs::write(&file, "").expect("it is written");
        }
        for command in [&["serve"][..], &["gym", "list"], &["verify"]] {
            let said = said(folder.path(), command);
            assert!(said.contains("there was a database in this folder"), "{said}");
        }
        assert_eq!(fs::metadata(&file).map_or(0, |there| there.len()), 0, "none is made");
        fs::write(&file, &database).expect("it is put back");
    }
    assert_eq!(verify(folder.path())["events"], 1);
    // Who says so begins with nothing.
    for name in [DATABASE, "footfall.mark"] {
        fs::remove_file(folder.path().join(name)).expect("it is removed");
    }
    assert_eq!(run_json(folder.path(), &["gym", "list", "--json"]), serde_json::json!([]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crashed_services_log_is_not_written_over_a_backup() {
    let mut service = Service::start();
    let webhook = service.add_gym("mitte", "UTC");
    assert_eq!(post(&service, &webhook).await, 200);
    let copy = TempDir::new().expect("a temporary folder");
    run_json(service.data(), &["backup", &copy.path().display().to_string(), "--json"]);
    assert_eq!(post(&service, &webhook).await, 200);
    service.kill();
    let folder = service.folder.clone();
    assert!(fs::metadata(folder.path().join(LOG)).expect("it is there").len() > 0);
    fs::copy(copy.path().join(DATABASE), folder.path().join(DATABASE)).expect("it is copied");
    for command in [&["serve"][..], &["gym", "list"]] {
        let said = said(folder.path(), command);
        assert!(said.contains("footfall.db-wal does not belong to"), "{said}");
    }
    fs::remove_file(folder.path().join(LOG)).expect("it is removed");
    let found = verify(folder.path());
    assert_eq!((&found["ok"], &found["events"]), (&true.into(), &1.into()), "{found}");
}

/// A limit that the shell or systemd (`LimitFSIZE=`) sets is not the end of the process.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_may_not_grow_any_more_is_like_a_full_disk() {
    let folder = Arc::new(TempDir::new().expect("a temporary folder"));
    let gym = ["gym", "add", "mitte", "--name", "m", "--time-zone", "UTC", "--json"];
    run_json(folder.path(), &gym);
    let mut shell = Command::new("sh");
    shell.args(["-c", "ulimit -f 3000; exec \"$0\" \"$@\"", BINARY]);
    let service = Service::start_by(shell, folder.clone(), "127.0.0.1:0", &[]);
    let webhook = service.add_webhook("mitte");
    let (mut kept, patience) = (0, Patience::until("the limit is reached"));
    loop {
        match post(&service, &webhook).await {
            200 => kept += 1,
            status => break assert_eq!(status, 503),
        }
        patience.again().await;
    }
    assert_eq!(post(&service, &webhook).await, 503);
    assert_eq!(service.get("no token", "/healthz").await.0, 200, "it lives");
    assert!(service.stop(), "it ends well");
    assert_eq!(verify(folder.path())["events"], kept);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_is_removed_under_a_running_service_is_put_back() {
    let service = Service::start();
    let file = service.data().join("footfall.key");
    let key = fs::read(&file).expect("it is there");
    fs::remove_file(&file).expect("it is removed");
    let copy = TempDir::new().expect("a temporary folder");
    let patience = Patience::until("it is put back");
    while !file.exists() {
        patience.again().await;
    }
    assert_eq!(fs::read(&file).expect("it is there"), key);
    run_json(service.data(), &["backup", &copy.path().display().to_string(), "--json"]);
    assert_eq!(fs::read(copy.path().join("footfall.key")).expect("it is there"), key);
}
