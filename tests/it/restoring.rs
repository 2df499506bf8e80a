//! `footfall restore`, through the real command: all of it or nothing, and nobody comes back.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use tempfile::TempDir;
use uuid::Uuid;

use crate::erasure::{completed, live_a_while, traces};
use crate::process::Program;
use crate::service::{BINARY, Service, delivery, now, run, run_json, verify};

fn temporary() -> TempDir {
    TempDir::new().expect("a temporary folder")
}

fn back_up(from: &Path) -> TempDir {
    let copy = temporary();
    run_json(from, &["backup", &copy.path().display().to_string(), "--json"]);
    copy
}

fn restore(folder: &Path, backup: &Path) -> Output {
    run(folder, &["restore", &backup.display().to_string(), "--yes", "--json"])
}

fn restored(folder: &Path, backup: &Path) {
    let output = restore(folder, backup);
    assert!(output.status.success(), "{}", said(&output));
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(found["ok"], true, "it says what `verify` says: {found}");
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// What a restore must not touch when it is refused.
fn contents(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let entries = fs::read_dir(folder).expect("it can be read");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("it can be read").path()).collect();
    paths.retain(|path| path.extension().is_none_or(|ending| ending != "lock"));
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), fs::read(&path).expect("a file"))).collect()
}

fn refused(folder: &Path, backup: &Path, because: &str) {
    let before = contents(folder);
    let output = restore(folder, backup);
    assert!(!output.status.success() && said(&output).contains(because), "{}", said(&output));
    assert!(contents(folder) == before, "{because}: nothing is touched");
}

/// What earlier restores put aside.
fn kept(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("it can be read");
    let paths = entries.map(|entry| entry.expect("it can be read").path());
    paths.filter(|path| path.display().to_string().contains("/before-restore-")).collect()
}

fn gyms(folder: &Path) -> Vec<String> {
    let listed = run_json(folder, &["gym", "list", "--json"]);
    let gyms = listed.as_array().expect("a list");
    gyms.iter().map(|gym| gym["gym"].as_str().expect("a slug").to_owned()).collect()
}

