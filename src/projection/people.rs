//! Reads what is known of members: who stopped coming, and all about one. Personal data.

use crate::domain::Millis;
use crate::domain::calendar::{Day, day_start};
use crate::domain::ids::Account;
use crate::domain::member::Past;
use crate::domain::visit::Visit;
use crate::store::{Gym, LoggedEvent, Quarantined, Snapshot, StoreError};

/// The visits of an absent member are counted over this many local days before the last one.
const VISITS_DAYS: i32 = 56;
/// For so many local days from the first visit on, a member is new.
const NEW_DAYS: i32 = 30;

/// A member who stopped coming (model section 4, absence).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Absent {
    pub account: Account,
    /// When the last visit was entered.
    pub last_visit: Millis,
    pub days_ago: i32,
    /// In the eight weeks up to and with the last one; none when some of these are frozen.
    pub visits_before: Option<u32>,
}

/// Members whose last visit is at least `days` and less than `lost_after` local days ago.
pub fn absent(
    snapshot: &Snapshot<'_>,
    gym: &Gym,
    today: Day,
    days: i32,
    lost_after: i32,
) -> Result<Vec<Absent>, StoreError> {
    let (from, until) = (today.plus(1 - lost_after), today.plus(1 - days));
    let mut absent = Vec::new();
    for (member, account, stored) in snapshot.members_last_seen(gym.generation, from, until)? {
        let Some(last_day) = stored.last_visit() else { continue };
        let zone = gym.settings.zone;
        let (start, end) = (day_start(zone, last_day), day_start(zone, last_day.plus(1)) - 1);
        let stretches = snapshot.stretches_touching(gym.generation, member, start, end)?;
        let visits = stretches.iter().flat_map(|stretch| stretch.visits());
        let frozen = stored.past().visits.map(|past| past.last_entered);
        let Some(last_visit) = visits.map(|visit| visit.entered).max().max(frozen) else {
            continue;
        };
        let visits_before = stored.visits_between(last_day.plus(1 - VISITS_DAYS), last_day.plus(1));
        absent.push(Absent { account, last_visit, days_ago: today.0 - last_day.0, visits_before });
    }
    absent.sort_by_key(|absent| (std::cmp::Reverse(absent.last_visit), absent.account.0));
    Ok(absent)
}

/// A member in the first [`NEW_DAYS`] local days.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct New {
    pub account: Account,
    pub first_visit: Day,
    pub last_visit: Day,
    pub visits: u32,
    /// When an onboarding was first completed.
    pub onboarded: Option<Day>,
}

/// Members whose first visit was less than [`NEW_DAYS`] local days ago, the newest first.
pub fn new(snapshot: &Snapshot<'_>, gym: &Gym, today: Day) -> Result<Vec<New>, StoreError> {
    let (since, until) = (today.plus(1 - NEW_DAYS), today.plus(1));
    let seen = snapshot.members_last_seen(gym.generation, since, until)?;
    let new = seen.into_iter().filter_map(|(_, account, stored)| {
        let first_visit = stored.first_visit().filter(|first| *first >= since)?;
        Some(New {
            account,
            first_visit,
            last_visit: stored.last_visit()?,
            visits: stored.visits().iter().map(|(_, visits)| visits).sum(),
            onboarded: stored.past().onboarded.or(stored.onboardings().first().copied()),
        })
    });
    let mut new: Vec<_> = new.collect();
    new.sort_by_key(|new| (std::cmp::Reverse(new.first_visit), new.account.0));
    Ok(new)
}

/// All that is stored of one member.
pub struct Member {
    /// In log order.
    pub events: Vec<LoggedEvent>,
    pub visits: Vec<Visit>,
    pub orphan_checkouts: Vec<Millis>,
    /// What waits in quarantine and names the account.
    pub quarantine: Vec<Quarantined>,
    /// What stays known of events that retention has removed.
    pub past: Past,
}

/// Gathers all that is stored of a member; none when there is nothing.
pub fn member(
    snapshot: &Snapshot<'_>,
    gym: &Gym,
    account: Account,
) -> Result<Option<Member>, StoreError> {
    let quarantine = snapshot.quarantined_mentioning(gym.id, account)?;
    let (mut stretches, past) = match snapshot.member(gym.id, account)? {
        Some(member) => (
            snapshot.stretches_touching(gym.generation, member, Millis::MIN, Millis::MAX)?,
            snapshot.member_days(gym.generation, member)?.past(),
        ),
        None => (vec![], Past::default()),
    };
    if stretches.is_empty() && quarantine.is_empty() && past == Past::default() {
        return Ok(None);
    }
    stretches.reverse();
    let entries = stretches.iter().flat_map(|stretch| stretch.entries());
    let mut positions: Vec<_> = entries.map(|entry| entry.position).collect();
    positions.sort_unstable();
    let events = positions.into_iter().filter_map(|position| snapshot.event(position).transpose());
    Ok(Some(Member {
        events: events.collect::<Result<_, _>>()?,
        visits: stretches.iter().flat_map(|stretch| stretch.visits().to_vec()).collect(),
        orphan_checkouts: stretches
            .iter()
            .flat_map(|stretch| stretch.orphan_checkouts().to_vec())
            .collect(),
        quarantine,
        past,
    }))
}
