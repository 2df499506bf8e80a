//! Redundancy: which of a gym's webhooks brought an event, and how many each did not.
//!
//! An event notes from which webhooks it is still awaited; a place in that note is overwritten in
//! place when the webhook brings it. The sums stand beside, so they outlast the event.

use std::collections::HashMap;

use rusqlite::params;

use super::codec::Damaged;
use super::database::Snapshot;
use super::error::StoreError;
use super::gyms::optional;
use super::tx::Tx;
use crate::domain::calendar::Bucket;
use crate::domain::ids::{GymId, Position, WebhookId};
use crate::domain::{MINUTE, Millis};

/// What a transaction read of a gym's webhooks that were heard of: each, and since when.
pub(super) type Heard = HashMap<GymId, Vec<(WebhookId, Millis)>>;

/// Sums are kept by this, which every time zone's hours consist of.
const QUARTER: Millis = 15 * MINUTE;

/// The events of a range that could have come through a webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Redundancy {
    /// That came through any webhook of the gym.
    pub events: i64,
    /// That came through another one only.
    pub missed: i64,
}

impl Snapshot<'_> {
    /// Over whole quarters of an hour; none when it stood beside no other.
    pub fn redundancy(
        &self,
        webhook: WebhookId,
        range: Bucket,
    ) -> Result<Option<Redundancy>, StoreError> {
        let sql = "SELECT sum(events), sum(missed) FROM redundancy
                   WHERE webhook = ?1 AND quarter >= ?2 AND quarter < ?3";
        let values = [webhook.0, range.from / QUARTER, range.until / QUARTER];
        let mut statement = self.connection.prepare_cached(sql)?;
        let (events, missed): (Option<i64>, Option<i64>) =
            statement.query_row(values, |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(events.zip(missed).map(|(events, missed)| Redundancy { events, missed }))
    }
}

impl Tx<'_> {
    /// The gym's other webhooks that had been heard of when a delivery came.
    pub fn others(
        &mut self,
        gym: GymId,
        webhook: WebhookId,
        received_at: Millis,
    ) -> Result<Vec<WebhookId>, StoreError> {
        if !self.heard.contains_key(&gym) {
            let heard = self.read_heard(gym)?;
            self.heard.insert(gym, heard);
        }
        let heard = self.heard.get(&gym).into_iter().flatten();
        let others = heard.filter(|(id, since)| *id != webhook && *since <= received_at);
        Ok(others.map(|(id, _)| *id).collect())
    }

    fn read_heard(&self, gym: GymId) -> Result<Vec<(WebhookId, Millis)>, StoreError> {
        let sql = "SELECT id, first_heard_at FROM webhooks
                   WHERE gym = ?1 AND first_heard_at IS NOT NULL";
        let mut statement = self.transaction.prepare_cached(sql)?;
        let rows = statement.query_map([gym.0], |row| Ok((WebhookId(row.get(0)?), row.get(1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Counts an event that came through one webhook and is awaited from others.
    pub fn count_awaited(
        &mut self,
        webhook: WebhookId,
        awaited: &[WebhookId],
        at: Millis,
    ) -> Result<(), StoreError> {
        if awaited.is_empty() {
            return Ok(());
        }
        let sql = "INSERT INTO redundancy (webhook, quarter, events, missed) VALUES (?1, ?2, 1, ?3)
                   ON CONFLICT DO UPDATE SET events = events + 1, missed = missed + excluded.missed";
        let mut statement = self.transaction.prepare_cached(sql)?;
        let quarter = at / QUARTER;
        statement.execute(params![webhook.0, quarter, 0])?;
        for other in awaited {
            statement.execute(params![other.0, quarter, 1])?;
        }
        Ok(())
    }

    /// Notes that a webhook brought an event that is in the log, if it was awaited from it.
    pub fn came_through(
        &mut self,
        webhook: WebhookId,
        position: Position,
    ) -> Result<(), StoreError> {
        let sql = "SELECT awaited_from, at FROM events
                   WHERE position = ?1 AND awaited_from IS NOT NULL";
        let mut statement = self.transaction.prepare_cached(sql)?;
        let found: Option<(Vec<u8>, Millis)> =
            optional(statement.query_row([position.0], |row| Ok((row.get(0)?, row.get(1)?))))?;
        let Some((note, at)) = found else { return Ok(()) };
        let mut awaited = from_note(&note)?;
        let Some(place) = awaited.iter().position(|one| *one == webhook) else { return Ok(()) };
        awaited[place] = NOBODY;
        let sql = "UPDATE events SET awaited_from = ?2 WHERE position = ?1";
        self.transaction.prepare_cached(sql)?.execute(params![position.0, note_of(&awaited)])?;
        let sql = "UPDATE redundancy SET missed = missed - 1
                   WHERE webhook = ?1 AND quarter = ?2 AND missed > 0";
        self.transaction.prepare_cached(sql)?.execute([webhook.0, at / QUARTER])?;
        Ok(())
    }
}

/// Stands where a webhook stood that is not awaited any more.
const NOBODY: WebhookId = WebhookId(0);

/// As it stands in the log.
pub(super) fn note_of(awaited: &[WebhookId]) -> Option<Vec<u8>> {
    let bytes = awaited.iter().flat_map(|webhook| webhook.0.to_be_bytes());
    (!awaited.is_empty()).then(|| bytes.collect())
}

fn from_note(note: &[u8]) -> Result<Vec<WebhookId>, Damaged> {
    let (webhooks, rest) = note.as_chunks::<8>();
    if !rest.is_empty() {
        return Err(Damaged);
    }
    Ok(webhooks.iter().map(|bytes| WebhookId(i64::from_be_bytes(*bytes))).collect())
}
