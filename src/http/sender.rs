//! Who sends a delivery: looked up by its secret when it comes, and once more in the transaction
//! that keeps it. What becomes of the delivery may not live here.

use std::sync::{Arc, LazyLock};

use actix_web::HttpRequest;

use super::App;
use super::client_ip::client_ip;
use super::problem::{Code, Problem};
use crate::domain::Millis;
use crate::projection::witness::settled;
use crate::store::{Proof, Secret, SecretHash, StoreError, Tx, Webhook, WriteError};

/// The hash of the secret that a delivery carries.
pub(super) fn presented(request: &HttpRequest) -> SecretHash {
    let secret = request.headers().get("x-api-key");
    SecretHash::of(secret.map_or(&b""[..], |value| value.as_bytes()))
}

/// Who sent a delivery, by its secret.
pub(super) struct Sender {
    pub webhook: Arc<Webhook>,
    pub proof: Proof,
}

impl Sender {
    fn new(webhook: Arc<Webhook>, secret: SecretHash, is_current: bool) -> Sender {
        let proof = Proof { webhook: webhook.id, secret, is_current };
        Sender { webhook, proof }
    }

    /// Somebody who was let in before, with this secret.
    pub fn known(app: &App, public_id: &str, secret: &SecretHash) -> Option<Sender> {
        let webhook = app.known_webhooks.with(public_id, secret)?;
        Some(Sender::new(webhook, secret.clone(), true))
    }

    /// Does the work in a transaction, if the sender still is let in there.
    pub async fn write<R: Send + 'static>(
        &self,
        app: &App,
        received_at: Millis,
        mut work: impl FnMut(&mut Tx<'_>) -> Result<R, StoreError> + Send + 'static,
    ) -> Result<R, Refused> {
        let proof = self.proof.clone();
        let written = app.store.write(move |tx| {
            if !tx.lets_in(&proof)? {
                return Ok(None);
            }
            tx.mark_delivered(proof.webhook, received_at);
            work(tx).map(Some)
        });
        written.await?.ok_or(Refused::Stranger)
    }
}

/// Why nothing was written of a delivery.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refused {
    #[error(transparent)]
    Write(#[from] WriteError),
    #[error("the secret is not the webhook's any more")]
    Stranger,
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Problem {
        match refused {
            Refused::Write(error) => error.into(),
            Refused::Stranger => stranger(),
        }
    }
}

fn stranger() -> Problem {
    Problem::new(Code::Unauthorized, "no such webhook, or `x-api-key` is not its secret")
}

/// A webhook is read and two secrets are compared, whether there are two, one or no webhook, so that
/// all takes the same time.
pub(super) fn authenticate(
    app: &App,
    public_id: &str,
    request: &HttpRequest,
    received_at: Millis,
) -> Result<Sender, Problem> {
    static NOBODY: LazyLock<SecretHash> = LazyLock::new(|| Secret::fresh("").hash());
    // Whatever the clock says, the old secret is good for its time, and no longer.
    let (webhook, now) = app.store.read(|snapshot| {
        Ok((snapshot.webhook_or_none_alike(public_id)?, settled(snapshot, received_at)?))
    })?;
    let secret = presented(request);
    let current = webhook.as_ref().map_or(&*NOBODY, |webhook| &webhook.secret);
    let old = webhook.as_ref().and_then(|webhook| webhook.old_secret_at(now));
    let old = old.map_or(&*NOBODY, |old| &old.hash);
    let (is_current, is_old) = (current.equals(&secret), old.equals(&secret));
    if is_current | is_old
        && let Some(webhook) = webhook
    {
        let webhook = Arc::new(webhook);
        if is_current {
            app.known_webhooks.keep(&webhook);
        }
        return Ok(Sender::new(webhook, secret, is_current));
    }
    app.metrics.door.turned_away(webhook.as_ref());
    app.turned_away.note(webhook.as_ref(), received_at);
    let from = client_ip(request, &app.trusted_proxies);
    tracing::debug!(?from, "a delivery without the right secret was refused");
    Err(stranger())
}
