//! Stays that a club system ends by itself are found, and no others.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{DAY, MINUTE, assert_same, over};
use crate::ledger::Ledger;
use crate::reference::{Event, GroupBy, Gym, History, Interval, Question, Rules};

/// 2026-03-02 08:00 UTC.
const MONDAY: i64 = 1_772_438_400_000;

/// So many visits of so many minutes each, and as many of any length as there are lengths to spare.
fn visits(rng: &mut ChaCha8Rng, fixed: &[(i64, i64)], others: i64) -> Vec<Event> {
    let mut events = Vec::new();
    let stays = fixed.iter().flat_map(|(minutes, count)| (0..*count).map(|_| *minutes));
    let stays: Vec<i64> = stays.chain((0..others).map(|_| rng.random_range(1..200))).collect();
    for minutes in stays {
        let account = Uuid::from_u128(rng.random());
        let entered = MONDAY + rng.random_range(0..20 * DAY);
        let left = entered + minutes * MINUTE + rng.random_range(0..MINUTE);
        for (at, kind) in [(entered, "GYM_CHECKIN"), (left, "GYM_CHECKOUT")] {
            events.push(Event { account, at, kind: kind.into(), received_at: at });
        }
    }
    events
}

#[test]
fn stays_that_a_clock_ended_are_found_and_no_others() {
    let mut rng = ChaCha8Rng::seed_from_u64(90);
    let mut ledger = Ledger::new();
    let zone = chrono_tz::Europe::Berlin;
    let gym = Gym { slug: String::new(), zone, capacity: None, rules: Rules::default() };
    let range = (MONDAY - DAY, MONDAY + 30 * DAY);
    for (fixed, others, expected) in [
        (&[(90, 40)][..], 100, &[90][..]),
        (&[(90, 40), (120, 60)], 400, &[90, 120]),
        // Near the shortest stay there are fewer minutes beside it.
        (&[(4, 40)], 100, &[4]),
        // Too few, too small a part, and not many more than those beside it.
        (&[(90, 19)], 0, &[]),
        (&[(90, 30)], 2_000, &[]),
        (&[(88, 40), (89, 40), (90, 40), (91, 40), (92, 40), (93, 40)], 0, &[]),
    ] {
        let events = visits(&mut rng, fixed, others);
        let slug = ledger.add_gym(&gym);
        ledger.append(&slug, &events);
        let history = History::new(gym.clone(), &events);
        for name in ["quality", "durations"] {
            let found = ledger.report(&slug, name, &over(range, "1w"), range.1);
            let question = Question {
                from: range.0,
                until: range.1,
                interval: Interval::W1,
                group_by: GroupBy::Weekday,
                window: 28,
                now: range.1,
            };
            let about = format!("{name} {fixed:?}");
            assert_same(&found["totals"], &history.report(name, &question)["totals"], &about);
            let stays = found["totals"]["fixed_stays"].as_array().expect("a list").iter();
            let minutes: Vec<Value> = stays.map(|stay| stay["minutes"].clone()).collect();
            assert_eq!(json!(minutes), json!(expected), "{about}");
        }
    }
}
