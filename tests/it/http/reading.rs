//! Reading over HTTP: who may, what is answered, and what to a bad question.

use serde_json::json;
use uuid::Uuid;

use crate::service::{Service, answer, delivery, now};

const MINUTE: i64 = 60_000;

#[tokio::test]
async fn a_check_in_shows_as_occupancy_and_a_check_out_ends_it() {
    let service = Service::start();
    let webhook = service.add_gym("mitte", "Europe/Berlin");
    let token = service.add_token("desk", "viewer", &[]);
    let path = "/api/v1/gyms/mitte/occupancy";
    let (ada, bob) = (Uuid::new_v4(), Uuid::new_v4());
    for body in [
        delivery(ada, now() - 10 * MINUTE, "GYM_CHECKIN"),
        delivery(bob, now() - 5 * MINUTE, "EQUIPMENT_CHECKIN"),
    ] {
        assert_eq!(service.post(&webhook, body).await.0, 200);
    }
    let both = service.get_ok(&token, path).await;
    assert_eq!((&both["present"], &both["observed"]), (&json!(2), &json!(1)), "{both}");
    assert_eq!((&both["capacity"], &both["utilisation"]), (&json!(80), &json!(0.025)));
    assert_eq!((&both["gym"], &both["usual"]), (&json!("mitte"), &json!(null)));
    let body = delivery(ada, now() - 2 * MINUTE, "GYM_CHECKOUT");
    assert_eq!(service.post(&webhook, body).await.0, 200);
    assert_eq!(service.get_ok(&token, path).await["present"], 1);
    let visits = service.get_ok(&token, "/api/v1/gyms/mitte/reports/visits").await;
    assert_eq!(visits["totals"]["visits"], 2);
    assert_eq!(visits["totals"]["ended_by"]["checkout"], 1);
    assert_eq!(visits["coverage"], 0.5);
    assert_eq!(visits["position"], 3);
    assert_eq!(visits["buckets"].as_array().expect("a list").len(), 7);
}

#[tokio::test]
async fn what_is_configured_beside_it_takes_effect_at_once() {
    let service = Service::start();
    let token = service.add_token("all", "viewer", &[]);
    assert_eq!(service.get_ok(&token, "/api/v1/gyms").await, json!({ "gyms": [] }));
    let webhook = service.add_gym("mitte", "Europe/Berlin");
    let gym = service.get_ok(&token, "/api/v1/gyms/mitte").await;
    assert_eq!(gym["time_zone"], "Europe/Berlin");
    assert_eq!(gym["last_event"], json!(null));
    assert_eq!(gym["rules"]["visit_window"], 480);
    let body = delivery(Uuid::new_v4(), now(), "GYM_CHECKIN");
    assert_eq!(service.post(&webhook, body.clone()).await.0, 200);
    assert!(service.get_ok(&token, "/api/v1/gyms/mitte").await["last_event"].is_string());
    let id = webhook.path.rsplit('/').next().expect("an id");
    crate::service::run_json(service.data(), &["webhook", "remove", id, "--json"]);
    assert_eq!(service.post(&webhook, body).await.0, 401);
    crate::service::run_json(service.data(), &["token", "remove", "all", "--json"]);
    assert_eq!(service.get(&token, "/api/v1/gyms").await.0, 401);
}

#[tokio::test]
async fn a_token_sees_its_gyms_only() {
    let service = Service::start();
    service.add_gym("mitte", "Europe/Berlin");
    service.add_gym("soho", "America/New_York");
    let token = service.add_token("mitte", "viewer", &["mitte"]);
    let gyms = service.get_ok(&token, "/api/v1/gyms").await;
    assert_eq!(gyms["gyms"].as_array().expect("a list").len(), 1);
    for path in ["", "/occupancy", "/reports/visits", "/reports/occupancy"] {
        let (own, other) =
            (format!("/api/v1/gyms/mitte{path}"), format!("/api/v1/gyms/soho{path}"));
        assert_eq!(service.get(&token, &own).await.0, 200, "{own}");
        let (status, body) = service.get(&token, &other).await;
        assert_eq!((status, body["code"].as_str()), (404, Some("not_found")), "{other}");
        assert_eq!(service.get("wrong", &own).await.0, 401, "{own}");
        let bare = answer(service.client.get(format!("{}{own}", service.root))).await;
        assert_eq!((bare.0, bare.1["code"].as_str()), (401, Some("unauthorized")), "{own}");
    }
}

#[tokio::test]
async fn a_bad_question_gets_a_clear_problem() {
    let service = Service::start();
    service.add_gym("mitte", "Europe/Berlin");
    let token = service.add_token("all", "admin", &[]);
    let cases = [
        ("visits?from=yesterday", 422, "bad_range"),
        ("visits?from=2026-13-01", 422, "bad_range"),
        ("visits?from=0001-01-01", 422, "bad_range"),
        ("visits?from=2026-03-02&until=2026-03-01", 422, "bad_range"),
        ("visits?from=2026-03-01&until=2026-03-01", 422, "bad_range"),
        ("visits?from=2000-01-01&until=2100-01-01", 422, "bad_range"),
        ("visits?interval=5m", 422, "bad_parameter"),
        ("visits?form=2026-03-01", 422, "bad_parameter"),
        ("visits?from=2020-01-01&until=2021-01-01&interval=15m", 422, "too_many_buckets"),
        ("nothing", 404, "not_found"),
    ];
    for (path, status, code) in cases {
        let (answered, problem) =
            service.get(&token, &format!("/api/v1/gyms/mitte/reports/{path}")).await;
        assert_eq!((answered, problem["code"].as_str()), (status, Some(code)), "{path}: {problem}");
        assert!(problem["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{path}");
    }
    let unescaped =
        "/api/v1/gyms/mitte/reports/visits?from=2026-03-01T00:00:00+01:00&until=2026-03-02";
    assert_eq!(service.get(&token, unescaped).await.0, 200, "a plus in a URL is a space");
}
