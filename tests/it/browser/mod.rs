//! The page in a real browser: what a manager sees and does, by keyboard and mouse, on a phone and
//! on the wall, in both languages, light and dark.
//!
//! With `SCREENSHOTS=1` it also takes the pictures in `docs/screenshots/`.

mod begin;
mod changes;
mod chrome;
mod figures;
mod overview;
mod pictures;
mod scriptless;
mod wall;
mod ways;
mod words;

use std::sync::LazyLock;

use chrono_tz::Tz;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::laws::REPORTS;
use crate::patience::Patience;
use crate::service::{Service, Webhook, answer, client, delivery, now, run, run_json};
use chrome::Chrome;
use footfall::domain::calendar::day_of;

const MINUTE: i64 = 60_000;

/// A chain of two gyms with some weeks behind them, somebody of each role, and a browser.
struct Site {
    service: Service,
    webhook: Webhook,
    chrome: Chrome,
    token: String,
}

impl Site {
    async fn open() -> Site {
        let service = Service::start();
        let chrome = Chrome::start(&service.root).await;
        let zone = *EVENING;
        let webhook = service.add_gym("mitte", zone.name());
        let other = service.add_gym("spandau", zone.name());
        for (webhook, days, seed) in [(&webhook, "64", "1"), (&other, "8", "2")] {
            let url = format!("{}{}", service.root, webhook.path);
            let args = ["simulate", "--members", "220", "--days", days, "--seed", seed];
            let args = [&args[..], &["--time-zone", zone.name()]].concat();
            let to = ["--url", &url, "--secret", &webhook.secret];
            let simulated = run(service.data(), &[&args[..], &to].concat());
            assert!(simulated.status.success(), "{}", String::from_utf8_lossy(&simulated.stderr));
        }
        let token = service.add_token("all", "admin", &[]);
        Site { service, webhook, chrome, token }
    }

    fn add_user(&self, name: &str, args: &[&str]) -> String {
        let all = [&["user", "add", name, "--json"], args].concat();
        run_json(self.service.data(), &all)["path"].as_str().expect("a path").to_owned()
    }

    async fn post(&self, account: Uuid, ago: i64, kind: &str) {
        let body = delivery(account, now() - ago, kind);
        assert_eq!(self.service.post(&self.webhook, body).await.0, 200);
    }
}

impl Site {
    /// Waits until the page of `mitte` that is open shows as many as the API says are there.
    async fn until_live(&self) -> i64 {
        let patience = Patience::until("the page shows how many are there");
        loop {
            let shown = digits(&self.chrome.text("[data-count]").await);
            let api = "/api/v1/gyms/mitte/occupancy";
            if self.service.get_ok(&self.token, api).await["present"] == shown {
                return shown;
            }
            patience.again().await;
        }
    }
}

/// All digits of a text, as a number.
fn digits(text: &str) -> i64 {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    digits.parse().unwrap_or_else(|_| panic!("no number in {text:?}"))
}

/// The number that a bar says: in its second line, under what it is.
fn drawn(says: &str) -> i64 {
    digits(says.lines().nth(1).expect("a figure"))
}

/// Where it is between six and seven in the evening as this begins, so that gyms are busy whenever
/// it runs, and no day ends meanwhile.
static EVENING: LazyLock<Tz> = LazyLock::new(|| {
    let ahead = 18 - (now() / (60 * MINUTE)).rem_euclid(24);
    let ahead = if ahead > 14 { ahead - 24 } else { ahead };
    // The sign in these names is that of the way back to UTC.
    format!("Etc/GMT{:+}", -ahead).parse().expect("there is such a zone")
});

/// So many local days ago.
fn day(ago: i32) -> String {
    day_of(*EVENING, now()).plus(-ago).date().to_string()
}

