//! Webhooks that let somebody in lately, so that not each delivery has to read its own. What stands
//! here lets nobody in by itself: the transaction that keeps a delivery looks whether the secret is
//! still the webhook's, since a command of another process may have changed it meanwhile.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use crate::store::{SecretHash, Webhook};

/// So many are known at once; one more, and all are read again.
const KNOWN_MAX: usize = 4_096;

/// By their public ids.
#[derive(Default)]
pub struct KnownWebhooks(RwLock<HashMap<String, Arc<Webhook>>>);

impl KnownWebhooks {
    /// The webhook, if it is known with that secret.
    pub fn with(&self, public_id: &str, secret: &SecretHash) -> Option<Arc<Webhook>> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        known.get(public_id).filter(|webhook| webhook.secret.equals(secret)).cloned()
    }

    pub fn keep(&self, webhook: &Arc<Webhook>) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= KNOWN_MAX {
            known.clear();
        }
        known.insert(webhook.public_id.clone(), webhook.clone());
    }

    pub fn forget(&self, public_id: &str) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).remove(public_id);
    }
}
