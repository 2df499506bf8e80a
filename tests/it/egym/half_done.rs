//! `footfall egym` when a call or its answer is lost, when it is killed, and when EGYM refuses in
//! the middle: no delivery fails for it, and the next try ends what the last one began.

use serde_json::Value;

use super::scene::{KEY, Scene, add_gym};
use crate::service::{now, run, run_json};

impl Scene {
    /// Loses the next calls, or what they are answered.
    fn lose(&self, calls: usize, answers: usize) {
        self.egym.at(KEY, |location| {
            (location.calls_lost, location.answers_lost) = (calls, answers);
        });
    }

    /// Whether the old secret waits for the new one to be seen.
    fn waits(&self) -> bool {
        self.here()[0]["old_secret_waits"] == true
    }

    fn secret_at_egym(&self) -> String {
        self.egym.at(KEY, |location| location.webhooks[0].secret.clone())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registration_that_stopped_half_way_is_taken_up() {
    let scene = Scene::set();
    // It is done and its answer lost: EGYM is asked what it has.
    scene.lose(0, 1);
    scene.operator.ok(&["register", "mitte"]);
    assert_eq!((scene.states(), scene.at_egym()), (vec!["registered".to_owned()], 1));
    scene.operator.ok(&["remove", "mitte"]);
    // The call itself is lost. It may come yet, so what is here stays, and is what comes next.
    scene.lose(1, 0);
    let told = scene.operator.refusal(&["register", "mitte"]);
    assert!(told.contains("it may be half done; `footfall egym register mitte`"), "{told}");
    assert_eq!((scene.states(), scene.at_egym()), (vec!["not at EGYM".to_owned()], 0));
    let left = scene.here()[0]["webhook"].clone();
    let would = scene.operator.ok(&["register", "mitte", "--dry-run"]);
    assert!(would["would"][0].to_string().contains("take up"), "{would}");
    assert_eq!(scene.operator.ok(&["register", "mitte"])["webhook"], left);
    assert_eq!(
        (scene.states(), scene.delivers().await),
        (vec!["registered".to_owned()], vec![200])
    );
    // It is done: another one is another webhook.
    assert_ne!(scene.operator.ok(&["register", "mitte"])["webhook"], left);
    assert_eq!((scene.here().len(), scene.at_egym()), (2, 2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registration_leaves_nothing_when_refused_and_hand_made_webhooks_alone() {
    let scene = Scene::set();
    let by_hand = scene.service.add_webhook("mitte");
    scene.egym.at(KEY, |location| location.refuses_additions = true);
    let told = scene.operator.refusal(&["register", "mitte"]);
    assert!(told.contains("nothing is left behind"), "{told}");
    assert_eq!(scene.here().len(), 1, "the one that was made by hand");
    scene.egym.at(KEY, |location| location.refuses_additions = false);
    scene.operator.ok(&["register", "mitte"]);
    assert_eq!((scene.here().len(), scene.states()[0].as_str()), (2, "not at EGYM"));
    assert_eq!(scene.service.post(&by_hand, r#"{"type":"TEST"}"#).await.0, 200);
    scene.operator.ok(&["remove", "mitte"]);
    assert!(scene.operator.refusal(&["remove", "mitte"]).contains("no webhook"));
    assert_eq!(scene.here().len(), 1, "nobody named it");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_removal_that_stopped_half_way_is_taken_up() {
    let scene = Scene::set();
    scene.operator.ok(&["register", "mitte"]);
    // Done, and its answer lost: said again, EGYM has none, and that is what was asked for.
    scene.lose(0, 1);
    scene.operator.ok(&["remove", "mitte"]);
    assert_eq!((scene.at_egym(), scene.here().len()), (0, 0));
    scene.operator.ok(&["register", "mitte"]);
    scene.lose(2, 0);
    scene.operator.refusal(&["remove", "mitte"]);
    assert_eq!((scene.at_egym(), scene.states()), (1, vec!["registered".to_owned()]));
    // It comes late. What is here goes without being named, because it was begun.
    scene.egym.at(KEY, |location| location.webhooks.clear());
    let removed = scene.operator.run(&["remove", "mitte"]);
    let said = String::from_utf8_lossy(&removed.stdout).into_owned();
    assert!(said.contains("removed here; it was not at EGYM"), "{said}");
    assert!(scene.here().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_secrets_are_good_until_a_test_came_with_the_new_one() {
    let scene = Scene::set();
    scene.operator.ok(&["register", "mitte"]);
    scene.lose(0, 1);
    scene.operator.ok(&["rotate", "mitte", "--overlap", "0"]);
    assert!(!scene.waits());
    // Whether EGYM took it or not, it delivers; and the next try ends it, by what EGYM has.
    for (calls, answers) in [(2, 0), (0, 2)] {
        scene.lose(calls, answers);
        let told = scene.operator.refusal(&["rotate", "mitte", "--overlap", "0"]);
        assert!(told.contains("nobody knows which secret EGYM has; both are good"), "{told}");
        assert!(told.contains("`footfall egym rotate mitte --webhook "), "{told}");
        assert!(scene.waits(), "no clock ends it");
        assert_eq!(scene.delivers().await, [200]);
        let held = scene.secret_at_egym();
        scene.operator.ok(&["rotate", "mitte", "--dry-run"]);
        let ended = scene.operator.ok(&["rotate", "mitte", "--overlap", "0"]);
        assert_eq!(ended["old_secret_until"], Value::Null);
        assert_eq!(scene.secret_at_egym() == held, answers > 0, "the newest one is used if it can");
        assert!(!scene.waits());
        assert_eq!(
            (scene.states(), scene.delivers().await),
            (vec!["registered".into()], vec![200])
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_test_that_comes_late_ends_a_rotation_too() {
    let scene = Scene::set();
    scene.operator.ok(&["register", "mitte"]);
    scene.lose(0, 2);
    scene.operator.refusal(&["rotate", "mitte", "--overlap", "2"]);
    assert!(scene.waits());
    scene.operator.ok(&["test", "mitte"]);
    let here = &scene.here()[0];
    let until = here["old_secret_until"].as_str().expect("a time").to_owned();
    let until = chrono::DateTime::parse_from_rfc3339(&until).expect("a time").timestamp_millis();
    let overlap = 2 * 60 * 60 * 1_000;
    assert!((now() + overlap - 60_000..=now() + overlap).contains(&until), "{here}");
    let told = scene.operator.refusal(&["rotate", "mitte"]);
    assert!(told.contains("two secrets are good until"), "{told}");
    let told = scene.operator.refusal(&["rotate", "mitte", "--dry-run"]);
    assert!(told.contains("two secrets are good until"), "a plan that would be refused: {told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rotation_that_egym_refuses_is_taken_back() {
    let scene = Scene::set();
    scene.operator.ok(&["register", "mitte"]);
    let removed = scene.egym.at(KEY, |location| location.webhooks.pop()).expect("one");
    assert_eq!(scene.states(), ["not at EGYM"]);
    assert!(scene.operator.refusal(&["rotate", "mitte"]).contains("no webhook"));
    scene.egym.at(KEY, |location| {
        location.webhooks.push(removed);
        location.refuses_changes = true;
    });
    for overlap in ["24", "0"] {
        let told = scene.operator.refusal(&["rotate", "mitte", "--overlap", overlap]);
        assert!(told.contains("EGYM keeps the old secret, which goes on being good"), "{told}");
        assert!(told.contains("not today") && told.len() < 1_000, "{told}");
        for hidden in [KEY, "ffs_", "\u{1b}"] {
            assert!(!told.contains(hidden), "{told}");
        }
        assert_eq!(scene.here()[0]["old_secret_until"], Value::Null);
        assert!(!scene.waits());
        assert_eq!(
            (scene.states(), scene.delivers().await),
            (vec!["registered".into()], vec![200])
        );
    }
    scene.operator.ok(&["test", "mitte"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_by_hand_that_egym_has_not_heard_of_is_taken_up() {
    let scene = Scene::set();
    let webhook = scene.operator.ok(&["register", "mitte"])["webhook"].clone();
    run_json(scene.service.data(), &["webhook", "rotate", webhook.as_str().expect("id"), "--json"]);
    assert_eq!(scene.states(), ["EGYM has the old secret"]);
    let rotated = scene.operator.ok(&["rotate", "mitte"]);
    assert!(rotated["old_secret_until"].is_string(), "{rotated}");
    assert_eq!((scene.states(), scene.delivers().await), (vec!["registered".into()], vec![200]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trigger_without_an_answer_is_waited_for() {
    let scene = Scene::set();
    scene.operator.ok(&["register", "mitte"]);
    scene.lose(0, 1);
    scene.operator.ok(&["test", "mitte"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_for_a_test_in_vain_hears_of_a_secret_that_differs() {
    let scene = Scene::set();
    scene.operator.ok(&["register", "mitte"]);
    scene.egym.at(KEY, |location| location.webhooks[0].secret = "of somebody's own".to_owned());
    let told = scene.operator.refusal(&["test", "mitte"]);
    assert!(told.contains("EGYM has another secret than footfall"), "{told}");
    assert!(told.contains("`footfall egym rotate mitte --webhook"), "{told}");
    scene.operator.ok(&["rotate", "mitte"]);
    assert_eq!(
        (scene.states(), scene.delivers().await.pop()),
        (vec!["registered".into()], Some(200))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_of_another_gym_is_noticed() {
    let scene = Scene::set();
    scene.operator.ok(&["register", "mitte"]);
    add_gym(&scene.service, "nord");
    let listed = scene.operator.ok(&["list", "nord"]);
    assert_eq!(listed[0]["state"], "belongs to gym mitte");
    let id = listed[0]["egym_id"].to_string();
    for args in [&["register", "nord"][..], &["remove", "nord", "--webhook", &id]] {
        let told = scene.operator.refusal(args);
        assert!(told.contains("this API key belongs to gym mitte"), "{told}");
    }
    assert_eq!((scene.at_egym(), scene.here().len()), (1, 1));
    // At another host's URL, the one at our own is the one that is meant.
    let mut other = scene.egym.at(KEY, |location| location.webhooks[0].clone());
    (other.id, other.url) = (1, other.url.replace("https://", "https://old."));
    scene.egym.at(KEY, |location| location.webhooks.insert(0, other));
    assert_eq!(scene.states(), ["registered", "not here"]);
    let by_name = ["webhook", "remove", "nobody"];
    assert!(!run(scene.service.data(), &by_name).status.success());
}
