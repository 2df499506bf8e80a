//! Gyms that are archived, and gyms that go: what is stored of one, and how it is removed.

use rusqlite::params;

use super::codec::Damaged;
use super::database::Snapshot;
use super::error::StoreError;
use super::gyms::optional;
use super::tallies::first_slot;
use super::tx::Tx;
use crate::domain::Millis;
use crate::domain::ids::{GymId, MemberId, Slug};

/// What is stored of a gym, in rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Holdings {
    pub events: i64,
    pub members: i64,
    pub webhooks: i64,
    pub quarantined: i64,
    pub annotations: i64,
    /// Tokens and users that may see this gym among some, not all gyms.
    pub tokens: i64,
    pub users: i64,
    pub erasures: i64,
}

/// The name of a row that a removed gym leaves; no slug looks like it.
const REMOVED: &str = "~";

impl Snapshot<'_> {
    pub fn holdings(&self, gym: GymId) -> Result<Holdings, StoreError> {
        let count = |what: &str| -> Result<i64, StoreError> {
            let sql = format!("SELECT count(*) FROM {what}");
            Ok(self.connection.query_row(&sql, [gym.0], |row| row.get(0))?)
        };
        Ok(Holdings {
            events: count("events WHERE gym = ?1")?,
            members: count("members WHERE gym = ?1 AND account <> zeroblob(16)")?,
            webhooks: count("webhooks WHERE gym = ?1")?,
            quarantined: count("quarantine WHERE gym = ?1 AND body IS NOT NULL")?,
            annotations: count("annotations WHERE gym = ?1")?,
            tokens: count("token_gyms WHERE gym = ?1")?,
            users: count("user_gyms WHERE gym = ?1")?,
            erasures: count("erasures WHERE gym = ?1")?,
        })
    }

    /// Gyms that were removed, or are being removed, and when each was made: its number alone does
    /// not name it in another copy of the database.
    pub fn removed_gyms(&self) -> Result<Vec<(GymId, Millis)>, StoreError> {
        let sql = "SELECT id, created_at FROM gyms WHERE removed_at IS NOT NULL ORDER BY id";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map([], |row| Ok((GymId(row.get(0)?), row.get(1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Whether a gym is here, and more is left of it than its empty row.
    pub fn holds_gym(&self, (gym, made_at): (GymId, Millis)) -> Result<bool, StoreError> {
        let sql = "SELECT 1 FROM gyms WHERE id = ?1 AND created_at = ?2
                   AND (removed_at IS NULL OR substr(slug, 1, 1) <> ?3)";
        let values = params![gym.0, made_at, REMOVED];
        let found = self.connection.query_row(sql, values, |row| row.get::<_, i64>(0));
        Ok(optional(found)?.is_some())
    }

    /// Gyms whose removal has begun and not ended.
    pub fn removals(&self) -> Result<Vec<(GymId, Slug)>, StoreError> {
        let sql = "SELECT id, slug FROM gyms
                   WHERE removed_at IS NOT NULL AND substr(slug, 1, 1) <> ?1 ORDER BY id";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_and_then([REMOVED], |row| {
            let slug: String = row.get(1)?;
            Ok((GymId(row.get(0)?), slug.parse().map_err(|_| Damaged)?))
        })?;
        rows.collect()
    }
}

impl Tx<'_> {
    /// Archives a gym, or opens it again.
    pub fn set_archived(&mut self, gym: GymId, at: Option<Millis>) -> Result<(), StoreError> {
        let sql = "UPDATE gyms SET archived_at = ?2, revision = revision + 1 WHERE id = ?1";
        self.transaction.execute(sql, params![gym.0, at])?;
        self.forget_gym(gym);
        Ok(())
    }

    /// Takes a gym out of everybody's sight, with all that leads to it. Its projection is read by
    /// nobody from here on.
    pub fn hide_gym(&mut self, gym: GymId, now: Millis) -> Result<(), StoreError> {
        let generation = self.new_generation(None)?;
        let sql =
            "UPDATE gyms SET removed_at = coalesce(removed_at, ?2), generation = ?3, name = '',
                       capacity = NULL, public = 'off', frozen_until = NULL WHERE id = ?1";
        self.transaction.execute(sql, [gym.0, now, generation.0])?;
        self.transaction.execute("UPDATE annotations SET text = '' WHERE gym = ?1", [gym.0])?;
        for table in [
            "webhooks",
            "token_gyms",
            "user_gyms",
            "annotations",
            "notices",
            "erasures",
            "lingering",
        ] {
            let sql = format!("DELETE FROM {table} WHERE gym = ?1");
            self.transaction.execute(&sql, [gym.0])?;
        }
        self.forget_gym(gym);
        self.forget_webhooks();
        Ok(())
    }

    /// Writes zeros over the accounts of some members of a gym, in place. Returns up to which; none
    /// when there is no more.
    pub fn forget_accounts(
        &mut self,
        gym: GymId,
        after: MemberId,
        rows_max: usize,
    ) -> Result<Option<MemberId>, StoreError> {
        let sql = "SELECT id FROM members WHERE id > ?1 AND gym = ?2 AND account <> zeroblob(16)
                   ORDER BY id LIMIT ?3";
        let rows_max = i64::try_from(rows_max).unwrap_or(i64::MAX);
        let mut statement = self.transaction.prepare_cached(sql)?;
        let members: Vec<i64> = statement
            .query_map([after.0, gym.0, rows_max], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        drop(statement);
        members.iter().try_for_each(|member| self.forget_account(MemberId(*member)))?;
        Ok(members.last().copied().map(MemberId))
    }

    /// Empties or removes some of what belongs to a gym and is neither event nor projection.
    /// Returns how many rows.
    pub fn clear_gym(&mut self, gym: GymId, rows_max: usize) -> Result<usize, StoreError> {
        let sql = format!(
            "UPDATE quarantine SET body = NULL, body_hash = NULL, detail = '' WHERE id IN
                 (SELECT id FROM quarantine WHERE gym = ?1 AND (body IS NOT NULL OR detail <> '')
                  LIMIT {rows_max})"
        );
        let mut rows = self.transaction.execute(&sql, [gym.0])?;
        let sql = format!(
            "DELETE FROM tombstones WHERE gym = ?1 AND account_hash IN
                 (SELECT account_hash FROM tombstones WHERE gym = ?1 LIMIT {rows_max})"
        );
        rows += self.transaction.execute(&sql, [gym.0])?;
        let sql = format!(
            "DELETE FROM foreign_accounts WHERE (gym, account_hash, place, row) IN
                 (SELECT gym, account_hash, place, row FROM foreign_accounts WHERE gym = ?1
                  LIMIT {rows_max})"
        );
        rows += self.transaction.execute(&sql, [gym.0])?;
        let (from, until) = (first_slot(gym.0), first_slot(gym.0 + 1));
        let sql = format!(
            "DELETE FROM frozen WHERE slot IN
                 (SELECT slot FROM frozen WHERE slot >= ?1 AND slot < ?2 LIMIT {rows_max})"
        );
        rows += self.transaction.execute(&sql, [from, until])?;
        Ok(rows)
    }

    /// Leaves an empty row in a gym's place, so that its slug is free and its number is not.
    pub fn finish_removal(&mut self, gym: GymId) -> Result<(), StoreError> {
        for table in ["quarantine_held", "quarantine_counted"] {
            let sql = format!("DELETE FROM {table} WHERE gym = ?1");
            self.transaction.execute(&sql, [gym.0])?;
        }
        let sql = "UPDATE gyms SET slug = ?2 || id WHERE id = ?1";
        self.transaction.execute(sql, params![gym.0, REMOVED])?;
        Ok(())
    }

    /// Whether a gym of that slug is being removed.
    pub(super) fn is_being_removed(&self, slug: &Slug) -> Result<bool, StoreError> {
        let sql = "SELECT 1 FROM gyms WHERE slug = ?1 AND removed_at IS NOT NULL";
        let found = self.transaction.query_row(sql, [slug.as_str()], |row| row.get::<_, i64>(0));
        Ok(optional(found)?.is_some())
    }
}
