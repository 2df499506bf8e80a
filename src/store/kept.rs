//! Copies that are kept elsewhere: whose they are, and how one is put in place of another.

use std::fs;
use std::path::Path;

use super::database::{DATABASE_FILE, Database, StoreError, in_file};
use super::files;
use super::key::{self, KEY_FILE};
use super::ledger::{LEDGER_FILE, Ledger};

/// The lock of the one backup that may be made.
pub(super) const BACKUP_LOCK_FILE: &str = "footfall.backup.lock";

impl Database {
    /// Claims the folder for one backup; none while another is being made.
    pub fn try_lock_backup(&self) -> Result<Option<fs::File>, StoreError> {
        files::try_lock(&self.folder().join(BACKUP_LOCK_FILE))
    }

    /// Whether a folder holds a copy of this database.
    pub fn is_copied_to(&self, folder: &Path) -> bool {
        let key = key::read(&folder.join(KEY_FILE));
        folder.join(DATABASE_FILE).exists()
            && matches!(key, Ok(Some(key)) if key.bytes() == self.key().bytes())
    }

    /// What the ledger of another database says to this one.
    pub fn ledger_of(&self, other: &Database) -> Result<Ledger, StoreError> {
        self.read_ledger(&other.folder().join(LEDGER_FILE))
    }

    /// Copies a copy into a new folder, with the ledger of this database beside it.
    pub fn copy_with_ledger(&self, copy: &Path, into: &Path) -> Result<(), StoreError> {
        files::make_private_folder(into).map_err(in_file(into))?;
        for (name, from) in [(DATABASE_FILE, copy), (KEY_FILE, copy), (LEDGER_FILE, self.folder())]
        {
            let (from, to) = (from.join(name), into.join(name));
            if name != LEDGER_FILE || from.exists() {
                fs::copy(&from, &to).map_err(in_file(&from))?;
                files::make_private(&to)?;
            }
        }
        Ok(())
    }

    /// Puts a copy in place of another, at once.
    pub fn replace_copy(by: &Path, copy: &Path) -> Result<(), StoreError> {
        let (from, to) = (by.join(DATABASE_FILE), copy.join(DATABASE_FILE));
        fs::rename(&from, &to).map_err(in_file(&to))?;
        files::sync_folder(&to).map_err(in_file(&to))
    }
}
