//! Reads reports off the tallies.

use std::collections::BTreeMap;

use crate::domain::activity::Window;
use crate::domain::calendar::{
    Bucket, Day, Interval, Month, Week, buckets, day_of, day_start, days_touched, next_start,
    start_of, weekday_and_hour,
};
use crate::domain::closed::ClosedDays;
use crate::domain::report::activity::Activity;
use crate::domain::report::durations::{self, Group, GroupBy};
use crate::domain::report::members::{Cohort, Members};
use crate::domain::report::minutes::Minutes;
use crate::domain::report::occupancy::{self, Peak, Samples, USUAL_WEEKS_MIN, Usual};
use crate::domain::report::outlook::{self, NextHour, Plan};
use crate::domain::report::silence::{self, Rates, Span};
use crate::domain::report::{
    Counts, Series, counts_by_bucket, equipment, popular_times, share, total,
};
use crate::domain::tally::{COUNT_CELLS, COUNTING_VERSION, Count, Family, utc_day};
use crate::domain::{DAY, MINUTE, Millis};
use crate::store::{Gym, Lingering, Snapshot, StoreError};

/// Silence that goes on is called so without looking at closed days of before so many days ago.
const CLOSED_DAYS_BACK: i32 = 400;

/// Who is there now (model section 4, occupancy now).
#[derive(Debug, Clone, PartialEq)]
pub struct Occupancy {
    pub present: u32,
    /// Of those, how many came in by a check-in.
    pub observed: u32,
    pub usual: Option<Usual>,
    /// The highest sample of the local day so far; none before its first.
    pub today_peak: Option<Peak>,
    pub next_hours: Vec<NextHour>,
    /// Visits that began on the local day so far.
    pub arrived: i64,
    /// How many usually have begun by this time of this weekday; none with too few weeks behind.
    pub usually_arrived: Option<f64>,
    /// Whether the gym says that it is closed on this local day.
    pub is_closed: bool,
}

/// The present over the gym's capacity; none when that is not known.
pub fn utilisation(gym: &Gym, present: u32) -> Option<f64> {
    share(present.into(), gym.settings.capacity?.into())
}

pub fn occupancy_now(
    snapshot: &Snapshot<'_>,
    gym: &Gym,
    now: Millis,
) -> Result<Occupancy, StoreError> {
    use crate::domain::visit::EnteredBy;
    let Lingering { mut present, mut observed } = snapshot.lingering(gym.id, now)?;
    for stretch in snapshot.stretches_present(gym.generation, now)? {
        for visit in stretch.visits().iter().filter(|visit| visit.is_present(now)) {
            present += 1;
            observed += u32::from(visit.entered_by == EnteredBy::Checkin);
        }
    }
    let today =
        Bucket { from: start_of(gym.settings.zone, now, Interval::Day), until: now + MINUTE };
    let day = Bucket { until: next_start(gym.settings.zone, now, Interval::Day), ..today };
    let arrived = total(&counts(snapshot, gym, &[day])?).visits();
    let today = occupancy_history(snapshot, gym, &[today], now)?;
    Ok(Occupancy {
        arrived,
        usually_arrived: usually_arrived(snapshot, gym, now)?,
        present,
        observed,
        usual: usual(snapshot, gym, now)?,
        today_peak: today.first().and_then(|today| today.peak),
        next_hours: next_hours(snapshot, gym, now)?,
        is_closed: is_closed(snapshot, gym, now)?,
    })
}

/// What is usual at this local hour of the week; none with too few weeks behind.
pub fn usual(snapshot: &Snapshot<'_>, gym: &Gym, now: Millis) -> Result<Option<Usual>, StoreError> {
    let Some(first_event) = first_event(snapshot, gym)? else { return Ok(None) };
    let zone = gym.settings.zone;
    let closed = closed_around(snapshot, gym, now)?;
    let weeks = occupancy::Past { zone, now, first_event, closed: &closed }.usual_hours(now);
    if weeks.len() < USUAL_WEEKS_MIN {
        return Ok(None);
    }
    let mut hours = Vec::new();
    for week in weeks {
        hours.extend(occupancy_history(snapshot, gym, &week, now)?);
    }
    Ok(occupancy::means(&hours))
}

/// The coming hours, as they are to be expected.
fn next_hours(
    snapshot: &Snapshot<'_>,
    gym: &Gym,
    now: Millis,
) -> Result<Vec<NextHour>, StoreError> {
    let zone = gym.settings.zone;
    // Of a gym without events, no week has been.
    let first_event = first_event(snapshot, gym)?.unwrap_or(now);
    let closed = closed_around(snapshot, gym, now)?;
    let plan = Plan::at(zone, now);
    let sampled = plan.runs().into_iter().map(|run| occupancy_history(snapshot, gym, &run, now));
    let sampled = sampled.collect::<Result<Vec<_>, _>>()?;
    let past = occupancy::Past { zone, now, first_event, closed: &closed };
    Ok(plan.outlook(&past, &sampled))
}

