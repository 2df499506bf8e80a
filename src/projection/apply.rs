//! The one path by which tallies change.

use crate::domain::Millis;
use crate::domain::calendar::{Day, day_of};
use crate::domain::event::{Arrival, Entry, Event, Kind};
use crate::domain::ids::{Generation, GymId, MemberId, Position, WebhookId};
use crate::domain::member::MemberDays;
use crate::domain::rules::Rules;
use crate::domain::stretch::{STRETCH_EVENTS_MAX, Stretch};
use crate::domain::tally::{Contributions, Count, Key};
use crate::store::{ErasureReason, Gym, Person, StoreError, Tx};

use super::witness::{is_erased, receipt, settled};
use super::{erase, retention};
use chrono_tz::Tz;

/// What became of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    Accepted {
        position: Position,
        /// How long the visits were that are observed now and were not before, in milliseconds:
        /// with an ordinary check-out, the one that it ended. Of what is imported by the member,
        /// that is not told.
        stays: Vec<Millis>,
    },
    /// The log has it already, at that position.
    Duplicate { of: Position },
    /// Its member was erased, and it is not newer than that.
    Erased,
    /// Its stretch holds [`STRETCH_EVENTS_MAX`] events already; it was not appended.
    StretchFull,
    /// It is older than the gym keeps events; it was not appended.
    TooOld,
}

/// Which build of a projection is changed, and by which rules it counts.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    pub generation: Generation,
    pub rules: Rules,
    pub zone: Tz,
}

impl Target {
    /// The projection that is read.
    pub fn of(gym: &Gym) -> Target {
        Target { generation: gym.generation, rules: gym.settings.rules, zone: gym.settings.zone }
    }
}

/// Appends an event that is delivered now, by the clock, to the log, once, and applies it. `by` is
/// the webhook that brings it, `person` whose it is.
pub fn deliver(
    tx: &mut Tx<'_>,
    person: &Person,
    event: &Event,
    clock: Millis,
    by: WebhookId,
) -> Result<Outcome, StoreError> {
    let received_at = receipt(tx, clock, event.at)?;
    take_in(tx, person, event, received_at, clock, Some(by))
}

/// The same of an event that was delivered before.
pub fn append(
    tx: &mut Tx<'_>,
    gym: GymId,
    event: &Event,
    received_at: Millis,
    by: Option<WebhookId>,
) -> Result<Outcome, StoreError> {
    let person = tx.view().person(gym, event.account);
    take_in(tx, &person, event, received_at, received_at, by)
}

/// The same of one that waited in quarantine, where it was counted when it came: it is not counted
/// a second time.
pub fn release(
    tx: &mut Tx<'_>,
    gym: GymId,
    event: &Event,
    received_at: Millis,
    by: Option<WebhookId>,
) -> Result<Outcome, StoreError> {
    let person = tx.view().person(gym, event.account);
    let arrival = Arrival::delivered(received_at);
    let outcome = log_once(tx, &person, event, arrival, received_at, by)?;
    if let Outcome::Duplicate { of } = outcome {
        note_again(tx, of, received_at, by)?;
    }
    Ok(outcome)
}

fn take_in(
    tx: &mut Tx<'_>,
    person: &Person,
    event: &Event,
    received_at: Millis,
    now: Millis,
    by: Option<WebhookId>,
) -> Result<Outcome, StoreError> {
    let outcome = log_once(tx, person, event, Arrival::delivered(received_at), now, by)?;
    let count = match outcome {
        Outcome::Duplicate { of } => {
            note_again(tx, of, received_at, by)?;
            Count::Duplicates
        }
        Outcome::Erased => Count::Erased,
        Outcome::Accepted { .. } | Outcome::StretchFull | Outcome::TooOld => return Ok(outcome),
    };
    let generation = tx.gym(person.gym)?.generation;
    count_at_the_door(tx, person.gym, generation, count, received_at);
    Ok(outcome)
}

/// Notes that an event of the log was delivered again, or by another webhook.
fn note_again(
    tx: &mut Tx<'_>,
    of: Position,
    received_at: Millis,
    by: Option<WebhookId>,
) -> Result<(), StoreError> {
    by.map_or(Ok(()), |by| tx.came_through(by, of))?;
    tx.note_later_delivery(of, received_at)
}

