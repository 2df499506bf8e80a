//! The one writer: a thread that owns the write connection. Work that waits together commits
//! together; what does not fit its queue is refused at once.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::thread::JoinHandle;

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot, watch};

use super::database::{Database, Snapshot, StoreError};
use super::tx::Tx;

/// The most pieces of work that wait for the writer; one more is refused.
pub const QUEUE_MAX: usize = 4_096;
/// The most pieces of work that commit together.
pub const BATCH_MAX: usize = 512;

/// Why a piece of work was not written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    #[error("{QUEUE_MAX} writes are waiting already")]
    Overloaded,
    #[error("the writer has stopped")]
    Stopped,
    #[error(transparent)]
    Failed(#[from] StoreError),
}

/// The store of a running service.
#[derive(Clone)]
pub struct Store {
    database: Database,
    queue: mpsc::Sender<Box<dyn Job>>,
    /// Counts commits, so that who waits for a change hears of it.
    commits: watch::Receiver<u64>,
}

impl Store {
    /// Opens the data folder and starts its writer. The thread ends, with all that was queued
    /// written, when the last `Store` is dropped.
    pub fn start(folder: &Path) -> Result<(Store, JoinHandle<()>), StoreError> {
        let database = Database::open(folder)?;
        let lock = database.lock()?;
        let connection = database.connect()?;
        let (queue, jobs) = mpsc::channel(QUEUE_MAX);
        let (committed, commits) = watch::channel(0);
        let mut writer = Writer { database: database.clone(), connection, committed };
        let thread = std::thread::Builder::new().name("writer".into()).spawn(move || {
            writer.run(jobs);
            drop(lock);
        });
        let thread =
            thread.map_err(|source| StoreError::File { path: "writer thread".into(), source })?;
        Ok((Store { database, queue, commits }, thread))
    }

    pub fn database(&self) -> &Database {
        &self.database
    }

    /// Does the work in a transaction, and returns when it is on disk. The work may run more than
    /// once: when another piece of the same batch fails, each is tried again by itself.
    pub async fn write<R: Send + 'static>(
        &self,
        work: impl FnMut(&mut Tx<'_>) -> Result<R, StoreError> + Send + 'static,
    ) -> Result<R, WriteError> {
        let (reply, answer) = oneshot::channel();
        let job = Box::new(Work { work, result: None, reply });
        self.queue.try_send(job).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => WriteError::Overloaded,
            mpsc::error::TrySendError::Closed(_) => WriteError::Stopped,
        })?;
        answer.await.map_err(|_| WriteError::Stopped)?
    }

    /// Reads at one point of the database's history. Blocks the thread for as long as it takes.
    pub fn read<R>(
        &self,
        work: impl FnOnce(&Snapshot<'_>) -> Result<R, StoreError>,
    ) -> Result<R, StoreError> {
        self.database.read(work)
    }

    /// Hears of every commit.
    pub fn commits(&self) -> watch::Receiver<u64> {
        self.commits.clone()
    }
}

/// A piece of work of any result.
trait Job: Send {
    fn run(&mut self, tx: &mut Tx<'_>) -> Result<(), StoreError>;
    /// Tells the one who waits: its result when the commit succeeded, or why it did not.
    fn finish(self: Box<Self>, committed: Result<(), StoreError>);
}

struct Work<W, R> {
    work: W,
    result: Option<R>,
    reply: oneshot::Sender<Result<R, WriteError>>,
}

impl<W, R> Job for Work<W, R>
where
    W: FnMut(&mut Tx<'_>) -> Result<R, StoreError> + Send,
    R: Send,
{
    fn run(&mut self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        self.result = Some((self.work)(tx)?);
        Ok(())
    }

    fn finish(self: Box<Self>, committed: Result<(), StoreError>) {
        let result = match (committed, self.result) {
            (Ok(()), Some(result)) => Ok(result),
            (Ok(()), None) => Err(WriteError::Stopped),
            (Err(error), _) => Err(WriteError::Failed(error)),
        };
        // Who waited may have given up; the work is done all the same.
        drop(self.reply.send(result));
    }
}

struct Writer {
    database: Database,
    connection: Connection,
    committed: watch::Sender<u64>,
}

impl Writer {
    fn run(&mut self, mut jobs: mpsc::Receiver<Box<dyn Job>>) {
        let mut batch = Vec::with_capacity(BATCH_MAX);
        while jobs.blocking_recv_many(&mut batch, BATCH_MAX) > 0 {
            self.write(&mut batch);
        }
    }

    /// Commits all together; when that fails, each alone, so that one cannot fail its neighbours.
    fn write(&mut self, batch: &mut Vec<Box<dyn Job>>) {
        let together = self.attempt(batch).is_ok();
        for mut job in batch.drain(..) {
            let committed =
                if together { Ok(()) } else { self.attempt(std::slice::from_mut(&mut job)) };
            job.finish(committed);
        }
        self.committed.send_modify(|commits| *commits += 1);
    }

    fn attempt(&mut self, jobs: &mut [Box<dyn Job>]) -> Result<(), StoreError> {
        let (database, connection) = (&self.database, &mut self.connection);
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            let mut tx = database.begin(connection)?;
            for job in jobs {
                job.run(&mut tx)?;
            }
            tx.commit()
        }));
        outcome.unwrap_or_else(|_| {
            Err(StoreError::Refused("a broken invariant; please report it with the log".into()))
        })
    }
}
