//! The secret by which a delivery was let in, and whether it still is its webhook's in the
//! transaction that keeps the delivery.

use std::collections::HashMap;

use super::error::StoreError;
use super::gyms::optional;
use super::secret::SecretHash;
use super::tx::Tx;
use crate::domain::ids::WebhookId;

/// What somebody showed to be let in.
#[derive(Clone)]
pub struct Proof {
    pub webhook: WebhookId,
    pub secret: SecretHash,
    /// Whether it was the webhook's secret, and not the one before.
    pub is_current: bool,
}

/// A webhook's secret, and the one before.
type Secrets = (SecretHash, Option<SecretHash>);

/// What a transaction read of webhooks, once for all deliveries in it; none when one is gone. Whatever
/// changes a secret forgets it here, and other processes change nothing before the transaction ends.
pub(super) type SeenSecrets = HashMap<WebhookId, Option<Secrets>>;

impl Tx<'_> {
    /// Whether a secret still is what it was when it let somebody in.
    pub fn lets_in(&mut self, proof: &Proof) -> Result<bool, StoreError> {
        if !self.secrets.contains_key(&proof.webhook) {
            let secrets = self.read_secrets(proof.webhook)?;
            self.secrets.insert(proof.webhook, secrets);
        }
        let secrets = self.secrets.get(&proof.webhook).and_then(Option::as_ref);
        Ok(secrets.is_some_and(|(secret, old)| {
            let old = old.as_ref().filter(|_| !proof.is_current);
            secret.equals(&proof.secret) || old.is_some_and(|old| old.equals(&proof.secret))
        }))
    }

    fn read_secrets(&self, id: WebhookId) -> Result<Option<Secrets>, StoreError> {
        let sql = "SELECT secret_hash, old_secret_hash FROM webhooks WHERE id = ?1";
        let mut statement = self.transaction.prepare_cached(sql)?;
        optional(statement.query_row([id.0], |row| {
            let old: Option<[u8; 32]> = row.get(1)?;
            Ok((SecretHash::from_bytes(row.get(0)?), old.map(SecretHash::from_bytes)))
        }))
    }

    /// Forgets what was read of webhooks, after one was changed.
    pub(super) fn forget_webhooks(&mut self) {
        self.secrets.clear();
        self.heard.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Database, SecretHash};
    use crate::domain::ids::{GymId, WebhookId};
    use crate::domain::witness::Witness;

    #[test]
    fn what_a_transaction_read_of_webhooks_and_time_is_read_again_after_it_changed() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let database = Database::open(folder.path()).expect("it opens");
        let mut connection = database.connect().expect("it connects");
        let sql = "INSERT INTO generations (id) VALUES (1);
                   INSERT INTO gyms (id, slug, name, time_zone, visit_window, assumed_stay,
                       assumed_tail, rejoin_grace, generation, created_at)
                   VALUES (7, 'g', 'g', 'UTC', 480, 75, 20, 15, 1, 1000)";
        connection.execute_batch(sql).expect("the schema is known");
        let done = database.transact(&mut connection, |tx| {
            let (gym, now, secret) = (GymId(7), 1_000, SecretHash::of(b"secret"));
            assert!(tx.move_webhook_in("first", gym, &secret, now)?);
            assert!(tx.move_webhook_in("second", gym, &secret, now)?);
            let (first, second) = (WebhookId(1), WebhookId(2));
            assert_eq!(tx.others(gym, first, now)?, []);
            tx.record_test(second, now, true)?;
            assert_eq!(tx.others(gym, first, now)?, [second]);
            assert_eq!(tx.others(gym, first, now - 1)?, []);
            assert_eq!(tx.others(gym, second, now)?, []);
            tx.mark_delivered(first, now);
            tx.flush()?;
            assert_eq!(tx.others(gym, second, now)?, [first]);
            assert!(tx.remove_webhook("second")?);
            assert_eq!(tx.others(gym, first, now)?, []);
            for at in [now, 2 * now] {
                let witness = Witness::first(at, None);
                tx.set_witness(witness)?;
                assert_eq!(tx.witness()?, Some(witness));
            }
            Ok(())
        });
        done.expect("it commits");
    }
}
