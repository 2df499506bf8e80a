//! The numbers of a digest, read as every report reads them.

use chrono_tz::Tz;

use crate::domain::Millis;
use crate::domain::activity::Window;
use crate::domain::calendar::{
    Bucket, Day, Interval, buckets, day_of, days_touched, start_of, weeks_earlier,
};
use crate::domain::report::durations::GroupBy;
use crate::domain::report::members::Period as MembersPeriod;
use crate::domain::report::occupancy::{Peak, Samples};
use crate::domain::report::silence::{self, Span};
use crate::domain::report::total;
use crate::domain::tally::Count;
use crate::projection::read;
use crate::store::{Gym, Snapshot, StoreError};

use super::schedule::Period;

/// A digest's numbers lie beside those of so many weeks before.
const WEEKS_BEFORE: i32 = 1;

/// What a digest says of one gym.
#[derive(Debug, Clone)]
pub struct Digest {
    pub gym: Gym,
    pub period: Period,
    /// All of it, also what is still to come.
    pub range: Bucket,
    /// Up to when the figures of both sides go, when it is not over.
    pub so_far: Option<Millis>,
    pub this: Figures,
    /// None where the gym had sent nothing yet.
    pub before: Option<Figures>,
    /// None of a gym that has never sent an event.
    pub first_event: Option<Millis>,
    /// Deliveries that wait in quarantine now.
    pub waiting: i64,
}

/// The figures of one range.
#[derive(Debug, Clone)]
pub struct Figures {
    pub range: Bucket,
    pub visits: i64,
    /// Distinct members of a part of a day or week are not known.
    pub members: Option<i64>,
    pub new: Option<i64>,
    /// Members active within 28 days, at the end. Of a part of a day or week they are not known, and
    /// none are while activity is not counted yet.
    pub active: Option<i64>,
    pub average: Option<f64>,
    pub peak: Option<Peak>,
    pub median_minutes: Option<u32>,
    pub equipment_checkins: i64,
    pub coverage: Option<f64>,
    pub hours: usize,
    /// Of those, how many are not complete.
    pub hours_incomplete: usize,
    pub silent: Vec<Span>,
    /// Days on which the gym says that it is closed.
    pub closed: Vec<Day>,
    /// Whether there are weeks enough behind to call anything silent.
    pub can_be_told: bool,
    /// Deliveries that went to quarantine.
    pub quarantined: i64,
}

impl Digest {
    pub fn read(
        snapshot: &Snapshot<'_>,
        gym: &Gym,
        period: Period,
        range: Bucket,
        now: Millis,
    ) -> Result<Digest, StoreError> {
        let zone = gym.settings.zone;
        let until = passed(zone, range, now);
        let so_far = (until < range.until).then_some(until);
        let before = weeks_earlier(zone, Bucket { until, ..range }, WEEKS_BEFORE, range.from);
        let first_event = read::first_event(snapshot, gym)?;
        let ask = Ask { snapshot, gym, period, first_event, is_whole: so_far.is_none(), now };
        let has_begun = first_event.is_some_and(|first| first < before.until);
        let depths = snapshot.quarantine_depths()?;
        let waiting = depths.iter().find(|(id, _)| *id == gym.id).map_or(0, |(_, depth)| *depth);
        Ok(Digest {
            gym: gym.clone(),
            period,
            range,
            so_far,
            this: ask.figures(Bucket { until, ..range })?,
            before: if has_begun { Some(ask.figures(before)?) } else { None },
            first_event,
            waiting,
        })
    }

    /// Whether enough of a range is over to say anything.
    pub fn has_begun(zone: Tz, range: Bucket, now: Millis) -> bool {
        range.from < passed(zone, range, now)
    }
}

/// Up to when a range is over, in the smallest steps that can be compared (model section 4,
/// comparison).
fn passed(zone: Tz, range: Bucket, now: Millis) -> Millis {
    range.until.min(start_of(zone, now, Interval::Quarter))
}

/// What both sides of a digest are asked with.
struct Ask<'a> {
    snapshot: &'a Snapshot<'a>,
    gym: &'a Gym,
    period: Period,
    first_event: Option<Millis>,
    /// Whether the ranges are whole days or weeks.
    is_whole: bool,
    now: Millis,
}

impl Ask<'_> {
    fn figures(&self, range: Bucket) -> Result<Figures, StoreError> {
        let Ask { snapshot, gym, now, .. } = *self;
        let zone = gym.settings.zone;
        let members = self.is_whole.then(|| self.members(range)).transpose()?;
        let counts = total(&read::counts(snapshot, gym, &[range])?);
        let sampled = read::occupancy_history(snapshot, gym, &[range], now)?;
        let sampled = sampled.first().copied().unwrap_or(Samples::default());
        let stays = read::durations(snapshot, gym, range, GroupBy::None)?;
        let silent = read::silent_spans(snapshot, gym, range.from, range.until, now)?;
        let hours: Vec<_> = buckets(zone, range.from, range.until, Interval::Hour).collect();
        let (first, end) = days_touched(zone, range.from, range.until);
        let closed = snapshot.closed_days(gym.id, first, end)?;
        let complete = hours.iter().filter(|hour| {
            closed.cover(zone, **hour) || silence::is_complete(**hour, &silent, now)
        });
        let can_be_told = |first| silence::can_be_told(zone, first, range.from);
        Ok(Figures {
            range,
            visits: counts.visits(),
            members: members.map(|(distinct, _)| distinct),
            new: members.map(|(_, new)| new),
            active: if self.is_whole { self.active(first, end)? } else { None },
            average: sampled.average(),
            peak: sampled.peak,
            median_minutes: stays.first().and_then(|group| group.stays.percentile(50)),
            equipment_checkins: counts.get(Count::EquipmentCheckins),
            coverage: counts.coverage(),
            hours_incomplete: hours.len() - complete.count(),
            hours: hours.len(),
            silent,
            closed: (first.0..end.0).map(Day).filter(|day| closed.contains(*day)).collect(),
            can_be_told: self.first_event.is_some_and(can_be_told),
            quarantined: counts.get(Count::Quarantined),
        })
    }

    /// Members who were active on the last of these days.
    fn active(&self, first: Day, end: Day) -> Result<Option<i64>, StoreError> {
        let Ask { snapshot, gym, now, .. } = *self;
        if !read::counts_activity(snapshot, gym)? {
            return Ok(None);
        }
        let activity = read::activity(snapshot, gym, Window::DEFAULT, first, end, now)?;
        Ok(activity.active(first, end))
    }

    /// Distinct members of a whole range, and how many of them were new.
    fn members(&self, range: Bucket) -> Result<(i64, i64), StoreError> {
        let zone = self.gym.settings.zone;
        let (first, end) = (day_of(zone, range.from), day_of(zone, range.until));
        let members = read::members(self.snapshot, self.gym, first, end)?;
        let distinct = match self.period {
            Period::Day => MembersPeriod::Day,
            Period::Week => MembersPeriod::Week,
        };
        Ok((members.distinct(distinct, first), members.newcomers(first, end)))
    }
}

/// The last full local hour before an instant.
pub fn last_hour(gym: &Gym, now: Millis) -> Bucket {
    let start = |at| start_of(gym.settings.zone, at, Interval::Hour);
    let until = start(now);
    Bucket { from: start(until - 1), until }
}
