//! Erasure: a member leaves the log and everything derived from it; what was counted stays, as
//! part of the sum (model section 6).
//!
//! It is asked for in one transaction (with the delivery, if one asked), done in another, and
//! complete when the write-ahead log is empty too; a crash in between leaves it open, and it is
//! taken up again.

use std::collections::BTreeSet;

use super::apply::{Dates, Target, replace};
use super::rebuild::count_frozen_activity;
use crate::domain::Millis;
use crate::domain::calendar::day_of;
use crate::domain::event::Event;
use crate::domain::ids::{Account, GymId, MemberId, Position};
use crate::domain::member::MemberDays;
use crate::domain::stretch::Stretch;
use crate::domain::tally::Contributions;
use crate::domain::visit::EnteredBy;
use crate::store::{Erasure, ErasureReason, LedgerEntry, Snapshot, StoreError, Tx};

/// Rows of text of others that are emptied in one transaction.
const CHUNK_MENTIONS: usize = 500;

/// Where an erasure cuts a member's timeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cut {
    /// No visit goes on beyond it.
    pub at: Millis,
    /// Events up to and including this instant are erased: the cut itself, or later, when a fast
    /// clock stamped events that came before it as if they had happened after it.
    pub erased_until: Millis,
}

impl Cut {
    /// Where a deletion that was received at `received_at` cuts: at its receipt, or at its own time
    /// when that is later. None when it is known already: it is not newer than an erasure, and
    /// nothing has come of the member since.
    pub(super) fn by_deletion(
        tx: &Tx<'_>,
        target: &Target,
        gym: GymId,
        deletion: &Event,
        received_at: Millis,
    ) -> Result<Option<Cut>, StoreError> {
        let view = tx.view();
        let member = view.member(gym, deletion.account)?;
        let last = match member {
            Some(member) => view.last_event_of(target.generation, member)?,
            None => None,
        };
        let is_known = view
            .erased_until(gym, deletion.account)?
            .is_some_and(|until| deletion.at <= until && last.is_none_or(|last| last <= until));
        if is_known {
            return Ok(None);
        }
        let at = deletion.at.max(received_at);
        Cut::at(tx, target, member, at, received_at).map(Some)
    }

    /// What was received up to `received_until` came before the cut, whatever its time says.
    fn at(
        tx: &Tx<'_>,
        target: &Target,
        member: Option<MemberId>,
        at: Millis,
        received_until: Millis,
    ) -> Result<Cut, StoreError> {
        let view = tx.view();
        let mut erased_until = at;
        if let Some(member) = member {
            let later = view.stretches_touching(target.generation, member, at, Millis::MAX)?;
            let entries = later.iter().flat_map(Stretch::entries);
            for entry in entries.filter(|entry| entry.at > at) {
                let event = view.event(entry.position)?;
                if event.is_some_and(|event| event.arrival.received_at <= received_until) {
                    erased_until = entry.at.max(erased_until);
                }
            }
        }
        Ok(Cut { at, erased_until })
    }
}

/// Asks for an erasure of all events up to and including `until`, and of those that had come by
/// `now` and were stamped later by a fast clock. Returns the record's id.
pub fn request(
    tx: &mut Tx<'_>,
    gym: GymId,
    account: Account,
    until: Millis,
    reason: ErasureReason,
    now: Millis,
) -> Result<i64, StoreError> {
    let target = Target::of(&tx.gym(gym)?);
    let member = tx.view().member(gym, account)?;
    let cut = Cut::at(tx, &target, member, until, now)?;
    request_cut(tx, gym, account, cut, reason, now)
}

/// Asks for an erasure: from here on, nothing that it erases comes back. Returns the record's id.
pub(super) fn request_cut(
    tx: &mut Tx<'_>,
    gym: GymId,
    account: Account,
    cut: Cut,
    reason: ErasureReason,
    now: Millis,
) -> Result<i64, StoreError> {
    let member = tx.member_or_new(gym, account)?;
    let account_hash = tx.view().account_hash(gym, account);
    tx.put_tombstone(&LedgerEntry { gym, account_hash, erased_until: cut.erased_until })?;
    tx.add_erasure(gym, Some(member), (cut.at, cut.erased_until), reason, now)
}

