//! Putting a backup in place of the database of a data folder. It is copied aside and looked at
//! first; what was there is kept beside it, and one rename decides: before it the old database is
//! there, after it the new one. The erasure ledger and the mark stay, by which the next opening
//! erases again and begins a new epoch.

use std::fs::{self, DirBuilder, File};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::copies::{Scratch, is_same, remove};
use super::database::{
    DATABASE_FILE, Database, EGYM_LOCK_FILE, LOCK_FILE, REBUILD_LOCK_FILE, connect, open_to_read,
};
use super::error::{StoreError, in_file};
use super::imports::IMPORT_LOCK_FILE;
use super::kept::{self, BACKUP_LOCK_FILE};
use super::key::{self, KEY_FILE, Key};
use super::opened::{beside, check_folder};
use super::sealed::Passphrases;
use super::{files, look, schema};

/// What belongs to an open database beside it.
const LOG_ENDINGS: [&str; 2] = ["-wal", "-shm"];

/// A backup that was copied into a data folder, which nobody else may use until it is dropped.
pub struct Restore {
    folder: PathBuf,
    scratch: Scratch,
    key: Option<Key>,
    claim: Claim,
}

/// A data folder that nobody else may use until this is dropped.
pub struct Claim {
    _locks: Vec<File>,
}

impl Restore {
    /// Claims a data folder, made when missing, and copies a backup aside in it; one that is encrypted
    /// is opened by these passphrases.
    pub fn prepare(
        folder: &Path,
        backup: &Path,
        passphrases: Option<&Passphrases>,
    ) -> Result<Restore, StoreError> {
        let is_sealed = kept::is_sealed(backup);
        if !is_sealed {
            check_plain(backup)?;
        }
        files::make_private_folder(folder).map_err(in_file(folder))?;
        files::check_owner(folder, &folder.join(DATABASE_FILE))?;
        let claim = claim(folder)?;
        let scratch = Scratch::of_restore(folder)?;
        let opened = if is_sealed {
            kept::open_sealed(backup, scratch.path(), passphrases)?;
            scratch.path()
        } else {
            backup
        };
        let key = key_of(folder, backup, opened)?;
        let restore = Restore { folder: folder.to_owned(), scratch, key, claim };
        restore.complete((!is_sealed).then_some(backup))?;
        Ok(restore)
    }

    /// The folder of the copy, which can be opened as any other.
    pub fn copy_folder(&self) -> &Path {
        self.scratch.path()
    }

    /// Whether there is a database that would be put aside.
    pub fn has_other(&self) -> bool {
        self.folder.join(DATABASE_FILE).exists()
    }

    /// Completes the copy: with the files of a backup that is not encrypted, and with the key.
    fn complete(&self, backup: Option<&Path>) -> Result<(), StoreError> {
        let to = self.copy_folder().join(DATABASE_FILE);
        if let Some(source) = backup.map(|backup| backup.join(DATABASE_FILE)) {
            for (from, to) in
                [(source.clone(), to.clone()), (beside(&source, "-wal"), beside(&to, "-wal"))]
            {
                if from.exists() {
                    fs::copy(&from, &to).map_err(in_file(&from))?;
                    files::make_private(&to)?;
                }
            }
        }
        if let Some(key) = &self.key {
            let path = self.copy_folder().join(KEY_FILE);
            files::write_whole(&path, key.bytes()).map_err(in_file(&path))?;
        }
        // What is no database of ours would become a new one when it is opened.
        schema::version_of(&open_to_read(&to, false)?)?;
        Ok(())
    }

    /// Puts the copy in place. What was there is then in a folder of this name.
    pub fn put_in_place(self, kept_name: &str) -> Result<Claim, StoreError> {
        let copy = self.copy_folder().join(DATABASE_FILE);
        // With a log of its own kind, it would take what a crash left of another for its own.
        let connection = Connection::open(&copy)?;
        connection.pragma_update(None, "journal_mode", "DELETE")?;
        connection.close().map_err(|(_, error)| error)?;
        File::open(&copy).and_then(|file| file.sync_all()).map_err(in_file(&copy))?;
        let file = self.folder.join(DATABASE_FILE);
        empty_log_of(&self.folder)?;
        let kept = self.keep_others(&file, kept_name);
        let replaced = kept.and_then(|()| self.replace(&copy, &file));
        if replaced.is_err() && is_same(&file, &self.folder.join(kept_name)) {
            // A second name of a database that is in use is one too many.
            drop(remove(&self.folder.join(kept_name)));
        }
        replaced.map(|()| self.claim)
    }

