//! The page, as a browser asks for it: signing in and out, and numbers that are the API's.

use serde_json::Value;
use uuid::Uuid;

use crate::laws::REPORTS;
use crate::service::{Service, client, delivery, now, run_json};

pub struct Browser {
    pub client: reqwest::Client,
    pub root: String,
}

impl Browser {
    pub fn of(service: &Service) -> Browser {
        let client = client().cookie_store(true).build().expect("a client");
        Browser { client, root: service.root.clone() }
    }

    pub async fn open(&self, path: &str) -> (u16, String) {
        self.send(self.client.get(format!("{}{path}", self.root))).await
    }

    pub async fn post(&self, path: &str, form: &[(&str, &str)]) -> (u16, String) {
        self.send(self.client.post(format!("{}{path}", self.root)).form(form)).await
    }

    pub async fn send(&self, request: reqwest::RequestBuilder) -> (u16, String) {
        let answer = request.send().await.expect("the service answers");
        (answer.status().as_u16(), answer.text().await.expect("text"))
    }
}

fn is_of_keys(character: char) -> bool {
    character.is_ascii_lowercase() || "_.-".contains(character)
}

pub fn csrf_of(page: &str) -> &str {
    let (_, rest) = page.split_once("name=\"csrf\" value=\"").expect("a form of ours");
    rest.split_once('"').expect("it ends").0
}

pub fn add_user(service: &Service, name: &str, args: &[&str]) -> String {
    let all = [&["user", "add", name, "--json"], args].concat();
    run_json(service.data(), &all)["path"].as_str().expect("a path").to_owned()
}

#[actix_web::test]
async fn a_link_signs_in_once_and_the_page_shows_the_numbers_of_the_api() {
    let service = Service::start();
    let webhook = service.add_gym("berlin", "Europe/Berlin");
    service.add_gym("paris", "Europe/Paris");
    for minute in 1..=3 {
        let body = delivery(Uuid::new_v4(), now() - minute * 60_000, "GYM_CHECKIN");
        assert_eq!(service.post(&webhook, body).await.0, 200);
    }
    let link = add_user(&service, "ann", &["--role", "viewer", "--gym", "berlin"]);
    let browser = Browser::of(&service);
    assert!(browser.open("/").await.1.contains("type=\"password\""), "nobody is signed in yet");
    assert!(browser.open(&link).await.1.contains("ann"), "looking does not use it up");
    let (status, all) = browser.post(&link, &[]).await;
    assert_eq!(status, 200);
    assert!(all.contains("/gyms/berlin") && !all.contains("/gyms/paris"), "only what she may see");
    assert_eq!(Browser::of(&service).post(&link, &[]).await.0, 404, "it is good once");
    let now_there = browser.open("/gyms/berlin").await.1;
    assert!(now_there.contains("<strong data-count>3</strong>"), "{now_there}");
    assert_eq!(browser.open("/gyms/paris").await.0, 404);
    let (status, report) = browser.open("/gyms/berlin/reports/visits?range=today").await;
    assert_eq!(status, 200);
    let (status, answer) = browser.open("/api/v1/gyms/berlin/reports/visits").await;
    let answer: Value = serde_json::from_str(&answer).expect("JSON");
    assert_eq!((status, answer["totals"]["visits"].as_i64()), (200, Some(3)));
    assert!(report.contains("<dd>3</dd>"), "{report}");
    assert!(report.contains("format=csv"));
}

#[actix_web::test]
async fn every_page_has_all_its_words_in_every_language() {
    let service = Service::start();
    service.add_gym("berlin", "Europe/Berlin");
    let browser = Browser::of(&service);
    browser.post(&add_user(&service, "ann", &["--role", "admin"]), &[]).await;
    let reports = REPORTS.map(|report| format!("/gyms/berlin/reports/{report}"));
    let others = [
        "",
        "/annotations",
        "/members",
        "/members/erased",
        "/set-up",
        "/connection",
        "/settings",
        "/leave",
        "/rules",
    ];
    let others = others.map(|page| format!("/gyms/berlin{page}"));
    let rest = ["/", "/people", "/new-gym", "/sessions", "/reports/visits", "/reports/durations"];
    let rest = rest.map(str::to_owned);
    for code in ["en", "de"] {
        let page = browser.open(&format!("/language/{code}?next=%2F")).await.1;
        assert!(page.contains(&format!("<html lang=\"{code}\"")));
        for path in reports.iter().chain(&others).chain(&rest) {
            let (status, page) = browser.open(path).await;
            assert_eq!(status, 200, "{path}");
            // A word that is missing shows as its key.
            for text in page.split('>').filter_map(|rest| rest.split('<').next()) {
                let is_key = text.split_once('.').is_some_and(|(section, key)| {
                    !section.is_empty() && [section, key].concat().chars().all(is_of_keys)
                });
                assert!(!is_key, "{path} lacks a word: {text}");
            }
        }
    }
    let (status, page) = browser.open("/gyms/berlin/reports/visits?range=never").await;
    assert_eq!(status, 422, "{page}");
}

