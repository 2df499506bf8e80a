//! Copies of the database in its own data folder, which hold members who are erased later. This is
//! the one list of them: what is scratch is cleared as soon as nobody uses it, and what is kept is
//! made to forget. An erasure is not complete before both are done.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::database::{DATABASE_FILE, Database, LOCK_FILE};
use super::error::{StoreError, in_file};
use super::files::{self, try_lock};
use super::key::{self, KEY_FILE};

/// Scratch copies: their names begin so. A dry run works in one, and a backup that is encrypted.
const TRIAL: &str = "trial-";
/// And so many letters, that nobody else takes, follow.
const TRIAL_RANDOM: usize = 6;
/// A backup that is looked at before it is put in place.
const RESTORE: &str = "restore-unfinished";
/// What a restore put aside, which is kept until somebody removes it.
const BEFORE_RESTORE: &str = "before-restore-";

/// A private folder in the data folder for copies, removed when it is dropped.
pub struct Scratch {
    folder: TempDir,
    /// Held while it is used: one that nobody holds was left behind by a crash.
    _lock: fs::File,
}

impl Scratch {
    fn new(beside: &Path, name: &str, random: usize) -> Result<Scratch, StoreError> {
        let private = fs::Permissions::from_mode(0o700);
        let mut builder = tempfile::Builder::new();
        let folder = builder.prefix(name).rand_bytes(random).permissions(private);
        let folder = folder.tempdir_in(beside).map_err(in_file(beside))?;
        // From here on nobody takes it for one that was left behind; who did is told to try again.
        let lock = try_lock(&folder.path().join(LOCK_FILE))?.ok_or_else(|| {
            StoreError::Refused("the copy was cleared away before it was made; try again".into())
        })?;
        Ok(Scratch { folder, _lock: lock })
    }

    /// For a backup that is to be put in place. Whoever calls holds all locks of the data folder, so
    /// what is there was left behind.
    pub(super) fn of_restore(data: &Path) -> Result<Scratch, StoreError> {
        remove(&data.join(RESTORE))?;
        Scratch::new(data, RESTORE, 0)
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// The folder of the database that a restore puts aside.
pub fn before_restore(stamp: &str) -> String {
    format!("{BEFORE_RESTORE}{stamp}")
}

impl Database {
    /// An empty folder for copies.
    pub fn scratch(&self) -> Result<Scratch, StoreError> {
        self.clear_scratch()?;
        Scratch::new(self.folder(), TRIAL, TRIAL_RANDOM)
    }

    /// Removes scratch copies that were left behind: they may hold members who were erased since.
    /// Returns whether none is left.
    pub fn clear_scratch(&self) -> Result<bool, StoreError> {
        let mut none_is_left = true;
        for folder in self.folders(|name| name.starts_with(TRIAL) || name == RESTORE)? {
            match try_lock(&folder.join(LOCK_FILE)) {
                Ok(Some(_lock)) => fs::remove_dir_all(&folder).map_err(in_file(&folder))?,
                Ok(None) => none_is_left = false,
                // Whoever used it has just removed it.
                Err(_) if !folder.exists() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(none_is_left)
    }

    /// What restores put aside. One that was killed half way left a second name of what is in place,
    /// which is one too many, and goes.
    pub fn put_aside(&self) -> Result<Vec<PathBuf>, StoreError> {
        let mut folders = self.folders(|name| name.starts_with(BEFORE_RESTORE))?;
        for folder in folders.extract_if(.., |folder| is_same(&self.file(), folder)) {
            remove(&folder)?;
        }
        Ok(folders)
    }

    /// Gives what was put aside what it needs to forget: our key, where it has none, and the ledger.
    pub fn arm_put_aside(&self, folder: &Path) -> Result<(), StoreError> {
        let path = folder.join(KEY_FILE);
        match key::read(&path)? {
            Some(key) if key.bytes() == self.key().bytes() => {}
            Some(_) => return Err(key::of_another(&path)),
            None => files::write_whole(&path, self.key().bytes()).map_err(in_file(&path))?,
        }
        self.lend_ledger(folder)
    }

    fn folders(&self, is_wanted: impl Fn(&str) -> bool) -> Result<Vec<PathBuf>, StoreError> {
        let mut folders = vec![];
        for entry in fs::read_dir(self.folder()).map_err(in_file(self.folder()))? {
            let entry = entry.map_err(in_file(self.folder()))?;
            if is_wanted(&entry.file_name().to_string_lossy()) && entry.path().is_dir() {
                folders.push(entry.path());
            }
        }
        folders.sort();
        Ok(folders)
    }
}

/// Whether a copy is called so in a data folder.
pub(super) fn is_copy(name: &str) -> bool {
    name.starts_with(TRIAL) || name == RESTORE || name.starts_with(BEFORE_RESTORE)
}

/// Whether what was put aside is still what is in place.
pub(super) fn is_same(file: &Path, aside: &Path) -> bool {
    let id = |path: &Path| fs::metadata(path).map(|there| (there.dev(), there.ino())).ok();
    id(file).is_some_and(|in_place| Some(in_place) == id(&aside.join(DATABASE_FILE)))
}

/// Removes a copy with all that is in it, if it is there.
pub fn remove(folder: &Path) -> Result<(), StoreError> {
    if folder.exists() {
        fs::remove_dir_all(folder).map_err(in_file(folder))?;
    }
    Ok(())
}
