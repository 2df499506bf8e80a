//! The one fold: a member's timeline becomes visits (model section 3).

use super::Millis;
use super::event::{Entry, Kind};
use super::rules::Rules;

/// How a visit began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EnteredBy {
    Checkin,
    /// The door was missed: the first sign of the member was at equipment.
    Equipment,
}

/// How a visit's end is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EndedBy {
    Checkout,
    Assumed,
    Window,
    NextVisit,
    Erasure,
}

/// One stay of one member, `[entered, left)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visit {
    pub entered: Millis,
    pub entered_by: EnteredBy,
    /// Always known and never before `entered`; of an open visit it is the assumed end.
    pub left: Millis,
    pub ended_by: EndedBy,
    pub equipment_checkins: u32,
    /// None exactly when `equipment_checkins` is 0.
    pub first_equipment: Option<Millis>,
    pub repeat_swipes: u32,
}

impl Visit {
    /// Whether both its ends were seen at the door: only then does it enter duration statistics.
    pub fn is_observed(&self) -> bool {
        self.entered_by == EnteredBy::Checkin && self.ended_by == EndedBy::Checkout
    }

    /// Whether the member is in the gym at `at`.
    pub fn is_present(&self, at: Millis) -> bool {
        self.entered <= at && at < self.left
    }
}

/// What a run of a timeline comes to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fold {
    /// In the order of `entered`.
    pub visits: Vec<Visit>,
    /// Check-outs without a visit they could end, in order.
    pub orphan_checkouts: Vec<Millis>,
}

/// Folds entries, sorted by [`Entry::order`], into visits. With `cut`, the member was erased then,
/// and no visit goes on beyond it.
pub fn fold(rules: &Rules, entries: &[Entry], cut: Option<Millis>) -> Fold {
    let mut folding = Folding { rules, current: None, done: Fold::default() };
    for entry in entries {
        match entry.kind {
            Kind::Checkin => folding.checkin(entry.at),
            Kind::Checkout => folding.checkout(entry.at),
            Kind::Equipment => folding.equipment(entry.at),
            Kind::MembershipDelete => folding.cut(entry.at),
            Kind::Onboarding | Kind::Unknown(_) => {}
        }
    }
    match cut {
        Some(at) => folding.cut(at),
        None => folding.finish(None),
    }
    folding.done
}

/// A visit that later events may still belong to.
struct Current {
    visit: Visit,
    /// Whether a check-out has closed it; `visit.left` holds only then.
    closed: bool,
    last_door: Millis,
    last_equipment: Option<Millis>,
}

struct Folding<'a> {
    rules: &'a Rules,
    /// Stays current after its check-out, until the next visit begins or the timeline is cut.
    current: Option<Current>,
    done: Fold,
}

impl Folding<'_> {
    fn checkin(&mut self, at: Millis) {
        let grace = self.rules.rejoin_grace();
        match self.current_in_window(at) {
            Some(current) if at - current.last_door <= grace => {
                current.closed = false;
                current.last_door = at;
                current.visit.repeat_swipes += 1;
            }
            _ => self.enter(at, EnteredBy::Checkin),
        }
    }

    fn equipment(&mut self, at: Millis) {
        let grace = self.rules.rejoin_grace();
        match self.current_in_window(at) {
            Some(current) if !current.closed || at - current.visit.left <= grace => {
                current.use_equipment(at);
            }
            _ => {
                self.enter(at, EnteredBy::Equipment);
                if let Some(current) = &mut self.current {
                    current.use_equipment(at);
                }
            }
        }
    }

    fn checkout(&mut self, at: Millis) {
        let grace = self.rules.rejoin_grace();
        match self.current_in_window(at) {
            Some(current) if !current.closed => current.close(at),
            Some(current) if at - current.visit.left <= grace => {
                current.close(at);
                current.visit.repeat_swipes += 1;
            }
            _ => self.done.orphan_checkouts.push(at),
        }
    }

    /// The member was deleted: nothing goes on beyond `at`, and what follows is a fresh timeline.
    fn cut(&mut self, at: Millis) {
        self.finish(None);
        // Those that a fast clock began after it, too: they end where they begin.
        for visit in self.done.visits.iter_mut().rev().take_while(|visit| visit.left > at) {
            visit.left = at.max(visit.entered);
            visit.ended_by = EndedBy::Erasure;
        }
    }

    fn current_in_window(&mut self, at: Millis) -> Option<&mut Current> {
        let window = self.rules.visit_window();
        self.current.as_mut().filter(|current| at <= current.visit.entered + window)
    }

    fn enter(&mut self, at: Millis, entered_by: EnteredBy) {
        self.finish(Some(at));
        self.current = Some(Current {
            visit: Visit {
                entered: at,
                entered_by,
                left: at,
                ended_by: EndedBy::Assumed,
                equipment_checkins: 0,
                first_equipment: None,
                repeat_swipes: 0,
            },
            closed: false,
            last_door: at,
            last_equipment: None,
        });
    }

    /// Ends the current visit, with the entry of the one that follows it, if any.
    fn finish(&mut self, next_entry: Option<Millis>) {
        let Some(mut current) = self.current.take() else { return };
        if !current.closed {
            (current.visit.left, current.visit.ended_by) = current.end(self.rules, next_entry);
        }
        self.done.visits.push(current.visit);
    }
}

impl Current {
    fn use_equipment(&mut self, at: Millis) {
        self.visit.equipment_checkins += 1;
        self.visit.first_equipment.get_or_insert(at);
        self.last_equipment = Some(at);
    }

    fn close(&mut self, at: Millis) {
        self.closed = true;
        self.last_door = at;
        self.visit.left = at;
        self.visit.ended_by = EndedBy::Checkout;
    }

    /// When a visit without check-out ends: the earliest of the three, on a tie the first named.
    fn end(&self, rules: &Rules, next_entry: Option<Millis>) -> (Millis, EndedBy) {
        let stay = self.last_door + rules.assumed_stay();
        let tail = self.last_equipment.map_or(stay, |at| at + rules.assumed_tail());
        let mut end = (stay.max(tail), EndedBy::Assumed);
        let window = self.visit.entered + rules.visit_window();
        if window < end.0 {
            end = (window, EndedBy::Window);
        }
        match next_entry {
            Some(next) if next < end.0 => (next, EndedBy::NextVisit),
            _ => end,
        }
    }
}
