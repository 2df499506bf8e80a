//! What the door counts: deliveries, and requests of every kind. These start from nothing with each
//! process. No label holds a member, a token, a secret or anything else that comes from outside.

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::{Error, web};
use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounterVec, Opts, Registry, core::Collector,
};
use tokio::time::Instant;

use super::fine::FineHistogram;
use super::spans::{Span, method_word};
use super::webhook_word;
use crate::clock;
use crate::domain::Millis;
use crate::domain::event::Kind;
use crate::domain::ids::Slug;
use crate::http::App;
use crate::http::deliveries::Receipt;
use crate::http::problem::Problem;
use crate::intake::egym::Delivery;
use crate::projection::live::Live;
use crate::store::Webhook;

/// The route of deliveries.
pub const WEBHOOK_ROUTE: &str = "/webhooks/{webhook}";
/// Where there is no route: what was asked for is not a label.
const NO_ROUTE: &str = "none";
/// Bounds of the answer to a delivery, in seconds. We answer within 4; the sender waits for 5.
const ANSWER_SECONDS: [f64; 12] =
    [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 5.0];
/// Bounds of observed stays, in seconds: from a quarter of an hour to 4 hours.
const STAY_SECONDS: [f64; 9] =
    [900.0, 1800.0, 2700.0, 3600.0, 4500.0, 5400.0, 7200.0, 10_800.0, 14_400.0];
/// Bounds of how late events come, in seconds: from one second to a week.
const DELAY_SECONDS: [f64; 9] =
    [1.0, 5.0, 60.0, 300.0, 900.0, 3600.0, 21_600.0, 86_400.0, 604_800.0];

