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
                    @for count in active(cohort) {
                        @match share(count, size) {
                            Some(share) => td class=(shade(share, 1.0)) { (words.percent(share)) },
                            // Of nobody there is no share.
                            None => td { "–" },
                        }
                    }
                } } }
            } }))
    }
}
