//! All gyms at once, few or many; and what an hour of the week is like.

use super::{Site, digits};
use crate::service::run;

#[needs::tools("chromium", "axe-core")]
#[tokio::test]
async fn each_gym_has_its_day_and_what_needs_attention() {
    let site = Site::open().await;
    let chrome = &site.chrome;
    chrome.sign_in(&site.add_user("ann", &["--role", "admin"])).await;
    assert_eq!(site.service.post(&site.webhook, "{\"type\": \"GYM_CHECKIN\"}").await.0, 422);
    chrome.visit("/?range=7").await;
    let curves = "return [...document.querySelectorAll('a.card')].map((one) => [
        one.getAttribute('href'), one.querySelectorAll('.spark polyline').length,
        one.querySelectorAll('.spark polygon').length].join(' '))";
    let mut curves: Vec<String> =
        serde_json::from_value(chrome.ask(curves).await).expect("a list of texts");
    curves.sort();
    // Eight days teach nothing about what is usual yet.
    assert_eq!(curves, ["/gyms/mitte?range=7 1 1", "/gyms/spandau?range=7 1 0"]);
    let card = chrome.text("a.card[href^='/gyms/mitte']").await;
    assert!(card.contains("usually") && card.contains("1 delivery waits in quarantine"), "{card}");
    // What is usual by now is an answer of the API too.
    let said = site.service.get_ok(&site.token, "/api/v1/gyms/mitte/occupancy").await;
    let usual = said["arrivals"]["usual"].as_f64().expect("it is known");
    let shown = card.split("usually ").nth(1).expect("it is shown");
    let shown: f64 = shown.split(' ').next().and_then(|n| n.parse().ok()).expect("a number");
    assert!((shown - usual).abs() <= 1.0, "{card} is not {usual}");
    let mut arrived = 0;
    for gym in ["mitte", "spandau"] {
        let day = super::day(0);
        let api = format!("/api/v1/gyms/{gym}/reports/visits?from={day}");
        let said = site.service.get_ok(&site.token, &api).await;
        let today = said["totals"]["visits"].as_i64().expect("a count");
        let now = format!("/api/v1/gyms/{gym}/occupancy");
        assert_eq!(site.service.get_ok(&site.token, &now).await["arrivals"]["today"], today);
        arrived += today;
    }
    let figures = chrome.texts(".facts dd:nth-child(2)").await;
    assert_eq!((digits(&figures[1]), figures[2].as_str()), (arrived, "1"));
    chrome.sign_in(&site.add_user("joe", &["--role", "viewer"])).await;
    let card = chrome.text("a.card[href^='/gyms/mitte']").await;
    assert!(!card.contains("quarantine"), "that is for admins: {card}");
    site.chrome.end().await;
}

#[needs::tools("chromium", "axe-core")]
#[tokio::test]
async fn many_gyms_are_sorted_and_found_by_name() {
    let site = Site::open().await;
    let chrome = &site.chrome;
    for number in 1..=12 {
        site.service.add_gym(&format!("studio-{number}"), "Europe/Berlin");
    }
    chrome.sign_in(&site.add_user("ann", &["--role", "admin"])).await;
    for (width, height) in [(1280, 900), (390, 844)] {
        chrome.resize(width, height).await;
        chrome.visit("/?range=7").await;
        let names = chrome.texts(".overview tbody th").await;
        assert_eq!(names.len(), 14);
        chrome.follow(".overview thead a[href*='sort=name']").await;
        chrome.check("sorted").await;
        let sorted = chrome.texts(".overview tbody th").await;
        assert!(sorted.is_sorted() && sorted.len() == 14, "{sorted:?}");
        assert_eq!(chrome.texts("[aria-sort=ascending]").await, ["Gym"]);
        chrome.fill("[name=q]", "SPAND").await;
        chrome.enter("[name=q]").await;
        assert_eq!(chrome.texts(".overview tbody th").await, ["spandau"]);
        chrome.follow(".overview tbody th a").await;
        let now = chrome.driver.current_url().await.expect("one");
        assert_eq!((now.path(), now.query()), ("/gyms/spandau", Some("range=7")));
        // The same of a report over all of them, sorted by a figure.
        chrome.visit("/reports/visits?range=year").await;
        let names = chrome.texts("tbody th").await;
        assert!(names.len() == 14 && names.is_sorted(), "{names:?}");
        chrome.follow("thead a[href*='sort=%2Fvisits']").await;
        chrome.check("sorted by visits").await;
        assert_eq!(chrome.texts("[aria-sort=descending]").await, ["Visits"]);
        let visits = chrome.texts("tbody td:nth-child(2)").await;
        let visits: Vec<_> = visits.iter().map(|cell| digits(cell)).collect();
        assert!(visits[0] > 0 && visits.is_sorted_by(|a, b| a >= b), "{visits:?}");
        chrome.fill("[name=q]", "mitt").await;
        chrome.enter("[name=q]").await;
        assert_eq!(chrome.texts("tbody th").await, ["mitte"]);
        chrome.visit("/?q=nowhere").await;
        assert!(chrome.text("main").await.contains("Try a shorter part"));
    }
    site.chrome.end().await;
}

#[needs::tools("chromium", "axe-core")]
#[tokio::test]
async fn popular_times_are_averages_peaks_or_shares() {
    let site = Site::open().await;
    let chrome = &site.chrome;
    let page = "/gyms/mitte/reports/popular-times";
    chrome.sign_in(&site.add_user("ann", &["--role", "viewer"])).await;
    let capacity = |capacity: &str| {
        let set = run(site.service.data(), &["gym", "set", "mitte", "--capacity", capacity]);
        assert!(set.status.success());
    };
    capacity("0");
    chrome.visit(page).await;
    assert_eq!(chrome.texts("a[href*='show=share']").await, Vec::<String>::new(), "of what?");
    capacity("80");
    let (from, until) = (super::day(27), super::day(-1));
    let api = format!("/api/v1{page}?from={from}&until={until}");
    let said = site.service.get_ok(&site.token, &api).await;
    let cells = said["cells"].as_array().expect("a list");
    let highest =
        |field: &str| cells.iter().filter_map(|cell| cell[field].as_f64()).fold(0.0, f64::max);
    for (show, expected) in [
        ("average", format!("{}", highest("average").round())),
        ("peak", format!("{}", highest("peak").round())),
        ("share", format!("{}%", (highest("average") / 80.0 * 100.0).round())),
    ] {
        chrome.visit(page).await;
        chrome.follow(&format!("a[href*='show={show}']")).await;
        chrome.check(show).await;
        let darkest = chrome.texts("td.shade-8").await;
        assert!(darkest.contains(&expected), "{show}: {darkest:?} lacks {expected}");
        assert_eq!(chrome.texts("section [aria-current]").await.len(), 1);
    }
    site.chrome.end().await;
}