/// A delivery's type as a label: the sender's word if we know it. All others share one.
#[derive(Clone, Copy)]
pub struct TypeWord(&'static str);

impl TypeWord {
    /// Of what has a type that we do not know, or none that could be read.
    pub const UNKNOWN: TypeWord = TypeWord("unknown");

    pub fn of(delivery: &Delivery) -> TypeWord {
        match delivery {
            Delivery::Test => TypeWord("TEST"),
            Delivery::Event(event) => match &event.kind {
                Kind::Checkin => TypeWord("GYM_CHECKIN"),
                Kind::Checkout => TypeWord("GYM_CHECKOUT"),
                Kind::Equipment => TypeWord("EQUIPMENT_CHECKIN"),
                Kind::Onboarding => TypeWord("GENIUS_ONBOARDING_COMPLETED"),
                Kind::MembershipDelete => TypeWord("MEMBERSHIP_DELETE"),
                Kind::Unknown(_) => TypeWord::UNKNOWN,
            },
        }
    }
}

/// What commonly becomes of a gym's deliveries, as type and outcome. A counter that begins with its
/// first event has no increase there, so these begin at 0. All types with all outcomes would be
/// three times as many, most of them never used, and make each answer as much longer.
const EXPECTED: [(&str, &str); 11] = [
    ("GYM_CHECKIN", "accepted"),
    ("GYM_CHECKOUT", "accepted"),
    ("EQUIPMENT_CHECKIN", "accepted"),
    ("GYM_CHECKIN", "duplicate"),
    ("GYM_CHECKOUT", "duplicate"),
    ("EQUIPMENT_CHECKIN", "duplicate"),
    ("GYM_CHECKIN", "refused"),
    ("GYM_CHECKOUT", "refused"),
    ("EQUIPMENT_CHECKIN", "refused"),
    ("GYM_CHECKIN", "erased"),
    ("unknown", "quarantined"),
];
/// The limits whose refusals are counted.
const LIMITS: [&str; 5] =
    ["answer_bytes", "connections", "connections_per_address", "reports", "streams"];
/// The labels of a webhook that is none.
const NO_WEBHOOK: [&str; 2] = ["", "unknown"];

pub struct Door {
    deliveries: IntCounterVec,
    turned_away: IntCounterVec,
    delay: HistogramVec,
    stay: HistogramVec,
    answer: FineHistogram,
    requests: IntCounterVec,
    refused: IntCounterVec,
}

impl Door {
    /// Adds its meters to a registry.
    pub fn register(registry: &Registry) -> Door {
        Door {
            deliveries: counter(
                registry,
                "footfall_deliveries_total",
                "Deliveries with the right secret, by type and by what became of them.",
                &["gym", "type", "outcome"],
            ),
            turned_away: counter(
                registry,
                "footfall_deliveries_unauthorized_total",
                "Deliveries without the right secret; of no gym where there is no such webhook.",
                &["gym", "webhook"],
            ),
            delay: histogram(
                registry,
                "footfall_delivery_delay_seconds",
                "From when events happened to when they were received.",
                &DELAY_SECONDS,
            ),
            stay: histogram(
                registry,
                "footfall_stay_seconds",
                "How long observed visits were, each when it was first known.",
                &STAY_SECONDS,
            ),
            answer: registered(
                registry,
                Histogram::with_opts(
                    HistogramOpts::new(
                        "footfall_delivery_answer_seconds",
                        "How long answers to deliveries took.",
                    )
                    .buckets(ANSWER_SECONDS.to_vec()),
                )
                .map(FineHistogram::of),
            ),
            requests: counter(
                registry,
                "footfall_http_requests_total",
                "Requests by route and status.",
                &["route", "status"],
            ),
            refused: refusals(registry),
        }
    }

    /// Makes the series of each gym and webhook, so that they are there before their first event.
    pub fn expect(&self, gyms: &[Live], webhooks: &[Webhook]) {
        for gym in gyms.iter().map(|live| live.gym.slug.as_str()) {
            for (word, outcome) in EXPECTED {
                self.deliveries.with_label_values(&[gym, word, outcome]);
            }
            self.delay.with_label_values(&[gym]);
            self.stay.with_label_values(&[gym]);
        }
        for webhook in webhooks {
            let labels = [webhook.slug.as_str(), webhook_word(&webhook.public_id)];
            self.turned_away.with_label_values(&labels);
        }
        self.turned_away.with_label_values(&NO_WEBHOOK);
    }

    /// A delivery with the right secret was answered.
    pub fn answered(&self, webhook: &Webhook, word: TypeWord, answer: &Result<Receipt, Problem>) {
        let outcome = match answer {
            Ok(receipt) => receipt.status,
            Err(problem) if problem.quarantine_id.is_some() => "quarantined",
            Err(_) => "refused",
        };
        self.deliveries.with_label_values(&[webhook.slug.as_str(), word.0, outcome]).inc();
    }

    /// An event was appended.
    pub fn accepted(&self, gym: &Slug, delay: Millis, stays: &[Millis]) {
        // A door whose clock is ahead is not early.
        self.delay.with_label_values(&[gym.as_str()]).observe(super::seconds(delay.max(0)));
        for stay in stays {
            self.stay.with_label_values(&[gym.as_str()]).observe(super::seconds(*stay));
        }
    }

    /// Something was refused, or a connection closed, because of a limit.
    pub fn refused(&self, limit: &str) {
        self.refused.with_label_values(&[limit]).inc();
    }

    /// A delivery had not the secret of its webhook, or there is no such webhook.
    pub fn turned_away(&self, webhook: Option<&Webhook>) {
        let labels = webhook.map_or(NO_WEBHOOK, |webhook| {
            [webhook.slug.as_str(), webhook_word(&webhook.public_id)]
        });
        self.turned_away.with_label_values(&labels).inc();
    }
}

/// Counts every request, and times the answers to deliveries.
pub async fn count(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let began = Instant::now();
    let app = request.app_data::<web::Data<App>>().expect("every route has the app").clone();
    let response = next.call(request).await?;
    let route = response.request().match_pattern();
    let route = route.as_deref().unwrap_or(NO_ROUTE);
    let door = &app.metrics.door;
    door.requests.with_label_values(&[route, response.status().as_str()]).inc();
    let took = began.elapsed();
    if route == WEBHOOK_ROUTE {
        door.answer.observe(took.as_secs_f64());
    }
    app.spans.add(|| Span {
        method: method_word(response.request().method()),
        route: route.to_owned(),
        status: response.status().as_u16(),
        ended: clock::now(),
        took,
    });
    Ok(response)
}

/// Of every limit, from its beginning on.
fn refusals(registry: &Registry) -> IntCounterVec {
    let help = "What was refused or closed because of a limit on what others can cause.";
    let refused = counter(registry, "footfall_refused_total", help, &["limit"]);
    for limit in LIMITS {
        refused.with_label_values(&[limit]);
    }
    refused
}

fn counter(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
    registered(registry, IntCounterVec::new(Opts::new(name, help), labels))
}

/// By gym.
fn histogram(registry: &Registry, name: &str, help: &str, bounds: &[f64]) -> HistogramVec {
    let options = HistogramOpts::new(name, help).buckets(bounds.to_vec());
    registered(registry, HistogramVec::new(options, &["gym"]))
}

fn registered<M: Collector + Clone + 'static>(
    registry: &Registry,
    made: prometheus::Result<M>,
) -> M {
    let meter = made.expect("its name, labels and bounds are right");
    registry.register(Box::new(meter.clone())).expect("no two have the same name");
    meter
}
