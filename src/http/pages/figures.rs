//! The figures of a report: each with what it was in the range before, and by how much it changed.

use maud::{Markup, html};
use serde_json::Value;

use super::table::{Cell, column_key};
use super::views::View;
use super::words::Words;

/// From so many on, a change is told in per cent; of fewer, one more would be a leap.
const PERCENT_FROM: f64 = 20.0;

pub fn figures(words: &Words, view: &View, report: &Value) -> Markup {
    let of = |side: &Value, place: &str| side["totals"].pointer(place).cloned().unwrap_or_default();
    // What is not known of the range is no figure.
    let known = view.totals.iter().filter(|(place, _)| !of(report, place).is_null());
    html! {
        @if !view.totals.is_empty() {
            dl.facts { @for (place, cell) in known { div {
                dt { (words.say(&column_key(place))) }
                @let sides = report.get("comparison").map(|comparison| {
                    ["this", "that"].map(|side| of(&comparison[side], place))
                });
                // What has passed of a range, where that is what is compared: so that it adds up.
                @let this = sides.as_ref().map(|[this, _]| this).filter(|this| !this.is_null());
                dd { (cell.show(words, this.unwrap_or(&of(report, place)), None)) }
                @if let Some([this, that]) = &sides {
                    @if let Some(change) = change(words, *cell, this, that) {
                        dd.before {
                            span.change { (change) } " "
                            span.that { (words.fill("report.before", &[&cell.show(words, that, None)])) }
                        }
                    }
                }
            } } }
        }
    }
}

/// By how much a figure changed; none where that says nothing.
pub fn change(words: &Words, cell: Cell, this: &Value, that: &Value) -> Option<String> {
    let (this, that) = (this.as_f64()?, that.as_f64()?);
    let change = this - that;
    let shown = match cell {
        Cell::Whole | Cell::Decimal if that >= PERCENT_FROM => words.percent(change / that),
        Cell::Whole => words.whole(change.round() as i64),
        Cell::Decimal => words.decimal(change),
        Cell::Percent => {
            words.fill("change.points", &[&words.whole((change * 100.0).round() as i64)])
        }
        Cell::Minutes => words.fill("report.minutes", &[&words.decimal(change)]),
        Cell::Start
        | Cell::Month
        | Cell::Date
        | Cell::Moment
        | Cell::Text
        | Cell::Word(_)
        | Cell::YesNo
        | Cell::Weekday
        | Cell::Hour => return None,
    };
    let is_none = !shown.chars().any(|character| ('1'..='9').contains(&character));
    let none = || words.say("change.none").to_owned();
    Some(match change {
        _ if is_none => none(),
        change if change > 0.0 => format!("+{shown}"),
        _ => shown,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_change_has_a_sign_and_says_nothing_where_it_would_mislead() {
        let words = Words::in_language("en").expect("it is there");
        let says = |cell, this: Value, that: Value| change(words, cell, &this, &that);
        let said = |text: &str| Some(text.to_owned());
        assert_eq!(says(Cell::Whole, json!(104), json!(100)), said("+4%"));
        assert_eq!(says(Cell::Whole, json!(50), json!(100)), said("−50%"));
        assert_eq!(says(Cell::Whole, json!(3), json!(1)), said("+2"), "not 200%");
        assert_eq!(says(Cell::Whole, json!(1000), json!(1001)), said("no change"));
        assert_eq!(says(Cell::Percent, json!(0.52), json!(0.5)), said("+2 points"));
        assert_eq!(says(Cell::Minutes, json!(61.5), json!(63.0)), said("−1.5 min"));
        assert_eq!(says(Cell::Whole, json!(3), json!(null)), None);
        assert_eq!(says(Cell::Moment, json!("2026-03-01"), json!("2026-02-01")), None);
    }
}
