//! Backups that are made by themselves: each is written aside, looked at, and then gets its name;
//! whoever was erased since is taken out of those that are kept; the oldest go. `footfall backup`
//! without a folder does the same once.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use chrono::NaiveDateTime;
use chrono_tz::Tz;
use tokio::sync::oneshot;
use tokio::time::sleep;

use super::config::{BackupConfig, Config};
use super::eraser;
use super::jobs::Ended;
use crate::clock;
use crate::domain::calendar::local;
use crate::domain::{HOUR, Millis};
use crate::http::process::Process;
use crate::projection::verify::verify;
use crate::store::{Database, Store, make_private_folder};

/// A copy's folder is called so, and by when it was made, in UTC.
const PREFIX: &str = "footfall-";
pub const STAMP: &str = "%Y-%m-%dT%H%M%SZ";
/// What is not whole yet.
const DRAFT: &str = "unfinished";
/// What is made to forget.
const SCRATCH: &str = "unfinished-scratch";
/// After a backup that failed, the next is tried so soon.
const RETRY_AFTER: Duration = Duration::from_secs(10 * 60);

/// Where copies are kept, and how many.
pub struct Shelf<'s> {
    database: &'s Database,
    folder: PathBuf,
    keep: usize,
}

/// A copy that is kept.
pub struct Copy {
    pub made_at: Millis,
    path: PathBuf,
}

/// Says what is missing in the configuration.
pub fn check(config: &Config) -> anyhow::Result<()> {
    let is_named = !config.backup.folder.as_os_str().is_empty();
    ensure!(
        config.backup.every == 0 || is_named,
        "`backup.every` needs `backup.folder`: where to?"
    );
    Ok(())
}

/// Makes a backup as often as it is wanted, until it is dropped. One that fails is told, and tried
/// again: the service goes on.
pub async fn run(store: Store, config: BackupConfig, process: Process) -> Ended {
    let every = Millis::from(config.every) * HOUR;
    process.expect_backups(every);
    // What keeps the folder from being read is told by the first that is tried.
    let last = last(store.database(), &config).unwrap_or_default();
    if let Some(last) = &last {
        process.note_backup(last.made_at, last.bytes()?);
    }
    let mut wait = due_in(last.map(|last| last.made_at), every, clock::now());
    loop {
        sleep(wait).await;
        let (database, config) = (store.database().clone(), config.clone());
        let (done, made) = oneshot::channel();
        // A thread that no stop waits for: what it has written by then is cleared by the next.
        let make = move || {
            let made = Shelf::open(&database, &config).and_then(|shelf| shelf.add(clock::now()));
            drop(done.send(made));
        };
        thread::Builder::new().name("backup".into()).spawn(make)?;
        match made.await.context("a backup was broken off")? {
            Ok(made) => {
                process.note_backup(made.made_at, made.bytes()?);
                tracing::info!("a backup was made and verified");
                wait = Duration::from_millis(every.unsigned_abs());
            }
            Err(error) => {
                let error = format!("{error:#}");
                tracing::error!(error, "the backup failed; it is tried again in 10 minutes");
                wait = RETRY_AFTER;
            }
        }
    }
}

/// The newest copy; nothing is made to find out.
pub fn last(database: &Database, config: &BackupConfig) -> anyhow::Result<Option<Copy>> {
    Shelf { database, folder: config.folder.clone(), keep: 0 }.last()
}

/// How long until the next; one from the future tells nothing.
fn due_in(last: Option<Millis>, every: Millis, now: Millis) -> Duration {
    let due = last.filter(|last| *last <= now).map_or(now, |last| last + every);
    Duration::from_millis(u64::try_from(due - now).unwrap_or(0))
}

