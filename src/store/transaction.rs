//! A transaction by prepared statements: with rusqlite's own, SQLite parses BEGIN and COMMIT anew
//! each time, which takes as long as a small write.

use std::ops::Deref;

use rusqlite::Connection;

/// Rolled back when it is dropped before it was committed.
pub(super) struct Transaction<'c> {
    connection: &'c Connection,
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
        Ok(Transaction { connection })
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
