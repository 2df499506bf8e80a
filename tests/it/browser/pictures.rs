//! What a picture says where one points at it: by mouse, by finger and by keyboard; and the words at
//! what is marked in it.

use serde_json::{Value, json};

use super::chrome::Chrome;
use super::{Site, day, digits, note};

/// Where the middle of what a selector finds is on the screen.
async fn middle(chrome: &Chrome, selector: &str) -> (f64, f64) {
    let script = format!(
        "const one = document.querySelector({selector:?});
         one.scrollIntoView({{ block: 'center', inline: 'center' }});
         const at = one.getBoundingClientRect();
         return [at.left + at.width / 2, at.top + at.height / 2]"
    );
    let at = chrome.ask(&script).await;
    (at[0].as_f64().expect("a number"), at[1].as_f64().expect("a number"))
}

async fn point(chrome: &Chrome, selector: &str) {
    let (x, y) = middle(chrome, selector).await;
    let moved = json!({ "type": "mouseMoved", "x": x, "y": y });
    chrome.tell("Input.dispatchMouseEvent", moved).await;
}

async fn touch(chrome: &Chrome, selector: &str) {
    let (x, y) = middle(chrome, selector).await;
    let finger = json!({ "type": "touchStart", "touchPoints": [{ "x": x, "y": y }] });
    chrome.tell("Input.dispatchTouchEvent", finger).await;
    let lifted = json!({ "type": "touchEnd", "touchPoints": [] });
    chrome.tell("Input.dispatchTouchEvent", lifted).await;
}

async fn press(chrome: &Chrome, key: &str) {
    for kind in ["keyDown", "keyUp"] {
        let pressed = json!({ "type": kind, "key": key, "code": key });
        chrome.tell("Input.dispatchKeyEvent", pressed).await;
    }
}

/// The lines that a picture says.
async fn said(chrome: &Chrome) -> Vec<String> {
    chrome.texts(".reading > *").await
}

#[needs::tools("chromium", "axe-core")]
#[tokio::test]
async fn a_bar_says_its_figure_under_a_pointer_a_finger_and_the_keyboard() {
    let site = Site::open().await;
    let chrome = &site.chrome;
    chrome.sign_in(&site.add_user("ann", &["--role", "viewer"])).await;
    let (from, last, until) = (day(20), day(7), day(6));
    let api = format!(
        "/api/v1/gyms/mitte/reports/visits?from={from}&until={until}&interval=1d&compare=previous"
    );
    let answer = site.service.get_ok(&site.token, &api).await;
    let visits = |list: &Value, place: usize| list[place]["visits"].as_i64().expect("a count");
    let before = &answer["comparison"]["that"]["buckets"];
    let is_bar = |lines: &[String], place: usize| {
        assert_eq!(digits(&lines[1]), visits(&answer["buckets"], place), "{lines:?}");
        let (_, that) = lines[2].split_once("): ").expect("the day before");
        let that = that.split(" · ").next().expect("a number");
        assert_eq!(digits(that), visits(before, place), "{lines:?}");
    };
    let path = format!("/gyms/mitte/reports/visits?from={from}&to={last}&interval=1d");
    for (width, height) in [(1200, 900), (390, 844)] {
        chrome.resize(width, height).await;
        chrome.visit(&path).await;
        assert_eq!(said(chrome).await, Vec::<String>::new());
        point(chrome, ".at:nth-child(1 of .at)").await;
        is_bar(&said(chrome).await, 0);
        chrome.check("a bar that is pointed at").await;
        point(chrome, "h1").await;
        assert_eq!(said(chrome).await, Vec::<String>::new(), "nothing is pointed at");
        touch(chrome, ".at:nth-last-child(1 of .at)").await;
        is_bar(&said(chrome).await, 13);
        touch(chrome, "h1").await;
        assert_eq!(said(chrome).await, Vec::<String>::new());
        chrome.ask("document.querySelector('.picture').focus({ focusVisible: true })").await;
        is_bar(&said(chrome).await, 13);
        for (key, place) in [("ArrowLeft", 12), ("Home", 0), ("ArrowRight", 1), ("End", 13)] {
            press(chrome, key).await;
            is_bar(&said(chrome).await, place);
        }
        let beyond = "const box = document.querySelector('.reading').getBoundingClientRect();
                      return box.left >= 0 && box.right <= innerWidth";
        assert_eq!(chrome.ask(beyond).await, true, "it can be read at the edge");
        press(chrome, "Escape").await;
        assert_eq!(said(chrome).await, Vec::<String>::new());
    }
    site.chrome.end().await;
}

