//! Erasures: what must be forgotten, what was, and the tombstones that keep it from coming back.
//!
//! What is erased is overwritten: SQLite's `secure_delete` zeroes what is deleted or shortened. It
//! does not zero what it leaves behind when it moves a row to another page, as it does when rows
//! around it are deleted. So what can name a member stands in tables whose rows are only added at
//! the end and never deleted: `members`, `extras` and `quarantine`.

use std::collections::{BTreeMap, HashMap};

use rusqlite::{Row, params};
use uuid::Uuid;

use super::codec::Damaged;
use super::database::Snapshot;
use super::error::StoreError;
use super::gyms::optional;
use super::key::Person;
use super::ledger::LedgerEntry;
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
    /// The member had been erased, and came back with a restored database.
    Restore,
}

impl ErasureReason {
    pub fn name(self) -> &'static str {
        match self {
            ErasureReason::MembershipDelete => "membership_delete",
            ErasureReason::Manual => "manual",
            ErasureReason::Restore => "restore",
        }
    }

    fn from_name(name: &str) -> Result<ErasureReason, Damaged> {
        let all = [ErasureReason::MembershipDelete, ErasureReason::Manual, ErasureReason::Restore];
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
    /// No visit goes on beyond it.
    pub cut_at: Millis,
    /// Events up to and including this instant are erased.
    pub erased_until: Millis,
    pub reason: ErasureReason,
    pub requested_at: Millis,
    /// When it was gone from the database.
    pub erased_at: Option<Millis>,
    /// When it was gone from every file beside it, too.
    pub completed_at: Option<Millis>,
    pub events: i64,
}

const COLUMNS: &str = "id, gym, member, erased_until, reason, requested_at, erased_at, completed_at, events, \
     coalesce(cut_at, erased_until)";

