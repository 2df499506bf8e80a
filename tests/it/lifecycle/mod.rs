//! The process: what it prints and logs where that cannot be written, what it does in the
//! background, and how one follows another.

mod environment;
mod jobs;
mod log;
mod output;
mod restart;
mod sockets;
mod systemd;
mod units;
mod upgrade;

use serde_json::Value;

use crate::patience::Patience;
use crate::service::{Service, answer};

/// Looks again and again for what must be so in the end.
async fn eventually<T>(what: &'static str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let patience = Patience::until(what);
    loop {
        if let Some(found) = look().await {
            return found;
        }
        patience.again().await;
    }
}

async fn ready(service: &Service) -> (u16, Value) {
    answer(service.client.get(format!("{}/readyz", service.root))).await
}

/// A value of `/metrics`.
async fn metric(service: &Service, series: &str) -> Option<f64> {
    let (_, text) = answer(service.client.get(format!("{}/metrics", service.root))).await;
    let text = text.as_str().expect("a text").to_owned();
    let line =
        text.lines().find(|line| line.strip_prefix(series).is_some_and(|l| l.starts_with(' ')))?;
    line[series.len() + 1..].parse().ok()
}
