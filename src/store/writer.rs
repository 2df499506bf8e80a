//! The one writer: a thread that owns the write connection. Work that waits together commits
//! together; what does not fit its queue is refused at once.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Instant;

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot, watch};

use super::database::{Database, Snapshot};
use super::error::{StoreError, in_file};
use super::meters::Meters;
use super::opened::Opened;
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

impl WriteError {
    /// Whether the disk took what was written, but what is stored does not fit it: something else
    /// may still be written.
    pub fn is_of_data(&self) -> bool {
        matches!(self, WriteError::Failed(error) if !error.is_of_disk())
    }
}

/// The store of a running service.
#[derive(Clone)]
pub struct Store {
    database: Database,
    queue: mpsc::Sender<Queued>,
    /// Counts commits, so that who waits for a change hears of it.
    commits: watch::Receiver<u64>,
    /// Counts those of them that ask to erase something.
    erasures: watch::Receiver<u64>,
    meters: Meters,
}

/// A message, and since when it waits.
struct Queued {
    message: Message,
    since: Instant,
}

impl Store {
    /// Opens the data folder and starts its writer. The thread ends, with all that was queued
    /// written, when the store is closed or its last handle is dropped.
    pub fn start(folder: &Path) -> Result<(Store, JoinHandle<()>), StoreError> {
        let database = Database::open(folder)?;
        let lock = database.lock()?;
        let connection = database.connect()?;
        let (queue, jobs) = mpsc::channel(QUEUE_MAX);
        let (committed, commits) = watch::channel(0);
        let (to_erase, erasures) = watch::channel(0);
        let meters = Meters::new();
        let mut writer = Writer {
            database: database.clone(),
            connection,
            opened: Opened::default(),
            committed,
            to_erase,
            meters: meters.clone(),
        };
        let thread = std::thread::Builder::new().name("writer".into()).spawn(move || {
            writer.run(jobs);
            drop(lock);
        });
        let thread =
            thread.map_err(|source| StoreError::File { path: "writer thread".into(), source })?;
        Ok((Store { database, queue, commits, erasures, meters }, thread))
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
        self.send(Message::Work(Box::new(Work { work, result: None, reply })))?;
        answer.await.map_err(|_| WriteError::Stopped)?
    }

    /// Moves the write-ahead log into the database and empties its file, so that nothing of what
    /// was there remains in it. False when a reader still needs it: try again soon.
    pub async fn empty_log(&self) -> Result<bool, WriteError> {
        let (reply, answer) = oneshot::channel();
        self.send(Message::EmptyLog(reply))?;
        Ok(answer.await.map_err(|_| WriteError::Stopped)??)
    }

    /// Moves what it can of the write-ahead log into the database, while the writer goes on.
    pub async fn move_log(&self) -> Result<(), StoreError> {
        let database = self.database.clone();
        let moved = tokio::task::spawn_blocking(move || database.move_log());
        moved.await.map_err(std::io::Error::other).map_err(in_file(self.database.folder()))?
    }

    /// Gives some free pages of the database back to the disk; true when there are more.
    pub async fn shrink(&self) -> Result<bool, WriteError> {
        let (reply, answer) = oneshot::channel();
        self.send(Message::Shrink(reply))?;
        Ok(answer.await.map_err(|_| WriteError::Stopped)??)
    }

    /// Lets the writer end when all that is queued is written; nothing is written after that.
    pub async fn close(&self) {
        // One that has ended already has nothing queued.
        drop(self.queue.send(Queued { message: Message::Close, since: Instant::now() }).await);
    }

    /// Returns when the writer has ended.
    pub async fn writer_ended(&self) {
        self.queue.closed().await;
    }

    fn send(&self, message: Message) -> Result<(), WriteError> {
        self.queue.try_send(Queued { message, since: Instant::now() }).map_err(
            |error| match error {
                mpsc::error::TrySendError::Full(_) => WriteError::Overloaded,
                mpsc::error::TrySendError::Closed(_) => WriteError::Stopped,
            },
        )
    }

