//! Quarantine: deliveries that carried the right secret but could not be appended, as received.

use rusqlite::{Row, params};

use super::database::{Snapshot, StoreError};
use super::gyms::optional;
use super::tx::Tx;
use crate::domain::Millis;
use crate::domain::ids::{Account, GymId, WebhookId};

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
    pub body: Vec<u8>,
}

const COLUMNS: &str = "id, gym, webhook, received_at, reason, detail, body";

impl Snapshot<'_> {
    /// Deliveries in quarantine after an id, oldest first, of one gym or of all.
    pub fn quarantined(
        &self,
        gym: Option<GymId>,
        after: i64,
        limit: usize,
    ) -> Result<Vec<Quarantined>, StoreError> {
        let of_gym = if gym.is_some() { "gym = ?3" } else { "?3 IS NULL" };
        let sql = format!(
            "SELECT {COLUMNS} FROM quarantine
             WHERE body IS NOT NULL AND id > ?1 AND {of_gym} ORDER BY id LIMIT ?2"
        );
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut statement = self.connection.prepare_cached(&sql)?;
        let rows = statement.query_map(params![after, limit, gym.map(|gym| gym.0)], from_row)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Bodies in a gym's quarantine that mention an account, in any case.
    pub fn quarantined_mentioning(
        &self,
        gym: GymId,
        account: Account,
    ) -> Result<Vec<Vec<u8>>, StoreError> {
        let mut bodies = Vec::new();
        self.each_mentioning(gym, account, |_, body| bodies.push(body.to_vec()))?;
        Ok(bodies)
    }

    fn each_mentioning(
        &self,
        gym: GymId,
        account: Account,
        mut each: impl FnMut(i64, &[u8]),
    ) -> Result<(), StoreError> {
        let sql = "SELECT id, body FROM quarantine WHERE gym = ?1 AND body IS NOT NULL ORDER BY id";
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query([gym.0])?;
        while let Some(row) = rows.next()? {
            let body = row.get_ref(1)?.as_blob().map_err(|_| super::Damaged)?;
            if mentions(body, account) {
                each(row.get(0)?, body);
            }
        }
        Ok(())
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

    pub fn quarantined_by_id(&self, id: i64) -> Result<Option<Quarantined>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM quarantine WHERE id = ?1 AND body IS NOT NULL");
        optional(self.connection.prepare_cached(&sql)?.query_row([id], from_row))
    }
}

impl Tx<'_> {
    /// Puts a delivery into quarantine, and returns its id there.
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
        let sql = "INSERT INTO quarantine (gym, webhook, received_at, reason, detail, body)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        let values = params![gym.0, webhook.0, received_at, reason.name(), detail, body];
        self.transaction.prepare_cached(sql)?.execute(values)?;
        Ok(self.transaction.last_insert_rowid())
    }

    /// Empties a gym's quarantined bodies that mention an account, and returns how many.
    pub fn empty_quarantined_mentioning(
        &mut self,
        gym: GymId,
        account: Account,
    ) -> Result<usize, StoreError> {
        let mut ids = Vec::new();
        self.view().each_mentioning(gym, account, |id, _| ids.push(id))?;
        ids.iter().try_for_each(|id| self.remove_quarantined(*id))?;
        Ok(ids.len())
    }

    /// Empties a gym's bodies that were received before an instant, and returns how many.
    pub fn empty_quarantined_before(
        &mut self,
        gym: GymId,
        received_before: Millis,
    ) -> Result<usize, StoreError> {
        let sql = "UPDATE quarantine SET body = NULL
                   WHERE gym = ?1 AND received_at < ?2 AND body IS NOT NULL";
        Ok(self.transaction.prepare_cached(sql)?.execute([gym.0, received_before])?)
    }

    pub fn remove_quarantined(&mut self, id: i64) -> Result<(), StoreError> {
        self.transaction.execute("UPDATE quarantine SET body = NULL WHERE id = ?1", [id])?;
        Ok(())
    }
}

/// Whether a body names an account: as text in any case, with hyphens or without, also when JSON's
/// escapes hide a letter of it, or as bytes.
fn mentions(body: &[u8], account: Account) -> bool {
    let holds =
        |bytes: &[u8], sought: &[u8]| bytes.windows(sought.len()).any(|part| part == sought);
    let text = without_escapes(body).to_ascii_lowercase();
    holds(&text, account.0.to_string().as_bytes())
        || holds(&text, account.0.simple().to_string().as_bytes())
        || holds(body, account.0.as_bytes())
}

/// The body with each `\u00..` as the letter it stands for.
fn without_escapes(mut body: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(body.len());
    while let [first, rest @ ..] = body {
        let escaped =
            body.strip_prefix(br"\u00").and_then(|digits| digits.split_first_chunk::<2>());
        let letter = escaped.and_then(|(digits, rest)| {
            let digits = std::str::from_utf8(digits).ok()?;
            Some((u8::from_str_radix(digits, 16).ok()?, rest))
        });
        let (letter, rest) = letter.unwrap_or((*first, rest));
        text.push(letter);
        body = rest;
    }
    text
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<Quarantined> {
    Ok(Quarantined {
        id: row.get(0)?,
        gym: GymId(row.get(1)?),
        webhook: WebhookId(row.get(2)?),
        received_at: row.get(3)?,
        reason: row.get(4)?,
        detail: row.get(5)?,
        body: row.get(6)?,
    })
}
