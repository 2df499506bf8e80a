//! The wall screen: it turns by itself, with a script and without, and says how old its number is.

use serde_json::json;

use super::chrome::Chrome;
use super::{MINUTE, Site, digits};
use crate::patience::Patience;

/// What is on the screen.
const SHOWN: &str = ".slide:not([hidden])";

/// Cuts the connection, or gives it back, and waits until the wall says so.
async fn connect(chrome: &Chrome, is_on: bool) {
    let wire = json!({
        "offline": !is_on, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1,
    });
    chrome.tell("Network.enable", json!({})).await;
    chrome.tell("Network.emulateNetworkConditions", wire).await;
    let patience = Patience::until("the wall notices");
    while chrome.text(&format!("{SHOWN} .age")).await.contains("no connection") == is_on {
        patience.again().await;
    }
}

#[needs::tools("chromium", "axe-core")]
#[tokio::test]
async fn a_wall_screen_turns_and_outlives_a_lost_connection() {
    let site = Site::open().await;
    let chrome = &site.chrome;
    chrome.sign_in(&site.add_user("ann", &["--role", "viewer", "--gym", "mitte"])).await;
    // Role limits are those of a gym's page.
    for path in ["/wall?gyms=mitte,spandau", "/wall?gyms=nowhere", "/wall?seconds=1"] {
        chrome.open(path).await;
        assert_eq!(chrome.text("h1").await, "That did not work", "{path}");
    }
    chrome.visit("/gyms/mitte").await;
    chrome.follow("a[href^='/wall']").await;
    assert_eq!(chrome.text(&format!("{SHOWN} h1")).await, "mitte");
    assert_eq!(chrome.texts("button, a, nav, summary").await, Vec::<String>::new(), "no controls");

    chrome.sign_in(&site.add_user("joe", &["--role", "viewer"])).await;
    for (width, height) in [(1920, 1080), (1080, 1920), (1280, 720)] {
        chrome.resize(width, height).await;
        chrome.visit("/wall?gyms=spandau,mitte&seconds=5").await;
        let fits = "const one = document.querySelector('.slide:not([hidden])');
                    return one.scrollHeight <= innerHeight && one.scrollWidth <= innerWidth";
        assert_eq!(chrome.ask(fits).await, true, "{width} by {height}");
        // From five metres a letter is read that is a thirtieth of the screen's smaller side high.
        let height = "return Math.min(...[...document.querySelectorAll('.slide:not([hidden]) *')]
            .filter((one) => one.textContent && !one.closest('svg'))
            .map((one) => parseFloat(getComputedStyle(one).fontSize)))
            / Math.min(innerWidth, innerHeight)";
        assert!(chrome.ask(height).await.as_f64().expect("a number") > 1.0 / 30.0);
    }
    chrome.keep_picture("wall").await;
    let until_shown = async |name: &str| {
        let patience = Patience::until("the other gym is shown");
        while chrome.text(&format!("{SHOWN} h1")).await != name {
            patience.again().await;
        }
    };
    until_shown("mitte").await;
    until_shown("spandau").await;
    // The number is fresh without anybody touching it.
    chrome.open("/wall?gyms=mitte&seconds=5").await;
    let before = digits(&chrome.text("[data-count]").await);
    for _ in 0..30 {
        site.post(uuid::Uuid::new_v4(), MINUTE, "GYM_CHECKIN").await;
    }
    let patience = Patience::until("the wall shows who came");
    while digits(&chrome.text("[data-count]").await) <= before {
        patience.again().await;
    }
    assert!(chrome.text(&format!("{SHOWN} .age")).await.ends_with("just now"));
    // Without a connection the number stays, and says so.
    let number = chrome.text("[data-count]").await;
    connect(chrome, false).await;
    assert_eq!(chrome.text("[data-count]").await, number);
    connect(chrome, true).await;
    site.chrome.end().await;
}
