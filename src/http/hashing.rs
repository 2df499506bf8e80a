//! Passwords are compared and hashed here, and nowhere else in the service: dear on purpose, so
//! that only a few at once may cost memory and time, and who waits for longer is refused.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::oneshot;

use super::problem::{Code, Problem};
use crate::store::HashMemory;

/// Passwords that are hashed at once. Each takes 19 MiB, which its thread keeps for the next one.
pub const HASHES_MAX: usize = 2;
/// Passwords that wait to be hashed; one more is refused with 503.
pub const HASHES_WAITING_MAX: usize = 16;

type Job = Box<dyn FnOnce(&mut HashMemory) + Send>;

/// The threads that hash. They end when it is dropped.
pub struct Hashing(SyncSender<Job>);

impl Hashing {
    pub fn start() -> io::Result<Hashing> {
        let (queue, jobs) = sync_channel(HASHES_WAITING_MAX);
        let jobs = Arc::new(Mutex::new(jobs));
        for _ in 0..HASHES_MAX {
            let jobs = jobs.clone();
            let named = std::thread::Builder::new().name("passwords".into());
            named.spawn(move || {
                let mut memory = HashMemory::default();
                while let Some(job) = next(&jobs) {
                    job(&mut memory);
                }
            })?;
        }
        Ok(Hashing(queue))
    }

    /// Does work that hashes, in its turn. It is left undone when nobody waits for it any more. No
    /// snapshot may be held meanwhile.
    pub async fn run<R: Send + 'static>(
        &self,
        work: impl FnOnce(&mut HashMemory) -> R + Send + 'static,
    ) -> Result<R, Problem> {
        let (reply, answer) = oneshot::channel();
        let job = move |memory: &mut HashMemory| {
            if !reply.is_closed() {
                // A panic must not take the thread from those who come next.
                if let Ok(result) = catch_unwind(AssertUnwindSafe(|| work(memory))) {
                    drop(reply.send(result));
                }
            }
        };
        let busy = || Problem::new(Code::Unavailable, "too many people sign in at once");
        self.0.try_send(Box::new(job)).map_err(|_| busy())?;
        answer.await.map_err(|_| Problem::new(Code::Internal, "the password was not compared"))
    }
}

fn next(jobs: &Mutex<Receiver<Job>>) -> Option<Job> {
    jobs.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Barrier;

    #[tokio::test]
    async fn a_few_at_once_a_few_waiting_and_no_more() {
        let hashing = Arc::new(Hashing::start().expect("threads start"));
        let all_busy = Arc::new(Barrier::new(HASHES_MAX + 1));
        let held: Vec<_> = (0..HASHES_MAX)
            .map(|_| {
                let (hashing, all_busy) = (hashing.clone(), all_busy.clone());
                let work = move |_: &mut HashMemory| {
                    all_busy.wait();
                    all_busy.wait();
                };
                tokio::spawn(async move { hashing.run(work).await })
            })
            .collect();
        let meet = |all_busy: Arc<Barrier>| tokio::task::spawn_blocking(move || all_busy.wait());
        meet(all_busy.clone()).await.expect("both threads hold a password");
        let mut waiting: Vec<_> =
            (0..HASHES_WAITING_MAX).map(|number| Box::pin(hashing.run(move |_| number))).collect();
        for one in &mut waiting {
            assert!(futures_util::poll!(one).is_pending());
        }
        assert_eq!(hashing.run(|_| ()).await.expect_err("full").code, Code::Unavailable);
        meet(all_busy).await.expect("they go on");
        for (number, one) in waiting.into_iter().enumerate() {
            assert_eq!(one.await.expect("its turn comes"), number);
        }
        for one in held {
            one.await.expect("no panic").expect("done");
        }
        let broken = hashing.run(|_| -> () { panic!("broken") }).await;
        assert_eq!(broken.expect_err("said").code, Code::Internal);
        assert_eq!(hashing.run(|_| 7).await.expect("the threads are there"), 7);
    }
}
