//! When somebody last came to a webhook without its secret, in memory: who waits for a first TEST is
//! told that the other side has another one.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::domain::Millis;
use crate::domain::ids::WebhookId;
use crate::store::Webhook;

/// Who came where there is no webhook: noted like the others, so that all takes the same time.
const NOWHERE: WebhookId = WebhookId(0);

/// By webhook: as many as there are.
#[derive(Default)]
pub struct TurnedAway(Mutex<HashMap<WebhookId, Millis>>);

impl TurnedAway {
    pub fn note(&self, webhook: Option<&Webhook>, at: Millis) {
        let id = webhook.map_or(NOWHERE, |webhook| webhook.id);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(id, at);
    }

    /// When somebody was, since anything last came through the webhook.
    pub fn since_it_was_heard(&self, webhook: &Webhook) -> Option<Millis> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let heard = webhook.last_delivery_at.max(webhook.last_test_at);
        all.get(&webhook.id).copied().filter(|at| heard.is_none_or(|heard| heard < *at))
    }
}
