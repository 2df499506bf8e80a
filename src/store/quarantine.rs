//! Quarantine: deliveries that carried the right secret but could not be appended.
//!
//! A body is kept as it was received where an erasure can find every account in it. Of others, and
//! of those that a gym has no room for, words are kept, the length and a keyed hash; and beyond
//! that they are only counted, so that nothing grows without a bound.

use rusqlite::{Row, params};

use super::database::Snapshot;
use super::error::StoreError;
use super::foreign_text::Place;
use super::gyms::optional;
use super::tx::Tx;
use crate::domain::foreign_text::{self, ForeignText};
use crate::domain::ids::{Account, GymId, WebhookId};
use crate::domain::{DAY, Millis};

/// Bodies that a gym's quarantine keeps as they came; of further ones it keeps words only.
pub const QUARANTINE_BODIES_MAX: i64 = 10_000;
/// Bytes of all that a gym's quarantine keeps.
pub const QUARANTINE_BYTES_MAX: i64 = 16 * 1024 * 1024;
/// Rows of a gym's quarantine; further deliveries are only counted, by reason and UTC day.
pub const QUARANTINE_ROWS_MAX: i64 = 20_000;
/// Bytes of a body whose words are kept where the whole of it is not.
pub const QUARANTINE_WORDS_BYTES_MAX: usize = 1_024;
/// Bytes of a body that a list shows.
pub const QUARANTINE_PREVIEW_BYTES_MAX: i64 = 2_048;

/// Why a delivery is in quarantine: a word for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    NotJson,
    Shape,
    TooEarly,
    TooFarAhead,
    BodyTooLarge,
    BodyIncomplete,
    StretchFull,
    TooOld,
    Fault,
}

impl Reason {
    pub fn name(self) -> &'static str {
        match self {
            Reason::NotJson => "not_json",
            Reason::Shape => "wrong_shape",
            Reason::TooEarly => "time_too_early",
            Reason::TooFarAhead => "time_in_future",
            Reason::BodyTooLarge => "body_too_large",
            Reason::BodyIncomplete => "body_incomplete",
            Reason::StretchFull => "stretch_full",
            Reason::TooOld => "beyond_retention",
            Reason::Fault => "fault",
        }
    }
}

/// A delivery in quarantine.
#[derive(Debug, Clone)]
pub struct Quarantined {
    pub id: i64,
    pub gym: GymId,
    pub webhook: WebhookId,
    pub received_at: Millis,
    /// The name of a [`Reason`].
    pub reason: String,
    /// The reason in a sentence. It never quotes the body.
    pub detail: String,
    /// As it was received, or what is kept of it; of a list, the beginning.
    pub body: Vec<u8>,
    /// How long the body was, if it is not kept as it was received.
    pub reduced_from: Option<usize>,
    /// What is kept has so many bytes.
    pub kept_bytes: usize,
    /// A keyed hash of the whole body, where it is not kept: the same body has the same.
    pub body_hash: Option<Vec<u8>>,
    /// How many deliveries this stands for: more than one where they were only counted.
    pub deliveries: i64,
}

impl Quarantined {
    /// How long the body was.
    pub fn bytes(&self) -> usize {
        self.reduced_from.unwrap_or(self.kept_bytes)
    }
}

/// What a gym's quarantine holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Held {
    pub rows: i64,
    pub bytes: i64,
}

impl Held {
    /// Whether further bodies are kept as they come.
    pub fn has_room(self) -> bool {
        self.rows < QUARANTINE_BODIES_MAX && self.bytes < QUARANTINE_BYTES_MAX
    }
}

const COLUMNS: &str = "id, gym, webhook, received_at, reason, detail, body_bytes, length(body),
     body_hash, coalesce((SELECT deliveries FROM quarantine_counted WHERE row = id), 1)";

