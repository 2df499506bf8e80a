//! How the service was reached: over HTTPS or not, and at which host. Cookies and links rest on it,
//! so nobody may shape it whose word is not taken.

use actix_web::HttpRequest;
use actix_web::http::header::{HOST, HeaderName};
use actix_web::http::uri::{Authority, Uri};

use super::App;
use super::client_ip::is_from_proxy;

/// Headers that a proxy adds, and who asks directly has no reason to.
const OF_PROXIES: [&str; 6] =
    ["x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip", "forwarded", "via"];

/// Whether the browser speaks HTTPS: with us, or with a trusted proxy that says so, or since it asks
/// at the host of `public_url`, which is one of HTTPS.
pub fn is_https(app: &App, request: &HttpRequest) -> bool {
    app.certificate.is_some()
        || (is_from_proxy(request, &app.trusted_proxies) && is_told_https(request))
        || app.public_host().is_some_and(|own| host(request).is_some_and(|host| own == host))
}

/// What the nearest proxy says, which is the last of several.
fn is_told_https(request: &HttpRequest) -> bool {
    let told = request.headers().get_all("x-forwarded-proto").last();
    let told = told.and_then(|value| value.to_str().ok()).unwrap_or_default();
    told.rsplit(',').next().is_some_and(|last| last.trim().eq_ignore_ascii_case("https"))
}

/// The root of links: `public_url`, or without one what the browser asked for.
pub fn root(app: &App, request: &HttpRequest) -> String {
    let asked = || {
        let scheme = if is_https(app, request) { "https" } else { "http" };
        Some(format!("{scheme}://{}", host(request)?))
    };
    app.public_root.clone().or_else(asked).unwrap_or_default()
}

/// Whether a URL, as browsers tell where a form came from, is one of ours.
pub fn is_ours(app: &App, request: &HttpRequest, url: &str) -> bool {
    let Ok(url) = url.parse::<Uri>() else { return false };
    let (Some(scheme), Some(authority)) = (url.scheme_str(), url.authority()) else { return false };
    let authority = authority.as_str().to_ascii_lowercase();
    let is_public = scheme == "https" && app.public_host() == Some(&authority);
    let is_asked = host(request).is_some_and(|host| host == authority);
    // A page that came unencrypted may be anybody's.
    is_public || (is_asked && (scheme == "https" || !is_https(app, request)))
}

/// Whether a request was made on this machine and for it, and no proxy passed it on.
pub fn is_from_this_machine(request: &HttpRequest) -> bool {
    let is_local = |name: &str| {
        let address = name.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
        name == "localhost" || address.is_ok_and(|ip| ip.to_canonical().is_loopback())
    };
    let named = host(request).and_then(|host| host.parse::<Authority>().ok());
    // A page elsewhere can lead a browser here by a name of its own.
    named.is_some_and(|named| is_local(named.host()))
        && request.peer_addr().is_some_and(|peer| peer.ip().to_canonical().is_loopback())
        && !OF_PROXIES.iter().any(|name| request.headers().contains_key(*name))
}

/// The host and port that were asked for, if they are such.
fn host(request: &HttpRequest) -> Option<String> {
    let named: &HeaderName = &HOST;
    let host = request.headers().get(named)?.to_str().ok()?.parse::<Authority>().ok()?;
    Some(host.as_str().to_ascii_lowercase()).filter(|host| !host.contains('@'))
}
