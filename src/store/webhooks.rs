//! Webhooks: the doors through which a gym's deliveries come.

use rusqlite::{Row, params};

use super::codec::Damaged;
use super::database::Snapshot;
use super::error::StoreError;
use super::gyms::optional;
use super::secret::{SecretHash, random_hex};
use super::tx::Tx;
use crate::domain::Millis;
use crate::domain::ids::{GymId, Slug, WebhookId};

#[derive(Clone)]
pub struct Webhook {
    pub id: WebhookId,
    /// Its name in its URL: random, so that it cannot be guessed.
    pub public_id: String,
    pub gym: GymId,
    /// The gym's name, so that who counts deliveries need not look it up.
    pub slug: Slug,
    pub secret: SecretHash,
    pub created_at: Millis,
    pub last_delivery_at: Option<Millis>,
    pub last_test_at: Option<Millis>,
    /// When a TEST last came with the secret itself, not with the one before it.
    pub secret_tested_at: Option<Millis>,
    /// The secret before the last change, while it may still be good.
    pub old_secret: Option<OldSecret>,
    pub begun: Option<Begun>,
}

/// A secret that is on its way out.
#[derive(Clone)]
pub struct OldSecret {
    pub hash: SecretHash,
    /// It is good until then; none: until a TEST came with the new one.
    pub until: Option<Millis>,
}

impl Webhook {
    /// Whether anything ever came through it, also a TEST.
    pub fn is_heard(&self) -> bool {
        self.last_delivery_at.is_some() || self.last_test_at.is_some()
    }

    /// Since when nothing has come through it; before the first delivery, since it was added.
    pub fn quiet_since(&self) -> Millis {
        self.last_delivery_at.unwrap_or(self.created_at)
    }

    /// The secret before the last change, if it is good at that instant.
    pub fn old_secret_at(&self, now: Millis) -> Option<&OldSecret> {
        self.old_secret.as_ref().filter(|old| old.until.is_none_or(|until| now < until))
    }
}

/// What was begun with a webhook at EGYM, and not seen to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begun {
    Register,
    Remove,
}

impl Begun {
    fn word(self) -> &'static str {
        match self {
            Begun::Register => "register",
            Begun::Remove => "remove",
        }
    }

    fn of_word(word: &str) -> Option<Begun> {
        [Begun::Register, Begun::Remove].into_iter().find(|begun| begun.word() == word)
    }
}

const SELECT: &str = "SELECT webhooks.id, public_id, gym, slug, secret_hash, webhooks.created_at,
                          last_delivery_at, last_test_at, secret_tested_at,
                          old_secret_hash, old_secret_until, begun
                      FROM webhooks JOIN gyms ON gyms.id = webhooks.gym";

impl Snapshot<'_> {
    pub fn webhook(&self, public_id: &str) -> Result<Option<Webhook>, StoreError> {
        let sql = format!("{SELECT} WHERE public_id = ?1");
        let mut statement = self.connection.prepare_cached(&sql)?;
        let mut rows = statement.query_and_then([public_id], webhook_from)?;
        rows.next().transpose()
    }

    /// The same, in a time that does not tell whether there is one: another is read in its place.
    pub fn webhook_or_none_alike(&self, public_id: &str) -> Result<Option<Webhook>, StoreError> {
        let sql = format!(
            "{SELECT} WHERE webhooks.id = coalesce(
                 (SELECT id FROM webhooks WHERE public_id = ?1), (SELECT min(id) FROM webhooks))"
        );
        let mut statement = self.connection.prepare_cached(&sql)?;
        let mut rows = statement.query_and_then([public_id], webhook_from)?;
        let read = rows.next().transpose()?;
        Ok(read.filter(|webhook| webhook.public_id == public_id))
    }

    /// All webhooks, of one gym or of all.
    pub fn webhooks(&self, gym: Option<GymId>) -> Result<Vec<Webhook>, StoreError> {
        let sql = format!("{SELECT} WHERE ?1 IS NULL OR gym = ?1 ORDER BY webhooks.id");
        let mut statement = self.connection.prepare_cached(&sql)?;
        let rows = statement.query_and_then([gym.map(|gym| gym.0)], webhook_from)?;
        rows.collect()
    }
}

