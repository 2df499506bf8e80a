//! What systemd is told of the service: that it is ready when it can store a delivery, that it lives
//! as long as its writer does something, and that it stops.

use std::time::Duration;

use sd_notify::NotifyState;
use tokio::time::sleep;

use super::jobs::Ended;
use crate::clock;
use crate::store::{Store, WriteError};

/// Time between two tries of the first write.
const TRY_EVERY: Duration = Duration::from_secs(1);
/// The writer is asked so often within the time after which systemd ends the process, so that one
/// that is slow for a while has most of it to answer.
const ASKED_WITHIN: u32 = 4;

/// Returns when something was written, and systemd knows.
pub async fn ready_when_it_stores(store: &Store) {
    while let Err(error) = store.write(|tx| tx.beat(clock::now())).await {
        tracing::error!(%error, "nothing can be stored yet; it is tried again every second");
        tell(NotifyState::Status("waiting: nothing can be stored yet, see the log"));
        sleep(TRY_EVERY).await;
    }
    tell(NotifyState::Status("deliveries are taken"));
    tell(NotifyState::Ready);
}

/// As long as this goes on, systemd starts no other process in our place.
pub async fn tell_that_it_lives(store: Store, within: Duration) -> Ended {
    loop {
        writer_does_something(&store).await?;
        tell(NotifyState::Watchdog);
        sleep(within / ASKED_WITHIN).await;
    }
}

pub fn stopping() {
    tell(NotifyState::Stopping);
}

/// Returns when the writer has taken up a piece of work and is done with it: also one that failed,
/// since another process would have the same disk, and also another's where its queue is full.
async fn writer_does_something(store: &Store) -> anyhow::Result<()> {
    let mut commits = store.commits();
    commits.mark_unchanged();
    match store.write(|tx| tx.beat(clock::now())).await {
        Ok(_) | Err(WriteError::Failed(_)) => Ok(()),
        Err(WriteError::Overloaded) => Ok(commits.changed().await?),
        Err(error @ WriteError::Stopped) => Err(error.into()),
    }
}

/// Without systemd nobody is told.
fn tell(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::warn!(%error, "systemd cannot be told how the service is");
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::pin::pin;
    use std::sync::{Arc, Barrier};
    use std::task::Poll;

    use futures_util::future::join_all;

    use super::*;
    use crate::store::{QUEUE_MAX, StoreError};

    /// A writer that is stuck in its work until the barrier opens.
    async fn stuck(store: &Store) -> Arc<Barrier> {
        let gate = Arc::new(Barrier::new(2));
        let (held, started) = (gate.clone(), Arc::new(tokio::sync::Notify::new()));
        let (store, begun) = (store.clone(), started.clone());
        drop(tokio::spawn(async move {
            let work = store.write(move |_| {
                begun.notify_one();
                held.wait();
                Err::<(), _>(StoreError::Refused("it is only a test".into()))
            });
            work.await
        }));
        started.notified().await;
        gate
    }

    async fn is_pending(mut future: impl Future<Output = anyhow::Result<()>> + Unpin) -> bool {
        poll_fn(|context| Poll::Ready(std::pin::Pin::new(&mut future).poll(context).is_pending()))
            .await
    }

    #[tokio::test]
    async fn a_writer_that_is_stuck_does_not_live_and_one_that_fails_does() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (store, _writer) = Store::start(folder.path()).expect("it opens");
        writer_does_something(&store).await.expect("it is idle");
        for queued in [0, QUEUE_MAX] {
            let gate = stuck(&store).await;
            let mut others = pin!(join_all((0..queued).map(|_| store.write(|_| Ok(())))));
            let _ = futures_util::poll!(&mut others);
            let mut lives = pin!(writer_does_something(&store));
            for _ in 0..100 {
                assert!(is_pending(&mut lives).await, "{queued} are queued");
                tokio::task::yield_now().await;
            }
            // What failed in a batch is tried once more, alone.
            tokio::task::spawn_blocking(move || (gate.wait(), gate.wait()));
            lives.await.expect("it goes on");
            assert!(others.await.iter().all(Result::is_ok));
        }
        store.close().await;
        store.writer_ended().await;
        assert!(writer_does_something(&store).await.is_err(), "it has ended");
    }
}
