//! `footfall doctor`: set-ups that are broken, each in its way, and what is said of each; nothing of
//! one that is good, and nothing is changed.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use rusqlite::Connection;
use serde_json::Value;
use tempfile::TempDir;
use uuid::Uuid;

use crate::clock::moved;
use crate::process;
use crate::service::{BINARY, Service, answer, delivery, now, run_json};
use crate::tls::authority::{Authority, Term};
use crate::tls::pebble::free_port;

const DATABASE: &str = "footfall.db";
const KEY: &str = "footfall.key";
const LEDGER: &str = "erasures.ledger";
/// What is true of the machine and of a folder without a service, whatever else is.
const ALWAYS: [&str; 2] = ["disk", "service"];

/// What is said: the exit status, and each finding as its check and its next step.
pub struct Said {
    status: Option<i32>,
    findings: Vec<(String, String)>,
    pub all: Value,
}

pub fn doctor(folder: &Path, env: &[(&str, &str)]) -> Said {
    let mut command = Command::new(BINARY);
    command.args(["doctor", "--json"]).env("FOOTFALL_DATA", folder).envs(env.iter().copied());
    let output = process::output(&mut command);
    let error = String::from_utf8_lossy(&output.stderr);
    let all: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{error}"));
    let rows = all["checks"].as_array().expect("a list").iter();
    let found = rows.filter(|row| row["state"] != "good" && row["check"] != "disk");
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let findings = found.map(|row| (text(&row["check"]), text(&row["next"]))).collect();
    Said { status: output.status.code(), findings, all }
}

impl Said {
    /// One check finds something, and says that as the next step; no other does.
    fn finds(&self, check: &str, next: &str) {
        self.finds_among(check, next);
        let is_other = |found: &str| found != check && !ALWAYS.contains(&found);
        let others = self.findings.iter().filter(|(found, _)| is_other(found)).count();
        assert_eq!(others, 0, "{check}: {:#}", self.all);
    }

    /// The same, where other checks find it too.
    pub fn finds_among(&self, check: &str, next: &str) {
        let said = |(found, step): &(String, String)| found == check && step.contains(next);
        assert!(self.findings.iter().any(said), "{check}, {next}: {:#}", self.all);
        let expected = if self.all["state"] == "fault" { 2 } else { 1 };
        assert_eq!(self.status, Some(expected), "{:#}", self.all);
    }

    /// Whatever else is, this check finds nothing.
    pub fn finds_no(&self, check: &str) {
        assert!(self.findings.iter().all(|(found, _)| found != check), "{check}: {:#}", self.all);
    }
}

/// A folder with a gym, events and a webhook that delivers, and no service.
async fn lived_in() -> Arc<TempDir> {
    let service = Service::start();
    let webhook = service.add_gym("mitte", "UTC");
    for _ in 0..3 {
        let body = delivery(Uuid::new_v4(), now(), "GYM_CHECKIN");
        assert_eq!(service.post(&webhook, body).await.0, 200);
    }
    let folder = service.folder.clone();
    assert!(service.stop());
    close(&folder);
    folder
}

/// A folder as footfall would make it.
pub fn close(folder: &TempDir) {
    fs::set_permissions(folder.path(), Permissions::from_mode(0o700)).expect("it is ours");
}

fn sql(folder: &Path, sql: &str) {
    let database = Connection::open(folder.join(DATABASE)).expect("it opens");
    database.execute_batch(sql).expect("the schema is known");
}

fn copy(from: &Path) -> TempDir {
    let to = TempDir::new().expect("a temporary folder");
    close(&to);
    for entry in fs::read_dir(from).expect("it can be read") {
        let entry = entry.expect("it can be read");
        fs::copy(entry.path(), to.path().join(entry.file_name())).expect("it is copied");
    }
    to
}

