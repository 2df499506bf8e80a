//! Who was removed does nothing more: neither with a form whose end was held back, nor by an id that
//! is given to the next, nor by a link or a session from before a new password.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::StreamExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::page::{Browser, add_user, csrf_of};
use crate::service::{Service, answer, client, run, run_json};

/// A form of which all but the last byte was sent.
struct HeldBack {
    stream: TcpStream,
    last: u8,
}

impl HeldBack {
    async fn send(service: &Service, path: &str, cookie: &str, form: &str) -> HeldBack {
        let host = service.root.strip_prefix("http://").expect("plain HTTP");
        let mut stream = TcpStream::connect(host).await.expect("it listens");
        let (last, most) = form.as_bytes().split_last().expect("a form");
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: {host}\r\ncookie: {cookie}\r\nconnection: close\r\n\
             content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n",
            form.len()
        );
        stream.write_all(&[head.as_bytes(), most].concat()).await.expect("it takes all");
        HeldBack { stream, last: *last }
    }

    /// The whole answer, once the form is whole.
    async fn finish(mut self) -> String {
        self.stream.write_all(&[self.last]).await.expect("it takes the rest");
        self.answer().await
    }

    async fn answer(mut self) -> String {
        let mut text = String::new();
        let read = self.stream.read_to_string(&mut text);
        timeout(Duration::from_secs(60), read).await.expect("it answers").expect("text");
        text
    }
}

/// Signs in by a link; the cookie, and what proves a form to be of this session.
async fn sign_in(service: &Service, link: &str) -> (String, String) {
    let client = client().redirect(reqwest::redirect::Policy::none()).build();
    let client = client.expect("a client");
    let answer = client.post(format!("{}{link}", service.root)).send().await.expect("an answer");
    let cookie = answer.headers()["set-cookie"].to_str().expect("text");
    let cookie = cookie.split(';').next().expect("a part").to_owned();
    let page = client.get(format!("{}/sessions", service.root)).header("cookie", &cookie);
    let page = page.send().await.expect("an answer").text().await.expect("text");
    (cookie, csrf_of(&page).to_owned())
}

fn remove(service: &Service, name: &str) {
    run_json(service.data(), &["user", "remove", name, "--json"]);
}

#[actix_web::test]
async fn a_removed_admin_does_nothing_by_a_form_that_was_held_back() {
    let service = Service::start();
    service.add_gym("mitte", "Europe/Berlin");
    let (cookie, csrf) = sign_in(&service, &add_user(&service, "ann", &["--role", "admin"])).await;
    let forms = [
        ("/people", "name=mine&role=admin&do=add_token"),
        ("/people", "name=eve&role=admin&do=add_user"),
        ("/people", "name=joe&do=remove_user"),
        ("/gyms/mitte/annotations", "from=2026-01-01&to=2026-01-01&kind=other&text=mine"),
        ("/gyms/mitte/settings", "capacity=7&public=percent"),
        (
            "/gyms/mitte/rules",
            "do=apply&visit_window=60&assumed_stay=9&assumed_tail=9&rejoin_grace=9",
        ),
        ("/gyms/mitte/members/00000000-0000-4000-8000-000000000001/erase", "sure=yes"),
        ("/gyms/mitte/quarantine", "id=1"),
        ("/password", "password=correct+horse+battery"),
        ("/sessions", "session=1"),
    ];
    add_user(&service, "joe", &["--role", "viewer"]);
    let mut held = Vec::new();
    for (path, form) in forms {
        held.push(HeldBack::send(&service, path, &cookie, &format!("csrf={csrf}&{form}")).await);
    }
    remove(&service, "ann");
    for (form, (path, what)) in held.into_iter().zip(forms) {
        let said = form.finish().await;
        let status = said.split(' ').nth(1).expect("a status");
        assert_eq!(status, "401", "{path} {what}: {said}");
        assert!(!said.to_lowercase().contains("set-cookie"), "{said}");
    }
    let listed = |args: &[&str]| run_json(service.data(), args);
    assert_eq!(listed(&["token", "list", "--json"]).as_array().map(Vec::len), Some(0));
    let users = listed(&["user", "list", "--json"]);
    assert_eq!((users.as_array().map(Vec::len), &users[0]["name"]), (Some(1), &"joe".into()));
    let admin = service.add_token("look", "admin", &[]);
    let gym = service.get_ok(&admin, "/api/v1/gyms/mitte").await;
    assert_eq!((&gym["capacity"], &gym["rules"]["assumed_stay"]), (&80.into(), &75.into()));
    let erasures = service.get_ok(&admin, "/api/v1/erasures").await;
    assert_eq!(erasures["erasures"].as_array().map(Vec::len), Some(0));
}

