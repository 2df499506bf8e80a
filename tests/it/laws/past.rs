//! The past stays: what was complete is not changed by what comes later.
//!
//! Nor can a silent span come to be in it: what is later only shortens the run without events that
//! was going on, and what was usual in the weeks before that run stays as it was.

use std::collections::BTreeMap;

use chrono::{DateTime, Months, NaiveDate, TimeZone};
use chrono_tz::Tz;
use footfall::domain::ids::Slug;
use rand::Rng;
use rand::seq::IndexedRandom;
use serde_json::Value;

use super::{Case, DAY, HOUR, QUARTER, is_by_day, over};
use crate::ledger::Ledger;

/// A moment in a history: what is told of the time before it must not change by what comes later.
pub struct Moment {
    pub at: i64,
    from: i64,
    now: i64,
    interval: &'static str,
    zone: Tz,
}

/// What can be said of the past, named: it must still be said when later events have come.
pub type Said = BTreeMap<String, Value>;

impl Moment {
    pub fn of(case: &mut Case) -> Moment {
        let rng = &mut case.rng;
        let at = case.events.choose(rng).expect("some events").at;
        let now = at + rng.random_range(0..30 * DAY);
        let intervals = [("15m", 2), ("1h", 7), ("1d", 40), ("1w", 80), ("1mo", 200)];
        let (interval, days) = *intervals.choose(rng).expect("some");
        let from = at - DAY - rng.random_range(HOUR..days * DAY);
        Moment { at, from, now, interval, zone: case.gym.zone }
    }

    /// All that was over a day before the moment.
    pub fn said(&self, ledger: &Ledger, slug: &Slug) -> Said {
        let end = self.at - DAY;
        let mut said = Said::new();
        let in_buckets =
            ["occupancy", "visits", "members", "activity", "equipment", "onboarding", "quality"];
        for name in in_buckets {
            let is_too_fine = is_by_day(name) && ["15m", "1h"].contains(&self.interval);
            let interval = if is_too_fine { "1d" } else { self.interval };
            let asked = over((self.from, self.at + DAY), interval);
            let report = ledger.report(slug, name, &asked, self.now);
            let buckets = report["buckets"].as_array().expect("a list");
            let ends = buckets.iter().skip(1).map(|bucket| &bucket["start"]);
            for (bucket, until) in buckets.iter().zip(ends.chain([&report["until"]])) {
                if bucket["complete"] == true && millis(until) <= end {
                    said.insert(format!("{name} {}", bucket["start"]), bucket.clone());
                }
            }
        }
        for name in ["durations", "popular-times"] {
            // Widened to whole quarters, it must not reach beyond.
            let report =
                ledger.report(slug, name, &over((self.from, end - QUARTER), "1d"), self.now);
            said.insert(name.into(), report);
        }
        let cohorts = &ledger.report(slug, "retention", &over((self.from, end), "1mo"), self.now);
        for cohort in cohorts["cohorts"].as_array().expect("a list") {
            let month = cohort["month"].as_str().expect("a text");
            let first: NaiveDate = format!("{month}-01").parse().expect("a date");
            for (since, active) in (1..).zip(cohort["active"].as_array().expect("a list")) {
                let next = first.checked_add_months(Months::new(since)).expect("a date");
                let next = next.and_hms_opt(0, 0, 0).expect("a time");
                let over = self.zone.from_local_datetime(&next).earliest();
                if over.is_some_and(|over| over.timestamp_millis() <= end) {
                    said.insert(format!("retention {month} {since}"), active.clone());
                }
            }
        }
        said
    }
}

fn millis(time: &Value) -> i64 {
    let time = time.as_str().and_then(|text| DateTime::parse_from_rfc3339(text).ok());
    time.expect("a time").timestamp_millis()
}
