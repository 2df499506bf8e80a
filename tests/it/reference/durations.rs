//! How long the observed visits lasted.

use std::collections::BTreeSet;

use chrono::{Datelike, Timelike};
use serde_json::{Value, json};

use super::calendar::{MINUTE, Span, local};
use super::{Body, GroupBy, History, Visit, nearest_rank};

const BIN_MINUTES: i64 = 5;

impl History {
    pub(super) fn durations(&self, range: Span, group_by: GroupBy) -> Body {
        let keys: Vec<Option<u32>> = match group_by {
            GroupBy::None => vec![None],
            GroupBy::Weekday => (1..=7).map(Some).collect(),
            GroupBy::Hour => (0..=23).map(Some).collect(),
        };
        let all = self.entered_in(range);
        let group = |key: Option<u32>| {
            let visits = all.iter().filter(|visit| self.group_of(visit, group_by) == key);
            group(key, &visits.collect::<Vec<_>>())
        };
        let observed = all.iter().filter(|visit| visit.observed()).count();
        let totals = json!({
            "visits": all.len(),
            "observed": observed,
            "fixed_stays": fixed_stays(all),
        });
        ("groups", keys.into_iter().map(group).collect(), totals)
    }

    fn group_of(&self, visit: &Visit, group_by: GroupBy) -> Option<u32> {
        let entered = local(self.gym.zone, visit.entered);
        match group_by {
            GroupBy::None => None,
            GroupBy::Weekday => Some(entered.weekday().number_from_monday()),
            GroupBy::Hour => Some(entered.hour()),
        }
    }
}

fn group(key: Option<u32>, visits: &[&Visit]) -> Value {
    let observed = visits.iter().filter(|visit| visit.observed());
    let millis: Vec<i64> = observed.map(|visit| visit.left - visit.entered).collect();
    let total: i64 = millis.iter().sum();
    let mean = total as f64 / millis.len() as f64 / 60_000.0;
    let mut minutes: Vec<i64> = millis.iter().map(|millis| millis / MINUTE).collect();
    minutes.sort_unstable();
    json!({
        "key": key,
        "visits": visits.len(),
        "observed": millis.len(),
        "mean_minutes": (!millis.is_empty()).then_some(mean),
        "median_minutes": nearest_rank(&minutes, 50),
        "p10_minutes": nearest_rank(&minutes, 10),
        "p90_minutes": nearest_rank(&minutes, 90),
        "histogram": histogram(&minutes),
    })
}

/// The lengths of stay that so many observed visits share that a clock must have ended them.
pub(super) fn fixed_stays(visits: &[Visit]) -> Vec<Value> {
    let observed = visits.iter().filter(|visit| visit.observed());
    let stays: Vec<i64> = observed.map(|visit| (visit.left - visit.entered) / MINUTE).collect();
    let of = |minutes: i64| stays.iter().filter(|stay| **stay == minutes).count();
    let is_fixed = |minutes: i64| {
        let around: usize = (1..=10).map(|by| of(minutes - by) + of(minutes + by)).sum();
        let here = of(minutes);
        here >= 20 && 100 * here >= 3 * stays.len() && 20 * here >= 5 * around
    };
    let distinct: BTreeSet<i64> = stays.iter().copied().collect();
    let fixed = distinct.iter().filter(|minutes| is_fixed(**minutes));
    fixed.map(|minutes| json!({"minutes": minutes, "visits": of(*minutes)})).collect()
}

/// Five-minute bins from nought to the longest visit, the empty ones between included.
fn histogram(minutes: &[i64]) -> Vec<Value> {
    let Some(longest) = minutes.iter().max() else { return Vec::new() };
    let bin = |bin: i64| {
        let from = bin * BIN_MINUTES;
        let until = from + BIN_MINUTES;
        let visits = minutes.iter().filter(|stay| from <= **stay && **stay < until).count();
        json!({"from_minutes": from, "visits": visits})
    };
    (0..=longest / BIN_MINUTES).map(bin).collect()
}
