//! The traffic of a simulated gym: what its members do on each local day, and how the sender
//! delivers it, with the faults of real doors and real senders.
//!
//! Pure: no clock, no network, no files. A day of a member follows from the seed, the member's
//! place in the pool and the day alone, so however time is cut into windows, each event is in
//! exactly one of them.

use chrono::{Duration, NaiveTime, TimeZone};
use chrono_tz::Tz;
use rand::Rng;
use uuid::Uuid;

use super::dice::{Dice, Purpose, dice, near};
use super::members::Member;
use super::season;
use crate::domain::calendar::{Day, day_of};
use crate::domain::{DAY, HOUR, MINUTE, Millis};

/// No delivery comes later than this after its event.
pub const LATENESS_MAX: Millis = 4 * DAY;

const SECOND: Millis = 1_000;
/// Some stand at the door before it opens at six.
const FIRST_ARRIVAL_MINUTE: f64 = 352.0;
/// Who comes at half past ten has half an hour left.
const LAST_ARRIVAL_MINUTE: f64 = 1_350.0;
/// When the last ones are out, a little after eleven.
const CLOSED_MINUTE: f64 = 1_388.0;

/// A type that no version of the sender's contract names.
const UNKNOWN_TYPE: &str = "BODY_SCAN_COMPLETED";

/// What is simulated. The same plan gives the same deliveries, and a plan that differs in `from`
/// and `until` only has the same members with the same visits.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Another seed gives other members.
    pub seed: u64,
    /// The gym's clock.
    pub zone: Tz,
    /// About how many are members at a time.
    pub members: usize,
    /// Events at or after this, in UTC milliseconds.
    pub from: Millis,
    /// Events before this, in UTC milliseconds. Their deliveries may be due later.
    pub until: Millis,
    /// Whether a `MEMBERSHIP_DELETE` follows some time after a member stopped coming.
    pub leavers_deleted: bool,
}

/// One post of the sender. Ordered by `due`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Delivery {
    /// When the sender posts it, in UTC milliseconds; never before `at`.
    pub due: Millis,
    /// When it happened, in UTC milliseconds.
    pub at: Millis,
    pub account: Uuid,
    /// The sender's word for what happened.
    pub kind: &'static str,
}

