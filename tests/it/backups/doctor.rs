//! `footfall doctor` and `check-config` on backups, each in a set-up that is broken in one way.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use uuid::Uuid;

use super::sealed::{PASSPHRASE, Place};
use super::{copies, lived_in, said};
use crate::doctor::{close, doctor};
use crate::process;
use crate::service::{BINARY, now};

const HOUR: i64 = 3_600_000;
const PASSPHRASE_FILE: &str = "FOOTFALL_BACKUP_PASSPHRASE_FILE";

fn set_mode(place: &Place, mode: u32) {
    fs::set_permissions(place.passphrases(), Permissions::from_mode(mode)).expect("it is ours");
}

/// As if the only copy had been made so many hours ago.
fn make_older(place: &Place, hours: i64) {
    let then = chrono::DateTime::from_timestamp_millis(now() - hours * HOUR).expect("a time");
    let name = then.format("footfall-%Y-%m-%dT%H%M%SZ").to_string();
    fs::rename(&copies(&place.shelf())[0], place.shelf().join(name)).expect("it is renamed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_finds_a_backup_that_is_missing_too_old_or_impossible() {
    let folder = lived_in(&[Uuid::new_v4()]).await;
    close(&folder);
    let (data, place) = (folder.path(), Place::new());
    let shelf = place.shelf().display().to_string();
    let env = [("FOOTFALL_BACKUP_EVERY", "24"), ("FOOTFALL_BACKUP_FOLDER", &*shelf)];
    doctor(data, &env[1..]).finds_no("backup");
    doctor(data, &env).finds_among("backup", "`footfall backup` tries it");
    assert!(!place.shelf().exists(), "none was made");
    fs::create_dir(place.shelf()).expect("it is made");
    let none = doctor(data, &env);
    none.finds_among("backup", "`footfall backup` tries it");
    assert!(none.all.to_string().contains("no backup was made yet"), "{:#}", none.all);
    super::made(data, &place.shelf(), "3");
    doctor(data, &env).finds_no("backup");
    make_older(&place, 47);
    doctor(data, &env).finds_no("backup");
    make_older(&place, 50);
    let old = doctor(data, &env);
    old.finds_among("backup", "`footfall backup` tries it");
    assert!(old.all.to_string().contains("the last good backup is 50 hours old"), "{:#}", old.all);
    fs::remove_dir_all(place.shelf()).expect("it is removed");
    fs::write(place.shelf(), "a file").expect("it is written");
    doctor(data, &env).finds_among("backup", "ReadWritePaths=");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_finds_passphrases_that_are_missing_weak_open_to_others_or_too_new() {
    let folder = lived_in(&[Uuid::new_v4()]).await;
    close(&folder);
    let (data, place) = (folder.path(), Place::new());
    set_mode(&place, 0o600);
    place.made(data);
    let shelf = place.shelf().display().to_string();
    let file = place.passphrases().display().to_string();
    let env = [
        ("FOOTFALL_BACKUP_EVERY", "24"),
        ("FOOTFALL_BACKUP_FOLDER", &*shelf),
        (PASSPHRASE_FILE, &*file),
    ];
    doctor(data, &env).finds_no("backup");
    for weak in ["", "\n", "short"] {
        place.write(weak);
        doctor(data, &env).finds_among("backup", "put the passphrase into");
    }
    place.write("another, which is long enough");
    let other = doctor(data, &env);
    other.finds_among("backup", "add the passphrase of before as another line");
    assert_eq!(copies(&place.shelf()).len(), 1, "nothing is changed");
    place.write(PASSPHRASE);
    set_mode(&place, 0o640);
    doctor(data, &env).finds_among("backup", &format!("chmod 600 {file}"));
    fs::remove_file(&file).expect("it is removed");
    doctor(data, &env).finds_among("backup", "put the passphrase into");
}

#[test]
fn check_config_reads_the_passphrases_and_tells_when_others_may() {
    let place = Place::new();
    let check = || {
        let mut command = Command::new(BINARY);
        process::output(command.arg("check-config").env(PASSPHRASE_FILE, place.passphrases()))
    };
    set_mode(&place, 0o600);
    let good = check();
    assert!(good.status.success(), "{}", said(&good));
    let shown = String::from_utf8_lossy(&good.stdout).into_owned();
    assert!(!shown.contains("WARNING") && !shown.contains(PASSPHRASE), "{shown}");
    set_mode(&place, 0o644);
    let open = check();
    assert!(open.status.success() && String::from_utf8_lossy(&open.stdout).contains("mode 644"));
    place.write("short");
    assert!(said(&check()).contains("fewer than 16"));
    fs::remove_file(place.passphrases()).expect("it is removed");
    let missing = check();
    assert!(!missing.status.success() && said(&missing).contains("passphrase_file"));
    let mut nowhere = Command::new(BINARY);
    let nowhere = process::output(nowhere.arg("check-config").env("FOOTFALL_BACKUP_EVERY", "24"));
    assert!(!nowhere.status.success() && said(&nowhere).contains("needs `backup.folder`"));
}
