//! Which history of the database this is: its *epoch*, and how an older copy is noticed that was
//! put back.
//!
//! After a restore, positions and revisions are given a second time, to other events. So whatever
//! names a state to a reader (a cursor, an `ETag`) carries the epoch, and a restore begins a new
//! one. It is noticed when the data folder is opened, by a file beside the database, the *mark*: it
//! holds the epoch and how far the database had come at its last commit. A database of another
//! epoch, one that is less far, and one without a mark beside it were put there.

use std::fmt;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use rusqlite::{Connection, TransactionBehavior};

use super::database::Snapshot;
use super::error::{StoreError, in_file};
use super::files;

/// The mark's name in the data folder.
pub(super) const MARK_FILE: &str = "footfall.mark";
/// Where in the mark it says how far the database had come.
const PROGRESS_AT: u64 = 17;

/// Names one history of a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Epoch(i64);

impl Epoch {
    /// Reads what is shown of it.
    pub fn from_hex(digits: &str) -> Option<Epoch> {
        let number = u64::from_str_radix(digits, 16).ok().filter(|_| digits.len() == 16)?;
        Some(Epoch(number.cast_signed()))
    }

    fn fresh() -> Epoch {
        let mut random = [0; 8];
        getrandom::fill(&mut random).expect("the system has random numbers");
        Epoch(i64::from_be_bytes(random))
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// Grows with every event, every body in quarantine and every change of a report.
const PROGRESS: &str = "SELECT (SELECT coalesce(sum(seq), 0) FROM sqlite_sequence)
                             + (SELECT coalesce(sum(revision), 0) FROM gyms)";

/// The file beside the database that says how far it had come.
pub(super) struct Mark {
    path: PathBuf,
    /// What this process wrote last.
    written: AtomicI64,
    has_failed: AtomicBool,
}

impl Mark {
    pub fn new(folder: &Path) -> Mark {
        let path = folder.join(MARK_FILE);
        Mark { path, written: AtomicI64::new(i64::MIN), has_failed: AtomicBool::new(false) }
    }

    /// What it says; none when it is not there or says nothing.
    fn read(&self) -> Option<(Epoch, i64)> {
        let text = fs::read_to_string(&self.path).ok()?;
        let (epoch, progress) = text.trim_end().split_once(' ')?;
        Some((Epoch::from_hex(epoch)?, progress.parse().ok()?))
    }

    fn write(&self, epoch: Epoch, progress: i64) -> Result<(), StoreError> {
        let text = format!("{epoch} {progress:020}\n");
        files::write_whole(&self.path, text.as_bytes()).map_err(in_file(&self.path))
    }

    /// Notes how far the database has come. It need not be on disk: a mark that a power cut set
    /// back is one that a restore is still measured by.
    pub fn note(&self, progress: i64) {
        if self.written.swap(progress, Ordering::Relaxed) == progress {
            return;
        }
        let digits = format!("{progress:020}");
        let written = File::options()
            .write(true)
            .open(&self.path)
            .and_then(|file| file.write_all_at(digits.as_bytes(), PROGRESS_AT));
        if let Err(error) = written
            && !self.has_failed.swap(true, Ordering::Relaxed)
        {
            let path = self.path.display();
            tracing::warn!(%error, "{path} cannot be written: a restore may go unnoticed");
        }
    }

    /// Begins a new epoch when the database is not the one that this mark is of.
    pub fn notice_restore(&self, connection: &mut Connection) -> Result<(), StoreError> {
        // The mark first: the database can only be further than what was noted of it.
        let mark = self.read();
        let is_same =
            |epoch, progress| mark.is_some_and(|(of, up_to)| of == epoch && up_to <= progress);
        if is_same(epoch_of(connection)?, progress_of(connection)?) {
            return Ok(());
        }
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let progress = progress_of(&transaction)?;
        let epoch = Epoch::fresh();
        set_epoch(&transaction, epoch)?;
        transaction.commit()?;
        self.write(epoch, progress)
    }
}

/// Gives a database a new epoch.
pub(super) fn begin_epoch(connection: &Connection) -> Result<(), StoreError> {
    set_epoch(connection, Epoch::fresh())
}

fn set_epoch(connection: &Connection, epoch: Epoch) -> Result<(), StoreError> {
    connection.execute("UPDATE identity SET epoch = ?1", [epoch.0])?;
    Ok(())
}

fn epoch_of(connection: &Connection) -> Result<Epoch, StoreError> {
    let mut statement = connection.prepare_cached("SELECT epoch FROM identity WHERE id = 1")?;
    Ok(statement.query_row([], |row| row.get(0)).map(Epoch)?)
}

pub(super) fn progress_of(connection: &Connection) -> Result<i64, StoreError> {
    Ok(connection.prepare_cached(PROGRESS)?.query_row([], |row| row.get(0))?)
}

/// A list that is read by cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cursored {
    Log,
    Quarantine,
}

impl Snapshot<'_> {
    pub fn epoch(&self) -> Result<Epoch, StoreError> {
        epoch_of(self.connection)
    }

    /// The last position, or id, that a list gave.
    pub fn end_of(&self, list: Cursored) -> Result<i64, StoreError> {
        let sql = "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = ?1";
        let table = match list {
            Cursored::Log => "events",
            Cursored::Quarantine => "quarantine",
        };
        let mut statement = self.connection.prepare_cached(sql)?;
        Ok(statement.query_row([table], |row| row.get(0))?)
    }
}
