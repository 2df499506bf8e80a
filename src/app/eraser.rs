//! The eraser: takes up open erasures, one after the other, until they are complete.

use std::time::Duration;

use rusqlite::Connection;
use tokio::time::timeout;

use crate::clock;
use crate::projection::erase::erase;
use crate::store::{Database, Erasure, Store, StoreError, Tx, WriteError};

/// Erasures that are done in one transaction: few, so that deliveries do not wait long.
const CHUNK_ERASURES: usize = 20;
/// Open erasures are looked for after every commit, and at least this often.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Goes on until it is dropped. What fails is logged and tried again.
pub async fn run(store: Store) {
    let mut commits = store.commits();
    loop {
        match work(&store).await {
            Ok(true) => {}
            Ok(false) => drop(timeout(LOOK_EVERY, commits.changed()).await),
            Err(error) => {
                tracing::error!(%error, "an erasure failed; it is tried again");
                tokio::time::sleep(LOOK_EVERY).await;
            }
        }
    }
}

/// Does some open erasures; false when there were none.
async fn work(store: &Store) -> Result<bool, WriteError> {
    let open = store.read(|snapshot| snapshot.open_erasures(CHUNK_ERASURES))?;
    if open.is_empty() {
        return Ok(false);
    }
    let ids: Vec<i64> = open.iter().map(|erasure| erasure.id).collect();
    store.write(move |tx| erase_all(tx, &open)).await?;
    while !store.empty_log().await? {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let count = ids.len();
    store.write(move |tx| tx.mark_completed(&ids, clock::now())).await?;
    tracing::info!(count, "erasures are complete");
    Ok(true)
}

/// The same for a command: all that is open, with a connection of its own.
pub fn work_off(database: &Database, connection: &mut Connection) -> Result<(), StoreError> {
    loop {
        let open = database.read(|snapshot| snapshot.open_erasures(CHUNK_ERASURES))?;
        if open.is_empty() {
            return Ok(());
        }
        let ids: Vec<i64> = open.iter().map(|erasure| erasure.id).collect();
        database.transact(connection, |tx| erase_all(tx, &open))?;
        while !Database::empty_log(connection)? {
            std::thread::sleep(Duration::from_millis(50));
        }
        database.transact(connection, |tx| tx.mark_completed(&ids, clock::now()))?;
    }
}

fn erase_all(tx: &mut Tx<'_>, open: &[Erasure]) -> Result<(), StoreError> {
    open.iter().try_for_each(|erasure| erase(tx, erasure, clock::now()))
}
