//! Section 3 of the model, sentence by sentence: one member's events become visits.

use uuid::Uuid;

use super::calendar::MINUTE;
use super::{Event, Rules};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EnteredBy {
    Checkin,
    Equipment,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndedBy {
    Checkout,
    Assumed,
    Window,
    NextVisit,
    Erasure,
}

impl EnteredBy {
    pub fn name(self) -> &'static str {
        match self {
            EnteredBy::Checkin => "checkin",
            EnteredBy::Equipment => "equipment",
        }
    }
}

impl EndedBy {
    pub fn name(self) -> &'static str {
        match self {
            EndedBy::Checkout => "checkout",
            EndedBy::Assumed => "assumed",
            EndedBy::Window => "window",
            EndedBy::NextVisit => "next_visit",
            EndedBy::Erasure => "erasure",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Visit {
    pub account: Uuid,
    pub entered: i64,
    pub entered_by: EnteredBy,
    pub left: i64,
    pub ended_by: EndedBy,
    /// When each equipment check-in was, in order; some may be after `left`.
    pub equipment: Vec<i64>,
    pub repeat_swipes: u32,
}

impl Visit {
    /// Only such a visit says how long a stay was.
    pub fn observed(&self) -> bool {
        self.entered_by == EnteredBy::Checkin && self.ended_by == EndedBy::Checkout
    }
}

/// The order of a timeline: by time, then as the model ranks the types. A deletion is the last of
/// its millisecond, because it erases the events up to and including its own time.
pub fn sort_timeline(events: &mut [Event]) {
    events.sort_by_key(|event| {
        let rank = match event.kind.as_str() {
            "GYM_CHECKOUT" => 0,
            "GYM_CHECKIN" => 1,
            "EQUIPMENT_CHECKIN" => 2,
            "MEMBERSHIP_DELETE" => 4,
            _ => 3,
        };
        (event.at, rank)
    });
}

/// The visits and the orphan check-outs of one member, from that member's events in the order of
/// [`sort_timeline`].
pub fn fold(rules: &Rules, events: &[Event]) -> (Vec<Visit>, Vec<i64>) {
    let (mut visits, mut orphans) = (Vec::new(), Vec::new());
    for life in events.split_inclusive(|event| event.kind == "MEMBERSHIP_DELETE") {
        let mut timeline = Timeline { rules, drafts: Vec::new(), orphans: Vec::new() };
        for event in life {
            match event.kind.as_str() {
                "GYM_CHECKIN" => timeline.check_in(event),
                "EQUIPMENT_CHECKIN" => timeline.equipment(event),
                "GYM_CHECKOUT" => timeline.check_out(event),
                _ => {}
            }
        }
        orphans.append(&mut timeline.orphans);
        let mut of_life = timeline.end();
        let last = life.last().expect("a piece of a split holds an event");
        if last.kind == "MEMBERSHIP_DELETE" {
            for visit in &mut of_life {
                cut(visit, last.at);
            }
        }
        visits.append(&mut of_life);
    }
    (visits, orphans)
}

fn cut(visit: &mut Visit, deleted: i64) {
    if visit.left > deleted {
        visit.left = deleted;
        visit.ended_by = EndedBy::Erasure;
    }
}

/// A visit as far as it has been told. The last one of a timeline is the current one.
struct Draft {
    account: Uuid,
    entered: i64,
    entered_by: EnteredBy,
    last_door: i64,
    equipment: Vec<i64>,
    /// The check-out, if the visit is closed.
    left: Option<i64>,
    repeat_swipes: u32,
}

struct Timeline<'a> {
    rules: &'a Rules,
    drafts: Vec<Draft>,
    orphans: Vec<i64>,
}

impl Timeline<'_> {
    fn check_in(&mut self, event: &Event) {
        let t = event.at;
        let grace = minutes(self.rules.rejoin_grace);
        if let Some(visit) = self.current_at(t)
            && t - visit.last_door <= grace
        {
            visit.left = None;
            visit.last_door = t;
            visit.repeat_swipes += 1;
            return;
        }
        self.begin(event, EnteredBy::Checkin);
    }

    fn equipment(&mut self, event: &Event) {
        let t = event.at;
        let grace = minutes(self.rules.rejoin_grace);
        if let Some(visit) = self.current_at(t)
            && visit.left.is_none_or(|left| t - left <= grace)
        {
            visit.equipment.push(t);
            return;
        }
        self.begin(event, EnteredBy::Equipment);
    }

    fn check_out(&mut self, event: &Event) {
        let t = event.at;
        let grace = minutes(self.rules.rejoin_grace);
        let Some(visit) = self.current_at(t) else {
            self.orphans.push(t);
            return;
        };
        match visit.left {
            None => {}
            Some(left) if t - left <= grace => visit.repeat_swipes += 1,
            Some(_) => {
                self.orphans.push(t);
                return;
            }
        }
        visit.left = Some(t);
        visit.last_door = t;
    }

    /// The current visit, if `t` is in its window.
    fn current_at(&mut self, t: i64) -> Option<&mut Draft> {
        let window = minutes(self.rules.visit_window);
        self.drafts.last_mut().filter(|visit| t <= visit.entered + window)
    }

    fn begin(&mut self, event: &Event, entered_by: EnteredBy) {
        self.drafts.push(Draft {
            account: event.account,
            entered: event.at,
            entered_by,
            last_door: event.at,
            equipment: match entered_by {
                EnteredBy::Checkin => Vec::new(),
                EnteredBy::Equipment => vec![event.at],
            },
            left: None,
            repeat_swipes: 0,
        });
    }

    fn end(self) -> Vec<Visit> {
        let entries: Vec<i64> = self.drafts.iter().map(|draft| draft.entered).collect();
        let next_entries = entries.into_iter().skip(1).map(Some).chain([None]);
        let rules = self.rules;
        self.drafts
            .into_iter()
            .zip(next_entries)
            .map(|(draft, next)| draft.end(rules, next))
            .collect()
    }
}

impl Draft {
    /// `next` is the entry of the visit that follows.
    fn end(self, rules: &Rules, next: Option<i64>) -> Visit {
        let (left, ended_by) = match self.left {
            Some(left) => (left, EndedBy::Checkout),
            None => self.end_without_check_out(rules, next),
        };
        Visit {
            account: self.account,
            entered: self.entered,
            entered_by: self.entered_by,
            left,
            ended_by,
            equipment: self.equipment,
            repeat_swipes: self.repeat_swipes,
        }
    }

    fn end_without_check_out(&self, rules: &Rules, next: Option<i64>) -> (i64, EndedBy) {
        let mut assumed = self.last_door + minutes(rules.assumed_stay);
        if let Some(last_equipment) = self.equipment.last() {
            assumed = assumed.max(last_equipment + minutes(rules.assumed_tail));
        }
        let mut end = (assumed, EndedBy::Assumed);
        // Strictly smaller, so that on a tie the one named first stays.
        let window = self.entered + minutes(rules.visit_window);
        if window < end.0 {
            end = (window, EndedBy::Window);
        }
        if let Some(next) = next
            && next < end.0
        {
            end = (next, EndedBy::NextVisit);
        }
        end
    }
}

fn minutes(count: u32) -> i64 {
    i64::from(count) * MINUTE
}