/// The closed days that an outlook, and what is usual, may touch.
fn closed_around(
    snapshot: &Snapshot<'_>,
    gym: &Gym,
    now: Millis,
) -> Result<ClosedDays, StoreError> {
    let (from, until) = outlook::days_around(gym.settings.zone, now);
    snapshot.closed_days(gym.id, from, until)
}

/// Whether the gym says that it is closed on the local day of an instant.
pub fn is_closed(snapshot: &Snapshot<'_>, gym: &Gym, at: Millis) -> Result<bool, StoreError> {
    let day = day_of(gym.settings.zone, at);
    Ok(snapshot.closed_days(gym.id, day, day.plus(1))?.contains(day))
}

/// Samples each bucket.
pub fn occupancy_history(
    snapshot: &Snapshot<'_>,
    gym: &Gym,
    buckets: &[Bucket],
    now: Millis,
) -> Result<Vec<Samples>, StoreError> {
    let (Some(first), Some(last)) = (buckets.first(), buckets.last()) else { return Ok(vec![]) };
    let range = Bucket { from: first.from, until: last.until };
    let presence = daily(snapshot, gym, Family::Presence, range)?;
    Ok(occupancy::history(&presence, buckets, now))
}

/// Counts by bucket.
pub fn counts(
    snapshot: &Snapshot<'_>,
    gym: &Gym,
    buckets: &[Bucket],
) -> Result<Vec<Counts>, StoreError> {
    let (Some(first), Some(last)) = (buckets.first(), buckets.last()) else { return Ok(vec![]) };
    let range = Bucket { from: first.from, until: last.until };
    let counts = daily(snapshot, gym, Family::Counts, range)?;
    Ok(counts_by_bucket(&counts, buckets))
}

/// Counts by bucket, without the departures that are still to come.
pub fn counts_so_far(
    snapshot: &Snapshot<'_>,
    gym: &Gym,
    buckets: &[Bucket],
    now: Millis,
) -> Result<Vec<Counts>, StoreError> {
    let mut counts = counts(snapshot, gym, buckets)?;
    for left in departures_to_come(snapshot, gym, now)? {
        let place = buckets.partition_point(|bucket| bucket.until <= left);
        if buckets.get(place).is_some_and(|bucket| bucket.from <= left) {
            counts[place].take_back(Count::Departures);
        }
    }
    Ok(counts)
}

/// When those will leave who have not left yet, as far as is assumed or known.
pub fn departures_to_come(
    snapshot: &Snapshot<'_>,
    gym: &Gym,
    now: Millis,
) -> Result<Vec<Millis>, StoreError> {
    let stretches = snapshot.stretches_present(gym.generation, now)?;
    let visits = stretches.iter().flat_map(|stretch| stretch.visits());
    Ok(visits.map(|visit| visit.left).filter(|left| *left > now).collect())
}

/// How long the observed visits entered in a range were, all together.
pub fn stays(snapshot: &Snapshot<'_>, gym: &Gym, range: Bucket) -> Result<Minutes, StoreError> {
    let groups = durations(snapshot, gym, range, GroupBy::None)?;
    Ok(groups.into_iter().next().map(|group| group.stays).unwrap_or_default())
}

/// How long the visits entered in a range were.
pub fn durations(
    snapshot: &Snapshot<'_>,
    gym: &Gym,
    range: Bucket,
    group_by: GroupBy,
) -> Result<Vec<Group>, StoreError> {
    let counts = daily(snapshot, gym, Family::Counts, range)?;
    let stays = daily(snapshot, gym, Family::Stays, range)?;
    Ok(durations::groups(&counts, &stays, range, gym.settings.zone, group_by))
}

/// Minutes from the door to the first equipment check-in, of visits entered in a range.
pub fn first_equipment(
    snapshot: &Snapshot<'_>,
    gym: &Gym,
    range: Bucket,
) -> Result<Minutes, StoreError> {
    let first = daily(snapshot, gym, Family::FirstEquipment, range)?;
    Ok(equipment::first_checkin(&first, range))
}

/// What each hour of the week was like over a range.
pub fn popular_times(
    snapshot: &Snapshot<'_>,
    gym: &Gym,
    range: Bucket,
    now: Millis,
) -> Result<Vec<popular_times::Cell>, StoreError> {
    let zone = gym.settings.zone;
    let hours: Vec<_> = buckets(zone, range.from, range.until, Interval::Hour).collect();
    let sampled = occupancy_history(snapshot, gym, &hours, now)?;
    let (first, until) = days_touched(zone, range.from, range.until);
    let closed = snapshot.closed_days(gym.id, first, until)?;
    Ok(popular_times::cells(zone, &hours, &sampled, &closed, now))
}

