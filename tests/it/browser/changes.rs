//! A gym that is there is changed in the browser: its settings, its webhooks, its end.

use serde_json::{Value, json};
use uuid::Uuid;

use super::chrome::Chrome;
use crate::patience::Patience;
use crate::service::{Service, Webhook, delivery, now, run_json};

struct Place {
    service: Service,
    chrome: Chrome,
    token: String,
}

impl Place {
    async fn open() -> Place {
        let service = Service::start();
        let added = run_json(service.data(), &["user", "add", "ann", "--role", "admin", "--json"]);
        let token = service.add_token("look", "admin", &[]);
        let chrome = Chrome::start(&service.root).await;
        chrome.sign_in(added["path"].as_str().expect("a path")).await;
        Place { service, chrome, token }
    }

    async fn gym(&self) -> Value {
        self.service.get_ok(&self.token, "/api/v1/gyms/mitte").await
    }

    /// Puts a text in the place of what a field holds.
    async fn put(&self, selector: &str, text: &str) {
        self.chrome.find(selector).await.clear().await.expect("it can be emptied");
        self.chrome.fill(selector, text).await;
    }

    async fn check_in(&self, webhook: &Webhook) -> u16 {
        let body = delivery(Uuid::new_v4(), now() - 60_000, "GYM_CHECKIN");
        self.service.post(webhook, body).await.0
    }
}

#[needs::tools("chromium", "axe-core")]
#[tokio::test]
async fn settings_are_changed_and_what_is_wrong_is_said_beside_what_was_typed() {
    let place = Place::open().await;
    let webhook = place.service.add_gym("mitte", "Europe/Berlin");
    assert_eq!(place.check_in(&webhook).await, 200);
    let chrome = &place.chrome;
    for width in [1200, 390] {
        chrome.resize(width, 900).await;
        chrome.visit("/gyms/mitte/settings").await;
    }
    place.put("[name=name]", "Mitte am Park").await;
    place.put("[name=capacity]", "120").await;
    chrome.follow(".form button").await;
    assert_eq!(chrome.text("[role=status]").await, "Saved.");
    let gym = place.gym().await;
    assert_eq!((&gym["name"], &gym["capacity"]), (&json!("Mitte am Park"), &json!(120)));
    // Fewer months are said twice; what was typed stays.
    place.put("[name=retain]", "12").await;
    chrome.follow(".form button").await;
    assert!(chrome.text("[role=alert]").await.contains("Tick that you mean it"));
    chrome.check("a form that is shown again").await;
    let kept = "return document.querySelector('[name=retain]').value";
    assert_eq!(chrome.ask(kept).await, "12");
    assert_eq!(place.gym().await["retention"]["retain_events_months"], Value::Null);
    chrome.click("[name=shorter]").await;
    chrome.follow(".form button").await;
    assert_eq!(place.gym().await["retention"]["retain_events_months"], 12);
    // Another zone counts the gym again.
    chrome.visit("/gyms/mitte/settings").await;
    place.put("[name=zone]", "Europe/Lisbon").await;
    chrome.follow(".form button").await;
    let patience = Patience::until("it is counted in the other zone");
    while place.gym().await["time_zone"] != "Europe/Lisbon" {
        patience.again().await;
    }
    assert_eq!(crate::service::verify(place.service.data())["ok"], true);
    place.chrome.end().await;
}

#[needs::tools("chromium", "axe-core")]
#[tokio::test]
async fn a_webhook_gets_another_secret_and_goes() {
    let place = Place::open().await;
    let old = place.service.add_gym("mitte", "Europe/Berlin");
    let chrome = &place.chrome;
    assert_eq!(place.check_in(&old).await, 200);
    let rotate = async |overlap: &str| {
        chrome.visit("/gyms/mitte/set-up").await;
        chrome.click("main details:has([value=rotate]) > summary").await;
        chrome.ask(&format!("document.querySelector('[name=overlap]').value = '{overlap}'")).await;
        chrome.check("what can be done with a webhook").await;
        chrome.follow("[value=rotate]").await;
        chrome.check("a new secret").await;
    };
    rotate("24").await;
    let new = Webhook { secret: chrome.text("#secret").await, ..old.clone() };
    assert_eq!((place.check_in(&old).await, place.check_in(&new).await), (200, 200));
    rotate("24").await;
    assert!(chrome.text("[role=alert]").await.contains("Two secrets"), "a third would stop one");
    rotate("0").await;
    let newest = Webhook { secret: chrome.text("#secret").await, ..old.clone() };
    assert_eq!(place.check_in(&newest).await, 200);
    assert_eq!((place.check_in(&old).await, place.check_in(&new).await), (401, 401));
    chrome.visit("/gyms/mitte/set-up").await;
    chrome.click("main details:has([value=rotate]) > summary").await;
    chrome.click("[name=sure]").await;
    chrome.follow("[value=remove]").await;
    assert_eq!(place.check_in(&newest).await, 401);
    assert_eq!(chrome.texts("[value=rotate]").await, Vec::<String>::new());
    // The way on is to connect the gym anew.
    chrome.follow("main a[href='/gyms/mitte/connection']").await;
    place.chrome.end().await;
}

#[needs::tools("chromium", "axe-core")]
#[tokio::test]
async fn a_gym_is_archived_opened_again_and_removed() {
    let place = Place::open().await;
    let webhook = place.service.add_gym("mitte", "Europe/Berlin");
    assert_eq!(place.check_in(&webhook).await, 200);
    let chrome = &place.chrome;
    for archived in [true, false] {
        chrome.visit("/gyms/mitte/leave").await;
        chrome.follow("main form:not(:has([name=sure])) button").await;
        assert_eq!(place.gym().await["archived"], archived);
    }
    assert_eq!(chrome.text("dd").await, "1", "an event goes with it");
    chrome.fill("[name=sure]", "mite").await;
    chrome.follow("[value=remove]").await;
    assert!(chrome.text("[role=alert]").await.contains("Nothing was removed"));
    chrome.visit("/gyms/mitte/leave").await;
    chrome.fill("[name=sure]", "mitte").await;
    chrome.follow("[value=remove]").await;
    assert_eq!(chrome.driver.current_url().await.expect("one").path(), "/");
    assert_eq!(place.service.get(&place.token, "/api/v1/gyms/mitte").await.0, 404);
    // With none left, the page says what to do next.
    chrome.follow("main a[href='/new-gym']").await;
    place.chrome.end().await;
}
