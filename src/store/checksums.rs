//! Checksums: what stands in the database and nothing else says again, as a sum of hashes of rows
//! for each table, so that `verify` finds a row that changed without footfall.
//!
//! They are kept by triggers of each connection that writes, not of the schema: whatever the code
//! changes, now or later, they see. Only what is added to the log is noted where it is added. What
//! another program writes is a difference, as damage is. A table whose rows are proved by others
//! (receipts by the log, tallies by receipts, members by their keys) has none. Of the log and its
//! extras, which may be large, only rows are summed that were added since the sum was first taken.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, TransactionBehavior, params};
use sha2::{Digest, Sha256};

use super::database::{Database, Snapshot};
use super::error::StoreError;
use super::gyms::optional;

/// Tables without a checksum, and why not.
const WITHOUT: [&str; 7] = [
    // Proved by the log, folded.
    "receipts",
    // Proved by receipts and frozen sums; and the frozen sums by them.
    "tallies",
    "frozen",
    // Proved by their keys.
    "members",
    // Tells nothing but that it was written.
    "heartbeat",
    // Proved by the key, and by the mark.
    "identity",
    "checksums",
];
/// Tables that grow for ever, with the column that their rows are added by.
const GROWING: [(&str, &str); 2] = [("events", "position"), ("extras", "position")];

/// Tables whose rows are added in one place, which notes them itself by [`Sums::note`]: for each row
/// that fires a trigger, SQLite runs another program and keeps a journal of the statement. That is
/// much for a table that every delivery adds to.
const NOTED_WHEN_ADDED: [&str; 1] = ["events"];

/// Changes of the sums in the transaction under way. There is one at most: SQLite lets one
/// connection write at a time.
#[derive(Clone, Default)]
pub(super) struct Sums(Arc<Mutex<BTreeMap<String, i64>>>);

impl Sums {
    fn changes(&self) -> MutexGuard<'_, BTreeMap<String, i64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a row that was added to a table, or with -1 removed: all its values, in order.
    pub fn note<'a>(&self, table: &str, sign: i64, values: impl Iterator<Item = ValueRef<'a>>) {
        let change = hash(values).wrapping_mul(sign);
        let mut changes = self.changes();
        if let Some(sum) = changes.get_mut(table) {
            *sum = sum.wrapping_add(change);
        } else {
            changes.insert(table.to_owned(), change);
        }
    }

    /// Forgets what a transaction changed that was not committed.
    pub fn begin(&self) {
        self.changes().clear();
    }

    /// Writes what the transaction changed.
    pub fn flush(&self, transaction: &Connection) -> Result<(), StoreError> {
        for (table, change) in std::mem::take(&mut *self.changes()) {
            let sql = "SELECT sum FROM checksums WHERE name = ?1";
            let mut statement = transaction.prepare_cached(sql)?;
            let sum: Option<i64> = optional(statement.query_row([&table], |row| row.get(0)))?;
            let Some(sum) = sum else { continue };
            let sql = "UPDATE checksums SET sum = ?2 WHERE name = ?1";
            let values = params![table, sum.wrapping_add(change)];
            transaction.prepare_cached(sql)?.execute(values)?;
        }
        Ok(())
    }

    /// Watches what a connection writes from here on.
    pub fn watch(&self, connection: &Connection) -> Result<(), StoreError> {
        let sums = self.clone();
        let note = move |call: &Context<'_>| {
            let values = (2..call.len()).map(|at| call.get_raw(at));
            sums.note(call.get_raw(0).as_str()?, call.get(1)?, values);
            Ok(0)
        };
        connection.create_scalar_function("note_row", -1, FunctionFlags::SQLITE_UTF8, note)?;
        let mut triggers = String::new();
        let known = taken(connection)?;
        for (table, columns) in tables(connection)? {
            let since = known.iter().find(|taken| taken.table == table).map(|taken| taken.since);
            let watched = Taken { table, columns, since: since.unwrap_or(0), sum: 0 };
            triggers.push_str(&watched.triggers());
        }
        connection.execute_batch(&triggers)?;
        // Else a row that another replaces goes without a word.
        connection.pragma_update(None, "recursive_triggers", true)?;
        Ok(())
    }
}

