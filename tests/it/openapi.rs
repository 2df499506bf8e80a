//! The OpenAPI document, the page that shows it, and docs/API.md say what the service does.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use footfall::app::simulate::traffic::{Delivery, Plan, deliveries};
use footfall::clock;
use footfall::domain::DAY;
use footfall::domain::event::{Event, Kind};
use footfall::domain::ids::Account;
use footfall::http::problem::Code;
use footfall::projection::apply;
use footfall::store::Database;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::process;
use crate::service::{Service, Webhook, answer};

const DOCUMENT: &str = "/api/openapi.json";
const ROUTES: &str = include_str!("../../src/http/mod.rs");
const API: &str = include_str!("../../docs/API.md");

async fn document(service: &Service) -> Value {
    let (status, document) =
        answer(service.client.get(format!("{}{DOCUMENT}", service.root))).await;
    assert_eq!(status, 200, "without a token: {document}");
    document
}

#[tokio::test]
async fn every_route_is_in_the_document_and_nothing_else() {
    let document = document(&Service::start()).await;
    assert!(document["openapi"].as_str().is_some_and(|version| version.starts_with("3.1")));
    let mut documented = BTreeSet::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for method in ["get", "post", "put", "patch", "delete"] {
            if item.get(method).is_some() {
                documented.insert(format!("{method} {path}"));
            }
        }
    }
    assert_eq!(documented, routes());
}

/// What `routes()` says, read from its source, so that a new route is found missing.
fn routes() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for route in ROUTES.split("at(\"").skip(1) {
        let (path, handlers) = route.split_once('"').expect("a path ends");
        for handler in handlers.split("web::").skip(1) {
            let word: String = handler.chars().take_while(char::is_ascii_lowercase).collect();
            if handler[word.len()..].starts_with("().to(") {
                found.insert(format!("{word} {}", path.replace(":.*}", "}")));
            }
        }
    }
    assert!(found.len() > 10, "{found:?}");
    found
}

#[tokio::test]
async fn every_parameter_is_described_once() {
    let document = document(&Service::start()).await;
    for (path, item) in document["paths"].as_object().expect("paths") {
        for operation in item.as_object().expect("operations").values() {
            let parameters = operation["parameters"].as_array().into_iter().flatten();
            let names: Vec<_> = parameters.clone().map(|one| one["name"].as_str()).collect();
            assert_eq!(
                names.iter().collect::<BTreeSet<_>>().len(),
                names.len(),
                "{path} {names:?}"
            );
            for parameter in parameters {
                assert!(parameter["description"].is_string(), "{path} {parameter}");
            }
        }
    }
}

#[tokio::test]
async fn every_reference_in_the_document_leads_somewhere() {
    let document = document(&Service::start()).await;
    let text = document.to_string();
    let references: BTreeSet<&str> = text.split("\"$ref\":\"#").skip(1).collect();
    assert!(references.len() > 10);
    for reference in references {
        let (pointer, _) = reference.split_once('"').expect("a text ends");
        assert!(document.pointer(pointer).is_some(), "{pointer}");
    }
}

#[test]
fn every_problem_is_in_the_table_of_the_documentation() {
    let (_, errors) = API.split_once("\n## Errors\n").expect("a section on errors");
    let (errors, _) = errors.split_once("\n## ").expect("a section after it");
    let rows = errors.lines().filter(|line| line.starts_with("| `") && !line.contains("| status"));
    let documented: BTreeSet<String> = rows.map(first_cells).collect();
    let known = Code::ALL.map(|code| {
        let (status, word, _) = code.row();
        format!("{word} {}", status.as_u16())
    });
    assert_eq!(documented, BTreeSet::from(known));
}

/// The word and the status of a row.
fn first_cells(row: &str) -> String {
    let cells: Vec<_> = row.split('|').map(|cell| cell.trim().trim_matches('`')).collect();
    format!("{} {}", cells[1], cells[2])
}