#[actix_web::test]
async fn a_password_signs_in_until_it_failed_too_often() {
    let service = Service::start();
    add_user(&service, "ann", &["--role", "admin"]);
    service.set_password("ann", "correct horse");
    let browser = Browser::of(&service);
    let right = [("name", "ann"), ("password", "correct horse")];
    let wrong = [("name", "ann"), ("password", "battery staple")];
    assert_eq!(browser.post("/sign-in", &wrong).await.0, 401);
    let from_elsewhere = browser.client.post(format!("{}/sign-in", browser.root)).form(&right);
    let from_elsewhere = from_elsewhere.header("sec-fetch-site", "cross-site");
    assert_eq!(browser.send(from_elsewhere).await.0, 403, "another site signs nobody in");
    let (status, page) = browser.post("/sign-in", &right).await;
    assert_eq!(status, 200);
    assert_eq!(browser.post("/sign-out", &[("csrf", "made up")]).await.0, 403);
    assert_eq!(browser.open("/sessions").await.0, 200, "a form that is not ours changes nothing");
    let csrf = csrf_of(&page).to_owned();
    browser.post("/sign-out", &[("csrf", &csrf)]).await;
    assert!(browser.open("/sessions").await.1.contains("type=\"password\""), "signed out");
    for _ in 0..10 {
        assert_eq!(browser.post("/sign-in", &wrong).await.0, 401);
    }
    assert_eq!(browser.post("/sign-in", &right).await.0, 429, "locked out");
}

#[actix_web::test]
async fn a_password_of_ones_own_ends_the_other_sessions() {
    let service = Service::start();
    let link = || run_json(service.data(), &["user", "link", "ann", "--json"]);
    let path = |shown: Value| shown["path"].as_str().expect("a path").to_owned();
    let (here, there) = (Browser::of(&service), Browser::of(&service));
    here.post(&add_user(&service, "ann", &["--role", "viewer"]), &[]).await;
    there.post(&path(link()), &[]).await;
    assert_eq!(there.open("/sessions").await.1.matches("viewer").count(), 0, "signed in");
    let set = async |current: &str, password: &str| {
        let csrf = csrf_of(&here.open("/sessions").await.1).to_owned();
        let form = [("csrf", &*csrf), ("current", current), ("password", password)];
        here.post("/password", &form).await.0
    };
    assert_eq!(set("", "short").await, 422);
    assert_eq!(set("", "correct horse").await, 200, "there was none before");
    assert!(there.open("/sessions").await.1.contains("name=\"name\""), "it has to sign in");
    assert_eq!(set("battery staple", "another horse").await, 403);
    assert_eq!(set("correct horse", "another horse").await, 200);
    let right = [("name", "ann"), ("password", "another horse")];
    assert_eq!(there.post("/sign-in", &right).await.0, 200);
    let foreign =
        [("csrf", "made up"), ("current", "another horse"), ("password", "correct horse")];
    assert_eq!(here.post("/password", &foreign).await.0, 403);
}

#[actix_web::test]
async fn a_cookie_opens_nothing_that_changes_something() {
    let service = Service::start();
    service.add_gym("berlin", "Europe/Berlin");
    let browser = Browser::of(&service);
    browser.post(&add_user(&service, "ann", &["--role", "admin"]), &[]).await;
    let path = format!("/api/v1/gyms/berlin/members/{}", Uuid::new_v4());
    assert_eq!(browser.open(&path).await.0, 404, "it may read");
    let request = browser.client.delete(format!("{}{path}", browser.root));
    assert_eq!(browser.send(request).await.0, 401);
}
