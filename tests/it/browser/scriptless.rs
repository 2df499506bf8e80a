//! Every page with the script switched off: it says all that it has, and what is folded opens.

use serde_json::json;
use thirtyfour::By;

use super::Site;
use crate::patience::Patience;
use crate::service::run;

#[needs::tools("chromium", "axe-core")]
#[tokio::test]
async fn every_page_says_all_without_a_script() {
    let site = Site::open().await;
    let chrome = &site.chrome;
    let link = site.add_user("ann", &["--role", "admin"]);
    let set = run(site.service.data(), &["gym", "set", "mitte", "--public", "percent"]);
    assert!(set.status.success());
    // So high that nothing has to be scrolled to.
    chrome.resize(1200, 4000).await;
    chrome.tell("Emulation.setScriptExecutionDisabled", json!({ "value": true })).await;
    chrome.open(&link).await;
    chrome.find("main button").await.click().await.expect("it signs in");
    let reports = crate::laws::REPORTS.map(|report| format!("/gyms/mitte/reports/{report}"));
    let pages = [
        "/",
        "/gyms/mitte",
        "/reports/visits",
        "/gyms/mitte/set-up",
        "/gyms/mitte/rules",
        "/gyms/mitte/annotations",
        "/gyms/mitte/members",
        "/people",
        "/sessions",
        "/busy/mitte",
    ];
    for path in pages.into_iter().map(str::to_owned).chain(reports) {
        chrome.open(&path).await;
        let main = chrome.find("main").await.text().await.expect("a text");
        assert!(main.lines().count() > 1, "{path} says nothing: {main}");
        // A picture has a table that opens without a script.
        if chrome.driver.find_all(By::Css("svg.chart")).await.expect("a list").is_empty() {
            continue;
        }
        if path.ends_with("durations") || path.starts_with("/reports/") {
            assert!(chrome.find("main table").await.text().await.is_ok(), "{path}");
            continue;
        }
        chrome.find("main details:not(.menu) > summary").await.click().await.expect("it opens");
        let rows = chrome.find("main details[open] tbody").await.text().await.expect("a text");
        assert!(rows.lines().count() > 1, "{path} has no table: {rows}");
    }
    // What is folded away opens, a report is asked for, and the wall goes on to the next gym.
    chrome.open("/gyms/mitte/reports/visits").await;
    chrome.find(".own summary").await.click().await.expect("it opens");
    chrome.find(".range button").await.click().await.expect("it asks");
    assert!(chrome.find("svg.chart").await.is_displayed().await.expect("it can be told"));
    chrome.open("/wall?gyms=mitte,spandau&seconds=5").await;
    let patience = Patience::until("the other gym has its turn");
    while chrome.find(".slide:not([hidden]) h1").await.text().await.ok().as_deref()
        != Some("spandau")
    {
        patience.again().await;
    }
    chrome.tell("Emulation.setScriptExecutionDisabled", json!({ "value": false })).await;
    site.chrome.end().await;
}
