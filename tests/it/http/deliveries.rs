//! `POST /webhooks/{webhook}`: each row of the contract, and bad input of all kinds.

use futures_util::future::join_all;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::time::Duration;
use uuid::Uuid;

use crate::patience::Patience;
use crate::service::{Service, answer, connect, delivery, now, run_json, verify};

const MINUTE: i64 = 60_000;

fn quarantined(service: &Service) -> Vec<Value> {
    let listed = run_json(service.data(), &["quarantine", "list", "--json"]);
    listed.as_array().expect("a list").clone()
}

#[tokio::test]
async fn a_delivery_is_accepted_once_and_a_repeat_is_a_duplicate() {
    let service = Service::start();
    let webhook = service.add_gym("mitte", "Europe/Berlin");
    let second = service.add_webhook("mitte");
    let body = delivery(Uuid::new_v4(), now() - MINUTE, "GYM_CHECKIN");
    let accepted = json!({ "status": "accepted", "position": 1 });
    assert_eq!(service.post(&webhook, body.clone()).await, (200, accepted));
    let duplicate = json!({ "status": "duplicate" });
    assert_eq!(service.post(&webhook, body.clone()).await, (200, duplicate.clone()));
    assert_eq!(service.post(&second, body.to_uppercase()).await.0, 422, "names are exact");
    assert_eq!(service.post(&second, body).await, (200, duplicate), "through another webhook");
    assert_eq!(verify(service.data())["events"], 1);
}

#[tokio::test]
async fn a_wrong_content_type_loses_nothing() {
    let service = Service::start();
    let webhook = service.add_gym("mitte", "Europe/Berlin");
    for kind in ["text/plain", "application/xml", "nonsense", "application/json; charset=x"] {
        let request = service.client.post(format!("{}{}", service.root, webhook.path));
        let body = delivery(Uuid::new_v4(), now(), "GYM_CHECKIN");
        let request = request.header("x-api-key", &webhook.secret).header("content-type", kind);
        assert_eq!(answer(request.body(body)).await.0, 200, "{kind}");
    }
}

#[tokio::test]
async fn a_test_is_recorded_on_its_webhook_and_is_no_event() {
    let service = Service::start();
    let webhook = service.add_gym("mitte", "Europe/Berlin");
    let never = run_json(service.data(), &["webhook", "list", "--json"]);
    assert_eq!(never[0]["last_test_at"], Value::Null);
    for body in [r#"{"type":"TEST"}"#.to_owned(), delivery(Uuid::new_v4(), now(), "TEST")] {
        assert_eq!(service.post(&webhook, body).await, (200, json!({ "status": "test" })));
    }
    let tested = run_json(service.data(), &["webhook", "list", "--json"]);
    assert!(tested[0]["last_test_at"].is_string(), "{tested}");
    assert_eq!(verify(service.data())["events"], 0);
}

