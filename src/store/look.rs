//! Looking at a data folder as it is: nothing is made, mended, locked for long or brought up to date.

use std::fs;
use std::path::{Path, PathBuf};

use super::database::{DATABASE_FILE, Database, LOCK_FILE, open_to_read};
use super::error::{StoreError, in_file};
use super::ledger::LEDGER_FILE;
use super::opened::check_folder;
use super::{files, key, schema};

impl Database {
    /// Opens a data folder to look at it. Refuses what [`Database::open`] would refuse or mend.
    pub fn look(folder: &Path) -> Result<Database, StoreError> {
        let file = folder.join(DATABASE_FILE);
        fs::read_dir(folder).map_err(in_file(folder))?;
        files::check_owner(folder, &file)?;
        check_folder(folder)?;
        fs::File::open(&file).map_err(in_file(&file))?;
        let path = folder.join(key::KEY_FILE);
        let log = fs::metadata(folder.join(format!("{DATABASE_FILE}-wal")));
        // SQLite would make a log to read a database that has none, and write its index.
        let has_log = log.is_ok_and(|log| log.len() > 0);
        let is_still = !has_log && !is_served(folder);
        let connection = open_to_read(&file, is_still)?;
        let key = key::read(&path)?.ok_or_else(|| key::missing(&path))?;
        schema::check_version(&connection)?;
        key::check(&connection, &key, &path)?;
        Ok(Database::as_it_is(folder, key, is_still))
    }

    /// Whether the database was opened to look at it, and its file alone is all of it: nobody writes it,
    /// and nothing stands in a write-ahead log.
    pub fn is_still(&self) -> bool {
        self.is_still
    }

    /// Whether a service runs on the folder, asked without making a lock file.
    pub fn seems_served(&self) -> bool {
        is_served(self.folder())
    }

    /// Fails when the ledger could not be written, and makes none.
    pub fn look_at_ledger(&self) -> Result<(), StoreError> {
        if self.folder().join(LEDGER_FILE).exists() {
            return self.check_ledger();
        }
        let may_write = rustix::fs::access(self.folder(), rustix::fs::Access::WRITE_OK);
        may_write.map_err(|error| in_file(self.folder())(error.into()))
    }

    /// Our files that others than their owner have permissions for, with these.
    pub fn files_open_to_others(&self) -> Vec<(PathBuf, u32)> {
        let ours = self.files().into_iter().filter(|file| file.is_file());
        let with_mode = |file: PathBuf| files::open_to_others(&file).map(|mode| (file, mode));
        ours.filter_map(with_mode).collect()
    }
}

/// Whether a service runs on a folder, asked without making a lock file.
pub fn is_served(folder: &Path) -> bool {
    let lock = folder.join(LOCK_FILE);
    lock.exists() && matches!(files::try_lock(&lock), Ok(None))
}
