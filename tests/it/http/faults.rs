//! What is wrong in the data is a 500 that says so, or is shown as well as it can be; never a line that
//! goes dead.

use rusqlite::Connection;
use serde_json::json;
use uuid::Uuid;

use crate::patience::Patience;
use crate::service::{Service, delivery, now};

fn execute(service: &Service, sql: &str) {
    let database = Connection::open(service.data().join("footfall.db")).expect("it opens");
    assert!(database.execute(sql, []).expect("it is taken") > 0, "{sql}");
}

fn log(service: &Service) -> String {
    std::fs::read_to_string(service.data().join("service.log")).expect("a log")
}

#[tokio::test]
async fn a_panic_is_a_500_in_one_line_of_the_log_and_nothing_else_suffers() {
    let service = Service::start();
    let webhook = service.add_gym("mitte", "Europe/Berlin");
    let token = service.add_token("all", "viewer", &[]);
    // Since then no time can be told in milliseconds.
    execute(&service, &format!("UPDATE tokens SET last_used_at = {}", i64::MIN));
    for _ in 0..2 {
        let (status, body) = service.get(&token, "/api/v1/gyms").await;
        assert_eq!((status, &body["code"]), (500, &json!("internal")), "{body}");
        assert_eq!(service.get("", "/healthz").await.0, 200);
    }
    let patience = Patience::until("both stand in the log");
    while log(&service).matches("ERROR").count() < 2 {
        patience.again().await;
    }
    let log = log(&service);
    let lines = log.lines().filter(|line| line.contains("ERROR")).collect::<Vec<_>>();
    assert_eq!(lines.len(), 2, "one line for each: {log}");
    assert!(lines[0].contains("src/") && lines[0].contains("please report it"), "{log}");
    assert!(!log.contains("panicked"), "{log}");
    let body = delivery(Uuid::new_v4(), now(), "GYM_CHECKIN");
    assert_eq!(service.post(&webhook, body).await.0, 200);
}

#[tokio::test]
async fn an_impossible_time_of_receipt_is_shown_and_breaks_no_page() {
    let service = Service::start();
    let webhook = service.add_gym("mitte", "Europe/Berlin");
    let token = service.add_token("all", "admin", &[]);
    let account = Uuid::new_v4();
    let body = delivery(account, now() - 60_000, "GYM_CHECKIN");
    assert_eq!(service.post(&webhook, body).await.0, 200);
    for (received_at, year) in [(i64::MAX, "9999-"), (i64::MIN, "0001-")] {
        execute(&service, &format!("UPDATE events SET received_at = {received_at}"));
        let log = service.get_ok(&token, "/api/v1/gyms/mitte/events").await;
        let shown = log["events"][0]["received_at"].as_str().expect("a time").to_owned();
        assert!(shown.starts_with(year), "{shown}");
        let member = format!("/api/v1/gyms/mitte/members/{account}");
        let member = service.get_ok(&token, &member).await;
        assert_eq!(member["events"][0]["received_at"], shown);
        let rebuilt = crate::service::run(service.data(), &["rebuild"]);
        assert!(rebuilt.status.success(), "{}", String::from_utf8_lossy(&rebuilt.stderr));
    }
}
