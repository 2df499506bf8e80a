//! Receipts: what each stretch, and each member across stretches, contributed to the tallies.

use std::ops::ControlFlow;

use rusqlite::{Row, Rows, params};
use uuid::Uuid;

use super::codec;
use super::database::Snapshot;
use super::error::StoreError;
use super::gyms::optional;
use super::tx::Tx;
use crate::domain::Millis;
use crate::domain::calendar::Day;
use crate::domain::event::Kind;
use crate::domain::ids::{Account, Generation, GymId, MemberId, Position};
use crate::domain::member::MemberDays;
use crate::domain::stretch::Stretch;

impl Snapshot<'_> {
    /// The member's stretches with an event in `[from, until]`, latest first.
    pub fn stretches_touching(
        &self,
        generation: Generation,
        member: MemberId,
        from: Millis,
        until: Millis,
    ) -> Result<Vec<Stretch>, StoreError> {
        let mut statement = self.connection.prepare_cached(LATEST_FIRST)?;
        let rows = statement.query(params![generation.0, member.0, until])?;
        touching(rows, from)
    }

    /// The member's first stretches, at most so many, in their order.
    pub fn oldest_stretches(
        &self,
        generation: Generation,
        member: MemberId,
        limit: usize,
    ) -> Result<Vec<Stretch>, StoreError> {
        let sql = "SELECT entries, fold FROM receipts
                   WHERE generation = ?1 AND member = ?2 ORDER BY start LIMIT ?3";
        let mut statement = self.connection.prepare_cached(sql)?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = statement.query_and_then([generation.0, member.0, limit], stretch_from)?;
        rows.collect()
    }

    /// When a member's last event was.
    pub fn last_event_of(
        &self,
        generation: Generation,
        member: MemberId,
    ) -> Result<Option<Millis>, StoreError> {
        let sql = "SELECT last FROM receipts
                   WHERE generation = ?1 AND member = ?2 ORDER BY start DESC LIMIT 1";
        let mut statement = self.connection.prepare_cached(sql)?;
        optional(statement.query_row([generation.0, member.0], |row| row.get(0)))
    }

    /// The stretches in which somebody may be present at `at` or later.
    pub fn stretches_present(
        &self,
        generation: Generation,
        at: Millis,
    ) -> Result<Vec<Stretch>, StoreError> {
        let sql = "SELECT entries, fold FROM receipts INDEXED BY receipts_present
                   WHERE generation = ?1 AND present_until > ?2";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_and_then([generation.0, at], stretch_from)?;
        rows.collect()
    }

    /// Hands over stretches of a generation whose last event is before `last`, until `each` has
    /// enough; a member's in their order. Nobody of them is present at `present_until` or later.
    pub fn each_stretch_before(
        &self,
        generation: Generation,
        last: Millis,
        present_until: Millis,
        mut each: impl FnMut(MemberId, Stretch) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        let sql = "SELECT entries, fold, member FROM receipts INDEXED BY receipts_present
                   WHERE generation = ?1 AND last < ?2 AND present_until < ?3
                   ORDER BY present_until";
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query([generation.0, last, present_until])?;
        while let Some(row) = rows.next()? {
            if each(MemberId(row.get(2)?), stretch_from(row)?).is_break() {
                break;
            }
        }
        Ok(())
    }

    /// Hands over the stretches of every gym in which somebody may be present at `at` or later.
    pub fn each_stretch_present(
        &self,
        at: Millis,
        mut each: impl FnMut(GymId, &Stretch),
    ) -> Result<(), StoreError> {
        let sql = "SELECT entries, fold, gyms.id
                   FROM gyms CROSS JOIN receipts INDEXED BY receipts_present
                   ON receipts.generation = gyms.generation AND present_until > ?1";
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query([at])?;
        while let Some(row) = rows.next()? {
            each(GymId(row.get(2)?), &stretch_from(row)?);
        }
        Ok(())
    }

    /// Hands over every receipt of a generation, one after the other.
    pub fn each_receipt(
        &self,
        generation: Generation,
        mut each: impl FnMut(MemberId, Stretch),
    ) -> Result<(), StoreError> {
        let sql = "SELECT entries, fold, member FROM receipts WHERE generation = ?1";
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query([generation.0])?;
        while let Some(row) = rows.next()? {
            each(MemberId(row.get(2)?), stretch_from(row)?);
        }
        Ok(())
    }

    /// The member's days; empty for one without any.
    pub fn member_days(
        &self,
        generation: Generation,
        member: MemberId,
    ) -> Result<MemberDays, StoreError> {
        let sql = "SELECT days, past FROM member_days WHERE generation = ?1 AND member = ?2";
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query([generation.0, member.0])?;
        rows.next()?.map_or_else(|| Ok(MemberDays::default()), days_from)
    }

    /// Members whose last visit was on one of the local days `[from, until)`.
    pub fn members_last_seen(
        &self,
        generation: Generation,
        from: Day,
        until: Day,
    ) -> Result<Vec<(MemberId, Account, MemberDays)>, StoreError> {
        let sql = "SELECT days, past, member, account
                   FROM member_days JOIN members ON members.id = member_days.member
                   WHERE generation = ?1 AND last_day >= ?2 AND last_day < ?3";
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query(params![generation.0, from.0, until.0])?;
        let mut members = Vec::new();
        while let Some(row) = rows.next()? {
            let account = Account(Uuid::from_bytes(row.get(3)?));
            members.push((MemberId(row.get(2)?), account, days_from(row)?));
        }
        Ok(members)
    }

    /// Hands over every member's days of a generation.
    pub fn each_member_days(
        &self,
        generation: Generation,
        mut each: impl FnMut(MemberId, MemberDays),
    ) -> Result<(), StoreError> {
        let sql = "SELECT days, past, member FROM member_days WHERE generation = ?1";
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query([generation.0])?;
        while let Some(row) = rows.next()? {
            each(MemberId(row.get(2)?), days_from(row)?);
        }
        Ok(())
    }
}

