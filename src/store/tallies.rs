//! Tallies and frozen sums. A row holds all cells of one family and bucket.

use std::collections::BTreeMap;

use rusqlite::params;

use super::codec;
use super::database::Snapshot;
use super::error::StoreError;
use super::tx::Tx;
use crate::domain::ids::{Generation, GymId};
use crate::domain::report::Series;
use crate::domain::tally::{Cells, Contributions, Family, Key};

const FAMILY_SHIFT: u32 = 20;
const OWNER_SHIFT: u32 = 28;
/// The largest bucket a slot can name.
const BUCKET_MAX: i32 = (1 << FAMILY_SHIFT) - 1;

/// Sums by family and bucket.
pub type Sums = BTreeMap<(Family, i32), Cells>;

/// The two tables of sums, which have one shape.
#[derive(Clone, Copy)]
enum Table {
    Tallies,
    Frozen,
}

impl Table {
    fn name(self) -> &'static str {
        match self {
            Table::Tallies => "tallies",
            Table::Frozen => "frozen",
        }
    }

    /// What reads a row, adds it, changes it and deletes it.
    fn of_one_row(self) -> [&'static str; 4] {
        match self {
            Table::Tallies => [
                "SELECT cells FROM tallies WHERE slot = ?1",
                "INSERT INTO tallies (slot, cells) VALUES (?1, ?2)",
                "UPDATE tallies SET cells = ?2 WHERE slot = ?1",
                "DELETE FROM tallies WHERE slot = ?1 AND ?2 IS NOT NULL",
            ],
            Table::Frozen => [
                "SELECT cells FROM frozen WHERE slot = ?1",
                "INSERT INTO frozen (slot, cells) VALUES (?1, ?2)",
                "UPDATE frozen SET cells = ?2 WHERE slot = ?1",
                "DELETE FROM frozen WHERE slot = ?1 AND ?2 IS NOT NULL",
            ],
        }
    }
}

/// One number for owner, family and bucket. Buckets are counted from 1970 and events are not
/// older than 2015, so they are positive; 20 bits of days reach beyond the year 4000.
fn slot(owner: i64, family: Family, bucket: i32) -> i64 {
    debug_assert!((0..1 << FAMILY_SHIFT).contains(&bucket), "buckets are after 1970");
    owner << OWNER_SHIFT | (family as i64) << FAMILY_SHIFT | i64::from(bucket)
}

/// The least slot of an owner.
pub(super) fn first_slot(owner: i64) -> i64 {
    owner << OWNER_SHIFT
}

fn bucket_of(slot: i64) -> i32 {
    (slot & ((1 << FAMILY_SHIFT) - 1)) as i32
}

