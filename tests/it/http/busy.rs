//! How busy it is, for everybody: only where it was chosen, coarse, and never of few.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::service::{Service, answer, delivery, now, run};

async fn told(service: &Service, path: &str) -> (u16, Value) {
    answer(service.client.get(format!("{}{path}", service.root))).await
}

#[tokio::test]
async fn everybody_sees_what_a_gym_chose_to_show() {
    let service = Service::start();
    let gyms = ["off", "few", "levels", "percent"];
    for gym in gyms {
        let webhook = service.add_gym(gym, "Europe/Berlin");
        for _ in 0..if gym == "few" { 4 } else { 41 } {
            let body = delivery(Uuid::new_v4(), now() - 60_000, "GYM_CHECKIN");
            assert_eq!(service.post(&webhook, body).await.0, 200);
        }
    }
    for (gym, public) in [("few", "percent"), ("levels", "levels"), ("percent", "percent")] {
        let set = run(service.data(), &["gym", "set", gym, "--public", public]);
        assert!(set.status.success(), "{}", String::from_utf8_lossy(&set.stderr));
    }
    for (gym, level, percent) in [
        ("few", "quiet", json!(null)),
        ("levels", "busy", json!(null)),
        // 41 of 80.
        ("percent", "busy", json!(50)),
    ] {
        let (status, body) = told(&service, &format!("/busy/{gym}.json")).await;
        assert_eq!((status, &body["level"], &body["percent"]), (200, &json!(level), &percent));
        let fields: Vec<_> = body.as_object().expect("an object").keys().collect();
        assert_eq!(fields, ["gym", "name", "at", "level", "percent"], "and nothing else");
        let (status, page) = told(&service, &format!("/busy/{gym}?lang=de")).await;
        let page = page.as_str().expect("a text");
        assert_eq!(status, 200);
        assert!(page.contains(if gym == "few" { "Wenig los" } else { "Gut besucht" }), "{page}");
        // Elsewhere 41 may be a minute.
        let picture = page.split("<svg").nth(1).and_then(|rest| rest.split("</svg>").next());
        assert!(!picture.expect("it has one").contains("41"), "{page}");
        let (status, svg) = told(&service, &format!("/busy/{gym}.svg")).await;
        assert_eq!(status, 200);
        assert!(svg.as_str().expect("a text").starts_with("<svg "), "{svg}");
    }
    for form in ["", ".json", ".svg"] {
        for gym in ["off", "none", "..%2f"] {
            assert_eq!(told(&service, &format!("/busy/{gym}{form}")).await.0, 404, "{gym}{form}");
        }
    }
    let page = service.client.get(format!("{}/busy/levels", service.root)).send().await;
    let page = page.expect("an answer");
    let header = |name: &str| page.headers()[name].to_str().expect("a text").to_owned();
    assert!(header("content-security-policy").contains("frame-ancestors *"));
    assert_eq!(header("cache-control"), "public, max-age=60");

    // At once, though a number is kept for a minute.
    assert!(run(service.data(), &["gym", "set", "levels", "--public", "off"]).status.success());
    assert_eq!(told(&service, "/busy/levels.json").await.0, 404);

    let set = run(service.data(), &["gym", "set", "percent", "--capacity", "0"]);
    let said = String::from_utf8_lossy(&set.stderr).into_owned();
    assert!(!set.status.success() && said.contains("--public"), "{said}");
}
