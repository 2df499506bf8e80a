//! A service whose log cannot be written serves as ever, and says that lines are lost.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};
use std::sync::Arc;

use futures_util::future::join_all;
use tempfile::TempDir;
use uuid::Uuid;

use super::{eventually, metric, ready};
use crate::service::{BINARY, Service, delivery, now};

/// So many deliveries write more at the level `trace` than a pipe holds.
const DELIVERIES: usize = 400;

/// Delivers and erases, and sees that nothing is missing but lines of the log.
async fn serves_as_ever(service: Service) {
    let webhook = service.add_gym("mitte", "Europe/Berlin");
    let token = service.add_token("all", "admin", &[]);
    let posts = (0..DELIVERIES).map(|_| async {
        service.post(&webhook, delivery(Uuid::new_v4(), now(), "GYM_CHECKIN")).await.0
    });
    assert_eq!(join_all(posts).await, vec![200; DELIVERIES]);
    let leaver = Uuid::new_v4();
    for kind in ["GYM_CHECKIN", "MEMBERSHIP_DELETE"] {
        assert_eq!(service.post(&webhook, delivery(leaver, now(), kind)).await.0, 200);
    }
    eventually("the erasure is complete", async || {
        let records = service.get_ok(&token, "/api/v1/erasures").await;
        records["erasures"][0]["completed_at"].is_string().then_some(())
    })
    .await;
    assert_eq!(ready(&service).await.0, 200);
    eventually("lines are lost, and that is counted", async || {
        let lost = metric(&service, "footfall_log_lines_lost_total").await;
        lost.filter(|lost| *lost > 0.0)
    })
    .await;
    assert_eq!(metric(&service, r#"footfall_job_restarts_total{name="eraser"}"#).await, Some(0.0));
    assert!(service.stop(), "it ends well");
}

fn service_with_log(log: Stdio) -> Service {
    let folder = Arc::new(TempDir::new().expect("a temporary folder"));
    let env = [("FOOTFALL_LOG_FILTER", "trace")];
    Service::start_logging(Command::new(BINARY), folder, "127.0.0.1:0", &env, log)
}

#[tokio::test]
async fn a_disk_that_is_full_takes_nothing_but_the_log() {
    let full = File::options().write(true).open("/dev/full").expect("Linux has it");
    serves_as_ever(service_with_log(full.into())).await;
}

#[tokio::test]
async fn a_reader_that_is_gone_takes_nothing_but_the_log() {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    serves_as_ever(service_with_log(OwnedFd::from(writer).into())).await;
}

#[tokio::test]
async fn a_reader_that_reads_nothing_holds_up_nothing() {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    serves_as_ever(service_with_log(OwnedFd::from(writer).into())).await;
    drop(reader);
}

#[tokio::test]
async fn a_log_that_was_closed_at_the_start_is_no_file_of_ours() {
    let folder = Arc::new(TempDir::new().expect("a temporary folder"));
    let mut shell = Command::new("sh");
    shell.args(["-c", "exec \"$0\" \"$@\" 2>&- <&-", BINARY]);
    let service = Service::start_logging(shell, folder, "127.0.0.1:0", &[], Stdio::null());
    let webhook = service.add_gym("mitte", "Europe/Berlin");
    let posted = service.post(&webhook, delivery(Uuid::new_v4(), now(), "GYM_CHECKIN")).await;
    assert_eq!(posted.0, 200);
    let (folder, ended_well) = (service.folder.clone(), service.stop());
    assert!(ended_well);
    assert_eq!(crate::service::verify(folder.path())["ok"], true);
}
