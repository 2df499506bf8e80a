//! `/healthz`, `/readyz`, and paths that are not there.

use crate::patience::Patience;
use crate::service::{Service, answer};

#[tokio::test]
async fn it_is_alive_ready_and_clear_about_what_is_not_there() {
    let service = Service::start();
    let get = |path: &str| answer(service.client.get(format!("{}{path}", service.root)));
    assert_eq!(get("/healthz").await.0, 200);
    assert_eq!(get("/readyz").await.0, 200);
    let (status, body) = get("/nothing").await;
    assert_eq!((status, body["code"].as_str()), (404, Some("not_found")));
    let (status, body) = answer(service.client.put(format!("{}/healthz", service.root))).await;
    assert_eq!((status, body["code"].as_str()), (405, Some("method_not_allowed")));
    assert!(service.stop(), "it ends well when asked to");
}

#[tokio::test]
async fn it_is_not_ready_when_nothing_can_be_written() {
    let service = Service::start();
    let locker = rusqlite::Connection::open(service.data().join("footfall.db")).expect("it opens");
    locker.execute_batch("BEGIN IMMEDIATE").expect("the lock is free");
    let (status, body) = answer(service.client.get(format!("{}/readyz", service.root))).await;
    assert_eq!((status, body["code"].as_str()), (503, Some("unavailable")), "{body}");
    locker.execute_batch("ROLLBACK").expect("it was begun");
    // A job that could not write meanwhile is started again after a pause.
    let patience = Patience::until("it is ready again");
    while answer(service.client.get(format!("{}/readyz", service.root))).await.0 != 200 {
        patience.again().await;
    }
}

#[tokio::test]
async fn it_is_not_ready_when_the_projection_is_behind() {
    let service = Service::start();
    service.add_gym("mitte", "Europe/Berlin");
    let other = rusqlite::Connection::open(service.data().join("footfall.db")).expect("it opens");
    let sql = "INSERT INTO events (gym, member, at, type, received_at) VALUES (1, 1, 1, 'X', 1)";
    other.execute(sql, []).expect("the schema is known");
    let (status, body) = answer(service.client.get(format!("{}/readyz", service.root))).await;
    assert_eq!(status, 503, "{body}");
}
