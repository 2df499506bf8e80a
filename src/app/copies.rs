//! Copies of the database that are kept: what each has still to forget, and how it is made to.

use std::path::Path;

use super::{eraser, output};
use crate::clock;
use crate::domain::Millis;
use crate::projection::removal::{begin, remove_some};
use crate::store::{self, Database, Store, StoreError};

/// Whether a copy has nothing left to forget of what this database has forgotten.
pub fn has_forgotten(database: &Database, copy: &Path) -> Result<bool, StoreError> {
    // One of an earlier version is brought up to date on the way.
    let Ok(kept) = Database::look(copy) else { return Ok(false) };
    // What is gone from its rows may stand in its write-ahead log.
    if !kept.is_still() {
        return Ok(false);
    }
    let gyms = database.to_forget()?.gyms;
    let ledger = kept.ledger_of(database)?;
    kept.read(|snapshot| {
        for gym in &gyms {
            if snapshot.holds_gym(*gym)? {
                return Ok(false);
            }
        }
        let erased = snapshot.tombstones_after(Millis::MIN)?;
        let is_complete = !snapshot.has_uncompleted_erasures()?;
        Ok(is_complete && eraser::lacking(&erased, &ledger.entries).is_empty())
    })
}

/// Makes a copy, beside which the ledger lies, forget whom this database has forgotten, in place: as
/// after an erasure, no byte of any of its files names them. Says why that can never be; any other
/// error may pass.
pub fn forget(database: &Database, copy: &Path) -> Result<Option<String>, StoreError> {
    match try_to_forget(database, copy) {
        Ok(damage) => Ok(damage),
        Err(error) if is_for_good(&error) => Ok(Some(error.to_string())),
        Err(error) => Err(error),
    }
}

/// Whether a copy will never be opened here: it is damaged, or has another key. One of another user,
/// of a later version, or that somebody holds can be given back, opened by that version, let go.
fn is_for_good(error: &StoreError) -> bool {
    error.is_of_damage() || matches!(error, StoreError::Key { .. })
}

fn try_to_forget(database: &Database, copy: &Path) -> Result<Option<String>, StoreError> {
    let kept = Database::open_existing(copy)?;
    if let Some(damage) = kept.read(|snapshot| snapshot.quick_damage())?.into_iter().next() {
        return Ok(Some(damage));
    }
    forget_all(database, &kept)?;
    Ok(None)
}

fn forget_all(database: &Database, kept: &Database) -> Result<(), StoreError> {
    eraser::catch_up(kept)?;
    let mut connection = kept.connect()?;
    for gym in database.to_forget()?.gyms {
        if kept.read(|snapshot| snapshot.holds_gym(gym))? {
            let mut removal =
                kept.transact(&mut connection, |tx| begin(tx, gym.0, clock::now()))?;
            while !removal.is_done {
                removal = kept.transact(&mut connection, |tx| remove_some(tx, removal))?;
            }
        }
    }
    eraser::work_off(kept, &mut connection)?;
    eraser::wait_for_empty_log(&connection)
}

/// The same for what restores put aside in the data folder, when somebody is erased. One that can
/// never be opened may hold whoever it is, and cannot be made to forget: it goes. The first of those
/// that cannot be opened now fails it, after the others have forgotten.
pub fn forget_put_aside(database: &Database) -> Result<(), StoreError> {
    let mut failed = None;
    for folder in database.put_aside()? {
        match forget_one_put_aside(database, &folder) {
            Ok(None) => {}
            Ok(Some(why)) => match store::remove(&folder) {
                Ok(()) => tell_that_it_went(&folder, &why),
                Err(error) => drop(failed.get_or_insert(error)),
            },
            Err(error) => drop(failed.get_or_insert(error)),
        }
    }
    let Some(error) = failed else { return Ok(()) };
    Err(StoreError::Refused(format!(
        "what was erased is gone from the database, but may be in what a restore put aside: {error}. \
         Mend that, remove the folder, or move it out of the data folder; then it is complete"
    )))
}

fn forget_one_put_aside(database: &Database, folder: &Path) -> Result<Option<String>, StoreError> {
    match database.arm_put_aside(folder) {
        Err(error) if is_for_good(&error) => return Ok(Some(error.to_string())),
        armed => armed?,
    }
    if has_forgotten(database, folder)? { Ok(None) } else { forget(database, folder) }
}

/// At the start of a service: whoever was erased since may be in what was put aside, or brought back.
/// Nothing is removed where nobody is erased now, and what cannot be opened is told.
pub async fn look_into_put_aside(store: &Store) {
    let database = store.database().clone();
    let look = move || {
        for folder in database.put_aside()? {
            let why = match forget_one_put_aside(&database, &folder) {
                Ok(why) => why,
                Err(error) => Some(error.to_string()),
            };
            if let Some(why) = why {
                let folder = folder.display();
                tracing::warn!(
                    why,
                    "{folder} cannot be opened; the next erasure waits for it, or, where it is \
                     damaged, removes it"
                );
            }
        }
        Ok::<_, StoreError>(())
    };
    if let Ok(Err(error)) = tokio::task::spawn_blocking(look).await {
        tracing::warn!(%error, "what restores put aside cannot be read");
    }
}

/// In the log of a service, or to who runs a command.
pub fn tell_that_it_went(copy: &Path, why: &str) {
    let copy = copy.display();
    if tracing::dispatcher::has_been_set() {
        tracing::error!(why, "{copy} cannot be made to forget who was erased; it is removed");
    } else {
        output::warning(&format!(
            "{copy} cannot be made to forget who was erased, and is removed: {why}"
        ));
    }
}

/// The same beside a service, which goes on meanwhile.
pub async fn forget_put_aside_beside(store: &Store) -> Result<(), StoreError> {
    if store.database().put_aside()?.is_empty() {
        return Ok(());
    }
    let database = store.database().clone();
    let done = tokio::task::spawn_blocking(move || forget_put_aside(&database)).await;
    let broken = "what a restore put aside could not be read; see the log";
    done.unwrap_or_else(|_| Err(StoreError::Refused(broken.to_owned())))
}
