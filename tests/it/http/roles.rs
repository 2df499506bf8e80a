//! Who may what: every route, for every role, at the token's own gym, at another one, and at one
//! that does not exist. And tokens: stored as a hash, known by their last use, gone at once.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use chrono::DateTime;
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::laws::REPORTS;
use crate::service::{Service, answer, delivery, now, run_json};

const MINUTE: i64 = 60_000;
const ROLES: [&str; 3] = ["viewer", "manager", "admin"];
const OWN: &str = "mitte";
const OTHER: &str = "soho";
const MISSING: &str = "nowhere";
const GYMS: [&str; 3] = [OWN, OTHER, MISSING];

/// A route that needs a token.
struct Route {
    method: &'static str,
    path: &'static str,
    /// The least role that may use it, by its place in [`ROLES`].
    role: usize,
    /// What is answered to who may.
    status: u16,
}

const fn route(method: &'static str, path: &'static str, role: usize, status: u16) -> Route {
    Route { method, path, role, status }
}

const ROUTES: [Route; 31] = [
    // At a gym that is there, and is so already.
    route("PUT", "/api/v1/gyms/{gym}", 2, 200),
    route("PATCH", "/api/v1/gyms/{gym}", 2, 200),
    // What would go with it.
    route("DELETE", "/api/v1/gyms/{gym}", 2, 200),
    route("GET", "/api/v1/gyms/{gym}/webhooks", 2, 200),
    route("POST", "/api/v1/gyms/{gym}/webhooks", 2, 201),
    // These are looked for, and there are none of that name.
    route("DELETE", "/api/v1/gyms/{gym}/webhooks/{webhook}", 2, 404),
    route("POST", "/api/v1/gyms/{gym}/webhooks/{webhook}/rotate", 2, 404),
    route("GET", "/api/v1/tokens", 2, 200),
    route("POST", "/api/v1/tokens", 2, 201),
    route("DELETE", "/api/v1/tokens/{name}", 2, 404),
    route("GET", "/api/v1/users", 2, 200),
    route("POST", "/api/v1/users", 2, 201),
    route("DELETE", "/api/v1/users/{name}", 2, 404),
    route("GET", "/api/v1/gyms", 0, 200),
    route("GET", "/api/v1/gyms/{gym}", 0, 200),
    route("GET", "/api/v1/gyms/{gym}/occupancy", 0, 200),
    route("GET", "/api/v1/gyms/{gym}/occupancy/stream", 0, 200),
    route("GET", "/api/v1/gyms/{gym}/reports/{report}", 0, 200),
    route("GET", "/api/v1/reports/{report}", 0, 200),
    route("GET", "/api/v1/gyms/{gym}/members/absent", 1, 200),
    route("GET", "/api/v1/gyms/{gym}/members/new", 1, 200),
    route("GET", "/api/v1/gyms/{gym}/members/{account}", 1, 200),
    route("DELETE", "/api/v1/gyms/{gym}/members/{account}", 1, 202),
    route("GET", "/api/v1/erasures", 1, 200),
    route("GET", "/api/v1/gyms/{gym}/events", 2, 200),
    route("GET", "/api/v1/gyms/{gym}/annotations", 0, 200),
    route("POST", "/api/v1/gyms/{gym}/annotations", 1, 201),
    // It is looked for, and there is none of that id.
    route("DELETE", "/api/v1/gyms/{gym}/annotations/{id}", 1, 404),
    route("GET", "/api/v1/gyms/{gym}/quarantine", 2, 200),
    route("GET", "/api/v1/gyms/{gym}/quarantine/{id}", 2, 200),
    // It is tried, and what waits there still does not fit.
    route("POST", "/api/v1/gyms/{gym}/quarantine/{id}/release", 2, 422),
];

/// What needs no token.
const OPEN: [(&str, &str); 8] = [
    ("GET", "/busy/{gym}.json"),
    ("POST", "/webhooks/{webhook}"),
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("GET", "/metrics"),
    ("GET", "/api/openapi.json"),
    ("GET", "/docs"),
    ("GET", "/docs/{file:.*}"),
];

