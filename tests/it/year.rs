//! A simulated year of three gyms, clock changes included, against the slow reference: every field
//! of every report. Nobody is deleted in it: what comes late of an erased member is counted apart.

use chrono_tz::Tz;
use footfall::app::simulate::traffic::{Plan, deliveries};
use footfall::domain::calendar::{Day, day_start};
use footfall::http::reports::Parameters;

use crate::laws::{REPORTS, assert_same, is_by_day};
use crate::ledger::Ledger;
use crate::reference::{Event, GroupBy, Gym, History, Interval, Question, Rules};

const ZONES: [Tz; 3] =
    [chrono_tz::Europe::Berlin, chrono_tz::America::New_York, chrono_tz::Australia::Lord_Howe];

/// Ranges in local dates, with the interval: the year, a month, weeks around clock changes.
const RANGES: [(&str, &str, Interval); 7] = [
    ("2025-01-01", "2026-01-01", Interval::D1),
    ("2025-01-01", "2026-01-01", Interval::Mo1),
    ("2024-12-30", "2025-12-29", Interval::W1),
    ("2025-03-01", "2025-04-15", Interval::H1),
    ("2025-10-01", "2025-11-05", Interval::H1),
    ("2025-10-25", "2025-10-27", Interval::M15),
    ("2025-04-05", "2025-04-07", Interval::M15),
];

fn day(text: &str) -> Day {
    Day::from_date(text.parse().expect("a date"))
}

fn year(seed: u64, zone: Tz) -> Vec<Event> {
    let (from, until) = (day_start(zone, day("2025-01-01")), day_start(zone, day("2026-01-01")));
    let plan = Plan { seed, zone, members: 250, from, until, leavers_deleted: false };
    let all = deliveries(&plan).into_iter();
    all.map(|one| Event {
        account: one.account,
        at: one.at,
        kind: one.kind.to_owned(),
        received_at: one.due,
    })
    .collect()
}

#[test]
fn every_report_on_a_year_is_what_the_slow_reference_says() {
    let mut ledger = Ledger::new();
    for (seed, zone) in (1..).zip(ZONES) {
        let gym = Gym { slug: String::new(), zone, capacity: None, rules: Rules::default() };
        let events = year(seed, zone);
        assert!(events.len() > 50_000, "a year is {} deliveries", events.len());
        let slug = ledger.add_gym(&gym);
        ledger.append(&slug, &events);
        let history = History::new(gym, &events);
        for (from, until, interval) in RANGES {
            for name in REPORTS {
                if is_by_day(name) && matches!(interval, Interval::H1 | Interval::M15) {
                    continue;
                }
                let now = day_start(zone, day("2026-01-01"));
                let (start, end) = (day_start(zone, day(from)), day_start(zone, day(until)));
                let group_by = GroupBy::Weekday;
                let question =
                    Question { from: start, until: end, interval, group_by, window: 91, now };
                let parameters = Parameters {
                    from: Some(from.into()),
                    until: Some(until.into()),
                    interval: Some(interval.name().into()),
                    group_by: Some("weekday".into()),
                    window: Some("91".into()),
                    ..Parameters::default()
                };
                let found = ledger.report(&slug, name, &parameters, now);
                let mut expected = history.report(name, &question);
                expected["gym"] = found["gym"].clone();
                expected["interval"] = found["interval"].clone();
                assert_same(&found, &expected, &format!("{zone} {name} {from} {until}"));
            }
        }
    }
    ledger.verify();
}
