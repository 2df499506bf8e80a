//! A trial: a copy of the database in which something can be done to see what comes of it.

use std::fs;

use tempfile::TempDir;

use super::database::{Database, LOCK_FILE, StoreError, in_file};
use super::files::try_lock;

/// The copies' names begin with it.
const PREFIX: &str = "trial-";

/// A copy of a database beside it, removed when it is dropped.
pub struct Trial {
    pub database: Database,
    /// Held while the copy is used: one that nobody holds was left behind by a crash.
    _lock: fs::File,
    _folder: TempDir,
}

impl Database {
    /// Copies the database, as it is at one moment, into a folder of its own in the data folder.
    pub fn try_out(&self) -> Result<Trial, StoreError> {
        self.clear_trials()?;
        let folder = tempfile::Builder::new().prefix(PREFIX).tempdir_in(self.folder());
        let folder = folder.map_err(in_file(self.folder()))?;
        // From here on nobody takes it for one that was left behind; who did is told to try again.
        let lock = try_lock(&folder.path().join(LOCK_FILE))?.ok_or_else(|| {
            StoreError::Refused("the copy was cleared away before it was made; try again".into())
        })?;
        self.back_up(folder.path())?;
        Ok(Trial { database: Database::open(folder.path())?, _lock: lock, _folder: folder })
    }

    /// Removes trials that were left behind: they may hold members who were erased since.
    /// Returns whether none is left.
    pub fn clear_trials(&self) -> Result<bool, StoreError> {
        let mut none_is_left = true;
        for entry in fs::read_dir(self.folder()).map_err(in_file(self.folder()))? {
            let entry = entry.map_err(in_file(self.folder()))?;
            let is_trial = entry.file_name().to_string_lossy().starts_with(PREFIX);
            if !is_trial {
                continue;
            }
            if try_lock(&entry.path().join(LOCK_FILE))?.is_some() {
                fs::remove_dir_all(entry.path()).map_err(in_file(&entry.path()))?;
            } else {
                none_is_left = false;
            }
        }
        Ok(none_is_left)
    }
}
