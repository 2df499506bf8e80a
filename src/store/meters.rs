//! What the writer measures of itself. These start from nothing with each process.

use std::time::Duration;

use prometheus::core::Collector;
use prometheus::{Histogram, HistogramOpts};

use super::writer::BATCH_MAX;

/// Bounds of what the writer takes, in seconds: from one flush of a good disk to where deliveries
/// are refused.
const SECONDS: [f64; 11] = [0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 2.0, 4.0];

#[derive(Clone)]
pub struct Meters {
    wait: Histogram,
    batch: Histogram,
    commit: Histogram,
}

impl Meters {
    pub(super) fn new() -> Meters {
        let sizes = std::iter::successors(Some(1.0), |size| Some(size * 2.0))
            .take_while(|size| *size <= number(BATCH_MAX));
        Meters {
            wait: histogram(
                "footfall_write_queue_wait_seconds",
                "How long writes waited for the writer.",
                SECONDS.to_vec(),
            ),
            batch: histogram(
                "footfall_write_batch_writes",
                "How many writes were in a transaction.",
                sizes.collect(),
            ),
            commit: histogram(
                "footfall_write_commit_seconds",
                "How long transactions took, with the flush to disk.",
                SECONDS.to_vec(),
            ),
        }
    }

    /// All of them, for a registry.
    pub fn collectors(&self) -> [Box<dyn Collector>; 3] {
        [&self.wait, &self.batch, &self.commit].map(|one| Box::new(one.clone()) as _)
    }

    pub(super) fn waited(&self, took: Duration) {
        self.wait.observe(took.as_secs_f64());
    }

    pub(super) fn committed(&self, writes: usize, took: Duration) {
        self.batch.observe(number(writes));
        self.commit.observe(took.as_secs_f64());
    }
}

fn number(writes: usize) -> f64 {
    f64::from(u32::try_from(writes).expect("a batch has a limit"))
}

fn histogram(name: &str, help: &str, bounds: Vec<f64>) -> Histogram {
    let options = HistogramOpts::new(name, help).buckets(bounds);
    Histogram::with_opts(options).expect("the name and the bounds are right")
}