impl Tx<'_> {
    /// The member's stretches with an event in `[from, until]`, latest first.
    pub fn stretches_touching(
        &self,
        generation: Generation,
        member: MemberId,
        from: Millis,
        until: Millis,
    ) -> Result<Vec<Stretch>, StoreError> {
        let mut statement = self.transaction.statement(LATEST_FIRST)?;
        let rows = statement.query(params![generation.0, member.0, until])?;
        touching(rows, from)
    }

    /// Stores a stretch, in the place of `old`, which begins when it does. Told what is there, SQLite
    /// need not look; and an index whose columns are not named is not touched.
    pub fn put_receipt(
        &mut self,
        generation: Generation,
        member: MemberId,
        old: Option<&Stretch>,
        stretch: &Stretch,
    ) -> Result<(), StoreError> {
        let sql = match old {
            None => {
                "INSERT INTO receipts
                     (generation, member, start, last, present_until, entries, fold)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)"
            }
            Some(old) if old.present_until() == stretch.present_until() => {
                "UPDATE receipts SET last = ?4, entries = ?6, fold = ?7
                 WHERE generation = ?1 AND member = ?2 AND start = ?3 AND present_until = ?5"
            }
            Some(_) => {
                "UPDATE receipts SET last = ?4, present_until = ?5, entries = ?6, fold = ?7
                 WHERE generation = ?1 AND member = ?2 AND start = ?3"
            }
        };
        let written = self.transaction.statement(sql)?.execute(params![
            generation.0,
            member.0,
            stretch.start(),
            stretch.last(),
            stretch.present_until(),
            codec::entries_to_blob(stretch.entries()),
            codec::fold_to_blob(stretch),
        ])?;
        if written == 1 { Ok(()) } else { Err(super::Damaged.into()) }
    }

    /// Gives an event another kind of those that count nothing, in every receipt that repeats it: also
    /// in builds that nobody reads, or not yet.
    pub(super) fn put_kind_in_receipts(
        &mut self,
        member: MemberId,
        at: Millis,
        position: Position,
        kind: &Kind,
    ) -> Result<(), StoreError> {
        let sql = "SELECT generation, start, entries FROM generations CROSS JOIN receipts
                   ON generation = generations.id AND member = ?1 AND start <= ?2 AND last >= ?2";
        let mut statement = self.transaction.prepare_cached(sql)?;
        let rows = statement.query_and_then(params![member.0, at], |row| {
            let entries = row.get_ref(2)?.as_blob().map_err(|_| super::Damaged)?;
            let entries = codec::entries_from_blob(entries)?;
            Ok::<_, StoreError>((row.get::<_, i64>(0)?, row.get::<_, Millis>(1)?, entries))
        })?;
        let found = rows.collect::<Result<Vec<_>, _>>()?;
        drop(statement);
        let sql = "UPDATE receipts SET entries = ?4
                   WHERE generation = ?1 AND member = ?2 AND start = ?3";
        let mut statement = self.transaction.prepare_cached(sql)?;
        for (generation, start, mut entries) in found {
            for entry in entries.iter_mut().filter(|entry| entry.position == position) {
                entry.kind = kind.clone();
            }
            let blob = codec::entries_to_blob(&entries);
            statement.execute(params![generation, member.0, start, blob])?;
        }
        Ok(())
    }

    pub fn remove_receipt(
        &mut self,
        generation: Generation,
        member: MemberId,
        start: Millis,
    ) -> Result<(), StoreError> {
        let sql = "DELETE FROM receipts WHERE generation = ?1 AND member = ?2 AND start = ?3";
        self.transaction.prepare_cached(sql)?.execute([generation.0, member.0, start])?;
        Ok(())
    }

    /// Stores the member's days in the place of `old`; a member without any has no row.
    pub fn put_member_days(
        &mut self,
        generation: Generation,
        member: MemberId,
        old: &MemberDays,
        days: &MemberDays,
    ) -> Result<(), StoreError> {
        if days.is_empty() {
            let sql = "DELETE FROM member_days WHERE generation = ?1 AND member = ?2";
            self.transaction.prepare_cached(sql)?.execute([generation.0, member.0])?;
            return Ok(());
        }
        // One row is changed or none, so there is nothing to take back when it fails: with OR FAIL
        // SQLite keeps no journal of the statement.
        let sql = if old.is_empty() {
            "INSERT OR FAIL INTO member_days (generation, member, last_day, days, past)
             VALUES (?1, ?2, ?3, ?4, ?5)"
        } else {
            "UPDATE OR FAIL member_days SET last_day = ?3, days = ?4, past = ?5
             WHERE generation = ?1 AND member = ?2"
        };
        let last_day = days.last_visit().map(|Day(day)| day);
        let blob = codec::days_to_blob(days);
        let past = codec::past_to_blob(&days.past());
        let values = params![generation.0, member.0, last_day, blob, past];
        self.transaction.statement(sql)?.execute(values)?;
        Ok(())
    }
}