/// The checksum of a table, as it is stored.
struct Taken {
    table: String,
    /// Its columns when the sum was taken, with commas.
    columns: String,
    /// Of a growing table: rows after this one are summed.
    since: i64,
    sum: i64,
}

impl Taken {
    fn triggers(&self) -> String {
        let Taken { table, columns, .. } = self;
        let row = |of: &str| {
            let columns = columns.split(',').map(|column| format!("{of}.{column}"));
            columns.collect::<Vec<_>>().join(", ")
        };
        let (old, new) = (row("OLD"), row("NEW"));
        let when = |of: &str| match growing_by(table) {
            Some(column) => format!("WHEN {of}.{column} > {}", self.since),
            None => String::new(),
        };
        let added = format!(
            "CREATE TEMP TRIGGER sum_{table}_added AFTER INSERT ON main.{table} {}
                 BEGIN SELECT note_row('{table}', 1, {new}); END;",
            when("NEW"),
        );
        let added = if NOTED_WHEN_ADDED.contains(&table.as_str()) { "" } else { &added };
        format!(
            "{added}
             CREATE TEMP TRIGGER sum_{table}_removed AFTER DELETE ON main.{table} {}
                 BEGIN SELECT note_row('{table}', -1, {old}); END;
             CREATE TEMP TRIGGER sum_{table}_changed AFTER UPDATE ON main.{table} {}
                 BEGIN SELECT note_row('{table}', -1, {old}); SELECT note_row('{table}', 1, {new}); END;",
            when("OLD"),
            when("NEW"),
        )
    }

    /// Stores the sum of the rows that are there.
    fn store(&self, connection: &Connection) -> Result<(), StoreError> {
        let sql = "INSERT OR REPLACE INTO checksums (name, columns, since, sum)
                   VALUES (?1, ?2, ?3, ?4)";
        let sum = self.sum_now(connection)?;
        connection.execute(sql, params![self.table, self.columns, self.since, sum])?;
        Ok(())
    }

    /// The sum of the rows that are there.
    fn sum_now(&self, connection: &Connection) -> Result<i64, StoreError> {
        let Taken { table, columns, since, .. } = self;
        let when = match growing_by(table) {
            Some(column) => format!("WHERE {column} > {since}"),
            None => String::new(),
        };
        let mut statement = connection.prepare(&format!("SELECT {columns} FROM {table} {when}"))?;
        let count = statement.column_count();
        let mut rows = statement.query([])?;
        let mut sum = 0_i64;
        while let Some(row) = rows.next()? {
            let values: Result<Vec<_>, _> = (0..count).map(|at| row.get_ref(at)).collect();
            sum = sum.wrapping_add(hash(values?.into_iter()));
        }
        Ok(sum)
    }
}