#[needs::tools("chromium", "axe-core")]
#[tokio::test]
async fn a_password_signs_in_and_the_number_is_live() {
    let site = Site::open().await;
    let chrome = &site.chrome;
    site.add_user("ann", &["--role", "viewer"]);
    site.service.set_password("ann", "a long enough secret");
    chrome.visit("/gyms/mitte").await;
    chrome.keep_picture("sign-in").await;
    chrome.fill("[name=name]", "ann").await;
    // By keyboard alone.
    chrome.fill("[name=password]", "wrong").await;
    chrome.enter("[name=password]").await;
    assert!(chrome.text("[role=alert]").await.contains("wrong"));
    chrome.fill("[name=name]", "ann").await;
    chrome.fill("[name=password]", "a long enough secret").await;
    chrome.enter("[name=password]").await;
    assert_eq!(chrome.text("h1").await, "mitte", "it leads to what was asked for");
    chrome.check("/gyms/mitte").await;
    site.until_live().await;
    // More than can leave meanwhile.
    let before = digits(&chrome.text("[data-count]").await);
    for _ in 0..30 {
        site.post(Uuid::new_v4(), MINUTE, "GYM_CHECKIN").await;
    }
    assert!(site.until_live().await > before);
    chrome.check("/gyms/mitte, live").await;
    chrome.click(".me summary").await;
    chrome.follow("header form button").await;
    assert_eq!(chrome.driver.current_url().await.expect("one").path(), "/sign-in");
    site.chrome.end().await;
}

#[needs::tools("chromium", "axe-core")]
#[tokio::test]
async fn every_view_is_right_on_every_screen() {
    let site = Site::open().await;
    let chrome = &site.chrome;
    chrome.sign_in(&site.add_user("ann", &["--role", "admin"])).await;
    site.service.post(&site.webhook, "{\"type\": \"GYM_CHECKIN\"}").await;
    let set = run(site.service.data(), &["gym", "set", "mitte", "--public", "percent"]);
    assert!(set.status.success());
    note(chrome, &day(9), &day(8), "refit", "New floor in the free-weights area").await;
    let reports = REPORTS.map(|report| (report, format!("/gyms/mitte/reports/{report}")));
    let mut views: Vec<(&str, String)> = reports.to_vec();
    for (name, path) in [
        ("now-all", "/"),
        ("now", "/gyms/mitte"),
        ("set-up", "/gyms/mitte/set-up"),
        ("chain", "/reports/visits"),
        ("rules", "/gyms/mitte/rules"),
        ("settings", "/gyms/mitte/settings"),
        ("leave", "/gyms/mitte/leave"),
        ("annotations", "/gyms/mitte/annotations"),
        ("people", "/people"),
        ("sessions", "/sessions"),
        ("busy", "/busy/mitte"),
        ("wall", "/wall?gyms=mitte"),
    ] {
        views.push((name, path.to_owned()));
    }
    views.push(("member-lists", "/gyms/mitte/members".to_owned()));
    for (width, height, screen) in [(1200, 900, ""), (390, 844, "-phone"), (1920, 1080, "-wall")] {
        chrome.resize(width, height).await;
        for (name, path) in &views {
            chrome.visit(path).await;
            if screen.is_empty() || *name == "now" || *name == "now-all" {
                chrome.keep_picture(&format!("{name}{screen}")).await;
            }
        }
    }
    chrome.resize(1200, 900).await;
    chrome.prefer("dark").await;
    chrome.open("/language/de?next=/").await;
    for (name, path) in &views {
        chrome.visit(path).await;
        assert_eq!(chrome.ask("return document.documentElement.lang").await, "de", "{path}");
        if *name == "visits" || *name == "now" {
            chrome.keep_picture(&format!("{name}-de-dark")).await;
        }
    }
    assert!(chrome.texts("header").await.concat().contains("Abmelden"));
    site.chrome.end().await;
}

