//! Who was let in before is let in again without much ado, but only for as long as that is right:
//! what a command of another process changes holds for the very next delivery, whatever it carries.

use serde_json::json;
use uuid::Uuid;

use crate::service::{Service, Webhook, delivery, now, run_json, verify};

/// An event, a TEST, and what would wait in quarantine.
async fn answers(service: &Service, webhook: &Webhook) -> [u16; 3] {
    let event = delivery(Uuid::new_v4(), now(), "GYM_CHECKIN");
    let mut answers = [0; 3];
    for (answer, body) in answers.iter_mut().zip([&event[..], r#"{"type":"TEST"}"#, "nonsense"]) {
        *answer = service.post(webhook, body.to_owned()).await.0;
    }
    answers
}

const LET_IN: [u16; 3] = [200, 200, 400];
const TURNED_AWAY: [u16; 3] = [401; 3];

fn rotate(service: &Service, webhook: &Webhook, overlap: &str) -> Webhook {
    let args = ["webhook", "rotate", id(webhook), "--overlap", overlap, "--json"];
    let secret = run_json(service.data(), &args)["secret"].as_str().expect("text").to_owned();
    Webhook { secret, ..webhook.clone() }
}

fn id(webhook: &Webhook) -> &str {
    webhook.path.strip_prefix("/webhooks/").expect("its path")
}

/// How many bodies wait, and how many events there are.
fn kept(service: &Service) -> (usize, i64) {
    let waiting = run_json(service.data(), &["quarantine", "list", "--json"]);
    let events = verify(service.data())["events"].as_i64().expect("a number");
    (waiting.as_array().expect("a list").len(), events)
}

#[tokio::test]
async fn a_removed_webhook_lets_nobody_in_who_was_let_in_before() {
    let service = Service::start();
    let (webhook, other) =
        (service.add_gym("mitte", "Europe/Berlin"), service.add_webhook("mitte"));
    assert_eq!(answers(&service, &webhook).await, LET_IN);
    assert_eq!(answers(&service, &other).await, LET_IN);
    let before = kept(&service);
    run_json(service.data(), &["webhook", "remove", id(&webhook), "--json"]);
    assert_eq!(answers(&service, &webhook).await, TURNED_AWAY);
    assert_eq!(kept(&service), before, "nothing of it is kept");
    assert_eq!(answers(&service, &other).await, LET_IN);
    run_json(service.data(), &["gym", "remove", "mitte", "--yes", "--json"]);
    assert_eq!(answers(&service, &other).await, TURNED_AWAY);
}

#[tokio::test]
async fn a_secret_that_was_good_is_good_for_its_overlap_and_no_longer() {
    let service = Service::start();
    let old = service.add_gym("mitte", "Europe/Berlin");
    assert_eq!(answers(&service, &old).await, LET_IN);
    let new = rotate(&service, &old, "24");
    assert_eq!(answers(&service, &old).await, LET_IN);
    assert_eq!(answers(&service, &new).await, LET_IN);
    assert_eq!(answers(&service, &old).await, LET_IN, "both in turns");
    // Its time is over; nobody waits a day for that here.
    let database = rusqlite::Connection::open(service.data().join("footfall.db")).expect("opens");
    let sql = "UPDATE webhooks SET old_secret_until = ?1";
    database.execute(sql, [now()]).expect("the schema is known");
    assert_eq!(answers(&service, &old).await, TURNED_AWAY);
    assert_eq!(answers(&service, &new).await, LET_IN);
    let newest = rotate(&service, &new, "0");
    assert_eq!(answers(&service, &new).await, TURNED_AWAY, "it stops at once");
    assert_eq!(answers(&service, &newest).await, LET_IN);
}

#[tokio::test]
async fn a_test_with_the_secret_before_is_none_of_the_new_one() {
    let service = Service::start();
    let old = service.add_gym("mitte", "Europe/Berlin");
    assert_eq!(answers(&service, &old).await, LET_IN);
    rotate(&service, &old, "24");
    assert_eq!(service.post(&old, r#"{"type":"TEST"}"#).await, (200, json!({ "status": "test" })));
    let database = rusqlite::Connection::open(service.data().join("footfall.db")).expect("opens");
    let sql = "SELECT secret_tested_at FROM webhooks";
    let tested = database.query_row(sql, [], |row| row.get::<_, Option<i64>>(0));
    assert_eq!(tested, Ok(None));
}
