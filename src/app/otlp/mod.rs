//! Metrics and traces by OTLP over HTTP, to a collector that somebody runs. Nothing waits for it: what
//! it does not take in time is lost, and that is said once until it answers again.

mod metrics;
mod traces;

use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message;
use reqwest::Client;
use reqwest::header::CONTENT_TYPE;
use tokio::time::{MissedTickBehavior, interval};

use super::config::OtlpConfig;
use super::jobs::Ended;
use crate::clock;
use crate::domain::Millis;
use crate::http::Measured;

/// A collector that takes longer is given up for this time.
const ANSWER_MAX: Duration = Duration::from_secs(10);
const NANOS_OF_MILLI: u64 = 1_000_000;

/// Who sends, and since when it counts.
#[derive(Clone)]
pub struct Sender {
    config: OtlpConfig,
    client: Client,
    measured: Measured,
    started: Millis,
}

impl Sender {
    pub fn new(config: &OtlpConfig, measured: Measured) -> anyhow::Result<Sender> {
        let client =
            Client::builder().timeout(ANSWER_MAX).redirect(reqwest::redirect::Policy::none());
        let (config, started) = (config.clone(), clock::now());
        Ok(Sender { config, client: client.build()?, measured, started })
    }

    /// Goes on until it is dropped.
    pub async fn run(self) -> Ended {
        let mut ticks = interval(Duration::from_secs(self.config.every));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut answers = true;
        loop {
            ticks.tick().await;
            let sent = self.send().await;
            if let (Err(error), true) = (&sent, answers) {
                let error = format!("{error:#}");
                tracing::warn!(
                    error,
                    "the OTLP collector takes nothing; until it does, all is lost"
                );
            }
            if sent.is_ok() && !answers {
                tracing::info!("the OTLP collector answers again");
            }
            answers = sent.is_ok();
        }
    }

    async fn send(&self) -> anyhow::Result<()> {
        let waiting = self.measured.spans().take();
        if waiting.lost > 0 {
            tracing::warn!(
                lost = waiting.lost,
                "more requests than spans may wait; some have none"
            );
        }
        let families = self.measured.families().await;
        let families = families.map_err(|problem| anyhow!("{problem}"))?;
        self.post("metrics", &metrics::request(&families, self.started, clock::now())).await?;
        if waiting.spans.is_empty() {
            return Ok(());
        }
        self.post("traces", &traces::request(&waiting.spans)).await
    }

    async fn post(&self, signal: &str, message: &impl Message) -> anyhow::Result<()> {
        let url = format!("{}/v1/{signal}", self.config.endpoint.trim_end_matches('/'));
        let post = self.client.post(&url).header(CONTENT_TYPE, "application/x-protobuf");
        let answer = post.body(message.encode_to_vec()).send().await;
        let answer = answer.map_err(reqwest::Error::without_url);
        let status = answer.with_context(|| format!("{url} does not answer"))?.status();
        if !status.is_success() {
            bail!("{url} answers {status}");
        }
        Ok(())
    }
}

fn resource() -> Resource {
    let attributes =
        vec![text("service.name", "footfall"), text("service.version", env!("CARGO_PKG_VERSION"))];
    Resource { attributes, ..Resource::default() }
}

fn scope() -> InstrumentationScope {
    InstrumentationScope { name: "footfall".to_owned(), ..InstrumentationScope::default() }
}

fn text(key: &str, value: &str) -> KeyValue {
    attribute(key, Value::StringValue(value.to_owned()))
}

fn attribute(key: &str, value: Value) -> KeyValue {
    let value = Some(AnyValue { value: Some(value) });
    KeyValue { key: key.to_owned(), value, ..KeyValue::default() }
}

fn nanos(at: Millis) -> u64 {
    u64::try_from(at).unwrap_or(0) * NANOS_OF_MILLI
}
