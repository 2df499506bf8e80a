//! The pulse: a write every few seconds, also when nobody delivers, so that who watches the service
//! sees how long ago it could last write and its projections were up to the log. With each goes a
//! look at the clock, and at the key, without which nothing starts.

use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use super::jobs::Ended;
use super::witness::Watch;
use crate::clock;
use crate::store::Store;

/// Time between two heartbeats.
const BEAT_EVERY: Duration = Duration::from_secs(10);

/// Goes on until it is dropped.
pub async fn run(store: Store) -> Ended {
    let mut beats = interval(BEAT_EVERY);
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut watch = Watch::begin();
    loop {
        beats.tick().await;
        if let Err(error) = watch.look(&store).await {
            tracing::error!(%error, "the clock could not be compared with what was witnessed");
        }
        match store.database().keep_key() {
            Ok(false) => {}
            Ok(true) => tracing::warn!("footfall.key was gone; it is put back. Keep a copy of it"),
            Err(error) => tracing::error!(%error, "the next start would fail"),
        }
        match store.write(|tx| tx.beat(clock::now())).await {
            Ok(true) => {}
            Ok(false) => tracing::error!("the projection is behind the log; run `footfall verify`"),
            Err(error) => tracing::error!(%error, "no heartbeat could be written"),
        }
    }
}