impl Delivery {
    /// The body that the sender posts.
    pub fn body(&self) -> String {
        let Delivery { at, account, kind, .. } = self;
        format!(r#"{{"accountId":"{account}","timestamp":{at},"type":"{kind}"}}"#)
    }
}

/// All deliveries of the plan's events, in the order in which they are due.
pub fn deliveries(plan: &Plan) -> Vec<Delivery> {
    let mut found = Vec::new();
    if plan.until <= plan.from {
        return found;
    }
    // An evening may end after midnight: its day is the one before.
    let first = day_of(plan.zone, plan.from).0 - 1;
    let days = first..=day_of(plan.zone, plan.until - 1).0;
    let level = |day| season::level(plan.seed, plan.zone, Day(day).date());
    let levels: Vec<(i32, f64)> = days.map(|day| (day, level(day))).collect();
    for place in 0..plan.members as u64 {
        let mut member = Member::of_place(plan.seed, place, first);
        for &(day, level) in &levels {
            if day > member.ended {
                member = Member::of_place(plan.seed, place, day);
            }
            let mut dice = dice(plan.seed, Purpose::Day, place, day);
            for (at, kind) in events(plan, &member, day, level, &mut dice) {
                let posts =
                    deliver(Delivery { due: at, at, account: member.account, kind }, &mut dice);
                if plan.from <= at && at < plan.until {
                    found.extend(posts);
                }
            }
        }
    }
    found.sort_unstable();
    found
}

type Happened = (Millis, &'static str);

/// What a member does on a day, in order of time.
fn events(plan: &Plan, member: &Member, day: i32, level: f64, dice: &mut Dice) -> Vec<Happened> {
    let mut events = Vec::new();
    if member.comes(day, level, dice) {
        let (entered, left) = hours_of_visit(plan.zone, member, day, dice);
        at_the_doors(entered, left, dice, &mut events);
        at_the_machines(member, entered, left, dice, &mut events);
        if member.onboarded == Some(day) {
            events.push((entered + minutes(dice, 10, 28), "GENIUS_ONBOARDING_COMPLETED"));
        }
    } else if plan.leavers_deleted && day == member.ended {
        let night = near(dice, 180.0, 30.0, 60.0, 300.0);
        events.push((instant(plan.zone, day, night), "MEMBERSHIP_DELETE"));
    }
    events.sort_unstable();
    events
}

fn hours_of_visit(zone: Tz, member: &Member, day: i32, dice: &mut Dice) -> (Millis, Millis) {
    let wished = member.arrival_minute(day, dice);
    // Who would come before the gym opens comes soon after; who is too late comes earlier.
    let arrival = if wished < FIRST_ARRIVAL_MINUTE {
        FIRST_ARRIVAL_MINUTE + dice.random_range(0.0..30.0)
    } else if wished > LAST_ARRIVAL_MINUTE {
        LAST_ARRIVAL_MINUTE - dice.random_range(0.0..90.0)
    } else {
        wished
    };
    let stay = near(dice, member.stay_minutes, 14.0, 30.0, 120.0);
    let entered = instant(zone, day, arrival);
    let stay = stay.min(CLOSED_MINUTE - arrival);
    (entered, entered + (stay * 60_000.0) as Millis)
}

/// Check-in and check-out, as far as the doors see them.
fn at_the_doors(entered: Millis, left: Millis, dice: &mut Dice, events: &mut Vec<Happened>) {
    if !dice.random_bool(0.02) {
        events.push((entered, "GYM_CHECKIN"));
        if dice.random_bool(0.03) {
            events.push((entered + seconds(dice, 2, 40), "GYM_CHECKIN"));
        }
    }
    if dice.random_bool(0.01) {
        let out = entered + (left - entered) / 2;
        events.push((out, "GYM_CHECKOUT"));
        events.push((out + minutes(dice, 1, 8), "GYM_CHECKIN"));
    }
    if !dice.random_bool(0.12) {
        events.push((left, "GYM_CHECKOUT"));
        // The club's own system sometimes checks out once more, long after.
        if dice.random_bool(0.004) {
            events.push((left + minutes(dice, 20, 90), "GYM_CHECKOUT"));
        }
    }
}

fn at_the_machines(
    member: &Member,
    entered: Millis,
    left: Millis,
    dice: &mut Dice,
    events: &mut Vec<Happened>,
) {
    let machines = near(dice, member.machines, 1.6, 0.0, 12.0).round() as i64;
    let mut at = entered + minutes(dice, 4, 15);
    for _ in 0..machines {
        if at > left - 4 * MINUTE {
            break;
        }
        events.push((at, "EQUIPMENT_CHECKIN"));
        at += minutes(dice, 3, 10);
    }
    if dice.random_bool(0.013) {
        events.push((entered + minutes(dice, 5, 28), UNKNOWN_TYPE));
    }
}

/// How the sender delivers an event: soon, some late, some twice.
fn deliver(event: Delivery, dice: &mut Dice) -> impl Iterator<Item = Delivery> {
    let soon = dice.random_range(200..4 * SECOND);
    let lateness = if dice.random_bool(0.02) { draw_lateness(dice) } else { 0 };
    let due = event.at + soon + lateness;
    let again = dice.random_bool(0.02).then(|| due + seconds(dice, 1, 10 * 60));
    [Some(due), again].into_iter().flatten().map(move |due| Delivery { due, ..event })
}

fn draw_lateness(dice: &mut Dice) -> Millis {
    match dice.random_range(0..100) {
        0..70 => minutes(dice, 1, 50),
        70..92 => dice.random_range(HOUR..10 * HOUR),
        _ => dice.random_range(DAY..3 * DAY),
    }
}

fn seconds(dice: &mut Dice, from: i64, until: i64) -> Millis {
    dice.random_range(from * SECOND..until * SECOND)
}

fn minutes(dice: &mut Dice, from: i64, until: i64) -> Millis {
    dice.random_range(from * MINUTE..until * MINUTE)
}

/// The instant at which the gym's clock shows this minute of the day; after a gap in the clock,
/// as much later.
fn instant(zone: Tz, day: i32, minute: f64) -> Millis {
    let elapsed = Duration::milliseconds((minute * 60_000.0) as i64);
    let wished = Day(day).date().and_time(NaiveTime::MIN) + elapsed;
    let shown = |hours| zone.from_local_datetime(&(wished + Duration::hours(hours))).earliest();
    (0..=25).find_map(shown).expect("no clock skips more than a day").timestamp_millis()
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet, HashMap};

    use chrono::{Datelike, Timelike};

    use super::*;
    use crate::domain::calendar::{day_start, local};

    const BERLIN: Tz = Tz::Europe__Berlin;

    fn midnight(zone: Tz, year: i32, month: u32, day: u32) -> Millis {
        day_start(zone, Day::from_date(chrono::NaiveDate::from_ymd_opt(year, month, day).unwrap()))
    }

    fn plan(members: usize, days: i64) -> Plan {
        let from = midnight(BERLIN, 2026, 3, 2);
        let until = from + days * DAY;
        Plan { seed: 1, zone: BERLIN, members, from, until, leavers_deleted: true }
    }

    /// Each event once, in order of time.
    fn happened(plan: &Plan) -> Vec<(Millis, Uuid, &'static str)> {
        let deliveries = deliveries(plan);
        let events: BTreeSet<_> = deliveries.iter().map(|d| (d.at, d.account, d.kind)).collect();
        events.into_iter().collect()
    }

    /// The events of each member's local day: a visit.
    fn visits(plan: &Plan) -> BTreeMap<(Uuid, Day), Vec<(Millis, &'static str)>> {
        let mut visits = BTreeMap::<_, Vec<_>>::new();
        for (at, account, kind) in happened(plan) {
            if ["GYM_CHECKIN", "GYM_CHECKOUT", "EQUIPMENT_CHECKIN"].contains(&kind) {
                visits.entry((account, day_of(plan.zone, at))).or_default().push((at, kind));
            }
        }
        visits
    }

    fn has(visit: &[(Millis, &str)], kind: &str) -> bool {
        visit.iter().any(|event| event.1 == kind)
    }

    /// The share of visits of which that is true.
    fn share(plan: &Plan, is_true: impl Fn(&[(Millis, &str)]) -> bool) -> f64 {
        let visits = visits(plan);
        let number = visits.values().filter(|visit| is_true(visit)).count();
        f64::from(number as u32) / f64::from(visits.len() as u32)
    }

    #[test]
    fn the_same_plan_gives_the_same_deliveries_and_another_seed_others() {
        let plan = plan(40, 14);
        assert_eq!(deliveries(&plan), deliveries(&plan));
        let other = Plan { seed: 2, ..plan.clone() };
        assert_ne!(deliveries(&plan), deliveries(&other));
    }

    #[test]
    fn adjacent_windows_are_the_whole() {
        let whole = plan(60, 21);
        let all = deliveries(&whole);
        for step in [7 * HOUR + 1, 2 * DAY, 30 * DAY] {
            let mut parts = Vec::new();
            let mut from = whole.from;
            while from < whole.until {
                let until = whole.until.min(from + step);
                parts.extend(deliveries(&Plan { from, until, ..whole.clone() }));
                from = until;
            }
            parts.sort_unstable();
            assert!(parts == all, "windows of {step} ms");
        }
    }

    #[test]
    fn nothing_is_posted_before_it_happened_nor_much_later_than_most() {
        let plan = plan(300, 60);
        let deliveries = deliveries(&plan);
        assert!(deliveries.is_sorted_by_key(|delivery| delivery.due));
        for Delivery { due, at, .. } in &deliveries {
            assert!(at <= due && *due <= at + LATENESS_MAX);
            assert!(plan.from <= *at && *at < plan.until);
        }
        let late = deliveries.iter().filter(|d| d.due > d.at + MINUTE).count();
        let twice = deliveries.len() - happened(&plan).len();
        for rare in [late, twice] {
            let share = f64::from(rare as u32) / f64::from(deliveries.len() as u32);
            assert!((0.01..0.045).contains(&share), "{share}");
        }
    }

    #[test]
    fn there_are_as_many_visits_as_promised() {
        for (from, factor) in [((2026, 3, 2), 1.0), ((2026, 9, 21), 1.0), ((2026, 7, 6), 0.8)] {
            let from = midnight(BERLIN, from.0, from.1, from.2);
            let plan = Plan { from, until: from + 28 * DAY, ..plan(800, 28) };
            let a_week = f64::from(visits(&plan).len() as u32) / 4.0 / 800.0;
            assert!((a_week / factor - 2.2).abs() < 0.2, "{a_week}");
        }
    }

    #[test]
    fn weekdays_have_a_morning_and_an_evening_peak_and_weekends_are_later_and_flatter() {
        let mut hours = [[0_u32; 24]; 2];
        for (at, ..) in happened(&plan(800, 28)).iter().filter(|event| event.2 == "GYM_CHECKIN") {
            let time = local(BERLIN, *at);
            let is_weekend = time.weekday().num_days_from_monday() >= 5;
            hours[usize::from(is_weekend)][time.hour() as usize] += 1;
        }
        let [week, weekend] = hours;
        assert!(week[7] > 2 * week[10] && week[7] > 3 * week[14], "{week:?}");
        assert!(week[18] > 2 * week[14] && week[18] > week[7], "{week:?}");
        let peak = (0..24).max_by_key(|&hour| weekend[hour]).unwrap();
        assert!((10..16).contains(&peak), "{weekend:?}");
        let days = |hours: [u32; 24], days: u32| hours.iter().max().unwrap() / days;
        assert!(days(weekend, 2) < days(week, 5), "{hours:?}");
        let closed = [0, 1, 2, 3, 4, 23];
        assert!(closed.iter().all(|&hour| week[hour] + weekend[hour] == 0), "{hours:?}");
    }

    #[test]
    fn the_doors_have_their_faults_as_often_as_told() {
        let plan = plan(600, 60);
        let forgotten = share(&plan, |visit| !has(visit, "GYM_CHECKOUT"));
        assert!((forgotten - 0.12).abs() < 0.02, "{forgotten}");
        let missed = share(&plan, |visit| !has(visit, "GYM_CHECKIN"));
        assert!((missed - 0.02).abs() < 0.008, "{missed}");
        let entries =
            |visit: &[(Millis, &str)]| visit.iter().filter(|e| e.1 == "GYM_CHECKIN").count();
        let again = share(&plan, |visit| entries(visit) > 1);
        assert!((again - 0.04).abs() < 0.01, "{again}");
        let orphan = share(&plan, |visit| visit.len() == 1 && has(visit, "GYM_CHECKOUT"));
        assert!(0.0 < orphan && orphan < 0.01, "{orphan}");
        let events = happened(&plan);
        let unknown = events.iter().filter(|event| event.2 == UNKNOWN_TYPE).count();
        let unknown = f64::from(unknown as u32) / f64::from(events.len() as u32);
        assert!((unknown - 0.002).abs() < 0.001, "{unknown}");
    }

    #[test]
    fn visits_take_half_an_hour_to_two_hours_and_have_up_to_twelve_machines() {
        let mut machines = BTreeSet::new();
        for visit in visits(&plan(300, 28)).values() {
            let all = visit.iter().filter(|event| event.1 == "EQUIPMENT_CHECKIN");
            machines.insert(all.count());
            let [(first, "GYM_CHECKIN"), .., (last, "GYM_CHECKOUT")] = visit[..] else { continue };
            let is_checked_out_again = last - first > 2 * HOUR;
            assert!(last - first >= 29 * MINUTE || visit.len() == 2);
            assert!(!is_checked_out_again || has(&visit[..visit.len() - 1], "GYM_CHECKOUT"));
        }
        assert!(machines.contains(&0) && machines.contains(&10), "{machines:?}");
        assert!(machines.iter().all(|&machines| machines <= 12), "{machines:?}");
    }

    #[test]
    fn members_join_complete_their_onboarding_and_leave() {
        let plan = Plan { until: plan(1, 1).from + 400 * DAY, ..plan(200, 1) };
        let mut of_member = HashMap::<Uuid, Vec<(Millis, &str)>>::new();
        for (at, account, kind) in happened(&plan) {
            of_member.entry(account).or_default().push((at, kind));
        }
        assert!((250..600).contains(&of_member.len()), "{}", of_member.len());
        let (mut joined, mut onboarded, mut deleted) = (0, 0, 0);
        for events in of_member.values() {
            let first = events[0].0;
            let of_kind = |kind| events.iter().find(|event| event.1 == kind).map(|event| event.0);
            if plan.from + 120 * DAY < first && first < plan.until - 40 * DAY {
                joined += 1;
                let completed = of_kind("GENIUS_ONBOARDING_COMPLETED");
                onboarded += usize::from(completed.is_some());
                assert!(completed.is_none_or(|at| at > first + DAY));
            }
            if let Some(at) = of_kind("MEMBERSHIP_DELETE") {
                deleted += 1;
                assert_eq!(events.last().unwrap(), &(at, "MEMBERSHIP_DELETE"));
                assert!(events.len() == 1 || at - events[events.len() - 2].0 > LATENESS_MAX);
            }
        }
        let share = f64::from(onboarded as u32) / f64::from(joined);
        assert!(joined > 50 && deleted > 50 && (share - 0.6).abs() < 0.15, "{joined} {share}");
        let kept = Plan { leavers_deleted: false, ..plan.clone() };
        let others = happened(&plan).into_iter().filter(|event| event.2 != "MEMBERSHIP_DELETE");
        assert!(happened(&kept).into_iter().eq(others), "nothing else depends on the deletions");
    }

    #[test]
    fn the_gym_keeps_its_hours_on_the_days_of_the_clock_change() {
        for (month, day, hours) in [(3, 29, 23), (10, 25, 25)] {
            let from = midnight(BERLIN, 2026, month, day);
            let until = midnight(BERLIN, 2026, month, day + 1);
            assert_eq!(until - from, hours * HOUR);
            let plan = Plan { from, until, leavers_deleted: false, ..plan(800, 1) };
            let events = happened(&plan);
            let minutes = events.iter().map(|event| local(BERLIN, event.0));
            let minutes = minutes.map(|time| time.hour() * 60 + time.minute());
            let (first, last) = (minutes.clone().min().unwrap(), minutes.max().unwrap());
            assert!((350..480).contains(&first) && last > 20 * 60, "{first} {last}");
            assert!(events.len() > 800, "{}", events.len());
        }
        // Here the clock skips midnight.
        let skipped = Day::from_date(chrono::NaiveDate::from_ymd_opt(2026, 9, 6).unwrap());
        let zone = Tz::America__Santiago;
        assert_eq!(instant(zone, skipped.0, 0.0), day_start(zone, skipped));
    }

    #[test]
    fn a_body_is_what_the_sender_writes() {
        let account = Uuid::from_u128(7);
        let delivery = Delivery { due: 5, at: 1_667_921_312_188, account, kind: "GYM_CHECKIN" };
        assert_eq!(
            delivery.body(),
            r#"{"accountId":"00000000-0000-0000-0000-000000000007","timestamp":1667921312188,"type":"GYM_CHECKIN"}"#
        );
    }
}