#[needs::tools("chromium", "axe-core")]
#[tokio::test]
async fn pictures_and_tables_show_what_the_api_says() {
    let site = Site::open().await;
    let chrome = &site.chrome;
    chrome.sign_in(&site.add_user("ann", &["--role", "viewer"])).await;
    let (from, last, until) = (day(20), day(7), day(6));
    for (report, column) in [
        ("visits", "visits"),
        ("members", "members"),
        ("equipment", "checkins"),
        ("occupancy", "peak"),
    ] {
        let api =
            format!("/api/v1/gyms/mitte/reports/{report}?from={from}&until={until}&interval=1d");
        let said = site.service.get_ok(&site.token, &api).await;
        let said: Vec<i64> = said["buckets"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|bucket| bucket[column].as_i64().expect("a count"))
            .collect();
        assert_eq!(said.len(), 14);
        chrome
            .visit(&format!("/gyms/mitte/reports/{report}?from={from}&to={last}&interval=1d"))
            .await;
        let place = if report == "occupancy" { 3 } else { 2 };
        let cells = chrome.texts(&format!("tbody tr :nth-child({place})")).await;
        let shown: Vec<i64> = cells.iter().map(|cell| digits(cell)).collect();
        assert_eq!(shown, said, "{report}");
        if report != "occupancy" {
            let bars = chrome.texts("svg.chart rect.at title").await;
            let drawn: Vec<i64> = bars.iter().map(|says| drawn(says)).collect();
            assert_eq!(drawn, said, "{report}");
        }
    }
    // The picker, as a person uses it.
    chrome.visit("/gyms/mitte/reports/visits").await;
    for (name, text) in [("from", &from), ("to", &last)] {
        chrome.ask(&format!("document.querySelector('[name={name}]').value = '{text}'")).await;
    }
    chrome.ask("document.querySelector('[name=compare]').value = 'previous'").await;
    chrome.click(".own summary").await;
    chrome.follow(".range button").await;
    chrome.check("a comparison").await;
    let api = format!(
        "/api/v1/gyms/mitte/reports/visits?from={from}&until={until}&interval=1d&compare=previous"
    );
    let said = site.service.get_ok(&site.token, &api).await;
    assert_eq!(digits(&chrome.text("dd").await), said["totals"]["visits"].as_i64().expect("one"));
    let before = said["comparison"]["that"]["totals"]["visits"].as_i64().expect("one");
    assert_eq!(digits(&chrome.text(".that").await), before);
    // What the link to the CSV gives.
    let script = "const done = arguments[arguments.length - 1];
                  const link = document.querySelector('a[href*=\"format=csv\"]');
                  fetch(link.href).then((answer) => answer.text()).then(done);";
    let csv = chrome.driver.execute_async(script, vec![]).await.expect("it comes");
    let csv = csv.json().as_str().expect("a text").to_owned();
    assert!(csv.starts_with("start,complete,visits,"), "{csv}");
    assert!(csv.lines().count() >= 15, "{csv}");
    site.chrome.end().await;
}

#[needs::tools("chromium", "axe-core")]
#[tokio::test]
async fn all_gyms_stand_beside_each_other_with_their_sum() {
    let site = Site::open().await;
    let chrome = &site.chrome;
    chrome.sign_in(&site.add_user("ann", &["--role", "viewer"])).await;
    let (from, last, until) = (day(20), day(7), day(6));
    chrome.visit(&format!("/reports/visits?from={from}&to={last}&interval=1d")).await;
    let api = format!("/api/v1/reports/visits?from={from}&until={until}&interval=1d");
    let said = site.service.get_ok(&site.token, &api).await;
    let visits = |totals: &Value| totals["visits"].as_i64().expect("a count");
    let of_gyms = said["gyms"].as_array().expect("a list").iter();
    let expected: Vec<_> = of_gyms.map(|gym| visits(&gym["totals"])).collect();
    let shown = chrome.texts("tbody td:nth-child(2)").await;
    assert_eq!(shown.iter().map(|cell| digits(cell)).collect::<Vec<_>>(), expected);
    assert_eq!(digits(&chrome.text("tfoot td").await), visits(&said["totals"]));
    assert_eq!(expected.iter().sum::<i64>(), visits(&said["totals"]));
    let bars = chrome.texts("svg.chart rect.at title").await;
    assert_eq!(bars.iter().map(|says| drawn(says)).sum::<i64>(), visits(&said["totals"]));
    site.chrome.end().await;
}

