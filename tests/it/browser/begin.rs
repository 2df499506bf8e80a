//! From an empty folder to a connected gym with a live number, in the browser alone: by mouse and by
//! keyboard, on a desk and on a phone, in both languages, with and without the script.

use serde_json::{Value, json};
use uuid::Uuid;

use super::chrome::Chrome;
use super::digits;
use crate::patience::Patience;
use crate::service::{Service, Webhook, delivery, now};

/// How somebody uses the page.
#[derive(Clone, Copy, PartialEq)]
enum By {
    Mouse,
    Keyboard,
}

struct Person {
    chrome: Chrome,
    by: By,
}

impl Person {
    async fn type_in(&self, selector: &str, text: &str) {
        match self.by {
            By::Mouse => {
                self.chrome.click(selector).await;
                self.chrome.fill(selector, text).await;
            }
            By::Keyboard => {
                let field = self.chrome.tab_to(selector).await;
                field.send_keys(text).await.expect("it takes text");
            }
        }
    }

    async fn press(&self, selector: &str) {
        match self.by {
            By::Mouse => self.chrome.follow(selector).await,
            By::Keyboard => self.chrome.press(selector).await,
        }
    }

    /// A picture for the documentation, of a desk and of a phone.
    async fn keep(&self, name: &str) {
        if self.by == By::Mouse {
            let is_phone = self.chrome.ask("return innerWidth < 600").await == true;
            let screen = if is_phone { "-phone" } else { "" };
            self.chrome.keep_picture(&format!("{name}{screen}")).await;
        }
    }

    async fn is_at(&self, path: &str) {
        let here = self.chrome.driver.current_url().await.expect("it is somewhere");
        assert_eq!(here.path(), path);
    }

    /// Waits until the page says that, without being opened again.
    async fn until_it_says(&self, selector: &str, text: &'static str) {
        let patience = Patience::until(text);
        let script = format!("return document.querySelector({selector:?})?.innerText ?? ''");
        loop {
            let said = self.chrome.ask(&script).await;
            if said.as_str().is_some_and(|said| said.contains(text)) {
                return;
            }
            patience.again().await;
        }
    }

    /// The webhook that the page shows this once.
    async fn shown(&self, service: &Service) -> Webhook {
        let url = self.chrome.text("#url").await;
        let path = url.strip_prefix(&service.root).expect("of this service").to_owned();
        Webhook { path, secret: self.chrome.text("#secret").await }
    }
}

fn test() -> String {
    json!({ "type": "TEST", "timestamp": now() }).to_string()
}

/// What the page says at each stage.
struct Says {
    language: &'static str,
    test: &'static str,
    member: &'static str,
    turned_away: &'static str,
    live: &'static str,
    copied: &'static str,
}

const ENGLISH: Says = Says {
    language: "en",
    test: "Waiting for EGYM's test.",
    member: "Waiting for the first check-in.",
    turned_away: "with another secret",
    live: "Studio Süd is connected.",
    copied: "Copied",
};
const GERMAN: Says = Says {
    language: "de",
    test: "Warten auf den Test von EGYM.",
    member: "Warten auf den ersten Check-in.",
    turned_away: "mit einem anderen Geheimnis",
    live: "Studio Süd ist verbunden.",
    copied: "Kopiert",
};

/// The whole way.
async fn begin(by: By, (width, height): (u32, u32), says: &Says) {
    let service = Service::start();
    let person = Person { chrome: Chrome::start(&service.root).await, by };
    person.chrome.resize(width, height).await;
    person.chrome.live_in("Europe/Vienna").await;
    become_admin(&person, &service, says).await;
    add_gym(&person).await;
    let webhook = get_secret(&person, &service, says).await;
    see_it_connected(&person, &service, &webhook, says).await;
    let token = service.add_token("look", "admin", &[]);
    let gym: Value = service.get_ok(&token, "/api/v1/gyms/studio-sued").await;
    let set = ["name", "time_zone", "capacity"].map(|key| gym[key].clone());
    assert_eq!(set, [json!("Studio Süd"), json!("Europe/Berlin"), json!(60)]);
    person.chrome.end().await;
}

