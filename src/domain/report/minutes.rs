//! Lengths of time in whole minutes, as a distribution: what means, percentiles and histograms
//! are computed from.

use super::share;
use crate::domain::MINUTE;

/// The width of a histogram's bins, in minutes.
pub const BIN_MINUTES: usize = 5;
/// A fixed length is shared by so many,
const FIXED_MIN: i64 = 20;
/// by so many percent of all,
const FIXED_PERCENT_MIN: i64 = 3;
/// and by so many times the mean
const FIXED_FACTOR_MIN: i64 = 5;
/// of so many minutes on either side.
const FIXED_BESIDE: usize = 10;

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

    /// Adds all of the other.
    pub fn join(&mut self, other: &Minutes) {
        (0..).zip(&other.counts).for_each(|(minutes, times)| self.add(minutes, *times));
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

    /// The lengths that so many share that a clock, not a door, must have ended them (model section
    /// 4, fixed stays), with how many do.
    pub fn fixed(&self) -> Vec<(u32, i64)> {
        let is_fixed = |(length, times): (usize, i64)| {
            let before = &self.counts[length.saturating_sub(FIXED_BESIDE)..length];
            let after = self.counts[length + 1..].iter().take(FIXED_BESIDE);
            let beside = before.iter().chain(after).sum::<i64>();
            let minutes = before.len() + FIXED_BESIDE;
            times >= FIXED_MIN
                && times * 100 >= self.count * FIXED_PERCENT_MIN
                && times * i64::try_from(minutes).expect("twenty") >= FIXED_FACTOR_MIN * beside
        };
        let lengths = self.counts.iter().copied().enumerate().filter(|one| is_fixed(*one));
        lengths.filter_map(|(length, times)| Some((u32::try_from(length).ok()?, times))).collect()
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
    fn a_length_that_stands_out_of_its_neighbours_is_fixed() {
        let spread = |peak: i64| {
            let mut minutes = Minutes::default();
            (40..=100).for_each(|length| minutes.add(length, 4));
            minutes.add(90, peak - 4);
            minutes.fixed()
        };
        assert_eq!(spread(20), [(90, 20)], "20 visits, 5 times the mean of 4, 7 % of 260");
        assert_eq!(spread(19), [], "fewer than 20");
        let mut minutes = Minutes::default();
        minutes.add(0, 10);
        minutes.add(1, 40);
        assert_eq!(minutes.fixed(), [(1, 40)], "there is one minute before, and ten after");
        minutes.add(300, 2_000);
        assert_eq!(minutes.fixed(), [(300, 2_000)], "less than 3 % of all");
    }

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
