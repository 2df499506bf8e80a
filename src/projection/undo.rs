//! Undo: what an import brought is taken back, so that the log and every report are as if it had
//! never been, a little at a time.
//!
//! An event that something else brought too stays: another import that was not undone, or a
//! delivery, which then becomes the event's arrival. What was erased or frozen has gone already.

use std::collections::{BTreeMap, BTreeSet};

use super::apply::{Target, replace};
use crate::domain::Millis;
use crate::domain::event::{Arrival, Entry};
use crate::domain::ids::{GymId, MemberId, Position};
use crate::domain::rules::Rules;
use crate::domain::stretch::Stretch;
use crate::domain::tally::{Count, Key};
use crate::store::{ImportRun, ImportState, LaterDelivery, LoggedEvent, StoreError, Tx, Undone};

/// Positions that are looked at in one transaction: few, so that deliveries do not wait long.
const CHUNK_POSITIONS: i64 = 200;
/// So many positions hold at most as many events.
const CHUNK_EVENTS: usize = 200;

/// What becomes of an event.
enum Fate {
    TakeBack,
    Keep,
    /// It stays as what was delivered later.
    Settle(LaterDelivery),
}

/// Undoes some of an import; true when all of it is undone. Nothing else may rebuild, freeze or
/// import meanwhile: whoever calls holds the locks.
pub fn undo_some(tx: &mut Tx<'_>, import: i64, now: Millis) -> Result<bool, StoreError> {
    let Some(record) = tx.view().import(import)? else { return Ok(true) };
    if record.state == ImportState::Undone {
        return Ok(true);
    }
    let Some(first) = tx.view().next_of_import(import, record.undone_to)? else {
        tx.finish_undoing(import, now)?;
        return Ok(true);
    };
    let last = Position(first.0 + CHUNK_POSITIONS - 1);
    let runs = tx.view().import_runs(first, last)?;
    let deliveries = tx.view().later_deliveries(first, last)?;
    let is_of_import =
        |position: Position| runs.iter().any(|run| run.import == import && run.contains(position));
    let mut events = tx.view().events_after(None, Position(first.0 - 1), CHUNK_EVENTS)?;
    events.retain(|event| event.position <= last && is_of_import(event.position));
    let there: BTreeSet<Position> = events.iter().map(|event| event.position).collect();
    let mut undone = Undone::default();
    let brought = runs.iter().filter(|run| run.import == import && run.is_brought);
    for run in brought {
        for at in run.first.max(first).0..=run.last.min(last).0 {
            undone.gone += i64::from(!there.contains(&Position(at)));
        }
    }
    let mut by_member: BTreeMap<(GymId, MemberId), Vec<(LoggedEvent, Fate)>> = BTreeMap::new();
    for event in events {
        let delivery = deliveries.iter().find(|delivery| delivery.position == event.position);
        let fate = fate(import, event.position, &runs, delivery);
        match fate {
            Fate::TakeBack => undone.taken_back += 1,
            Fate::Keep | Fate::Settle(_) => undone.kept += 1,
        }
        if !matches!(fate, Fate::Keep) {
            by_member.entry((event.gym, event.member)).or_default().push((event, fate));
        }
    }
    for ((gym, member), events) in by_member {
        change(tx, gym, member, &events)?;
    }
    tx.note_undoing(import, last, undone)?;
    Ok(false)
}

fn fate(
    import: i64,
    position: Position,
    runs: &[ImportRun],
    delivery: Option<&LaterDelivery>,
) -> Fate {
    let of_position = || runs.iter().filter(|run| run.contains(position));
    let is_brought = of_position().any(|run| run.is_brought);
    if !is_brought || delivery.is_some_and(|delivery| delivery.is_settled) {
        return Fate::Keep;
    }
    // Whoever came first, of those that remain, is the one that brought it.
    let others = of_position().filter(|run| run.import != import && run.holds);
    let other = others.map(|run| run.started_at).min();
    match (other, delivery) {
        (Some(other), Some(delivery)) if delivery.received_at < other => Fate::Settle(*delivery),
        (Some(_), _) => Fate::Keep,
        (None, Some(delivery)) => Fate::Settle(*delivery),
        (None, None) => Fate::TakeBack,
    }
}

/// Changes a member's timeline, and what it contributes.
fn change(
    tx: &mut Tx<'_>,
    gym: GymId,
    member: MemberId,
    events: &[(LoggedEvent, Fate)],
) -> Result<(), StoreError> {
    let target = Target::of(&tx.gym(gym)?);
    let mut old: BTreeMap<Millis, Stretch> = BTreeMap::new();
    for (event, _) in events {
        let touching =
            tx.view().stretches_touching(target.generation, member, event.at, event.at)?;
        old.extend(touching.into_iter().map(|stretch| (stretch.start(), stretch)));
    }
    let fates: BTreeMap<Position, &Fate> =
        events.iter().map(|(event, fate)| (event.position, fate)).collect();
    let old: Vec<Stretch> = old.into_values().collect();
    let new: Vec<Stretch> =
        old.iter().flat_map(|stretch| without(&target.rules, stretch, &fates)).collect();
    replace(tx, &target, member, &old, &new)?;
    let taken: Vec<_> = events.iter().filter(|(_, fate)| matches!(fate, Fate::TakeBack)).collect();
    let taken: Vec<Position> = taken.into_iter().map(|(event, _)| event.position).collect();
    tx.delete_events(&taken)?;
    for (_, fate) in events {
        if let Fate::Settle(delivery) = fate {
            // It was counted as a duplicate, which it is no more.
            let counted = vec![(Key::count(delivery.received_at, Count::Duplicates), -1)];
            tx.add_frozen(gym, &counted);
            tx.add_tallies(target.generation, counted);
            tx.settle_delivery(*delivery)?;
        }
    }
    tx.forget_account_without_events(member)?;
    tx.mark_applied(gym, None);
    Ok(())
}

/// What is left of a stretch: none, one, or several, where what joined them has gone.
fn without(rules: &Rules, stretch: &Stretch, fates: &BTreeMap<Position, &Fate>) -> Vec<Stretch> {
    let entries: Vec<Entry> = stretch
        .entries()
        .iter()
        .filter_map(|entry| match fates.get(&entry.position) {
            Some(Fate::TakeBack) => None,
            Some(Fate::Settle(delivery)) => {
                let lateness = Arrival::delivered(delivery.received_at).lateness(entry.at);
                Some(Entry { lateness, ..entry.clone() })
            }
            Some(Fate::Keep) | None => Some(entry.clone()),
        })
        .collect();
    let runs = entries.chunk_by(|a, b| b.at - a.at <= rules.visit_window());
    runs.map(|run| Stretch::fold(rules, run.to_vec())).collect()
}
