//! What the process around the server says of itself: which background jobs run, and how many lines
//! of its log were lost. The process writes it, `/readyz` and `/metrics` read it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::domain::Millis;

/// Shared by all who write and read it.
#[derive(Debug, Clone, Default)]
pub struct Process {
    jobs: Arc<Mutex<BTreeMap<&'static str, JobState>>>,
    log_lines_lost: Arc<AtomicU64>,
    backups: Arc<Mutex<Option<Backups>>>,
    backups_lost: Arc<AtomicU64>,
}

/// Backups that are made by themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backups {
    /// How often, in milliseconds.
    pub every: Millis,
    /// When the last good one was made.
    pub last: Option<Millis>,
    /// How large that is.
    pub bytes: u64,
}

/// How one background job is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct JobState {
    pub is_running: bool,
    /// How often it ended and was started again.
    pub restarts: u64,
}

impl Process {
    pub fn lose_log_line(&self) {
        self.log_lines_lost.fetch_add(1, Ordering::Relaxed);
    }

    pub fn log_lines_lost(&self) -> u64 {
        self.log_lines_lost.load(Ordering::Relaxed)
    }

    /// Backups are to be made.
    pub fn expect_backups(&self, every: Millis) {
        *self.kept() = Some(Backups { every, last: None, bytes: 0 });
    }

    /// A good one is there.
    pub fn note_backup(&self, last: Millis, bytes: u64) {
        if let Some(backups) = self.kept().as_mut() {
            (backups.last, backups.bytes) = (Some(last), bytes);
        }
    }

    /// Kept ones that could not be made to forget were removed.
    pub fn lose_backups(&self, lost: u64) {
        self.backups_lost.fetch_add(lost, Ordering::Relaxed);
    }

    pub fn backups_lost(&self) -> u64 {
        self.backups_lost.load(Ordering::Relaxed)
    }

    /// None where none are to be made.
    pub fn backups(&self) -> Option<Backups> {
        *self.kept()
    }

    fn kept(&self) -> MutexGuard<'_, Option<Backups>> {
        self.backups.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A job runs.
    pub fn job_runs(&self, name: &'static str) {
        self.table().entry(name).or_default().is_running = true;
    }

    /// A job has ended, and is started again.
    pub fn job_ended(&self, name: &'static str) {
        let mut table = self.table();
        let job = table.entry(name).or_default();
        *job = JobState { is_running: false, restarts: job.restarts + 1 };
    }

    /// All jobs, by name.
    pub fn jobs(&self) -> BTreeMap<&'static str, JobState> {
        self.table().clone()
    }

    /// Those that do not run, though they should.
    pub fn jobs_down(&self) -> Vec<&'static str> {
        let table = self.table();
        table.iter().filter(|(_, job)| !job.is_running).map(|(name, _)| *name).collect()
    }

    fn table(&self) -> MutexGuard<'_, BTreeMap<&'static str, JobState>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
