//! Setting up over the API: gyms, webhooks, tokens and users. Nobody gives away more than they have,
//! and a secret is in one answer and nowhere else.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::service::{Service, Webhook, answer, delivery, now, run_json};

const BERLIN: &str = "Europe/Berlin";

async fn send(
    service: &Service,
    token: &str,
    method: Method,
    path: &str,
    body: Value,
) -> (u16, Value) {
    let url = format!("{}/api/v1{path}", service.root);
    let request = service.client.request(method, url).bearer_auth(token);
    answer(if body.is_null() { request } else { request.body(body.to_string()) }).await
}

/// Asks until an answer is as it shall be.
async fn eventually(service: &Service, token: &str, path: &str, is_so: impl Fn(&Value) -> bool) {
    let patience = Instant::now() + Duration::from_secs(30);
    loop {
        let body = service.get(token, path).await.1;
        if is_so(&body) {
            return;
        }
        assert!(Instant::now() < patience, "{path}: {body}");
    }
}

#[tokio::test]
async fn a_gym_is_made_changed_archived_and_removed_by_a_script() {
    let service = Service::start();
    let admin = service.add_token("script", "admin", &[]);
    let put = |body| send(&service, &admin, Method::PUT, "/gyms/mitte", body);
    let patch = |body| send(&service, &admin, Method::PATCH, "/gyms/mitte", body);
    assert_eq!(put(json!({ "name": "Mitte" })).await.0, 422, "a new gym needs a zone");
    let said = json!({ "name": "Mitte", "time_zone": BERLIN, "capacity": 80 });
    let (status, made) = put(said.clone()).await;
    assert_eq!((status, &made["capacity"]), (201, &json!(80)), "{made}");
    let (status, again) = put(said).await;
    assert_eq!((status, &again), (200, &made), "the same again changes nothing");
    assert_eq!(patch(json!({ "archived": true, "public": "levels" })).await.1["archived"], true);
    let (status, open) = patch(json!({ "archived": false, "retain_events_months": 0 })).await;
    assert_eq!(
        (status, &open["archived"], &open["public"]),
        (200, &json!(false), &json!("levels"))
    );
    assert_eq!(open["retention"]["retain_events_months"], Value::Null);
    let (status, problem) = patch(json!({ "capacity": 0 })).await;
    assert_eq!(status, 422, "what is public needs a capacity: {problem}");
    let rules = json!({ "rules": { "assumed_stay": 60 }, "name": "Mitte 2" });
    assert_eq!(patch(rules).await.0, 202);
    let is_so = |gym: &Value| gym["rules"]["assumed_stay"] == 60 && gym["name"] == "Mitte 2";
    eventually(&service, &admin, "/api/v1/gyms/mitte", is_so).await;
    let remove = |query: &'static str| {
        let service = &service;
        let admin = &admin;
        async move {
            let path = format!("/gyms/mitte{query}");
            send(service, admin, Method::DELETE, &path, Value::Null).await
        }
    };
    let (status, goes) = remove("?dry_run=true").await;
    assert_eq!((status, &goes["dry_run"], &goes["events"]), (200, &json!(true), &json!(0)));
    assert_eq!(service.get(&admin, "/api/v1/gyms/mitte").await.0, 200);
    let (mut status, mut gone) = remove("").await;
    let patience = Instant::now() + Duration::from_secs(30);
    while status == 503 && Instant::now() < patience {
        (status, gone) = remove("").await;
    }
    assert_eq!(status, 202, "{gone}");
    assert_eq!(service.get(&admin, "/api/v1/gyms/mitte").await.0, 404);
    // The slug is free again when all has gone.
    let said = json!({ "name": "Mitte", "time_zone": BERLIN });
    let patience = Instant::now() + Duration::from_secs(30);
    loop {
        let (status, problem) = put(said.clone()).await;
        if status == 201 {
            break;
        }
        assert_eq!((status, &problem["code"]), (409, &json!("conflict")));
        assert!(Instant::now() < patience, "{problem}");
    }
}

