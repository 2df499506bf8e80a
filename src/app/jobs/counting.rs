//! Counting anew: a gym whose projection an earlier version built is built by this one, beside the
//! projection that is read; and one whose other rules or zone were said before a stop, by those.

use std::thread;
use std::time::Duration;

use anyhow::Context;
use tokio::sync::oneshot;
use tokio::time::sleep;

use super::Ended;
use crate::domain::ids::GymId;
use crate::projection::rebuild::rebuild;
use crate::store::{GymSettings, Snapshot, Store, StoreError};

/// How often is looked for gyms to count: an older copy of the database may have been put in place.
const LOOK_EVERY: Duration = Duration::from_secs(60 * 60);
/// While a command rebuilds a gym, this waits.
const WAIT: Duration = Duration::from_secs(10);

fn to_count(snapshot: &Snapshot<'_>) -> Result<Vec<(GymId, Option<GymSettings>)>, StoreError> {
    let old = snapshot.gyms_to_count_anew()?;
    let mut found = Vec::new();
    for gym in snapshot.gyms()? {
        let wanted = snapshot.wanted(&gym)?;
        if wanted.is_some() || old.contains(&gym.id) {
            found.push((gym.id, wanted));
        }
    }
    Ok(found)
}

/// Goes on until it is dropped.
pub async fn run(store: Store) -> Ended {
    loop {
        let mut failed = Ok(());
        for (gym, wanted) in store.read(to_count)? {
            while store.database().is_rebuilding() {
                sleep(WAIT).await;
            }
            match count(&store, gym, wanted).await {
                Ok(events) => {
                    tracing::info!(gym = gym.0, events, "a gym was counted as this version counts");
                }
                // The others are counted all the same.
                Err(error) => failed = Err(error.context(format!("gym {} is not counted", gym.0))),
            }
        }
        failed?;
        sleep(LOOK_EVERY).await;
    }
}

async fn count(store: &Store, gym: GymId, wanted: Option<GymSettings>) -> anyhow::Result<u64> {
    let database = store.database().clone();
    let (done, built) = oneshot::channel();
    // A thread that no stop waits for: what it has built by then is built anew.
    let count = move || drop(done.send(rebuild(&database, gym, wanted.as_ref(), &mut |_| {})));
    thread::Builder::new().name("counting".into()).spawn(count)?;
    Ok(built.await.context("counting was broken off")??)
}
