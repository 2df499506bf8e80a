//! A stretch: a run of one member's events with no gap longer than `visit_window`, the unit of
//! work (model section 1). No visit crosses its edge, so it is folded by itself.
//!
//! A stretch with its fold is also the *receipt*: what it contributed to the tallies follows from
//! it alone, without rules or time zone, so exactly that can be taken back whatever they are then.

use super::Millis;
use super::event::{Entry, Kind};
use super::rules::Rules;
use super::tally::{Contributions, Count, Key};
use super::visit::{EndedBy, EnteredBy, Fold, Visit, fold};
use crate::domain::ids::Position;

/// The most events one stretch may hold. A run of this many without a pause of `visit_window` is
/// no person; deliveries beyond it go to quarantine.
pub const STRETCH_EVENTS_MAX: usize = 10_000;

/// Events of one member, in order, with what they fold to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stretch {
    /// Never empty, in the order of [`Entry::order`].
    entries: Vec<Entry>,
    fold: Fold,
}

impl Stretch {
    /// Orders and folds entries that are one run: no two neighbours further apart than the window.
    pub fn fold(rules: &Rules, mut entries: Vec<Entry>) -> Stretch {
        assert!(!entries.is_empty(), "a stretch has at least one event");
        entries.sort_unstable_by_key(Entry::order);
        let fold = fold(rules, &entries, None);
        Stretch { entries, fold }
    }

    /// Folds a whole timeline, in any order.
    pub fn all_of(rules: &Rules, mut entries: Vec<Entry>) -> Vec<Stretch> {
        entries.sort_unstable_by_key(Entry::order);
        let runs = entries.chunk_by(|one, next| next.at - one.at <= rules.visit_window());
        runs.map(|run| Stretch { entries: run.to_vec(), fold: fold(rules, run, None) }).collect()
    }

    /// The stretch of a member who is erased: what is up to `erased_until`, its visits ended at `at`
    /// at the latest, and what is later, as the beginning of another timeline (model section 6).
    pub fn cut(
        &self,
        rules: &Rules,
        at: Millis,
        erased_until: Millis,
    ) -> (Option<Stretch>, Option<Stretch>) {
        let (before, after) =
            self.entries.split_at(self.entries.partition_point(|e| e.at <= erased_until));
        let ended = (!before.is_empty())
            .then(|| Stretch { entries: before.to_vec(), fold: fold(rules, before, Some(at)) });
        let later = (!after.is_empty()).then(|| Stretch::fold(rules, after.to_vec()));
        (ended, later)
    }

    /// A stretch as it was stored: its fold stays what it was when it was counted.
    pub fn restored(entries: Vec<Entry>, fold: Fold) -> Stretch {
        Stretch { entries, fold }
    }

    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    pub fn visits(&self) -> &[Visit] {
        &self.fold.visits
    }

    pub fn orphan_checkouts(&self) -> &[Millis] {
        &self.fold.orphan_checkouts
    }

    pub fn start(&self) -> Millis {
        self.entries[0].at
    }

    pub fn last(&self) -> Millis {
        self.entries[self.entries.len() - 1].at
    }

    /// Nobody of this stretch is present from this instant on. Without visits, its start.
    pub fn present_until(&self) -> Millis {
        self.visits().iter().map(|visit| visit.left).max().unwrap_or(self.start())
    }

    /// Where the log has the same event already (model section 2, identity).
    pub fn holds(&self, entry: &Entry) -> Option<Position> {
        let from = self.entries.partition_point(|other| other.at < entry.at);
        self.entries[from..]
            .iter()
            .take_while(|other| other.at == entry.at)
            .find(|other| other.is_same_event(entry))
            .map(|same| same.position)
    }

    /// Adds to `into` what this stretch counts for, `sign` times (1 to put in, -1 to take back).
    pub fn contribute(&self, sign: i64, into: &mut Contributions) {
        for entry in &self.entries {
            into.push((Key::event(entry.at), sign));
            let count = match entry.kind {
                Kind::Equipment => Some(Count::EquipmentCheckins),
                Kind::Onboarding => Some(Count::Onboardings),
                Kind::Unknown(_) => Some(Count::UnknownTypes),
                Kind::Checkin | Kind::Checkout | Kind::MembershipDelete => None,
            };
            if let Some(count) = count {
                into.push((Key::count(entry.at, count), sign));
            }
            if let Some(count) = Count::late(entry.lateness) {
                into.push((Key::count(entry.at, count), sign));
            }
        }
        for at in self.orphan_checkouts() {
            into.push((Key::count(*at, Count::OrphanCheckouts), sign));
        }
        for visit in self.visits() {
            contribute_visit(visit, sign, into);
        }
    }
}

fn contribute_visit(visit: &Visit, sign: i64, into: &mut Contributions) {
    let entered = match visit.entered_by {
        EnteredBy::Checkin => Count::EnteredByCheckin,
        EnteredBy::Equipment => Count::EnteredByEquipment,
    };
    let ended = match visit.ended_by {
        EndedBy::Checkout => Count::EndedByCheckout,
        EndedBy::Assumed => Count::EndedByAssumed,
        EndedBy::Window => Count::EndedByWindow,
        EndedBy::NextVisit => Count::EndedByNextVisit,
        EndedBy::Erasure => Count::EndedByErasure,
    };
    for count in [entered, ended, Count::visit_with_checkins(visit.equipment_checkins)] {
        into.push((Key::count(visit.entered, count), sign));
    }
    into.push((Key::count(visit.left, Count::Departures), sign));
    if visit.repeat_swipes > 0 {
        let swipes = i64::from(visit.repeat_swipes);
        into.push((Key::count(visit.entered, Count::RepeatSwipes), sign * swipes));
    }
    if visit.is_observed() {
        let stay = visit.left - visit.entered;
        into.push((Key::count(visit.entered, Count::Observed), sign));
        into.push((Key::stay(visit.entered, stay), sign));
        into.push((Key::stay_total(visit.entered), sign * stay));
    }
    if let (EnteredBy::Checkin, Some(first)) = (visit.entered_by, visit.first_equipment) {
        into.push((Key::first_equipment(visit.entered, first - visit.entered), sign));
    }
    Key::presence(visit.entered, visit.left, |key, step| into.push((key, sign * step)));
}