#[tokio::test]
async fn the_page_is_there_without_a_token_and_names_no_other_host() {
    let service = Service::start();
    let get = |path: String| service.client.get(format!("{}{path}", service.root)).send();
    let page = get("/docs".into()).await.expect("an answer, redirects followed");
    assert!(page.url().path().ends_with("/docs/"), "{}", page.url());
    assert_eq!((page.status().as_u16(), header(&page, "content-type")), (200, "text/html"));
    let policy = header(&page, "content-security-policy");
    assert!(policy.starts_with("default-src 'self';") && !policy.contains("http"), "{policy}");
    let html = page.text().await.expect("a text");
    assert!(!html.contains("//"), "{html}");
    let mut loaded = 0;
    for attribute in ["src=\"", "href=\""] {
        for file in html.split(attribute).skip(1) {
            let (file, _) = file.split_once('"').expect("a text ends");
            let file = get(format!("/docs/{file}")).await.expect("an answer");
            assert_eq!(file.status(), 200, "{}", file.url());
            loaded += 1;
        }
    }
    assert!(loaded >= 5, "styles, scripts and icons: {html}");
    let setup = get("/docs/swagger-initializer.js".into()).await.expect("an answer");
    let setup = setup.text().await.expect("a text");
    assert!(setup.contains("\"../api/openapi.json\""), "{setup}");
    assert!(setup.contains("\"validatorUrl\": \"none\"") && !setup.contains("http"), "{setup}");
}

fn header<'a>(answer: &'a reqwest::Response, name: &str) -> &'a str {
    answer.headers()[name].to_str().expect("a text")
}

#[tokio::test]
async fn a_method_that_a_path_does_not_take_is_answered_with_those_it_does() {
    let service = Service::start();
    let member = "/api/v1/gyms/mitte/members/6f2c1d3e-0000-4000-8000-000000000001";
    for (path, allow) in [
        (member, "GET, HEAD, DELETE"),
        ("/webhooks/x", "POST"),
        ("/docs/", "GET, HEAD"),
        (DOCUMENT, "GET, HEAD"),
    ] {
        let answer = service.client.put(format!("{}{path}", service.root)).send().await;
        let answer = answer.expect("an answer");
        assert_eq!((answer.status().as_u16(), header(&answer, "allow")), (405, allow), "{path}");
        let problem: Value = answer.json().await.expect("a problem");
        assert_eq!(problem["code"], "method_not_allowed", "{path}");
    }
}

/// Tries what the document allows, and what it does not, and compares every answer with it.
#[needs::tools("schemathesis")]
#[tokio::test]
async fn schemathesis_finds_no_answer_that_is_not_documented() {
    let service = Service::start();
    let webhook = service.add_gym("mitte", "Europe/Berlin");
    service.add_gym("lord-howe", "Australia/Lord_Howe");
    service.add_gym("leaving", "Europe/Berlin");
    let history = append_history(service.data());
    fill_quarantine(&service, &webhook).await;
    let folder = TempDir::new().expect("a temporary folder");
    let settings = folder.path().join("schemathesis.toml");
    let token = service.add_token("fuzz", "admin", &[]);
    std::fs::write(&settings, knowledge(&token, &webhook, &history)).expect("it is written");
    let mut command = Command::new("schemathesis");
    command
        .arg("--config-file")
        .arg(&settings)
        .args(["run", &format!("{}{DOCUMENT}", service.root)])
        .args(["--max-examples", "40", "--seed", "1", "--phases", "examples,coverage,fuzzing"])
        .args(["--checks", &CHECKS.join(","), "--generation-database", "none", "--no-color"])
        // `/docs` is compared itself, not where it leads to.
        .args(["--max-redirects", "0", "--request-timeout", "10"])
        .current_dir(folder.path());
    let output = process::output(&mut command);
    let report = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{report}{}", String::from_utf8_lossy(&output.stderr));
    assert!(report.contains("Tested: "), "{report}");
}