impl Snapshot<'_> {
    /// Deliveries in quarantine after an id, oldest first, of one gym or of all, each with the
    /// beginning of its body.
    pub fn quarantined(
        &self,
        gym: Option<GymId>,
        after: i64,
        limit: usize,
    ) -> Result<Vec<Quarantined>, StoreError> {
        let of_gym = if gym.is_some() { "gym = ?3" } else { "?3 IS NULL" };
        let sql = format!(
            "SELECT {COLUMNS}, coalesce(substr(body, 1, {QUARANTINE_PREVIEW_BYTES_MAX}), x'') FROM quarantine
             WHERE body IS NOT NULL AND id > ?1 AND {of_gym} ORDER BY id LIMIT ?2"
        );
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut statement = self.connection.prepare_cached(&sql)?;
        let rows = statement.query_map(params![after, limit, gym.map(|gym| gym.0)], from_row)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// What waits in a gym's quarantine and names an account, oldest first, as in a list.
    pub fn quarantined_mentioning(
        &self,
        gym: GymId,
        account: Account,
    ) -> Result<Vec<Quarantined>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS}, coalesce(substr(body, 1, {QUARANTINE_PREVIEW_BYTES_MAX}), x'') FROM quarantine
             WHERE body IS NOT NULL AND id IN (SELECT row FROM foreign_accounts
                 WHERE gym = ?1 AND account_hash = ?2 AND place = ?3)
             ORDER BY id LIMIT {QUARANTINE_ROWS_MAX}"
        );
        let values = params![gym.0, self.account_hash(gym, account), Place::Quarantine.number()];
        let mut statement = self.connection.prepare_cached(&sql)?;
        let rows = statement.query_map(values, from_row)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// How many of a gym's bodies were received before an instant.
    pub fn quarantined_before(
        &self,
        gym: GymId,
        received_before: Millis,
    ) -> Result<u32, StoreError> {
        let sql = "SELECT count(*) FROM quarantine
                   WHERE gym = ?1 AND received_at < ?2 AND body IS NOT NULL";
        let count = self.connection.query_row(sql, [gym.0, received_before], |row| row.get(0))?;
        Ok(count)
    }

    /// One, with all that is kept of its body.
    pub fn quarantined_by_id(&self, id: i64) -> Result<Option<Quarantined>, StoreError> {
        let sql =
            format!("SELECT {COLUMNS}, body FROM quarantine WHERE id = ?1 AND body IS NOT NULL");
        optional(self.connection.prepare_cached(&sql)?.query_row([id], from_row))
    }

    /// What each gym's quarantine holds; gyms that never had any are absent.
    pub fn quarantine_held(&self) -> Result<Vec<(GymId, Held)>, StoreError> {
        let mut statement =
            self.connection.prepare_cached("SELECT gym, rows, bytes FROM quarantine_held")?;
        let rows = statement.query_map([], |row| {
            Ok((GymId(row.get(0)?), Held { rows: row.get(1)?, bytes: row.get(2)? }))
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn held(&self, gym: GymId) -> Result<Held, StoreError> {
        let sql = "SELECT rows, bytes FROM quarantine_held WHERE gym = ?1";
        let mut statement = self.connection.prepare_cached(sql)?;
        let held =
            statement.query_row([gym.0], |row| Ok(Held { rows: row.get(0)?, bytes: row.get(1)? }));
        Ok(optional(held)?.unwrap_or_default())
    }
}

/// What is kept of a body.
struct Kept {
    body: Vec<u8>,
    reduced_from: Option<usize>,
    accounts: Vec<Account>,
}

impl Kept {
    /// The whole body where every account in it can be found and there is room; else its words.
    fn of(body: &[u8], has_room: bool) -> Kept {
        let is_json = serde_json::from_slice::<serde::de::IgnoredAny>(body).is_ok();
        let ForeignText { accounts, is_searchable, .. } =
            if is_json { foreign_text::read(body) } else { foreign_text::read_fragment(body) };
        if has_room && is_searchable {
            return Kept { body: body.to_vec(), reduced_from: None, accounts };
        }
        let words = foreign_text::words_of(body, QUARANTINE_WORDS_BYTES_MAX).into_bytes();
        Kept { body: words, reduced_from: Some(body.len()), accounts: vec![] }
    }
}

impl Tx<'_> {
    /// Puts a delivery into quarantine, and returns its id there: of one that is only counted, that
    /// of those like it.
    pub fn add_quarantined(
        &mut self,
        gym: GymId,
        webhook: WebhookId,
        received_at: Millis,
        reason: Reason,
        detail: &str,
        body: &[u8],
    ) -> Result<i64, StoreError> {
        // Not of a gym that was removed while the delivery was on its way.
        self.gym(gym)?;
        let held = self.view().held(gym)?;
        let is_counted = held.rows >= QUARANTINE_ROWS_MAX;
        if is_counted && let Some(id) = self.count_quarantined(gym, reason, received_at)? {
            return Ok(id);
        }
        let kept = Kept::of(body, held.has_room());
        let hash = kept.reduced_from.map(|_| self.view().keyed_hash(body));
        let sql = "INSERT INTO quarantine
                       (gym, webhook, received_at, reason, detail, body, body_bytes, body_hash)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
        let length = kept.reduced_from.map(|bytes| i64::try_from(bytes).unwrap_or(i64::MAX));
        let name = reason.name();
        let values = params![gym.0, webhook.0, received_at, name, detail, kept.body, length, hash];
        self.transaction.prepare_cached(sql)?.execute(values)?;
        let id = self.transaction.last_insert_rowid();
        self.note_accounts(gym, &kept.accounts, Place::Quarantine, id)?;
        if is_counted {
            let sql = "INSERT INTO quarantine_counted (gym, reason, day, row, deliveries)
                       VALUES (?1, ?2, ?3, ?4, 1)
                       ON CONFLICT DO UPDATE SET row = excluded.row, deliveries = 1";
            let values = params![gym.0, reason.name(), received_at.div_euclid(DAY), id];
            self.transaction.prepare_cached(sql)?.execute(values)?;
        }
        Ok(id)
    }

    /// Counts one more delivery like those of that day that were only counted; none when it is the
    /// first.
    fn count_quarantined(
        &mut self,
        gym: GymId,
        reason: Reason,
        received_at: Millis,
    ) -> Result<Option<i64>, StoreError> {
        let sql = "UPDATE quarantine_counted SET deliveries = deliveries + 1
                   WHERE gym = ?1 AND reason = ?2 AND day = ?3
                     AND (SELECT body FROM quarantine WHERE id = row) IS NOT NULL RETURNING row";
        let values = params![gym.0, reason.name(), received_at.div_euclid(DAY)];
        let mut statement = self.transaction.prepare_cached(sql)?;
        optional(statement.query_row(values, |row| row.get(0)))
    }

    /// Empties a gym's bodies that were received before an instant, and returns how many.
    pub fn empty_quarantined_before(
        &mut self,
        gym: GymId,
        received_before: Millis,
    ) -> Result<usize, StoreError> {
        let sql = "UPDATE quarantine SET body = NULL, body_hash = NULL
                   WHERE gym = ?1 AND received_at < ?2 AND body IS NOT NULL";
        Ok(self.transaction.prepare_cached(sql)?.execute([gym.0, received_before])?)
    }

    pub fn remove_quarantined(&mut self, id: i64) -> Result<(), StoreError> {
        let sql = "UPDATE quarantine SET body = NULL, body_hash = NULL WHERE id = ?1";
        self.transaction.prepare_cached(sql)?.execute([id])?;
        Ok(())
    }

    /// Does for a body that an older version kept what is done for a new one. Its row never grows,
    /// so that it stays where it is.
    pub fn read_again(&mut self, old: &Quarantined) -> Result<(), StoreError> {
        let held = self.view().held(old.gym)?;
        let has_room = held.rows <= QUARANTINE_ROWS_MAX && held.bytes <= QUARANTINE_BYTES_MAX;
        let mut kept = Kept::of(&old.body, has_room);
        let Some(bytes) = kept.reduced_from else {
            let row = (Place::Quarantine, old.id);
            return self.note_old(old.gym, &kept.accounts, row, old.received_at);
        };
        if kept.body.len() + BESIDE_BODY_MAX > bytes {
            kept.body.clear();
        }
        let hash =
            (kept.body.len() + BESIDE_BODY_MAX <= bytes).then(|| self.view().keyed_hash(&old.body));
        let length = i64::try_from(bytes).unwrap_or(i64::MAX);
        let sql = "UPDATE quarantine SET body = ?2, body_bytes = ?3, body_hash = ?4 WHERE id = ?1";
        let values = params![old.id, kept.body, length, hash];
        self.transaction.prepare_cached(sql)?.execute(values)?;
        Ok(())
    }
}

/// What the length and the hash of a body take in its row, at most, in bytes.
const BESIDE_BODY_MAX: usize = 44;

fn from_row(row: &Row<'_>) -> rusqlite::Result<Quarantined> {
    let bytes = |length: i64| usize::try_from(length).unwrap_or(usize::MAX);
    Ok(Quarantined {
        id: row.get(0)?,
        gym: GymId(row.get(1)?),
        webhook: WebhookId(row.get(2)?),
        received_at: row.get(3)?,
        reason: row.get(4)?,
        detail: row.get(5)?,
        reduced_from: row.get::<_, Option<i64>>(6)?.map(bytes),
        kept_bytes: bytes(row.get(7)?),
        body_hash: row.get(8)?,
        deliveries: row.get(9)?,
        body: row.get(10)?,
    })
}
