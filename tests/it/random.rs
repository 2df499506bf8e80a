//! Random histories that go looking for trouble: all from a seed, so that a failure can be told in
//! one number.
//!
//! Real life seldom comes near the edge of a rule. These members do little else: they come back a
//! millisecond before or after the grace is over, swipe twice, miss doors, forget to check out, and
//! are inside when midnight, a month or the clock changes. One in four histories also has a
//! *regular*, whose habit of months makes a closed week stand out as a silent span.

use chrono::{Days, Months, TimeZone};
use chrono_tz::Tz;
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use uuid::Uuid;

use crate::reference::{Closure, Event, Rules};

const SECOND: i64 = 1000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// Moments when a local day, week, month or year ends or a clock changes, somewhere. The history
/// of a seed gathers around one of them and wanders off to others.
const ANCHORS: [i64; 10] = [
    1_759_591_800_000, // 2025-10-04 15:30 UTC: Lord Howe skips half an hour
    1_761_440_400_000, // 2025-10-26 01:00 UTC: Berlin has the hour from two to three twice
    1_767_222_000_000, // 2025-12-31 23:00 UTC: Berlin's new year
    1_772_302_500_000, // 2026-02-28 18:15 UTC: the month ends in Kathmandu
    1_772_406_000_000, // 2026-03-01 23:00 UTC: a Sunday ends in Berlin
    1_772_953_200_000, // 2026-03-08 07:00 UTC: New York has no hour from two to three
    1_773_183_600_000, // 2026-03-10 23:00 UTC: an ordinary midnight in Berlin
    1_774_746_000_000, // 2026-03-29 01:00 UTC: Berlin has no hour from two to three
    1_774_994_400_000, // 2026-03-31 22:00 UTC: the month ends in Berlin
    1_775_314_800_000, // 2026-04-04 15:00 UTC: Lord Howe has half an hour twice
];

/// A history under the default rules.
pub fn history(seed: u64, members: usize) -> Vec<Event> {
    history_under(&Rules::default(), seed, members)
}

/// The events of some members, none of them twice in the same millisecond with the same type, in
/// the order in which they were received. The moments aimed at are the bounds of `rules`.
pub fn history_under(rules: &Rules, seed: u64, members: usize) -> Vec<Event> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let centre = anchor(&mut rng);
    let mut events = Vec::new();
    for member in 0..members {
        let start = centre + rng.random_range(-DAY..DAY / 2);
        let account = account(&mut rng);
        let mut walk = Walk { rng: &mut rng, rules, account, at: start, events: Vec::new() };
        if member == 0 && seed.is_multiple_of(4) {
            walk.regular();
        } else {
            walk.wander();
        }
        events.append(&mut walk.events);
    }
    events.sort_by(|a, b| (a.account, a.at, &a.kind).cmp(&(b.account, b.at, &b.kind)));
    events.dedup_by(|a, b| (a.account, a.at, &a.kind) == (b.account, b.at, &b.kind));
    events.sort_by_key(|event| event.received_at);
    events
}

/// Days on which a gym is closed although some come, in one history of two; often on a day of an
/// event, of one day or some, and sometimes every year.
pub fn closed_days(rng: &mut ChaCha8Rng, zone: Tz, events: &[Event]) -> Vec<Closure> {
    let count = if rng.random_bool(0.5) { rng.random_range(1..4) } else { 0 };
    let closure = |_| {
        let at = events.choose(rng).expect("some events").at + pick(rng, &[-DAY, 0, 0, DAY]);
        let day = zone.timestamp_millis_opt(at).single().expect("a time").date_naive();
        let yearly = rng.random_bool(0.2);
        // A year earlier, it is the same date that counts; none of these is in a leap year.
        let first = if yearly { day - Months::new(12) } else { day };
        let last = first + Days::new(pick(rng, &[0, 0, 1, 6, 20]).unsigned_abs());
        Closure { first, last, yearly }
    };
    (0..count).map(closure).collect()
}

/// The same deliveries in any order.
pub fn shuffled<T: Clone>(seed: u64, all: &[T]) -> Vec<T> {
    let mut all = all.to_vec();
    all.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
    all
}

/// The same events, about one in five of them delivered again, some more than once. A repeated
/// delivery is received with or after the first, and follows it in the list, which is in the order
/// of receipt.
pub fn with_duplicates(seed: u64, events: &[Event]) -> Vec<Event> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut deliveries = events.to_vec();
    for event in events {
        while rng.random_bool(0.2) {
            let after = pick(&mut rng, &[0, 1, SECOND, 10 * MINUTE, 7 * HOUR, 9 * DAY]);
            let received_at = event.received_at + after;
            deliveries.push(Event { received_at, ..event.clone() });
        }
    }
    deliveries.sort_by_key(|event| event.received_at);
    deliveries
}

