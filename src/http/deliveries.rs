//! Deliveries: what the sender posts to a webhook, answered when it is on disk.
//!
//! Whatever carries the right secret is kept: in the log, or in quarantine with its reason.

use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, web};
use futures_util::StreamExt;
use serde::Serialize;
use tokio::time::{Instant, timeout_at};

use super::metrics::TypeWord;
use super::problem::{Code, Problem};
use super::sender::{Refused, Sender, authenticate, presented};
use super::unfitting::{Unfitting, Unreadable};
use super::{App, openapi};
use crate::clock;
use crate::domain::Millis;
use crate::domain::event::Event;
use crate::domain::ids::Position;
use crate::domain::tally::Count;
use crate::intake::egym::{self, Delivery};
use crate::projection::apply::{self, Outcome};
use crate::projection::witness::settled;
use crate::store::{Proof, StoreError, Tx};

/// The largest body of a delivery, in bytes.
pub const BODY_BYTES_MAX: usize = 16 * 1024;
/// Of a body that is larger, so many bytes are kept in quarantine.
pub const KEPT_BYTES_MAX: usize = 1024 * 1024;
/// A body must arrive within this many milliseconds; what came until then goes to quarantine.
pub const BODY_MS_MAX: u64 = 3_000;
/// A delivery is answered after at most this many milliseconds: the sender gives up after 5 s.
pub const ANSWER_MS_MAX: u64 = 4_000;

/// The answer to a delivery that was understood.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Receipt {
    /// `accepted`, `duplicate`, `erased` or `test`.
    #[schema(schema_with = receipt_words)]
    pub status: &'static str,
    /// Its place in the log, when it was accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub position: Option<i64>,
}

fn receipt_words() -> utoipa::openapi::Object {
    openapi::one_of(["accepted", "duplicate", "erased", "test"])
}

/// An event from the sender: answered when it is on disk.
///
/// Sending one again does no harm. The body is read as JSON whatever `Content-Type` says; it has
/// at most 16 KiB. What carries the right secret and cannot be appended waits in quarantine: the
/// problem has a `quarantine_id`.
#[utoipa::path(
    post,
    path = "/webhooks/{webhook}",
    tag = "deliveries",
    operation_id = "deliver",
    security(("secret" = [])),
    request_body(content = openapi::Delivery, content_type = "application/json"),
    responses(
        (status = 200, description = "Kept, or known already, or a test", body = Receipt),
        openapi::DeliveryProblems,
    )
)]
pub async fn receive(
    app: web::Data<App>,
    public_id: web::Path<String>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let received_at = clock::now();
    let started = Instant::now();
    let known = Sender::known(&app, &public_id, &presented(&request));
    let sender = known.map_or_else(|| authenticate(&app, &public_id, &request, received_at), Ok)?;
    let body = read_body(payload, started + Duration::from_millis(BODY_MS_MAX)).await;
    let understood = understand(&body, received_at);
    let word = understood.as_ref().map_or(TypeWord::UNKNOWN, TypeWord::of);
    let deadline = started + Duration::from_millis(ANSWER_MS_MAX);
    let taken = async {
        match take(&app, &sender, received_at, &understood, &body.bytes).await {
            // Since the sender was let in, the webhook was changed: what it is now decides.
            Err(problem) if problem.code == Code::Unauthorized => {
                app.known_webhooks.forget(&public_id);
                let sender = authenticate(&app, &public_id, &request, received_at)?;
                take(&app, &sender, received_at, &understood, &body.bytes).await
            }
            taken => taken,
        }
    };
    let answer = timeout_at(deadline, taken).await.unwrap_or_else(|_| {
        tracing::warn!("a delivery was refused: the disk is too slow");
        Err(Problem::new(Code::Unavailable, "the disk is too slow; the delivery may be kept yet"))
    });
    app.metrics.door.answered(&sender.webhook, word, &answer);
    Ok(HttpResponse::Ok().json(answer?))
}

/// What came of a body, and what was wrong with it if it did not come whole.
struct Body {
    bytes: Vec<u8>,
    fault: Option<Unreadable>,
}

async fn read_body(mut payload: web::Payload, deadline: Instant) -> Body {
    let mut bytes = Vec::new();
    loop {
        match timeout_at(deadline, payload.next()).await {
            Ok(Some(Ok(chunk))) => bytes.extend_from_slice(&chunk),
            Ok(None) => break,
            Ok(Some(Err(_))) | Err(_) => {
                return Body { bytes, fault: Some(Unreadable::Incomplete) };
            }
        }
        if bytes.len() > KEPT_BYTES_MAX {
            bytes.truncate(KEPT_BYTES_MAX);
            return Body { bytes, fault: Some(Unreadable::TooLarge) };
        }
    }
    let fault = (bytes.len() > BODY_BYTES_MAX).then_some(Unreadable::TooLarge);
    Body { bytes, fault }
}

fn understand(body: &Body, received_at: Millis) -> Result<Delivery, Unfitting> {
    let parsed = egym::parse(&body.bytes, received_at);
    match (body.fault, parsed) {
        (None, parsed) => parsed.map_err(|unfit| Unfitting::of_content(&unfit)),
        // A deletion never waits, whatever came along with it or is missing.
        (Some(_), Ok(delivery)) if delivery.is_deletion() => Ok(delivery),
        (Some(fault), _) => Err(Unfitting::of_body(fault)),
    }
}