/// Every file, with its bytes and permissions.
fn files(folder: &Path) -> BTreeMap<String, (u32, Vec<u8>)> {
    let entries = fs::read_dir(folder).expect("it can be read");
    let file = |entry: fs::DirEntry| {
        let mode = entry.metadata().expect("it is there").permissions().mode();
        let bytes = fs::read(entry.path()).expect("it can be read");
        (entry.file_name().to_string_lossy().into_owned(), (mode, bytes))
    };
    entries.map(|entry| file(entry.expect("it can be read"))).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_finds_nothing_in_a_good_set_up_and_changes_nothing() {
    let folder = Arc::new(TempDir::new().expect("a temporary folder"));
    close(&folder);
    let authority = Authority::new();
    let certificate = authority.issue(folder.path(), "service", Term::Now);
    let root = authority.write_root(folder.path()).display().to_string();
    let mut env = certificate.env().to_vec();
    let mut service = Service::start_with(folder.clone(), "127.0.0.1:0", &env);
    service.client = authority.client();
    let webhook = service.add_gym("mitte", "UTC");
    let body = delivery(Uuid::new_v4(), now(), "GYM_CHECKIN");
    assert_eq!(service.post(&webhook, body).await.0, 200);
    let public_url = service.root.clone();
    env.extend([("FOOTFALL_PUBLIC_URL", &*public_url), ("FOOTFALL_TLS_ACME_ROOT", root.as_str())]);
    let said = doctor(folder.path(), &env);
    assert!(said.findings.is_empty(), "{:#}", said.all);
    let expected = i32::from(said.all["state"] != "good");
    assert_eq!(said.status, Some(expected), "only the disk of this machine may be full");
    assert!(said.all["checks"].as_array().is_some_and(|checks| checks.len() >= 15));
    assert!(service.stop());

    let before = files(folder.path());
    let said = doctor(folder.path(), &env);
    said.finds("service", "systemctl start footfall");
    assert!(files(folder.path()) == before, "no file is made, changed or removed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_finds_what_keeps_a_folder_from_being_opened() {
    let nowhere = TempDir::new().expect("a temporary folder");
    doctor(&nowhere.path().join("none"), &[]).finds("folder", "--data");
    doctor(nowhere.path(), &[]).finds("folder", "`footfall gym add` begins");
    assert_eq!(files(nowhere.path()).len(), 0, "none was made");
    let good = lived_in().await;
    let broken = |breaking: &dyn Fn(&Path)| {
        let folder = copy(good.path());
        breaking(folder.path());
        doctor(folder.path(), &[])
    };
    let write = |name: &'static str, bytes: &'static [u8]| {
        move |folder: &Path| fs::write(folder.join(name), bytes).expect("it is written")
    };
    let remove = |name: &'static str| {
        move |folder: &Path| fs::remove_file(folder.join(name)).expect("it is removed")
    };
    broken(&remove(KEY)).finds("key", "put back the footfall.key");
    broken(&write(KEY, &[7; 32])).finds("key", "put back the footfall.key");
    broken(&write(KEY, &[7; 31])).finds("key", "put back the footfall.key");
    let lost = broken(&remove(DATABASE));
    lost.finds("folder", "do what is said");
    assert!(lost.all.to_string().contains("is its disk mounted?"), "{:#}", lost.all);
    broken(&write(DATABASE, &[7; 8_192])).finds("database", "put a backup back");
    let later = broken(&|folder| {
        sql(folder, "UPDATE refinery_schema_history SET version = 9999 WHERE version = 1");
    });
    later.finds("folder", "do what is said");
    assert!(later.all.to_string().contains("later version"), "{:#}", later.all);
    let earlier = broken(&|folder| {
        sql(folder, "DELETE FROM refinery_schema_history WHERE version > 20");
    });
    earlier.finds("folder", "do what is said");
    assert!(earlier.all.to_string().contains("earlier version"), "{:#}", earlier.all);
    let alien = broken(&|folder| {
        let copy = folder.join("copy").display().to_string();
        run_json(folder, &["backup", &copy, "--json"]);
        fs::copy(folder.join("copy").join(DATABASE), folder.join(DATABASE))
            .expect("it is put back");
        fs::write(folder.join("footfall.db-wal"), [1; 64]).expect("it is written");
    });
    alien.finds("folder", "do what is said");
    assert!(alien.all.to_string().contains("does not belong"), "{:#}", alien.all);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_finds_what_is_wrong_in_a_folder() {
    let good = lived_in().await;
    let broken = |breaking: &dyn Fn(&Path)| {
        let folder = copy(good.path());
        breaking(folder.path());
        doctor(folder.path(), &[])
    };
    let mode = |name: &'static str, mode: u32| {
        move |folder: &Path| {
            fs::set_permissions(folder.join(name), Permissions::from_mode(mode))
                .expect("it is ours");
        }
    };
    broken(&mode("", 0o755)).finds("permissions", "chmod 700");
    broken(&mode(KEY, 0o644)).finds("permissions", "chmod 600");
    broken(&|folder| fs::create_dir(folder.join(LEDGER)).expect("it is made"))
        .finds("ledger", "chown");
    broken(&|folder| {
        fs::write(folder.join(LEDGER), "v2 torn\n").expect("it is written");
        mode(LEDGER, 0o600)(folder);
    })
    .finds("ledger", "earlier copy");
    broken(&|folder| sql(folder, "DELETE FROM tallies"))
        .finds("sample", "footfall rebuild --gym mitte");
    broken(&|folder| {
        sql(
            folder,
            "INSERT INTO events (gym, member, at, type, received_at) VALUES (1, 1, 1, 'X', 1)",
        );
    })
    .finds_among("integrity", "`footfall verify`, then `footfall rebuild`");
    broken(&damage_a_page).finds_among("integrity", "put a backup back");
    broken(&|folder| {
        sql(
            folder,
            "INSERT INTO erasures (gym, member, erased_until, reason, requested_at) \
                 VALUES (1, 1, 1, 'manual', 1)",
        );
    })
    .finds("deletions", "the log says what keeps them");
    broken(&|folder| {
        sql(folder, "UPDATE webhooks SET last_delivery_at = NULL, last_test_at = NULL");
    })
    .finds("webhooks", "footfall egym register mitte");
}

/// What a failing disk leaves: the root of the receipts is not what it was.
fn damage_a_page(folder: &Path) {
    const PAGE: usize = 4_096;
    let path = folder.join(DATABASE);
    let database = Connection::open(&path).expect("it opens");
    let sql = "SELECT rootpage FROM sqlite_schema WHERE name = 'receipts'";
    let root: u32 = database.query_row(sql, [], |row| row.get(0)).expect("the schema is known");
    let root = usize::try_from(root).expect("a small number");
    drop(database);
    let mut bytes = fs::read(&path).expect("it is there");
    bytes[(root - 1) * PAGE..root * PAGE].fill(0xA5);
    fs::write(path, bytes).expect("it is written");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_finds_what_is_wrong_in_a_configuration() {
    let good = lived_in().await;
    let folder = good.path();
    let file = folder.join("footfall.toml");
    fs::write(&file, "lissten = 'x'").expect("it is written");
    doctor(folder, &[("FOOTFALL_CONFIG", file.to_str().expect("text"))])
        .finds("configuration", "check-config");
    let authority = Authority::new();
    let over = authority.issue(folder, "over", Term::Over);
    doctor(folder, &over.env()).finds("certificate", "good files");
    let certificate = authority.issue(folder, "service", Term::Now);
    let at = |url| [&certificate.env()[..], &[("FOOTFALL_PUBLIC_URL", url)]].concat();
    doctor(folder, &at("https://127.0.0.2")).finds("certificate", "correct `public_url`");
    let none = [("FOOTFALL_PUBLIC_URL", "https://nowhere.invalid")];
    doctor(folder, &none).finds("address", "A or AAAA record");
    let port = free_port().to_string();
    let mail = [
        ("FOOTFALL_MAIL_SERVER", "127.0.0.1"),
        ("FOOTFALL_MAIL_PORT", &*port),
        ("FOOTFALL_MAIL_TLS", "none"),
        ("FOOTFALL_MAIL_FROM", "footfall@example.com"),
    ];
    doctor(folder, &mail).finds("mail", "correct [mail]");
    let unknown = "[{ gyms = ['brelin'], webhook = 'https://127.0.0.1/' }]";
    doctor(folder, &[("FOOTFALL_NOTIFY", unknown)]).finds("notify", "footfall gym list");
    let without_server = "[{ mail = ['manager@example.com'] }]";
    doctor(folder, &[("FOOTFALL_NOTIFY", without_server)]).finds("notify", "nothing starts");
}

#[needs::tools("faketime")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_finds_a_clock_that_is_wrong() {
    let good = lived_in().await;
    doctor(good.path(), &moved("+400d")).finds("clock", "timedatectl");
    doctor(good.path(), &moved("-400d")).finds("clock", "timedatectl");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_finds_what_waits_and_who_cannot_be_reached_beside_a_service() {
    let service = Service::start();
    close(&service.folder);
    let webhook = service.add_gym("mitte", "UTC");
    let future = delivery(Uuid::new_v4(), now() + 86_400_000, "GYM_CHECKIN");
    service.post(&webhook, future).await;
    let good = delivery(Uuid::new_v4(), now(), "GYM_CHECKIN");
    assert_eq!(service.post(&webhook, good).await.0, 200);
    doctor(service.data(), &[]).finds("quarantine", "footfall quarantine list mitte");
    let closed = format!("https://127.0.0.1:{}", free_port());
    let said = doctor(service.data(), &[("FOOTFALL_PUBLIC_URL", &closed)]);
    said.finds_among("address", "open in every firewall");
}

#[tokio::test]
async fn readyz_says_each_check_when_asked() {
    let service = Service::start();
    let ready = |path: &str| answer(service.client.get(format!("{}{path}", service.root)));
    assert!(ready("/readyz").await.1.get("checks").is_none());
    let (status, body) = ready("/readyz?verbose").await;
    assert_eq!(status, 200, "{body}");
    let checks = body["checks"].as_array().expect("a list");
    let names: Vec<_> = checks.iter().filter_map(|check| check["check"].as_str()).collect();
    assert_eq!(
        names,
        ["projection", "jobs", "ledger", "clock", "certificate", "disk", "deletions", "backup"]
    );
    let good = |check: &Value| check["check"] == "disk" || check["state"] == "good";
    assert!(checks.iter().all(good), "{body}");
}