/// The same events and, for about a third of the members, a deletion at a moment of their timeline
/// that hurts: at one of their events, a millisecond beside it, or while they are inside.
///
/// The list is in the order of the events' own times, each delivered on time: a service drops what
/// it receives of a member after the deletion that it is older than, and a plain list of events
/// cannot tell that it did.
pub fn with_deletions(seed: u64, events: &[Event]) -> Vec<Event> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut accounts: Vec<Uuid> = events.iter().map(|event| event.account).collect();
    accounts.sort_unstable();
    accounts.dedup();

    let mut all = events.to_vec();
    for account in accounts {
        let own: Vec<&Event> = events.iter().filter(|event| event.account == account).collect();
        if rng.random_bool(0.35)
            && let Some(beside) = own.choose(&mut rng)
        {
            let at = beside.at + pick(&mut rng, &[-1, 0, 1, 10 * MINUTE, 30 * MINUTE, 80 * MINUTE]);
            all.push(Event { account, at, kind: "MEMBERSHIP_DELETE".into(), received_at: at });
        }
    }
    // A deletion comes last in its millisecond, or it would drop the others of that moment.
    all.sort_by_key(|event| (event.at, event.kind == "MEMBERSHIP_DELETE"));
    for event in &mut all {
        event.received_at = event.at;
    }
    all
}

/// One member's way through time.
struct Walk<'a> {
    rng: &'a mut ChaCha8Rng,
    rules: &'a Rules,
    account: Uuid,
    /// Where the walk has come to. It seldom goes back.
    at: i64,
    events: Vec<Event>,
}

