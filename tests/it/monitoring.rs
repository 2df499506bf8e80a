//! `/metrics`, and the dashboards and rules that rest on it, against a real Prometheus.

mod dashboards;
mod metrics;
mod moments;
mod otlp;
mod prometheus;
mod rules;

use std::collections::BTreeSet;

use footfall::domain::annotation::AnnotationKind;
use footfall::domain::calendar::day_of;
use serde_json::Value;
use uuid::Uuid;

use crate::patience::Patience;
use crate::service::{Service, Webhook, delivery, now, run};

/// What exists only at times that a healthy service does not have, and why.
const AT_TIMES: [(&str, &str); 7] = [
    ("footfall_backup_last_bytes", "only with `backup.every`"),
    ("footfall_backup_last_timestamp_seconds", "only with `backup.every`"),
    ("footfall_backup_interval_seconds", "only with `backup.every`"),
    ("footfall_backup_lost_total", "only with `backup.every`"),
    ("footfall_certificate_expiry_timestamp_seconds", "only with HTTPS of its own"),
    ("footfall_erasures_pending_since_timestamp_seconds", "only while an erasure is open"),
    ("footfall_gym_rebuild_progress_ratio", "only while a gym is counted again"),
];

/// A service with everything to be seen: a gym with six weeks behind it, deliveries of each
/// outcome, somebody without the secret, and an erasure that is complete.
struct Watched {
    service: Service,
    webhook: Webhook,
    /// Who was erased.
    erased: Uuid,
}

impl Watched {
    async fn start() -> Watched {
        let service = Service::start();
        let webhook = service.add_gym("mitte", "Europe/Berlin");
        let url = format!("{}{}", service.root, webhook.path);
        let args = ["simulate", "--members", "40", "--days", "42", "--url", &url, "--secret"];
        let simulated = run(service.data(), &[&args[..], &[&webhook.secret]].concat());
        assert!(simulated.status.success(), "{}", String::from_utf8_lossy(&simulated.stderr));
        let erased = Uuid::new_v4();
        for (ago, kind) in [(60, "GYM_CHECKIN"), (5, "GYM_CHECKOUT"), (0, "MEMBERSHIP_DELETE")] {
            let (status, answer) =
                service.post(&webhook, delivery(erased, now() - ago * 60_000, kind)).await;
            assert_eq!(status, 200, "{answer}");
        }
        let watched = Watched { service, webhook, erased };
        watched.annotate();
        watched.knock().await;
        let patience = Patience::until("the erasure is done");
        while value(&watched.text().await, "footfall_erasures_done_total") != Some(1.0) {
            patience.again().await;
        }
        watched
    }

    /// Notes of every kind, on a day of the week before last.
    fn annotate(&self) {
        let day = day_of(chrono_tz::UTC, now()).plus(-10).date().to_string();
        for kind in AnnotationKind::ALL.map(AnnotationKind::name) {
            let args =
                ["annotation", "add", "--gym", "mitte", "--kind", kind, "--from", &day, kind];
            let added = run(self.service.data(), &args);
            assert!(added.status.success(), "{}", String::from_utf8_lossy(&added.stderr));
        }
    }

    /// A `TEST`, a body that cannot be read, a wrong secret, and a webhook that is none.
    async fn knock(&self) {
        let nobody = Webhook { path: "/webhooks/none".into(), ..self.webhook.clone() };
        let stranger = Webhook { secret: "wrong".into(), ..self.webhook.clone() };
        let test = r#"{"type": "TEST"}"#;
        assert_eq!(self.service.post(&self.webhook, test).await.0, 200);
        assert_eq!(self.service.post(&self.webhook, "no JSON").await.0, 400);
        assert_eq!(self.service.post(&stranger, test).await.0, 401);
        assert_eq!(self.service.post(&nobody, test).await.0, 401);
    }

    async fn text(&self) -> String {
        scrape(&self.service).await
    }
}

/// What `/metrics` says, which needs no token.
async fn scrape(service: &Service) -> String {
    let answer = service.client.get(format!("{}/metrics", service.root)).send().await;
    let answer = answer.expect("the service answers");
    assert_eq!(answer.status(), 200);
    answer.text().await.expect("the answer comes whole")
}

/// The value of a series, written as it stands in the text.
fn value(text: &str, series: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '))?;
    Some(line.parse().expect("a number"))
}

/// The names of the families in a text of metrics.
fn families(text: &str) -> BTreeSet<String> {
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    types.map(|line| line.split(' ').next().expect("a name").to_owned()).collect()
}

/// The name of a cookie, which is written like that of a metric.
const COOKIE: &str = "footfall_session";

/// Every word of a text that is the name of a metric of ours, by family.
fn mentioned(text: &str) -> BTreeSet<String> {
    let is_inside = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_:".contains(c);
    let words = text
        .split(|c| !is_inside(c))
        .filter(|word| word.starts_with("footfall_") && *word != COOKIE);
    let family = |word: &str| {
        let parts = ["_bucket", "_sum", "_count"];
        let found = parts.iter().find_map(|part| word.strip_suffix(part));
        found.unwrap_or(word).to_owned()
    };
    words.map(family).collect()
}

/// Every text under a key of this name, at any depth.
fn texts<'a>(value: &'a Value, key: &str) -> Vec<&'a str> {
    match value {
        Value::Object(fields) => {
            let here = fields.get(key).and_then(Value::as_str);
            here.into_iter().chain(fields.values().flat_map(|value| texts(value, key))).collect()
        }
        Value::Array(values) => values.iter().flat_map(|value| texts(value, key)).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    }
}
