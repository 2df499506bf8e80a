//! Backups that are made by themselves, and those that are asked for: `footfall backup`.

mod shelf;

use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use anyhow::{Context, ensure};
use tokio::sync::oneshot;
use tokio::time::sleep;

use super::cli::BackupArgs;
use super::config::{BackupConfig, Config};
use super::jobs::Ended;
use super::output;
use crate::clock;
use crate::domain::{HOUR, Millis};
use crate::http::process::Process;
use crate::store::{Database, Passphrases, Store, check_sealed, is_sealed, may_write};
pub use shelf::prove;
use shelf::{Copy, Done, Shelf};

/// How it is written when a copy was made.
pub const STAMP: &str = "%Y-%m-%dT%H%M%SZ";
/// After a backup that failed, the next is tried so soon.
const RETRY_AFTER: Duration = Duration::from_secs(10 * 60);

/// Says what is missing in the configuration.
pub fn check(config: &Config) -> anyhow::Result<()> {
    let folder = &config.backup.folder;
    let is_named = !folder.as_os_str().is_empty();
    ensure!(
        config.backup.every == 0 || is_named,
        "`backup.every` needs `backup.folder`: where to?"
    );
    ensure!(
        !is_named || !is_within(folder, &config.data),
        "`backup.folder` {} is in the data folder, which is cleared of whoever is erased, and has the \
         same disk; choose another",
        folder.display()
    );
    Ok(())
}

/// Whether a folder that may not be there yet is another one, or in it.
fn is_within(folder: &Path, other: &Path) -> bool {
    let Ok(other) = other.canonicalize() else { return folder.starts_with(other) };
    let there = folder.ancestors().find_map(|ancestor| ancestor.canonicalize().ok());
    there.is_some_and(|there| there.starts_with(&other))
}

impl BackupConfig {
    /// By what copies are encrypted; none where they are not.
    pub fn passphrases(&self) -> anyhow::Result<Option<Passphrases>> {
        let file = &self.passphrase_file;
        if file.as_os_str().is_empty() {
            return Ok(None);
        }
        Ok(Some(Passphrases::read_to_write(file).context("`backup.passphrase_file`")?))
    }
}

/// What to say when others may read the passphrases.
pub fn warn_of_others(file: &Path, mode: u32) -> String {
    let file = file.display();
    format!("{file} is open to other users (mode {mode:o}), and opens every backup")
}

/// Fails when no copy could be written into the folder, and makes none.
pub fn look_at_folder(config: &BackupConfig) -> anyhow::Result<()> {
    // One that is not there yet is made in the nearest that is.
    let nearest = config.folder.ancestors().find(|folder| folder.exists());
    let nearest = nearest.filter(|folder| !folder.as_os_str().is_empty());
    may_write(nearest.unwrap_or(Path::new("."))).context("`backup.folder`")
}

/// Clears what a crash left of a backup: it may hold whoever is erased.
pub fn clear(database: &Database, config: &BackupConfig) -> anyhow::Result<()> {
    if !config.folder.is_dir() {
        return Ok(());
    }
    // While another is being made, there is nothing that was left.
    let Some(_lock) = database.try_lock_backup()? else { return Ok(()) };
    Shelf::to_look_at(database, config, None).clear()
}

/// Makes a backup as often as it is wanted, until it is dropped. One that fails is told, and tried
/// again: the service goes on.
pub async fn run(store: Store, config: BackupConfig, process: Process) -> Ended {
    let every = Millis::from(config.every) * HOUR;
    process.expect_backups(every);
    // What keeps the folder from being read is told by the first that is tried.
    let last = last(store.database(), &config).unwrap_or_default();
    if let Some(last) = &last {
        // A clock that was ahead must not hide how old it is.
        process.note_backup(last.made_at.min(clock::now()), last.bytes()?);
    }
    let mut wait = due_in(last.map(|last| last.made_at), every, clock::now());
    loop {
        sleep(wait).await;
        wait = match make_off_thread(&store, &config, every).await? {
            Ok(Done { copy, is_new, lost, failed }) => {
                process.note_backup(copy.made_at, copy.bytes()?);
                process.lose_backups(lost);
                if let Some(error) = failed {
                    tell_that_it_failed(&error)
                } else if is_new {
                    tracing::info!("a backup was made and verified");
                    Duration::from_millis(every.unsigned_abs())
                } else {
                    due_in(Some(copy.made_at), every, clock::now())
                }
            }
            Err(error) => tell_that_it_failed(&error),
        };
    }
}

