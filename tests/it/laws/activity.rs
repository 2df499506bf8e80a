//! Who is active changes by nothing but who is new, returns or lapses.

use footfall::domain::ids::Slug;
use footfall::http::reports::Parameters;
use rand::Rng;
use rand::seq::IndexedRandom;
use serde_json::Value;

use super::{Case, DAY, histories, over};
use crate::ledger::Ledger;

#[test]
fn active_is_what_was_active_and_new_and_returned_less_lapsed() {
    let mut ledger = Ledger::new();
    let mut lapsed = 0;
    for seed in 0..histories().div_ceil(4) {
        let mut case = Case::of(seed);
        let slug = case.add_to(&mut ledger);
        ledger.append(&slug, &case.events);
        let (first, last) = case.span();
        let rng = &mut case.rng;
        let from = rng.random_range(first - 2 * DAY..last);
        let until = from + rng.random_range(DAY..200 * DAY);
        let window = *["7", "28", "91"].choose(rng).expect("some");
        let now = rng.random_range(from..until + 10 * DAY);
        let before = (first - 400 * DAY, first - 399 * DAY);
        let asked =
            |range, interval| Parameters { window: Some(window.into()), ..over(range, interval) };
        for interval in ["1d", "1w", "1mo"] {
            let about = format!("seed {seed}, {interval}, {from} to {until}, {window}, now {now}");
            let nobody = ledger.report(&slug, "activity", &asked(before, interval), now);
            assert_eq!(nobody["totals"]["active"], 0, "{about}");
            // From before the first event on, so that nobody was active before.
            let whole = (before.1, until);
            let totals = assert_chained(&ledger, &slug, &asked(whole, interval), now, &about);
            lapsed += totals["lapsed"].as_i64().expect("a number");
        }
    }
    assert!(lapsed > 0, "somebody stayed away for longer than a window");
}

/// Follows the buckets from nobody, and compares with the totals; these are returned.
fn assert_chained(
    ledger: &Ledger,
    slug: &Slug,
    asked: &Parameters,
    now: i64,
    about: &str,
) -> Value {
    let report = ledger.report(slug, "activity", asked, now);
    let change = |counted: &Value| {
        let of = |name: &str| counted[name].as_i64().expect("a number");
        of("new") + of("returned") - of("lapsed")
    };
    let mut active = 0;
    for bucket in report["buckets"].as_array().expect("a list") {
        active += change(bucket);
        if bucket["active"].is_null() {
            assert_eq!(change(bucket), 0, "{about}: {bucket}");
        } else {
            assert_eq!(bucket["active"], active, "{about}: {bucket}");
        }
    }
    let totals = &report["totals"];
    assert_eq!((&totals["active"], change(totals)), (&active.into(), active), "{about}");
    totals.clone()
}