/// Appends an event, however it came to us, to the log, once, and applies it. What has come before
/// is no second delivery, and not counted as one. Of many, see [`super::import`].
pub(super) fn import(
    tx: &mut Tx<'_>,
    gym: GymId,
    event: &Event,
    arrival: Arrival,
    now: Millis,
) -> Result<Outcome, StoreError> {
    let person = tx.view().person(gym, event.account);
    log_once(tx, &person, event, arrival, now, None)
}

fn log_once(
    tx: &mut Tx<'_>,
    person: &Person,
    event: &Event,
    arrival: Arrival,
    now: Millis,
    by: Option<WebhookId>,
) -> Result<Outcome, StoreError> {
    let gym = tx.gym(person.gym)?;
    let target = Target::of(&gym);
    if event.kind == Kind::MembershipDelete {
        return delete(tx, &target, gym.id, event, arrival, now);
    }
    let known = tx.known(person)?;
    if is_erased(&tx.view(), known.erased_until, event.at, now)? {
        return Ok(Outcome::Erased);
    }
    if retention::is_beyond(&tx.view(), &gym, event.at, now)? {
        return Ok(Outcome::TooOld);
    }
    let member = known.member.map_or_else(|| tx.add_member(person), Ok)?;
    let mut entry = Entry {
        at: event.at,
        kind: event.kind.clone(),
        position: Position(0),
        lateness: arrival.lateness(event.at),
    };
    let touching = touching(tx, &target, member, event.at)?;
    if let Some(of) = touching.iter().find_map(|stretch| stretch.holds(&entry)) {
        return Ok(Outcome::Duplicate { of });
    }
    let held: usize = touching.iter().map(|stretch| stretch.entries().len()).sum();
    if held >= STRETCH_EVENTS_MAX {
        return Ok(Outcome::StretchFull);
    }
    let awaited = by.map_or(Ok(vec![]), |by| tx.others(gym.id, by, arrival.received_at))?;
    entry.position = tx.append(gym.id, member, event, arrival, &awaited)?;
    by.map_or(Ok(()), |by| tx.count_awaited(by, &awaited, event.at))?;
    let position = entry.position;
    let joined = put_in(tx, &target, member, &touching, entry)?;
    tx.mark_applied(gym.id, Some(position));
    Ok(Outcome::Accepted { position, stays: newly_observed(&touching, &joined) })
}

/// Carries out a deletion: the member's timeline is cut at once, and what is up to there will be
/// erased. It stands in the log where it cuts, until it is erased with the rest.
fn delete(
    tx: &mut Tx<'_>,
    target: &Target,
    gym: GymId,
    event: &Event,
    arrival: Arrival,
    now: Millis,
) -> Result<Outcome, StoreError> {
    // By a clock that is behind, the receipt is later than it says.
    let latest = now.max(settled(&tx.view(), now)?);
    let received_at = arrival.received_at.min(latest);
    let cut = erase::Cut::by_deletion(tx, target, gym, event, received_at)?;
    let Some(cut) = cut else { return Ok(Outcome::Erased) };
    let member = tx.member_or_new(gym, event.account)?;
    let touching = touching(tx, target, member, cut.erased_until)?;
    let deletion = Event { at: cut.erased_until, extra: None, ..event.clone() };
    let position = tx.append(gym, member, &deletion, arrival, &[])?;
    let (at, kind) = (deletion.at, deletion.kind);
    let entry = Entry { at, kind, position, lateness: arrival.lateness(at) };
    put_in(tx, target, member, &touching, entry)?;
    // It is no sign of life: by this count it is told from a gym's first event.
    let additions = vec![(Key::count(at, Count::Deletions), 1)];
    tx.add_frozen(gym, &additions);
    tx.add_tallies(target.generation, additions);
    erase::request_cut(tx, gym, event.account, cut, ErasureReason::MembershipDelete, now)?;
    tx.mark_applied(gym, Some(position));
    Ok(Outcome::Accepted { position, stays: vec![] })
}

/// Applies an event that is in the log already.
pub fn apply(
    tx: &mut Tx<'_>,
    target: &Target,
    member: MemberId,
    entry: Entry,
) -> Result<(), StoreError> {
    let touching = touching(tx, target, member, entry.at)?;
    put_in(tx, target, member, &touching, entry).map(drop)
}

/// Counts what came to the door but is no event: it belongs to no member, so it is frozen at once.
pub fn count_at_the_door(
    tx: &mut Tx<'_>,
    gym: GymId,
    generation: Generation,
    count: Count,
    received_at: Millis,
) {
    let additions = vec![(Key::count(received_at, count), 1)];
    tx.add_frozen(gym, &additions);
    tx.add_tallies(generation, additions);
    tx.mark_applied(gym, None);
}

