//! What went wrong, and what is not there yet, in the reader's language, with what to do next.

use reqwest::StatusCode;
use reqwest::header::{ACCEPT, ALLOW, CONTENT_TYPE};
use serde_json::json;

use super::Site;
use crate::service::{Service, client};

/// As browsers ask for pages.
const OF_PEOPLE: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

async fn ask(service: &Service, method: &str, path: &str, accept: &str) -> reqwest::Response {
    let client = client().build().expect("a client");
    let method = method.parse().expect("a method");
    let request = client.request(method, format!("{}{path}", service.root));
    let request = request.header(ACCEPT, accept).header("accept-language", "de");
    request.send().await.expect("an answer")
}

#[tokio::test]
async fn people_get_pages_where_programs_get_problems() {
    let service = Service::start();
    for (method, path, status, allow) in [
        ("GET", "/nowhere", StatusCode::NOT_FOUND, None),
        ("GET", "/assets/none.css", StatusCode::NOT_FOUND, None),
        ("PUT", "/sessions", StatusCode::METHOD_NOT_ALLOWED, Some("GET, HEAD, POST")),
        ("GET", "/sign-out", StatusCode::METHOD_NOT_ALLOWED, Some("POST")),
        ("GET", "/busy/none", StatusCode::NOT_FOUND, None),
    ] {
        let page = ask(&service, method, path, OF_PEOPLE).await;
        assert_eq!(page.status(), status, "{path}");
        let told = page.headers().get(ALLOW).map(|allow| allow.to_str().expect("a text"));
        assert_eq!(told, allow, "{path}");
        assert!(page.headers().contains_key("content-security-policy"), "{path}");
        let text = page.text().await.expect("text");
        assert!(text.contains("<html lang=\"de\"") && text.contains("Das ging nicht"), "{text}");
        assert!(text.contains("<a href=\"/\">Zu allen Studios</a>"), "there is a way on: {text}");
        let problem = ask(&service, method, path, "*/*").await;
        assert_eq!(problem.status(), status, "{path}");
        let told = problem.headers().get(ALLOW).map(|allow| allow.to_str().expect("a text"));
        assert_eq!(told, allow, "{path}");
        assert_eq!(problem.headers()[CONTENT_TYPE], "application/problem+json", "{path}");
    }
    // The API is for programs, whatever they say that they take.
    for path in ["/api/v1/gyms", "/api/v1/nothing", "/webhooks/none"] {
        let problem = ask(&service, "GET", path, OF_PEOPLE).await;
        assert_eq!(problem.headers()[CONTENT_TYPE], "application/problem+json", "{path}");
    }
    let icon = ask(&service, "GET", "/favicon.ico", "image/*").await;
    assert_eq!(
        (icon.status(), &icon.headers()[CONTENT_TYPE]),
        (StatusCode::OK, &"image/svg+xml".parse().expect("a kind"))
    );
}

#[needs::tools("chromium", "axe-core")]
#[tokio::test]
async fn problems_and_empty_places_say_what_to_do_in_the_readers_language() {
    let site = Site::open().await;
    let chrome = &site.chrome;
    site.service.add_gym("neu", "Europe/Berlin");
    chrome.sign_in(&site.add_user("ann", &["--role", "admin"])).await;
    chrome.open("/language/de?next=/").await;
    for (path, says) in [
        ("/gyms/none", "Hier ist nichts"),
        ("/nowhere", "Hier ist nichts"),
        ("/gyms/mitte/reports/visits?from=2026-03-02&to=2026-03-01", "Der erste Tag liegt nach"),
        ("/gyms/mitte/reports/visits?from=2026-03-02&to=gestern", "kein Tag zwischen 2000"),
        ("/gyms/mitte/reports/visits?from=2000-01-01&to=2019-01-01&interval=1h", "mehr, als auf"),
    ] {
        chrome.open(path).await;
        assert_eq!(chrome.text("h1").await, "Das ging nicht", "{path}");
        assert!(chrome.text("[role=alert]").await.contains(says), "{path}");
        chrome.follow("main a[href='/']").await;
        assert_eq!(chrome.text("h1").await, "Alle Studios jetzt");
    }
    chrome.open("/gyms/none").await;
    assert!(!chrome.text("main").await.contains("token"), "no English of the API");

    // A gym that has never sent an event has no figures, and says what comes next.
    for path in ["/gyms/neu", "/gyms/neu/reports/members", "/gyms/neu/reports/retention"] {
        chrome.visit(path).await;
        assert_eq!(chrome.texts("dd, svg.chart, main table").await, Vec::<String>::new(), "{path}");
        assert!(chrome.text(".empty").await.contains("Verbinden Sie dieses Studio"), "{path}");
    }
    chrome.follow(".empty a").await;
    assert!(chrome.text("h1").await.ends_with("Verbinden"));

    // A gym in which nobody was today has no peak, and members of four weeks are no one number.
    chrome.visit("/gyms/mitte/reports/members").await;
    assert!(!chrome.texts("dd").await.contains(&"–".to_owned()));

    // What keeps passwords learns whose the new one is.
    chrome.visit("/sessions").await;
    let names = "return [...document.querySelectorAll('form[action=\"/password\"] input')]
                 .map((one) => [one.autocomplete, one.name, one.value].join(' ').trim())";
    let names = chrome.ask(names).await;
    assert!(names.as_array().expect("a list").contains(&json!("username  ann")), "{names}");
    site.chrome.end().await;
}
