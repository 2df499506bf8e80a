//! The slow reference of the attendance model: every report, answered from the raw list of events
//! by code that is too plain to be wrong.
//!
//! It is written from the model's text alone and shares no line with the crate, so that a mistake
//! would have to be made twice, in two different ways, to go unseen. Hence the rules here: nothing
//! of the crate is used, nothing is tallied ahead of the question, and every figure is counted
//! anew from the visits it is about.
#![allow(dead_code, reason = "laws use what they need")]
#![allow(clippy::cast_precision_loss, reason = "counts and minutes are far below 2^53")]

mod activity;
mod calendar;
mod closed;
mod durations;
mod equipment;
mod fold;
mod members;
mod occupancy;
mod onboarding;
mod outlook;
mod quality;
mod silence;
mod visits;

use std::collections::{BTreeMap, HashSet};

use chrono_tz::Tz;
use serde_json::{Map, Value, json};
use uuid::Uuid;

pub use self::closed::Closure;
pub use self::fold::{EndedBy, EnteredBy, Visit, fold, sort_timeline};

use self::calendar::{Span, buckets, rfc3339, widen};

#[derive(Clone, Debug)]
pub struct Gym {
    pub slug: String,
    pub zone: Tz,
    pub capacity: Option<u32>,
    pub rules: Rules,
}

/// Minutes, all of them. See section 3 of the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    pub visit_window: u32,
    pub assumed_stay: u32,
    pub assumed_tail: u32,
    pub rejoin_grace: u32,
}

impl Default for Rules {
    fn default() -> Rules {
        Rules { visit_window: 480, assumed_stay: 75, assumed_tail: 20, rejoin_grace: 15 }
    }
}

/// One delivery, as it came. Times are UTC milliseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    pub account: Uuid,
    pub at: i64,
    /// The sender's type, as it is written: `GYM_CHECKIN`, or one that nobody knows yet.
    pub kind: String,
    pub received_at: i64,
}

