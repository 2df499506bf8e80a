//! Erasures: what must be forgotten, what was, and the tombstones that keep it from coming back.
//!
//! What is erased is overwritten: SQLite's `secure_delete` zeroes what is deleted, and an account
//! is overwritten in place, by as many bytes, so that its row never moves to another page.

use rusqlite::{Row, params};

use super::codec::Damaged;
use super::database::{Snapshot, StoreError};
use super::gyms::optional;
use super::tx::Tx;
use crate::domain::Millis;
use crate::domain::ids::{Account, Generation, GymId, MemberId, Position};

/// Why a member is erased.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErasureReason {
    /// The sender said that the member was deleted.
    MembershipDelete,
    /// Somebody asked for it here.
    Manual,
}

impl ErasureReason {
    pub fn name(self) -> &'static str {
        match self {
            ErasureReason::MembershipDelete => "membership_delete",
            ErasureReason::Manual => "manual",
        }
    }

    fn from_name(name: &str) -> Result<ErasureReason, Damaged> {
        let all = [ErasureReason::MembershipDelete, ErasureReason::Manual];
        all.into_iter().find(|reason| reason.name() == name).ok_or(Damaged)
    }
}

/// An erasure, asked for or done. It never names the account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Erasure {
    pub id: i64,
    pub gym: GymId,
    /// Whom to erase; none as soon as it is done.
    pub member: Option<MemberId>,
    pub erased_until: Millis,
    pub reason: ErasureReason,
    pub requested_at: Millis,
    /// When it was gone from the database.
    pub erased_at: Option<Millis>,
    /// When it was gone from every file beside it, too.
    pub completed_at: Option<Millis>,
    pub events: i64,
}

const COLUMNS: &str =
    "id, gym, member, erased_until, reason, requested_at, erased_at, completed_at, events";

impl Snapshot<'_> {
    /// Up to when that account was erased at that gym, if it was.
    pub fn erased_until(&self, gym: GymId, account: Account) -> Result<Option<Millis>, StoreError> {
        let sql = "SELECT erased_until FROM tombstones WHERE gym = ?1 AND account_hash = ?2";
        let hash = self.account_hash(gym, account);
        let mut statement = self.connection.prepare_cached(sql)?;
        optional(statement.query_row(params![gym.0, hash], |row| row.get(0)))
    }

    /// Erasures that are not complete, oldest first.
    pub fn open_erasures(&self, limit: usize) -> Result<Vec<Erasure>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM erasures WHERE completed_at IS NULL ORDER BY id LIMIT ?1"
        );
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut statement = self.connection.prepare_cached(&sql)?;
        let rows = statement.query_and_then([limit], erasure_from)?;
        rows.collect()
    }

    /// All erasures, newest first.
    pub fn erasures(&self) -> Result<Vec<Erasure>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM erasures ORDER BY id DESC");
        let mut statement = self.connection.prepare_cached(&sql)?;
        let rows = statement.query_and_then([], erasure_from)?;
        rows.collect()
    }

    pub fn erasure(&self, id: i64) -> Result<Option<Erasure>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM erasures WHERE id = ?1");
        let mut statement = self.connection.prepare_cached(&sql)?;
        let mut rows = statement.query_and_then([id], erasure_from)?;
        rows.next().transpose()
    }
}

