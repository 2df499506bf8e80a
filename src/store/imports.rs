//! Imports: what each brought to the log, and what of it was there already, so that an import can be
//! undone. Kept as runs of positions; no account stands here.

use std::fs;

use rusqlite::{Row, params};

use super::codec::Damaged;
use super::database::{Database, Snapshot};
use super::error::StoreError;
use super::files::try_lock;
use super::gyms::optional;
use super::tx::Tx;
use crate::domain::Millis;
use crate::domain::ids::Position;

/// The lock of the one command that may import, or undo an import, at a time.
pub(super) const IMPORT_LOCK_FILE: &str = "footfall.import.lock";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImportState {
    /// It runs, or was interrupted.
    Open,
    Done,
    Undoing,
    Undone,
}

impl ImportState {
    const ALL: [ImportState; 4] =
        [ImportState::Open, ImportState::Done, ImportState::Undoing, ImportState::Undone];

    pub fn name(self) -> &'static str {
        match self {
            ImportState::Open => "open",
            ImportState::Done => "done",
            ImportState::Undoing => "undoing",
            ImportState::Undone => "undone",
        }
    }
}

/// An import, and how far it was undone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    pub id: i64,
    pub file: String,
    pub gyms: Vec<String>,
    pub started_at: Millis,
    pub state: ImportState,
    /// Events that it brought.
    pub brought: i64,
    /// Events that were there already.
    pub duplicate: i64,
    pub undone_to: Position,
    pub undone_at: Option<Millis>,
    pub undone: Undone,
}

/// What came of undoing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Undone {
    /// Events that left the log again.
    pub taken_back: i64,
    /// Events that stay, because something else brought them too.
    pub kept: i64,
    /// Events that had gone before: erased, or older than the gym keeps events.
    pub gone: i64,
}

/// Positions from the first to the last that an import speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImportRun {
    pub import: i64,
    pub is_brought: bool,
    pub first: Position,
    pub last: Position,
    pub started_at: Millis,
    /// Whether that import still holds: it was not undone.
    pub holds: bool,
}

impl ImportRun {
    pub fn contains(&self, position: Position) -> bool {
        self.first <= position && position <= self.last
    }
}

/// A delivery of an event that an import had brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LaterDelivery {
    pub position: Position,
    pub received_at: Millis,
    pub is_settled: bool,
}

const COLUMNS: &str = "id, file, gyms, started_at, state, brought, duplicate, undone_to, \
                       undone_at, taken_back, kept, gone";

impl Database {
    /// Claims the folder for one import or undo, until what is returned is dropped.
    pub fn lock_import(&self) -> Result<fs::File, StoreError> {
        let lock = try_lock(&self.folder().join(IMPORT_LOCK_FILE))?;
        let busy = "another import runs, or is being undone; wait for it";
        lock.ok_or_else(|| StoreError::Refused(busy.to_owned()))
    }
}