#[test]
fn no_route_is_missing_here() {
    let code = include_str!("../../../src/http/mod.rs");
    let mut routed = BTreeSet::new();
    for rest in code.split("at(\"/").skip(1) {
        let (path, rest) = rest.split_once('"').expect("a string ends");
        let methods = rest.split("web::").filter_map(|part| part.split_once("().to("));
        // What follows `method_not_allowed` is no route.
        let methods = methods.map(|(method, _)| method).filter(|method| !method.contains(' '));
        routed.extend(methods.map(|method| (method.to_uppercase(), format!("/{path}"))));
    }
    let guarded = ROUTES.iter().map(|route| (route.method, route.path));
    let known = guarded.chain(OPEN).map(|(method, path)| (method.to_owned(), path.to_owned()));
    assert_eq!(routed, known.collect::<BTreeSet<_>>());
}

/// Two gyms with a member and a delivery in quarantine each; the second's ids are other ones.
struct House {
    service: Service,
    ada: Uuid,
}

impl House {
    async fn open() -> House {
        let service = Service::start();
        let ada = Uuid::new_v4();
        for (slug, zone) in [(OWN, "Europe/Berlin"), (OTHER, "Europe/London")] {
            let webhook = service.add_gym(slug, zone);
            let body = delivery(ada, now() - MINUTE, "GYM_CHECKIN");
            assert_eq!(service.post(&webhook, body).await.0, 200);
            assert_eq!(service.post(&webhook, "nonsense").await.0, 400);
        }
        House { service, ada }
    }

    /// The paths of a route at a gym: one for each report.
    fn paths(&self, route: &Route, gym: &str) -> Vec<String> {
        // Erasing somebody who was never there leaves Ada for the others.
        let account = if route.method == "DELETE" { Uuid::from_u128(7) } else { self.ada };
        let id = if gym == OTHER { "2" } else { "1" };
        let id = if route.path.contains("annotations") { "7000" } else { id };
        let path = route.path.replace("{gym}", gym).replace("{account}", &account.to_string());
        let path = path.replace("{id}", id).replace("{webhook}", "nothing");
        let path = path.replace("{name}", "nobody");
        let path = match (route.method, route.path) {
            ("DELETE", "/api/v1/gyms/{gym}") => path + "?dry_run=true",
            _ => path,
        };
        if !path.contains("{report}") {
            return vec![path];
        }
        let gyms = if path.contains("/gyms/") { String::new() } else { format!("?gyms={gym}") };
        REPORTS.iter().map(|name| format!("{}{gyms}", path.replace("{report}", name))).collect()
    }

    /// Status and body; of a stream, only that it is one.
    async fn ask(&self, route: &Route, path: &str, token: Option<&str>) -> (u16, String) {
        let method: Method = route.method.parse().expect("a method");
        let request = self.service.client.request(method, format!("{}{path}", self.service.root));
        let request = match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        };
        let request = match sent(route) {
            Some(body) => request.body(body.to_string()),
            None => request,
        };
        let response = request.send().await.expect("the service answers");
        let status = response.status().as_u16();
        let kind = response.headers()["content-type"].to_str().expect("it is text").to_owned();
        if kind == "text/event-stream" {
            return (status, kind);
        }
        if status >= 400 {
            assert_eq!(kind, "application/problem+json", "{path}");
        }
        (status, response.text().await.expect("the answer comes whole"))
    }
}

/// What is sent to a route: nothing that is there twice, or that changes a gym.
fn sent(route: &Route) -> Option<Value> {
    match (route.method, route.path.rsplit('/').next()?) {
        ("POST", "annotations") => Some(json!({ "from": "2026-12-25", "to": "2026-12-25",
            "kind": "closed", "text": "Christmas" })),
        ("POST", "tokens" | "users") => {
            Some(json!({ "name": Uuid::new_v4(), "role": "viewer", "gyms": [OWN] }))
        }
        ("PUT" | "PATCH", _) => Some(json!({ "archived": false })),
        _ => None,
    }
}

