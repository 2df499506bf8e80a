//! Databases of every version that was released open with this one, and answer as they did.
//!
//! `tests/databases/<version>` holds a data folder that the binary of that version made, with rows
//! of every kind, and `facts.json`: what it answered then, and the secrets that a user kept.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;
use tempfile::TempDir;
use uuid::Uuid;

use crate::erasure::traces;
use crate::patience::Patience;
use crate::service::{Service, Webhook, delivery, now, run, run_json, verify};

/// What a later version may answer otherwise: places in the log, what rests on the rule of silent
/// spans, which is not that of the first version, unknown fields, of which those are not kept that
/// cannot be searched for accounts, and what is told of a member's deliveries in quarantine.
const MAY_DIFFER: [&str; 5] = ["position", "silent_spans", "complete", "extra", "quarantine"];

pub fn versions() -> Vec<PathBuf> {
    let databases = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/databases");
    let folders = fs::read_dir(databases).expect("databases of earlier versions");
    let folders: Vec<PathBuf> = folders.map(|entry| entry.expect("a folder").path()).collect();
    assert!(!folders.is_empty());
    folders
}

/// A copy of a version's data folder, and what is known of it.
pub fn copy(version: &Path) -> (Arc<TempDir>, Value) {
    let folder = TempDir::new().expect("a temporary folder");
    for name in ["footfall.db", "footfall.key", "erasures.ledger"] {
        let to = folder.path().join(name);
        fs::copy(version.join(name), &to).expect("it is copied");
        fs::set_permissions(&to, fs::Permissions::from_mode(0o600)).expect("it is ours");
    }
    let facts = fs::read(version.join("facts.json")).expect("its facts");
    (Arc::new(folder), serde_json::from_slice(&facts).expect("JSON"))
}

pub fn text<'v>(value: &'v Value, pointer: &str) -> &'v str {
    value.pointer(pointer).and_then(Value::as_str).expect(pointer)
}

pub fn webhook(facts: &Value, gym: &str) -> Webhook {
    let of = |key: &str| text(facts, &format!("/webhooks/{gym}/{key}")).to_owned();
    Webhook { path: of("path"), secret: of("secret") }
}

/// Panics where something that was answered is not answered, or not the same.
pub fn assert_holds(old: &Value, new: &Value, place: &str) {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            for (key, value) in old.iter().filter(|(key, _)| !MAY_DIFFER.contains(&key.as_str())) {
                let found = new.get(key).unwrap_or(&Value::Null);
                assert_holds(value, found, &format!("{place}/{key}"));
            }
        }
        (Value::Array(old), Value::Array(new)) => {
            assert_eq!(old.len(), new.len(), "{place}");
            for (index, (old, new)) in old.iter().zip(new).enumerate() {
                assert_holds(old, new, &format!("{place}/{index}"));
            }
        }
        _ => assert_eq!(old, new, "{place}"),
    }
}

#[actix_web::test]
async fn a_database_of_an_earlier_version_opens_and_answers_as_it_did() {
    for version in versions() {
        let (folder, facts) = copy(&version);
        let service = Service::start_on(folder.clone());
        let token = text(&facts, "/tokens/admin");
        let answers = facts["answers"].as_object().expect("answers");
        for (path, answer) in answers {
            assert_holds(answer, &service.get_ok(token, path).await, path);
        }
        let scoped = text(&facts, "/tokens/scoped");
        assert_eq!(service.get(scoped, "/api/v1/gyms/mitte").await.0, 404);
        let verified = verify(folder.path());
        assert_eq!(verified["ok"], true, "{verified}");
    }
}

