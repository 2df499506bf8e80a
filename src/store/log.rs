//! The event log, and the members whose events it holds.

use rusqlite::types::ValueRef;
use rusqlite::{Row, params};
use uuid::Uuid;

use super::database::Snapshot;
use super::error::StoreError;
use super::gyms::optional;
use super::key::Person;
use super::redundancy::note_of;
use super::tx::Tx;
use crate::domain::Millis;
use crate::domain::event::{Arrival, Entry, Event, FUTURE_MAX, Kind};
use crate::domain::ids::{Account, GymId, MemberId, Position, WebhookId};

/// An event in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedEvent {
    pub position: Position,
    pub gym: GymId,
    pub member: MemberId,
    pub at: Millis,
    pub kind: Kind,
    pub arrival: Arrival,
    pub extra: Option<String>,
}

impl LoggedEvent {
    /// Its place in its member's timeline.
    pub fn entry(&self) -> Entry {
        Entry {
            at: self.at,
            kind: self.kind.clone(),
            position: self.position,
            lateness: self.arrival.lateness(self.at),
        }
    }
}

/// What is known of an account at a gym.
#[derive(Debug, Clone, Copy)]
pub struct Known {
    /// None before its first event, and after it was erased.
    pub member: Option<MemberId>,
    /// Up to when it was erased, if it was.
    pub erased_until: Option<Millis>,
}

const COLUMNS: &str = "position, events.gym, member, at, type, received_at, imported, \
                       (SELECT fields FROM extras WHERE extras.position = events.position)";

