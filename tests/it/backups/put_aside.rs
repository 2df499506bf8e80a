//! What a restore puts aside in the data folder: whoever is erased later is erased there too.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use uuid::Uuid;

use super::{copies, erase, lived_in, said};
use crate::erasure::{live_a_while, traces};
use crate::patience::Patience;
use crate::service::{Service, run, run_json, verify};

fn back_up(from: &Path) -> TempDir {
    let copy = TempDir::new().expect("a temporary folder");
    run_json(from, &["backup", &copy.path().display().to_string(), "--json"]);
    copy
}

fn restored(data: &Path, backup: &Path) {
    let output = run(data, &["restore", &backup.display().to_string(), "--yes"]);
    assert!(output.status.success(), "{}", said(&output));
}

fn put_aside(data: &Path) -> Vec<PathBuf> {
    let mut folders = copies(data);
    folders.retain(|path| path.display().to_string().contains("/before-restore-"));
    folders
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_erased_is_in_no_byte_of_what_a_restore_put_aside() {
    let members: Vec<Uuid> = (0..4).map(|_| Uuid::new_v4()).collect();
    let folder = lived_in(&members).await;
    let data = folder.path();
    let (copy, is_there) = (back_up(data), |member| !traces(data, member).is_empty());
    restored(data, copy.path());
    let aside = put_aside(data);
    assert_eq!(aside.len(), 1);
    assert!(members.iter().all(|member| !traces(&aside[0], *member).is_empty()));
    // What a restore that was killed left.
    let left = data.join("restore-unfinished");
    fs::create_dir(&left).expect("it is made");
    fs::copy(copy.path().join("footfall.db"), left.join("footfall.db")).expect("it is copied");
    erase(data, members[0]);
    assert!(!is_there(members[0]), "{:?}", traces(data, members[0]));
    assert!(!left.exists());
    // Beside a service, by a deletion.
    let service = Service::start_on(folder.clone());
    let token = service.add_token("all", "admin", &[]);
    let url = format!("{}/api/v1/gyms/mitte/members/{}", service.root, members[1]);
    let deleted = service.client.delete(url).bearer_auth(&token);
    assert_eq!(crate::service::answer(deleted).await.0, 202);
    crate::erasure::completed(&service, &token).await;
    assert!(!is_there(members[1]), "{:?}", traces(data, members[1]));
    assert!(!traces(&aside[0], members[2]).is_empty(), "nobody else is lost");
    assert!(service.stop());
    assert_eq!(verify(&aside[0])["ok"], true);
    // It can be put back, and its gym removed, there too.
    restored(data, &aside[0]);
    assert_eq!(verify(data)["ok"], true);
    assert_eq!(put_aside(data).len(), 2);
    run_json(data, &["gym", "remove", "mitte", "--yes", "--json"]);
    for member in &members {
        assert_eq!(traces(data, *member), Vec::<String>::new());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_put_aside_before_is_made_to_forget_at_the_start() {
    let (ada, bob) = (Uuid::new_v4(), Uuid::new_v4());
    let folder = lived_in(&[ada, bob]).await;
    let copy = back_up(folder.path());
    erase(folder.path(), ada);
    let aside = folder.path().join("before-restore-2026-01-01T000000Z");
    fs::create_dir(&aside).expect("it is made");
    // An earlier version put no key beside it.
    fs::copy(copy.path().join("footfall.db"), aside.join("footfall.db")).expect("it is copied");
    let _service = Service::start_on(folder.clone());
    let patience = Patience::until("it has forgotten");
    while !traces(folder.path(), ada).is_empty() {
        patience.again().await;
    }
    assert!(!traces(&aside, bob).is_empty(), "nobody else is lost");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_made_to_forget_goes_and_a_second_name_of_the_database_too() {
    let (ada, bob) = (Uuid::new_v4(), Uuid::new_v4());
    let folder = lived_in(&[ada, bob]).await;
    let data = folder.path();
    let file = data.join("footfall.db");
    let at = |stamp: &str| {
        let aside = data.join(format!("before-restore-{stamp}"));
        fs::create_dir(&aside).expect("it is made");
        aside.join("footfall.db")
    };
    // Cut short; without anything; of another key; and what a killed restore leaves.
    let bytes = fs::read(&file).expect("it is there");
    fs::write(at("1"), &bytes[..bytes.len() / 2]).expect("it is written");
    fs::write(at("2"), "").expect("it is written");
    fs::write(data.join("before-restore-2/footfall.db-wal"), &bytes).expect("it is written");
    fs::copy(&file, at("3")).expect("it is copied");
    fs::write(data.join("before-restore-3/footfall.key"), [7; 32]).expect("it is written");
    fs::hard_link(&file, at("4")).expect("it is linked");
    erase(data, ada);
    assert_eq!(traces(data, ada), Vec::<String>::new());
    assert_eq!(put_aside(data), Vec::<PathBuf>::new());
    assert!(!traces(data, bob).is_empty());
    assert_eq!(verify(data)["ok"], true);
    // And the service goes on with the same database.
    let service = Service::start_on(folder.clone());
    let webhook = service.add_webhook("mitte");
    live_a_while(&service, &webhook, Uuid::new_v4(), 9).await;
}

/// A copy in which the member is gone from the database, but not from the write-ahead log beside it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_erasure_that_was_not_complete_where_it_was_put_aside_is_completed_there() {
    let service = Service::start();
    let webhook = service.add_gym("mitte", "UTC");
    let token = service.add_token("all", "manager", &[]);
    let ada = Uuid::new_v4();
    live_a_while(&service, &webhook, ada, 1).await;
    let data = service.data().to_owned();
    let open = || rusqlite::Connection::open(data.join("footfall.db")).expect("it opens");
    let reader = open();
    reader.execute_batch("BEGIN; SELECT count(*) FROM events").expect("it reads");
    let deleted = crate::service::delivery(ada, crate::service::now(), "MEMBERSHIP_DELETE");
    assert_eq!(service.post(&webhook, deleted).await.0, 200);
    let database = open();
    let sql = "SELECT count(*) FROM erasures WHERE erased_at IS NOT NULL";
    let patience = Patience::until("the member is gone from the database");
    while database.query_row(sql, [], |row| row.get::<_, i64>(0)).expect("it is read") == 0 {
        patience.again().await;
    }
    let aside = data.join("before-restore-2026-01-01T000000Z");
    fs::create_dir(&aside).expect("it is made");
    // Whole, or made to forget before the log comes to it.
    for file in ["footfall.db", "footfall.key", "footfall.db-wal"] {
        fs::copy(data.join(file), aside.join(file)).expect("it is copied");
    }
    assert!(!traces(&aside, ada).is_empty(), "the log holds it");
    drop((reader, database));
    crate::erasure::completed(&service, &token).await;
    assert_eq!(traces(&data, ada), Vec::<String>::new());
}