/// Returns when it is tried again.
fn tell_that_it_failed(error: &anyhow::Error) -> Duration {
    let error = format!("{error:#}");
    tracing::error!(error, "the backup failed; it is tried again in 10 minutes");
    RETRY_AFTER
}

async fn make_off_thread(
    store: &Store,
    config: &BackupConfig,
    every: Millis,
) -> anyhow::Result<anyhow::Result<Done>> {
    let (database, config) = (store.database().clone(), config.clone());
    let (done, made) = oneshot::channel();
    // A thread that no stop waits for: what it has written by then is cleared by the next.
    let make = move || {
        let by = config.passphrases();
        let shelf = by.and_then(|by| Shelf::open(&database, &config, by));
        drop(done.send(shelf.and_then(|shelf| shelf.keep_up(clock::now(), every))));
    };
    thread::Builder::new().name("backup".into()).spawn(make)?;
    made.await.context("a backup was broken off")
}

/// The newest copy; nothing is made to find out.
pub fn last(database: &Database, config: &BackupConfig) -> anyhow::Result<Option<Copy>> {
    Shelf::to_look_at(database, config, None).last()
}

/// Copies that these passphrases do not open, and why: as soon as somebody is erased, they go.
pub fn unopened(
    database: &Database,
    config: &BackupConfig,
    by: &Passphrases,
) -> anyhow::Result<Vec<String>> {
    let copies = Shelf::to_look_at(database, config, None).copies()?;
    let sealed = copies.iter().map(Copy::path).filter(|copy| is_sealed(copy));
    Ok(sealed.filter_map(|copy| Some(check_sealed(copy, by).err()?.to_string())).collect())
}

/// Copies that are not all there, and those of which cannot be told whose they are.
pub fn doubtful(
    database: &Database,
    config: &BackupConfig,
    by: Option<Passphrases>,
) -> anyhow::Result<(Vec<PathBuf>, Vec<PathBuf>)> {
    let shelf = Shelf::to_look_at(database, config, by);
    Ok((shelf.damaged()?, shelf.unknown()?))
}

/// How long until the next; one from the future tells nothing.
fn due_in(last: Option<Millis>, every: Millis, now: Millis) -> Duration {
    let due = last.filter(|last| *last <= now).map_or(now, |last| last + every);
    Duration::from_millis(u64::try_from(due - now).unwrap_or(0))
}

/// By what a command encrypts: what is configured is read by too, since kept copies are by that.
fn passphrases(config: &BackupConfig, file: Option<&Path>) -> anyhow::Result<Option<Passphrases>> {
    let configured = config.passphrases();
    let Some(file) = file else { return configured };
    Ok(Some(Passphrases::read_to_write(file)?.and(configured.ok().flatten())))
}

/// `footfall backup`.
pub fn command(database: &Database, config: &Config, args: &BackupArgs) -> anyhow::Result<()> {
    let config = &config.backup;
    let by = passphrases(config, args.passphrase_file.as_deref())?;
    let is_encrypted = by.is_some();
    let folder = if let Some(folder) = &args.folder {
        shelf::copy_into(database, folder, by.as_ref())?;
        folder
    } else {
        let done = Shelf::open(database, config, by)?.add(clock::now())?;
        if let Some(error) = done.failed {
            return Err(error.context("a copy was made, but"));
        }
        &config.folder
    };
    let folder = folder.display().to_string();
    let done = serde_json::json!({ "folder": folder, "encrypted": is_encrypted });
    output::show(args.json, &done, || {
        let what = if is_encrypted { "an encrypted copy" } else { "a copy" };
        let how =
            if is_encrypted { "keep its passphrase elsewhere too" } else { "keep both private" };
        format!("{folder} has {what} of the database and its key; {how}")
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_is_due_when_the_last_is_old_enough() {
        let due = |last, now| due_in(last, 10, now).as_millis();
        assert_eq!((due(None, 5), due(Some(0), 4), due(Some(0), 30)), (0, 6, 0));
        assert_eq!(due(Some(1_000), 5), 0, "a clock that was ahead keeps nothing from being made");
    }
}