/// The stretches that an event at `at` would be part of: none, one, or two that it joins.
fn touching(
    tx: &Tx<'_>,
    target: &Target,
    member: MemberId,
    at: Millis,
) -> Result<Vec<Stretch>, StoreError> {
    let window = target.rules.visit_window();
    tx.stretches_touching(target.generation, member, at - window, at + window)
}

fn put_in(
    tx: &mut Tx<'_>,
    target: &Target,
    member: MemberId,
    touching: &[Stretch],
    entry: Entry,
) -> Result<Stretch, StoreError> {
    let mut entries = vec![entry];
    for stretch in touching {
        entries.extend_from_slice(stretch.entries());
    }
    let joined = Stretch::fold(&target.rules, entries);
    replace(tx, target, member, touching, std::slice::from_ref(&joined))?;
    Ok(joined)
}

fn newly_observed(before: &[Stretch], after: &Stretch) -> Vec<Millis> {
    let observed = |stretch: &'_ Stretch| -> Vec<(Millis, Millis)> {
        let visits = stretch.visits().iter().filter(|visit| visit.is_observed());
        visits.map(|visit| (visit.entered, visit.left - visit.entered)).collect()
    };
    let known: Vec<_> = before.iter().flat_map(observed).map(|(entered, _)| entered).collect();
    let now = observed(after).into_iter();
    now.filter(|(entered, _)| !known.contains(entered)).map(|(_, stay)| stay).collect()
}

/// As many additions as most events make.
const ADDITIONS: usize = 64;

/// Takes back what the old stretches contributed and puts in what the new ones do.
pub(super) fn replace(
    tx: &mut Tx<'_>,
    target: &Target,
    member: MemberId,
    old: &[Stretch],
    new: &[Stretch],
) -> Result<(), StoreError> {
    let additions = exchange(tx, target, member, old, new)?;
    tx.add_tallies(target.generation, additions);
    Ok(())
}

/// Puts the new stretches in the place of the old ones, and returns what that adds to the tallies,
/// which must get it.
pub(super) fn exchange(
    tx: &mut Tx<'_>,
    target: &Target,
    member: MemberId,
    old: &[Stretch],
    new: &[Stretch],
) -> Result<Contributions, StoreError> {
    let mut additions = Contributions::with_capacity(ADDITIONS);
    for stretch in old {
        stretch.contribute(-1, &mut additions);
        if new.iter().all(|kept| kept.start() != stretch.start()) {
            tx.remove_receipt(target.generation, member, stretch.start())?;
        }
    }
    for stretch in new {
        stretch.contribute(1, &mut additions);
        let kept = old.iter().find(|kept| kept.start() == stretch.start());
        tx.put_receipt(target.generation, member, kept, stretch)?;
    }
    let (before, after) = (Dates::of(target.zone, old), Dates::of(target.zone, new));
    if before != after {
        let counted = tx.view().member_days(target.generation, member)?;
        let mut days = counted.clone();
        before.take_from(&mut days);
        after.add_to(&mut days);
        counted.change_to(&days, &mut additions);
        tx.put_member_days(target.generation, member, &counted, &days)?;
    }
    Ok(additions)
}

/// The local days of some stretches on which visits were entered and onboardings completed.
#[derive(PartialEq, Eq)]
pub(super) struct Dates {
    visits: Vec<Day>,
    pub(super) onboardings: Vec<Day>,
}

impl Dates {
    pub(super) fn of(zone: Tz, stretches: &[Stretch]) -> Dates {
        let mut dates = Dates { visits: Vec::new(), onboardings: Vec::new() };
        for stretch in stretches {
            let visits = stretch.visits().iter().map(|visit| day_of(zone, visit.entered));
            dates.visits.extend(visits);
            let completed = stretch.entries().iter().filter(|entry| entry.kind == Kind::Onboarding);
            dates.onboardings.extend(completed.map(|entry| day_of(zone, entry.at)));
        }
        dates.visits.sort_unstable();
        dates.onboardings.sort_unstable();
        dates
    }

    pub(super) fn add_to(&self, days: &mut MemberDays) {
        self.visits.iter().for_each(|day| days.add_visit(*day));
        self.onboardings.iter().for_each(|day| days.add_onboarding(*day));
    }

    fn take_from(&self, days: &mut MemberDays) {
        self.visits.iter().for_each(|day| days.take_visit(*day));
        self.onboardings.iter().for_each(|day| days.take_onboarding(*day));
    }
}