/// Lets unknown types name an account, as the first version kept them.
fn name_in_types(folder: &Path, account: &str) {
    let database = rusqlite::Connection::open(folder.join("footfall.db")).expect("it opens");
    let sql = "UPDATE events SET type = 'MET_' || ?1 WHERE type NOT IN ('GYM_CHECKIN',
                   'GYM_CHECKOUT', 'EQUIPMENT_CHECKIN', 'GENIUS_ONBOARDING_COMPLETED',
                   'MEMBERSHIP_DELETE') AND gym = (SELECT id FROM gyms WHERE slug = 'mitte')";
    assert!(database.execute(sql, [account]).expect("the schema is known") > 0);
}

#[actix_web::test]
async fn a_database_of_an_earlier_version_goes_on_receiving_erasing_and_counting() {
    for version in versions() {
        let (folder, facts) = copy(&version);
        let account = text(&facts, "/accounts/1");
        name_in_types(folder.path(), account);
        let service = Service::start_on(folder.clone());
        let token = text(&facts, "/tokens/admin");
        let body = delivery(Uuid::new_v4(), now() - 60_000, "GYM_CHECKIN");
        let (status, answer) = service.post(&webhook(&facts, "mitte"), body).await;
        assert_eq!((status, answer["status"].as_str()), (200, Some("accepted")), "{answer}");
        run_json(folder.path(), &["erase", "--gym", "mitte", account, "--json"]);
        let traces = traces(folder.path(), account.parse().expect("an account"));
        assert_eq!(traces, Vec::<String>::new(), "{}", version.display());
        let path = format!("/api/v1/gyms/mitte/members/{account}");
        assert_eq!(service.get(token, &path).await.0, 404);
        let before = service.get_ok(token, "/api/v1/gyms/mitte/reports/visits").await;
        assert!(run(folder.path(), &["rebuild"]).status.success());
        let after = service.get_ok(token, "/api/v1/gyms/mitte/reports/visits").await;
        assert_holds(&before, &after, "rebuilt");
        assert_eq!(verify(folder.path())["ok"], true);
    }
}

#[actix_web::test]
async fn what_an_earlier_version_did_not_count_is_counted_while_reports_go_on() {
    for version in versions() {
        let (folder, facts) = copy(&version);
        let service = Service::start_on(folder.clone());
        let token = text(&facts, "/tokens/admin");
        let asked = "interval=1mo&from=2025-01-01&until=2027-01-01";
        let path = format!("/api/v1/gyms/mitte/reports/activity?{asked}");
        let patience = Patience::until("activity is counted");
        let activity = loop {
            let (status, answer) = service.get(token, &path).await;
            if status == 200 {
                break answer;
            }
            assert_eq!((status, answer["code"].as_str()), (503, Some("unavailable")), "{answer}");
            service.get_ok(token, &format!("/api/v1/gyms/mitte/reports/members?{asked}")).await;
            patience.again().await;
        };
        let number = |bucket: &Value, field: &str| bucket[field].as_i64().unwrap_or_default();
        let (mut active, mut most) = (0, 0);
        for bucket in activity["buckets"].as_array().expect("a list") {
            active += number(bucket, "new") + number(bucket, "returned") - number(bucket, "lapsed");
            most = active.max(most);
            if bucket["active"].is_i64() {
                assert_eq!(number(bucket, "active"), active, "{bucket}");
            }
        }
        assert!(most > 0, "somebody was active: {activity}");
        assert_eq!(verify(folder.path())["ok"], true);
    }
}

#[test]
fn a_command_does_not_bring_a_database_up_to_date_under_a_service_of_an_earlier_version() {
    let version = &versions()[0];
    let (folder, _) = copy(version);
    let lock = fs::File::create(folder.path().join("footfall.lock")).expect("it is made");
    lock.lock().expect("it is free");
    let before = fs::read(folder.path().join("footfall.db")).expect("it is there");
    let refused = run(folder.path(), &["gym", "list"]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && said.contains("start it again first"), "{said}");
    let after = fs::read(folder.path().join("footfall.db")).expect("it is there");
    assert!(before == after, "nothing was written");
    drop(lock);
    assert!(run(folder.path(), &["gym", "list"]).status.success());
}
