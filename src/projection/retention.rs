//! Retention: what is older than a gym keeps events is frozen, like what an erasure takes, a little
//! at a time (model section 6).
//!
//! Before the *horizon* no event is accepted any more. What is frozen ends a `visit_window` before
//! it, so that no event which is still accepted could be part of a stretch that is gone.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use super::apply::Target;
use super::erase::freeze_whole;
use super::read::last_event;
use super::witness::judged;
use crate::domain::Millis;
use crate::domain::calendar::months_earlier;
use crate::domain::ids::{GymId, MemberId};
use crate::domain::stretch::Stretch;
use crate::domain::witness::Verdict;
use crate::store::{Gym, Snapshot, StoreError, Tx};

/// Stretches that are frozen in one transaction: few, so that deliveries do not wait long.
const CHUNK_STRETCHES: usize = 50;

/// What retention froze, or would.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Frozen {
    pub events: u64,
    pub members: BTreeSet<MemberId>,
    /// Bodies in quarantine.
    pub quarantined: u64,
    /// The time of the oldest of the events.
    pub oldest: Option<Millis>,
}

impl Frozen {
    pub fn is_empty(&self) -> bool {
        *self == Frozen::default()
    }

    pub fn add(&mut self, other: Frozen) {
        self.events += other.events;
        self.members.extend(other.members);
        self.quarantined += other.quarantined;
        self.oldest = [self.oldest, other.oldest].into_iter().flatten().min();
    }

    fn count(&mut self, member: MemberId, stretch: &Stretch) {
        self.events += stretch.entries().len() as u64;
        self.members.insert(member);
        self.oldest = Some(self.oldest.map_or(stretch.start(), |old| old.min(stretch.start())));
    }
}

/// No event before this instant is accepted; none when everything is kept. What is frozen up to
/// the future was frozen by a wrong clock, and does not count.
pub fn horizon(gym: &Gym, now: Millis) -> Option<Millis> {
    let months = gym.settings.retain_months;
    let by_policy = months.map(|months| months_earlier(gym.settings.zone, now, months));
    by_policy.max(gym.frozen_until.filter(|until| *until <= now))
}

/// Up to when the gym's numbers are frozen: a visit that begins just before the horizon may still
/// go on after it, and what belongs to it is kept.
pub fn frozen_until(gym: &Gym) -> Option<Millis> {
    Some(gym.frozen_until? - gym.settings.rules.visit_window())
}

/// Whether an event is older than the gym keeps events.
pub fn is_beyond(
    snapshot: &Snapshot<'_>,
    gym: &Gym,
    at: Millis,
    now: Millis,
) -> Result<bool, StoreError> {
    if horizon(gym, now).is_some_and(|horizon| at < horizon) {
        return Ok(true);
    }
    let Some(until) = gym.frozen_until.filter(|until| at < *until) else { return Ok(false) };
    // That lies in the future: either the clock is behind now, and what is frozen must not be
    // counted a second time, or it was ahead then. No event as new as that speaks for the latter.
    let is_behind = judged(snapshot, now)?.verdict == Verdict::Behind;
    let was_ahead = is_behind && last_event(snapshot, gym)?.is_none_or(|newest| newest < until);
    Ok(!was_ahead)
}

/// Freezes some of what is older than the gym keeps events; nothing when there is no more.
pub fn freeze_some(tx: &mut Tx<'_>, gym: GymId, now: Millis) -> Result<Frozen, StoreError> {
    let gym = tx.gym(gym)?;
    let Some(horizon) = horizon(&gym, now) else { return Ok(Frozen::default()) };
    let mut frozen = Frozen::default();
    let mut by_member: BTreeMap<MemberId, Vec<Stretch>> = BTreeMap::new();
    let mut room = CHUNK_STRETCHES;
    each_beyond(&tx.view(), &gym, horizon, |member, stretch| {
        frozen.count(member, &stretch);
        by_member.entry(member).or_default().push(stretch);
        room -= 1;
        if room == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    frozen.quarantined = tx.empty_quarantined_before(gym.id, horizon)? as u64;
    if frozen.is_empty() {
        return Ok(frozen);
    }
    let target = Target::of(&gym);
    for (member, stretches) in by_member {
        freeze_whole(tx, &target, gym.id, member, &stretches)?;
    }
    tx.set_frozen_until(gym.id, horizon)?;
    tx.mark_applied(gym.id, None);
    Ok(frozen)
}

/// What [`freeze_some`], again and again, would freeze.
pub fn what_would_go(
    snapshot: &Snapshot<'_>,
    gym: &Gym,
    now: Millis,
) -> Result<Frozen, StoreError> {
    let Some(horizon) = horizon(gym, now) else { return Ok(Frozen::default()) };
    let mut frozen = Frozen::default();
    each_beyond(snapshot, gym, horizon, |member, stretch| {
        frozen.count(member, &stretch);
        ControlFlow::Continue(())
    })?;
    frozen.quarantined = snapshot.quarantined_before(gym.id, horizon)?.into();
    Ok(frozen)
}

/// Hands over the stretches to freeze, a member's in their order. In none of them is anybody
/// present for longer than a `visit_window` after its last event.
fn each_beyond(
    snapshot: &Snapshot<'_>,
    gym: &Gym,
    horizon: Millis,
    each: impl FnMut(MemberId, Stretch) -> ControlFlow<()>,
) -> Result<(), StoreError> {
    let last = horizon - gym.settings.rules.visit_window();
    snapshot.each_stretch_before(gym.generation, last, horizon, each)
}
