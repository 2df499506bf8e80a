//! Room: what an erasure or retention frees goes back to the disk.

use std::fs;
use std::path::Path;

use serde_json::json;
use uuid::Uuid;

use crate::erasure::{completed, traces};
use crate::service::{Service, Webhook, now, run, run_json, verify};

const MINUTE: i64 = 60_000;
/// Deliveries, each with fields that fill three pages.
const DELIVERIES: i64 = 200;

fn size(folder: &Path) -> u64 {
    fs::metadata(folder.join("footfall.db")).expect("it is there").len()
}

async fn fill(service: &Service, webhook: &Webhook, account: Uuid) {
    let note = format!("{account} ").repeat(320);
    for number in 0..DELIVERIES {
        let body = json!({
            "accountId": account, "timestamp": now() - (1_000 + number) * MINUTE,
            "type": "GYM_CHECKIN", "note": note,
        });
        assert_eq!(service.post(webhook, body.to_string()).await.0, 200);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_file_shrinks_after_an_erasure_and_no_page_of_it_holds_what_moved() {
    let service = Service::start();
    let webhook = service.add_gym("mitte", "UTC");
    let token = service.add_token("all", "admin", &[]);
    let (ada, bob) = (Uuid::new_v4(), Uuid::new_v4());
    fill(&service, &webhook, ada).await;
    // What stands at the end of the file has to move up.
    fill(&service, &webhook, bob).await;
    let erase = async |account: Uuid| {
        let url = format!("{}/api/v1/gyms/mitte/members/{account}", service.root);
        let asked = service.client.delete(url).bearer_auth(&token);
        assert_eq!(crate::service::answer(asked).await.0, 202);
        completed(&service, &token).await;
        size(service.data())
    };
    let half = erase(ada).await;
    let room = u64::try_from(DELIVERIES).expect("many") * 4_096;
    assert!(half > room, "bob's fields are there: {half}");
    assert_eq!(traces(service.data(), ada), Vec::<String>::new());
    let events = service.get_ok(&token, "/api/v1/gyms/mitte/events?limit=1000").await;
    let whole = |event: &serde_json::Value| {
        event["extra"]["note"].as_str().is_some_and(|note| note.len() == 320 * 37)
    };
    let events = events["events"].as_array().expect("a list").clone();
    assert!(events.len() == 200 && events.iter().all(whole), "what moved is whole");
    let least = erase(bob).await;
    assert!(least + 2 * room < half + room, "{least} after {half}");
    for account in [ada, bob] {
        assert_eq!(traces(service.data(), account), Vec::<String>::new());
    }
    assert_eq!(verify(service.data())["ok"], true);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_of_an_earlier_version_shrinks_once_it_was_compacted() {
    let service = Service::start();
    let webhook = service.add_gym("mitte", "UTC");
    let ada = Uuid::new_v4();
    fill(&service, &webhook, ada).await;
    assert!(!run(service.data(), &["compact"]).status.success(), "not beside a service");
    let folder = service.folder.clone();
    assert!(service.stop());
    let database = rusqlite::Connection::open(folder.path().join("footfall.db")).expect("it opens");
    let sql = "PRAGMA journal_mode = DELETE; PRAGMA auto_vacuum = NONE; VACUUM";
    database.execute_batch(sql).expect("it is as it was made before");
    drop(database);
    let before = size(folder.path());
    run_json(folder.path(), &["erase", &ada.to_string(), "--all-gyms", "--json"]);
    assert!(size(folder.path()) >= before, "it cannot shrink");
    let done = run_json(folder.path(), &["compact", "--json"]);
    assert_eq!(done["bytes"], size(folder.path()), "{done}");
    assert!(size(folder.path()) * 2 < before, "{done}");
    assert_eq!(verify(folder.path())["ok"], true);
    let service = Service::start_on(folder);
    fill(&service, &webhook, ada).await;
    let full = size(service.data());
    run_json(service.data(), &["erase", &ada.to_string(), "--all-gyms", "--json"]);
    assert!(size(service.data()) < full.max(before), "from then on it shrinks by itself");
    assert_eq!(traces(service.data(), ada), Vec::<String>::new());
}
