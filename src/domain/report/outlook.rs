//! Outlook: how full the next hours will be, from what is usual and how today compares with it
//! (model section 4, occupancy now, `next_hours`).

use chrono_tz::Tz;

use super::occupancy::{Past, Samples, USUAL_WEEKS_MIN, Usual, hours_of_day, means};
use crate::domain::Millis;
use crate::domain::calendar::{
    Bucket, Day, Interval, day_of, day_start, next_start, start_of, weekday_and_hour,
};

/// So many local hours to come are told.
pub const HOURS_AHEAD: usize = 6;
/// Today is compared with what is usual over so many complete hours.
pub const RECENT_HOURS: usize = 3;
/// An hour of the next week is learned from complete weeks alone, so from one week further back.
const WEEKS_BACK_MAX: i32 = super::occupancy::USUAL_WEEKS_MAX + 1;

/// An hour to come.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NextHour {
    pub start: Millis,
    /// The mean of its averages in the last complete weeks.
    pub usual: Option<f64>,
    pub expected: Option<f64>,
    /// How far off the same rule was in those weeks, on average.
    pub error: Option<f64>,
}

/// The hours that an outlook rests on.
pub struct Plan {
    /// The last complete hours, oldest first.
    recent: Vec<Bucket>,
    coming: Vec<Bucket>,
    /// The same hours by weeks back from 0, by hour, recent ones first; an hour that a clock change
    /// doubled or skipped is two or none. On a Monday, the recent ones may lie in a complete week.
    earlier: Vec<Vec<Vec<Bucket>>>,
}

impl Plan {
    pub fn at(zone: Tz, now: Millis) -> Plan {
        let this_hour = start_of(zone, now, Interval::Hour);
        let mut recent = Vec::new();
        let mut until = this_hour;
        for _ in 0..RECENT_HOURS {
            let from = start_of(zone, until - 1, Interval::Hour);
            recent.insert(0, Bucket { from, until });
            until = from;
        }
        let mut coming = Vec::new();
        let mut from = next_start(zone, this_hour, Interval::Hour);
        for _ in 0..HOURS_AHEAD {
            let until = next_start(zone, from, Interval::Hour);
            coming.push(Bucket { from, until });
            from = until;
        }
        let hours: Vec<_> = recent.iter().chain(&coming).copied().collect();
        let earlier = (0..=WEEKS_BACK_MAX).map(|back| {
            let same = |hour: &Bucket| {
                let day = day_of(zone, hour.from).plus(-7 * back);
                let (from, until) = (day_start(zone, day), day_start(zone, day.plus(1)));
                hours_of_day(zone, from, until, weekday_and_hour(zone, hour.from).1)
            };
            hours.iter().map(same).collect()
        });
        Plan { recent, coming, earlier: earlier.collect() }
    }

    /// All of its hours that are to be sampled: a run of buckets in order for today and for each
    /// week back.
    pub fn runs(&self) -> Vec<Vec<Bucket>> {
        let earlier = self.earlier.iter().map(|week| week.concat());
        std::iter::once(self.recent.clone()).chain(earlier).collect()
    }

    /// The outlook, from the samples of [`Plan::runs`].
    pub fn outlook(&self, past: &Past<'_>, sampled: &[Vec<Samples>]) -> Vec<NextHour> {
        let zone = past.zone;
        let today: Vec<_> = sampled[0].iter().map(Samples::average).collect();
        let weeks: Vec<Vec<Vec<Samples>>> = self
            .earlier
            .iter()
            .zip(&sampled[1..])
            .map(|(hours, run)| by_hour(hours, run))
            .collect();
        let hours: Vec<_> = self.recent.iter().chain(&self.coming).collect();
        let usual = |place: usize| usual(past, hours[place], weeks.iter().map(|week| &week[place]));
        let usuals: Vec<_> = (0..hours.len()).map(usual).collect();
        let recent = sum(&usuals[..RECENT_HOURS]);
        let is_closed = |hour: &Bucket| past.closed.contains(day_of(zone, hour.from));
        // A day that is closed says nothing of how the next one will be.
        let so_far = sum(&today).filter(|_| !self.recent.iter().any(is_closed));
        let next = self.coming.iter().enumerate().map(|(ahead, hour)| {
            let place = RECENT_HOURS + ahead;
            let usual = usuals[place];
            let of_open = usual.filter(|_| !is_closed(hour));
            NextHour {
                start: hour.from,
                usual,
                expected: of_open.map(|usual| expected(usual, so_far, recent)),
                error: of_open
                    .and_then(|usual| mean(&self.errors(past, &weeks, place, usual, recent))),
            }
        });
        next.collect()
    }