#[needs::tools("chromium", "axe-core")]
#[tokio::test]
async fn a_manager_erases_and_an_admin_releases() {
    let site = Site::open().await;
    let chrome = &site.chrome;
    let [viewer, manager, admin] = ["viewer", "manager", "admin"]
        .map(|role| site.add_user(role, &["--role", role, "--gym", "mitte"]));
    let account = Uuid::new_v4();
    site.post(account, 60 * MINUTE, "GYM_CHECKIN").await;
    site.post(account, 5 * MINUTE, "GYM_CHECKOUT").await;

    chrome.sign_in(&viewer).await;
    assert_eq!(chrome.texts("a[href$='/members'], a[href$='/set-up']").await, Vec::<String>::new());
    for path in ["/gyms/mitte/members", "/gyms/mitte/set-up", "/gyms/spandau"] {
        chrome.open(path).await;
        assert_eq!(chrome.text("h1").await, "That did not work", "{path}");
    }

    chrome.sign_in(&manager).await;
    chrome.visit("/gyms/mitte/members").await;
    let link = format!("a[href='/gyms/mitte/members/{account}']");
    chrome.follow(&link).await;
    chrome.check("one member").await;
    chrome.keep_picture("member").await;
    assert_eq!(chrome.texts("h2").await[..2], ["Visits · 1", "Events · 2"]);
    let path = format!("/api/v1/gyms/mitte/members/{account}");
    // Not by accident.
    chrome.click("button.danger").await;
    assert_eq!(site.service.get(&site.token, &path).await.0, 200);
    chrome.click("[name=sure]").await;
    chrome.follow("button.danger").await;
    assert_eq!(chrome.text("h1").await, "Erasures");
    chrome.check("erasures").await;
    let patience = Patience::until("the member is erased");
    while site.service.get(&site.token, &path).await.0 != 404 {
        patience.again().await;
    }
    chrome.open("/gyms/mitte/members").await;
    assert_eq!(chrome.texts(&link).await, Vec::<String>::new());

    // What is too old waits, until events are kept for longer.
    let set = |months: &str| {
        let args = ["gym", "set", "mitte", "--retain-events", months];
        assert!(run(site.service.data(), &args).status.success());
    };
    set("3");
    let old = delivery(Uuid::new_v4(), now() - 200 * 24 * 60 * MINUTE, "GYM_CHECKIN");
    assert_eq!(site.service.post(&site.webhook, old).await.0, 422);
    chrome.sign_in(&admin).await;
    chrome.visit("/gyms/mitte/set-up").await;
    chrome.keep_picture("set-up").await;
    assert!(chrome.text("#quarantine").await.contains("beyond_retention"));
    chrome.follow("#quarantine button").await;
    assert_eq!(chrome.text("h1").await, "That did not work", "it is still too old");
    set("off");
    chrome.visit("/gyms/mitte/set-up").await;
    chrome.follow("#quarantine button").await;
    assert!(chrome.text("#quarantine").await.contains("Nothing waits here."));
    let waiting = site.service.get_ok(&site.token, "/api/v1/gyms/mitte/quarantine").await;
    assert_eq!(waiting["quarantine"], json!([]));
    site.chrome.end().await;
}

/// Writes an annotation of gym `mitte` on the page.
async fn note(chrome: &Chrome, from: &str, to: &str, kind: &str, text: &str) {
    chrome.visit("/gyms/mitte/annotations").await;
    for (name, value) in [("from", from), ("to", to), ("kind", kind)] {
        chrome
            .ask(&format!("document.querySelector('main [name={name}]').value = '{value}'"))
            .await;
    }
    chrome.fill("[name=text]", text).await;
    chrome.follow("form.range button").await;
    assert!(chrome.text("tbody").await.contains(text));
}

