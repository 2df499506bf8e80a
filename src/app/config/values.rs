//! Values: what each must be beyond its type, in words for who wrote another.

use std::net::{IpAddr, SocketAddr};

use toml::Value;

use super::notify;
use crate::http::client_ip::Network;

/// What a value must be beyond its type. Every key that is not simply a text is here.
pub(super) fn check(key: &str, value: &Value) -> Result<(), String> {
    match key {
        "data" => demand(value.as_str() != Some(""), "the path of a folder"),
        "listen" => {
            let good = value.as_str().is_some_and(is_address);
            demand(good, "an address and a port, like 127.0.0.1:8080 or [::1]:8080")
        }
        "http.workers" => within(value, 0, 1_024),
        "http.head_seconds" => within(value, 1, 60),
        "http.idle_seconds" | "otlp.every" => within(value, 1, 3_600),
        "http.connections_max" | "http.connections_per_address_max" => within(value, 1, 1_000_000),
        "public_url" => {
            let good = value.as_str().is_some_and(|url| url.is_empty() || is_root(url));
            demand(good, "the root of a URL, like https://footfall.example.com")
        }
        "http.trusted_proxies" => {
            let is_network = |text: &&str| text.parse::<Network>().is_ok();
            let good = texts(value).is_some_and(|all| all.iter().all(is_network));
            demand(
                good,
                "a list of IP addresses and networks, like [\"127.0.0.1\", \"10.0.0.0/8\"]",
            )
        }
        "metrics.listen" => {
            let good = value.as_str().is_some_and(|at| at.is_empty() || is_address(at));
            demand(good, "an address and a port, like 127.0.0.1:9464")
        }
        "otlp.endpoint" => {
            let good = value.as_str().is_some_and(|url| url.is_empty() || is_endpoint(url));
            demand(good, "the URL of a collector, without `/v1/…`, like http://127.0.0.1:4318")
        }
        "tls.plain_listen" => {
            let good = value.as_str().is_some_and(|at| at.is_empty() || is_address(at));
            demand(good, "an address and a port, like 0.0.0.0:80")
        }
        "tls.acme.domains" => {
            let good = texts(value).is_some_and(|all| all.iter().all(|name| is_domain(name)));
            demand(good, "a list of domains, like [\"footfall.example.com\"]")
        }
        "tls.acme.directory" => {
            let good = value.as_str().is_some_and(|url| url.starts_with("https://"));
            demand(good, "a URL that begins with https://")
        }
        "tls.acme.challenge" => {
            let good = matches!(value.as_str(), Some("tls-alpn-01" | "http-01"));
            demand(good, "`tls-alpn-01` or `http-01`")
        }
        "backup.every" => within(value, 0, 8_760),
        "backup.keep" => within(value, 1, 1_000),
        "egym.url" => demand(value.as_str().is_some_and(is_root), "the root of a URL: https://…"),
        "log.format" => demand(matches!(value.as_str(), Some("text" | "json")), "`text` or `json`"),
        _ => notify::check(key, value),
    }
}

pub(super) fn demand(is_good: bool, expected: &str) -> Result<(), String> {
    if is_good { Ok(()) } else { Err(expected.to_owned()) }
}

pub(super) fn within(value: &Value, from: i64, to: i64) -> Result<(), String> {
    let is_good = value.as_integer().is_some_and(|number| (from..=to).contains(&number));
    demand(is_good, &format!("from {from} to {to}"))
}

/// Whether the text is `address:port` or `host:port`; whether the host exists shows when it is
/// bound.
fn is_address(text: &str) -> bool {
    let names_host = |(host, port): (&str, &str)| {
        !host.is_empty() && !host.contains(':') && port.parse::<u16>().is_ok()
    };
    text.parse::<SocketAddr>().is_ok() || text.rsplit_once(':').is_some_and(names_host)
}

/// The texts of a list; none when something else is in it.
fn texts(value: &Value) -> Option<Vec<&str>> {
    value.as_array()?.iter().map(Value::as_str).collect()
}

fn is_ip_address(text: &str) -> bool {
    text.parse::<IpAddr>().is_ok()
}

/// Whether certificates can be had for it: a name with a dot, and no wildcard.
fn is_domain(text: &str) -> bool {
    let good = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    text.contains('.') && text.chars().all(good) && !is_ip_address(text)
}

/// Whether the text is where OTLP goes over HTTP.
fn is_endpoint(text: &str) -> bool {
    let url = text.parse::<http::Uri>().ok();
    let is_web = |url: &http::Uri| {
        matches!(url.scheme_str(), Some("http" | "https")) && url.host().is_some()
    };
    let is_root = !["/v1/metrics", "/v1/traces"].iter().any(|path| text.ends_with(path));
    url.as_ref().is_some_and(is_web) && is_root && !text.contains(['?', '#', '@'])
}

/// Whether the text is `https://host` with or without a port, and nothing behind it.
fn is_root(text: &str) -> bool {
    let host = text.strip_prefix("https://");
    host.is_some_and(|host| !host.is_empty() && !host.contains(['/', '?', '#', '@', ' ']))
}