impl Walk<'_> {
    fn wander(&mut self) {
        for _ in 0..self.rng.random_range(1..=14) {
            match self.rng.random_range(0..11) {
                0 => self.plain_visit(),
                1 => self.double_swipes(),
                2 => self.missed_door(),
                3 => self.missing_check_out(),
                4 => self.same_millisecond(),
                5 => self.beside_midnight(),
                6 => self.after_the_check_out(),
                7 => self.late_in_the_window(),
                _ => self.near_the_bounds(),
            }
            self.pause();
        }
    }

    /// Every day at about the same hour for ten weeks, then some days of nothing, then on again.
    fn regular(&mut self) {
        self.at -= 70 * DAY;
        let closed_after = self.rng.random_range(30..65);
        let closed_for = self.rng.random_range(1..8);
        for day in 0..75 {
            let morning = self.at;
            if day < closed_after || closed_after + closed_for <= day {
                self.send("GYM_CHECKIN");
                for _ in 0..self.rng.random_range(2..7) {
                    self.wait(1..12 * MINUTE);
                    self.send("EQUIPMENT_CHECKIN");
                }
                self.wait(1..15 * MINUTE);
                self.send("GYM_CHECKOUT");
            }
            self.at = morning + DAY + self.rng.random_range(-5 * MINUTE..=5 * MINUTE);
        }
    }

    fn plain_visit(&mut self) {
        self.send("GYM_CHECKIN");
        for _ in 0..self.rng.random_range(0..14) {
            self.wait(1..15 * MINUTE);
            self.send("EQUIPMENT_CHECKIN");
        }
        self.wait(1..90 * MINUTE);
        self.send("GYM_CHECKOUT");
        if self.rng.random_bool(0.2) {
            self.send("GENIUS_ONBOARDING_COMPLETED");
        }
    }

    fn double_swipes(&mut self) {
        self.send("GYM_CHECKIN");
        self.wait(1..9 * SECOND);
        self.send("GYM_CHECKIN");
        self.step();
        self.send("GYM_CHECKOUT");
        self.wait(1..9 * SECOND);
        self.send("GYM_CHECKOUT");
        if self.rng.random_bool(0.5) {
            self.wait(1..5 * MINUTE);
            self.send("EQUIPMENT_CHECKIN");
        }
    }

    fn missed_door(&mut self) {
        self.send("EQUIPMENT_CHECKIN");
        self.step();
        self.send("EQUIPMENT_CHECKIN");
        if self.rng.random_bool(0.5) {
            self.step();
            self.send("GYM_CHECKOUT");
        }
    }

    fn missing_check_out(&mut self) {
        self.send("GYM_CHECKIN");
        for _ in 0..self.rng.random_range(0..5) {
            self.step();
            self.send("EQUIPMENT_CHECKIN");
        }
    }

    /// All the types at one moment, or a random part of them.
    fn same_millisecond(&mut self) {
        if self.rng.random_bool(0.5) {
            self.send("GYM_CHECKIN");
            self.step();
        }
        for kind in KINDS {
            if self.rng.random_bool(0.6) {
                self.send(kind);
            }
        }
    }

    /// Inside when a day ends somewhere, with an event exactly on the stroke of it.
    fn beside_midnight(&mut self) {
        let midnight = anchor(self.rng) + self.rng.random_range(-2..=2) * DAY;
        self.at = midnight - pick(self.rng, &[1, MINUTE, 30 * MINUTE, 75 * MINUTE, 2 * HOUR]);
        self.send("GYM_CHECKIN");
        self.at = midnight + pick(self.rng, &[-1, 0, 1, SECOND, MINUTE]);
        let kind = *KINDS.choose(self.rng).expect("there are some");
        self.send(kind);
        self.step();
        self.send("GYM_CHECKOUT");
    }

    /// Something on the bound of the grace, where the visit is closed already.
    fn after_the_check_out(&mut self) {
        self.send("GYM_CHECKIN");
        self.wait(1..90 * MINUTE);
        self.send("GYM_CHECKOUT");
        self.at += i64::from(self.rules.rejoin_grace) * MINUTE + self.rng.random_range(-1..=1);
        let kind = *KINDS.choose(self.rng).expect("there are some");
        self.send(kind);
    }

    /// No check-out, and an assumed end on the bound of the window.
    fn late_in_the_window(&mut self) {
        let Rules { visit_window, assumed_tail, .. } = *self.rules;
        self.send("GYM_CHECKIN");
        let until_assumed = i64::from(visit_window) - i64::from(assumed_tail);
        self.at += until_assumed * MINUTE + self.rng.random_range(-1..=1);
        self.send("EQUIPMENT_CHECKIN");
    }

    /// Any type after any step, which is where the rules meet in ways nobody thought of.
    fn near_the_bounds(&mut self) {
        for _ in 0..self.rng.random_range(1..9) {
            let kind = *KINDS.choose(self.rng).expect("there are some");
            self.send(kind);
            self.step();
        }
    }

    /// On by a time that some rule cares about, to the millisecond, or by no time at all.
    fn step(&mut self) {
        let Rules { visit_window, assumed_stay, assumed_tail, rejoin_grace } = *self.rules;
        let minutes = [visit_window, assumed_stay, assumed_tail, rejoin_grace];
        let bound = i64::from(*minutes.choose(self.rng).expect("there are four")) * MINUTE;
        // The window is counted from the entry, which may have been some steps ago.
        let earlier = self.events.iter().rev().nth(self.rng.random_range(1..5));
        let from = match earlier {
            Some(event) if self.rng.random_bool(0.3) => event.at,
            _ => self.at,
        };
        self.at = match self.rng.random_range(0..10) {
            0 => self.at,
            1 => self.at + 1,
            2..=6 => self.at.max(from + bound + self.rng.random_range(-1..=1)),
            _ => self.at + self.rng.random_range(0..3 * HOUR),
        };
    }

    /// Between two visits: an hour, a night, some weeks, or back into what has been told already.
    fn pause(&mut self) {
        self.at = match self.rng.random_range(0..8) {
            0..=2 => self.at + self.rng.random_range(0..10 * HOUR),
            3 | 4 => self.at + self.rng.random_range(0..3 * DAY),
            5 => self.at + self.rng.random_range(0..40 * DAY),
            6 => self.at - self.rng.random_range(0..2 * DAY),
            _ => anchor(self.rng) - self.rng.random_range(0..3 * HOUR),
        };
    }

    fn wait(&mut self, millis: std::ops::Range<i64>) {
        self.at += self.rng.random_range(millis);
    }

    fn send(&mut self, kind: &str) {
        let received_at = self.at + self.delay();
        let event = Event { account: self.account, at: self.at, kind: kind.into(), received_at };
        self.events.push(event);
    }

    /// Mostly seconds; sometimes days, on the bounds of what is called late, or even before the
    /// event, where the clock of a door is fast.
    fn delay(&mut self) -> i64 {
        match self.rng.random_range(0..20) {
            0 => -self.rng.random_range(0..5 * MINUTE),
            1 => pick(self.rng, &[HOUR, 6 * HOUR, DAY, 7 * DAY]) + self.rng.random_range(-1..=1),
            2 => self.rng.random_range(0..10 * DAY),
            _ => self.rng.random_range(0..4 * SECOND),
        }
    }
}

/// The doors come more than once, to be the more likely.
const KINDS: [&str; 10] = [
    "GYM_CHECKIN",
    "GYM_CHECKIN",
    "GYM_CHECKIN",
    "GYM_CHECKOUT",
    "GYM_CHECKOUT",
    "EQUIPMENT_CHECKIN",
    "EQUIPMENT_CHECKIN",
    "EQUIPMENT_CHECKIN",
    "GENIUS_ONBOARDING_COMPLETED",
    "LOCKER_OPENED",
];

fn anchor(rng: &mut ChaCha8Rng) -> i64 {
    pick(rng, &ANCHORS)
}

fn account(rng: &mut ChaCha8Rng) -> Uuid {
    Uuid::from_u128(rng.random())
}

fn pick(rng: &mut ChaCha8Rng, choices: &[i64]) -> i64 {
    *choices.choose(rng).expect("something to choose from")
}
