//! Occupancy: how many were present at each whole minute (model section 4, occupancy history).

use super::{Series, share};
use crate::domain::calendar::{
    Bucket, Day, Interval, Week, day_of, day_start, next_start, weekday_and_hour,
};
use crate::domain::closed::ClosedDays;
use crate::domain::tally::{CARRIED, utc_day};
use crate::domain::{DAY, MINUTE, Millis};
use chrono_tz::Tz;

/// `usual` looks back over this many complete weeks.
pub const USUAL_WEEKS_MAX: i32 = 8;
/// `usual` is not given with fewer complete weeks than this.
pub const USUAL_WEEKS_MIN: usize = 2;

/// The samples of one bucket. Sums, so that buckets can be joined.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Samples {
    pub count: i64,
    /// Of the number present over all samples.
    pub sum: i64,
    pub peak: Option<Peak>,
    pub low: Option<i64>,
}

/// The largest sample, and the first minute that had it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peak {
    pub present: i64,
    pub at: Millis,
}

impl Samples {
    /// The mean of the samples; none without samples.
    pub fn average(&self) -> Option<f64> {
        share(self.sum, self.count)
    }

    fn take(&mut self, from: Millis, until: Millis, present: i64) {
        let count = (until - from) / MINUTE;
        self.count += count;
        self.sum += count * present;
        self.low = Some(self.low.map_or(present, |low| low.min(present)));
        if self.peak.is_none_or(|peak| present > peak.present) {
            self.peak = Some(Peak { present, at: from });
        }
    }

    /// The samples of a later stretch of time joined to these.
    pub fn join(&mut self, later: &Samples) {
        self.count += later.count;
        self.sum += later.sum;
        self.low = [self.low, later.low].into_iter().flatten().min();
        let higher = |later: &Peak| self.peak.is_none_or(|peak| later.present > peak.present);
        self.peak = later.peak.filter(higher).or(self.peak);
    }
}

/// Samples the family `Presence` at every whole minute of each bucket up to `now`. The buckets
/// are in order and of whole minutes.
pub fn history(presence: &Series, buckets: &[Bucket], now: Millis) -> Vec<Samples> {
    let mut sampled = vec![Samples::default(); buckets.len()];
    let end = now.div_euclid(MINUTE) * MINUTE + MINUTE;
    let mut place = 0;
    let (Some(first), Some(last)) = (buckets.first(), buckets.last()) else { return sampled };
    levels(presence, first.from, last.until.min(end), |from, until, present| {
        while place < buckets.len() && buckets[place].until <= from {
            place += 1;
        }
        let overlapping = buckets[place..].iter().take_while(|bucket| bucket.from < until);
        for (offset, bucket) in overlapping.enumerate() {
            let (from, until) = (from.max(bucket.from), until.min(bucket.until));
            if from < until {
                sampled[place + offset].take(from, until, present);
            }
        }
    });
    sampled
}

/// Walks the range as runs of whole minutes over which the number present stays the same.
fn levels(
    presence: &Series,
    from: Millis,
    until: Millis,
    mut each: impl FnMut(Millis, Millis, i64),
) {
    let mut run = |start: Millis, end: Millis, present| {
        let (start, end) = (start.max(from), end.min(until));
        if start < end {
            each(start, end, present);
        }
    };
    for day in utc_day(from)..=utc_day(until - 1) {
        let day_from = Millis::from(day) * DAY;
        let Some(cells) = presence.get(day) else {
            run(day_from, day_from + DAY, 0);
            continue;
        };
        let mut present = cells.get(CARRIED);
        let mut since = day_from;
        for (minute, step) in cells.iter().take_while(|cell| cell.0 < CARRIED) {
            let at = day_from + Millis::from(minute) * MINUTE;
            run(since, at, present);
            (since, present) = (at, present + step);
        }
        run(since, day_from + DAY, present);
    }
}

/// What of a gym's past teaches what is usual: its complete weeks before now, since its first event,
/// without its closed days.
#[derive(Debug, Clone, Copy)]
pub struct Past<'a> {
    pub zone: Tz,
    pub now: Millis,
    pub first_event: Millis,
    pub closed: &'a ClosedDays,
}