impl Tx<'_> {
    /// Lays a tombstone, or moves one on.
    pub fn put_tombstone(
        &mut self,
        gym: GymId,
        account: Account,
        erased_until: Millis,
    ) -> Result<(), StoreError> {
        let sql = "INSERT INTO tombstones (gym, account_hash, erased_until) VALUES (?1, ?2, ?3)
                   ON CONFLICT DO UPDATE SET erased_until = max(erased_until, excluded.erased_until)";
        let hash = self.view().account_hash(gym, account);
        self.transaction.prepare_cached(sql)?.execute(params![gym.0, hash, erased_until])?;
        Ok(())
    }

    /// Notes that a member must be erased, and returns the record's id.
    pub fn add_erasure(
        &mut self,
        gym: GymId,
        member: MemberId,
        erased_until: Millis,
        reason: ErasureReason,
        now: Millis,
    ) -> Result<i64, StoreError> {
        let sql = "INSERT INTO erasures (gym, member, erased_until, reason, requested_at)
                   VALUES (?1, ?2, ?3, ?4, ?5)";
        let values = params![gym.0, member.0, erased_until, reason.name(), now];
        self.transaction.prepare_cached(sql)?.execute(values)?;
        Ok(self.transaction.last_insert_rowid())
    }

    /// Notes that the member of an erasure is gone from the database.
    pub fn mark_erased(&mut self, id: i64, events: i64, now: Millis) -> Result<(), StoreError> {
        let sql = "UPDATE erasures SET member = NULL, events = ?2, erased_at = ?3 WHERE id = ?1";
        self.transaction.prepare_cached(sql)?.execute([id, events, now])?;
        Ok(())
    }

    /// Notes that erasures are complete: gone from every file.
    pub fn mark_completed(&mut self, ids: &[i64], now: Millis) -> Result<(), StoreError> {
        let sql = "UPDATE erasures SET completed_at = ?2 WHERE id = ?1";
        for id in ids {
            self.transaction.prepare_cached(sql)?.execute([*id, now])?;
        }
        Ok(())
    }

    /// The account of a member; none when it was erased.
    pub fn account_of(&self, member: MemberId) -> Result<Option<Account>, StoreError> {
        let sql = "SELECT account FROM members WHERE id = ?1";
        let mut statement = self.transaction.prepare_cached(sql)?;
        let found = optional(statement.query_row([member.0], |row| row.get::<_, [u8; 16]>(0)))?;
        let account = found.map(uuid::Uuid::from_bytes).filter(|account| !account.is_nil());
        Ok(account.map(Account))
    }

    /// Writes zeros over a member's account, in place.
    pub fn forget_account(&mut self, member: MemberId) -> Result<(), StoreError> {
        let sql = "UPDATE members SET account = zeroblob(16), account_key = ?2 WHERE id = ?1";
        let nobody = super::database::random_account_key();
        self.transaction.prepare_cached(sql)?.execute([member.0, nobody])?;
        Ok(())
    }

    /// Another member of the same account: who comes after an erasure is a new one.
    pub fn add_member(&mut self, gym: GymId, account: Account) -> Result<MemberId, StoreError> {
        let key = self.view().account_key(gym, account);
        let sql = "INSERT INTO members (gym, account, account_key) VALUES (?1, ?2, ?3)";
        let mut statement = self.transaction.prepare_cached(sql)?;
        statement.execute(params![gym.0, account.0.as_bytes(), key])?;
        Ok(MemberId(self.transaction.last_insert_rowid()))
    }

    /// Deletes events from the log.
    pub fn delete_events(&mut self, positions: &[Position]) -> Result<(), StoreError> {
        let mut statement =
            self.transaction.prepare_cached("DELETE FROM events WHERE position = ?1")?;
        for position in positions {
            statement.execute([position.0])?;
        }
        Ok(())
    }

    /// Gives events to another member.
    pub fn move_events(
        &mut self,
        positions: &[Position],
        member: MemberId,
    ) -> Result<(), StoreError> {
        let sql = "UPDATE events SET member = ?2 WHERE position = ?1";
        let mut statement = self.transaction.prepare_cached(sql)?;
        for position in positions {
            statement.execute([position.0, member.0])?;
        }
        Ok(())
    }

    /// Deletes a gym's quarantined bodies that mention an account, and returns how many.
    pub fn delete_quarantined_mentioning(
        &mut self,
        gym: GymId,
        account: Account,
    ) -> Result<usize, StoreError> {
        let sql = "DELETE FROM quarantine WHERE gym = ?1
                   AND (instr(lower(CAST(body AS TEXT)), ?2) > 0
                        OR instr(lower(CAST(body AS TEXT)), ?3) > 0 OR instr(body, ?4) > 0)";
        let (text, plain) = (account.0.to_string(), account.0.simple().to_string());
        let values = params![gym.0, text, plain, account.0.as_bytes()];
        Ok(self.transaction.prepare_cached(sql)?.execute(values)?)
    }

    /// Builds that are under way must begin again without this member.
    pub fn spoil_unread_generations(&mut self, member: MemberId) -> Result<(), StoreError> {
        for Generation(generation) in self.view().unread_generations()? {
            for table in ["receipts", "member_days"] {
                let sql = format!("DELETE FROM {table} WHERE generation = ?1 AND member = ?2");
                self.transaction.prepare_cached(&sql)?.execute([generation, member.0])?;
            }
            let sql = "UPDATE generations SET stale = 1 WHERE id = ?1";
            self.transaction.prepare_cached(sql)?.execute([generation])?;
        }
        Ok(())
    }
}

fn erasure_from(row: &Row<'_>) -> Result<Erasure, StoreError> {
    let reason: String = row.get(4)?;
    Ok(Erasure {
        id: row.get(0)?,
        gym: GymId(row.get(1)?),
        member: row.get::<_, Option<i64>>(2)?.map(MemberId),
        erased_until: row.get(3)?,
        reason: ErasureReason::from_name(&reason)?,
        requested_at: row.get(5)?,
        erased_at: row.get(6)?,
        completed_at: row.get(7)?,
        events: row.get(8)?,
    })
}