/// What a reader asks of a report. `from` and `until` are UTC milliseconds, half-open.
#[derive(Clone, Copy, Debug)]
pub struct Question {
    pub from: i64,
    pub until: i64,
    pub interval: Interval,
    pub group_by: GroupBy,
    /// Of activity, in local days.
    pub window: u64,
    pub now: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interval {
    M15,
    H1,
    D1,
    W1,
    Mo1,
}

impl Interval {
    pub fn name(self) -> &'static str {
        match self {
            Interval::M15 => "15m",
            Interval::H1 => "1h",
            Interval::D1 => "1d",
            Interval::W1 => "1w",
            Interval::Mo1 => "1mo",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupBy {
    None,
    Weekday,
    Hour,
}

/// All that ever happened at one gym.
pub struct History {
    gym: Gym,
    closed: Vec<Closure>,
    /// Every event once, by its own time.
    events: Vec<Event>,
    /// When the repeated deliveries came in, in order.
    duplicates: Vec<i64>,
    /// By `entered`.
    visits: Vec<Visit>,
    /// When each visit ended, in order: `visits` is sorted by the other end.
    departures: Vec<i64>,
    /// The check-outs that no visit claims, in order.
    orphans: Vec<i64>,
}

/// The body of a report: the name of its list, the list, and `totals`.
type Body = (&'static str, Vec<Value>, Value);

impl History {
    /// The events may come in any order and more than once. Of several with one identity
    /// (account, type, time) the first of the list is the one that counts.
    pub fn new(gym: Gym, events: &[Event]) -> History {
        let mut seen = HashSet::new();
        let (mut kept, mut duplicates) = (Vec::new(), Vec::new());
        for event in events {
            if seen.insert((event.account, event.kind.clone(), event.at)) {
                let mut event = event.clone();
                if event.kind == "MEMBERSHIP_DELETE" {
                    // It stands where it cuts.
                    event.at = event.at.max(event.received_at);
                }
                kept.push(event);
            } else {
                duplicates.push(event.received_at);
            }
        }

        let mut timelines: BTreeMap<Uuid, Vec<Event>> = BTreeMap::new();
        for event in &kept {
            timelines.entry(event.account).or_default().push(event.clone());
        }
        let (mut visits, mut orphans) = (Vec::new(), Vec::new());
        for timeline in timelines.values_mut() {
            sort_timeline(timeline);
            let (of_member, orphans_of_member) = fold(&gym.rules, timeline);
            visits.extend(of_member);
            orphans.extend(orphans_of_member);
        }

        let mut departures: Vec<i64> = visits.iter().map(|visit| visit.left).collect();
        kept.sort_by_key(|event| event.at);
        visits.sort_by_key(|visit| visit.entered);
        duplicates.sort_unstable();
        departures.sort_unstable();
        orphans.sort_unstable();
        History { gym, closed: Vec::new(), events: kept, duplicates, visits, departures, orphans }
    }

    /// The same, of a gym that says when it is closed.
    pub fn closed(self, closed: &[Closure]) -> History {
        History { closed: closed.to_vec(), ..self }
    }

    pub fn visits(&self) -> &[Visit] {
        &self.visits
    }

    /// The answer to `report`, without `position` and `comparison`.
    pub fn report(&self, report: &str, question: &Question) -> Value {
        let whole = match report {
            "members" | "activity" => question.interval,
            "retention" => Interval::Mo1,
            "onboarding" => Interval::D1,
            _ => Interval::M15,
        };
        let asked = Span { from: question.from, until: question.until };
        let range = widen(self.gym.zone, whole, asked);
        let (list, rows, totals) = match report {
            "occupancy" => self.occupancy(range, question),
            "visits" => self.visits_report(range, question),
            "members" => self.members(range, question),
            "activity" => self.activity(range, question),
            "durations" => self.durations(range, question.group_by),
            "equipment" => self.equipment(range, question),
            "popular-times" => self.popular_times(range, question.now),
            "retention" => self.retention(range, question.now),
            "onboarding" => self.onboarding(range, question),
            "quality" => self.quality(range, question),
            unknown => panic!("there is no report {unknown}"),
        };
        let visits = self.entered_in(range);
        let observed = visits.iter().filter(|visit| visit.observed()).count();
        let mut answer = json!({
            "gym": self.gym.slug,
            "report": report,
            "from": rfc3339(self.gym.zone, range.from),
            "until": rfc3339(self.gym.zone, range.until),
            "interval": question.interval.name(),
            "time_zone": self.gym.zone.name(),
            "totals": totals,
            "coverage": share(observed, visits.len()),
        });
        answer[list] = Value::Array(rows);
        if report == "activity" {
            answer["window"] = json!(question.window);
        }
        answer
    }

    /// One row for each bucket of the range: its name, whether it is complete, and its figures.
    fn rows(
        &self,
        range: Span,
        question: &Question,
        figures: impl Fn(Span) -> Map<String, Value>,
    ) -> Vec<Value> {
        let silent = self.silent_spans(question.now);
        let row = |bucket: Span| {
            let over = bucket.until <= question.now;
            let touched = silent.iter().any(|span| span.overlaps(bucket));
            let closed = self.is_closed_over(bucket);
            let mut row = figures(bucket);
            row.insert("start".into(), json!(rfc3339(self.gym.zone, bucket.from)));
            row.insert("complete".into(), json!(over && (closed || !touched)));
            if closed {
                row.insert("closed".into(), json!(true));
            }
            Value::Object(row)
        };
        buckets(self.gym.zone, question.interval, range).into_iter().map(row).collect()
    }

    fn entered_in(&self, span: Span) -> &[Visit] {
        within(&self.visits, |visit| visit.entered, span)
    }

    /// The events whose own time lies in the span, whenever they were received.
    fn events_in(&self, span: Span) -> &[Event] {
        within(&self.events, |event| event.at, span)
    }

    fn first_visits(&self) -> BTreeMap<Uuid, i64> {
        let mut first = BTreeMap::new();
        for visit in &self.visits {
            first.entry(visit.account).or_insert(visit.entered);
        }
        first
    }
}

/// Those of `items`, which are sorted by `time`, whose time lies in the span.
fn within<T>(items: &[T], time: impl Fn(&T) -> i64, span: Span) -> &[T] {
    let start = items.partition_point(|item| time(item) < span.from);
    let end = items.partition_point(|item| time(item) < span.until);
    &items[start..end]
}

/// The `percent`-th percentile of sorted values by nearest rank, none of none.
fn nearest_rank(sorted: &[i64], percent: usize) -> Option<i64> {
    let rank = (percent * sorted.len()).div_ceil(100);
    sorted.get(rank.checked_sub(1)?).copied()
}

/// Null when there is no whole to take a part of.
fn share(part: usize, whole: usize) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// The fields of a `json!({…})`.
fn fields(value: Value) -> Map<String, Value> {
    let Value::Object(fields) = value else { panic!("not an object: {value}") };
    fields
}