fn add_gym(folder: &Path, slug: &str) {
    run_json(folder, &["gym", "add", slug, "--name", "m", "--time-zone", "UTC", "--json"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_is_put_in_place_and_whoever_was_erased_stays_erased() {
    let service = Service::start();
    let webhook = service.add_gym("mitte", "UTC");
    let token = service.add_token("all", "admin", &[]);
    let (ada, bob) = (Uuid::new_v4(), Uuid::new_v4());
    live_a_while(&service, &webhook, ada, 1).await;
    live_a_while(&service, &webhook, bob, 2).await;
    let copy = back_up(service.data());
    let list = "/api/v1/gyms/mitte/events?after=0";
    let cursor = service.get_ok(&token, list).await["cursor"].as_str().expect("a text").to_owned();
    let deleted = delivery(ada, now(), "MEMBERSHIP_DELETE");
    assert_eq!(service.post(&webhook, deleted).await.0, 200);
    completed(&service, &token).await;
    service.add_gym("later", "UTC");
    refused_beside(&service, copy.path());
    let folder = service.folder.clone();
    assert!(service.stop());
    let key = fs::read(folder.path().join("footfall.key")).expect("it is there");

    let unasked = run(folder.path(), &["restore", &copy.path().display().to_string()]);
    assert!(!unasked.status.success() && said(&unasked).contains("--yes"), "{}", said(&unasked));
    restored(folder.path(), copy.path());
    let aside = kept(folder.path());
    assert_eq!(aside.len(), 1);
    let mode = fs::metadata(&aside[0]).expect("it is there").permissions().mode() & 0o777;
    assert_eq!(mode, 0o700);
    assert!(!folder.path().join("restore-unfinished").exists());
    assert_eq!(gyms(folder.path()), ["mitte"], "as it was then");
    let service = Service::start_on(folder.clone());
    let member = |who: Uuid| format!("/api/v1/gyms/mitte/members/{who}");
    assert_eq!(service.get(&token, &member(ada)).await.0, 404, "erased again");
    assert_eq!(service.get(&token, &member(bob)).await.0, 200);
    let after = format!("/api/v1/gyms/mitte/events?after={cursor}");
    assert_eq!(service.get(&token, &after).await.0, 409, "a new epoch");
    assert!(service.stop());

    // What was put aside can be put back, by the key that is here.
    let before = temporary();
    fs::rename(&aside[0], before.path().join("old")).expect("it is moved");
    assert_eq!(traces(folder.path(), ada), Vec::<String>::new());
    restored(folder.path(), &before.path().join("old"));
    assert_eq!(gyms(folder.path()), ["later", "mitte"]);
    assert_eq!(fs::read(folder.path().join("footfall.key")).expect("it is there"), key);
}

fn refused_beside(service: &Service, copy: &Path) {
    let output = restore(service.data(), copy);
    assert!(!output.status.success() && said(&output).contains("stop it"), "{}", said(&output));
    assert_eq!(kept(service.data()), Vec::<PathBuf>::new());
    assert_eq!(gyms(service.data()), ["later", "mitte"], "nothing is touched");
}

#[test]
fn a_backup_that_is_damaged_or_of_another_database_touches_nothing() {
    let (folder, other) = (temporary(), temporary());
    add_gym(folder.path(), "mitte");
    add_gym(other.path(), "soho");
    let (ours, theirs) = (back_up(folder.path()), back_up(other.path()));
    refused(folder.path(), theirs.path(), "another key");
    let file = ours.path().join("footfall.db");
    let good = fs::read(&file).expect("it is there");
    let changed = rusqlite::Connection::open(&file).expect("it opens");
    changed.execute_batch("UPDATE gyms SET name = 'x'").expect("the schema is known");
    drop(changed);
    refused(folder.path(), ours.path(), "the copy is not good");
    for (bytes, because) in [(&good[..4_096], "malformed"), (b"nonsense", "not a database")] {
        fs::write(&file, bytes).expect("it is written");
        refused(folder.path(), ours.path(), because);
    }
    fs::write(&file, b"").expect("it is written");
    refused(folder.path(), ours.path(), "is empty");
    // SQLite's, and not ours.
    fs::remove_file(&file).expect("it is removed");
    let strange = rusqlite::Connection::open(&file).expect("it opens");
    strange.execute_batch("CREATE TABLE a (b)").expect("it is written");
    drop(strange);
    refused(folder.path(), ours.path(), "no such table");
    // Where the key is lost, the database still says that it had another.
    fs::remove_file(folder.path().join("footfall.key")).expect("it is removed");
    refused(folder.path(), theirs.path(), "another database");
    fs::write(&file, good).expect("it is written");
    restored(folder.path(), ours.path());
    assert_eq!(gyms(folder.path()), ["mitte"], "the lost key came with the backup");
}

#[test]
fn a_restore_refuses_while_another_program_has_the_database_open() {
    let folder = temporary();
    add_gym(folder.path(), "mitte");
    let copy = back_up(folder.path());
    let file = folder.path().join("footfall.db");
    let other = rusqlite::Connection::open(&file).expect("it opens");
    let name = |connection: &rusqlite::Connection| {
        connection.query_row("SELECT slug FROM gyms", [], |row| row.get::<_, String>(0))
    };
    assert_eq!(name(&other).expect("it reads"), "mitte");
    let output = restore(folder.path(), copy.path());
    assert!(!output.status.success() && said(&output).contains("another program"), "{output:?}");
    drop(other);
    restored(folder.path(), copy.path());
}

#[test]
fn a_lost_database_and_a_damaged_one_are_restored() {
    let folder = temporary();
    add_gym(folder.path(), "mitte");
    let copy = back_up(folder.path());
    let file = folder.path().join("footfall.db");
    fs::write(&file, "damaged").expect("it is written");
    fs::write(folder.path().join("footfall.db-wal"), "of another").expect("it is written");
    restored(folder.path(), copy.path());
    let aside = &kept(folder.path())[0];
    assert_eq!(fs::read(aside.join("footfall.db")).expect("it is kept"), b"damaged");
    assert_eq!(fs::read(aside.join("footfall.db-wal")).expect("it is kept"), b"of another");
    fs::remove_file(&file).expect("it is removed");
    restored(folder.path(), copy.path());
    let machine = temporary();
    restored(&machine.path().join("new"), copy.path());
    assert_eq!(gyms(&machine.path().join("new")), ["mitte"]);
}

/// Killed as soon as a name appears in the folder, or a while after it.
#[test]
fn a_restore_that_is_killed_leaves_the_old_or_the_new_database() {
    let folder = Arc::new(temporary());
    add_gym(folder.path(), "old");
    let copy = back_up(folder.path());
    add_gym(folder.path(), "newer");
    let names = |part: &str| {
        let entries = fs::read_dir(folder.path()).expect("it can be read");
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        names.filter(|name| name.contains(part)).count()
    };
    for looks in [0, 1, 5, 20, 80] {
        for part in ["restore-unfinished", "before-restore"] {
            let before = names("before-restore");
            let mut command = Command::new(BINARY);
            command.args(["restore", "--yes"]).arg(copy.path()).env("FOOTFALL_DATA", folder.path());
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            let mut program = Program::start(&mut command);
            let is_there = || names(part) > if part == "before-restore" { before } else { 0 };
            while program.is_running() && !is_there() {}
            (0..looks).for_each(|_| assert!(names("") > 0));
            program.kill();
            assert_eq!(verify(folder.path())["ok"], true, "{part} {looks}");
            let there = gyms(folder.path());
            assert!(there == ["newer", "old"] || there == ["old"], "{there:?}");
            if there == ["old"] {
                add_gym(folder.path(), "newer");
            }
        }
    }
    restored(folder.path(), copy.path());
    assert_eq!(names("restore-unfinished"), 0, "what was left is cleared");
}
