//! Retention as a cohort table: who came first in a month, and what share came in the months after.

use maud::{Markup, html};
use serde_json::Value;

use super::heat::shade;
use super::table::region;
use super::words::Words;
use crate::domain::report::share;

pub fn table(words: &Words, cohorts: &[&Value]) -> Markup {
    let active = |cohort: &Value| -> Vec<i64> {
        cohort["active"].as_array().into_iter().flatten().filter_map(Value::as_i64).collect()
    };
    let months = cohorts.iter().map(|cohort| active(cohort).len()).max().unwrap_or(0);
    html! {
        div.picture data-hint=(words.say("chart.hint")) {
        (region(words.say("counts.retention"), &html! { table.heat {
                thead { tr {
                    th scope="col" { (words.say("column.month")) }
                    th scope="col" { (words.say("column.size")) }
                    @for month in 0..months { th scope="col" { "+" (month) } }
                } }
                tbody { @for cohort in cohorts { tr {
                    @let size = cohort["size"].as_i64().unwrap_or(0);
                    th scope="row" { (cohort["month"].as_str().unwrap_or_default()) }
                    td { (words.whole(size)) }
                    @for (after, count) in active(cohort).into_iter().enumerate() {
                        @match share(count, size) {
                            Some(share) => td class=(shade(share, 1.0))
                                title=(says(words, cohort, after, count)) { (words.percent(share)) },
                            // Of nobody there is no share.
                            None => td { "–" },
                        }
                    }
                } } }
            } })) }
    }
}

/// Of whom the share is, a line for each.
fn says(words: &Words, cohort: &Value, after: usize, count: i64) -> String {
    let size = words.whole(cohort["size"].as_i64().unwrap_or(0));
    let month = cohort["month"].as_str().unwrap_or_default();
    let first = words.fill("report.cohort", &[month]);
    let came = words.fill("report.came", &[&words.whole(count), &size]);
    let said = format!("{first}\n{came}");
    match after {
        0 => said,
        _ => format!("{said}\n{}", words.count("report.months_after", after as i64, &[])),
    }
}
