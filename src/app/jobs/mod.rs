//! Background jobs: each once, under a name, for as long as the service runs. One that ends, by an
//! error or by a panic, is started again after a growing pause, and the process says so: `/readyz`
//! names it, `/metrics` counts it. What a job does may not live here.

pub mod counting;

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use crate::http::process::Process;

/// Pauses before a job is started again: each twice as long as the one before.
const PAUSE_MIN: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(15);
/// After running for so long, pauses begin with the shortest again.
const STEADY_AFTER: Duration = Duration::from_secs(60);

/// What a job comes to: it goes on until it is dropped, or fails.
pub type Ended = anyhow::Result<Infallible>;

/// All jobs of a service. They end when this is dropped.
pub struct Jobs {
    process: Process,
    tasks: Vec<JoinHandle<()>>,
}

impl Jobs {
    pub fn new(process: Process) -> Jobs {
        Jobs { process, tasks: vec![] }
    }

    /// Starts a job, and again whenever it ends.
    pub fn start<F>(&mut self, name: &'static str, job: impl Fn() -> F + 'static)
    where
        F: Future<Output = Ended> + 'static,
    {
        self.tasks.push(actix_web::rt::spawn(supervise(self.process.clone(), name, job)));
    }
}

impl Drop for Jobs {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

async fn supervise<F: Future<Output = Ended>>(
    process: Process,
    name: &'static str,
    job: impl Fn() -> F,
) {
    let mut pause = PAUSE_MIN;
    loop {
        let began = Instant::now();
        process.job_runs(name);
        let why = run(async { job().await }).await;
        process.job_ended(name);
        if began.elapsed() > STEADY_AFTER {
            pause = PAUSE_MIN;
        }
        let seconds = pause.as_secs();
        tracing::error!(job = name, why, seconds, "a background job ended; it is started again");
        sleep(pause).await;
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

/// Runs a job once; returns why it ended.
async fn run(job: impl Future<Output = Ended>) -> String {
    match AssertUnwindSafe(job).catch_unwind().await {
        Ok(Err(error)) => format!("{error:#}"),
        Err(_) => "a broken invariant, in the line before; please report it".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::rc::Rc;

    use super::*;
    use crate::http::process::JobState;

    #[test]
    fn a_job_that_panics_and_then_fails_is_down_is_started_again_and_runs() {
        actix_web::rt::System::new().block_on(async {
            let (process, starts) = (Process::default(), Rc::new(Cell::new(0)));
            let mut jobs = Jobs::new(process.clone());
            let counted = starts.clone();
            jobs.start("steady", std::future::pending);
            jobs.start("fickle", move || {
                counted.set(counted.get() + 1);
                let start = counted.get();
                async move {
                    assert!(start > 1, "the first start panics");
                    if start == 2 {
                        anyhow::bail!("the second fails");
                    }
                    std::future::pending().await
                }
            });
            let until = async |wanted: JobState| {
                while process.jobs().get("fickle") != Some(&wanted) {
                    actix_web::rt::task::yield_now().await;
                }
            };
            until(JobState { is_running: false, restarts: 1 }).await;
            assert_eq!(process.jobs_down(), ["fickle"], "the other job goes on");
            until(JobState { is_running: false, restarts: 2 }).await;
            until(JobState { is_running: true, restarts: 2 }).await;
            assert_eq!(starts.get(), 3);
            assert!(process.jobs_down().is_empty());
        });
    }
}
