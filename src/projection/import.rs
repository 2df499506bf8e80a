//! What is imported is taken in many events at a time, by the member: what they touch of a member's
//! timeline is read once, folded once with all of them, and exchanged once. The log and every number
//! become what they would by one event after the other.

use std::collections::{BTreeMap, HashMap};

use super::apply::{self, Outcome, Target, replace};
use super::retention;
use super::witness::is_erased;
use crate::domain::Millis;
use crate::domain::event::{Arrival, Entry, Event, Kind};
use crate::domain::ids::{Account, GymId, MemberId, Position};
use crate::domain::stretch::{STRETCH_EVENTS_MAX, Stretch};
use crate::store::{StoreError, Tx};

/// An event, however it came to us, and at which gym it was.
#[derive(Clone, Copy)]
pub struct Told<'e> {
    pub gym: GymId,
    pub event: &'e Event,
    pub arrival: Arrival,
}

/// Appends events to the log, in their order, each once, and applies them; says what became of each.
/// What has come before is no second delivery, and not counted as one.
pub fn import(tx: &mut Tx<'_>, told: &[Told<'_>], now: Millis) -> Result<Vec<Outcome>, StoreError> {
    let (fates, timelines) = (vec![Fate::Alone; told.len()], Vec::new());
    let mut import = Import { told, now, fates, timelines };
    for ((gym, account), places) in by_account(told) {
        // A deletion changes what becomes of the events after it.
        if places.iter().all(|place| told[*place].event.kind != Kind::MembershipDelete) {
            import.decide(tx, gym, account, &places)?;
        }
    }
    let outcomes = import.append(tx)?;
    import.timelines.sort_unstable_by_key(|timeline| timeline.member);
    for Timeline { target, member, old, new } in import.timelines {
        let entries = old.iter().flat_map(|stretch| stretch.entries()).cloned().chain(new);
        let new = Stretch::all_of(&target.rules, entries.collect());
        replace(tx, &target, member, &old, &new)?;
    }
    Ok(outcomes)
}

/// Whose events these are, in the order of their first ones, each with the places of its events.
fn by_account(told: &[Told<'_>]) -> Vec<((GymId, Account), Vec<usize>)> {
    let mut accounts: Vec<((GymId, Account), Vec<usize>)> = Vec::new();
    let mut found = HashMap::new();
    for (place, told) in told.iter().enumerate() {
        let whose = (told.gym, told.event.account);
        let at = *found.entry(whose).or_insert(accounts.len());
        if at == accounts.len() {
            accounts.push((whose, Vec::new()));
        }
        accounts[at].1.push(place);
    }
    accounts
}

/// What becomes of an event.
#[derive(Clone)]
enum Fate {
    Decided(Outcome),
    /// It is appended to the log, and to the timeline at this place.
    New(usize),
    /// It is the same as another that was told, at this place.
    Same(usize),
    /// The events of its member are taken in one after the other.
    Alone,
}

/// What is exchanged of a member's timeline.
struct Timeline {
    target: Target,
    member: MemberId,
    old: Vec<Stretch>,
    new: Vec<Entry>,
}

struct Import<'t> {
    told: &'t [Told<'t>],
    now: Millis,
    fates: Vec<Fate>,
    timelines: Vec<Timeline>,
}