impl Snapshot<'_> {
    /// The tallies of one family in the buckets `[from, until)`.
    pub fn series(
        &self,
        generation: Generation,
        family: Family,
        from: i32,
        until: i32,
    ) -> Result<Series, StoreError> {
        let range =
            slot(generation.0, family, from.max(0))..slot(generation.0, family, until.max(0));
        let rows = self.rows(Table::Tallies, range.start, range.end)?;
        Ok(Series(rows.into_iter().map(|(slot, cells)| (bucket_of(slot), cells)).collect()))
    }

    /// The first bucket of a family at or after `from` that holds anything.
    pub fn first_bucket(
        &self,
        generation: Generation,
        family: Family,
        from: i32,
    ) -> Result<Option<(i32, Cells)>, StoreError> {
        let from = slot(generation.0, family, from.max(0));
        let sql = "SELECT slot, cells FROM tallies WHERE slot >= ?1 AND slot < ?2
                   ORDER BY slot LIMIT 1";
        self.one_bucket(sql, from, slot(generation.0, family, 0) + (1 << FAMILY_SHIFT))
    }

    /// The last bucket of a family at or before `until` that holds anything.
    pub fn last_bucket(
        &self,
        generation: Generation,
        family: Family,
        until: i32,
    ) -> Result<Option<(i32, Cells)>, StoreError> {
        let until = slot(generation.0, family, until.clamp(0, BUCKET_MAX)) + 1;
        let sql = "SELECT slot, cells FROM tallies WHERE slot >= ?1 AND slot < ?2
                   ORDER BY slot DESC LIMIT 1";
        self.one_bucket(sql, slot(generation.0, family, 0), until)
    }

    fn one_bucket(
        &self,
        sql: &str,
        from: i64,
        until: i64,
    ) -> Result<Option<(i32, Cells)>, StoreError> {
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query([from, until])?;
        let Some(row) = rows.next()? else { return Ok(None) };
        let blob = row.get_ref(1)?.as_blob().map_err(|_| super::Damaged)?;
        Ok(Some((bucket_of(row.get(0)?), codec::cells_from_blob(blob)?)))
    }

    /// All tallies of a generation.
    pub fn all_tallies(&self, generation: Generation) -> Result<Sums, StoreError> {
        self.sums(Table::Tallies, generation.0)
    }

    /// All frozen sums of a gym.
    pub fn all_frozen(&self, gym: GymId) -> Result<Sums, StoreError> {
        self.sums(Table::Frozen, gym.0)
    }

    /// Whether a gym has frozen sums by local days, which know their time zone.
    pub fn has_frozen_days(&self, gym: GymId) -> Result<bool, StoreError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM frozen WHERE slot >= ?1 AND slot < ?2)";
        let (from, until) = (slot(gym.0, Family::Members, 0), first_slot(gym.0 + 1));
        Ok(self.connection.query_row(sql, [from, until], |row| row.get(0))?)
    }

    fn sums(&self, table: Table, owner: i64) -> Result<Sums, StoreError> {
        let mut sums = Sums::new();
        for family in Family::ALL {
            let start = slot(owner, family, 0);
            for (slot, cells) in self.rows(table, start, start + (1 << FAMILY_SHIFT))? {
                sums.insert((family, bucket_of(slot)), cells);
            }
        }
        Ok(sums)
    }

    fn rows(&self, table: Table, from: i64, until: i64) -> Result<Vec<(i64, Cells)>, StoreError> {
        let sql = format!(
            "SELECT slot, cells FROM {} WHERE slot >= ?1 AND slot < ?2 ORDER BY slot",
            table.name()
        );
        let mut statement = self.connection.prepare_cached(&sql)?;
        let mut rows = statement.query([from, until])?;
        let mut cells = Vec::new();
        while let Some(row) = rows.next()? {
            let blob = row.get_ref(1)?.as_blob().map_err(|_| super::Damaged)?;
            cells.push((row.get(0)?, codec::cells_from_blob(blob)?));
        }
        Ok(cells)
    }
}

impl Tx<'_> {
    /// Adds to a generation's tallies.
    pub fn add_tallies(&mut self, generation: Generation, additions: Contributions) {
        for (Key { family, bucket, cell }, value) in additions {
            let slot = slot(generation.0, family, bucket);
            self.tallies.entry(slot).or_default().push((cell, value));
        }
    }

    /// Adds to a gym's frozen sums; its tallies must get the same.
    pub fn add_frozen(&mut self, gym: GymId, additions: &Contributions) {
        for (Key { family, bucket, cell }, value) in additions {
            let slot = slot(gym.0, *family, *bucket);
            self.frozen.entry(slot).or_default().push((*cell, *value));
        }
    }

    pub(super) fn flush_tallies(&mut self) -> Result<(), StoreError> {
        for (slot, additions) in std::mem::take(&mut self.tallies) {
            self.add_to_row(Table::Tallies, slot, &Cells::sum(additions))?;
        }
        for (slot, additions) in std::mem::take(&mut self.frozen) {
            self.add_to_row(Table::Frozen, slot, &Cells::sum(additions))?;
        }
        Ok(())
    }

    fn add_to_row(&self, table: Table, slot: i64, additions: &Cells) -> Result<(), StoreError> {
        if additions.is_empty() {
            return Ok(());
        }
        let [select, insert, update, delete] = table.of_one_row();
        let stored = {
            let mut statement = self.transaction.statement(select)?;
            let mut rows = statement.query([slot])?;
            match rows.next()? {
                Some(row) => {
                    let blob = row.get_ref(0)?.as_blob().map_err(|_| super::Damaged)?;
                    Some(codec::cells_from_blob(blob)?)
                }
                None => None,
            }
        };
        let sum = stored.as_ref().map_or_else(|| additions.clone(), |cells| cells.plus(additions));
        let sql = match (stored.is_some(), sum.is_empty()) {
            (_, true) => delete,
            (true, false) => update,
            (false, false) => insert,
        };
        self.transaction.statement(sql)?.execute(params![slot, codec::cells_to_blob(&sum)])?;
        Ok(())
    }

    /// Adds whole cells to a generation's tallies.
    pub fn add_cells(&mut self, owner: Generation, family: Family, bucket: i32, cells: &Cells) {
        self.tallies.entry(slot(owner.0, family, bucket)).or_default().extend(cells.iter());
    }
}
