//! Backups that are made by themselves: whole, verified, few, and without whoever was erased.

mod doctor;
mod killed;
mod month;
mod odd;
mod put_aside;
mod sealed;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::Arc;

use tempfile::TempDir;
use uuid::Uuid;

use crate::erasure::{completed, live_a_while, traces};
use crate::patience::Patience;
use crate::process;
use crate::service::{BINARY, Service, answer, delivery, now, run_json, verify};

/// The copies of a shelf, by when they were made, and what else lies there.
pub fn copies(shelf: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(shelf).map(Iterator::collect::<Result<Vec<_>, _>>);
    let entries = entries.and_then(|entries| entries).unwrap_or_default();
    let mut paths: Vec<_> = entries.into_iter().map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

/// `footfall backup` as a timer runs it.
fn back_up(folder: &Path, shelf: &Path, keep: &str) -> Output {
    let mut command = std::process::Command::new(BINARY);
    command.arg("backup").env("FOOTFALL_DATA", folder).env("FOOTFALL_BACKUP_KEEP", keep);
    process::output(command.env("FOOTFALL_BACKUP_FOLDER", shelf))
}

pub fn made(folder: &Path, shelf: &Path, keep: &str) {
    let output = back_up(folder, shelf, keep);
    assert!(output.status.success(), "{}", said(&output));
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Erases a member by the command.
fn erase(folder: &Path, account: Uuid) {
    run_json(folder, &["erase", &account.to_string(), "--gym", "mitte", "--json"]);
}

/// A folder that was served for a while, with these members at its gym `mitte`.
async fn lived_in(members: &[Uuid]) -> Arc<TempDir> {
    let service = Service::start();
    let webhook = service.add_gym("mitte", "UTC");
    for (seed, member) in (0..).zip(members) {
        live_a_while(&service, &webhook, *member, seed).await;
    }
    let folder = service.folder.clone();
    assert!(service.stop());
    folder
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_was_erased_is_in_no_byte_of_any_copy_after_the_next_run() {
    let service = Service::start();
    let webhook = service.add_gym("mitte", "UTC");
    let token = service.add_token("all", "admin", &[]);
    let (ada, bob) = (Uuid::new_v4(), Uuid::new_v4());
    live_a_while(&service, &webhook, ada, 1).await;
    live_a_while(&service, &webhook, bob, 2).await;
    let place = TempDir::new().expect("a temporary folder");
    let shelf = place.path().join("shelf");
    made(service.data(), &shelf, "3");
    made(service.data(), &shelf, "3");
    let before = copies(&shelf);
    assert_eq!(before.len(), 2);
    assert!(before.iter().all(|copy| !traces(copy, ada).is_empty()), "the search finds her");
    let deleted = delivery(ada, now(), "MEMBERSHIP_DELETE");
    assert_eq!(service.post(&webhook, deleted).await.0, 200);
    completed(&service, &token).await;
    // A copy with the newer ledger beside it is what a restore by hand leaves.
    fs::copy(service.data().join("erasures.ledger"), before[0].join("erasures.ledger"))
        .expect("the ledger is there");
    let mut doctor = std::process::Command::new(BINARY);
    let seen = process::output(doctor.arg("--data").arg(&before[0]).args(["doctor", "--json"]));
    let seen = String::from_utf8_lossy(&seen.stdout).into_owned();
    assert!(seen.contains("the database is older than its ledger: 1 "), "{seen}");
    // What a crash left holds her too.
    fs::rename(&before[0], shelf.join("unfinished")).expect("it is moved");
    fs::create_dir(shelf.join("unfinished-scratch")).expect("it is made");
    fs::write(shelf.join("unfinished-scratch/half"), ada.as_bytes()).expect("it is written");
    made(service.data(), &shelf, "3");
    let after = copies(&shelf);
    assert_eq!((after.len(), &after[0]), (2, &before[1]), "{after:?}");
    for copy in &after {
        assert_eq!(traces(copy, ada), Vec::<String>::new());
        assert!(!traces(copy, bob).is_empty(), "nobody else is lost");
        let names = copies(copy).len();
        assert_eq!(names, 2, "database and key, and nothing beside them");
        assert_eq!(verify(copy)["ok"], true);
    }
    made(service.data(), &shelf, "2");
    let kept = copies(&shelf);
    assert_eq!((kept.len(), &kept[0]), (2, &after[1]), "the oldest goes");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_makes_the_first_by_itself_and_says_when() {
    let place = TempDir::new().expect("a temporary folder");
    let shelf = place.path().join("shelf").display().to_string();
    let env = [("FOOTFALL_BACKUP_EVERY", "24"), ("FOOTFALL_BACKUP_FOLDER", &*shelf)];
    let folder = Arc::new(TempDir::new().expect("a temporary folder"));
    let service = Service::start_with(folder, "127.0.0.1:0", &env);
    let patience = Patience::until("a backup is made");
    loop {
        let asked = service.client.get(format!("{}/metrics", service.root));
        let text = answer(asked).await.1.as_str().expect("text").to_owned();
        assert!(text.contains("footfall_backup_interval_seconds 86400"), "{text}");
        if !text.contains("footfall_backup_last_timestamp_seconds 0\n") {
            break;
        }
        patience.again().await;
    }
    let copies = copies(Path::new(&shelf));
    assert_eq!(copies.len(), 1, "{copies:?}");
    assert_eq!(verify(&copies[0])["ok"], true);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_database_makes_no_copy_and_another_database_s_copies_stay() {
    let (service, other) = (Service::start(), Service::start());
    service.add_gym("mitte", "UTC");
    other.add_gym("soho", "UTC");
    let place = TempDir::new().expect("a temporary folder");
    made(other.data(), place.path(), "1");
    let theirs = copies(place.path());
    made(service.data(), place.path(), "1");
    made(service.data(), place.path(), "1");
    let all = copies(place.path());
    assert_eq!(all.len(), 2, "{all:?}");
    assert!(all.contains(&theirs[0]));
    let database =
        rusqlite::Connection::open(service.data().join("footfall.db")).expect("it opens");
    database.execute_batch("UPDATE gyms SET name = 'x'").expect("the schema is known");
    let refused = back_up(service.data(), place.path(), "1");
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && said.contains("the copy is not good"), "{said}");
    assert!(all.iter().all(|copy| copies(copy).len() == 2), "the good ones are kept");
}
