//! What a stranger may not do: learn who is there, lead a visitor elsewhere, speak for a proxy, send
//! forms from another site, or find what somebody left in a browser.

use std::net::TcpListener;
use std::sync::Arc;

use reqwest::header::HeaderMap;
use reqwest::redirect::Policy;
use tempfile::TempDir;

use super::page::{add_user, csrf_of};
use crate::service::Service;

/// The most failures of one address.
const FAILURES_MAX: usize = 50;

/// A service with settings, and a client that follows nothing and knows no cookies.
fn start(listen: &str, env: &[(&str, &str)]) -> Service {
    let folder = Arc::new(TempDir::new().expect("a temporary folder"));
    let mut service = Service::start_with(folder, listen, env);
    let client = reqwest::Client::builder().redirect(Policy::none()).no_proxy().build();
    service.client = client.expect("a client");
    service.root = service.root.replace("0.0.0.0", "127.0.0.1");
    service
}

/// Status, headers and text.
async fn ask(request: reqwest::RequestBuilder) -> (u16, HeaderMap, String) {
    let answer = request.send().await.expect("the service answers");
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    (status, headers, answer.text().await.expect("text"))
}

fn header<'h>(headers: &'h HeaderMap, name: &str) -> &'h str {
    headers.get(name).map_or("", |value| value.to_str().expect("text"))
}

async fn metrics(service: &Service, headers: &[(&str, &str)]) -> u16 {
    let request = service.client.get(format!("{}/metrics", service.root));
    ask(headers.iter().fold(request, |r, (name, value)| r.header(*name, *value))).await.0
}

#[tokio::test]
async fn metrics_are_for_this_machine() {
    let service = start("127.0.0.1:0", &[]);
    assert_eq!(metrics(&service, &[]).await, 200);
    let port = service.root.rsplit(':').next().expect("a port");
    assert_eq!(metrics(&service, &[("host", &format!("localhost:{port}"))]).await, 200);
    for passed_on in [
        ("x-forwarded-for", "127.0.0.1"),
        ("forwarded", "for=127.0.0.1"),
        ("x-forwarded-proto", "https"),
        ("via", "1.1 proxy"),
        ("host", "footfall.example.com"),
        ("host", "rebound.example:8080"),
    ] {
        assert_eq!(metrics(&service, &[passed_on]).await, 404, "{passed_on:?}");
    }
}

#[tokio::test]
async fn metrics_are_not_where_everybody_comes_unless_a_key_says_so() {
    let service = start("0.0.0.0:0", &[]);
    for path in ["/metrics", "/metrics/", "/%6detrics", "//metrics", "/metrics%20", "/x/../metrics"]
    {
        let (status, _, text) = ask(service.client.get(format!("{}{path}", service.root))).await;
        assert!(status != 200 && !text.contains("footfall_"), "{path}: {text}");
    }
    let service = start("0.0.0.0:0", &[("FOOTFALL_METRICS_PUBLIC", "true")]);
    assert_eq!(metrics(&service, &[("x-forwarded-for", "1.2.3.4")]).await, 200);
}

#[tokio::test]
async fn metrics_have_a_listener_of_their_own() {
    let free = TcpListener::bind("127.0.0.1:0").and_then(|one| one.local_addr()).expect("a port");
    let service = start("127.0.0.1:0", &[("FOOTFALL_METRICS_LISTEN", &free.to_string())]);
    assert_eq!(metrics(&service, &[]).await, 404, "they have moved");
    let there = |path: &str| service.client.get(format!("http://{free}{path}"));
    let (status, _, text) = ask(there("/metrics").header("host", "footfall:9464")).await;
    assert!(status == 200 && text.contains("# TYPE"), "{text}");
    for path in ["/", "/healthz", "/sign-in", "/api/v1/gyms", "/webhooks/x"] {
        let (status, _, text) = ask(there(path)).await;
        assert_eq!(status, 404, "{path}: {text}");
    }
    let (status, _, _) = ask(service.client.get(format!("{}/healthz", service.root))).await;
    assert_eq!(status, 200);
}

#[tokio::test]
async fn nobody_is_led_elsewhere() {
    let service = start("127.0.0.1:0", &[]);
    let (root, client) = (&service.root, &service.client);
    let location = async |query: &str| {
        let request = client.get(format!("{root}/language/de?{query}"));
        let (status, headers, text) = ask(request).await;
        assert_eq!(status, 303, "{query}: {text}");
        header(&headers, "location").to_owned()
    };
    assert_eq!(location("next=%2Fgyms%2Fx%3Frange%3Dtoday").await, "/gyms/x?range=today");
    for query in [
        "next=/%09/evil.example/",
        "next=%09//evil.example",
        "next=//evil.example",
        "next=/%5Cevil.example",
        "next=%5C%5Cevil.example",
        "next=/%0d%0aset-cookie:%20a=b",
        "next=/%00",
        "next=/%1b",
        "next=/%C3%A4",
        "next=https://evil.example",
        "next=/.//evil.example",
        "next=javascript:alert(1)",
        "next=/x&next=//evil.example%00",
        &format!("next=/{}", "a".repeat(5_000)),
    ] {
        let to = location(query).await;
        assert!(to == "/" || to == "/x", "{query}: {to}");
    }
    // Who is not signed in comes back to where they were.
    let (_, headers, _) = ask(client.get(format!("{root}//evil.example/%09/?a=%0a"))).await;
    let to = header(&headers, "location");
    assert!(to.is_empty() || to.starts_with("/sign-in?next=%2F"), "{to}");
}