    fn replace(&self, copy: &Path, file: &Path) -> Result<(), StoreError> {
        let key = self.folder.join(KEY_FILE);
        if let Some(bytes) = self.key.as_ref().filter(|_| !key.exists()).map(Key::bytes) {
            files::write_whole(&key, bytes).map_err(in_file(&key))?;
        }
        fs::rename(copy, file).map_err(in_file(file))?;
        for log in LOG_ENDINGS.map(|ending| beside(file, ending)) {
            if log.exists() {
                fs::remove_file(&log).map_err(in_file(&log))?;
            }
        }
        files::sync_folder(file).map_err(in_file(file))
    }

    /// Gives what is there a second name, so that it is where it was until the copy is.
    fn keep_others(&self, file: &Path, name: &str) -> Result<(), StoreError> {
        if !self.has_other() {
            return Ok(());
        }
        let kept = self.folder.join(name);
        DirBuilder::new().mode(0o700).create(&kept).map_err(in_file(&kept))?;
        for ending in ["", LOG_ENDINGS[0], LOG_ENDINGS[1]] {
            let (from, to) = (beside(file, ending), beside(&kept.join(DATABASE_FILE), ending));
            if from.exists() {
                fs::hard_link(&from, &to).map_err(in_file(&to))?;
                files::make_private(&to)?;
            }
        }
        files::sync_folder(&kept.join(DATABASE_FILE)).map_err(in_file(&kept))?;
        files::sync_folder(&kept).map_err(in_file(&kept))
    }
}

/// Refuses a folder that is no backup.
fn check_plain(backup: &Path) -> Result<(), StoreError> {
    let source = backup.join(DATABASE_FILE);
    let bytes = fs::metadata(&source).map_err(in_file(&source))?.len();
    if bytes == 0 || look::is_served(backup) {
        let why = if bytes == 0 { "is empty" } else { "is in use by a service" };
        let text = format!("{} {why}; name the folder of a backup", source.display());
        return Err(StoreError::Refused(text));
    }
    check_folder(backup)
}

/// All locks of a data folder.
fn claim(folder: &Path) -> Result<Claim, StoreError> {
    let names = [LOCK_FILE, EGYM_LOCK_FILE, REBUILD_LOCK_FILE, BACKUP_LOCK_FILE, IMPORT_LOCK_FILE];
    let mut locks = Vec::with_capacity(names.len());
    for name in names {
        let lock = files::try_lock(&folder.join(name))?;
        locks.push(lock.ok_or_else(|| match name {
            LOCK_FILE => StoreError::Locked(folder.to_owned()),
            _ => in_use(folder),
        })?);
    }
    Ok(Claim { _locks: locks })
}

fn in_use(folder: &Path) -> StoreError {
    let folder = folder.display();
    StoreError::Refused(format!("another program uses the data folder {folder}; wait for its end"))
}

/// The key that a backup and the data folder agree on. Without one of its own a backup needs the
/// folder's, as what an earlier restore put aside does.
fn key_of(folder: &Path, backup: &Path, opened: &Path) -> Result<Option<Key>, StoreError> {
    let path = folder.join(KEY_FILE);
    match (key::read(&path)?, key::read(&opened.join(KEY_FILE))?) {
        (Some(ours), Some(theirs)) if ours.bytes() != theirs.bytes() => {
            Err(of_another(backup, &path))
        }
        (None, Some(theirs)) => {
            // It is lost; what is left of the database may say that it was another.
            let file = folder.join(DATABASE_FILE);
            let read = open_to_read(&file, false);
            let checked = read.and_then(|connection| key::check(&connection, &theirs, &path));
            match checked {
                Err(StoreError::Key { .. }) => Err(of_another(backup, &file)),
                // Missing, or damaged: a reason to put a backup back.
                Ok(()) | Err(_) => Ok(Some(theirs)),
            }
        }
        (ours, theirs) => Ok(ours.or(theirs)),
    }
}

fn of_another(backup: &Path, ours: &Path) -> StoreError {
    StoreError::Refused(format!(
        "{} has another key than {}: it is a backup of another database, or of before `footfall \
         new-key`. Restore it into an empty data folder (`--data`)",
        backup.display(),
        ours.display()
    ))
}

/// Moves the write-ahead log of the old database into it, so that it is one file; of one that is
/// damaged it is kept beside it. Refuses while another program has the database open.
fn empty_log_of(folder: &Path) -> Result<(), StoreError> {
    let file = folder.join(DATABASE_FILE);
    let log = beside(&file, "-wal");
    if !log.exists() || !file.exists() || check_folder(folder).is_err() {
        return Ok(());
    }
    let read = open_to_read(&file, false);
    if read.and_then(|connection| schema::version_of(&connection)).is_err() {
        return Ok(());
    }
    let emptied = connect(&file).and_then(|connection| Database::empty_log(&connection));
    // The last one to close a database removes its log.
    if emptied.is_ok() && log.exists() { Err(in_use(folder)) } else { Ok(()) }
}