impl Shelf<'_> {
    pub fn open<'s>(database: &'s Database, config: &BackupConfig) -> anyhow::Result<Shelf<'s>> {
        let folder = config.folder.clone();
        ensure!(!folder.as_os_str().is_empty(), "name a folder, or set `backup.folder`");
        let shown = || format!("`backup.folder` {}", folder.display());
        make_private_folder(&folder).with_context(shown)?;
        let keep = usize::try_from(config.keep).unwrap_or(usize::MAX);
        Ok(Shelf { database, folder, keep })
    }

    fn last(&self) -> anyhow::Result<Option<Copy>> {
        Ok(self.copies()?.pop())
    }

    /// Makes a copy, and takes out of all what was erased. Returns it.
    pub fn add(&self, now: Millis) -> anyhow::Result<Copy> {
        let lock = self.database.try_lock_backup()?;
        let _lock = lock.context("another backup is being made; wait until it is done")?;
        self.clear()?;
        // A clock that went back must not make the newest the oldest.
        let mut made_at = self.last()?.map_or(now, |last| now.max(last.made_at + 1_000));
        // Another database may keep its copies here too.
        while self.folder.join(name_of(made_at)).exists() {
            made_at += 1_000;
        }
        let draft = self.folder.join(DRAFT);
        self.database.back_up(&draft)?;
        check_copy(&draft)?;
        let path = self.folder.join(name_of(made_at));
        fs::rename(&draft, &path)?;
        self.drop_oldest()?;
        for copy in self.copies()? {
            self.make_forget(&copy.path)
                .with_context(|| format!("{} cannot be made to forget", copy.path.display()))?;
        }
        self.clear()?;
        Ok(Copy { made_at, path })
    }

    /// The copies of this database, by when they were made. Those of another key are left alone.
    fn copies(&self) -> anyhow::Result<Vec<Copy>> {
        let mut copies = vec![];
        let shown = || format!("`backup.folder` {}", self.folder.display());
        for entry in fs::read_dir(&self.folder).with_context(shown)? {
            let path = entry?.path();
            let made_at = path.file_name().and_then(|name| time_of(name.to_str()?));
            if let Some(made_at) = made_at
                && self.database.is_copied_to(&path)
            {
                copies.push(Copy { made_at, path });
            }
        }
        copies.sort_by_key(|copy| copy.made_at);
        Ok(copies)
    }

    fn drop_oldest(&self) -> anyhow::Result<()> {
        let copies = self.copies()?;
        let more = copies.len().saturating_sub(self.keep);
        copies.iter().take(more).try_for_each(|copy| remove(&copy.path))
    }

    /// What was broken off may hold whoever was erased since.
    fn clear(&self) -> anyhow::Result<()> {
        [DRAFT, SCRATCH].iter().try_for_each(|name| remove(&self.folder.join(name)))
    }

    /// Writes a copy anew without those who were erased since it was made.
    fn make_forget(&self, copy: &Path) -> anyhow::Result<()> {
        if self.has_forgotten(copy)? {
            return Ok(());
        }
        let scratch = self.folder.join(SCRATCH);
        let draft = self.folder.join(DRAFT);
        self.clear()?;
        self.database.copy_with_ledger(copy, &scratch)?;
        let database = Database::open(&scratch)?;
        eraser::catch_up(&database)?;
        eraser::work_off(&database, &mut database.connect()?)?;
        database.back_up(&draft)?;
        drop(database);
        check_copy(&draft)?;
        Database::replace_copy(&draft, copy)?;
        self.clear()
    }

    /// Whether all whom the ledger knows of are gone from a copy, and nothing is left to be erased.
    fn has_forgotten(&self, copy: &Path) -> anyhow::Result<bool> {
        // One of an earlier version is brought up to date on the way.
        let Ok(kept) = Database::look(copy) else { return Ok(false) };
        let ledger = kept.ledger_of(self.database)?;
        let (erased, open) = kept.read(|snapshot| {
            Ok((snapshot.tombstones_after(Millis::MIN)?, snapshot.open_erasures(1)?))
        })?;
        Ok(open.is_empty() && eraser::lacking(&erased, &ledger.entries).is_empty())
    }
}

impl Copy {
    fn bytes(&self) -> anyhow::Result<u64> {
        let mut bytes = 0;
        for entry in fs::read_dir(&self.path)? {
            bytes += entry?.metadata()?.len();
        }
        Ok(bytes)
    }
}

/// Opens a copy, and proves its numbers.
fn check_copy(folder: &Path) -> anyhow::Result<()> {
    prove(&Database::look(folder)?)
}

/// Fails when the numbers of a copy are not right.
pub fn prove(copy: &Database) -> anyhow::Result<()> {
    let found = copy.read(verify)?;
    match found.differences.first() {
        None => Ok(()),
        Some(first) => bail!("the copy is not good: {first}; run `footfall verify`"),
    }
}

fn remove(folder: &Path) -> anyhow::Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| folder.display().to_string())?;
    }
    Ok(())
}

fn name_of(made_at: Millis) -> String {
    format!("{PREFIX}{}", local(Tz::UTC, made_at).format(STAMP))
}

fn time_of(name: &str) -> Option<Millis> {
    let stamp = name.strip_prefix(PREFIX)?;
    Some(NaiveDateTime::parse_from_str(stamp, STAMP).ok()?.and_utc().timestamp_millis())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_when_a_copy_was_made() {
        let made_at = 1_772_323_201_000;
        assert_eq!(name_of(made_at), "footfall-2026-03-01T000001Z");
        assert_eq!(time_of(&name_of(made_at)), Some(made_at));
        assert_eq!((time_of("footfall-old"), time_of("unfinished")), (None, None));
    }

    #[test]
    fn the_next_is_due_when_the_last_is_old_enough() {
        let due = |last, now| due_in(last, 10, now).as_millis();
        assert_eq!((due(None, 5), due(Some(0), 4), due(Some(0), 30)), (0, 6, 0));
        assert_eq!(due(Some(1_000), 5), 0, "a clock that was ahead keeps nothing from being made");
    }
}