impl Snapshot<'_> {
    /// All imports, the newest first.
    pub fn imports(&self) -> Result<Vec<Import>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM imports ORDER BY id DESC");
        let mut statement = self.connection.prepare_cached(&sql)?;
        let rows = statement.query_and_then([], import_from)?;
        rows.collect()
    }

    pub fn import(&self, id: i64) -> Result<Option<Import>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM imports WHERE id = ?1");
        let mut statement = self.connection.prepare_cached(&sql)?;
        let mut rows = statement.query_and_then([id], import_from)?;
        rows.next().transpose()
    }

    /// The first position after another that an import speaks of.
    pub fn next_of_import(
        &self,
        import: i64,
        after: Position,
    ) -> Result<Option<Position>, StoreError> {
        let sql = "SELECT min(max(first, ?2 + 1)) FROM import_runs WHERE import = ?1 AND last > ?2";
        let mut statement = self.connection.prepare_cached(sql)?;
        let next: Option<i64> = statement.query_row([import, after.0], |row| row.get(0))?;
        Ok(next.map(Position))
    }

    /// What imports say of positions from the first to the last.
    pub fn import_runs(
        &self,
        first: Position,
        last: Position,
    ) -> Result<Vec<ImportRun>, StoreError> {
        let sql = "SELECT import, import_runs.brought, first, last, started_at,
                       state IN ('open', 'done')
                   FROM import_runs JOIN imports ON imports.id = import
                   WHERE first <= ?2 AND last >= ?1";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map([first.0, last.0], |row| {
            Ok(ImportRun {
                import: row.get(0)?,
                is_brought: row.get(1)?,
                first: Position(row.get(2)?),
                last: Position(row.get(3)?),
                started_at: row.get(4)?,
                holds: row.get(5)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Which of the events from the first to the last position were delivered later, too.
    pub fn later_deliveries(
        &self,
        first: Position,
        last: Position,
    ) -> Result<Vec<LaterDelivery>, StoreError> {
        let sql = "SELECT position, received_at, settled FROM import_deliveries
                   WHERE position BETWEEN ?1 AND ?2";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map([first.0, last.0], |row| {
            let position = Position(row.get(0)?);
            Ok(LaterDelivery { position, received_at: row.get(1)?, is_settled: row.get(2)? })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

impl Tx<'_> {
    /// Begins an import, and returns its id.
    pub fn add_import(&mut self, file: &str, now: Millis) -> Result<i64, StoreError> {
        let sql = "INSERT INTO imports (file, started_at) VALUES (?1, ?2)";
        self.transaction.execute(sql, params![file, now])?;
        Ok(self.transaction.last_insert_rowid())
    }

    /// Notes events that an import brought, or that were there already when it came with them.
    pub fn add_to_import(
        &mut self,
        import: i64,
        is_brought: bool,
        mut positions: Vec<Position>,
    ) -> Result<(), StoreError> {
        positions.sort_unstable();
        positions.dedup();
        for run in positions.chunk_by(|a, b| a.0 + 1 == b.0) {
            self.add_import_run(import, is_brought, run[0], run[run.len() - 1])?;
        }
        let column = if is_brought { "brought" } else { "duplicate" };
        let sql = format!("UPDATE imports SET {column} = {column} + ?2 WHERE id = ?1");
        let count = i64::try_from(positions.len()).unwrap_or(i64::MAX);
        self.transaction.prepare_cached(&sql)?.execute([import, count])?;
        Ok(())
    }

    /// A run that goes on where another ends makes that longer.
    fn add_import_run(
        &mut self,
        import: i64,
        is_brought: bool,
        first: Position,
        last: Position,
    ) -> Result<(), StoreError> {
        let sql = "SELECT first, last FROM import_runs
                   WHERE import = ?1 AND brought = ?2 AND first < ?3 ORDER BY first DESC LIMIT 1";
        let before: Option<(i64, i64)> = optional(
            self.transaction
                .prepare_cached(sql)?
                .query_row(params![import, is_brought, first.0], |row| {
                    Ok((row.get(0)?, row.get(1)?))
                }),
        )?;
        let before = before.filter(|(_, end)| *end >= first.0 - 1);
        let first = before.map_or(first.0, |(start, _)| start);
        let sql = "INSERT INTO import_runs (import, brought, first, last) VALUES (?1, ?2, ?3, ?4)
                   ON CONFLICT DO UPDATE SET last = max(last, excluded.last)";
        let values = params![import, is_brought, first, last.0];
        self.transaction.prepare_cached(sql)?.execute(values)?;
        Ok(())
    }

    /// Notes that all of an import is in the log, and of which gyms its events are.
    pub fn finish_import(&mut self, import: i64, gyms: &[String]) -> Result<(), StoreError> {
        let sql = "UPDATE imports SET state = 'done', gyms = ?2 WHERE id = ?1 AND state = 'open'";
        self.transaction.execute(sql, params![import, gyms.join(", ")])?;
        Ok(())
    }

    /// Notes how far an import was undone.
    pub fn note_undoing(
        &mut self,
        import: i64,
        to: Position,
        undone: Undone,
    ) -> Result<(), StoreError> {
        let sql = "UPDATE imports SET state = 'undoing', undone_to = ?2,
                       taken_back = taken_back + ?3, kept = kept + ?4, gone = gone + ?5
                   WHERE id = ?1";
        let Undone { taken_back, kept, gone } = undone;
        let values = [import, to.0, taken_back, kept, gone];
        self.transaction.prepare_cached(sql)?.execute(values)?;
        Ok(())
    }

    pub fn finish_undoing(&mut self, import: i64, now: Millis) -> Result<(), StoreError> {
        let sql = "UPDATE imports SET state = 'undone', undone_at = ?2 WHERE id = ?1";
        self.transaction.execute(sql, [import, now])?;
        Ok(())
    }

    /// Notes that a delivery came with an event which an import had brought.
    pub fn note_later_delivery(
        &mut self,
        position: Position,
        received_at: Millis,
    ) -> Result<(), StoreError> {
        let sql = "INSERT INTO import_deliveries (position, received_at)
                   SELECT ?1, ?2 WHERE ?1 <= (SELECT last FROM import_runs
                       WHERE brought = 1 AND first <= ?1 ORDER BY first DESC LIMIT 1)
                   ON CONFLICT DO NOTHING";
        self.transaction.prepare_cached(sql)?.execute([position.0, received_at])?;
        Ok(())
    }

    /// An event that an import brought is that of a delivery from now on.
    pub fn settle_delivery(&mut self, delivery: LaterDelivery) -> Result<(), StoreError> {
        let position = delivery.position.0;
        let sql = "UPDATE events SET imported = 0, received_at = ?2 WHERE position = ?1";
        self.transaction.prepare_cached(sql)?.execute([position, delivery.received_at])?;
        let sql = "UPDATE import_deliveries SET settled = 1 WHERE position = ?1";
        self.transaction.prepare_cached(sql)?.execute([position])?;
        Ok(())
    }
}

fn import_from(row: &Row<'_>) -> Result<Import, StoreError> {
    let (gyms, state): (String, String) = (row.get(2)?, row.get(4)?);
    let state = ImportState::ALL.into_iter().find(|known| known.name() == state);
    Ok(Import {
        id: row.get(0)?,
        file: row.get(1)?,
        gyms: gyms.split(", ").filter(|gym| !gym.is_empty()).map(str::to_owned).collect(),
        started_at: row.get(3)?,
        state: state.ok_or(Damaged)?,
        brought: row.get(5)?,
        duplicate: row.get(6)?,
        undone_to: Position(row.get(7)?),
        undone_at: row.get(8)?,
        undone: Undone { taken_back: row.get(9)?, kept: row.get(10)?, gone: row.get(11)? },
    })
}