impl Import<'_> {
    /// Decides what becomes of a member's events.
    fn decide(
        &mut self,
        tx: &mut Tx<'_>,
        gym: GymId,
        account: Account,
        places: &[usize],
    ) -> Result<(), StoreError> {
        let (gym, person) = (tx.gym(gym)?, tx.view().person(gym, account));
        let known = tx.known(&person)?;
        let mut taken = Vec::with_capacity(places.len());
        for place in places {
            let at = self.told[*place].event.at;
            if is_erased(&tx.view(), known.erased_until, at, self.now)? {
                self.fates[*place] = Fate::Decided(Outcome::Erased);
            } else if retention::is_beyond(&tx.view(), &gym, at, self.now)? {
                self.fates[*place] = Fate::Decided(Outcome::TooOld);
            } else {
                taken.push(*place);
            }
        }
        if taken.is_empty() {
            return Ok(());
        }
        let member = known.member.map_or_else(|| tx.add_member(&person), Ok)?;
        self.lay_out(tx, Target::of(&gym), member, &taken)
    }

    /// Finds those of a member's events that are in the log already, or came twice; the others make
    /// its timeline longer.
    fn lay_out(
        &mut self,
        tx: &Tx<'_>,
        target: Target,
        member: MemberId,
        places: &[usize],
    ) -> Result<(), StoreError> {
        let old = self.touched(tx, &target, member, places)?;
        let held: usize = old.values().map(|stretch| stretch.entries().len()).sum();
        if held + places.len() > STRETCH_EVENTS_MAX {
            // Then each has to be looked at whether there is room for it.
            return Ok(());
        }
        let mut first = HashMap::new();
        let timeline = self.timelines.len();
        for place in places {
            let entry = self.entry(*place, Position(0));
            let around = old.range(..=entry.at).next_back();
            let same = around.and_then(|(_, stretch)| stretch.holds(&entry));
            self.fates[*place] = match (same, first.get(&(entry.at, entry.kind.clone()))) {
                (Some(of), _) => Fate::Decided(Outcome::Duplicate { of }),
                (None, Some(place)) => Fate::Same(*place),
                (None, None) => {
                    first.insert((entry.at, entry.kind), *place);
                    Fate::New(timeline)
                }
            };
        }
        if !first.is_empty() {
            let old = old.into_values().collect();
            self.timelines.push(Timeline { target, member, old, new: Vec::new() });
        }
        Ok(())
    }

    /// The stretches that some events of a member would be part of.
    fn touched(
        &self,
        tx: &Tx<'_>,
        target: &Target,
        member: MemberId,
        places: &[usize],
    ) -> Result<BTreeMap<Millis, Stretch>, StoreError> {
        let window = target.rules.visit_window();
        let mut times: Vec<_> = places.iter().map(|place| self.told[*place].event.at).collect();
        times.sort_unstable();
        let mut touched = BTreeMap::new();
        for run in times.chunk_by(|one, next| next - one <= window) {
            let (from, until) = (run[0] - window, run[run.len() - 1] + window);
            let stretches = tx.stretches_touching(target.generation, member, from, until)?;
            touched.extend(stretches.into_iter().map(|stretch| (stretch.start(), stretch)));
        }
        Ok(touched)
    }

    /// Appends to the log what is new, in the order in which it was told.
    fn append(&mut self, tx: &mut Tx<'_>) -> Result<Vec<Outcome>, StoreError> {
        let mut outcomes: Vec<Outcome> = Vec::with_capacity(self.told.len());
        for place in 0..self.told.len() {
            let Told { gym, event, arrival } = self.told[place];
            let outcome = match &self.fates[place] {
                Fate::Decided(outcome) => outcome.clone(),
                Fate::Same(first) => match outcomes[*first].clone() {
                    Outcome::Accepted { position: of, .. } => Outcome::Duplicate { of },
                    same @ (Outcome::Duplicate { .. }
                    | Outcome::Erased
                    | Outcome::StretchFull
                    | Outcome::TooOld) => same,
                },
                Fate::New(timeline) => {
                    let timeline = *timeline;
                    let member = self.timelines[timeline].member;
                    let position = tx.append(gym, member, event, arrival, &[])?;
                    tx.mark_applied(gym, Some(position));
                    let entry = self.entry(place, position);
                    self.timelines[timeline].new.push(entry);
                    Outcome::Accepted { position, stays: vec![] }
                }
                Fate::Alone => apply::import(tx, gym, event, arrival, self.now)?,
            };
            outcomes.push(outcome);
        }
        Ok(outcomes)
    }

    fn entry(&self, place: usize, position: Position) -> Entry {
        let Told { event, arrival, .. } = &self.told[place];
        let (at, kind) = (event.at, event.kind.clone());
        Entry { at, kind, position, lateness: arrival.lateness(at) }
    }
}
