//! Whether the database in the data folder is the one that this process has open, and whether what
//! is in the folder is one database.
//!
//! A file that was moved, removed or replaced is still written by who has it open: what is answered
//! with 200 then is on a disk where nobody will look for it. So each commit looks first.

use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::database::{DATABASE_FILE, Database};
use super::error::{StoreError, in_file};
use super::identity::MARK_FILE;
use super::ledger::LEDGER_FILE;

/// What belongs to an open database, by what follows its name.
const ENDINGS: [&str; 3] = ["", "-wal", "-shm"];
/// Where the head of a database says which kind of log it has, and what stands there for a
/// write-ahead log. A backup has none.
const LOG_KIND_AT: usize = 18;
const WRITE_AHEAD: u8 = 2;

/// How the names of our files begin, but the ledger's.
const OURS: &str = "footfall.";

/// Tells one file from another on this machine.
type Id = (u64, u64);

/// The files that a database was when it was first written to.
#[derive(Debug, Default)]
pub(super) struct Opened(OnceLock<[Option<Id>; ENDINGS.len()]>);

impl Opened {
    /// Refuses when they are not there any more, or others are. To be asked in a transaction that
    /// writes, when all of them are open.
    pub fn check(&self, file: &Path) -> Result<(), StoreError> {
        let now = ENDINGS.map(|ending| id_of(&beside(file, ending)));
        let then = self.0.get_or_init(|| now);
        match ENDINGS.iter().zip(then.iter().zip(now)).find(|(_, (then, now))| *then != now) {
            Some((ending, _)) => Err(StoreError::NotOurs(beside(file, ending))),
            None => Ok(()),
        }
    }
}

impl Database {
    /// Whether a file is, or would be, one of our own in the data folder. Lists of others may lie
    /// there too.
    pub fn holds(&self, file: &Path) -> bool {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        if !name.starts_with(OURS) && name != LEDGER_FILE {
            return false;
        }
        let parent = file.parent().filter(|parent| !parent.as_os_str().is_empty());
        let folders = [parent.unwrap_or(Path::new(".")), self.folder()].map(Path::canonicalize);
        matches!(folders, [Ok(theirs), Ok(ours)] if theirs == ours)
    }
}

fn id_of(path: &Path) -> Option<Id> {
    let metadata = fs::metadata(path).ok()?;
    Some((metadata.dev(), metadata.ino()))
}

pub(super) fn beside(file: &Path, ending: &str) -> PathBuf {
    let mut path = file.as_os_str().to_owned();
    path.push(ending);
    path.into()
}

pub(super) fn length(path: &Path) -> Result<u64, StoreError> {
    match fs::metadata(path) {
        Ok(metadata) => Ok(metadata.len()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(0),
        Err(source) => Err(in_file(path)(source)),
    }
}

/// Refuses a data folder whose database is gone, and one with the write-ahead log of another
/// database: SQLite would write that log over this one.
pub(super) fn check_folder(folder: &Path) -> Result<(), StoreError> {
    let file = folder.join(DATABASE_FILE);
    let log = beside(&file, "-wal");
    let (length, has_log) = (length(&file)?, length(&log)? > 0);
    let mark = folder.join(MARK_FILE);
    if length == 0 && (has_log || mark.exists()) {
        return Err(StoreError::NotWhole(format!(
            "{} is {}, but there was a database in this folder: is its disk mounted? Put the \
             database back, from a backup or from where it was moved to. To begin with nothing, \
             remove {} and {}",
            file.display(),
            if file.exists() { "empty" } else { "not there" },
            mark.display(),
            log.display()
        )));
    }
    if has_log && !has_write_ahead_log(&file)? {
        let (log, file) = (log.display(), file.display());
        return Err(StoreError::NotWhole(format!(
            "{log} does not belong to {file}, which is a backup that was put there, and would \
             damage it. Move {log} to the database that it is of, or remove it"
        )));
    }
    Ok(())
}

fn has_write_ahead_log(file: &Path) -> Result<bool, StoreError> {
    let mut head = [0; LOG_KIND_AT + 2];
    let read = File::open(file).and_then(|mut file| file.read_exact(&mut head));
    match read {
        Ok(()) => Ok(head[LOG_KIND_AT..] == [WRITE_AHEAD; 2]),
        // Too short for a database: SQLite says what is wrong with it.
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(true),
        Err(source) => Err(in_file(file)(source)),
    }
}