#[actix_web::test]
async fn a_removed_viewer_becomes_nobody_else() {
    let service = Service::start();
    let (cookie, csrf) = sign_in(&service, &add_user(&service, "ann", &["--role", "viewer"])).await;
    let form = format!("csrf={csrf}&password=correct+horse+battery");
    let held = HeldBack::send(&service, "/password", &cookie, &form).await;
    remove(&service, "ann");
    add_user(&service, "boss", &["--role", "admin"]);
    let said = held.finish().await;
    assert!(said.starts_with("HTTP/1.1 401"), "{said}");
    assert!(!said.to_lowercase().contains("set-cookie"), "{said}");
    let users = run_json(service.data(), &["user", "list", "--json"]);
    assert_eq!(users[0]["has_password"], false, "it is the next one's, not hers");
}

#[actix_web::test]
async fn no_id_is_given_twice() {
    let service = Service::start();
    let database =
        rusqlite::Connection::open(service.data().join("footfall.db")).expect("it opens");
    let newest = |table: &str| -> i64 {
        let sql = format!("SELECT max(id) FROM {table}");
        database.query_row(&sql, [], |row| row.get(0)).expect("a row")
    };
    let mut seen = [(); 3].map(|()| BTreeSet::new());
    for _ in 0..3 {
        sign_in(&service, &add_user(&service, "ann", &["--role", "viewer"])).await;
        service.add_token("ann", "viewer", &[]);
        for (ids, table) in seen.iter_mut().zip(["users", "sessions", "tokens"]) {
            assert!(ids.insert(newest(table)), "an id of {table} was given twice: {ids:?}");
        }
        remove(&service, "ann");
        run_json(service.data(), &["token", "remove", "ann", "--json"]);
    }
    // And of whatever else has ids of its own.
    let sql = "SELECT name FROM sqlite_schema WHERE type = 'table' AND sql LIKE '% id %' AND
               name <> 'refinery_schema_history' AND sql NOT LIKE '%AUTOINCREMENT%' AND
               sql NOT LIKE '%CHECK (id = 1)%'";
    let mut again = database.prepare(sql).expect("SQL");
    let again: Vec<String> = again
        .query_map([], |row| row.get(0))
        .expect("rows")
        .map(|name| name.expect("text"))
        .collect();
    assert_eq!(again, [""; 0]);
}

#[actix_web::test]
async fn a_new_password_takes_links_and_sessions_with_it() {
    let service = Service::start();
    let browser = Browser::of(&service);
    browser.post(&add_user(&service, "ann", &["--role", "viewer"]), &[]).await;
    let linked = run_json(service.data(), &["user", "link", "ann", "--json"]);
    service.set_password("ann", "correct horse");
    assert!(browser.open("/").await.1.contains("type=\"password\""), "the session has ended");
    let link = linked["path"].as_str().expect("a path");
    assert_eq!(Browser::of(&service).post(link, &[]).await.0, 404, "the link is good no more");
}

