//! Popular times as a heat map: a table of weekdays and hours, so that it reads without its colours.

use maud::{Markup, html};
use serde_json::Value;

use super::range::Range;
use super::table::region;
use super::words::Words;

/// So many shades, the style sheet has them.
const SHADES: f64 = 8.0;

/// What a cell can show.
pub const SHOWN: [&str; 3] = ["average", "peak", "share"];

/// Of members present in each hour of the week, the average, the peak, or the share of the capacity.
pub fn map(words: &Words, cells: &[&Value], range: &Range, capacity: Option<u32>) -> Markup {
    let shown = SHOWN.into_iter().filter(|shown| *shown != "share" || capacity.is_some());
    let chosen = range.asked.show.as_deref().unwrap_or_default();
    let here = shown.clone().find(|shown| *shown == chosen).unwrap_or(SHOWN[0]);
    let field = if here == "peak" { "peak" } else { "average" };
    let whole = capacity.filter(|_| here == "share").map_or(1.0, f64::from);
    let value = |weekday: u32, hour: u32| {
        let found = cells.iter().find(|cell| cell["weekday"] == weekday && cell["hour"] == hour);
        found.and_then(|cell| cell[field].as_f64()).map(|value| value / whole)
    };
    let write = |value: f64| {
        if here == "share" { words.percent(value) } else { words.whole(value.round() as i64) }
    };
    let said = |weekday: u32, hour: u32| {
        let found = cells.iter().find(|cell| cell["weekday"] == weekday && cell["hour"] == hour);
        found.map(|cell| says(words, cell, capacity)).unwrap_or_default()
    };
    let all = (1..=7).flat_map(|day| (0..24).map(move |hour| (day, hour)));
    let highest = all.filter_map(|(day, hour)| value(day, hour)).fold(0.0, f64::max);
    html! {
        nav.presets aria-label=(words.say("shown.title")) { @for one in shown {
            a href={ "?" (range.showing(one)) } aria-current=[(one == here).then_some("true")] {
                (words.say(&format!("shown.{one}")))
            }
        } }
        div.picture data-hint=(words.say("chart.hint")) { (table(words, &value, &write, &said, highest)) }
    }
}

/// All that is known of an hour of the week, a line for each.
fn says(words: &Words, cell: &Value, capacity: Option<u32>) -> String {
    let number = |name: &str| cell[name].as_f64();
    let [weekday, hour] = ["weekday", "hour"].map(|name| cell[name].as_u64().unwrap_or(0) as u32);
    let [from, until] = [hour, hour + 1].map(|hour| words.clock(hour, 0));
    let figure = |key: &str, value: String| format!("{}: {value}", words.say(key));
    let mut says = vec![format!("{}, {from} – {until}", words.weekday(weekday))];
    says.extend(number("average").map(|n| figure("column.average", words.decimal(n))));
    says.extend(number("peak").map(|n| figure("column.peak", words.decimal(n))));
    let share = number("average").zip(capacity).map(|(n, whole)| n / f64::from(whole));
    says.extend(share.map(|share| figure("shown.share", words.percent(share))));
    says.join("\n")
}

fn table(
    words: &Words,
    value: &dyn Fn(u32, u32) -> Option<f64>,
    write: &dyn Fn(f64) -> String,
    said: &dyn Fn(u32, u32) -> String,
    highest: f64,
) -> Markup {
    // Hours of the night in which nobody ever was are left out.
    let busy = (0..24).filter(|hour| (1..=7).any(|day| value(day, *hour) > Some(0.0)));
    let busy: Vec<u32> = busy.collect();
    let hours = match (busy.first(), busy.last()) {
        (Some(first), Some(last)) => *first..last + 1,
        _ => 0..24,
    };
    region(
        words.say("counts.popular-times"),
        &html! { table.heat {
            thead { tr { td {}
                @for hour in hours.clone() { th scope="col" { (hour) } }
            } }
            tbody { @for weekday in words.week() { tr {
                th scope="row" { (words.weekday(weekday)) }
                @for hour in hours.clone() {
                    @match value(weekday, hour) {
                        None => td { (words.say("report.none")) },
                        Some(value) => td class=(shade(value, highest)) title=(said(weekday, hour)) { (write(value)) }
                    }
                }
            } } }
        } },
    )
}

/// The class of the shade for a part of the whole.
pub fn shade(part: f64, whole: f64) -> String {
    let share = if whole > 0.0 { part / whole } else { 0.0 };
    format!("shade-{}", (share * SHADES).round() as u32)
}