/// How many come in each hour of the week, over a range that is over.
pub fn usual_arrivals(
    snapshot: &Snapshot<'_>,
    gym: &Gym,
    range: Bucket,
) -> Result<Vec<Option<f64>>, StoreError> {
    let zone = gym.settings.zone;
    let hours: Vec<_> = buckets(zone, range.from, range.until, Interval::Hour).collect();
    let counts = counts(snapshot, gym, &hours)?;
    let (first, until) = days_touched(zone, range.from, range.until);
    let closed = snapshot.closed_days(gym.id, first, until)?;
    Ok(popular_times::arrivals(zone, &hours, &counts, &closed))
}

/// How many usually have come by this time of this weekday; none with too few weeks behind.
fn usually_arrived(
    snapshot: &Snapshot<'_>,
    gym: &Gym,
    now: Millis,
) -> Result<Option<f64>, StoreError> {
    let Some(first_event) = first_event(snapshot, gym)? else { return Ok(None) };
    let (zone, closed) = (gym.settings.zone, ClosedDays::default());
    let weeks = occupancy::Past { zone, now, first_event, closed: &closed }.weeks();
    if weeks.len() < USUAL_WEEKS_MIN {
        return Ok(None);
    }
    let today = day_of(zone, now);
    let weekday = today.0 - today.week().first_day().0;
    let mut hours = vec![];
    for day in weeks.map(|week| week.first_day().plus(weekday)) {
        let (from, until) = (day_start(zone, day), day_start(zone, day.plus(1)));
        hours.extend(buckets(zone, from, until, Interval::Hour));
    }
    let (first, end) = (hours[0].from, hours[hours.len() - 1].until);
    let counts = counts(snapshot, gym, &hours)?;
    let (first, end) = days_touched(zone, first, end);
    let closed = snapshot.closed_days(gym.id, first, end)?;
    let usual = popular_times::arrivals(zone, &hours, &counts, &closed);
    let of_day = |hour: usize| usual[(weekday_and_hour(zone, now).0 as usize - 1) * 24 + hour];
    Ok(popular_times::arrived_by(zone, now, of_day))
}

/// What is known of members over the local days `[from, until)`.
pub fn members(
    snapshot: &Snapshot<'_>,
    gym: &Gym,
    from: Day,
    until: Day,
) -> Result<Members, StoreError> {
    let months = (from.month().0, until.plus(-1).month().0 + 1);
    let weeks = (from.week().0, until.plus(-1).week().0 + 1);
    let series = |family, (from, until)| snapshot.series(gym.generation, family, from, until);
    Ok(Members {
        members: series(Family::Members, months)?,
        weeks: series(Family::Weeks, weeks)?,
        onboarded: series(Family::Onboarded, months)?,
        ..Members::default()
    })
}

/// Whether activity is counted already: a projection of an earlier version is built anew first.
pub fn counts_activity(snapshot: &Snapshot<'_>, gym: &Gym) -> Result<bool, StoreError> {
    Ok(snapshot.counting_version(gym.generation)? >= COUNTING_VERSION)
}

/// Who was active over the local days `[from, until)`.
pub fn activity(
    snapshot: &Snapshot<'_>,
    gym: &Gym,
    window: Window,
    from: Day,
    until: Day,
    now: Millis,
) -> Result<Activity, StoreError> {
    let months = (from.month().0, until.plus(-1).month().0 + 1);
    let series = snapshot.series(gym.generation, Family::Activity, months.0, months.1)?;
    Ok(Activity::by(window, series, day_of(gym.settings.zone, now)))
}

/// Members by month of first visit, and how many came back, up to the month `last`.
pub fn retention(
    snapshot: &Snapshot<'_>,
    gym: &Gym,
    from: Month,
    until: Month,
    last: Month,
) -> Result<Vec<Cohort>, StoreError> {
    let cohorts = snapshot.series(gym.generation, Family::Cohorts, from.0, until.0)?;
    Ok(Members { cohorts, ..Members::default() }.retention(from, until, last))
}

/// The tallies of a daily family for all UTC days that a range touches.
fn daily(
    snapshot: &Snapshot<'_>,
    gym: &Gym,
    family: Family,
    range: Bucket,
) -> Result<Series, StoreError> {
    snapshot.series(gym.generation, family, utc_day(range.from), utc_day(range.until) + 1)
}