    /// Reads at one point of the database's history. Blocks the thread for as long as it takes.
    pub fn read<R>(
        &self,
        work: impl FnOnce(&Snapshot<'_>) -> Result<R, StoreError>,
    ) -> Result<R, StoreError> {
        self.database.read(work)
    }

    /// How many writes wait, of at most [`QUEUE_MAX`].
    pub fn waiting(&self) -> usize {
        self.queue.max_capacity() - self.queue.capacity()
    }

    pub fn meters(&self) -> &Meters {
        &self.meters
    }

    /// Hears of every commit.
    pub fn commits(&self) -> watch::Receiver<u64> {
        self.commits.clone()
    }

    /// Hears of every commit that asks to erase something.
    pub fn erasures(&self) -> watch::Receiver<u64> {
        self.erasures.clone()
    }
}

/// What the writer is asked to do.
enum Message {
    Work(Box<dyn Job>),
    EmptyLog(oneshot::Sender<Result<bool, StoreError>>),
    Shrink(oneshot::Sender<Result<bool, StoreError>>),
    Close,
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
    opened: Opened,
    committed: watch::Sender<u64>,
    to_erase: watch::Sender<u64>,
    meters: Meters,
}

impl Writer {
    fn run(&mut self, mut queue: mpsc::Receiver<Queued>) {
        let mut messages = Vec::with_capacity(BATCH_MAX);
        let mut batch = Vec::with_capacity(BATCH_MAX);
        while queue.blocking_recv_many(&mut messages, BATCH_MAX) > 0 {
            for Queued { message, since } in messages.drain(..) {
                self.meters.waited(since.elapsed());
                match message {
                    Message::Work(job) => batch.push(job),
                    Message::EmptyLog(reply) => {
                        self.write(&mut batch);
                        // Who waited may have given up; the log is empty all the same.
                        drop(reply.send(Database::empty_log(&self.connection)));
                    }
                    Message::Shrink(reply) => {
                        self.write(&mut batch);
                        drop(reply.send(Database::shrink(&self.connection)));
                        self.database.keep_room(&self.connection);
                    }
                    Message::Close => {
                        self.write(&mut batch);
                        // Connections that only read may outlive this one, so that closing it
                        // would leave what is new beside the database, where who copies one file
                        // does not look. A read that still goes on leaves it there all the same.
                        drop(Database::empty_log(&self.connection));
                        return;
                    }
                }
            }
            self.write(&mut batch);
        }
    }

    /// Commits all together. When one piece fails, each is tried alone, so that it cannot fail its
    /// neighbours; when the disk fails, all have failed.
    fn write(&mut self, batch: &mut Vec<Box<dyn Job>>) {
        if batch.is_empty() {
            return;
        }
        let together = self.attempt(batch);
        let mut disk_failed = None;
        for mut job in batch.drain(..) {
            let committed = match (&together, &disk_failed) {
                (Ok(()), _) => Ok(()),
                (Err(Failure::Disk(error)), _) | (_, Some(error)) => {
                    Err(StoreError::Shared(error.clone()))
                }
                (Err(Failure::Job(_)), None) => {
                    match self.attempt(std::slice::from_mut(&mut job)) {
                        Ok(()) => Ok(()),
                        Err(Failure::Job(error)) => Err(error),
                        Err(Failure::Disk(error)) => {
                            disk_failed = Some(error.clone());
                            Err(StoreError::Shared(error))
                        }
                    }
                }
            };
            job.finish(committed);
        }
        self.database.keep_room(&self.connection);
        self.committed.send_modify(|commits| *commits += 1);
    }

    fn attempt(&mut self, jobs: &mut [Box<dyn Job>]) -> Result<(), Failure> {
        let (writes, began) = (jobs.len(), Instant::now());
        let outcome = self.transact(jobs);
        let asks_to_erase = outcome?;
        self.meters.committed(writes, began.elapsed());
        if asks_to_erase {
            self.to_erase.send_modify(|commits| *commits += 1);
        }
        Ok(())
    }

    fn transact(&mut self, jobs: &mut [Box<dyn Job>]) -> Result<bool, Failure> {
        let (database, connection) = (&self.database, &mut self.connection);
        let disk = |error| Failure::Disk(Arc::new(error));
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            let mut tx = database.begin(connection).map_err(disk)?;
            self.opened.check(&database.file()).map_err(disk)?;
            for job in jobs {
                job.run(&mut tx).map_err(Failure::of_job)?;
            }
            // What waited in memory meets its rows only now, and may find one damaged.
            tx.commit().map_err(Failure::of_job)
        }));
        outcome.unwrap_or_else(|_| {
            let broken = "a broken invariant; please report it with the log";
            Err(Failure::Job(StoreError::Refused(broken.into())))
        })
    }
}

/// Why a transaction failed.
enum Failure {
    /// By a piece of work in it.
    Job(StoreError),
    /// By the disk, or by another process that holds the database.
    Disk(Arc<StoreError>),
}

impl Failure {
    fn of_job(error: StoreError) -> Failure {
        if error.is_of_disk() { Failure::Disk(Arc::new(error)) } else { Failure::Job(error) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_waits_for_the_writers_end_hears_of_it_when_all_that_was_queued_is_written() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (store, writer) = Store::start(folder.path()).expect("it opens");
        let beats =
            futures_util::future::join_all((0..9).map(|at| store.write(move |tx| tx.beat(at))));
        let ended = async {
            store.close().await;
            store.writer_ended().await;
        };
        let (beats, ()) = tokio::join!(beats, ended);
        assert!(beats.iter().all(Result::is_ok), "they were queued before: {beats:?}");
        let late = store.write(|tx| tx.beat(9)).await;
        assert!(matches!(late, Err(WriteError::Stopped)), "{late:?}");
        writer.join().expect("it does not panic");
    }
}