/// Asks again for erasures that the ledger knows and the database does not: it was restored from
/// an older copy. Whoever is no member in it, but mentioned in text of others, is forgotten at once:
/// of such a one only the hash is known. Returns how many came back with it.
pub fn request_again(
    tx: &mut Tx<'_>,
    ledger: Vec<LedgerEntry>,
    now: Millis,
) -> Result<usize, StoreError> {
    let missing = tx.view().not_erased(ledger)?;
    let named = forget_in_annotations_again(tx, &missing)?;
    let mut came_back = 0;
    for (entry, member) in missing {
        tx.put_tombstone(&entry)?;
        let LedgerEntry { gym, account_hash, erased_until: until } = entry;
        let is_mentioned = tx.forget_mentions(gym, &account_hash, usize::MAX)? > 0
            || named.contains(&(gym, account_hash));
        if member.is_none() && !is_mentioned {
            continue;
        }
        let id = tx.add_erasure(gym, member, (until, until), ErasureReason::Restore, now)?;
        if member.is_none() {
            // What is left to be done is the write-ahead log.
            tx.mark_erased(id, now)?;
        }
        came_back += 1;
    }
    Ok(came_back)
}

/// Writes over annotations that name somebody who is to be forgotten again; returns who that is. All
/// at once: with a look at each annotation for each entry it would take long.
fn forget_in_annotations_again(
    tx: &mut Tx<'_>,
    missing: &[(LedgerEntry, Option<MemberId>)],
) -> Result<BTreeSet<(GymId, [u8; 32])>, StoreError> {
    let gone: BTreeSet<_> =
        missing.iter().map(|(entry, _)| (entry.gym, entry.account_hash)).collect();
    let gyms: BTreeSet<GymId> = gone.iter().map(|(gym, _)| *gym).collect();
    let mut named = BTreeSet::new();
    for gym in gyms {
        let found = tx.forget_in_annotations(gym, |hash| gone.contains(&(gym, *hash)))?;
        named.extend(found.into_iter().map(|hash| (gym, hash)));
    }
    Ok(named)
}