    /// How far off the rule was for one hour in each of the weeks before.
    fn errors(
        &self,
        past: &Past<'_>,
        weeks: &[Vec<Vec<Samples>>],
        place: usize,
        usual: f64,
        recent: Option<f64>,
    ) -> Vec<f64> {
        let target = self.coming[place - RECENT_HOURS];
        let of_week = |(back, week): (i32, &Vec<Vec<Samples>>)| {
            let day = |hour: &Bucket| day_of(past.zone, hour.from).plus(-7 * back);
            let counts = past.is_of_complete_weeks(day(&target)) && past.has_taught(day(&target));
            let was_there = self.recent.iter().all(|hour| past.has_begun(day(hour)));
            let was_open = !self.recent.iter().any(|hour| past.closed.contains(day(hour)));
            let averages: Vec<_> = week[..RECENT_HOURS].iter().map(|hour| average(hour)).collect();
            let so_far = sum(&averages).filter(|_| was_open);
            let came = average(&week[place])?;
            (counts && was_there).then(|| (expected(usual, so_far, recent) - came).abs())
        };
        (0..).zip(weeks).filter_map(of_week).collect()
    }
}

/// What is usual, times how today compares with it, where few hours say little. Where nothing is
/// known or usual of the last hours, they change nothing.
#[expect(clippy::cast_precision_loss, reason = "three hours")]
fn expected(usual: f64, so_far: Option<f64>, usual_so_far: Option<f64>) -> f64 {
    let Some((so_far, usual_so_far)) = so_far.zip(usual_so_far) else { return usual };
    let k = usual_so_far / RECENT_HOURS as f64;
    if usual_so_far > 0.0 { usual * (so_far + k) / (usual_so_far + k) } else { usual }
}

/// The mean of an hour's averages over the complete weeks that have taught.
fn usual<'a>(
    past: &Past<'_>,
    hour: &Bucket,
    weeks: impl Iterator<Item = &'a Vec<Samples>>,
) -> Option<f64> {
    let day = day_of(past.zone, hour.from);
    let taught = (0..).zip(weeks).filter(|(back, _)| {
        let day = day.plus(-7 * back);
        past.is_of_complete_weeks(day) && past.has_taught(day)
    });
    let taught: Vec<_> = taught.map(|(_, samples)| samples).collect();
    let hours: Vec<Samples> = taught.iter().copied().flatten().copied().collect();
    (taught.len() >= USUAL_WEEKS_MIN)
        .then(|| means(&hours))
        .flatten()
        .map(|Usual { average, .. }| average)
}

/// The samples of a week's run, hour by hour.
fn by_hour(hours: &[Vec<Bucket>], run: &[Samples]) -> Vec<Vec<Samples>> {
    let mut rest = run;
    let take = |hours: &Vec<Bucket>| {
        let (taken, later) = rest.split_at(hours.len());
        rest = later;
        taken.to_vec()
    };
    hours.iter().map(take).collect()
}

fn average(samples: &[Samples]) -> Option<f64> {
    means(samples).map(|usual| usual.average)
}

/// The sum; none where one is not known.
fn sum(numbers: &[Option<f64>]) -> Option<f64> {
    numbers.iter().copied().sum()
}

#[expect(clippy::cast_precision_loss, reason = "a few weeks")]
fn mean(numbers: &[f64]) -> Option<f64> {
    (!numbers.is_empty()).then(|| numbers.iter().sum::<f64>() / numbers.len() as f64)
}

/// The day before which and after which the hours of an outlook lie.
pub fn days_around(zone: Tz, now: Millis) -> (Day, Day) {
    let today = day_of(zone, now);
    (today.plus(-7 * (WEEKS_BACK_MAX + 1)), today.plus(3))
}
