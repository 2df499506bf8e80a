//! What HTTPS of our own is for: no metrics for strangers, and a browser that comes by nothing else.

use std::sync::Arc;

use tempfile::TempDir;

use super::authority::{Authority, Term};
use crate::http::page::add_user;
use crate::service::Service;

#[tokio::test]
async fn a_browser_comes_by_https_and_strangers_see_no_metrics() {
    let authority = Authority::new();
    let folder = Arc::new(TempDir::new().expect("a temporary folder"));
    let files = authority.issue(folder.path(), "first", Term::Now);
    let mut service = Service::start_with(folder, "127.0.0.1:0", &files.env());
    service.client = authority.client();
    let url = |path: &str| format!("{}{path}", service.root);
    let found = service.client.get(url("/metrics")).send().await.expect("it answers");
    assert_eq!(found.status().as_u16(), 404);
    assert_eq!(found.headers()["strict-transport-security"], "max-age=31536000");
    let link = add_user(&service, "ann", &["--role", "viewer"]);
    let signed_in = service.client.post(url(&link)).send().await.expect("it answers");
    let cookie = signed_in.headers().get("set-cookie");
    let cookie = cookie.map(|value| value.to_str().expect("text").to_owned()).unwrap_or_default();
    // A client that follows has left the answer with the cookie behind.
    assert!(cookie.is_empty() || cookie.starts_with("__Host-footfall_session="), "{cookie}");
}