const LATEST_FIRST: &str = "SELECT entries, fold, last FROM receipts
     WHERE generation = ?1 AND member = ?2 AND start <= ?3 ORDER BY start DESC";

/// Of a member's stretches, latest first, those with an event at `from` or later.
fn touching(mut rows: Rows<'_>, from: Millis) -> Result<Vec<Stretch>, StoreError> {
    let mut touching = Vec::new();
    while let Some(row) = rows.next()? {
        if row.get::<_, Millis>(2)? < from {
            break;
        }
        touching.push(stretch_from(row)?);
    }
    Ok(touching)
}

fn days_from(row: &Row<'_>) -> Result<MemberDays, StoreError> {
    let (days, past) = (row.get_ref(0)?, row.get_ref(1)?);
    let blobs = (days.as_blob(), past.as_blob_or_null());
    let (Ok(days), Ok(past)) = blobs else { return Err(super::Damaged.into()) };
    Ok(codec::days_from_blobs(days, past)?)
}

fn stretch_from(row: &Row<'_>) -> Result<Stretch, StoreError> {
    let (entries, fold) = (row.get_ref(0)?, row.get_ref(1)?);
    let blobs = (entries.as_blob(), fold.as_blob());
    let (Ok(entries), Ok(fold)) = blobs else { return Err(super::Damaged.into()) };
    Ok(codec::stretch_from_blobs(entries, fold)?)
}
