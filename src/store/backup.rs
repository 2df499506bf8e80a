//! Backup: a copy of the database at one moment, and of its key, whole or not there at all.

use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};

use super::database::{DATABASE_FILE, Database};
use super::error::{StoreError, in_file};
use super::files::{self, Draft};
use super::identity;
use super::key::{self, KEY_FILE};

/// What SQLite may leave beside a database that it was writing.
const BESIDE: [&str; 3] = ["-journal", "-wal", "-shm"];

impl Database {
    /// Copies the database and its key into another folder, while others go on reading and writing.
    /// A copy has an epoch of its own. What fails leaves nothing behind.
    pub fn back_up(&self, into: &Path) -> Result<(), StoreError> {
        let is_new = !into.exists();
        let copied = self.copy_into(into);
        if copied.is_err() && is_new {
            // It is removed only when it is empty.
            drop(fs::remove_dir(into));
        }
        copied
    }

    fn copy_into(&self, into: &Path) -> Result<(), StoreError> {
        files::make_private_folder(into).map_err(in_file(into))?;
        let copy = into.join(DATABASE_FILE);
        if fs::metadata(&copy).is_ok_and(|there| there.len() > 0) {
            let text = format!("{} is there already; choose an empty folder", copy.display());
            return Err(StoreError::Refused(text));
        }
        self.refuse_another(into)?;
        let draft = Draft::new(&copy).map_err(in_file(&copy))?;
        remove_beside(draft.path());
        let written = self.write_copy(draft.path());
        remove_beside(draft.path());
        written?;
        let to = into.join(KEY_FILE);
        let has_key = to.exists();
        files::write_whole(&to, self.key().bytes()).map_err(in_file(&to))?;
        let kept = draft.keep().map_err(in_file(&copy));
        if kept.is_err() && !has_key {
            drop(fs::remove_file(&to));
        }
        kept
    }

    /// Refuses a folder that holds what is left of another database: its key would be lost, and its
    /// log would be taken for the copy's.
    fn refuse_another(&self, into: &Path) -> Result<(), StoreError> {
        let key = into.join(KEY_FILE);
        let has_key = key::read(&key)?.is_some_and(|there| there.bytes() != self.key().bytes());
        let logs = ["-journal", "-wal"].map(|end| into.join(format!("{DATABASE_FILE}{end}")));
        let has_some = |log: &&PathBuf| fs::metadata(log).is_ok_and(|there| there.len() > 0);
        let left = if has_key { Some(&key) } else { logs.iter().find(has_some) };
        left.map_or(Ok(()), |left| {
            let text = format!("{} is of another database; choose an empty folder", left.display());
            Err(StoreError::Refused(text))
        })
    }

    fn write_copy(&self, to: &Path) -> Result<(), StoreError> {
        let source = self.connect_to_read()?;
        let mut target = Connection::open(to)?;
        // In one step, so that no write of another process makes it begin again.
        if Backup::new(&source, &mut target)?.step(-1)? != StepResult::Done {
            return Err(StoreError::Refused("the database is busy; try again".to_owned()));
        }
        // One file, that can be read where nothing can be written.
        target.pragma_update(None, "journal_mode", "DELETE")?;
        identity::begin_epoch(&target)?;
        target.close().map_err(|(_, error)| error)?;
        Ok(())
    }
}

fn remove_beside(draft: &Path) {
    for ending in BESIDE {
        let mut path = draft.as_os_str().to_owned();
        path.push(ending);
        drop(fs::remove_file(path));
    }
}
