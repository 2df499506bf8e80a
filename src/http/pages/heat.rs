//! Popular times as a heat map: a table of weekdays and hours, so that it reads without its colours.

use maud::{Markup, html};
use serde_json::Value;

use super::table::region;
use super::words::Words;

/// So many shades, the style sheet has them.
const SHADES: f64 = 8.0;

pub fn map(words: &Words, cells: &[&Value]) -> Markup {
    let average = |weekday: u32, hour: u32| {
        let found = cells.iter().find(|cell| cell["weekday"] == weekday && cell["hour"] == hour);
        found.and_then(|cell| cell["average"].as_f64())
    };
    // Hours of the night in which nobody ever was.
    let busy = (0..24).filter(|hour| (1..=7).any(|day| average(day, *hour) > Some(0.0)));
    let busy: Vec<u32> = busy.collect();
    let hours = match (busy.first(), busy.last()) {
        (Some(first), Some(last)) => *first..last + 1,
        _ => 0..24,
    };
    let averages = cells.iter().filter_map(|cell| cell["average"].as_f64());
    let highest = averages.fold(0.0, f64::max);
    html! {
        (region(words.say("counts.popular-times"), &html! { table.heat {
                thead { tr { td {}
                    @for hour in hours.clone() { th scope="col" { (hour) } }
                } }
                tbody { @for weekday in words.week() { tr {
                    th scope="row" { (words.weekday(weekday)) }
                    @for hour in hours.clone() {
                        @match average(weekday, hour) {
                            None => td { (words.say("report.none")) },
                            Some(average) => td class=(shade(average, highest)) {
                                (words.whole(average.round() as i64))
                            }
                        }
                    }
                } } }
            } }))
    }
}

/// The class of the shade for a part of the whole.
pub fn shade(part: f64, whole: f64) -> String {
    let share = if whole > 0.0 { part / whole } else { 0.0 };
    format!("shade-{}", (share * SHADES).round() as u32)
}