/// The gym's silent spans that touch `[from, until)`, whole.
pub fn silent_spans(
    snapshot: &Snapshot<'_>,
    gym: &Gym,
    from: Millis,
    until: Millis,
    now: Millis,
) -> Result<Vec<Span>, StoreError> {
    let Some(first_event) = first_event(snapshot, gym)? else { return Ok(vec![]) };
    let (generation, zone) = (gym.generation, gym.settings.zone);
    let before = snapshot.last_bucket(generation, Family::Events, utc_day(from) - 1)?;
    let after = snapshot.first_bucket(generation, Family::Events, utc_day(until) + 1)?;
    let first_run = before.map_or(utc_day(from), |(day, _)| day);
    let learned_from = Day(first_run).week().0 - silence::WEEKS_MAX - 1;
    let end = after.map_or(utc_day(until), |(day, _)| day) + 1;
    let from_day = Week(learned_from).first_day().0;
    let events = snapshot.series(generation, Family::Events, from_day, end)?;
    let touched = Bucket { from, until };
    // A gym that has closed is not silent.
    let now = gym.archived_at.map_or(now, |closed| closed.min(now));
    let closed = snapshot.closed_days(gym.id, Day(from_day), Day(end + 1))?;
    let is_ahead = last_event(snapshot, gym)?.is_some_and(|last| last > now);
    let answered = if is_ahead { snapshot.receipt_of_ahead(gym.id, now)? } else { None };
    let mut spans = silence::spans(&events, zone, first_event, &closed, now, answered);
    spans.retain(|span| span.touches(touched));
    Ok(spans)
}

/// How often a gym sends, as known before the week in which its last event was; none of a gym
/// without events.
pub fn rates(snapshot: &Snapshot<'_>, gym: &Gym) -> Result<Option<Rates>, StoreError> {
    let zone = gym.settings.zone;
    let Some(first) = first_event(snapshot, gym)? else { return Ok(None) };
    let last = last_event(snapshot, gym)?.unwrap_or(first);
    let week = day_of(zone, last + MINUTE).week();
    // A local week may begin on the UTC day before or after.
    let days = (Week(week.0 - silence::WEEKS_MAX).first_day().0 - 1, week.first_day().0 + 1);
    let events = snapshot.series(gym.generation, Family::Events, days.0, days.1)?;
    let closed = snapshot.closed_days(gym.id, Day(days.0), Day(days.1))?;
    Ok(Some(Rates::before(week, &events, zone, first, &closed)))
}

/// The closed days that tell whether a silent span goes on.
pub fn lately_closed(
    snapshot: &Snapshot<'_>,
    gym: &Gym,
    now: Millis,
) -> Result<ClosedDays, StoreError> {
    let today = day_of(gym.settings.zone, now);
    snapshot.closed_days(gym.id, today.plus(-CLOSED_DAYS_BACK), today.plus(1))
}

/// Since the minute of which event a silent span goes on, if one does.
pub fn silent_since(
    snapshot: &Snapshot<'_>,
    gym: &Gym,
    now: Millis,
) -> Result<Option<Millis>, StoreError> {
    if gym.archived_at.is_some() {
        return Ok(None);
    }
    let Some(last) = last_event(snapshot, gym)? else { return Ok(None) };
    let rates = rates(snapshot, gym)?;
    let closed = lately_closed(snapshot, gym, now)?;
    let is_silent = rates.and_then(|rates| rates.is_silent(gym.settings.zone, &closed, last, now));
    Ok((is_silent == Some(true)).then_some(last))
}

/// The minute of the gym's first event, to the quarter of an hour where a deletion stands beside
/// it; it stays known when that event is erased. A deletion is no gym's first event.
pub fn first_event(snapshot: &Snapshot<'_>, gym: &Gym) -> Result<Option<Millis>, StoreError> {
    let mut from = 0;
    while let Some((day, events)) = snapshot.first_bucket(gym.generation, Family::Events, from)? {
        let counts = snapshot.series(gym.generation, Family::Counts, day, day + 1)?;
        let deletions = |quarter: u32| {
            let cell = quarter * COUNT_CELLS + Count::Deletions as u32;
            counts.0.first().map_or(0, |(_, cells)| cells.get(cell))
        };
        let mut quarters = BTreeMap::new();
        for (minute, count) in events.iter() {
            let quarter = quarters.entry(minute / 15).or_insert((minute, 0));
            quarter.1 += count;
        }
        let first = quarters.iter().find(|(quarter, (_, count))| *count > deletions(**quarter));
        if let Some((_, (minute, _))) = first {
            return Ok(Some(minute_of(day, (*minute, 0))));
        }
        from = day + 1;
    }
    Ok(None)
}

/// The minute of the gym's last event.
pub fn last_event(snapshot: &Snapshot<'_>, gym: &Gym) -> Result<Option<Millis>, StoreError> {
    let last = snapshot.last_bucket(gym.generation, Family::Events, i32::MAX)?;
    Ok(last.and_then(|(day, cells)| Some(minute_of(day, cells.iter().next_back()?))))
}

fn minute_of(day: i32, (minute, _): (u32, i64)) -> Millis {
    Millis::from(day) * DAY + Millis::from(minute) * MINUTE
}
