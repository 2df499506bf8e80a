//! A trial: a copy of the database in which something can be done to see what comes of it.

use super::copies::Scratch;
use super::database::Database;
use super::error::StoreError;

/// A copy of a database beside it, removed when it is dropped.
pub struct Trial {
    pub database: Database,
    _scratch: Scratch,
}

impl Database {
    /// Copies the database, as it is at one moment, into a folder of its own in the data folder.
    pub fn try_out(&self) -> Result<Trial, StoreError> {
        let scratch = self.scratch()?;
        self.back_up(scratch.path())?;
        Ok(Trial { database: Database::open(scratch.path())?, _scratch: scratch })
    }
}