async fn become_admin(person: &Person, service: &Service, says: &Says) {
    let chrome = &person.chrome;
    let (path, code) = service.first_admin_link();
    // Who comes without the link is told where it is.
    chrome.visit(&format!("/language/{}?next=%2F", says.language)).await;
    assert!(chrome.texts("form").await.is_empty(), "nobody can sign in yet");
    chrome.visit(&format!("{path}#{code}")).await;
    assert_eq!(chrome.ask("return location.href").await, format!("{}{path}", service.root));
    person.type_in("[name=name]", "Ann Boss").await;
    person.type_in("[name=password]", "a long enough secret").await;
    person.press("main button").await;
}

async fn add_gym(person: &Person) {
    let chrome = &person.chrome;
    person.is_at("/new-gym").await;
    chrome.check("a new gym").await;
    person.type_in("[name=name]", "Studio Süd").await;
    let value = |name: &str| format!("return document.querySelector('[name={name}]').value");
    assert_eq!(chrome.ask(&value("slug")).await, "studio-sued");
    assert_eq!(chrome.ask(&value("zone")).await, "Europe/Vienna", "the browser's own");
    let first = "return document.querySelector('datalist option').value";
    assert_eq!(chrome.ask(first).await, "Europe/Vienna");
    // Another one takes its place.
    person.type_in("[name=zone]", "Europe/Berlin").await;
    person.type_in("[name=capacity]", "60").await;
    person.keep("new-gym").await;
    person.press("main button").await;
}

async fn get_secret(person: &Person, service: &Service, says: &Says) -> Webhook {
    let chrome = &person.chrome;
    person.is_at("/gyms/studio-sued/connection").await;
    chrome.check("two ways").await;
    person.press("main form:not(:has([name=key])) button").await;
    chrome.check("the secret").await;
    let webhook = person.shown(service).await;
    if person.by == By::Mouse {
        chrome.click("[data-copy=secret]").await;
    } else {
        chrome.tab_to("[data-copy=secret]").await.send_keys(" ").await.expect("it takes keys");
    }
    person.until_it_says("[data-copy=secret]", says.copied).await;
    assert_eq!(chrome.ask("return String(getSelection())").await, webhook.secret);
    webhook
}

async fn see_it_connected(person: &Person, service: &Service, webhook: &Webhook, says: &Says) {
    let chrome = &person.chrome;
    chrome.ask("window.isTheSame = true").await;
    person.until_it_says("[role=status]", says.test).await;
    let wrong = Webhook { secret: "ffs_wrong".to_owned(), ..webhook.clone() };
    assert_eq!(service.post(&wrong, test()).await.0, 401);
    person.until_it_says("[data-every]", says.turned_away).await;
    chrome.check("another secret").await;
    person.keep("connection").await;
    assert_eq!(service.post(webhook, test()).await.0, 200);
    person.until_it_says("[role=status]", says.member).await;
    chrome.check("the TEST has come").await;
    assert_eq!(chrome.text("#secret").await, webhook.secret, "it is still there to copy");
    let body = delivery(Uuid::new_v4(), now() - 1_000, "GYM_CHECKIN");
    assert_eq!(service.post(webhook, body).await.0, 200);
    person.until_it_says("[role=status]", says.live).await;
    assert_eq!(digits(&chrome.text("[data-count]").await), 1);
    assert_eq!(chrome.ask("return window.isTheSame").await, true, "nobody opened it again");
    chrome.check("connected").await;
    person.press("[data-every] a").await;
    person.is_at("/gyms/studio-sued").await;
    assert_eq!(digits(&chrome.text("[data-count]").await), 1);
    chrome.check("the gym").await;
}