async fn try_to_sign_in(service: &Service, name: &str, headers: &[(&str, &str)]) -> u16 {
    let request = service.client.post(format!("{}/sign-in", service.root));
    let request = headers.iter().fold(request, |r, (name, value)| r.header(*name, *value));
    ask(request.form(&[("name", name), ("password", "battery staple")])).await.0
}

#[tokio::test]
async fn a_lock_out_is_of_whoever_failed_behind_the_proxies() {
    let proxies = [("FOOTFALL_HTTP_TRUSTED_PROXIES", r#"["127.0.0.0/8", "10.0.0.0/8"]"#)];
    let service = start("127.0.0.1:0", &proxies);
    for number in 0..FAILURES_MAX {
        // Each from another address of one customer, and another port, through two proxies.
        let told = format!("[2001:db8:1:2::{number:x}]:{}, 10.1.2.3:80", 1_000 + number);
        let name = format!("n{number}");
        assert_eq!(try_to_sign_in(&service, &name, &[("x-forwarded-for", &told)]).await, 401);
    }
    let again = [("x-forwarded-for", "2001:db8:1:2:ffff::1")];
    assert_eq!(try_to_sign_in(&service, "ann", &again).await, 429);
    for other in ["2001:db8:1:3::1", "7.7.7.7:1234", "[2001:db8:1:2::1]:9, 7.7.7.7"] {
        assert_eq!(try_to_sign_in(&service, "ann", &[("x-forwarded-for", other)]).await, 401);
    }
}

/// Signs in by a link; the headers of the answer.
async fn sign_in(service: &Service, link: &str, headers: &[(&str, &str)]) -> (u16, HeaderMap) {
    let request = service.client.post(format!("{}{link}", service.root));
    let request = headers.iter().fold(request, |r, (name, value)| r.header(*name, *value));
    let (status, headers, _) = ask(request).await;
    (status, headers)
}

#[tokio::test]
async fn a_stranger_is_no_proxy() {
    let service = start("127.0.0.1:0", &[]);
    let told = [("x-forwarded-proto", "https"), ("x-forwarded-host", "evil.example")];
    let (status, headers) =
        sign_in(&service, &add_user(&service, "ann", &["--role", "admin"]), &told).await;
    assert_eq!(status, 303);
    let cookie = header(&headers, "set-cookie");
    assert!(cookie.starts_with("footfall_session=") && !cookie.contains("Secure"), "{cookie}");
    assert!(!headers.contains_key("strict-transport-security"));
    let session = cookie.split(';').next().expect("a part");
    let page = service.client.get(format!("{}/people", service.root)).header("cookie", session);
    let page = ask(page).await.2;
    let form = [("csrf", csrf_of(&page)), ("name", "joe"), ("role", "viewer"), ("do", "add_user")];
    let added = service.client.post(format!("{}/people", service.root)).header("cookie", session);
    let added =
        added.header("x-forwarded-host", "evil.example").header("forwarded", "host=evil.example");
    let (status, _, page) = ask(added.header("x-forwarded-proto", "https").form(&form)).await;
    assert_eq!(status, 200, "{page}");
    assert!(!page.contains("evil.example"), "{page}");
    assert!(page.contains(&format!("{}/sign-in/", service.root)), "{page}");
}

#[tokio::test]
async fn behind_a_proxy_that_is_trusted_it_is_https() {
    let env = [
        ("FOOTFALL_HTTP_TRUSTED_PROXIES", r#"["127.0.0.1"]"#),
        ("FOOTFALL_PUBLIC_URL", "https://footfall.example.com"),
    ];
    let service = start("127.0.0.1:0", &env);
    let https = [("x-forwarded-proto", "https"), ("x-forwarded-for", "7.7.7.7")];
    let (status, headers) =
        sign_in(&service, &add_user(&service, "ann", &["--role", "admin"]), &https).await;
    let cookie = header(&headers, "set-cookie");
    assert_eq!(status, 303);
    assert!(
        cookie.starts_with("__Host-footfall_session=") && cookie.contains("Secure"),
        "{cookie}"
    );
    assert!(cookie.contains("Path=/") && !cookie.contains("Domain"), "{cookie}");
    assert!(!header(&headers, "strict-transport-security").is_empty());
    let session = cookie.split(';').next().expect("a part").to_owned();
    let people = || service.client.get(format!("{}/people", service.root));
    let (status, _, page) =
        ask(people().header("cookie", &session).header("x-forwarded-proto", "https")).await;
    assert_eq!(status, 200);
    let planted = session.trim_start_matches("__Host-").to_owned();
    let planted = people().header("cookie", planted).header("x-forwarded-proto", "https");
    assert_eq!(ask(planted).await.0, 303, "no other name is taken over HTTPS");
    let form = [("csrf", csrf_of(&page)), ("name", "joe"), ("role", "viewer"), ("do", "add_user")];
    let added = service.client.post(format!("{}/people", service.root)).header("cookie", &session);
    let (_, _, page) = ask(added.header("x-forwarded-proto", "https").form(&form)).await;
    assert!(page.contains("https://footfall.example.com/sign-in/"), "{page}");
    // At the host of `public_url` it is HTTPS, whoever passes it on.
    let named = [("host", "footfall.example.com")];
    let (_, headers) =
        sign_in(&service, &add_user(&service, "eve", &["--role", "viewer"]), &named).await;
    assert!(header(&headers, "set-cookie").starts_with("__Host-"));
}

#[tokio::test]
async fn a_form_of_another_site_is_not_taken() {
    let service = start("127.0.0.1:0", &[("FOOTFALL_PUBLIC_URL", "https://footfall.example.com")]);
    let root = service.root.clone();
    for (name, value) in [
        ("origin", "https://evil.example"),
        ("origin", "null"),
        ("origin", "http://footfall.example.com"),
        ("origin", ""),
        ("referer", "https://evil.example/page"),
        ("referer", "nonsense"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
    ] {
        assert_eq!(try_to_sign_in(&service, "ann", &[(name, value)]).await, 403, "{name}: {value}");
        let link = add_user(&service, &format!("u{name}{value}"), &["--role", "viewer"]);
        assert_eq!(sign_in(&service, &link, &[(name, value)]).await.0, 403, "{name}: {value}");
    }
    let page = format!("{root}/sign-in");
    for (number, (name, value)) in [
        ("origin", &*root),
        ("origin", "https://footfall.example.com"),
        ("referer", &page),
        ("sec-fetch-site", "same-origin"),
    ]
    .into_iter()
    .enumerate()
    {
        let name_of_user = format!("n{number}");
        assert_eq!(try_to_sign_in(&service, &name_of_user, &[(name, value)]).await, 401, "{value}");
    }
}

#[tokio::test]
async fn what_somebody_saw_is_kept_by_no_browser() {
    let service = start("127.0.0.1:0", &[]);
    service.add_gym("mitte", "Europe/Berlin");
    let token = service.add_token("boss", "admin", &[]);
    let viewer = service.add_token("viewer", "viewer", &[]);
    let kept = async |token: &str, path: &str| {
        let request = service.client.get(format!("{}{path}", service.root)).bearer_auth(token);
        let (_, headers, _) = ask(request).await;
        assert_eq!(header(&headers, "x-content-type-options"), "nosniff", "{path}");
        header(&headers, "cache-control").to_owned()
    };
    for path in [
        "/api/v1/gyms",
        "/api/v1/gyms/mitte",
        "/api/v1/gyms/mitte/occupancy",
        "/api/v1/gyms/mitte/members/absent",
        "/api/v1/gyms/mitte/members/absent?format=csv",
        "/api/v1/gyms/mitte/members/new",
        "/api/v1/gyms/mitte/members/00000000-0000-4000-8000-000000000001",
        "/api/v1/gyms/mitte/events",
        "/api/v1/gyms/mitte/quarantine",
        "/api/v1/erasures",
        "/api/v1/gyms/nowhere",
    ] {
        assert_eq!(kept(&token, path).await, "no-store", "{path}");
    }
    for path in ["/api/v1/gyms/mitte/reports/visits", "/api/v1/reports/visits?format=csv"] {
        assert_eq!(kept(&token, path).await, "private, no-cache", "{path}");
    }
    assert_eq!(kept(&viewer, "/api/v1/gyms/mitte/events").await, "no-store", "a refusal too");
    assert_eq!(kept("wrong", "/api/v1/gyms").await, "no-store");
    let (_, headers, _) = ask(service.client.get(format!("{}/sign-in", service.root))).await;
    assert_eq!(header(&headers, "cache-control"), "no-store");
    let policy = header(&headers, "content-security-policy");
    assert!(policy.contains("frame-ancestors 'none'") && policy.contains("form-action 'self'"));
    assert_eq!(header(&headers, "referrer-policy"), "same-origin");
}