const CHECKS: [&str; 8] = [
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "response_headers_conformance",
    "unsupported_method",
    "allow_header_conformance",
    "ignored_auth",
];

/// Four weeks of one gym, up to now.
fn append_history(folder: &Path) -> Vec<Delivery> {
    let now = clock::now();
    let zone = chrono_tz::Europe::Berlin;
    let (from, until) = (now - 28 * DAY, now);
    let plan = Plan { seed: 1, zone, members: 60, from, until, leavers_deleted: false };
    let mut history = deliveries(&plan);
    history.retain(|delivery| delivery.due <= now);
    let database = Database::open(folder).expect("it opens");
    let mut connection = database.connect().expect("it connects");
    let appended = database.transact(&mut connection, |tx| {
        let slug = "mitte".parse().expect("a slug");
        let gym = tx.view().gym_by_slug(&slug)?.expect("it was added").id;
        for delivery in &history {
            let (account, at) = (Account(delivery.account), delivery.at);
            let event = Event { account, at, kind: Kind::from_name(delivery.kind), extra: None };
            apply::append(tx, gym, &event, delivery.due, None)?;
        }
        Ok(())
    });
    appended.expect("all can be appended");
    assert!(history.len() > 1_000, "{}", history.len());
    history
}

async fn fill_quarantine(service: &Service, webhook: &Webhook) {
    for body in ["no JSON", "{\"type\": \"GYM_CHECKIN\"}", "[]"] {
        let (_, problem) = service.post(webhook, body).await;
        assert!(problem["quarantine_id"].is_i64(), "{problem}");
    }
}

/// What a reader knows: keys, and what there is to ask for. Some of the questions are about that,
/// the others about anything.
fn knowledge(token: &str, webhook: &Webhook, history: &[Delivery]) -> String {
    let accounts: BTreeSet<String> =
        history.iter().rev().take(100).map(|delivery| delivery.account.to_string()).collect();
    let days = [0, 1, 2, 7, 30].map(|days| {
        let day = chrono::DateTime::from_timestamp_millis(clock::now() - days * DAY);
        day.expect("a day").date_naive().to_string()
    });
    let id = webhook.path.rsplit('/').next().expect("an id");
    let secret = &webhook.secret;
    format!(
        r#"
        auth.openapi.token.bearer = "{token}"
        auth.openapi.secret.api_key = "{secret}"

        [dictionaries]
        gyms.values = ["mitte", "lord-howe"]
        chains.values = ["mitte", "mitte,lord-howe"]
        webhooks.values = ["{id}"]
        accounts.values = {accounts}
        ids.values = [1, 2, 3]
        days.values = {days}
        files.values = ["index.html", "swagger-ui.css", "favicon-16x16.png"]

        [parameters]
        gym = {{ dictionary = "gyms", probability = 0.9 }}
        gyms = {{ dictionary = "chains", probability = 0.9 }}
        webhook = {{ dictionary = "webhooks", probability = 0.9 }}
        account = {{ dictionary = "accounts", probability = 0.7 }}
        id = {{ dictionary = "ids", probability = 0.5 }}
        from = {{ dictionary = "days", probability = 0.7 }}
        until = {{ dictionary = "days", probability = 0.7 }}
        file = {{ dictionary = "files", probability = 0.5 }}

        # What is changed or removed is not what the others ask for.
        [[operations]]
        include-operation-id = [
            "put_gym", "change_gym", "remove_gym", "remove_webhook", "rotate_webhook",
        ]
        parameters = {{ gym = "leaving" }}
        # One gym is counted again at a time: a 503 until then is an answer, and a 500 is none.
        checks.not_a_server_error.expected-statuses = ["2xx", "3xx", "4xx", 503]

        # The stream never ends by itself: its first event is enough.
        [[operations]]
        include-operation-id = "occupancy_stream"
        max-stream-events = 1
        "#,
        accounts = json!(accounts),
        days = json!(days),
    )
}