/// Asks every route at every gym, and compares with what is due to a token of that role (none: not
/// a token of ours) that may see those gyms.
async fn walk(house: &House, token: Option<&str>, role: Option<usize>, seen: &[&str]) {
    for route in &ROUTES {
        let has_gym = route.path.contains("{gym}") || route.path.contains("{report}");
        for gym in GYMS {
            // Who may see all gyms may make one.
            if route.method == "PUT" && gym == MISSING && seen.len() > 1 {
                continue;
            }
            for path in house.paths(route, gym) {
                let (status, body) = house.ask(route, &path, token).await;
                let due = match role {
                    None => 401,
                    Some(role) if role < route.role => 403,
                    Some(_) if has_gym && !seen.contains(&gym) => 404,
                    Some(_) => route.status,
                };
                assert_eq!(status, due, "{} {path}, {role:?}, {seen:?}: {body}", route.method);
                if has_gym && !seen.contains(&gym) {
                    // Like a gym that nobody has: not even that there is one is told.
                    let missing = &house.paths(route, MISSING)[0];
                    let missing = missing.replace(REPORTS[0], report_in(&path));
                    let nobody = house.ask(route, &missing, token).await;
                    assert_eq!((status, body.replace(gym, MISSING)), nobody, "{path}");
                }
            }
        }
    }
}

/// The report that a path names; of other paths, what stays as it is when it is replaced.
fn report_in(path: &str) -> &'static str {
    let named = |name: &&&'static str| path.contains(&format!("/reports/{name}"));
    REPORTS.iter().find(named).unwrap_or(&REPORTS[0])
}

#[tokio::test]
async fn every_route_asks_for_a_token_its_role_and_its_gym() {
    let house = House::open().await;
    walk(&house, None, None, &[]).await;
    walk(&house, Some("wrong"), None, &[]).await;
    for (place, role) in ROLES.into_iter().enumerate() {
        let of_one = house.service.add_token(&format!("{role}-one"), role, &[OWN]);
        walk(&house, Some(&of_one), Some(place), &[OWN]).await;
        let of_all = house.service.add_token(&format!("{role}-all"), role, &[]);
        walk(&house, Some(&of_all), Some(place), &[OWN, OTHER]).await;
    }
}

#[tokio::test]
async fn what_is_asked_without_a_gym_is_about_the_own_ones() {
    let house = House::open().await;
    let token = house.service.add_token("one", "admin", &[OWN]);
    let all = house.service.add_token("all", "admin", &[]);
    for gym in [OWN, OTHER] {
        let url = format!("{}/api/v1/gyms/{gym}/members/{}", house.service.root, house.ada);
        assert_eq!(answer(house.service.client.delete(url).bearer_auth(&all)).await.0, 202);
    }
    let listed = ["/api/v1/gyms", "/api/v1/erasures"].map(|path| (path, path.len()));
    let paths = listed.into_iter().map(|(path, cut)| (path.to_owned(), path[8..cut].to_owned()));
    let reports = REPORTS.iter().map(|name| (format!("/api/v1/reports/{name}"), "gyms".to_owned()));
    for (path, list) in paths.chain(reports) {
        let gyms_of = |body: &Value| -> Vec<Value> {
            let rows = body[list.trim_start_matches('/')].as_array().expect("a list").iter();
            let mut gyms: Vec<_> = rows.map(|row| row["gym"].clone()).collect();
            gyms.sort_by_key(|gym| gym.to_string());
            gyms
        };
        let (own, both) =
            (house.service.get_ok(&token, &path).await, house.service.get_ok(&all, &path).await);
        assert_eq!(gyms_of(&own), [json!(OWN)], "{path}");
        assert_eq!(gyms_of(&both), [json!(OWN), json!(OTHER)], "{path}");
    }
    let nothing = house.service.add_gym("leer", "UTC");
    drop(nothing);
    let mixed = format!("/api/v1/reports/visits?gyms={OWN},{OTHER}");
    assert_eq!(house.service.get(&token, &mixed).await.0, 404, "one of them is too much");
}

#[tokio::test]
async fn nothing_but_the_token_itself_opens() {
    let house = House::open().await;
    let (client, root) = (&house.service.client, &house.service.root);
    let token = house.service.add_token("all", "admin", &[]);
    let url = format!("{root}/api/v1/gyms");
    let hash = stored_hash(house.service.data());
    let plain = token.trim_start_matches(|c| c != '_').trim_start_matches('_');
    let nearly = [
        format!("Bearer {}", &token[..token.len() - 1]),
        format!("Bearer {token}0"),
        format!("Bearer {}", token.to_uppercase()),
        format!("Bearer {plain}"),
        format!("Bearer {hash}"),
        format!("Basic {token}"),
        "Bearer".to_owned(),
        "Bearer ".to_owned(),
        token.clone(),
    ];
    for header in nearly {
        let (status, problem) = answer(client.get(&url).header("authorization", &header)).await;
        assert_eq!((status, problem["code"].as_str()), (401, Some("unauthorized")), "{header}");
        assert!(!problem.to_string().contains(plain), "{problem}");
    }
    let asked = client.get(&url).query(&[("token", &token)]);
    assert_eq!(answer(asked).await.0, 401, "a URL is no place for a token");
    let asked = client.get(&url).header("authorization", format!("bearer {token}"));
    assert_eq!(answer(asked).await.0, 200, "the scheme's case does not matter");
}