impl Snapshot<'_> {
    /// Up to when that account was erased at that gym, if it was.
    pub fn erased_until(&self, gym: GymId, account: Account) -> Result<Option<Millis>, StoreError> {
        let sql = "SELECT erased_until FROM tombstones WHERE gym = ?1 AND account_hash = ?2";
        let hash = self.account_hash(gym, account);
        let mut statement = self.connection.prepare_cached(sql)?;
        optional(statement.query_row(params![gym.0, hash], |row| row.get(0)))
    }

    /// What the ledger must hold before open erasures are done.
    pub fn ledger_entries(&self, open: &[Erasure]) -> Result<Vec<LedgerEntry>, StoreError> {
        let mut entries = Vec::new();
        for erasure in open {
            let Some(member) = erasure.member else { continue };
            let Some(account) = self.account_of(member)? else { continue };
            entries.push(LedgerEntry {
                gym: erasure.gym,
                account_hash: self.account_hash(erasure.gym, account),
                erased_until: erasure.erased_until,
            });
        }
        Ok(entries)
    }

    /// Of the ledger's entries, those that this database knows nothing of, each with the member it
    /// is about, if the database has one: it is older than the ledger.
    pub fn not_erased(
        &self,
        ledger: Vec<LedgerEntry>,
    ) -> Result<Vec<(LedgerEntry, Option<MemberId>)>, StoreError> {
        let sql = "SELECT erased_until FROM tombstones WHERE gym = ?1 AND account_hash = ?2";
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut missing = BTreeMap::new();
        for entry in ledger {
            let values = params![entry.gym.0, entry.account_hash];
            let until: Option<Millis> = optional(statement.query_row(values, |row| row.get(0)))?;
            if until.is_none_or(|until| until < entry.erased_until) {
                missing.insert((entry.gym, entry.account_hash), (entry, None));
            }
        }
        if missing.is_empty() {
            return Ok(vec![]);
        }
        let sql = "SELECT account, gym, account_key, id FROM members";
        let mut members = self.connection.prepare(sql)?;
        let mut rows = members.query([])?;
        while let Some(row) = rows.next()? {
            let Some(person) = self.person_from(row)? else { continue };
            if let Some(found) = missing.get_mut(&(person.gym, *person.account_hash())) {
                found.1 = Some(MemberId(row.get(3)?));
            }
        }
        Ok(missing.into_values().collect())
    }

    /// The account of a member; none when it was erased.
    pub fn account_of(&self, member: MemberId) -> Result<Option<Account>, StoreError> {
        let sql = "SELECT account, gym, account_key FROM members WHERE id = ?1";
        let mut statement = self.connection.prepare_cached(sql)?;
        let found = optional(statement.query_row([member.0], |row| self.person_from(row)))?;
        Ok(found.flatten().map(|person| person.account))
    }

    /// Whose a row of account, gym and key is; none where zeros were written over one that was erased.
    /// But zeros may be somebody's account.
    fn person_from(&self, row: &Row<'_>) -> rusqlite::Result<Option<Person>> {
        let account = Account(Uuid::from_bytes(row.get(0)?));
        let person = self.person(GymId(row.get(1)?), account);
        let is_known = !account.0.is_nil() || row.get::<_, i64>(2)? == person.account_key();
        Ok(Some(person).filter(|_| is_known))
    }

    /// Erasures whose members are still in the database, oldest first.
    pub fn open_erasures(&self, limit: usize) -> Result<Vec<Erasure>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM erasures WHERE completed_at IS NULL AND erased_at IS NULL
             ORDER BY id LIMIT ?1"
        );
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut statement = self.connection.prepare_cached(&sql)?;
        let rows = statement.query_and_then([limit], erasure_from)?;
        rows.collect()
    }

    /// Which erasures are done in the database, and not known to be done in every file beside it.
    pub fn uncompleted_erasures(&self, limit: usize) -> Result<Vec<i64>, StoreError> {
        let sql = "SELECT id FROM erasures WHERE completed_at IS NULL AND erased_at IS NOT NULL
                   ORDER BY id LIMIT ?1";
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map([limit], |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Whether some erasure is not complete: a member is still in the database, or in a file beside it.
    pub fn has_uncompleted_erasures(&self) -> Result<bool, StoreError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM erasures WHERE completed_at IS NULL)";
        Ok(self.connection.query_row(sql, [], |row| row.get(0))?)
    }

    /// How many erasures that were asked for before an instant are not complete, of each gym that has
    /// some.
    pub fn erasures_waiting(&self, before: Millis) -> Result<HashMap<GymId, i64>, StoreError> {
        let sql = "SELECT gym, count(*) FROM erasures
                   WHERE completed_at IS NULL AND requested_at < ?1 GROUP BY gym";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map([before], |row| Ok((GymId(row.get(0)?), row.get(1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Erasures at some gyms, newest first, from before an id on.
    pub fn erasures(
        &self,
        gyms: &[GymId],
        before: i64,
        limit: usize,
    ) -> Result<Vec<Erasure>, StoreError> {
        let gyms: Vec<i64> = gyms.iter().map(|gym| gym.0).collect();
        let gyms = serde_json::to_string(&gyms).expect("numbers can be written");
        let sql = format!(
            "SELECT {COLUMNS} FROM erasures
             WHERE id < ?1 AND gym IN (SELECT value FROM json_each(?2)) ORDER BY id DESC LIMIT ?3"
        );
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut statement = self.connection.prepare_cached(&sql)?;
        let rows = statement.query_and_then(params![before, gyms, limit], erasure_from)?;
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
    pub fn put_tombstone(&mut self, entry: &LedgerEntry) -> Result<(), StoreError> {
        let sql = "INSERT INTO tombstones (gym, account_hash, erased_until) SELECT ?1, ?2, ?3
                   WHERE NOT EXISTS (SELECT 1 FROM gyms WHERE id = ?1 AND removed_at IS NOT NULL)
                   ON CONFLICT DO UPDATE SET erased_until = max(erased_until, excluded.erased_until)";
        let values = params![entry.gym.0, entry.account_hash, entry.erased_until];
        self.transaction.prepare_cached(sql)?.execute(values)?;
        Ok(())
    }

    /// Notes that a member must be erased, cut and up to when, and returns the record's id; none where
    /// it is about somebody who is only mentioned.
    pub fn add_erasure(
        &mut self,
        gym: GymId,
        member: Option<MemberId>,
        (cut_at, erased_until): (Millis, Millis),
        reason: ErasureReason,
        now: Millis,
    ) -> Result<i64, StoreError> {
        let sql = "INSERT INTO erasures (gym, member, erased_until, reason, requested_at, cut_at)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        let member = member.map(|member| member.0);
        let values = params![gym.0, member, erased_until, reason.name(), now, cut_at];
        self.transaction.prepare_cached(sql)?.execute(values)?;
        self.asks_to_erase = true;
        Ok(self.transaction.last_insert_rowid())
    }

    /// Notes that the member of an erasure is gone from the database.
    pub fn mark_erased(&mut self, id: i64, now: Millis) -> Result<(), StoreError> {
        let sql = "UPDATE erasures SET member = NULL, erased_at = ?2 WHERE id = ?1";
        self.transaction.prepare_cached(sql)?.execute([id, now])?;
        Ok(())
    }

    /// Counts events that went by an erasure.
    pub fn add_erased(&mut self, id: i64, events: usize) -> Result<(), StoreError> {
        let sql = "UPDATE erasures SET events = coalesce(events, 0) + ?2 WHERE id = ?1";
        let events = i64::try_from(events).unwrap_or(i64::MAX);
        self.transaction.prepare_cached(sql)?.execute([id, events])?;
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

    /// Writes zeros over a member's account, in place.
    pub fn forget_account(&mut self, member: MemberId) -> Result<(), StoreError> {
        let sql = "UPDATE members SET account = zeroblob(16), account_key = ?2 WHERE id = ?1";
        let nobody = super::key::random_account_key();
        self.transaction.prepare_cached(sql)?.execute([member.0, nobody])?;
        Ok(())
    }

    /// The same, of a member who has no events any more, nor anything that is frozen. A member whom
    /// an erasure still looks for stays known to it.
    pub fn forget_account_without_events(&mut self, member: MemberId) -> Result<(), StoreError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM receipts JOIN gyms USING (generation)
                           WHERE member = ?1)
                       OR EXISTS (SELECT 1 FROM member_days JOIN gyms USING (generation)
                           WHERE member = ?1)
                       OR EXISTS (SELECT 1 FROM erasures
                           WHERE completed_at IS NULL AND member = ?1)";
        let mut statement = self.transaction.prepare_cached(sql)?;
        let is_needed = statement.query_row([member.0], |row| row.get::<_, bool>(0))?;
        drop(statement);
        if is_needed { Ok(()) } else { self.forget_account(member) }
    }

    /// Another member of the same account: who comes after an erasure is a new one.
    pub fn add_member(&mut self, person: &Person) -> Result<MemberId, StoreError> {
        let sql = "INSERT INTO members (gym, account, account_key) VALUES (?1, ?2, ?3)";
        let mut statement = self.transaction.prepare_cached(sql)?;
        let Person { gym, account, .. } = person;
        statement.execute(params![gym.0, account.0.as_bytes(), person.account_key()])?;
        Ok(MemberId(self.transaction.last_insert_rowid()))
    }

    /// Deletes events from the log, and empties what they held that we do not know.
    pub fn delete_events(&mut self, positions: &[Position]) -> Result<(), StoreError> {
        for sql in [
            "DELETE FROM events WHERE position = ?1",
            "UPDATE extras SET fields = NULL WHERE position = ?1",
            "DELETE FROM import_deliveries WHERE position = ?1",
        ] {
            let mut statement = self.transaction.prepare_cached(sql)?;
            for position in positions {
                statement.execute([position.0])?;
            }
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
        cut_at: row.get(9)?,
    })
}
