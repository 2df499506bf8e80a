//! The link that makes the first admin: once, from the start that printed it, and for nobody who
//! does not have it.

use std::fs;
use std::path::Path;

use futures_util::future::join_all;
use reqwest::redirect::Policy;

use super::page::{Browser, add_user};
use crate::service::{Service, client, run_json};

const PASSWORD: &str = "correct horse battery";

fn users(service: &Service) -> Vec<(String, String)> {
    let listed = run_json(service.data(), &["user", "list", "--json"]);
    let text = |value: &serde_json::Value| value.as_str().expect("a text").to_owned();
    let users = listed.as_array().expect("a list").iter();
    users.map(|user| (text(&user["name"]), text(&user["role"]))).collect()
}

fn holds(folder: &Path, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("the folder is there") {
        let path = entry.expect("it can be read").path();
        let bytes = if path.is_file() { fs::read(&path).expect("it can be read") } else { vec![] };
        if bytes.windows(text.len()).any(|some| some == text.as_bytes()) {
            found.push(path.display().to_string());
        }
    }
    found
}

#[actix_web::test]
async fn a_link_makes_one_admin_and_is_dead_then() {
    let service = Service::start();
    let (path, code) = service.first_admin_link();
    let form = |code: &str, name: &str, password: &str| {
        [("code", code), ("name", name), ("password", password)]
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
    };
    let post = async |form: [(String, String); 3]| {
        let form = form.each_ref().map(|(key, value)| (key.as_str(), value.as_str()));
        Browser::of(&service).post(&path, &form).await
    };
    assert_eq!(Browser::of(&service).open(&path).await.0, 200, "looking uses nothing up");
    let guessed = "0".repeat(64);
    for (wrong, status) in [
        (form("", "ann", PASSWORD), 403),
        (form(&guessed, "ann", PASSWORD), 403),
        // The checks of `footfall user`.
        (form(&code, "ann", "short"), 422),
        (form(&code, "", PASSWORD), 422),
        (form(&code, "an\u{202e}n", PASSWORD), 422),
    ] {
        let said = post(wrong).await;
        assert_eq!(said.0, status, "{}", said.1);
        // What was typed right is there still, and a code that was guessed is not.
        assert_eq!(said.1.contains(&code), status == 422);
        assert!(!said.1.contains(PASSWORD) && !said.1.contains(&guessed), "{}", said.1);
    }
    assert_eq!(users(&service), []);
    let elsewhere = service.client.post(format!("{}{path}", service.root));
    let elsewhere = elsewhere.header("origin", "https://evil.example");
    let elsewhere = elsewhere.form(&form(&code, "eve", PASSWORD)).send().await.expect("an answer");
    assert_eq!(elsewhere.status(), 403, "another site makes nobody");
    let plain = client().redirect(Policy::none()).build().expect("a client");
    let made = plain.post(format!("{}{path}", service.root)).form(&form(&code, "ann", PASSWORD));
    let made = made.send().await.expect("an answer");
    assert_eq!(
        (made.status().as_u16(), &made.headers()["location"]),
        (303, &"/new-gym".parse().expect("text"))
    );
    let cookies = made.headers().get_all("set-cookie").iter();
    let cookies: Vec<_> = cookies.map(|cookie| cookie.to_str().expect("text")).collect();
    assert!(cookies.len() == 2 && cookies.iter().all(|cookie| cookie.contains("HttpOnly")));
    assert_eq!(users(&service), [("ann".to_owned(), "admin".to_owned())]);
    assert_eq!(post(form(&code, "eve", PASSWORD)).await.0, 404);
    assert_eq!(Browser::of(&service).open(&path).await.0, 404);
    // The password signs in, and what the link was is in no file.
    let signed_in = Browser::of(&service);
    let (status, _) = signed_in.post("/sign-in", &[("name", "ann"), ("password", PASSWORD)]).await;
    assert_eq!(status, 200);
    assert_eq!(signed_in.open("/people").await.0, 200, "for all gyms");
    assert_eq!(holds(service.data(), &code), Vec::<String>::new());
}

#[actix_web::test]
async fn of_many_at_once_one_becomes_the_admin() {
    let service = Service::start();
    let (path, code) = service.first_admin_link();
    let tries = (0..6).map(|number| {
        let (service, path, code) = (&service, &path, &code);
        async move {
            let name = format!("n{number}");
            let form = [("code", &**code), ("name", &*name), ("password", PASSWORD)];
            let (_, page) = Browser::of(service).post(path, &form).await;
            page.contains("action=\"/sign-out\"")
        }
    });
    let signed_in = join_all(tries).await;
    assert_eq!(signed_in.iter().filter(|is| **is).count(), 1);
    assert_eq!(users(&service).len(), 1);
}

#[actix_web::test]
async fn each_start_prints_its_own_link_until_there_is_a_user() {
    let service = Service::start();
    let (path, old) = service.first_admin_link();
    let folder = service.folder.clone();
    assert!(service.stop());
    let service = Service::start_on(folder.clone());
    let (_, code) = service.first_admin_link();
    assert_ne!(old, code);
    let form = [("code", &*old), ("name", "eve"), ("password", PASSWORD)];
    assert_eq!(Browser::of(&service).post(&path, &form).await.0, 403, "of another start");
    let help = Browser::of(&service).open("/sign-in").await.1;
    assert!(help.contains("printed") && !help.contains(&code), "{help}");
    // A command makes one too, and the link is dead at once.
    add_user(&service, "ann", &["--role", "viewer"]);
    let form = [("code", &*code), ("name", "eve"), ("password", PASSWORD)];
    assert_eq!(Browser::of(&service).post(&path, &form).await.0, 404);
    assert_eq!(users(&service).len(), 1);
    assert!(Browser::of(&service).open("/sign-in").await.1.contains("type=\"password\""));
    assert!(service.stop());
    let service = Service::start_on(folder);
    assert_eq!(Browser::of(&service).open(&path).await.0, 404);
}