/// Empties some text of others that names members of open erasures; false when there is no more. It
/// is done before the rest, so that no transaction takes long however much there is.
pub fn forget_some_mentions(tx: &mut Tx<'_>, open: &[Erasure]) -> Result<bool, StoreError> {
    let mut room = CHUNK_MENTIONS;
    for erasure in open {
        let member = tx.view().erasure(erasure.id)?.and_then(|erasure| erasure.member);
        let account = member.map(|member| tx.view().account_of(member)).transpose()?.flatten();
        let Some(account) = account else { continue };
        let hash = tx.view().account_hash(erasure.gym, account);
        room -= tx.forget_mentions(erasure.gym, &hash, room)?;
        if room == 0 {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Erases members of open erasures from the database, in their order, until `room` events have gone:
/// few, so that no transaction takes long however long somebody has been a member. False when nothing
/// is left of any of them.
pub fn erase_some(
    tx: &mut Tx<'_>,
    open: &[Erasure],
    mut room: usize,
    now: Millis,
) -> Result<bool, StoreError> {
    for erasure in open {
        let open = tx.view().erasure(erasure.id)?.and_then(|erasure| erasure.member);
        let Some(member) = open else { continue };
        let target = Target::of(&tx.gym(erasure.gym)?);
        let part = part_of(tx, &target, member, erasure, room, now)?;
        let gone = if part.is_empty() {
            erase(tx, &target, member, erasure, now)?
        } else {
            tx.spoil_unread_generations(member)?;
            freeze_whole(tx, &target, erasure.gym, member, &part)?;
            tx.mark_applied(erasure.gym, None);
            positions(&part).len()
        };
        tx.add_erased(erasure.id, gone)?;
        room = room.saturating_sub(gone);
        if room == 0 || !part.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The oldest of a member's stretches, of `room` events together, or a single longer one, when more
/// than these are left. Nobody is present in them any more, and the cut is not in them.
fn part_of(
    tx: &Tx<'_>,
    target: &Target,
    member: MemberId,
    erasure: &Erasure,
    room: usize,
    now: Millis,
) -> Result<Vec<Stretch>, StoreError> {
    let mut oldest = tx.view().oldest_stretches(target.generation, member, room + 1)?;
    let is_over = |stretch: &Stretch| {
        let (ended, later) = stretch.cut(&target.rules, erasure.cut_at, erasure.erased_until);
        stretch.present_until() <= now && later.is_none() && ended.as_ref() == Some(stretch)
    };
    let mut events = 0;
    let fits = oldest.iter().enumerate().take_while(|(place, stretch)| {
        events += stretch.entries().len();
        (events <= room || *place == 0) && is_over(stretch)
    });
    let fit = fits.count();
    // What is left can go at once.
    if fit == oldest.len() {
        return Ok(vec![]);
    }
    oldest.truncate(fit);
    Ok(oldest)
}

fn positions(stretches: &[Stretch]) -> Vec<Position> {
    stretches.iter().flat_map(Stretch::entries).map(|entry| entry.position).collect()
}

/// Erases what is left of a member; returns how many events that was.
fn erase(
    tx: &mut Tx<'_>,
    target: &Target,
    member: MemberId,
    erasure: &Erasure,
    now: Millis,
) -> Result<usize, StoreError> {
    let Some(account) = tx.view().account_of(member)? else {
        // An earlier erasure of the same member took all there was.
        tx.mark_erased(erasure.id, now)?;
        return Ok(0);
    };
    tx.spoil_unread_generations(member)?;
    let cut_at = Cut { at: erasure.cut_at, erased_until: erasure.erased_until };
    let (before, after) = cut(tx, target, member, cut_at)?;
    let erased = positions(&before);
    tx.delete_events(&erased)?;
    freeze(tx, target, erasure.gym, member, &before, &MemberDays::default())?;
    let_linger(tx, erasure.gym, &before, now)?;
    if !after.is_empty() {
        let person = tx.view().person(erasure.gym, account);
        let newcomer = tx.add_member(&person)?;
        tx.move_events(&positions(&after), newcomer)?;
        replace(tx, target, newcomer, &[], &after)?;
    }
    let hash = tx.view().account_hash(erasure.gym, account);
    tx.forget_mentions(erasure.gym, &hash, usize::MAX)?;
    tx.forget_in_annotations(erasure.gym, |named| *named == hash)?;
    tx.forget_account(member)?;
    tx.mark_applied(erasure.gym, None);
    tx.mark_erased(erasure.id, now)?;
    Ok(erased.len())
}

/// Keeps the visits that go on until a cut that is still to come, as numbers without a member.
fn let_linger(
    tx: &mut Tx<'_>,
    gym: GymId,
    erased: &[Stretch],
    now: Millis,
) -> Result<(), StoreError> {
    tx.forget_lingering(now)?;
    let visits = erased.iter().flat_map(Stretch::visits);
    for visit in visits.filter(|visit| visit.left > now) {
        let observed = visit.entered_by == EnteredBy::Checkin;
        tx.let_linger(gym, (visit.entered.max(now), visit.left), observed)?;
    }
    Ok(())
}

/// Cuts the member's timeline: afterwards the projection holds, for this member, only what is
/// erased. Returns that, and what is later, which was taken back.
fn cut(
    tx: &mut Tx<'_>,
    target: &Target,
    member: MemberId,
    cut: Cut,
) -> Result<(Vec<Stretch>, Vec<Stretch>), StoreError> {
    let view = tx.view();
    let mut stretches =
        view.stretches_touching(target.generation, member, Millis::MIN, Millis::MAX)?;
    stretches.reverse();
    let (mut before, mut after) = (Vec::new(), Vec::new());
    for stretch in &stretches {
        let (ended, later) = stretch.cut(&target.rules, cut.at, cut.erased_until);
        before.extend(ended);
        after.extend(later);
    }
    replace(tx, target, member, &stretches, &before)?;
    Ok((before, after))
}

/// Takes the oldest of a member's stretches out of the log, and moves what they contributed to the
/// frozen sums.
pub(super) fn freeze_whole(
    tx: &mut Tx<'_>,
    target: &Target,
    gym: GymId,
    member: MemberId,
    oldest: &[Stretch],
) -> Result<(), StoreError> {
    let left = days_left(&tx.view(), target, member, oldest)?;
    tx.delete_events(&positions(oldest))?;
    freeze(tx, target, gym, member, oldest, &left)
}

/// Moves what a member contributed by some stretches from receipts to the frozen sums, and from the
/// member's days what `left` of them does not contribute any more. The tallies stay.
fn freeze(
    tx: &mut Tx<'_>,
    target: &Target,
    gym: GymId,
    member: MemberId,
    stretches: &[Stretch],
    left: &MemberDays,
) -> Result<(), StoreError> {
    count_frozen_activity(tx, gym)?;
    let mut sums = Contributions::new();
    for stretch in stretches {
        stretch.contribute(1, &mut sums);
        tx.remove_receipt(target.generation, member, stretch.start())?;
    }
    let counted = tx.view().member_days(target.generation, member)?;
    counted.contribute(1, &mut sums);
    left.contribute(-1, &mut sums);
    tx.put_member_days(target.generation, member, &counted, left)?;
    tx.add_frozen(gym, &sums);
    Ok(())
}

/// The member's days when those stretches are frozen.
fn days_left(
    snapshot: &Snapshot<'_>,
    target: &Target,
    member: MemberId,
    stretches: &[Stretch],
) -> Result<MemberDays, StoreError> {
    let mut days = snapshot.member_days(target.generation, member)?;
    for visit in stretches.iter().flat_map(Stretch::visits) {
        days.freeze_visit(day_of(target.zone, visit.entered), visit.entered);
    }
    for day in Dates::of(target.zone, stretches).onboardings {
        days.freeze_onboarding(day);
    }
    Ok(days)
}