async fn take(
    app: &App,
    sender: &Sender,
    received_at: Millis,
    understood: &Result<Delivery, Unfitting>,
    bytes: &[u8],
) -> Result<Receipt, Problem> {
    match understood {
        Ok(Delivery::Test) => record_test(app, sender, received_at).await,
        Ok(Delivery::Event(event)) => append(app, sender, received_at, event.clone(), bytes).await,
        Err(unfitting) => Err(quarantine(app, sender, received_at, unfitting.clone(), bytes).await),
    }
}

async fn record_test(app: &App, sender: &Sender, received_at: Millis) -> Result<Receipt, Problem> {
    let Proof { webhook, is_current, .. } = sender.proof;
    let record = move |tx: &mut Tx<'_>| tx.record_test(webhook, received_at, is_current);
    sender.write(app, received_at, record).await?;
    Ok(Receipt { status: "test", position: None })
}

async fn append(
    app: &App,
    sender: &Sender,
    received_at: Millis,
    event: Event,
    bytes: &[u8],
) -> Result<Receipt, Problem> {
    let webhook = &sender.webhook;
    let (id, at) = (webhook.id, event.at);
    let person = app.store.database().person(webhook.gym, event.account);
    let written = sender
        .write(app, received_at, move |tx| apply::deliver(tx, &person, &event, received_at, id));
    match written.await {
        Ok(Outcome::Accepted { position, stays }) => {
            app.metrics.door.accepted(&webhook.slug, received_at - at, &stays);
            Ok(Receipt { status: "accepted", position: Some(position.0) })
        }
        Ok(Outcome::Duplicate { .. }) => Ok(Receipt { status: "duplicate", position: None }),
        Ok(Outcome::Erased) => Ok(Receipt { status: "erased", position: None }),
        Ok(Outcome::StretchFull) => {
            Err(quarantine(app, sender, received_at, Unfitting::stretch_full(), bytes).await)
        }
        Ok(Outcome::TooOld) => {
            Err(quarantine(app, sender, received_at, Unfitting::too_old(), bytes).await)
        }
        // The disk works, but this delivery cannot be applied: keep it for when it can.
        Err(Refused::Write(error)) if error.is_of_data() => {
            tracing::error!(%error, "a delivery could not be applied");
            Err(quarantine(app, sender, received_at, Unfitting::fault(), bytes).await)
        }
        Err(error) => Err(error.into()),
    }
}

/// Keeps a delivery that cannot be appended; the problem to answer says where it waits.
async fn quarantine(
    app: &App,
    sender: &Sender,
    received_at: Millis,
    unfitting: Unfitting,
    bytes: &[u8],
) -> Problem {
    let mut written = keep(app, sender, received_at, &unfitting, bytes, true).await;
    if matches!(&written, Err(Refused::Write(error)) if error.is_of_data()) {
        // The gym's sums are damaged: better not counted than lost.
        written = keep(app, sender, received_at, &unfitting, bytes, false).await;
    }
    match written {
        Ok(quarantine_id) => Problem {
            quarantine_id: Some(quarantine_id),
            ..Problem::new(unfitting.code, unfitting.detail)
        },
        Err(error) => error.into(),
    }
}

async fn keep(
    app: &App,
    sender: &Sender,
    received_at: Millis,
    unfitting: &Unfitting,
    bytes: &[u8],
    is_counted: bool,
) -> Result<i64, Refused> {
    let (id, gym, reason) = (sender.webhook.id, sender.webhook.gym, unfitting.reason);
    let (detail, bytes) = (unfitting.detail.clone(), bytes.to_vec());
    let written = sender.write(app, received_at, move |tx| {
        // By a clock that is behind it would look older than is kept, and go when it is right.
        let received_at = settled(&tx.view(), received_at)?;
        if is_counted {
            let generation = tx.gym(gym)?.generation;
            apply::count_at_the_door(tx, gym, generation, Count::Quarantined, received_at);
        }
        tx.add_quarantined(gym, id, received_at, reason, &detail, &bytes)
    });
    written.await
}

const ONLY_WORDS: &str = "only its words are kept, since an erasure could not search the whole of it \
     or quarantine was full; ask the sender to send it again";

/// What became of a delivery that was tried again.
pub enum Released {
    Appended(Position),
    /// It left quarantine without a new event, for this reason.
    Dropped(&'static str),
    /// It stays, for this reason.
    StillUnfit(String),
    NotFound,
}

/// Tries again to append a delivery in quarantine.
pub fn release(tx: &mut Tx<'_>, id: i64, now: Millis) -> Result<Released, StoreError> {
    let Some(waiting) = tx.view().quarantined_by_id(id)? else { return Ok(Released::NotFound) };
    if waiting.reduced_from.is_some() {
        return Ok(Released::StillUnfit(ONLY_WORDS.to_owned()));
    }
    let released = match egym::parse(&waiting.body, now) {
        Err(unfit) => return Ok(Released::StillUnfit(unfit.to_string())),
        Ok(Delivery::Test) => Released::Dropped("it was a TEST"),
        Ok(Delivery::Event(event)) => {
            let (gym, by) = (waiting.gym, Some(waiting.webhook));
            match apply::release(tx, gym, &event, waiting.received_at, by)? {
                Outcome::Accepted { position, .. } => Released::Appended(position),
                Outcome::Duplicate { .. } => Released::Dropped("the log has this event already"),
                Outcome::Erased => Released::Dropped("its member was erased"),
                Outcome::StretchFull => {
                    return Ok(Released::StillUnfit(Unfitting::stretch_full().detail));
                }
                Outcome::TooOld => {
                    return Ok(Released::StillUnfit(Unfitting::too_old().detail));
                }
            }
        }
    };
    tx.remove_quarantined(id)?;
    Ok(released)
}
