//! Background jobs that cannot do their work: the service says so, goes on without, and tries again.

use std::fs;

use uuid::Uuid;

use super::{eventually, metric, ready};
use crate::service::{Service, delivery, now, run_json};

/// Waits until `/readyz` names the job, and not the others.
async fn is_down(service: &Service, job: &str) {
    eventually("the job is down", async || {
        let (status, body) = ready(service).await;
        let detail = body["detail"].as_str().unwrap_or_default();
        (status == 503 && detail.contains(&format!(": {job};"))).then_some(())
    })
    .await;
    let restarts = format!("footfall_job_restarts_total{{name=\"{job}\"}}");
    assert!(metric(service, &restarts).await.expect("it is counted") >= 1.0);
    assert_eq!(metric(service, r#"footfall_job_running{name="heartbeat"}"#).await, Some(1.0));
}

async fn is_up(service: &Service, job: &str) {
    eventually("all jobs run", async || (ready(service).await.0 == 200).then_some(())).await;
    let running = format!("footfall_job_running{{name=\"{job}\"}}");
    assert_eq!(metric(service, &running).await, Some(1.0));
}

#[tokio::test]
async fn erasures_that_cannot_be_done_are_said_and_done_when_they_can_be() {
    let service = Service::start();
    let webhook = service.add_gym("mitte", "Europe/Berlin");
    let token = service.add_token("all", "admin", &[]);
    let ledger = service.data().join("erasures.ledger");
    drop(fs::remove_file(&ledger));
    fs::create_dir(&ledger).expect("a folder in its place");
    let leaver = Uuid::new_v4();
    for kind in ["GYM_CHECKIN", "MEMBERSHIP_DELETE"] {
        assert_eq!(service.post(&webhook, delivery(leaver, now(), kind)).await.0, 200);
    }
    is_down(&service, "eraser").await;
    let posted = service.post(&webhook, delivery(Uuid::new_v4(), now(), "GYM_CHECKIN")).await;
    assert_eq!(posted.0, 200, "deliveries go on");
    fs::remove_dir(&ledger).expect("it is empty");
    is_up(&service, "eraser").await;
    eventually("the erasure is complete", async || {
        let records = service.get_ok(&token, "/api/v1/erasures").await;
        records["erasures"][0]["completed_at"].is_string().then_some(())
    })
    .await;
}

#[tokio::test]
async fn retention_that_meets_a_damaged_row_is_said_and_goes_on_when_it_is_mended() {
    let service = Service::start();
    let webhook = service.add_gym("mitte", "Europe/Berlin");
    let old = delivery(Uuid::new_v4(), now() - 60 * 24 * 60 * 60_000, "GYM_CHECKIN");
    assert_eq!(service.post(&webhook, old).await.0, 200);
    let database =
        rusqlite::Connection::open(service.data().join("footfall.db")).expect("it opens");
    database.busy_timeout(std::time::Duration::from_secs(10)).expect("it waits");
    let damage = "UPDATE gyms SET retain_months = 1; UPDATE receipts SET entries = x'ff'";
    database.execute_batch(damage).expect("the schema is known");
    drop(database);
    let folder = service.folder.clone();
    assert!(service.stop());
    let service = Service::start_on(folder);
    is_down(&service, "retention").await;
    run_json(service.data(), &["rebuild", "--json"]);
    is_up(&service, "retention").await;
}
