//! The witnessed time, and the cutting back of what was written down by a clock that was ahead.
//! What may be believed is not decided here.

use rusqlite::params;

use super::database::Snapshot;
use super::error::StoreError;
use super::gyms::optional;
use super::ledger::LedgerEntry;
use super::tx::Tx;
use crate::domain::Millis;
use crate::domain::ids::GymId;
use crate::domain::witness::Witness;

impl Snapshot<'_> {
    /// The time that was witnessed; none before anything was.
    pub fn witness(&self) -> Result<Option<Witness>, StoreError> {
        let sql = "SELECT at, unconfirmed, lead, behind_since FROM witness";
        let mut statement = self.connection.prepare_cached(sql)?;
        optional(statement.query_row([], |row| {
            Ok(Witness {
                at: row.get(0)?,
                unconfirmed: row.get(1)?,
                lead: row.get(2)?,
                behind_since: row.get(3)?,
            })
        }))
    }

    /// How many runs of retention were left out.
    pub fn retention_skipped(&self) -> Result<i64, StoreError> {
        let sql = "SELECT coalesce(max(skipped), 0) FROM witness";
        Ok(self.connection.prepare_cached(sql)?.query_row([], |row| row.get(0))?)
    }

    /// Tombstones that lie after an instant.
    pub fn tombstones_after(&self, after: Millis) -> Result<Vec<LedgerEntry>, StoreError> {
        let sql = "SELECT gym, account_hash, erased_until FROM tombstones WHERE erased_until > ?1";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map([after], |row| {
            Ok(LedgerEntry {
                gym: GymId(row.get(0)?),
                account_hash: row.get(1)?,
                erased_until: row.get(2)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

impl Tx<'_> {
    /// The time that was witnessed, read once in a transaction.
    pub fn witness(&mut self) -> Result<Option<Witness>, StoreError> {
        if self.witness.is_none() {
            self.witness = self.view().witness()?;
        }
        Ok(self.witness)
    }

    /// Notes the time that was witnessed.
    pub fn set_witness(&mut self, witness: Witness) -> Result<(), StoreError> {
        let sql = "INSERT INTO witness (id, at, unconfirmed, lead, behind_since)
                       VALUES (1, ?1, ?2, ?3, ?4)
                   ON CONFLICT DO UPDATE SET at = excluded.at, unconfirmed = excluded.unconfirmed,
                       lead = excluded.lead, behind_since = excluded.behind_since";
        let Witness { at, unconfirmed, lead, behind_since } = witness;
        let values = params![at, unconfirmed, lead, behind_since];
        self.transaction.prepare_cached(sql)?.execute(values)?;
        self.witness = None;
        Ok(())
    }

    /// Counts a run of retention that was left out.
    pub fn count_retention_skipped(&mut self) -> Result<(), StoreError> {
        self.transaction.execute("UPDATE witness SET skipped = skipped + 1", [])?;
        Ok(())
    }

    /// Cuts back to the first right reading what lies after what may stand: it was written down by a clock that was
    /// ahead. A horizon, a session, a link and what was told there are gone. Returns how many rows.
    pub fn cut_back(&mut self, to: Millis, latest: &Latest) -> Result<usize, StoreError> {
        let mut changed = 0;
        for sql in CUT_BACK {
            changed += self.transaction.execute(sql, params![to, latest.moment])?;
        }
        let sql = "UPDATE users SET link_hash = NULL, link_until = NULL WHERE link_until > ?1";
        changed += self.transaction.execute(sql, [latest.link])?;
        let sql = "UPDATE webhooks SET old_secret_until = ?1 WHERE old_secret_until > ?1";
        changed += self.transaction.execute(sql, [latest.old_secret])?;
        self.forget_gyms();
        self.forget_webhooks();
        Ok(changed)
    }
}

/// The latest instants that may stand in the database at a moment.
#[derive(Debug, Clone, Copy)]
pub struct Latest {
    /// Of what has happened.
    pub moment: Millis,
    /// To which a link may be good.
    pub link: Millis,
    /// To which a webhook's secret before the last change may be good.
    pub old_secret: Millis,
}

/// Each with the first right reading, and the latest moment that may stand.
const CUT_BACK: [&str; 12] = [
    "UPDATE tombstones SET erased_until = ?1 WHERE erased_until > ?2",
    "UPDATE erasures SET cut_at = min(cut_at, ?1), erased_until = min(erased_until, ?1),
         requested_at = min(requested_at, ?1), erased_at = min(erased_at, ?1),
         completed_at = min(completed_at, ?1)
     WHERE max(coalesce(cut_at, 0), erased_until, requested_at, coalesce(erased_at, 0), coalesce(completed_at, 0)) > ?2",
    "UPDATE gyms SET frozen_until = NULL, revision = revision + 1
     WHERE frozen_until > ?2 AND ?1 IS NOT NULL",
    "UPDATE quarantine SET received_at = ?1 WHERE received_at > ?2",
    "UPDATE webhooks SET created_at = min(created_at, ?1),
         last_delivery_at = min(last_delivery_at, ?1), last_test_at = min(last_test_at, ?1),
         first_heard_at = min(first_heard_at, ?1),
         secret_tested_at = min(secret_tested_at, ?1)
     WHERE max(created_at, coalesce(last_delivery_at, 0), coalesce(last_test_at, 0)) > ?2",
    "DELETE FROM notices WHERE at > ?2 AND ?1 IS NOT NULL",
    "DELETE FROM sessions WHERE last_used_at > ?2 AND ?1 IS NOT NULL",
    "UPDATE tokens SET created_at = min(created_at, ?1), last_used_at = min(last_used_at, ?1)
     WHERE max(created_at, coalesce(last_used_at, 0)) > ?2",
    "UPDATE users SET created_at = ?1 WHERE created_at > ?2",
    "UPDATE gyms SET archived_at = ?1 WHERE archived_at > ?2",
    "UPDATE import_deliveries SET received_at = ?1 WHERE received_at > ?2",
    "UPDATE imports SET started_at = min(started_at, ?1), undone_at = min(undone_at, ?1)
     WHERE max(started_at, coalesce(undone_at, 0)) > ?2",
];