impl Tx<'_> {
    /// Adds a webhook, and returns its public id.
    pub fn add_webhook(
        &mut self,
        gym: GymId,
        secret: &SecretHash,
        now: Millis,
    ) -> Result<String, StoreError> {
        let public_id = random_hex(12);
        self.move_webhook_in(&public_id, gym, secret, now)?;
        Ok(public_id)
    }

    /// Adds a webhook that has an id already, from another installation; false when it is there.
    pub fn move_webhook_in(
        &mut self,
        public_id: &str,
        gym: GymId,
        secret: &SecretHash,
        now: Millis,
    ) -> Result<bool, StoreError> {
        let sql = "INSERT INTO webhooks (public_id, gym, secret_hash, created_at)
                   VALUES (?1, ?2, ?3, ?4) ON CONFLICT (public_id) DO NOTHING";
        let values = params![public_id, gym.0, secret.bytes(), now];
        self.mark_applied(gym, None);
        Ok(self.transaction.execute(sql, values)? > 0)
    }

    /// Notes what was begun with a webhook at EGYM, or that nothing is under way.
    pub fn mark_begun(&mut self, public_id: &str, what: Option<Begun>) -> Result<(), StoreError> {
        let sql = "UPDATE webhooks SET begun = ?2 WHERE public_id = ?1";
        self.transaction.execute(sql, params![public_id, what.map(Begun::word)])?;
        Ok(())
    }

    /// Removes a webhook; false when there is none. What it delivered stays.
    pub fn remove_webhook(&mut self, public_id: &str) -> Result<bool, StoreError> {
        let sql = "DELETE FROM webhooks WHERE public_id = ?1 RETURNING gym";
        let removed = self.transaction.query_row(sql, [public_id], |row| Ok(GymId(row.get(0)?)));
        let Some(gym) = optional(removed)? else { return Ok(false) };
        // What it brought and missed is no part of a report any more.
        self.mark_applied(gym, None);
        self.forget_webhooks();
        Ok(true)
    }

    /// Notes a TEST; `is_current` when it came with the secret itself, not with the one before. An
    /// old secret that waited for this is good for its overlap from now on.
    pub fn record_test(
        &mut self,
        webhook: WebhookId,
        at: Millis,
        is_current: bool,
    ) -> Result<(), StoreError> {
        let sql = "UPDATE webhooks SET last_test_at = ?2,
                       first_heard_at = coalesce(first_heard_at, ?2),
                       secret_tested_at = iif(?3, ?2, secret_tested_at),
                       old_secret_until = iif(?3, coalesce(old_secret_until,
                           ?2 + old_secret_overlap), old_secret_until),
                       begun = nullif(begun, 'register') WHERE id = ?1";
        self.transaction.prepare_cached(sql)?.execute(params![webhook.0, at, is_current])?;
        self.forget_webhooks();
        Ok(())
    }

    pub(super) fn write_delivered(
        &mut self,
        webhook: WebhookId,
        at: Millis,
    ) -> Result<(), StoreError> {
        let sql = "UPDATE webhooks SET last_delivery_at = max(coalesce(last_delivery_at, 0), ?2),
                       first_heard_at = coalesce(first_heard_at, ?2) WHERE id = ?1";
        self.transaction.prepare_cached(sql)?.execute([webhook.0, at])?;
        self.forget_webhooks();
        Ok(())
    }
}

fn webhook_from(row: &Row<'_>) -> Result<Webhook, StoreError> {
    let slug: String = row.get(3)?;
    Ok(Webhook {
        id: WebhookId(row.get(0)?),
        public_id: row.get(1)?,
        gym: GymId(row.get(2)?),
        slug: slug.parse().map_err(|_| Damaged)?,
        secret: SecretHash::from_bytes(row.get(4)?),
        created_at: row.get(5)?,
        last_delivery_at: row.get(6)?,
        last_test_at: row.get(7)?,
        secret_tested_at: row.get(8)?,
        old_secret: row
            .get::<_, Option<[u8; 32]>>(9)?
            .map(SecretHash::from_bytes)
            .map(|hash| Ok::<_, StoreError>(OldSecret { hash, until: row.get(10)? }))
            .transpose()?,
        begun: row.get::<_, Option<String>>(11)?.as_deref().and_then(Begun::of_word),
    })
}