impl Past<'_> {
    /// The last complete weeks, those that have existed since the gym's first event, oldest first.
    pub fn weeks(&self) -> impl ExactSizeIterator<Item = Week> + use<> {
        let week = day_of(self.zone, self.now).week();
        let weeks = (1..=USUAL_WEEKS_MAX).rev().map(|back| Week(week.0 - back));
        let first_day = day_of(self.zone, self.first_event);
        weeks.filter(|past| past.first_day() >= first_day).collect::<Vec<_>>().into_iter()
    }

    /// The hours that what is usual at an instant rests on: its local weekday and hour, a group for
    /// each week.
    pub fn usual_hours(&self, at: Millis) -> Vec<Vec<Bucket>> {
        let zone = self.zone;
        let today = day_of(zone, at);
        let (weekday, hour) = (today.0 - today.week().first_day().0, weekday_and_hour(zone, at).1);
        let days = self.weeks().map(|week| week.first_day().plus(weekday));
        days.filter(|day| !self.closed.contains(*day))
            .map(|day| hours_of_day(zone, day_start(zone, day), day_start(zone, day.plus(1)), hour))
            .collect()
    }

    /// Whether the day lies in one of the complete weeks that are looked back over.
    pub fn is_of_complete_weeks(&self, day: Day) -> bool {
        let (week, this) = (day.week().0, day_of(self.zone, self.now).week().0);
        this - USUAL_WEEKS_MAX <= week && week < this
    }

    /// Whether what was on a day says anything of others: the gym was there all week, and open.
    pub fn has_taught(&self, day: Day) -> bool {
        self.has_begun(day) && !self.closed.contains(day)
    }

    /// Whether the day lies in a week that was whole for the gym.
    pub fn has_begun(&self, day: Day) -> bool {
        day.week().first_day() >= day_of(self.zone, self.first_event)
    }
}

/// The local hours of a day that are called so: one, or two or none where clocks change.
pub fn hours_of_day(zone: Tz, from: Millis, until: Millis, hour: u32) -> Vec<Bucket> {
    let mut hours = Vec::new();
    let mut at = from;
    while at < until {
        let next = next_start(zone, at, Interval::Hour);
        if weekday_and_hour(zone, at).1 == hour {
            hours.push(Bucket { from: at, until: next });
        }
        at = next;
    }
    hours
}

/// What is usual: means over the hours of some weeks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Usual {
    pub average: f64,
    pub peak: f64,
}

/// The means of `average` and of `peak` over sampled hours; none without any.
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
pub fn means(hours: &[Samples]) -> Option<Usual> {
    let averages: Vec<f64> = hours.iter().filter_map(Samples::average).collect();
    let peaks: i64 = hours.iter().filter_map(|hour| hour.peak).map(|peak| peak.present).sum();
    let count = averages.len() as f64;
    (!averages.is_empty()).then(|| Usual {
        average: averages.iter().sum::<f64>() / count,
        peak: peaks as f64 / count,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::HOUR;
    use crate::domain::tally::{Family, Key};

    fn presence(visits: &[(Millis, Millis)]) -> Series {
        let mut days: std::collections::BTreeMap<i32, Vec<(u32, i64)>> =
            std::collections::BTreeMap::new();
        for (entered, left) in visits {
            Key::presence(*entered, *left, |key, step| {
                assert_eq!(key.family, Family::Presence);
                days.entry(key.bucket).or_default().push((key.cell, step));
            });
        }
        Series(
            days.into_iter()
                .map(|(day, steps)| (day, crate::domain::tally::Cells::sum(steps)))
                .collect(),
        )
    }

    #[test]
    fn a_bucket_has_average_first_peak_and_low() {
        let series = presence(&[
            (DAY - 10 * MINUTE, DAY + 10 * MINUTE),
            (DAY, DAY + 20 * MINUTE),
            (DAY + 30 * MINUTE, DAY + 50 * MINUTE),
        ]);
        let buckets = [
            Bucket { from: DAY - HOUR, until: DAY },
            Bucket { from: DAY, until: DAY + HOUR },
            Bucket { from: DAY + HOUR, until: DAY + 2 * HOUR },
        ];
        let sampled = history(&series, &buckets, DAY + HOUR - 1);
        assert_eq!(sampled[0].peak, Some(Peak { present: 1, at: DAY - 10 * MINUTE }));
        assert_eq!((sampled[0].count, sampled[0].sum, sampled[0].low), (60, 10, Some(0)));
        assert_eq!(sampled[1].peak, Some(Peak { present: 2, at: DAY }));
        assert_eq!((sampled[1].count, sampled[1].sum, sampled[1].low), (60, 50, Some(0)));
        assert_eq!(sampled[2], Samples::default(), "no sample is later than now");
        let up_to_its_first_minute = history(&series, &buckets, DAY + HOUR);
        assert_eq!(up_to_its_first_minute[2].count, 1);
    }
}
