//! `footfall egym`: each command, and what it does when EGYM refuses or knows more than we do.

use serde_json::{Value, json};
use uuid::Uuid;

use super::scene::{KEY, Scene};
use crate::service::{Service, answer, now, run, run_json, verify};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_webhook_is_registered_tested_delivers_and_is_removed() {
    let scene = Scene::set();
    let registered = scene.operator.ok(&["register", "mitte"]);
    let path = format!("/webhooks/{}", registered["webhook"].as_str().expect("an id"));
    assert_eq!(registered["url"], format!("{}{path}", scene.service.root));
    assert!(scene.here()[0]["last_test_at"].is_string(), "its TEST has arrived");
    assert_eq!(scene.states(), ["registered"]);
    scene.operator.ok(&["test", "mitte"]);
    let account = Uuid::new_v4();
    for what in ["checkins", "checkouts"] {
        let url = format!("{}/api/v2/accounts/{account}/{what}", scene.egym.url);
        let call = scene.authority.client().post(url).header("x-api-key", KEY);
        assert_eq!(answer(call.json(&json!({ "timestamp": now() - 1_000 }))).await.0, 204);
    }
    assert_eq!(scene.egym.answers().await, [200, 200, 200, 200], "two TESTs and two events");
    assert_eq!(verify(scene.service.data())["events"], 2);
    scene.operator.ok(&["remove", "mitte"]);
    assert_eq!((scene.at_egym(), scene.here().len()), (0, 0));
    let again = scene.operator.refusal(&["remove", "mitte"]);
    assert!(again.contains("`footfall egym register mitte` makes one"), "{again}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_webhooks_of_one_gym_are_told_apart() {
    let scene = Scene::set();
    scene.operator.ok(&["register", "mitte"]);
    let second = scene.operator.ok(&["register", "mitte"]);
    assert_eq!(scene.states(), ["registered", "registered"]);
    let which = scene.operator.refusal(&["test", "mitte"]);
    assert!(which.contains("name one"), "{which}");
    scene.operator.ok(&["test", "mitte", "--webhook", second["webhook"].as_str().expect("an id")]);
    scene.operator.ok(&["remove", "mitte", "--webhook", &second["egym_id"].to_string()]);
    assert_eq!(scene.states(), ["registered"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dry_run_changes_nothing_on_either_side() {
    let scene = Scene::set();
    let would = scene.operator.ok(&["register", "mitte", "--dry-run"]);
    assert_eq!(would["would"].as_array().map(Vec::len), Some(3), "{would}");
    assert_eq!((scene.at_egym(), scene.here().len()), (0, 0));
    scene.operator.ok(&["register", "mitte"]);
    let before = scene.egym.at(KEY, |location| location.webhooks[0].secret.clone());
    for command in ["rotate", "remove", "test"] {
        let would = scene.operator.ok(&[command, "mitte", "--dry-run"]);
        assert!(!would["would"].to_string().contains(&before), "no secret is shown: {would}");
    }
    assert_eq!(scene.egym.at(KEY, |location| location.webhooks[0].secret.clone()), before);
    assert_eq!(scene.states(), ["registered"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refusals_say_what_to_do_and_leave_nothing_behind() {
    let scene = Scene::set();
    scene.egym.add_location("may-not", false);
    let cases = [
        ("may-not", "may not manage webhooks"),
        ("unknown", "EGYM does not know the API key"),
        ("", "that is no API key"),
    ];
    for (key, expected) in cases {
        let refusal = scene.operator.with_key(key).refusal(&["register", "mitte"]);
        assert!(refusal.contains(expected), "{key}: {refusal}");
        assert!(scene.here().is_empty(), "{key}");
    }
    let mut elsewhere = scene.operator.with_key(KEY);
    elsewhere.env.push(("FOOTFALL_EGYM_ROOT", String::new()));
    let refusal = elsewhere.refusal(&["list", "mitte"]);
    assert!(refusal.contains("EGYM cannot be reached (invalid peer certificate"), "{refusal}");
    elsewhere.env.push(("FOOTFALL_PUBLIC_URL", String::new()));
    assert!(elsewhere.refusal(&["list", "mitte"]).contains("set `public_url`"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn too_many_calls_are_made_again_later() {
    let scene = Scene::set();
    scene.egym.at(KEY, |location| location.exhaust());
    scene.operator.ok(&["register", "mitte"]);
    assert_eq!(scene.states(), ["registered"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_rotation_waits_for_the_first_unless_all_old_ones_shall_stop() {
    let scene = Scene::set();
    let webhook = scene.operator.ok(&["register", "mitte"])["webhook"].clone();
    let rotated = scene.operator.ok(&["rotate", "mitte"]);
    assert!(rotated["old_secret_until"].is_string(), "{rotated}");
    assert_eq!(scene.here()[0]["old_secret_until"], rotated["old_secret_until"]);
    let refusal = scene.operator.refusal(&["rotate", "mitte"]);
    assert!(refusal.contains("two secrets are good until"), "{refusal}");
    let by_hand = ["webhook", "rotate", webhook.as_str().expect("an id")];
    assert!(!run(scene.service.data(), &by_hand).status.success());
    assert_eq!(scene.states(), ["registered"]);
    let at_once = scene.operator.ok(&["rotate", "mitte", "--overlap", "0"]);
    assert_eq!(at_once["old_secret_until"], Value::Null);
    scene.operator.ok(&["test", "mitte"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn by_hand_both_secrets_are_good_until_the_overlap_ends() {
    let service = Service::start();
    let old = service.add_gym("mitte", "Europe/Berlin");
    let id = old.path.strip_prefix("/webhooks/").expect("its path").to_owned();
    let rotate = |overlap: &str| {
        let args = ["webhook", "rotate", &id, "--overlap", overlap, "--json"];
        let secret = run_json(service.data(), &args)["secret"].as_str().expect("text").to_owned();
        crate::service::Webhook { path: old.path.clone(), secret }
    };
    let new = rotate("24");
    for webhook in [&old, &new] {
        assert_eq!(service.post(webhook, r#"{"type":"TEST"}"#).await.0, 200);
    }
    // Its time is over; nobody waits a day for that here.
    let database = rusqlite::Connection::open(service.data().join("footfall.db")).expect("opens");
    let sql = "UPDATE webhooks SET old_secret_until = ?1";
    database.execute(sql, [now()]).expect("the schema is known");
    assert_eq!(service.post(&old, r#"{"type":"TEST"}"#).await.0, 401);
    assert_eq!(service.post(&new, r#"{"type":"TEST"}"#).await.0, 200);
    let newest = rotate("0");
    assert_eq!(service.post(&new, r#"{"type":"TEST"}"#).await.0, 401, "it stops at once");
    assert_eq!(service.post(&newest, r#"{"type":"TEST"}"#).await.0, 200);
}

#[test]
fn by_hand_what_is_printed_can_be_pasted() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let add = ["gym", "add", "mitte", "--name", "Mitte", "--time-zone", "Europe/Berlin", "--json"];
    run_json(folder.path(), &add);
    let config = folder.path().join("public.toml");
    std::fs::write(&config, "public_url = 'https://footfall.test'").expect("it can be written");
    let config = ["--config", config.to_str().expect("text")];
    let without = run_json(folder.path(), &["webhook", "add", "mitte", "--json"]);
    assert!(without.get("url").is_none(), "nobody said where it is: {without}");
    let id = without["webhook"].as_str().expect("an id");
    for args in [&["webhook", "add", "mitte"][..], &["webhook", "rotate", id, "--overlap", "0"]] {
        let at = [&config[..], args].concat();
        let fresh = run_json(folder.path(), &[&at[..], &["--json"]].concat());
        let path = fresh["path"].as_str().expect("a path");
        assert_eq!(fresh["url"], format!("https://footfall.test{path}"));
        let said = run(folder.path(), &at).stdout;
        let said = String::from_utf8_lossy(&said).into_owned();
        assert!(said.starts_with("url     https://footfall.test/webhooks/"), "{said}");
        let said = run(folder.path(), args).stdout;
        let said = String::from_utf8_lossy(&said).into_owned();
        assert!(said.contains("https://<your host>/webhooks/"), "{said}");
    }
}
