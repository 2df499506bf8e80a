//! Visits that an erasure left to end: until the instant at which a deletion that was stamped some
//! minutes ahead cuts them, their member is present, though nothing is stored of them any more.

use rusqlite::params;

use super::database::Snapshot;
use super::error::StoreError;
use super::tx::Tx;
use crate::domain::Millis;
use crate::domain::ids::GymId;

/// How many of them are present.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Lingering {
    pub present: u32,
    /// Of these, entered by a check-in.
    pub observed: u32,
}

impl Snapshot<'_> {
    pub fn lingering(&self, gym: GymId, now: Millis) -> Result<Lingering, StoreError> {
        let sql = "SELECT count(*), coalesce(sum(observed), 0) FROM lingering
                   WHERE gym = ?1 AND since <= ?2 AND until > ?2";
        let mut statement = self.connection.prepare_cached(sql)?;
        let found = statement.query_row(params![gym.0, now], |row| {
            Ok(Lingering { present: row.get(0)?, observed: row.get(1)? })
        });
        Ok(found?)
    }
}

impl Tx<'_> {
    /// Lets the presence of somebody who is erased end later.
    /// `since` is not before now, so that it tells nothing of when they came.
    pub fn let_linger(
        &mut self,
        gym: GymId,
        (since, until): (Millis, Millis),
        observed: bool,
    ) -> Result<(), StoreError> {
        let sql = "INSERT INTO lingering (gym, since, until, observed) VALUES (?1, ?2, ?3, ?4)";
        self.transaction.execute(sql, params![gym.0, since, until, observed])?;
        Ok(())
    }

    /// Forgets those that have ended.
    pub fn forget_lingering(&mut self, now: Millis) -> Result<(), StoreError> {
        self.transaction.execute("DELETE FROM lingering WHERE until <= ?1", [now])?;
        Ok(())
    }
}