#[needs::tools("chromium", "axe-core")]
#[tokio::test]
async fn an_hour_of_the_week_says_all_that_is_known_of_it() {
    let site = Site::open().await;
    let chrome = &site.chrome;
    chrome.sign_in(&site.add_user("ann", &["--role", "viewer"])).await;
    chrome.visit("/gyms/mitte/reports/popular-times").await;
    let (from, until) = (day(27), day(-1));
    let api = format!("/api/v1/gyms/mitte/reports/popular-times?from={from}&until={until}");
    let answer = site.service.get_ok(&site.token, &api).await;
    let of_monday = |hour: u32| {
        let mut cells = answer["cells"].as_array().expect("a list").iter();
        let found = cells.find(|cell| cell["weekday"] == 1 && cell["hour"] == hour);
        let peak = found.expect("an hour")["peak"].as_f64().expect("a number");
        format!("Peak: {peak:.1}")
    };
    let hours = chrome.texts(".heat thead th").await;
    let first = hours[0].parse::<u32>().expect("an hour");
    point(chrome, ".heat tbody td").await;
    assert_eq!(said(chrome).await[0], format!("Mon, {first:02}:00 – {:02}:00", first + 1));
    assert!(said(chrome).await.contains(&of_monday(first)));
    chrome.ask("document.querySelector('.picture').focus({ focusVisible: true })").await;
    press(chrome, "Home").await;
    press(chrome, "ArrowDown").await;
    assert!(said(chrome).await[0].starts_with("Tue"));
    press(chrome, "ArrowUp").await;
    press(chrome, "ArrowRight").await;
    assert!(said(chrome).await.contains(&of_monday(first + 1)));
    site.chrome.end().await;
}

#[needs::tools("chromium", "axe-core")]
#[tokio::test]
async fn what_is_marked_has_its_word_at_its_place() {
    let site = Site::open().await;
    let chrome = &site.chrome;
    chrome.sign_in(&site.add_user("ann", &["--role", "manager"])).await;
    note(chrome, &day(10), &day(9), "closed", "The boiler").await;
    note(chrome, &day(6), &day(5), "campaign", "Bring a friend").await;
    note(chrome, &day(4), &day(4), "refit", "New floor in the free-weights area, at last").await;
    let range = format!("from={}&to={}&interval=1d", day(13), day(0));
    chrome.visit(&format!("/gyms/mitte/reports/visits?{range}")).await;
    assert_eq!(chrome.texts(".chart .upright").await, ["Closed"]);
    assert_eq!(chrome.texts(".chart .above").await, ["Bring a friend", "Refit"]);
    assert!(chrome.texts(".chart .says").await.contains(&"so far".to_owned()));
    let within = "const box = (one) => document.querySelector(one).getBoundingClientRect();
                  const [ground, word, bars] = [box('.closed-ground'), box('.upright'),
                      [...document.querySelectorAll('.at')].map((one) => one.getBoundingClientRect())];
                  return ground.left - bars[3].left < 1 && bars[4].right - ground.right < 1
                      && ground.left <= word.left && word.right <= ground.right";
    assert_eq!(chrome.ask(within).await, true, "the closed days, and the word in them");
    let says = chrome.texts(".chart .at title").await;
    for (place, word) in [(3, "Closed, The boiler"), (8, "Bring a friend"), (9, "at last")] {
        assert!(says[place].contains(word), "{place}: {}", says[place]);
        assert!(!says[0].contains(word));
    }
    // The step of the consent, whatever was counted then.
    chrome.visit("/reports/visits?from=2026-06-01&to=2026-07-01&interval=1d").await;
    assert_eq!(chrome.texts(".chart .above").await, ["consent"]);
    site.chrome.end().await;
}
