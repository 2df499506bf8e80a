//! Room: how the database gives back to the disk what it does not need any more.

use rusqlite::{Connection, ErrorCode};

use super::database::Database;
use super::error::StoreError;
use super::vitals::Sizes;

/// Free pages of 4 KiB that stay for what comes next.
const FREE_PAGES_KEPT: i64 = 256;
/// Pages that are given back in one transaction: few, so that deliveries do not wait long.
const SHRINK_PAGES: i64 = 64;
/// SQLite's word for a database whose pages can be moved up to where there is room.
const INCREMENTAL: i64 = 2;

/// What stays free on the disk beside twice the write-ahead log, in bytes; with less, the log is moved
/// into the database early. Moving it needs room too: a log that has taken the last of it can neither
/// go on nor be moved.
const FREE_BYTES_KEPT: u64 = 8 * 1024 * 1024;
/// A log of fewer bytes is not worth it.
const LOG_BYTES_MIN: u64 = 256 * 1024;

impl Database {
    /// After a commit, or one that failed: moves the write-ahead log into the database when the disk
    /// has little room left for both.
    pub(super) fn keep_room(&self, connection: &Connection) {
        let Ok(Sizes { write_ahead_log: log, disk_free: free, .. }) = self.sizes() else { return };
        if log >= LOG_BYTES_MIN && free < 2 * log + FREE_BYTES_KEPT {
            // A reader that still needs the log, or a disk that takes nothing, is met again after
            // the next one.
            drop(Database::empty_log(connection));
        }
    }

    /// Gives some free pages back to the disk; true when there are more. What stood at the end of
    /// the file moves up, whole pages at a time; the file ends earlier when the write-ahead log was
    /// emptied.
    pub fn shrink(connection: &Connection) -> Result<bool, StoreError> {
        let number = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0));
        let spare = number("PRAGMA freelist_count")? - FREE_PAGES_KEPT;
        if spare <= 0 || number("PRAGMA auto_vacuum")? != INCREMENTAL {
            return Ok(false);
        }
        let sql = format!("PRAGMA incremental_vacuum({})", spare.min(SHRINK_PAGES));
        let mut statement = connection.prepare(&sql)?;
        let mut rows = statement.query([])?;
        while rows.next()?.is_some() {}
        Ok(spare > SHRINK_PAGES)
    }

    /// Writes the whole database anew without free pages, so that it can shrink from then on.
    /// Nobody else may use it meanwhile.
    pub fn compact(&self) -> Result<(), StoreError> {
        let connection = self.connect()?;
        connection.pragma_update(None, "auto_vacuum", INCREMENTAL)?;
        match connection.execute_batch("VACUUM") {
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => {
                let text = "another program uses the database; stop it, and try again";
                Err(StoreError::Refused(text.to_owned()))
            }
            done => Ok(done?),
        }
    }
}
