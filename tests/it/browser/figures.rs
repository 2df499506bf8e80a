//! Figures beside those of the range before, and today beside what is usual and expected.

use serde_json::Value;

use super::{Site, day, digits};

/// The change as the page writes it, of at least twenty.
fn per_cent(this: i64, that: i64) -> String {
    let change = this - that;
    match (200 * change.abs() + that) / (2 * that) {
        0 => "no change".to_owned(),
        hundredths if change > 0 => format!("+{hundredths}%"),
        hundredths => format!("−{hundredths}%"),
    }
}

#[needs::tools("chromium", "axe-core")]
#[tokio::test]
async fn a_figure_says_how_it_changed_and_the_picture_shows_the_range_before() {
    let site = Site::open().await;
    let chrome = &site.chrome;
    chrome.sign_in(&site.add_user("ann", &["--role", "viewer"])).await;
    let page = "/gyms/mitte/reports/visits";
    let visits = |side: &Value| side["totals"]["visits"].as_i64().expect("a count");
    // One that is over, and one that goes on: that is compared as far as it has passed.
    for (first, last) in [(20, 7), (13, 0)] {
        let (from, to, until) = (day(first), day(last), day(last - 1));
        chrome.visit(&format!("{page}?from={from}&to={to}")).await;
        let api = format!("/api/v1{page}?from={from}&until={until}&interval=1d&compare=previous");
        let said = site.service.get_ok(&site.token, &api).await;
        let (this, that) = (&said["comparison"]["this"], &said["comparison"]["that"]);
        assert_eq!(digits(&chrome.text("dd").await), visits(this));
        assert_eq!(digits(&chrome.text(".that").await), visits(that));
        assert_eq!(chrome.text(".change").await, per_cent(visits(this), visits(that)));
        let points = "return document.querySelector('.chart polyline').points.length";
        let buckets = that["buckets"].as_array().map_or(0, Vec::len);
        assert_eq!(chrome.ask(points).await, 2 * buckets, "a step for each bar");
        assert!(chrome.texts(".chart .says").await.contains(&"before".to_owned()));
    }
    // Who wants none has none, at the next report too.
    chrome.visit(&format!("{page}?range=28&compare=")).await;
    chrome.follow(".ways a[href*='durations']").await;
    chrome.follow(".ways a[href*='equipment']").await;
    for nothing in [".that", ".chart polyline[points*=',']"] {
        assert_eq!(chrome.texts(nothing).await, Vec::<String>::new(), "{nothing}");
    }
    chrome.visit(&format!("{page}?interval=1mo&compare=previous")).await;
    assert!(chrome.text("main").await.contains("Months cannot be compared"));
    // A gym that was not there in the range before did not grow by so much.
    chrome.visit("/gyms/spandau/reports/visits?range=7").await;
    assert_eq!(chrome.texts(".that").await, Vec::<String>::new());
    assert!(chrome.text("main").await.contains("first event"));
    // What has not begun to be compared is shown all the same.
    for path in ["members?range=today", "activity?range=today", "onboarding?range=today"] {
        chrome.visit(&format!("/gyms/mitte/reports/{path}")).await;
    }
    site.chrome.end().await;
}

#[needs::tools("chromium", "axe-core")]
#[tokio::test]
async fn today_goes_on_as_it_is_expected_to() {
    let site = Site::open().await;
    let chrome = &site.chrome;
    chrome.sign_in(&site.add_user("ann", &["--role", "viewer"])).await;
    chrome.visit("/gyms/mitte").await;
    let said = site.service.get_ok(&site.token, "/api/v1/gyms/mitte/occupancy").await;
    let today = said["at"].as_str().expect("an instant")[..10].to_owned();
    let ahead = said["next_hours"].as_array().expect("a list").iter().filter(|hour| {
        hour["start"].as_str().is_some_and(|start| start.starts_with(&today))
            && !hour["expected"].is_null()
    });
    let expected: Vec<_> =
        ahead.map(|hour| format!("{:.1}", hour["expected"].as_f64().expect("a number"))).collect();
    assert!(!expected.is_empty(), "it is evening: {said}");
    let drawn = chrome.texts(".chart .at title").await;
    let drawn: Vec<_> = drawn.iter().filter(|says| says.contains("give or take")).collect();
    assert_eq!(drawn.len(), expected.len());
    for (says, expected) in drawn.iter().zip(&expected) {
        assert!(says.contains(&format!("expected {expected}, give")), "{says} is not {expected}");
    }
    assert_eq!(chrome.texts(".chart .ahead").await.len(), expected.len());
    let words = chrome.texts(".chart .says").await;
    assert_eq!(words, ["usual", "now"], "it needs no legend");
    assert!(chrome.text("dt").await.starts_with("Came since"));
    site.chrome.end().await;
}