#[actix_web::test]
async fn a_stream_ends_with_the_session_it_was_opened_by() {
    let service = Service::start();
    let webhook = service.add_gym("mitte", "Europe/Berlin");
    let (cookie, _) = sign_in(&service, &add_user(&service, "ann", &["--role", "viewer"])).await;
    let url = format!("{}/api/v1/gyms/mitte/occupancy/stream", service.root);
    let stream = service.client.get(url).header("cookie", cookie).send().await.expect("an answer");
    let mut events = stream.bytes_stream();
    assert!(events.next().await.is_some_and(|event| event.is_ok()), "it begins");
    remove(&service, "ann");
    assert_eq!(service.post(&webhook, r#"{"type":"TEST"}"#).await.0, 200);
    let ended = async { while let Some(Ok(_)) = events.next().await {} };
    timeout(Duration::from_secs(40), ended).await.expect("it ends");
}

#[actix_web::test]
async fn a_form_has_a_deadline() {
    let service = Service::start();
    let held = HeldBack::send(&service, "/sign-in", "a=b", "name=ann&password=secret").await;
    let said = held.answer().await;
    assert!(said.starts_with("HTTP/1.1 400") && said.contains("body_incomplete"), "{said}");
}

#[actix_web::test]
async fn names_are_one_whatever_the_case_and_the_accents() {
    let service = Service::start();
    let link = add_user(&service, "\u{c4}nne", &["--role", "viewer"]);
    for same in ["\u{c4}nne", "A\u{308}nne", "änne", "ÄNNE"] {
        let added = run(service.data(), &["user", "add", same, "--role", "viewer"]);
        assert!(!added.status.success(), "{same} is taken");
    }
    let browser = Browser::of(&service);
    let page = browser.post(&link, &[]).await.1;
    assert!(page.contains("Änne"), "as it was given");
    let page = browser.open("/sessions").await.1;
    let password = "Pferdea\u{308}pfel";
    let form = [("csrf", csrf_of(&page)), ("password", password)];
    assert_eq!(browser.post("/password", &form).await.0, 200);
    for (name, password) in [("a\u{308}NNE", "Pferdeäpfel"), ("Änne", password)] {
        let form = [("name", name), ("password", password)];
        assert_eq!(Browser::of(&service).post("/sign-in", &form).await.0, 200, "{name}");
    }
    for hidden in ["a\u{1b}[31mb", "a\nb", "a\u{202e}b", "a\u{9b}b", " "] {
        for args in [
            &["user", "add", hidden, "--role", "viewer"][..],
            &["token", "add", hidden, "--role", "viewer"],
            &["gym", "add", "gym", "--time-zone", "UTC", "--name", hidden],
            &["gym", "set", "gym", "--name", hidden],
        ] {
            assert!(!run(service.data(), args).status.success(), "{args:?}");
        }
    }
    let (status, _) = answer(service.client.get(format!("{}/healthz", service.root))).await;
    assert_eq!(status, 200);
}

#[actix_web::test]
async fn names_from_before_they_were_looked_at_go_on() {
    let service = Service::start();
    service.add_gym("mitte", "Europe/Berlin");
    add_user(&service, "Ann", &["--role", "viewer"]);
    let database =
        rusqlite::Connection::open(service.data().join("footfall.db")).expect("it opens");
    let sql = "INSERT INTO users (name, role, all_gyms, created_at) VALUES (?1, 'viewer', 1, 0)";
    for name in ["ann", "A\u{308}nne", "Eve\u{1b}]0;x\u{7}"] {
        database.execute(sql, [name]).expect("a row");
    }
    database.execute("UPDATE gyms SET name = 'Mitte\u{1b}[2J\r\nBcc: all'", []).expect("a row");
    let link = |name: &str| run(service.data(), &["user", "link", name, "--json"]);
    for name in ["ann", "Ann", "Änne", "änne"] {
        let made = link(name);
        assert!(made.status.success(), "{name}: {}", String::from_utf8_lossy(&made.stderr));
    }
    assert!(!link("ANN").status.success(), "which of the two is not known");
    for args in [&["user", "list"][..], &["gym", "list"], &["user", "list", "--json"]] {
        let listed = run(service.data(), args);
        let text = String::from_utf8_lossy(&listed.stdout);
        assert!(listed.status.success() && text.contains('\u{fffd}'), "{text}");
        let hidden = |c: char| c.is_control() && c != '\n';
        assert!(!text.contains(hidden) && !text.contains("\\u001b"), "{text:?}");
    }
    let token = service.add_token("look", "viewer", &[]);
    let name = service.get_ok(&token, "/api/v1/gyms/mitte").await["name"].clone();
    assert_eq!(name, "Mitte\u{fffd}[2J\u{fffd}\u{fffd}Bcc: all");
}
