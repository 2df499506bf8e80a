//! Lengths of time in whole minutes, as a distribution: what means, percentiles and histograms
//! are computed from.

use super::share;
use crate::domain::MINUTE;

/// The width of a histogram's bins, in minutes.
pub const BIN_MINUTES: usize = 5;

/// How often each whole number of minutes occurred.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Minutes {
    counts: Vec<i64>,
    count: i64,
}

impl Minutes {
    pub fn add(&mut self, minutes: u32, times: i64) {
        let place = minutes as usize;
        if self.counts.len() <= place {
            self.counts.resize(place + 1, 0);
        }
        self.counts[place] += times;
        self.count += times;
    }

    pub fn count(&self) -> i64 {
        self.count
    }

    /// The percentile by nearest rank; none of nothing.
    pub fn percentile(&self, percent: i64) -> Option<u32> {
        let rank = (percent * self.count + 99) / 100;
        let mut seen = 0;
        let place = self.counts.iter().position(|count| {
            seen += count;
            self.count > 0 && seen >= rank.max(1)
        })?;
        u32::try_from(place).ok()
    }

    /// How many fall into each bin of [`BIN_MINUTES`], from 0 to the last that holds any.
    pub fn bins(&self) -> Vec<i64> {
        let filled = self.counts.iter().rposition(|count| *count != 0).map_or(0, |last| last + 1);
        self.counts[..filled].chunks(BIN_MINUTES).map(|bin| bin.iter().sum()).collect()
    }
}

/// The exact mean in minutes of lengths that sum up to `total_ms` milliseconds.
pub fn mean_minutes(total_ms: i64, count: i64) -> Option<f64> {
    #[expect(clippy::cast_precision_loss, reason = "a minute has 60,000 milliseconds")]
    share(total_ms, count).map(|mean_ms| mean_ms / MINUTE as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_by_nearest_rank() {
        let mut minutes = Minutes::default();
        assert_eq!((minutes.percentile(50), minutes.bins()), (None, vec![]));
        for length in [7, 1, 3, 12] {
            minutes.add(length, 1);
        }
        let percentiles = [0, 10, 25, 26, 50, 51, 90, 100].map(|p| minutes.percentile(p));
        let expected = [1, 1, 1, 3, 3, 7, 12, 12].map(Some);
        assert_eq!(percentiles, expected);
        assert_eq!(minutes.bins(), [2, 1, 1]);
        minutes.add(12, -1);
        assert_eq!(minutes.bins(), [2, 1], "what was taken back leaves no empty bin");
    }
}
