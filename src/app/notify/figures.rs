//! The numbers of a digest, read as every report reads them.

use crate::domain::Millis;
use crate::domain::calendar::{Bucket, Interval, buckets, day_of, days_earlier, start_of};
use crate::domain::report::durations::GroupBy;
use crate::domain::report::members::Period as MembersPeriod;
use crate::domain::report::occupancy::{Peak, Samples};
use crate::domain::report::silence::{self, Span};
use crate::domain::report::total;
use crate::domain::tally::Count;
use crate::projection::read;
use crate::store::{Gym, Snapshot, StoreError};

use super::schedule::Period;

/// A digest's numbers lie beside those of so many local days before.
const DAYS_BEFORE: i32 = 7;

/// What a digest says of one gym.
#[derive(Debug, Clone)]
pub struct Digest {
    pub gym: Gym,
    pub period: Period,
    pub range: Bucket,
    pub this: Figures,
    pub before: Figures,
    /// Whether the gym has ever sent an event.
    pub has_events: bool,
}

/// The figures of one range.
#[derive(Debug, Clone)]
pub struct Figures {
    pub visits: i64,
    pub members: i64,
    pub new: i64,
    pub average: Option<f64>,
    pub peak: Option<Peak>,
    pub median_minutes: Option<u32>,
    pub equipment_checkins: i64,
    pub coverage: Option<f64>,
    pub hours: usize,
    /// Of those, how many are not complete.
    pub hours_incomplete: usize,
    pub silent: Vec<Span>,
}

impl Digest {
    pub fn read(
        snapshot: &Snapshot<'_>,
        gym: &Gym,
        period: Period,
        range: Bucket,
        now: Millis,
    ) -> Result<Digest, StoreError> {
        let earlier = |at| days_earlier(gym.settings.zone, at, DAYS_BEFORE);
        let before = Bucket { from: earlier(range.from), until: earlier(range.until) };
        Ok(Digest {
            gym: gym.clone(),
            period,
            range,
            this: Figures::read(snapshot, gym, period, range, now)?,
            before: Figures::read(snapshot, gym, period, before, now)?,
            has_events: read::first_event(snapshot, gym)?.is_some(),
        })
    }
}

impl Figures {
    fn read(
        snapshot: &Snapshot<'_>,
        gym: &Gym,
        period: Period,
        range: Bucket,
        now: Millis,
    ) -> Result<Figures, StoreError> {
        let zone = gym.settings.zone;
        let (first, end) = (day_of(zone, range.from), day_of(zone, range.until));
        let members = read::members(snapshot, gym, first, end)?;
        let distinct = match period {
            Period::Day => MembersPeriod::Day,
            Period::Week => MembersPeriod::Week,
        };
        let counts = total(&read::counts(snapshot, gym, &[range])?);
        let sampled = read::occupancy_history(snapshot, gym, &[range], now)?;
        let sampled = sampled.first().copied().unwrap_or(Samples::default());
        let stays = read::durations(snapshot, gym, range, GroupBy::None)?;
        let silent = read::silent_spans(snapshot, gym, range.from, range.until, now)?;
        let hours: Vec<_> = buckets(zone, range.from, range.until, Interval::Hour).collect();
        let complete = hours.iter().filter(|hour| silence::is_complete(**hour, &silent, now));
        Ok(Figures {
            visits: counts.visits(),
            members: members.distinct(distinct, first),
            new: members.newcomers(first, end),
            average: sampled.average(),
            peak: sampled.peak,
            median_minutes: stays.first().and_then(|group| group.stays.percentile(50)),
            equipment_checkins: counts.get(Count::EquipmentCheckins),
            coverage: counts.coverage(),
            hours_incomplete: hours.len() - complete.count(),
            hours: hours.len(),
            silent,
        })
    }
}

/// The last full local hour before an instant.
pub fn last_hour(gym: &Gym, now: Millis) -> Bucket {
    let start = |at| start_of(gym.settings.zone, at, Interval::Hour);
    let until = start(now);
    Bucket { from: start(until - 1), until }
}