#[needs::tools("chromium", "axe-core")]
#[tokio::test]
async fn a_manager_notes_what_happened_and_it_stands_on_every_report() {
    let site = Site::open().await;
    let chrome = &site.chrome;
    chrome.sign_in(&site.add_user("ann", &["--role", "manager"])).await;
    note(chrome, &day(6), &day(5), "holiday", "<b>Carnival</b>").await;
    let range = format!("from={}&to={}&interval=1d", day(7), day(4));
    chrome.visit(&format!("/gyms/mitte/reports/visits?{range}")).await;
    let marked = chrome.texts("svg.chart rect.noted title").await;
    assert!(marked.len() == 1 && marked[0].ends_with(": Holiday, <b>Carnival</b>"), "{marked:?}");
    assert_eq!(chrome.texts(".noted li").await, marked);
    let extent = "const box = (one) => document.querySelector(one).getBoundingClientRect();
                  const bars = document.querySelectorAll('rect.bar');
                  const [strip, second, third] = [box('rect.noted'), bars[1], bars[2]];
                  return strip.left <= second.getBoundingClientRect().left
                      && strip.right >= third.getBoundingClientRect().right
                      && strip.right <= bars[3].getBoundingClientRect().left";
    assert_eq!(chrome.ask(extent).await, true, "it spans its two days and no other");
    // The same range of another gym, which has no such note.
    chrome.click(".gyms summary").await;
    chrome.follow(".gyms a[href^='/gyms/spandau']").await;
    let now = chrome.driver.current_url().await.expect("one");
    assert_eq!((now.path(), now.query()), ("/gyms/spandau/reports/visits", Some(range.as_str())));
    assert_eq!(chrome.texts(".noted li").await, Vec::<String>::new());
    chrome.visit("/gyms/mitte/annotations").await;
    chrome.follow("td button").await;
    assert_eq!(chrome.texts("td").await, Vec::<String>::new());

    chrome.sign_in(&site.add_user("joe", &["--role", "viewer"])).await;
    chrome.visit("/gyms/mitte/annotations").await;
    assert_eq!(chrome.texts("main form").await, Vec::<String>::new(), "a viewer only reads");
    site.chrome.end().await;
}

#[needs::tools("chromium", "axe-core")]
#[tokio::test]
async fn an_admin_tries_rules_before_they_hold() {
    let site = Site::open().await;
    let chrome = &site.chrome;
    chrome.sign_in(&site.add_user("ann", &["--role", "admin"])).await;
    let rules =
        async || site.service.get_ok(&site.token, "/api/v1/gyms/mitte").await["rules"].clone();
    let before = rules().await;
    let (from, until) = (day(28), day(0));
    let api = format!("/api/v1/gyms/mitte/reports/occupancy?from={from}&until={until}");
    let average =
        async || site.service.get_ok(&site.token, &api).await["totals"]["average"].clone();
    let average_before = average().await;
    let set = async |button: &str| {
        chrome.visit("/gyms/mitte/rules").await;
        chrome.ask("document.querySelector('[name=assumed_stay]').value = 20").await;
        chrome.follow(&format!("[name=do][value={button}]")).await;
        let patience = Patience::until("it is counted");
        while chrome.ask("return document.querySelector('tbody') === null").await == true {
            patience.again().await;
        }
        chrome.check(button).await;
        chrome.texts("tr.changed td").await
    };
    let tried = set("try").await;
    assert!(!tried.is_empty(), "fewer minutes are assumed");
    chrome.resize(1200, 900).await;
    chrome.keep_picture("rules-tried").await;
    assert_eq!((rules().await, average().await), (before, average_before.clone()));
    assert_eq!(set("apply").await, tried, "what was tried is what came");
    assert_eq!(rules().await["assumed_stay"], 20);
    assert!(average().await.as_f64() < average_before.as_f64());
    assert_eq!(crate::service::verify(site.service.data())["ok"], true);
    // Rules that make no sense are refused, with the reason.
    chrome.open("/gyms/mitte/rules").await;
    chrome.ask("document.querySelector('[name=assumed_stay]').value = 500").await;
    chrome.follow("[name=do][value=apply]").await;
    assert!(chrome.text("main").await.contains("no other rule is longer"));
    site.chrome.end().await;
}

