//! How the store is: how far the log and the projections are, what is open, and how much room
//! there is.

use std::fs;
use std::path::Path;

use super::database::{Database, Snapshot};
use super::error::{StoreError, in_file};
use crate::domain::Millis;
use crate::domain::ids::{GymId, Position};

/// What can be read off the database at one point of its history, each at the cost of a look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vitals {
    /// The last position that the log gave.
    pub log_position: Position,
    /// The last position that was applied for any gym.
    pub projection_position: Position,
    /// When a write last went to disk and found the projections up to the log.
    pub heartbeat_at: Option<Millis>,
    pub erasures: Erasures,
    /// Runs of retention that were left out because the clock could not be believed.
    pub retention_skipped: i64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Erasures {
    pub pending: i64,
    /// When the oldest of those was asked for.
    pub pending_since: Option<Millis>,
    pub done: i64,
    /// How long the last of those took from the request on, in milliseconds.
    pub last_took: Option<Millis>,
}

/// A gym that is counted again beside the projection that is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Build {
    pub gym: GymId,
    /// The last position of the log that is in it.
    pub position: Position,
}

/// Sizes in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    pub database: u64,
    pub write_ahead_log: u64,
    /// Of the disk that holds the data folder.
    pub disk: u64,
    /// What is left of it for this user.
    pub disk_free: u64,
}

impl Snapshot<'_> {
    pub fn vitals(&self) -> Result<Vitals, StoreError> {
        let position = |sql| -> rusqlite::Result<Position> {
            let mut statement = self.connection.prepare_cached(sql)?;
            statement.query_row([], |row| row.get(0)).map(Position)
        };
        let log = "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'events'";
        let heartbeat = "SELECT max(at) FROM heartbeat";
        Ok(Vitals {
            log_position: position(log)?,
            projection_position: position("SELECT coalesce(max(position), 0) FROM gyms")?,
            heartbeat_at: self.connection.query_row(heartbeat, [], |row| row.get(0))?,
            erasures: self.erasures_in_sum()?,
            retention_skipped: self.retention_skipped()?,
        })
    }

    /// Whether every event that is in the log was applied.
    pub fn is_following(&self) -> Result<bool, StoreError> {
        let sql = "SELECT coalesce((SELECT max(position) FROM events), 0)
                       <= coalesce((SELECT max(position) FROM gyms), 0)";
        Ok(self.connection.query_row(sql, [], |row| row.get(0))?)
    }

    fn erasures_in_sum(&self) -> Result<Erasures, StoreError> {
        // Ids are given in order and never deleted, so the last one is how many there are.
        let sql = "SELECT count(*), min(requested_at),
                       (SELECT coalesce(max(id), 0) FROM erasures),
                       (SELECT completed_at - requested_at FROM erasures
                        WHERE completed_at IS NOT NULL ORDER BY id DESC LIMIT 1)
                   FROM erasures WHERE completed_at IS NULL";
        let mut statement = self.connection.prepare_cached(sql)?;
        Ok(statement.query_row([], |row| {
            let pending: i64 = row.get(0)?;
            Ok(Erasures {
                pending,
                pending_since: row.get(1)?,
                done: row.get::<_, i64>(2)? - pending,
                last_took: row.get(3)?,
            })
        })?)
    }

    /// How many deliveries wait in quarantine, by gym; gyms without any are absent.
    pub fn quarantine_depths(&self) -> Result<Vec<(GymId, i64)>, StoreError> {
        let held = self.quarantine_held()?.into_iter();
        Ok(held.filter(|(_, held)| held.rows > 0).map(|(gym, held)| (gym, held.rows)).collect())
    }

    /// The newest build of each gym that is newer than what is read; the rebuild that made it may
    /// have been interrupted.
    pub fn builds(&self) -> Result<Vec<Build>, StoreError> {
        let sql = "SELECT gyms.id, generations.position, max(generations.id)
                   FROM generations JOIN gyms ON gyms.id = generations.gym
                   WHERE generations.id > gyms.generation GROUP BY gyms.id";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map([], |row| {
            Ok(Build { gym: GymId(row.get(0)?), position: Position(row.get(1)?) })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

impl Database {
    pub fn sizes(&self) -> Result<Sizes, StoreError> {
        let of = |path: &Path| match fs::metadata(path) {
            Ok(metadata) => Ok(metadata.len()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(0),
            Err(error) => Err(in_file(path)(error)),
        };
        let disk = disk_of(self.folder())?;
        let mut log = self.file().into_os_string();
        log.push("-wal");
        Ok(Sizes {
            database: of(&self.file())?,
            write_ahead_log: of(Path::new(&log))?,
            disk: disk.f_blocks * disk.f_frsize,
            disk_free: disk.f_bavail * disk.f_frsize,
        })
    }
}

fn disk_of(folder: &Path) -> Result<rustix::fs::StatVfs, StoreError> {
    rustix::fs::statvfs(folder).map_err(|error| in_file(folder)(error.into()))
}

/// What is free for us on the disk of a folder.
pub fn free_bytes(folder: &Path) -> Result<u64, StoreError> {
    let disk = disk_of(folder)?;
    Ok(disk.f_bavail * disk.f_frsize)
}
