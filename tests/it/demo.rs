//! `footfall demo`, as somebody looks at it for the first time.

use std::net::TcpListener;
use std::process::{Command, Stdio};

use reqwest::StatusCode;
use serde_json::Value;

use crate::patience::Patience;
use crate::process::Program;
use crate::service::{BINARY, client};

/// A demo whose port is taken, with what it said until its history was there.
fn start(taken: &TcpListener) -> (Program, Vec<String>) {
    let address = taken.local_addr().expect("it has one").to_string();
    let mut command = Command::new(BINARY);
    command.args(["demo", "--members", "25"]).env("FOOTFALL_LISTEN", address);
    let mut program = Program::start(command.stdout(Stdio::piped()).stderr(Stdio::null()));
    let lines = program.lines();
    let mut said = vec![];
    while said.last().is_none_or(|line: &String| !line.starts_with("Present now")) {
        said.push(lines.find(|line| Some(line.to_owned())));
    }
    (program, said)
}

#[tokio::test]
async fn a_demo_shows_all_there_is_and_takes_another_port_where_its_own_is_taken() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let (_program, said) = start(&taken);
    let text = said.join("\n");
    assert!(text.contains("takes another port"), "{text}");
    assert!(text.contains("Berlin Mitte: weekly digest"), "it is printed: {text}");
    let found = |part: &str| {
        let line = said.iter().find(|line| line.contains(part));
        line.unwrap_or_else(|| panic!("no {part} in {text}")).trim().to_owned()
    };
    let root = found("listening on http://").replace("listening on ", "");
    assert!(!root.ends_with(&format!(":{}", taken.local_addr().expect("one").port())));
    let token = found("Bearer ");
    let token = token.split("Bearer ").nth(1).and_then(|rest| rest.split('\'').next());
    let token = token.expect("a token");
    let get = async |path: &str| -> Value {
        let asked = client().build().expect("a client").get(format!("{root}/api/v1{path}"));
        let answer = asked.bearer_auth(token).send().await.expect("an answer");
        answer.json().await.expect("JSON")
    };
    let gyms = get("/gyms").await;
    let gyms = gyms["gyms"].as_array().expect("a list");
    assert_eq!(gyms.len(), 4);
    assert_eq!(gyms.iter().filter(|gym| gym["archived"] == true).count(), 1);
    let webhooks = gyms.iter().flat_map(|gym| gym["webhooks"].as_array().expect("a list"));
    assert_eq!(webhooks.filter(|webhook| webhook["silent"] == true).count(), 1);
    assert!(
        !get("/gyms/berlin/annotations").await["annotations"].as_array().expect("one").is_empty()
    );
    let visits = get("/gyms/berlin/reports/visits?interval=1d").await;
    assert!(visits["totals"]["visits"].as_i64() > Some(0));
    // What is strange comes by the door, once it is open.
    let patience = Patience::until("two deliveries wait in quarantine, and a member is erased");
    while get("/gyms/sydney/quarantine").await["quarantine"].as_array().map(Vec::len) != Some(2)
        || get("/erasures").await["erasures"][0]["completed_at"].is_null()
    {
        patience.again().await;
    }
    // The link signs in, and leads to all gyms.
    let browser = client().cookie_store(true).build().expect("a client");
    let page = browser.post(found("/sign-in/")).send().await.expect("an answer");
    assert_eq!((page.status(), page.url().path()), (StatusCode::OK, "/"));
    let page = page.text().await.expect("text");
    for says in ["Berlin Mitte", "wait in quarantine", "1 webhook is silent"] {
        assert!(page.contains(says), "{says} is not on {page}");
    }
    assert!(!page.contains("class=\"card\" href=\"/gyms/potsdam"), "it has closed");
}
