//! The ways around: what is chosen once stays, on a desk and on a phone.

use serde_json::json;

use super::{Site, chrome::Chrome, day};

/// Path and query of where the browser is.
async fn here(chrome: &Chrome) -> String {
    let now = chrome.driver.current_url().await.expect("it has one");
    let query = now.query().map(|query| format!("?{query}")).unwrap_or_default();
    format!("{}{query}", now.path())
}

async fn choose(chrome: &Chrome, gym: &str) {
    chrome.click(".gyms summary").await;
    chrome.follow(&format!(".gyms a[href^='{gym}']")).await;
}

/// Follows the group that stands at this place, 1 = Now.
async fn group(chrome: &Chrome, place: usize) {
    chrome.follow(&format!(".groups a:nth-child({place})")).await;
}

#[needs::tools("chromium", "axe-core")]
#[tokio::test]
async fn gym_and_range_are_chosen_once_and_stay() {
    let site = Site::open().await;
    let chrome = &site.chrome;
    chrome.sign_in(&site.add_user("ann", &["--role", "admin"])).await;
    for (width, height) in [(1280, 900), (390, 844)] {
        chrome.resize(width, height).await;
        chrome.visit("/").await;
        choose(chrome, "/gyms/mitte").await;
        assert_eq!(here(chrome).await, "/gyms/mitte");
        group(chrome, 2).await;
        chrome.follow(".presets a[href*='range=7']").await;
        assert_eq!(here(chrome).await, "/gyms/mitte/reports/visits?range=7");
        chrome.follow(".ways a[href*='occupancy']").await;
        assert_eq!(here(chrome).await, "/gyms/mitte/reports/occupancy?range=7");
        group(chrome, 3).await;
        assert_eq!(here(chrome).await, "/gyms/mitte/reports/activity?range=7");
        choose(chrome, "/gyms/spandau").await;
        assert_eq!(here(chrome).await, "/gyms/spandau/reports/activity?range=7");
        group(chrome, 5).await;
        assert_eq!(here(chrome).await, "/gyms/spandau/set-up?range=7");
        chrome.follow(".ways a[href^='/sessions']").await;
        chrome.check("sessions").await;
        assert_eq!(here(chrome).await, "/sessions?gym=spandau&range=7");
        group(chrome, 2).await;
        assert_eq!(here(chrome).await, "/gyms/spandau/reports/visits?range=7");
        choose(chrome, "/reports/").await;
        chrome.check("all gyms").await;
        assert_eq!(here(chrome).await, "/reports/visits?range=7");
        group(chrome, 1).await;
        assert_eq!(here(chrome).await, "/?range=7");
    }
    site.chrome.end().await;
}

#[needs::tools("chromium", "axe-core")]
#[tokio::test]
async fn a_step_earlier_and_later_leads_to_the_same_number_of_days() {
    let site = Site::open().await;
    let chrome = &site.chrome;
    chrome.sign_in(&site.add_user("ann", &["--role", "viewer"])).await;
    chrome.visit("/gyms/mitte/reports/visits?range=7&compare=year").await;
    assert_eq!(chrome.texts("a.step[rel=next]").await, Vec::<String>::new(), "it is to come");
    chrome.follow("a.step[rel=prev]").await;
    chrome.check("a step earlier").await;
    let (from, to) = (day(13), day(7));
    let path = "/gyms/mitte/reports/visits";
    assert_eq!(here(chrome).await, format!("{path}?from={from}&to={to}&compare=year"));
    chrome.follow("a.step[rel=next]").await;
    let (from, to) = (day(6), day(0));
    assert_eq!(here(chrome).await, format!("{path}?from={from}&to={to}&compare=year"));
    site.chrome.end().await;
}

#[needs::tools("chromium", "axe-core")]
#[tokio::test]
async fn the_groups_are_beside_the_page_on_a_desk_and_under_it_on_a_phone() {
    let site = Site::open().await;
    let chrome = &site.chrome;
    chrome.sign_in(&site.add_user("ann", &["--role", "admin"])).await;
    let edges = "const box = document.querySelector('.groups').getBoundingClientRect();
                 const main = document.querySelector('main').getBoundingClientRect();
                 return [box.right <= main.left, box.bottom === innerHeight && box.width === innerWidth]";
    chrome.resize(1280, 900).await;
    chrome.visit("/gyms/mitte").await;
    assert_eq!(chrome.ask(edges).await, json!([true, false]));
    chrome.resize(390, 844).await;
    // What is cut fades where it goes on, and scrolls under its first column.
    let cut = "return [...document.querySelectorAll('.scroll')].map((one) => [
        one.scrollWidth > one.clientWidth,
        parseFloat(getComputedStyle(one).getPropertyValue('--cut-right')) > 0])";
    for path in ["/people", "/gyms/mitte/reports/popular-times", "/gyms/mitte/set-up"] {
        chrome.visit(path).await;
        assert_eq!(chrome.ask(edges).await, json!([false, true]), "{path}");
        for table in chrome.ask(cut).await.as_array().expect("a list") {
            assert_eq!(table[0], table[1], "{path}: what is cut shows it, what is not does not");
        }
    }
    chrome.visit("/gyms/mitte/reports/popular-times").await;
    assert_eq!(chrome.ask(cut).await[0], json!([true, true]));
    site.chrome.end().await;
}

#[needs::tools("chromium", "axe-core")]
#[tokio::test]
async fn nothing_is_shown_of_the_time_before_a_gym_began() {
    let site = Site::open().await;
    let chrome = &site.chrome;
    chrome.sign_in(&site.add_user("ann", &["--role", "viewer"])).await;
    let (from, to) = (day(200), day(0));
    let range = format!("from={from}&to={to}");
    chrome.visit(&format!("/gyms/mitte/reports/retention?{range}")).await;
    let sizes = chrome.texts(".heat tbody td:nth-child(2)").await;
    assert!((2..=4).contains(&sizes.len()) && sizes[0] != "0", "{sizes:?}");
    let months = chrome.texts(".heat thead th").await;
    assert_eq!(months.len(), 2 + sizes.len(), "as many months after as there were: {months:?}");
    chrome.visit(&format!("/gyms/mitte/reports/visits?{range}&interval=1w")).await;
    let bars = chrome.texts("svg.chart rect.at title").await;
    assert!((9..=11).contains(&bars.len()) && !bars[0].contains(": 0"), "{bars:?}");
    assert!(chrome.text("main").await.contains("first event"));
    let (from, to) = (day(200), day(150));
    chrome.visit(&format!("/gyms/mitte/reports/visits?from={from}&to={to}")).await;
    assert_eq!(chrome.texts("svg.chart").await, Vec::<String>::new());
    assert!(chrome.text("main").await.contains("no visits in this range"));
    site.chrome.end().await;
}