/// What the database holds of the only token, as hexadecimal digits.
fn stored_hash(folder: &Path) -> String {
    let database = rusqlite::Connection::open(folder.join("footfall.db")).expect("it opens");
    let sql = "SELECT lower(hex(token_hash)) FROM tokens";
    database.query_row(sql, [], |row| row.get(0)).expect("one row")
}

#[tokio::test]
async fn a_token_is_in_no_file() {
    let house = House::open().await;
    let token = house.service.add_token("the name of a token", "viewer", &[]);
    house.service.get_ok(&token, "/api/v1/gyms").await;
    house.service.get(&token, "/api/v1/gyms/mitte/events").await;
    let digits = token.rsplit('_').next().expect("a part").to_owned();
    assert_eq!(digits.len(), 64, "{} is 32 bytes in hexadecimal digits", digits.len());
    let pair = |place: usize| u8::from_str_radix(&digits[place..place + 2], 16).expect("digits");
    let bytes: Vec<u8> = (0..64).step_by(2).map(pair).collect();
    let mut named = 0;
    for entry in std::fs::read_dir(house.service.data()).expect("the folder is there") {
        let path = entry.expect("it can be read").path();
        let content = std::fs::read(&path).expect("it is a file");
        let holds = |sought: &[u8]| content.windows(sought.len()).any(|window| window == sought);
        assert!(!holds(digits.as_bytes()) && !holds(&bytes), "{}", path.display());
        named += u32::from(holds(b"the name of a token"));
    }
    assert!(named > 0, "where it would be was looked at");
}

#[tokio::test]
async fn the_last_use_of_a_token_is_known() {
    let house = House::open().await;
    let token = house.service.add_token("desk", "viewer", &[OWN]);
    let last_use = || {
        let listed = run_json(house.service.data(), &["token", "list", "--json"]);
        assert_eq!(listed.as_array().map(Vec::len), Some(1), "{listed}");
        assert_eq!((&listed[0]["name"], &listed[0]["gyms"]), (&json!("desk"), &json!([OWN])));
        listed[0]["last_used_at"].clone()
    };
    assert_eq!(house.service.get("wrong", "/api/v1/gyms").await.0, 401);
    assert_eq!(last_use(), Value::Null);
    let before = now();
    // Also a use that was refused is one.
    assert_eq!(house.service.get(&token, "/api/v1/gyms/mitte/events").await.0, 403);
    // Nobody waits for it to be noted.
    let patience = Instant::now() + Duration::from_secs(5);
    let used = loop {
        let used = last_use();
        if used.is_string() {
            break used;
        }
        assert!(Instant::now() < patience, "it was never noted");
    };
    let used = DateTime::parse_from_rfc3339(used.as_str().expect("a text")).expect("a time");
    let used = used.timestamp_millis();
    // It is shown in whole seconds.
    assert!((before - 1_000..=now()).contains(&used), "{used} is not {before} or a little later");
}

#[tokio::test]
async fn a_token_that_is_removed_opens_nothing_more() {
    let house = House::open().await;
    let service = &house.service;
    let kept = service.add_token("kept", "admin", &[]);
    for role in ROLES {
        let token = service.add_token("leaver", role, &[]);
        service.get_ok(&token, "/api/v1/gyms").await;
        run_json(service.data(), &["token", "remove", "leaver", "--json"]);
        walk(&house, Some(&token), None, &[]).await;
        let again = service.add_token("leaver", role, &[]);
        assert_eq!(service.get(&token, "/api/v1/gyms").await.0, 401, "the name does not matter");
        service.get_ok(&again, "/api/v1/gyms").await;
        run_json(service.data(), &["token", "remove", "leaver", "--json"]);
        service.get_ok(&kept, "/api/v1/gyms").await;
    }
}
