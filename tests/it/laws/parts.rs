//! Parts add up: whatever is a sum is the same over a range as over its parts together.

use std::collections::BTreeMap;

use footfall::domain::ids::Slug;
use footfall::http::reports::Parameters;
use rand::Rng;
use rand::seq::IndexedRandom;
use serde_json::{Value, json};

use super::{Case, DAY, MINUTE, QUARTER, SUMS, over};
use crate::ledger::Ledger;

/// Named whole numbers, to be added up.
type Figures = BTreeMap<String, i64>;

/// Adds a number, or all the numbers in an object, under a name.
fn add(figures: &mut Figures, name: &str, value: &Value) {
    if let Some(fields) = value.as_object() {
        fields.iter().for_each(|(part, value)| add(figures, &format!("{name} {part}"), value));
    } else {
        let number = value.as_i64().unwrap_or_else(|| panic!("{name} is {value}"));
        *figures.entry(name.to_owned()).or_default() += number;
    }
}

/// What a mean stands for: a whole number of things, so many to each.
fn times(mean: &Value, count: i64) -> i64 {
    let Some(mean) = mean.as_f64() else {
        assert_eq!(count, 0, "no mean of something");
        return 0;
    };
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    let sum = mean * count as f64;
    assert!((sum - sum.round()).abs() < 1e-4, "{mean} is no mean of {count}");
    sum.round() as i64
}

/// All that is a sum in the reports on a range of whole quarters.
fn figures(ledger: &Ledger, slug: &Slug, asked: &Parameters, now: i64) -> Figures {
    let mut figures = Figures::new();
    // Onboarding is told by whole days, which a cut would count on both sides.
    for (name, sums) in SUMS.into_iter().filter(|(name, _)| *name != "onboarding") {
        let report = ledger.report(slug, name, asked, now);
        for sum in sums {
            add(&mut figures, &format!("{name} {sum}"), &report["totals"][*sum]);
        }
        for bucket in report["buckets"].as_array().into_iter().flatten() {
            // `checkins_per_visit` is of the whole range only.
            for sum in sums.iter().filter(|sum| bucket.get(**sum).is_some()) {
                add(&mut figures, &format!("{name} buckets {sum}"), &bucket[*sum]);
            }
        }
        for group in report["groups"].as_array().into_iter().flatten() {
            add_group(&mut figures, group);
        }
        let observed = times(&report["coverage"], figures["visits visits"]);
        add(&mut figures, &format!("{name} observed, by coverage"), &json!(observed));
    }
    let buckets: Vec<_> = figures.iter().filter(|(name, _)| name.contains(" buckets ")).collect();
    for (name, sum) in buckets {
        assert_eq!(*sum, figures[&name.replace(" buckets ", " ")], "{asked:?}: {name}");
    }
    figures
}

/// Adds what a group of durations says of its visits.
fn add_group(figures: &mut Figures, group: &Value) {
    let about = format!("durations of weekday {}", group["key"]);
    let observed = group["observed"].as_i64().expect("a number");
    let mean = group["mean_minutes"].as_f64().map(|minutes| minutes * 60_000.0);
    let milliseconds = times(&json!(mean), observed);
    let sums = json!({ "visits": group["visits"], "observed": observed, "ms": milliseconds });
    add(figures, &about, &sums);
    for bin in group["histogram"].as_array().expect("a list") {
        add(figures, &format!("{about} from {}", bin["from_minutes"]), &bin["visits"]);
    }
}

/// The samples of a range, as its occupancy report tells them.
#[derive(Debug, Default, PartialEq)]
struct Sampled {
    count: i64,
    sum: i64,
    /// The largest, and the first minute that had it.
    peak: Option<(i64, String)>,
    low: Option<i64>,
}

impl Sampled {
    fn of(ledger: &Ledger, slug: &Slug, range: (i64, i64), now: i64) -> Sampled {
        let end = range.1.min(now.div_euclid(MINUTE) * MINUTE + MINUTE);
        let count = ((end - range.0) / MINUTE).max(0);
        let totals = &ledger.report(slug, "occupancy", &over(range, "1d"), now)["totals"];
        let at = |peak| (peak, totals["peak_at"].as_str().expect("a time").to_owned());
        Sampled {
            count,
            sum: times(&totals["average"], count),
            peak: totals["peak"].as_i64().map(at),
            low: totals["low"].as_i64(),
        }
    }

    /// With the samples of a later range.
    fn join(&mut self, later: Sampled) {
        self.count += later.count;
        self.sum += later.sum;
        self.low = [self.low, later.low].into_iter().flatten().min();
        if later.peak.as_ref().map(|peak| peak.0) > self.peak.as_ref().map(|peak| peak.0) {
            self.peak = later.peak;
        }
    }
}

/// Cuts a range at whole quarters, and compares the whole with its parts.
pub fn assert_parts_add_up(ledger: &Ledger, slug: &Slug, case: &mut Case, seed: u64) {
    let (first, last) = case.span();
    let rng = &mut case.rng;
    let from = rng.random_range(first - 2 * DAY..last).div_euclid(QUARTER);
    let until = (from + rng.random_range(2..20 * 96)).min(last.div_euclid(QUARTER) + 4 * 96);
    let mut cuts = vec![from, until];
    cuts.extend((0..rng.random_range(1..4)).map(|_| rng.random_range(from..until)));
    cuts.sort_unstable();
    cuts.dedup();
    let now = match rng.random_range(0..3) {
        0 => rng.random_range(from * QUARTER..until * QUARTER),
        _ => until * QUARTER + rng.random_range(0..20 * DAY),
    };
    let whole = (from * QUARTER, until * QUARTER);
    let parts = cuts.windows(2).map(|cut| (cut[0] * QUARTER, cut[1] * QUARTER));
    let (mut sums, mut samples) = (Figures::new(), Sampled::default());
    for part in parts {
        for (name, sum) in figures(ledger, slug, &over(part, "1mo"), now) {
            *sums.entry(name).or_default() += sum;
        }
        samples.join(Sampled::of(ledger, slug, part, now));
    }
    // Each has some hundred buckets at most.
    let interval = match until - from {
        0..200 => "15m",
        200..800 => "1h",
        _ => *["1d", "1w"].choose(rng).expect("some"),
    };
    let about = format!("seed {seed}, {cuts:?}, now {now}");
    let of_whole = figures(ledger, slug, &over(whole, interval), now);
    for (name, sum) in &of_whole {
        assert_eq!(sums.get(name), Some(sum), "{about}: {name}");
    }
    assert_eq!(of_whole.len(), sums.len(), "{about}");
    assert_eq!(Sampled::of(ledger, slug, whole, now), samples, "{about}");
}
