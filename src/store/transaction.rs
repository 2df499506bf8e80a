//! A transaction by prepared statements: with rusqlite's own, SQLite parses BEGIN and COMMIT anew
//! each time, which takes as long as a small write.

use std::cell::RefCell;
use std::ops::{Deref, DerefMut};

use rusqlite::{CachedStatement, Connection};

/// Rolled back when it is dropped before it was committed.
pub(super) struct Transaction<'c> {
    connection: &'c Connection,
    /// Statements that were used in it and are free.
    free: RefCell<Vec<(&'static str, CachedStatement<'c>)>>,
}

impl<'c> Transaction<'c> {
    /// One that only reads: at the point of the database's history at which it first does.
    pub fn to_read(connection: &'c mut Connection) -> rusqlite::Result<Transaction<'c>> {
        Transaction::begin(connection, "BEGIN DEFERRED")
    }

    /// One that writes: no other can until it ends.
    pub fn to_write(connection: &'c mut Connection) -> rusqlite::Result<Transaction<'c>> {
        Transaction::begin(connection, "BEGIN IMMEDIATE")
    }

    /// The connection is borrowed whole, so that there is one transaction on it.
    fn begin(connection: &'c mut Connection, sql: &str) -> rusqlite::Result<Transaction<'c>> {
        let connection = &*connection;
        connection.prepare_cached(sql)?.execute([])?;
        Ok(Transaction { connection, free: RefCell::default() })
    }

    /// A statement that many deliveries use in one transaction: the connection's own cache of them
    /// reads the whole text each time, twice.
    pub fn statement(&self, sql: &'static str) -> rusqlite::Result<Again<'_, 'c>> {
        let mut free = self.free.borrow_mut();
        let statement = match free.iter().position(|(of, _)| std::ptr::eq(*of, sql)) {
            Some(place) => free.swap_remove(place).1,
            None => self.connection.prepare_cached(sql)?,
        };
        Ok(Again { sql, statement: Some(statement), free: &self.free })
    }

    pub fn commit(self) -> rusqlite::Result<()> {
        self.connection.prepare_cached("COMMIT")?.execute([]).map(drop)
    }
}

impl Deref for Transaction<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.connection
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        // After a commit, and after errors that end it, there is none.
        if !self.connection.is_autocommit() {
            let rolled_back = self.connection.prepare_cached("ROLLBACK");
            // What fails here is begun anew, and fails there.
            drop(rolled_back.and_then(|mut statement| statement.execute([])));
        }
    }
}

/// A statement in use; it is free again when this is dropped.
pub(super) struct Again<'t, 'c> {
    sql: &'static str,
    statement: Option<CachedStatement<'c>>,
    free: &'t RefCell<Vec<(&'static str, CachedStatement<'c>)>>,
}

impl<'c> Deref for Again<'_, 'c> {
    type Target = CachedStatement<'c>;

    fn deref(&self) -> &CachedStatement<'c> {
        self.statement.as_ref().expect("it is there until this is dropped")
    }
}

impl<'c> DerefMut for Again<'_, 'c> {
    fn deref_mut(&mut self) -> &mut CachedStatement<'c> {
        self.statement.as_mut().expect("it is there until this is dropped")
    }
}

impl Drop for Again<'_, '_> {
    fn drop(&mut self) {
        if let Some(statement) = self.statement.take() {
            self.free.borrow_mut().push((self.sql, statement));
        }
    }
}