/// Takes the sums of tables that have none yet, or other columns than they had; after a migration,
/// of all but the growing ones.
pub(super) fn take(connection: &mut Connection, has_migrated: bool) -> Result<(), StoreError> {
    let known = taken(connection)?;
    let is_known = |table: &str, columns: &str| {
        let same = known.iter().any(|taken| taken.table == table && taken.columns == columns);
        same && (!has_migrated || growing_by(table).is_some())
    };
    let tables = tables(connection)?;
    if tables.iter().all(|(table, columns)| is_known(table, columns)) {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for (table, columns) in tables {
        if is_known(&table, &columns) {
            continue;
        }
        let since = match growing_by(&table) {
            Some(column) => {
                let sql = format!("SELECT coalesce(max({column}), 0) FROM {table}");
                transaction.query_row(&sql, [], |row| row.get(0))?
            }
            None => 0,
        };
        Taken { table, columns, since, sum: 0 }.store(&transaction)?;
    }
    Ok(transaction.commit()?)
}

impl Database {
    /// Takes what stands in every table as right from here on, and names those that were not as
    /// footfall had left them.
    pub fn renew_checksums(&self) -> Result<Vec<String>, StoreError> {
        let wrong = self.read(|snapshot| wrong_tables(snapshot.connection))?;
        if wrong.is_empty() {
            return Ok(wrong);
        }
        let mut connection = self.connect()?;
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let known = taken(&transaction)?;
        for (table, columns) in tables(&transaction)? {
            if wrong.contains(&table) {
                let since = known.iter().find(|taken| taken.table == table);
                let since = since.map_or(0, |taken| taken.since);
                Taken { table, columns, since, sum: 0 }.store(&transaction)?;
            }
        }
        transaction.commit()?;
        Ok(wrong)
    }
}

impl Snapshot<'_> {
    /// Names the tables that are not as footfall left them.
    pub fn wrong_checksums(&self) -> Result<Vec<String>, StoreError> {
        let wrong = wrong_tables(self.connection)?;
        let told = wrong.iter().map(|table| {
            format!("the table {table} is not as footfall left it: damaged, or written by another")
        });
        Ok(told.collect())
    }
}

fn wrong_tables(connection: &Connection) -> Result<Vec<String>, StoreError> {
    let known = taken(connection)?;
    let mut wrong = Vec::new();
    for (table, columns) in tables(connection)? {
        let stored = known.iter().find(|taken| taken.table == table && taken.columns == columns);
        let is_right = match stored {
            Some(taken) => taken.sum_now(connection)? == taken.sum,
            None => false,
        };
        if !is_right {
            wrong.push(table);
        }
    }
    Ok(wrong)
}

fn growing_by(table: &str) -> Option<&'static str> {
    GROWING.iter().find(|(growing, _)| *growing == table).map(|(_, column)| *column)
}

/// Tables that have checksums, with their columns.
fn tables(connection: &Connection) -> Result<Vec<(String, String)>, StoreError> {
    let sql = "SELECT tables.name, group_concat(columns.name, ',' ORDER BY cid)
               FROM main.sqlite_schema AS tables, pragma_table_info(tables.name) AS columns
               WHERE tables.type = 'table' AND tables.name NOT LIKE 'sqlite_%'
                   AND tables.name NOT LIKE 'refinery_%'
               GROUP BY tables.name";
    let mut statement = connection.prepare(sql)?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let all = rows.collect::<Result<Vec<(String, String)>, _>>()?;
    Ok(all.into_iter().filter(|(table, _)| !WITHOUT.contains(&table.as_str())).collect())
}

fn taken(connection: &Connection) -> Result<Vec<Taken>, StoreError> {
    let sql = "SELECT name, columns, since, sum FROM checksums";
    let mut statement = connection.prepare(sql)?;
    let rows = statement.query_map([], |row| {
        let (table, columns) = (row.get(0)?, row.get(1)?);
        Ok(Taken { table, columns, since: row.get(2)?, sum: row.get(3)? })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// A hash of a row's values, of which each says what it is and how long.
fn hash<'a>(values: impl Iterator<Item = ValueRef<'a>>) -> i64 {
    let mut hasher = Sha256::new();
    for value in values {
        match value {
            ValueRef::Null => hasher.update([0]),
            ValueRef::Integer(number) => {
                hasher.update([1]);
                hasher.update(number.to_be_bytes());
            }
            ValueRef::Real(number) => {
                hasher.update([2]);
                hasher.update(number.to_be_bytes());
            }
            ValueRef::Text(bytes) | ValueRef::Blob(bytes) => {
                let is_text = matches!(value, ValueRef::Text(_));
                hasher.update([if is_text { 3 } else { 4 }]);
                hasher.update((bytes.len() as u64).to_be_bytes());
                hasher.update(bytes);
            }
        }
    }
    let hash = hasher.finalize();
    i64::from_be_bytes(*hash.first_chunk().expect("a hash has 32 bytes"))
}