#[tokio::test]
async fn a_webhook_s_secrets_are_in_one_answer_each_and_nowhere_else() {
    let service = Service::start();
    let old = service.add_gym("mitte", BERLIN);
    service.add_gym("soho", "Europe/London");
    let admin = service.add_token("script", "admin", &[]);
    let post = |path: String| async {
        let path = path;
        send(&service, &admin, Method::POST, &path, Value::Null).await
    };
    let (status, added) = post("/gyms/mitte/webhooks".into()).await;
    assert_eq!(status, 201, "{added}");
    let text = |body: &Value, name: &str| body[name].as_str().expect("a text").to_owned();
    let id = text(&added, "webhook");
    let first = Webhook { path: text(&added, "path"), secret: text(&added, "secret") };
    let checkin = || delivery(Uuid::new_v4(), now(), "GYM_CHECKIN");
    assert_eq!(service.post(&first, checkin()).await.0, 200);
    let elsewhere = format!("/gyms/soho/webhooks/{id}/rotate");
    assert_eq!(post(elsewhere).await.0, 404, "it is another gym's");
    let rotate = format!("/gyms/mitte/webhooks/{id}/rotate");
    let (status, rotated) = post(rotate.clone()).await;
    let second = Webhook { path: text(&rotated, "path"), secret: text(&rotated, "secret") };
    assert_eq!((status, second.secret == first.secret), (200, false));
    assert_eq!(service.post(&first, checkin()).await.0, 200, "both are good for a while");
    assert_eq!(service.post(&second, checkin()).await.0, 200);
    let (status, problem) = post(rotate.clone()).await;
    assert_eq!((status, &problem["code"]), (409, &json!("conflict")), "{problem}");
    assert_eq!(post(rotate.clone() + "?overlap_hours=169").await.0, 422);
    assert_eq!(post(rotate + "?overlap_hours=0").await.0, 200);
    assert_eq!(service.post(&second, checkin()).await.0, 401);
    let listed = service.get_ok(&admin, "/api/v1/gyms/mitte/webhooks").await;
    assert_eq!(listed["webhooks"].as_array().map(Vec::len), Some(2), "{listed}");
    let path = format!("/gyms/mitte/webhooks/{id}");
    assert_eq!(send(&service, &admin, Method::DELETE, &path, Value::Null).await.0, 204);
    assert_eq!(send(&service, &admin, Method::DELETE, &path, Value::Null).await.0, 404);
    assert_eq!(service.post(&old, checkin()).await.0, 200, "the other one stays");
    for entry in std::fs::read_dir(service.data()).expect("the folder is there") {
        let path = entry.expect("it can be read").path();
        let content = std::fs::read(&path).expect("it is a file");
        for secret in [&first.secret, &second.secret] {
            let holds = content.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!holds, "{} holds a secret", path.display());
        }
    }
}