impl Snapshot<'_> {
    pub fn member(&self, gym: GymId, account: Account) -> Result<Option<MemberId>, StoreError> {
        let sql = "SELECT id FROM members WHERE account_key = ?1 AND gym = ?2 AND account = ?3";
        let key = self.account_key(gym, account);
        let mut statement = self.connection.prepare_cached(sql)?;
        let found = statement
            .query_row(params![key, gym.0, account.0.as_bytes()], |row| Ok(MemberId(row.get(0)?)));
        optional(found)
    }

    /// How many events the log holds.
    pub fn event_count(&self) -> Result<i64, StoreError> {
        Ok(self.connection.query_row("SELECT count(*) FROM events", [], |row| row.get(0))?)
    }

    /// When the first of the gym's events came that stand after `now`; none without such an event.
    /// Those came within [`FUTURE_MAX`], so that only the end of the log is read.
    pub fn receipt_of_ahead(&self, gym: GymId, now: Millis) -> Result<Option<Millis>, StoreError> {
        let sql = "SELECT at, received_at FROM events WHERE gym = ?1 ORDER BY position DESC";
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query([gym.0])?;
        let mut first = None;
        while let Some(row) = rows.next()? {
            let (at, received_at): (Millis, Millis) = (row.get(0)?, row.get(1)?);
            if received_at < now - FUTURE_MAX {
                break;
            }
            if at > now && received_at <= now {
                first = Some(received_at);
            }
        }
        Ok(first)
    }

    /// The event at a position.
    pub fn event(&self, position: Position) -> Result<Option<LoggedEvent>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM events WHERE position = ?1");
        optional(self.connection.prepare_cached(&sql)?.query_row([position.0], event_from))
    }

    /// A gym's events after a position, of one type or of all, in log order, with whose they are.
    pub fn owned_events_after(
        &self,
        gym: GymId,
        kind: Option<&str>,
        after: Position,
        limit: usize,
    ) -> Result<Vec<(LoggedEvent, Option<Account>)>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS}, account
             FROM events LEFT JOIN members ON members.id = events.member
             WHERE events.gym = ?1 AND position > ?2 AND (?3 IS NULL OR type = ?3)
             ORDER BY position LIMIT ?4"
        );
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut statement = self.connection.prepare_cached(&sql)?;
        let rows = statement.query_map(params![gym.0, after.0, kind, limit], |row| {
            let account: Option<[u8; 16]> = row.get(8)?;
            Ok((event_from(row)?, account.map(|bytes| Account(Uuid::from_bytes(bytes)))))
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// How many of a gym's events stand in the log up to a position.
    pub fn event_count_of(&self, gym: GymId, until: Position) -> Result<u64, StoreError> {
        let sql = "SELECT count(*) FROM events WHERE gym = ?1 AND position <= ?2";
        let count: i64 = self.connection.query_row(sql, [gym.0, until.0], |row| row.get(0))?;
        Ok(count.unsigned_abs())
    }

    /// Where a gym's newest event stands; 0 without any.
    pub fn last_position_of(&self, gym: GymId) -> Result<Position, StoreError> {
        let sql = "SELECT coalesce(max(position), 0) FROM events WHERE gym = ?1";
        Ok(self.connection.query_row(sql, [gym.0], |row| Ok(Position(row.get(0)?)))?)
    }

    /// Hands over a gym's events after one position and up to another, in log order, at most so many;
    /// returns where the last of them stands.
    pub fn each_entry_of(
        &self,
        gym: GymId,
        (after, until): (Position, Position),
        limit: usize,
        mut each: impl FnMut(MemberId, Entry),
    ) -> Result<Option<Position>, StoreError> {
        let sql = "SELECT position, member, at, type, received_at, imported FROM events
                   WHERE gym = ?1 AND position > ?2 AND position <= ?3
                   ORDER BY position LIMIT ?4";
        let mut statement = self.connection.prepare_cached(sql)?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut rows = statement.query(params![gym.0, after.0, until.0, limit])?;
        let mut last = None;
        while let Some(row) = rows.next()? {
            let (position, at) = (Position(row.get(0)?), row.get(2)?);
            let arrival = Arrival { received_at: row.get(4)?, imported: row.get(5)? };
            let kind = Kind::from_name(row.get_ref(3)?.as_str().map_err(|_| super::Damaged)?);
            let lateness = arrival.lateness(at);
            each(MemberId(row.get(1)?), Entry { at, kind, position, lateness });
            last = Some(position);
        }
        Ok(last)
    }

    /// Events after a position, in log order, of one gym or of all.
    pub fn events_after(
        &self,
        gym: Option<GymId>,
        after: Position,
        limit: usize,
    ) -> Result<Vec<LoggedEvent>, StoreError> {
        let of_gym = if gym.is_some() { "gym = ?3" } else { "?3 IS NULL" };
        let sql = format!(
            "SELECT {COLUMNS} FROM events WHERE position > ?1 AND {of_gym}
             ORDER BY position LIMIT ?2"
        );
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut statement = self.connection.prepare_cached(&sql)?;
        let rows =
            statement.query_map(params![after.0, limit, gym.map(|gym| gym.0)], event_from)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

impl Tx<'_> {
    /// Who that is, and up to when that account was erased, in one read.
    pub fn known(&self, person: &Person) -> Result<Known, StoreError> {
        let sql =
            "SELECT (SELECT id FROM members WHERE account_key = ?1 AND gym = ?2 AND account = ?3),
                    (SELECT erased_until FROM tombstones WHERE gym = ?2 AND account_hash = ?4)";
        let Person { gym, account, .. } = person;
        let (key, hash) = (person.account_key(), person.account_hash());
        let values = params![key, gym.0, account.0.as_bytes(), hash];
        let known = self.transaction.statement(sql)?.query_row(values, |row| {
            let member: Option<i64> = row.get(0)?;
            Ok(Known { member: member.map(MemberId), erased_until: row.get(1)? })
        });
        Ok(known?)
    }

    /// The member of that account at that gym, made when missing.
    pub fn member_or_new(&mut self, gym: GymId, account: Account) -> Result<MemberId, StoreError> {
        if let Some(member) = self.view().member(gym, account)? {
            return Ok(member);
        }
        let person = self.view().person(gym, account);
        self.add_member(&person)
    }

    /// Appends an event to the log, and returns its place there. From the webhooks `awaited` it is
    /// expected to come again.
    pub fn append(
        &mut self,
        gym: GymId,
        member: MemberId,
        event: &Event,
        arrival: Arrival,
        awaited: &[WebhookId],
    ) -> Result<Position, StoreError> {
        let sql = "INSERT INTO events (gym, member, at, type, received_at, imported, awaited_from)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        let Arrival { received_at, imported } = arrival;
        let (kind, awaited) = (event.kind.name(), note_of(awaited));
        let values = params![gym.0, member.0, event.at, kind, received_at, imported, &awaited];
        self.transaction.statement(sql)?.execute(values)?;
        let position = Position(self.transaction.last_insert_rowid());
        // All columns, in their order: see the checksums.
        let row = [
            ValueRef::Integer(position.0),
            ValueRef::Integer(gym.0),
            ValueRef::Integer(member.0),
            ValueRef::Integer(event.at),
            ValueRef::Text(kind.as_bytes()),
            ValueRef::Integer(received_at),
            ValueRef::Integer(imported.into()),
            awaited.as_deref().map_or(ValueRef::Null, ValueRef::Blob),
        ];
        self.sums.note("events", 1, row.into_iter());
        if let Some(fields) = &event.extra {
            let sql = "INSERT INTO extras (position, fields) VALUES (?1, ?2)";
            self.transaction.prepare_cached(sql)?.execute(params![position.0, fields])?;
            self.note_extras(gym, position.0, fields, event.account)?;
        }
        Ok(position)
    }
}

fn event_from(row: &Row<'_>) -> rusqlite::Result<LoggedEvent> {
    Ok(LoggedEvent {
        position: Position(row.get(0)?),
        gym: GymId(row.get(1)?),
        member: MemberId(row.get(2)?),
        at: row.get(3)?,
        kind: Kind::from_name(row.get_ref(4)?.as_str()?),
        arrival: Arrival { received_at: row.get(5)?, imported: row.get(6)? },
        extra: row.get(7)?,
    })
}
