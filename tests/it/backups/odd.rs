//! Copies that were moved, looked into, cut short, or made by another version or under another clock.

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;
use uuid::Uuid;

use super::sealed::{PASSPHRASE, Place};
use super::{back_up, copies, erase, lived_in, made, said};
use crate::clock::moved;
use crate::erasure::traces;
use crate::patience::Patience;
use crate::process;
use crate::service::{BINARY, Service, answer, run, verify};

/// Makes a database one of a later version.
fn make_later(file: &Path) {
    let database = rusqlite::Connection::open(file).expect("it opens");
    let sql = "INSERT INTO refinery_schema_history SELECT version + 1, 'later', applied_on, '1' \
               FROM refinery_schema_history ORDER BY version DESC LIMIT 1";
    database.execute(sql, []).expect("the schema is known");
}

fn damage(file: &Path) {
    let mut bytes = fs::read(file).expect("it is there");
    bytes[100..3_000].fill(7);
    fs::write(file, bytes).expect("it is written");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_put_aside_stays_while_nobody_is_erased_and_what_may_be_opened_later_after_that() {
    let (ada, bob) = (Uuid::new_v4(), Uuid::new_v4());
    let folder = lived_in(&[ada, bob]).await;
    let data = folder.path();
    let [damaged, later] = ["1", "2"].map(|name| data.join(format!("before-restore-{name}")));
    for aside in [&damaged, &later] {
        fs::create_dir(aside).expect("it is made");
        fs::copy(data.join("footfall.db"), aside.join("footfall.db")).expect("it is copied");
    }
    damage(&damaged.join("footfall.db"));
    make_later(&later.join("footfall.db"));
    let service = Service::start_on(folder.clone());
    let token = service.add_token("all", "admin", &[]);
    let patience = Patience::until("it was looked into");
    while !later.join("footfall.key").exists() {
        patience.again().await;
    }
    assert!(damaged.exists() && later.exists(), "nobody was erased");
    let path = format!("/api/v1/gyms/mitte/members/{ada}");
    let asked = service.client.delete(format!("{}{path}", service.root)).bearer_auth(&token);
    assert_eq!(answer(asked).await.0, 202);
    let patience = Patience::until("the one goes for which there is no hope");
    while damaged.exists() {
        patience.again().await;
    }
    assert!(later.exists());
    let open = service.get_ok(&token, "/api/v1/erasures").await;
    assert!(open["erasures"][0]["completed_at"].is_null(), "{open}");
    let ready = service.client.get(format!("{}/readyz", service.root));
    assert_eq!(answer(ready).await.0, 200, "deliveries and other erasures go on");
    fs::remove_dir_all(&later).expect("it is removed");
    crate::erasure::completed(&service, &token).await;
    assert_eq!(traces(data, ada), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_of_a_later_version_is_never_removed_and_a_damaged_one_not_while_nobody_is_erased() {
    let (ada, bob) = (Uuid::new_v4(), Uuid::new_v4());
    let folder = lived_in(&[ada, bob]).await;
    let (data, shelf) = (folder.path(), TempDir::new().expect("a temporary folder"));
    let shelf = shelf.path();
    made(data, shelf, "9");
    made(data, shelf, "9");
    let before = copies(shelf);
    make_later(&before[0].join("footfall.db"));
    fs::write(before[1].join("footfall.db"), "").expect("it is written");
    made(data, shelf, "9");
    assert!(before.iter().all(|copy| copy.exists()), "nobody was erased");
    let mut doctor = Command::new(BINARY);
    doctor.args(["doctor", "--json"]).env("FOOTFALL_DATA", data);
    let seen = process::output(doctor.env("FOOTFALL_BACKUP_FOLDER", shelf));
    let seen = String::from_utf8_lossy(&seen.stdout).into_owned();
    assert!(seen.contains("is not all there"), "{seen}");
    erase(data, ada);
    let output = back_up(data, shelf, "9");
    assert!(!output.status.success() && said(&output).contains("later version"), "{output:?}");
    assert!(before[0].exists() && !before[1].exists(), "what is empty is no good copy");
    let rest = copies(shelf);
    assert_eq!(rest.len(), 3);
    for copy in &rest[1..] {
        assert_eq!(traces(copy, ada), Vec::<String>::new());
        assert_eq!(verify(copy)["ok"], true);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_that_was_looked_into_or_has_lost_its_key_forgets_all_the_same() {
    let (ada, bob) = (Uuid::new_v4(), Uuid::new_v4());
    let folder = lived_in(&[ada, bob]).await;
    let (data, place) = (folder.path(), Place::new());
    let shelf = place.shelf();
    made(data, &shelf, "9");
    made(data, &shelf, "9");
    place.made(data);
    let [keyless, used, unnoted] = &copies(&shelf)[..] else { panic!("three copies") };
    fs::remove_file(keyless.join("footfall.key")).expect("it is removed");
    fs::remove_file(unnoted.join("footfall.forgotten")).expect("it is removed");
    // A copy that was served and restored into, and killed.
    fs::copy(used.join("footfall.db"), used.join("footfall.db-wal")).expect("it is copied");
    let nested = used.join("before-restore-2026-01-01T000000Z");
    fs::create_dir(&nested).expect("it is made");
    fs::copy(used.join("footfall.db"), nested.join("footfall.db")).expect("it is copied");
    fs::write(used.join("NOTES"), "of the operator").expect("it is written");
    erase(data, ada);
    let output = process::output(place.command(data).env("FOOTFALL_BACKUP_KEEP", "9"));
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(traces(&shelf, ada), Vec::<String>::new());
    let opened = super::sealed::opened(unnoted, PASSPHRASE);
    assert_eq!(traces(opened.path(), ada), Vec::<String>::new());
    assert!(!keyless.join("footfall.key").exists(), "who keeps it elsewhere wants it so");
    assert!(!traces(keyless, bob).is_empty() && used.join("NOTES").exists());
    assert_eq!(verify(used)["ok"], true);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_passphrase_of_the_command_line_loses_no_copy_of_the_configured_one() {
    let (ada, bob) = (Uuid::new_v4(), Uuid::new_v4());
    let folder = lived_in(&[ada, bob]).await;
    let (data, place) = (folder.path(), Place::new());
    // As an editor writes it.
    place.write(&format!("\u{feff}{PASSPHRASE} \r\n"));
    place.made(data);
    erase(data, ada);
    let other = place.shelf().with_file_name("other");
    fs::write(&other, "another one, and long enough").expect("it is written");
    let output = process::output(place.command(data).arg("--passphrase-file").arg(&other));
    assert!(output.status.success(), "{}", said(&output));
    let kept = copies(&place.shelf());
    assert_eq!(kept.len(), 2);
    for copy in kept {
        let opened = super::sealed::opened(&copy, "another one, and long enough");
        assert_eq!(traces(opened.path(), ada), Vec::<String>::new());
    }
}

#[needs::tools("faketime")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_was_ahead_pushes_no_copy_out_later() {
    let folder = lived_in(&[Uuid::new_v4()]).await;
    let (data, shelf) = (folder.path(), TempDir::new().expect("a temporary folder"));
    let shelf = shelf.path();
    made(data, shelf, "4");
    let first = copies(shelf);
    let mut ahead = Command::new(BINARY);
    ahead.arg("backup").env("FOOTFALL_DATA", data).env("FOOTFALL_BACKUP_FOLDER", shelf);
    assert!(process::output(ahead.envs(moved("+400d"))).status.success());
    let far = copies(shelf).pop().expect("it is there");
    made(data, shelf, "4");
    made(data, shelf, "4");
    let all = copies(shelf);
    assert_eq!((all.len(), &all[0]), (4, &first[0]));
    assert!(!all.contains(&far), "it is from now");
    made(data, shelf, "4");
    assert!(!first[0].exists(), "the oldest goes");
}

#[test]
fn a_backup_of_nothing_and_one_into_the_data_folder_are_refused() {
    let place = TempDir::new().expect("a temporary folder");
    let (data, elsewhere) = (place.path().join("data"), place.path().join("mistyped"));
    run(&data, &["gym", "add", "mitte", "--name", "Mitte", "--time-zone", "UTC"]);
    let copy = place.path().join("copy");
    let refused = run(&elsewhere, &["backup", copy.to_str().expect("text")]);
    assert!(!refused.status.success() && said(&refused).contains("is not there"), "{refused:?}");
    assert!(!elsewhere.exists() && !copy.exists());
    for folder in [data.clone(), data.join("trial-backups"), data.join("../data/x")] {
        let mut check = Command::new(BINARY);
        check.arg("check-config").env("FOOTFALL_DATA", &data);
        let refused = process::output(check.env("FOOTFALL_BACKUP_FOLDER", &folder));
        let said = said(&refused);
        assert!(!refused.status.success() && said.contains("is in the data folder"), "{said}");
    }
}