#[needs::tools("chromium", "axe-core")]
#[tokio::test]
async fn an_empty_folder_becomes_a_connected_gym_by_mouse_on_a_desk() {
    begin(By::Mouse, (1200, 900), &ENGLISH).await;
}

#[needs::tools("chromium", "axe-core")]
#[tokio::test]
async fn an_empty_folder_becomes_a_connected_gym_by_mouse_on_a_phone() {
    begin(By::Mouse, (390, 844), &GERMAN).await;
}

#[needs::tools("chromium", "axe-core")]
#[tokio::test]
async fn an_empty_folder_becomes_a_connected_gym_by_keyboard_on_a_desk() {
    begin(By::Keyboard, (1200, 900), &GERMAN).await;
}

#[needs::tools("chromium", "axe-core")]
#[tokio::test]
async fn an_empty_folder_becomes_a_connected_gym_by_keyboard_on_a_phone() {
    begin(By::Keyboard, (390, 844), &ENGLISH).await;
}

/// The same without the script: more is typed, and the page is loaded again by itself.
#[needs::tools("chromium", "axe-core")]
#[tokio::test]
async fn an_empty_folder_becomes_a_connected_gym_without_a_script() {
    let service = Service::start();
    let (first, code) = service.first_admin_link();
    let person = Person { chrome: Chrome::start(&service.root).await, by: By::Mouse };
    let chrome = &person.chrome;
    chrome.without_scripts().await;
    chrome.open(&format!("{first}#{code}")).await;
    person.type_in("[name=code]", &code).await;
    person.type_in("[name=name]", "ann").await;
    person.type_in("[name=password]", "a long enough secret").await;
    person.press("main button").await;
    person.is_at("/new-gym").await;
    person.type_in("[name=name]", "Studio Süd").await;
    person.type_in("[name=zone]", "Europe/Berln").await;
    person.press("main button").await;
    assert!(chrome.text("[role=alert]").await.contains("Europe/Berlin"), "the nearest is told");
    chrome.find("[name=zone]").await.clear().await.expect("it can be emptied");
    person.type_in("[name=zone]", "Europe/Berlin").await;
    person.press("main button").await;
    person.is_at("/gyms/studio-sued/connection").await;
    person.press("main form:not(:has([name=key])) button").await;
    let webhook = person.shown(&service).await;
    person.press("noscript a").await;
    person.until_it_says("[role=status]", ENGLISH.test).await;
    assert_eq!(service.post(&webhook, test()).await.0, 200);
    person.until_it_says("[role=status]", ENGLISH.member).await;
    let body = delivery(Uuid::new_v4(), now() - 1_000, "GYM_CHECKIN");
    assert_eq!(service.post(&webhook, body).await.0, 200);
    person.until_it_says("[role=status]", ENGLISH.live).await;
    assert_eq!(digits(&chrome.text("[data-count]").await), 1);
    person.chrome.end().await;
}

/// Who has lost the secret gets another; the one that was shown is good no more.
#[needs::tools("chromium", "axe-core")]
#[tokio::test]
async fn a_secret_that_was_lost_is_made_anew() {
    let service = Service::start();
    service.add_gym("mitte", "Europe/Berlin");
    let added = crate::service::run_json(
        service.data(),
        &["user", "add", "ann", "--role", "admin", "--json"],
    );
    let person = Person { chrome: Chrome::start(&service.root).await, by: By::Mouse };
    let chrome = &person.chrome;
    chrome.sign_in(added["path"].as_str().expect("a path")).await;
    chrome.visit("/gyms/mitte/connection").await;
    chrome.click("main details summary").await;
    person.press("[name=again]").await;
    let webhook = person.shown(&service).await;
    assert_eq!(service.post(&webhook, test()).await.0, 200);
    person.until_it_says("[role=status]", ENGLISH.member).await;
    // What is in use is not taken away by a page that is still open.
    chrome.visit("/gyms/mitte/connection").await;
    assert_eq!(chrome.texts("[name=again]").await, Vec::<String>::new());
    person.chrome.end().await;
}
