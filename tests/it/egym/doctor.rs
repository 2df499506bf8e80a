//! What `footfall doctor` says of webhooks that are not the same at both sides.

use std::process::Command;

use serde_json::Value;

use super::scene::{KEY, Scene};
use crate::process;
use crate::service::BINARY;

/// What is said of EGYM.
fn says(scene: &Scene) -> Vec<(String, String)> {
    let mut command = Command::new(BINARY);
    command.args(["doctor", "--json"]).env("FOOTFALL_DATA", &scene.operator.data);
    let output = process::output(command.envs(scene.operator.env.iter().cloned()));
    let all: Value = serde_json::from_slice(&output.stdout).expect("JSON on standard output");
    let rows = all["checks"].as_array().expect("a list").iter();
    let of_egym = rows.filter(|row| row["check"] == "egym" && row["state"] != "good");
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    of_egym.map(|row| (text(&row["says"]), text(&row["next"]))).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_difference_is_told_with_the_command_that_ends_it() {
    let scene = Scene::set();
    scene.operator.ok(&["register", "mitte"]);
    assert!(says(&scene).is_empty(), "all is registered");
    scene.egym.at(KEY, |location| location.webhooks[0].secret = "another".to_owned());
    let told = says(&scene);
    assert!(told[0].0.contains("EGYM has another secret"), "{told:?}");
    assert!(told[0].1.contains("footfall egym rotate mitte --webhook"), "{told:?}");
    scene.operator.ok(&["rotate", "mitte"]);
    assert!(says(&scene).is_empty(), "what was said to be done has helped");
    scene.egym.at(KEY, |location| location.webhooks.clear());
    let told = says(&scene);
    assert!(told[0].0.contains("not at EGYM"), "{told:?}");
    assert!(told[0].1.contains("footfall egym register mitte"), "{told:?}");
}
