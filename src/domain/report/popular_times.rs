//! Popular times: what each hour of the week is like (model section 4, popular times).

use chrono_tz::Tz;

use super::Counts;
use super::occupancy::{Samples, Usual, means};
use crate::domain::calendar::{Bucket, Interval, buckets, day_of, start_of, weekday_and_hour};
use crate::domain::closed::ClosedDays;
use crate::domain::{HOUR, Millis};

/// One hour of the week.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cell {
    /// 1 = Monday to 7.
    pub weekday: u32,
    /// 0 to 23.
    pub hour: u32,
    /// None without hours.
    pub usual: Option<Usual>,
    /// How many such hours have passed.
    pub hours: usize,
}

/// All hours of the week, from the sampled hours of a range; those still to end and those of closed
/// days are left out.
pub fn cells(
    zone: Tz,
    hours: &[Bucket],
    sampled: &[Samples],
    closed: &ClosedDays,
    now: Millis,
) -> Vec<Cell> {
    let mut by_hour = vec![Vec::new(); 7 * 24];
    let counts = |hour: &Bucket| hour.until <= now && !closed.contains(day_of(zone, hour.from));
    for (hour, samples) in hours.iter().zip(sampled).filter(|(hour, _)| counts(hour)) {
        let (weekday, hour) = weekday_and_hour(zone, hour.from);
        by_hour[((weekday - 1) * 24 + hour) as usize].push(*samples);
    }
    let place = (1..=7).flat_map(|weekday| (0..24).map(move |hour| (weekday, hour)));
    let cell = |((weekday, hour), samples): (_, &Vec<Samples>)| Cell {
        weekday,
        hour,
        usual: means(samples),
        hours: samples.len(),
    };
    place.zip(&by_hour).map(cell).collect()
}

/// The mean of the visits that begin in each hour of the week, from Monday's first on; those of
/// closed days are left out.
pub fn arrivals(
    zone: Tz,
    hours: &[Bucket],
    counts: &[Counts],
    closed: &ClosedDays,
) -> Vec<Option<f64>> {
    let mut by_hour = vec![(0, 0); 7 * 24];
    for (hour, counts) in hours.iter().zip(counts) {
        if !closed.contains(day_of(zone, hour.from)) {
            let (weekday, place) = weekday_and_hour(zone, hour.from);
            let (visits, weeks) = &mut by_hour[((weekday - 1) * 24 + place) as usize];
            *visits += counts.visits();
            *weeks += 1;
        }
    }
    by_hour.into_iter().map(|(visits, weeks)| super::share(visits, weeks)).collect()
}

/// How many usually have come by this time of this local day, from how many come in each hour of its
/// weekday; of the hour that goes on, a part. None where one of the hours is not known.
pub fn arrived_by(zone: Tz, now: Millis, usual: impl Fn(usize) -> Option<f64>) -> Option<f64> {
    let hours = buckets(zone, start_of(zone, now, Interval::Day), now, Interval::Hour);
    let part = |hour: Bucket| {
        let (_, place) = weekday_and_hour(zone, hour.from);
        let passed = super::share(hour.until.min(now) - hour.from, HOUR)?;
        Some(usual(place as usize)? * passed)
    };
    hours.map(part).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_came_by_now_is_all_of_the_hours_before_and_a_part_of_this_one() {
        let zone = chrono_tz::Europe::Berlin;
        // 2026-03-02, 02:15 in Berlin.
        let now = 1_772_414_100_000;
        let usual = |hour: usize| [Some(4.0), Some(2.0), Some(8.0)].get(hour).copied().flatten();
        assert_eq!(arrived_by(zone, now, usual), Some(8.0));
        assert_eq!(arrived_by(zone, now, |hour| usual(hour + 1)), None, "one is not known");
    }
}
