//! A URL as a person pastes it, and what a client would rather have.

use uuid::Uuid;

use crate::service::{Service, Webhook, delivery, now};

#[tokio::test]
async fn a_delivery_is_taken_at_a_path_that_was_pasted_badly() {
    let service = Service::start();
    let webhook = service.add_gym("mitte", "Europe/Berlin");
    for path in [
        format!("{}/", webhook.path),
        format!("/{}", webhook.path),
        format!("{}//", webhook.path.replace("/webhooks/", "/webhooks//")),
        format!("{}%20", webhook.path),
        format!("{}%0D%0A", webhook.path),
        format!("{}/?source=egym", webhook.path),
    ] {
        let pasted = Webhook { path: path.clone(), secret: webhook.secret.clone() };
        let body = delivery(Uuid::new_v4(), now() - 60_000, "GYM_CHECKIN");
        let (status, told) = service.post(&pasted, body).await;
        assert_eq!((status, &told["status"]), (200, &"accepted".into()), "{path}: {told}");
    }
    let token = service.add_token("all", "viewer", &[]);
    service.get_ok(&token, "/api/v1/gyms/").await;
    service.get_ok(&token, "//api/v1//gyms/mitte/").await;
    assert_eq!(service.get(&token, "/api/v1/gyms/mit/te").await.0, 404);
}

#[tokio::test]
async fn the_weights_of_accept_decide() {
    let service = Service::start();
    service.add_gym("mitte", "Europe/Berlin");
    let token = service.add_token("all", "manager", &[]);
    for path in ["reports/visits", "members/absent"] {
        for (accept, kind) in [
            ("text/csv", "text/csv"),
            ("text/csv;q=0.1, application/json", "application/json"),
            ("text/csv;q=0, */*", "application/json"),
            ("*/*", "application/json"),
            ("application/json;q=0.2, text/csv;q=0.3", "text/csv"),
        ] {
            let url = format!("{}/api/v1/gyms/mitte/{path}", service.root);
            let request = service.client.get(url).bearer_auth(&token).header("accept", accept);
            let answer = request.send().await.expect("an answer");
            let told = answer.headers()["content-type"].to_str().expect("a text").to_owned();
            assert!(told.starts_with(kind), "{path} with {accept}: {told}");
        }
    }
}