#[tokio::test]
async fn nobody_gives_away_more_than_they_have() {
    let service = Service::start();
    for slug in ["mitte", "soho"] {
        service.add_gym(slug, BERLIN);
    }
    let all = service.add_token("all", "admin", &[]);
    let one = service.add_token("one", "admin", &["mitte"]);
    service.add_token("other", "viewer", &["soho"]);
    for path in ["/tokens", "/users"] {
        let post = |token: &str, body: Value| {
            let (service, token) = (&service, token.to_owned());
            async move { send(service, &token, Method::POST, path, body).await.0 }
        };
        let of = |gyms: Value| json!({ "name": "new", "role": "admin", "gyms": gyms });
        assert_eq!(post(&one, of(Value::Null)).await, 403, "all gyms are more than one");
        assert_eq!(post(&one, json!({ "name": "new", "role": "viewer" })).await, 403);
        assert_eq!(post(&one, of(json!(["mitte", "soho"]))).await, 404);
        assert_eq!(post(&one, of(json!(["mitte", "nowhere"]))).await, 404);
        assert_eq!(post(&one, of(json!([]))).await, 422, "no gym is not all gyms");
        assert_eq!(post(&one, of(json!(["mitte"]))).await, 201);
        assert_eq!(post(&all, of(json!(["soho"]))).await, 409, "the name is taken");
        let delete = |token: &str, name: &str| {
            let (service, token, path) = (&service, token.to_owned(), format!("{path}/{name}"));
            async move { send(service, &token, Method::DELETE, &path, Value::Null).await.0 }
        };
        assert_eq!(delete(&one, "all").await, 404);
        assert_eq!(delete(&one, "other").await, 404);
        assert_eq!(delete(&one, "new").await, 204);
        assert_eq!(delete(&one, "new").await, 404);
    }
    let seen = service.get_ok(&one, "/api/v1/tokens").await;
    let names: Vec<_> = seen["tokens"].as_array().into_iter().flatten().collect();
    assert!(names.len() == 1 && names[0]["name"] == "one", "{seen}");
    let gym = json!({ "name": "New", "time_zone": BERLIN });
    for slug in ["soho", "new"] {
        for method in [Method::PUT, Method::PATCH, Method::DELETE] {
            let path = format!("/gyms/{slug}");
            assert_eq!(send(&service, &one, method, &path, gym.clone()).await.0, 404, "{path}");
        }
    }
    assert_eq!(
        run_json(service.data(), &["gym", "list", "--json"]).as_array().map(Vec::len),
        Some(2)
    );
}

#[tokio::test]
async fn a_user_s_link_is_that_of_the_command() {
    let service = Service::start();
    let admin = service.add_token("script", "admin", &[]);
    let wanted = json!({ "name": "Ann", "role": "manager" });
    let (status, added) = send(&service, &admin, Method::POST, "/users", wanted).await;
    assert_eq!((status, &added["name"]), (201, &json!("Ann")), "{added}");
    let url = added["url"].as_str().expect("a text").to_owned();
    assert!(url.starts_with(&format!("{}/sign-in/", service.root)), "{url}");
    let page = service.client.get(&url).send().await.expect("an answer");
    assert_eq!(page.status(), 200);
    let users = run_json(service.data(), &["user", "list", "--json"]);
    assert_eq!((&users[0]["name"], &users[0]["role"]), (&json!("Ann"), &json!("manager")));
}

#[tokio::test]
async fn rules_that_were_said_before_a_stop_hold_after_it() {
    let mut service = Service::start();
    service.add_gym("mitte", BERLIN);
    let token = service.add_token("it", "admin", &[]);
    // So many that they are not counted before the process is gone.
    let list = service.data().join("visits.csv");
    let first = chrono::DateTime::from_timestamp_millis(now() - 300 * 86_400_000).expect("a time");
    // In UTC: some of these times are such as the gym's clock skipped.
    let at =
        |minutes: u64| (first + Duration::from_secs(60 * minutes)).format("%Y-%m-%dT%H:%M:00Z");
    let rows = (0..30_000_u64).map(|number| {
        let account = Uuid::from_u128(u128::from(number) % 500 + 1);
        format!("{account},{},{}\n", at(number), at(number + 50))
    });
    let text: String = std::iter::once("account,entered,left\n".to_owned()).chain(rows).collect();
    std::fs::write(&list, text).expect("it is written");
    run_json(service.data(), &["import", list.to_str().expect("text"), "--gym", "mitte", "--json"]);
    let body = json!({ "name": "Mitte", "rules": { "assumed_stay": 60 } });
    assert_eq!(send(&service, &token, Method::PATCH, "/gyms/mitte", body).await.0, 202);
    service.kill();
    let service = Service::start_on(service.folder.clone());
    let stay = |gym: &Value| gym["rules"]["assumed_stay"] == 60 && gym["name"] == "Mitte";
    eventually(&service, &token, "/api/v1/gyms/mitte", stay).await;
}