#[tokio::test]
async fn what_cannot_be_appended_waits_in_quarantine_with_its_reason() {
    let service = Service::start();
    let webhook = service.add_gym("mitte", "Europe/Berlin");
    let id = Uuid::new_v4();
    let at =
        |text: &str| format!(r#"{{"accountId":"{id}","timestamp":{text},"type":"GYM_CHECKIN"}}"#);
    let deep = format!("{}{}", "[".repeat(4_000), "]".repeat(4_000));
    let twice =
        format!(r#"{{"accountId":"{id}","timestamp":1,"timestamp":2,"type":"GYM_CHECKIN"}}"#);
    let cases: Vec<(Vec<u8>, u16, &str)> = vec![
        (b"".to_vec(), 400, "not_json"),
        (b"nonsense".to_vec(), 400, "not_json"),
        (at("1772442000000").as_bytes()[..40].to_vec(), 400, "not_json"),
        (b"{\"type\":\"GYM_\xff\xfe\"}".to_vec(), 400, "not_json"),
        (b"\x00\x01\x02".to_vec(), 400, "not_json"),
        (deep.into_bytes(), 422, "wrong_shape"),
        (b"[]".to_vec(), 422, "wrong_shape"),
        (b"null".to_vec(), 422, "wrong_shape"),
        (b"{}".to_vec(), 422, "wrong_shape"),
        (twice.into_bytes(), 422, "wrong_shape"),
        (at("1772442000000.5").into_bytes(), 422, "wrong_shape"),
        (at("\"1772442000000\"").into_bytes(), 422, "wrong_shape"),
        (at("null").into_bytes(), 422, "wrong_shape"),
        (at("1e400").into_bytes(), 422, "wrong_shape"),
        (at("123456789012345678901234567890").into_bytes(), 422, "wrong_shape"),
        (at("-1").into_bytes(), 422, "time_too_early"),
        (at("1420070399999").into_bytes(), 422, "time_too_early"),
        (at("9223372036854775807").into_bytes(), 422, "time_in_future"),
        (at(&(now() + 11 * MINUTE).to_string()).into_bytes(), 422, "time_in_future"),
        (br#"{"accountId":"7","timestamp":1772442000000,"type":"X"}"#.to_vec(), 422, "wrong_shape"),
        (br#"{"accountId":7,"timestamp":1772442000000,"type":"X"}"#.to_vec(), 422, "wrong_shape"),
        (at("1772442000000").replace("GYM_CHECKIN", "").into_bytes(), 422, "wrong_shape"),
        (vec![b' '; 16 * 1024 + 1], 413, "body_too_large"),
        (vec![b'x'; 1024 * 1024], 413, "body_too_large"),
        (vec![b'x'; 3 * 1024 * 1024], 413, "body_too_large"),
    ];
    let count = cases.len();
    for (number, (body, status, code)) in (1..).zip(cases) {
        let (answered, problem) = service.post(&webhook, body.clone()).await;
        let shown = String::from_utf8_lossy(&body[..body.len().min(80)]).into_owned();
        assert_eq!((answered, problem["code"].as_str()), (status, Some(code)), "{shown}");
        assert_eq!(problem["quarantine_id"], number, "{shown}");
        assert_eq!(problem["status"], status);
        assert!(!problem["detail"].to_string().contains(&id.to_string()), "{problem}");
    }
    let kept = quarantined(&service);
    assert_eq!(kept.len(), count);
    assert_eq!(kept[count - 1]["bytes"], 1024 * 1024, "of a larger body, the first MiB");
    assert_eq!(verify(service.data())["events"], 0);
    assert_eq!(verify(service.data())["ok"], true);
}

#[tokio::test]
async fn a_body_at_the_limit_is_taken() {
    let service = Service::start();
    let webhook = service.add_gym("mitte", "Europe/Berlin");
    let mut body = delivery(Uuid::new_v4(), now(), "GYM_CHECKIN").into_bytes();
    body.resize(16 * 1024, b' ');
    assert_eq!(service.post(&webhook, body).await.0, 200);
}

#[tokio::test]
async fn a_body_that_breaks_off_is_kept_as_far_as_it_came() {
    let service = Service::start();
    let webhook = service.add_gym("mitte", "Europe/Berlin");
    let address = service.root.strip_prefix("http://").expect("a plain address");
    let mut stream = connect(address);
    let head = format!(
        "POST {} HTTP/1.1\r\nhost: x\r\nx-api-key: {}\r\ncontent-length: 100\r\n\r\n{{\"acc",
        webhook.path, webhook.secret
    );
    stream.write_all(head.as_bytes()).expect("it takes it");
    stream.shutdown(std::net::Shutdown::Write).expect("it was open");
    stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a time-out");
    let mut answered = String::new();
    drop(stream.read_to_string(&mut answered));
    let patience = Patience::until("it is in quarantine");
    let kept = loop {
        let kept = quarantined(&service);
        if !kept.is_empty() {
            break kept;
        }
        patience.again().await;
    };
    assert_eq!(
        (kept[0]["reason"].as_str(), kept[0]["bytes"].as_u64()),
        (Some("body_incomplete"), Some(5))
    );
}

#[tokio::test]
async fn a_delivery_from_quarantine_is_released_when_it_fits() {
    let service = Service::start();
    let webhook = service.add_gym("mitte", "Europe/Berlin");
    let soon = now() + 10 * MINUTE + 700;
    let body = delivery(Uuid::new_v4(), soon, "GYM_CHECKIN");
    assert_eq!(service.post(&webhook, body).await.1["quarantine_id"], 1);
    assert_eq!(service.post(&webhook, "nonsense").await.1["quarantine_id"], 2);
    let patience = Patience::until("it is not so far ahead");
    while now() < soon - 10 * MINUTE {
        patience.again().await;
    }
    let released = run_json(service.data(), &["quarantine", "release", "1", "--json"]);
    assert_eq!(released[0]["released"], true, "{released}");
    let again = crate::service::run(service.data(), &["quarantine", "release", "1", "2", "--json"]);
    assert!(!again.status.success());
    assert_eq!(quarantined(&service).len(), 1, "what does not fit stays");
    assert_eq!(verify(service.data())["events"], 1);
}

#[tokio::test]
async fn unknown_types_and_fields_are_kept() {
    let service = Service::start();
    let webhook = service.add_gym("mitte", "Europe/Berlin");
    let body = format!(
        r#"{{"accountId":"{}","timestamp":{},"type":"POOL_CHECKIN","lane":{{"n":7}}}}"#,
        Uuid::new_v4(),
        now()
    );
    assert_eq!(service.post(&webhook, body).await.0, 200);
    let log = rusqlite::Connection::open(service.data().join("footfall.db")).expect("it opens");
    let row =
        log.query_row("SELECT type, fields FROM events JOIN extras USING (position)", [], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))
        });
    assert_eq!(row.expect("one row"), ("POOL_CHECKIN".into(), r#"{"lane":{"n":7}}"#.into()));
}

#[tokio::test]
async fn a_disk_that_does_not_take_writes_is_a_503_within_time() {
    let service = Service::start();
    let webhook = service.add_gym("mitte", "Europe/Berlin");
    let locker = rusqlite::Connection::open(service.data().join("footfall.db")).expect("it opens");
    locker.execute_batch("BEGIN IMMEDIATE").expect("the lock is free");
    let posts = (0..60).map(|_| {
        let request = service
            .client
            .post(format!("{}{}", service.root, webhook.path))
            .header("x-api-key", &webhook.secret)
            .timeout(Duration::from_secs(5))
            .body(delivery(Uuid::new_v4(), now(), "GYM_CHECKIN"));
        async {
            let answer = request.send().await.expect("an answer within the sender's time");
            assert_eq!(answer.status(), 503);
            assert!(answer.headers().contains_key("retry-after"));
        }
    });
    join_all(posts).await;
    locker.execute_batch("ROLLBACK").expect("it was begun");
    let body = delivery(Uuid::new_v4(), now(), "GYM_CHECKIN");
    assert_eq!(service.post(&webhook, body).await.0, 200, "and it recovers");
}
