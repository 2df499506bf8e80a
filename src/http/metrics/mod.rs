//! `/metrics`, in Prometheus' text format, or in its protobuf format for who would rather have that. What the door and the writer count is in memory, all
//! else is read off one snapshot when it is asked for: an answer never waits for the writer.

mod door;
mod fine;
mod gauges;
pub mod reach;
pub mod spans;

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use actix_web::{HttpRequest, HttpResponse, web};
use prometheus::process_collector::ProcessCollector;
use prometheus::proto::MetricFamily;
use prometheus::{Encoder, ProtobufEncoder, Registry, TextEncoder};

use super::panics::off_thread;
use super::problem::Problem;
use super::process::Process;
use super::tls::Expiry;
use super::{App, accept, nowhere, openapi};
use crate::clock;
use crate::domain::Millis;
use crate::domain::ids::GymId;
use crate::projection::live::{Live, Watch};
use crate::projection::witness::judged;
use crate::store::{Snapshot, Store, StoreError, Webhook};
use door::Door;
pub use door::{TypeWord, count};
use gauges::Gauges;
use spans::Spans;

/// A webhook's id is the path to its door, which is not for everybody who may read metrics: this
/// many characters of it tell it from others.
const WEBHOOK_CHARS: usize = 8;

/// All that is measured.
pub struct Metrics {
    /// What the door counts.
    pub door: Door,
    registry: Registry,
    /// When the certificate expires; none without HTTPS of our own.
    certificate: Option<Expiry>,
    /// Held while gyms are looked at, so that two at once do not learn the same twice.
    watch: Mutex<Watch>,
}

impl Metrics {
    pub fn new(store: &Store, certificate: Option<Expiry>) -> Metrics {
        let registry = Registry::new();
        let door = Door::register(&registry);
        let process: Box<dyn prometheus::core::Collector> = Box::new(ProcessCollector::for_self());
        for collector in store.meters().collectors().into_iter().chain([process]) {
            registry.register(collector).expect("no two have the same name");
        }
        Metrics { door, registry, certificate, watch: Mutex::default() }
    }

    /// All gyms at this moment, by slug.
    pub fn gyms_now(&self, snapshot: &Snapshot<'_>, now: Millis) -> Result<Vec<Live>, StoreError> {
        self.watch().look(snapshot, now)
    }

    fn watch(&self) -> MutexGuard<'_, Watch> {
        self.watch.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether each webhook is silent, where that can be told.
    fn are_silent(&self, gyms: &[Live], webhooks: &[Webhook], now: Millis) -> Vec<Option<bool>> {
        let gyms: HashMap<_, _> = gyms.iter().map(|live| (live.gym.id, &live.gym)).collect();
        let watch = self.watch();
        let is_silent = |webhook: &Webhook| {
            watch.is_silent(gyms.get(&webhook.gym)?, webhook.quiet_since(), now)
        };
        webhooks.iter().map(is_silent).collect()
    }

    /// How many webhooks are silent, of each gym that has some.
    pub fn silent_webhooks(
        &self,
        snapshot: &Snapshot<'_>,
        gyms: &[Live],
        now: Millis,
    ) -> Result<HashMap<GymId, i64>, StoreError> {
        let webhooks = snapshot.webhooks(None)?;
        let are_silent = self.are_silent(gyms, &webhooks, now);
        let mut silent = HashMap::new();
        for (webhook, is_silent) in webhooks.iter().zip(are_silent) {
            if is_silent == Some(true) {
                *silent.entry(webhook.gym).or_default() += 1;
            }
        }
        Ok(silent)
    }

    /// Everything, in a format.
    pub fn written(
        &self,
        encoder: &impl Encoder,
        store: &Store,
        process: &Process,
        now: Millis,
    ) -> Result<Vec<u8>, StoreError> {
        let mut written = Vec::new();
        let families = self.families(store, process, now)?;
        encoder.encode(&families, &mut written).expect("every family has a name and a value");
        Ok(written)
    }

    /// Everything, by name.
    fn families(
        &self,
        store: &Store,
        process: &Process,
        now: Millis,
    ) -> Result<Vec<MetricFamily>, StoreError> {
        let mut gauges = Gauges::default();
        store.read(|snapshot| {
            let gyms = self.gyms_now(snapshot, now)?;
            let webhooks = snapshot.webhooks(None)?;
            self.door.expect(&gyms, &webhooks);
            gauges.add_gyms(&gyms);
            gauges.add_webhooks(&webhooks, &self.are_silent(&gyms, &webhooks, now));
            gauges.add_quarantine(&gyms, &snapshot.quarantine_depths()?);
            gauges.add_quarantine_held(&gyms, &snapshot.quarantine_held()?);
            gauges.add_vitals(&snapshot.vitals()?, store.waiting());
            gauges.add_clock(&judged(snapshot, now)?);
            let builds = snapshot.builds()?;
            // One that was interrupted stands still, and is none.
            if !builds.is_empty() && store.database().is_rebuilding() {
                gauges.add_builds(&gyms, &builds);
            }
            Ok(())
        })?;
        gauges.add_sizes(&store.database().sizes()?);
        gauges.add_ledger(store.database().check_ledger().is_ok());
        gauges.add_build();
        gauges.add_process(process);
        gauges.add_certificate(self.certificate.as_ref().and_then(Expiry::get));
        let mut families = gauges.into_families();
        families.extend(self.registry.gather());
        families.sort_by(|one, other| one.name().cmp(other.name()));
        Ok(families)
    }
}

/// What an open door measures, for who sends it elsewhere.
#[derive(Clone)]
pub struct Measured(pub(super) web::Data<App>);

impl Measured {
    /// Everything, by name.
    pub async fn families(&self) -> Result<Vec<MetricFamily>, Problem> {
        let app = self.0.clone();
        off_thread(move || app.metrics.families(&app.store, &app.process, clock::now()))
            .await?
            .map_err(Problem::from)
    }

    pub fn spans(&self) -> &Spans {
        &self.0.spans
    }
}

/// What Prometheus asks for: gyms, webhooks, the service itself. Sums only, nothing of a member.
///
/// It is there for who asks on this machine, at `metrics.listen`, or for everybody when
/// `metrics.public` says so; for others there is nothing at this path.
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "service",
    operation_id = "metrics",
    security(()),
    responses(
        (
            status = 200,
            description = "Prometheus' text format, or its protobuf format for who prefers that",
            content((String = "text/plain"), (String = "application/vnd.google.protobuf")),
        ),
        openapi::OpenGymProblems,
    )
)]
pub async fn metrics(app: web::Data<App>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    if !app.metrics_reach.lets_in(&request) {
        return Err(nowhere());
    }
    if accept::prefers_protobuf(request.headers()) {
        return answer(app, ProtobufEncoder::new()).await;
    }
    answer(app, TextEncoder::new()).await
}

async fn answer(
    app: web::Data<App>,
    encoder: impl Encoder + Send + 'static,
) -> Result<HttpResponse, Problem> {
    let kind = encoder.format_type().to_owned();
    let write = move || app.metrics.written(&encoder, &app.store, &app.process, clock::now());
    Ok(HttpResponse::Ok().content_type(kind).body(off_thread(write).await??))
}

/// The part of a webhook's public id that is a label.
fn webhook_word(public_id: &str) -> &str {
    public_id.get(..WEBHOOK_CHARS).unwrap_or(public_id)
}

#[expect(clippy::cast_precision_loss, reason = "instants are far below 2^52")]
fn seconds(millis: Millis) -> f64 {
    millis as f64 / 1_000.0
}
