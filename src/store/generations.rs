//! Generations: builds of a gym's projection, and how those that nobody reads are cleared away.

use rusqlite::params;

use super::database::Snapshot;
use super::error::StoreError;
use super::tallies::first_slot;
use super::tx::Tx;
use crate::domain::ids::{Generation, GymId, Position};
use crate::domain::tally::COUNTING_VERSION;

impl Snapshot<'_> {
    /// Builds that no gym reads: still growing, or left over.
    pub fn unread_generations(&self) -> Result<Vec<Generation>, StoreError> {
        let sql = "SELECT id FROM generations WHERE id NOT IN (SELECT generation FROM gyms)";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map([], |row| Ok(Generation(row.get(0)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// By which version of what is counted a build was made.
    pub fn counting_version(&self, generation: Generation) -> Result<u32, StoreError> {
        let sql = "SELECT version FROM generations WHERE id = ?1";
        Ok(self.connection.prepare_cached(sql)?.query_row([generation.0], |row| row.get(0))?)
    }

    /// Gyms that are read from a build of an earlier version.
    pub fn gyms_to_count_anew(&self) -> Result<Vec<GymId>, StoreError> {
        let sql = "SELECT gyms.id FROM gyms JOIN generations ON generations.id = gyms.generation
                   WHERE version < ?1 ORDER BY gyms.id";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map([COUNTING_VERSION], |row| Ok(GymId(row.get(0)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Whether an erasure passed a build by.
    pub fn is_stale(&self, generation: Generation) -> Result<bool, StoreError> {
        let sql = "SELECT stale FROM generations WHERE id = ?1";
        Ok(self.connection.query_row(sql, [generation.0], |row| row.get(0))?)
    }
}

impl Tx<'_> {
    /// A number for a new build of a projection: of a gym that is there already, or of one to come.
    pub fn new_generation(&mut self, gym: Option<GymId>) -> Result<Generation, StoreError> {
        let sql = "INSERT INTO generations (gym, version) VALUES (?1, ?2)";
        self.transaction.execute(sql, params![gym.map(|gym| gym.0), COUNTING_VERSION])?;
        Ok(Generation(self.transaction.last_insert_rowid()))
    }

    /// Claims, once for each gym, the work of counting what was frozen before activity was.
    pub fn claim_frozen_activity(&mut self, gym: GymId) -> Result<bool, StoreError> {
        let sql = "UPDATE gyms SET frozen_activity = 1 WHERE id = ?1 AND frozen_activity = 0";
        Ok(self.transaction.prepare_cached(sql)?.execute([gym.0])? > 0)
    }

    /// Notes how far a build has come.
    pub fn note_built(
        &mut self,
        generation: Generation,
        position: Position,
    ) -> Result<(), StoreError> {
        let sql = "UPDATE generations SET position = ?2 WHERE id = ?1";
        self.transaction.prepare_cached(sql)?.execute([generation.0, position.0])?;
        Ok(())
    }

    /// Removes about that many rows of a generation; true when nothing of it is left.
    pub fn clear_generation(
        &mut self,
        generation: Generation,
        rows_max: usize,
    ) -> Result<bool, StoreError> {
        for table in ["receipts", "member_days"] {
            let sql = format!(
                "DELETE FROM {table} WHERE generation = ?1 AND member <= coalesce(
                     (SELECT member FROM {table} WHERE generation = ?1
                      ORDER BY member LIMIT 1 OFFSET {rows_max}), 9223372036854775807)"
            );
            if self.transaction.execute(&sql, [generation.0])? >= rows_max {
                return Ok(false);
            }
        }
        let (from, until) = (first_slot(generation.0), first_slot(generation.0 + 1));
        let sql = format!(
            "DELETE FROM tallies WHERE slot IN
                 (SELECT slot FROM tallies WHERE slot >= ?1 AND slot < ?2 LIMIT {rows_max})"
        );
        if self.transaction.execute(&sql, [from, until])? >= rows_max {
            return Ok(false);
        }
        self.transaction.execute("DELETE FROM generations WHERE id = ?1", [generation.0])?;
        Ok(true)
    }
}
