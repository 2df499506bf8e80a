//! An erasure that is killed at each of its statements, one after the other: the service that is
//! started on what is left completes it.
//!
//! The statements are counted by SQLite's own trace, on the connection of the real erasure, in a
//! process of its own: this test binary, started again.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use footfall::app::eraser;
use footfall::domain::ids::Account;
use footfall::projection::erase;
use footfall::store::{Database, ErasureReason};
use rusqlite::trace::{TraceEvent, TraceEventCodes};
use serde_json::{Value, json};
use tempfile::TempDir;
use uuid::Uuid;

use crate::erasure::{completed, live_a_while, reports, traces};
use crate::process;
use crate::service::{Service, kill_process, now, verify};

/// The test that this process is to run when it is started again, with the folder in a variable.
const CHILD: &str = "interrupted::an_erasure_killed_at_any_statement_is_completed";
const FOLDER: &str = "ERASE_IN";
/// Statements until the kill.
static LEFT: AtomicU32 = AtomicU32::new(u32::MAX);

fn of_environment(name: &str) -> String {
    std::env::var(name).expect("who starts it sets it")
}

/// What the process does that is started again, to be killed.
fn erase_in(folder: &Path) {
    let account = Account(of_environment("ERASE_ACCOUNT").parse().expect("a UUID"));
    let database = Database::open(folder).expect("it opens");
    let mut connection = database.connect().expect("it connects");
    LEFT.store(of_environment("ERASE_STATEMENTS").parse().expect("a number"), Ordering::Relaxed);
    connection.trace_v2(TraceEventCodes::SQLITE_TRACE_STMT, Some(die_in_time));
    let asked = database.transact(&mut connection, |tx| {
        let gym = tx.view().gyms()?[0].id;
        erase::request(tx, gym, account, now(), ErasureReason::Manual, now())
    });
    asked.expect("it is asked for");
    eraser::work_off(&database, &mut connection).expect("it is done");
}

#[expect(clippy::needless_pass_by_value, reason = "it is called so")]
fn die_in_time(event: TraceEvent<'_>) {
    // What a trigger does is told as a comment: the checksums are no steps of an erasure.
    if matches!(event, TraceEvent::Stmt(_, text) if text.starts_with("--")) {
        return;
    }
    if LEFT.fetch_sub(1, Ordering::Relaxed) == 0 {
        kill_process(std::process::id());
    }
}

fn copy(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).expect("the folder is there") {
        let entry = entry.expect("it can be read");
        std::fs::copy(entry.path(), to.join(entry.file_name())).expect("it is copied");
    }
}

/// Runs an erasure, killed at a statement; whether it came to its end.
fn erase_until(folder: &Path, account: Uuid, statements: u32) -> bool {
    let mut command = Command::new(std::env::current_exe().expect("this binary"));
    command
        .args([CHILD, "--exact"])
        .env(FOLDER, folder)
        .env("ERASE_ACCOUNT", account.to_string())
        .env("ERASE_STATEMENTS", statements.to_string());
    process::output(&mut command).status.success()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_erasure_killed_at_any_statement_is_completed() {
    if let Some(folder) = std::env::var_os(FOLDER) {
        return erase_in(Path::new(&folder));
    }
    let service = Service::start();
    let webhook = service.add_gym("mitte", "UTC");
    let token = service.add_token("all", "admin", &[]);
    let (ada, bob) = (Uuid::new_v4(), Uuid::new_v4());
    live_a_while(&service, &webhook, ada, 1).await;
    live_a_while(&service, &webhook, bob, 2).await;
    let before = reports(&service, &token).await;
    let whole = service.folder.clone();
    assert!(service.stop());
    let (mut statements, mut asked) = (0, 0);
    loop {
        let folder = Arc::new(TempDir::new().expect("a temporary folder"));
        copy(whole.path(), folder.path());
        let is_whole = erase_until(folder.path(), ada, statements);
        let about = format!("killed at statement {statements}");
        let service = Service::start_on(folder);
        let records = service.get_ok(&token, "/api/v1/erasures").await;
        if records["erasures"] == json!([]) {
            // It was killed before anybody could have been told that it was asked for.
            assert_eq!(asked, 0, "{about}");
            assert!(!traces(service.data(), ada).is_empty(), "{about}");
        } else {
            asked += 1;
            completed(&service, &token).await;
            assert_eq!(traces(service.data(), ada), Vec::<String>::new(), "{about}");
            let member = format!("/api/v1/gyms/mitte/members/{ada}");
            assert_eq!(service.get(&token, &member).await.0, 404, "{about}");
        }
        assert!(!traces(service.data(), bob).is_empty(), "{about}");
        assert_eq!(reports(&service, &token).await, before, "{about}");
        let verified: Value = verify(service.data());
        assert_eq!(verified["ok"], true, "{about}: {verified}");
        if is_whole {
            break;
        }
        statements += 1;
    }
    assert!(asked > 80, "an erasure has more than {asked} statements");
}
