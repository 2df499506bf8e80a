//! Closed days: local days on which a gym says that it is closed (model section 4, closed days).

use chrono_tz::Tz;

use super::calendar::{Bucket, Day, days_touched};

/// Runs of closed days `[first, until)`, in order, apart from each other.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClosedDays(Vec<(Day, Day)>);

impl ClosedDays {
    /// Of runs `[first, until)` in any order, which may overlap.
    pub fn of(mut runs: Vec<(Day, Day)>) -> ClosedDays {
        runs.retain(|(first, until)| first < until);
        runs.sort_unstable();
        runs.dedup_by(|next, kept| {
            let touch = next.0 <= kept.1;
            if touch {
                kept.1 = kept.1.max(next.1);
            }
            touch
        });
        ClosedDays(runs)
    }

    pub fn contains(&self, day: Day) -> bool {
        self.run_after(day).is_some_and(|(first, _)| first <= day)
    }

    /// Whether the bucket lies wholly within closed days.
    pub fn cover(&self, zone: Tz, bucket: Bucket) -> bool {
        let (first, until) = days_touched(zone, bucket.from, bucket.until);
        self.run_after(first).is_some_and(|run| run.0 <= first && until <= run.1)
    }

    /// The first run that ends after the day begins.
    fn run_after(&self, day: Day) -> Option<(Day, Day)> {
        self.0.get(self.0.partition_point(|(_, until)| *until <= day)).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::HOUR;
    use crate::domain::calendar::day_start;

    #[test]
    fn runs_that_touch_are_one_and_cover_what_lies_within() {
        let runs = [(7, 8), (1, 3), (3, 5), (2, 4), (6, 6)];
        let closed = ClosedDays::of(runs.map(|(a, b)| (Day(a), Day(b))).to_vec());
        let days = (0..9).filter(|day| closed.contains(Day(*day)));
        assert_eq!(days.collect::<Vec<_>>(), [1, 2, 3, 4, 7]);
        let zone = chrono_tz::America::New_York;
        let start = |day| day_start(zone, Day(day));
        let covers = |from, until| closed.cover(zone, Bucket { from, until });
        assert!(covers(start(1), start(5)) && covers(start(7), start(8)));
        assert!(covers(start(4) + HOUR, start(5)));
        assert!(!covers(start(4), start(5) + 1) && !covers(start(0), start(2)));
        assert!(!covers(start(3), start(8)), "the days between are open");
    }
}