#[needs::tools("chromium", "axe-core")]
#[tokio::test]
async fn an_admin_adds_people_and_tokens_and_removes_them() {
    let site = Site::open().await;
    let chrome = &site.chrome;
    let ann = site.add_user("ann", &["--role", "admin"]);
    chrome.sign_in(&ann).await;
    let add = async |name: &str, button: &str| {
        chrome.visit("/people").await;
        chrome.fill("[name=name][required]", name).await;
        chrome.click("[name=gym][value=spandau]").await;
        chrome.follow(&format!("button[value={button}]")).await;
        chrome.check(button).await;
    };
    add("till", "add_token").await;
    let token = chrome.text(".secret").await;
    let gyms = site.service.get_ok(&token, "/api/v1/gyms").await;
    assert_eq!(gyms["gyms"].as_array().map(Vec::len), Some(1));
    assert_eq!(gyms["gyms"][0]["gym"], "spandau");
    add("till", "add_token").await;
    assert!(chrome.text("main").await.contains("taken"));
    add("joe", "add_user").await;
    let link = chrome.text(".secret").await;
    chrome.visit("/people").await;
    chrome.follow("form:has([value=till]) button[value=remove_token]").await;
    assert_eq!(site.service.get(&token, "/api/v1/gyms").await.0, 401);
    // Who was added comes in by the link, and sees no more than was ticked.
    chrome.sign_in(link.strip_prefix(&site.service.root).expect("of this service")).await;
    assert_eq!(chrome.texts("main h2").await, ["spandau"]);
    assert_eq!(chrome.texts("a[href='/people']").await, Vec::<String>::new());
    chrome.open("/people").await;
    assert_eq!(chrome.text("h1").await, "That did not work");
    site.chrome.end().await;
}

/// A form without the word of its session does nothing.
#[tokio::test]
async fn a_form_of_another_page_erases_nothing() {
    let service = Service::start();
    let webhook = service.add_gym("mitte", "Europe/Berlin");
    let account = Uuid::new_v4();
    let body = delivery(account, now() - MINUTE, "GYM_CHECKIN");
    assert_eq!(service.post(&webhook, body).await.0, 200);
    let added = run_json(service.data(), &["user", "add", "ann", "--role", "admin", "--json"]);
    let client = client().cookie_store(true).build().expect("a client");
    let at = |path: &str| format!("{}{path}", service.root);
    let link = at(added["path"].as_str().expect("a path"));
    assert!(client.post(link).send().await.expect("an answer").status().is_success());
    let erase = client.post(at(&format!("/gyms/mitte/members/{account}/erase")));
    let (status, _) = answer(erase.form(&[("csrf", "guessed"), ("sure", "yes")])).await;
    assert_eq!(status, 403);
    let release = client.post(at("/gyms/mitte/quarantine"));
    assert_eq!(answer(release.form(&[("csrf", "guessed"), ("id", "1")])).await.0, 403);
    for (path, fields) in [
        ("/people", &[("do", "add_token"), ("name", "x"), ("role", "admin")][..]),
        ("/gyms/mitte/settings", &[("capacity", "1"), ("public", "percent")]),
        ("/gyms/mitte/annotations", &[("from", "2026-01-01"), ("text", "x")]),
    ] {
        let form = client.post(at(path)).form(&[&[("csrf", "guessed")], fields].concat());
        assert_eq!(answer(form).await.0, 403, "{path}");
    }
    let token = service.add_token("all", "admin", &[]);
    let stored: Value =
        service.get_ok(&token, &format!("/api/v1/gyms/mitte/members/{account}")).await;
    assert_eq!(stored["events"].as_array().map(Vec::len), Some(1));
}
