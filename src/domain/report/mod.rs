//! Reports: what a reader gets, computed from tallies; one report, one file. Peaks, means,
//! percentiles and shares are computed here, on reading, and never stored (model section 4).

pub mod activity;
pub mod busy;
pub mod durations;
pub mod equipment;
pub mod members;
pub mod minutes;
pub mod occupancy;
pub mod outlook;
pub mod popular_times;
pub mod quality;
pub mod silence;
pub mod visits;

use self::silence::Span;
use super::calendar::Bucket;
use super::tally::{COUNT_CELLS, Cells, Count};
use super::{DAY, Millis, QUARTER};

/// The tallies of one family over a run of its buckets, in order; buckets without any are absent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Series(pub Vec<(i32, Cells)>);

impl Series {
    /// The cells of one bucket, if it has any.
    pub fn get(&self, bucket: i32) -> Option<&Cells> {
        let found = self.0.binary_search_by_key(&bucket, |entry| entry.0);
        found.ok().map(|found| &self.0[found].1)
    }

    /// Every cell of a daily family whose cells are `per_quarter` to the quarter of an hour, with
    /// the instant at which its quarter begins, in order: `(quarter, place in it, value)`.
    pub fn quarters(&self, per_quarter: u32) -> impl Iterator<Item = (Millis, u32, i64)> + '_ {
        self.0.iter().flat_map(move |(day, cells)| {
            let start = Millis::from(*day) * DAY;
            cells.iter().map(move |(cell, value)| {
                let quarter = Millis::from(cell / per_quarter) * QUARTER;
                (start + quarter, cell % per_quarter, value)
            })
        })
    }
}

/// What every report says of its range.
#[derive(Debug, Clone, PartialEq)]
pub struct OfRange {
    /// The silent spans that touch it, whole.
    pub silent: Vec<Span>,
    /// Observed visits over visits; none without visits.
    pub coverage: Option<f64>,
}

/// Every [`Count`] of one bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counts([i64; COUNT_CELLS as usize]);

impl Default for Counts {
    fn default() -> Self {
        Counts([0; COUNT_CELLS as usize])
    }
}

impl Counts {
    pub fn get(&self, count: Count) -> i64 {
        self.0[count as usize]
    }

    /// Visits entered, however it was noticed.
    pub fn visits(&self) -> i64 {
        self.get(Count::EnteredByCheckin) + self.get(Count::EnteredByEquipment)
    }

    /// Observed visits over visits; none without visits (model section 3).
    pub fn coverage(&self) -> Option<f64> {
        share(self.get(Count::Observed), self.visits())
    }

    /// One less.
    pub fn take_back(&mut self, count: Count) {
        self.0[count as usize] -= 1;
    }

    pub fn add(&mut self, other: &Counts) {
        for (mine, theirs) in self.0.iter_mut().zip(other.0) {
            *mine += theirs;
        }
    }
}

/// Sums the family `Counts` over each bucket; the buckets are in order and of whole quarters.
pub fn counts_by_bucket(counts: &Series, buckets: &[Bucket]) -> Vec<Counts> {
    let mut sums = vec![Counts::default(); buckets.len()];
    let mut place = 0;
    for (at, count, value) in counts.quarters(COUNT_CELLS) {
        while place < buckets.len() && buckets[place].until <= at {
            place += 1;
        }
        if place < buckets.len() && buckets[place].from <= at {
            sums[place].0[count as usize] += value;
        }
    }
    sums
}

/// The sum over all buckets.
pub fn total(counts: &[Counts]) -> Counts {
    let mut sum = Counts::default();
    for bucket in counts {
        sum.add(bucket);
    }
    sum
}

/// One number over another; none over zero.
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
pub fn share(part: i64, whole: i64) -> Option<f64> {
    (whole != 0).then(|| part as f64 / whole as f64)
}
