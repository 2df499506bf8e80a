//! A webhook's change of secret: what to do next, and both secrets good until the new one is known
//! to be in use. Who makes secrets, and who tells the sender, may not live here.

use rusqlite::params;

use super::error::StoreError;
use super::secret::SecretHash;
use super::tx::Tx;
use super::webhooks::Webhook;
use crate::domain::Millis;

/// What became of a change of secret by hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rotation {
    Done,
    NoSuchWebhook,
    /// Two secrets are good until then, and there may be no third. None: until the new one was
    /// seen in use.
    Overlapping(Option<Millis>),
}

/// What is to be done so that a sender uses a secret that nobody had before.
pub enum Step {
    /// A fresh secret, beside this one of ours, which the sender may be using.
    Change { kept: SecretHash },
    /// The sender has the newest secret; it was not seen in use yet.
    See,
    /// Nothing until then: the last change is done, and two secrets are good.
    Wait(Millis),
}

impl Webhook {
    /// What a change of secret has to do, by the secret that the sender holds. An earlier one that
    /// stopped half way is taken up where it was.
    pub fn next_step(&self, held: &str, now: Millis, overlap: Millis) -> Step {
        let held = held.as_bytes();
        let current = || Step::Change { kept: self.secret.clone() };
        let Some(old) = self.old_secret_at(now) else { return current() };
        if old.hash.matches(held) {
            // The newest one was given to nobody.
            return Step::Change { kept: old.hash.clone() };
        }
        match old.until {
            _ if !self.secret.matches(held) => current(),
            _ if self.secret_tested_at.is_none() => Step::See,
            Some(until) if overlap > 0 => Step::Wait(until),
            Some(_) | None => current(),
        }
    }
}

impl Tx<'_> {
    /// Does what is next here. The old secret is good until a TEST comes with the new one, and
    /// from then on for `overlap`; see [`Tx::record_test`]. None: there is no such webhook.
    pub fn begin_rotation(
        &mut self,
        public_id: &str,
        held: &str,
        fresh: &SecretHash,
        now: Millis,
        overlap: Millis,
    ) -> Result<Option<Step>, StoreError> {
        let Some(webhook) = self.view().webhook(public_id)? else { return Ok(None) };
        let step = webhook.next_step(held, now, overlap);
        self.forget_webhooks();
        let id = webhook.id.0;
        match &step {
            Step::Change { kept } => {
                let sql = "UPDATE webhooks SET secret_hash = ?2, secret_tested_at = NULL,
                               old_secret_hash = ?3, old_secret_until = NULL,
                               old_secret_overlap = ?4 WHERE id = ?1";
                self.transaction.execute(sql, params![id, fresh.bytes(), kept.bytes(), overlap])?;
            }
            Step::See => {
                let sql = "UPDATE webhooks SET old_secret_until = NULL, old_secret_overlap = ?2
                           WHERE id = ?1";
                self.transaction.execute(sql, params![id, overlap])?;
            }
            Step::Wait(_) => {}
        }
        Ok(Some(step))
    }

    /// Gives a webhook another secret, by hand. The one before is good for `overlap` more; with
    /// none it stops at once, and so does one that an earlier change had left.
    pub fn rotate_webhook_secret(
        &mut self,
        public_id: &str,
        secret: &SecretHash,
        now: Millis,
        overlap: Millis,
    ) -> Result<Rotation, StoreError> {
        let Some(webhook) = self.view().webhook(public_id)? else {
            return Ok(Rotation::NoSuchWebhook);
        };
        if let Some(old) = webhook.old_secret_at(now).filter(|_| overlap > 0) {
            return Ok(Rotation::Overlapping(old.until));
        }
        let old = (overlap > 0).then_some((webhook.secret.bytes(), now + overlap));
        let sql = "UPDATE webhooks SET secret_hash = ?2, secret_tested_at = NULL,
                       old_secret_hash = ?3, old_secret_until = ?4, old_secret_overlap = NULL
                   WHERE id = ?1";
        let (hash, until) = old.unzip();
        self.forget_webhooks();
        self.transaction.execute(sql, params![webhook.id.0, secret.bytes(), hash, until])?;
        Ok(Rotation::Done)
    }

    /// Makes the secret before the last change the only one again.
    pub fn take_rotation_back(&mut self, public_id: &str) -> Result<(), StoreError> {
        let sql = "UPDATE webhooks SET secret_hash = old_secret_hash, old_secret_hash = NULL,
                       old_secret_until = NULL, old_secret_overlap = NULL
                   WHERE public_id = ?1 AND old_secret_hash IS NOT NULL";
        self.forget_webhooks();
        self.transaction.execute(sql, [public_id])?;
        Ok(())
    }
}
