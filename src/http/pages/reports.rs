//! Reports: the API's own answer, as a picture and as a table. What is shown of each report stands
//! in one table, [`VIEWS`].

use actix_web::{HttpResponse, web};
use chrono::DateTime;
use maud::{Markup, html};
use serde_json::Value;

use super::chart::{Bar, Chart, Line};
use super::figures::{change, figures};
use super::marks::Marks;
use super::range::{Asked, Range};
use super::table::Cell::{self, Moment, Percent, Start, Text, Whole};
use super::table::{Lead, column_key, listed, table};
use super::views::{VIEWS, View};
use super::visitor::{Page, Visitor};
use super::ways::Place;
use super::words::Words;
use super::{begun, cohorts, empty, heat};
use crate::clock;
use crate::domain::Millis;
use crate::domain::report::minutes::BIN_MINUTES;
use crate::http::App;
use crate::http::problem::{Code, Problem};
use crate::http::reports::{self, Report};
use crate::projection::read;
use crate::store::{Gym, Snapshot};

const LOSSES: &[(&str, Cell)] =
    &[("/webhook", Text), ("/events", Whole), ("/missed", Whole), ("/loss", Percent)];

/// One report on one gym.
pub async fn one(
    app: web::Data<App>,
    visitor: Visitor,
    path: web::Path<(String, String)>,
    asked: web::Query<Asked>,
) -> HttpResponse {
    let (slug, name) = path.into_inner();
    let page = visitor.show(app, move |visitor, snapshot| {
        let gym = visitor.access.gym(snapshot, &slug)?;
        let none = || Problem::new(Code::NotFound, format!("there is no report {name:?}"));
        let view = VIEWS.iter().find(|view| view.name == name).ok_or_else(none)?;
        shown(visitor, snapshot, &gym, view, &asked)
    });
    page.await
}

fn shown(
    visitor: &Visitor,
    snapshot: &Snapshot<'_>,
    gym: &Gym,
    view: &View,
    asked: &Asked,
) -> Result<Page, Problem> {
    let (words, now) = (visitor.words, clock::now());
    let range = Range::of(asked, view.name, gym.settings.zone, now)?;
    let title = words.say(&format!("report.{}", view.name)).to_owned();
    let title = format!("{}: {title}", gym.settings.name);
    let place = Some(Place::of(gym, view.name));
    let Some(first_event) = read::first_event(snapshot, gym)? else {
        return Ok(Page { title, place, main: empty::nothing_yet(visitor, gym) });
    };
    let report = ask(snapshot, gym, view, &range, now)?;
    let mut report = serde_json::to_value(&report).expect("reports are plain JSON");
    let begun = begun::from_first_event(&mut report, gym, first_event);
    let marks = Marks::of(snapshot, gym, &range, now)?;
    let main = html! {
        (range.picker(words, view.name, true))
        (figures(words, view, &report))
        section.report {
            h2 { (words.say(&format!("counts.{}", view.name))) }
            (picture(words, view, &report, &range, &marks, gym.settings.capacity))
            (begun.in_words(words))
            (notes(words, &report, &marks))
            @if range.lacks_comparison() { p.note { (words.say("compare.no_months")) } }
            (losses(words, &report))
            details { summary { (words.say("report.table")) }
                (table(words, &view.columns(range.group_by()), &rows(view, &report), range.interval))
            }
            p.tools {
                button type="button" data-print hidden { (words.say("report.print")) } " "
                a download={ (gym.slug) "-" (view.name) ".csv" }
                    href={ "/api/v1/gyms/" (gym.slug) "/reports/" (view.name) "?" (range.csv_query()) } {
                    (words.say("report.csv"))
                }
            }
        }
    };
    Ok(Page { title, place, main })
}

/// The report beside that of the range before, unless nobody chose that and there is none.
fn ask(
    snapshot: &Snapshot<'_>,
    gym: &Gym,
    view: &View,
    range: &Range,
    now: Millis,
) -> Result<Report, Problem> {
    let ask = |parameters| reports::ask(snapshot, gym, view.name, &parameters, now);
    let compared = ask(range.compared());
    if compared.is_err() && !range.is_comparison_chosen() {
        return ask(range.parameters());
    }
    compared
}

fn rows<'v>(view: &View, report: &'v Value) -> Vec<&'v Value> {
    report[view.list].as_array().into_iter().flatten().collect()
}

fn picture(
    words: &Words,
    view: &View,
    report: &Value,
    range: &Range,
    marks: &Marks,
    capacity: Option<u32>,
) -> Markup {
    match view.name {
        "popular-times" => heat::map(words, &rows(view, report), range, capacity),
        "retention" => cohorts::table(words, &rows(view, report)),
        "durations" => histogram(words, &rows(view, report)),
        // All of it was before the gym's first event.
        _ if rows(view, report).is_empty() => html! {},
        _ => bars(words, view, report, range, marks),
    }
}

/// The report's buckets as bars, before those of the earlier range.
pub fn bars(words: &Words, view: &View, report: &Value, range: &Range, marks: &Marks) -> Markup {
    let earlier = report.pointer("/comparison/that/buckets").and_then(Value::as_array);
    let (_, cell) = view.columns.iter().find(|(place, _)| *place == view.bars).expect("a column");
    let number = |row: &Value| row.pointer(view.bars).and_then(Value::as_f64);
    let rows = rows(view, report);
    let bars = rows.iter().enumerate().map(|(place, row)| {
        let before = earlier.and_then(|earlier| earlier.get(place));
        Bar {
            name: range.mark(words, &row["start"]),
            value: number(row),
            says: said(words, view, *cell, range, (row, before)),
            is_complete: row["complete"] == true,
        }
    });
    let counts = format!("counts.{}", view.name);
    let chart = Chart {
        bars: bars.collect(),
        line: Line {
            values: earlier.into_iter().flatten().map(number).collect(),
            name: words.say("chart.before"),
            is_behind: earlier.is_some(),
        },
        spans: marks.spans(words, report),
        now: under_way(&rows, range).map(|place| (place, words.say("chart.so_far"))),
        ..Chart::of(words, &counts)
    };
    chart.draw(|level| words.mark(level))
}

/// What a bar says: when, how much, and how much it was in the range before.
fn said(
    words: &Words,
    view: &View,
    cell: Cell,
    range: &Range,
    (row, before): (&Value, Option<&Value>),
) -> Vec<String> {
    let interval = Some(range.interval);
    let value = |row: &Value| row.pointer(view.bars).cloned().unwrap_or_default();
    let shown = |row: &Value| cell.show(words, &value(row), interval);
    let figure = format!("{}: {}", words.say(&column_key(view.bars)), shown(row));
    let mut says = vec![range.name(words, &row["start"]), figure];
    if let Some(before) = before {
        let day = Start.show(words, &before["start"], interval);
        let change = change(words, cell, &value(row), &value(before));
        let change = change.map(|change| format!(" · {change}")).unwrap_or_default();
        says.push(words.fill("report.before_at", &[&day, &shown(before)]) + &change);
    }
    if row["closed"] != true && row["complete"] != true {
        says.push(words.say("report.incomplete").to_owned());
    }
    says
}

/// The bar whose time goes on: the one before the first that is to come.
fn under_way(rows: &[&Value], range: &Range) -> Option<usize> {
    let is_begun = |row: &&Value| {
        let start = row["start"].as_str().and_then(|at| DateTime::parse_from_rfc3339(at).ok());
        start.is_some_and(|start| start.timestamp_millis() <= range.now)
    };
    let last = rows.iter().take_while(|row| is_begun(row)).count().checked_sub(1)?;
    (range.now < range.until && rows[last]["complete"] != true).then_some(last)
}

/// How many visits were how long.
fn histogram(words: &Words, groups: &[&Value]) -> Markup {
    let bins = groups.iter().flat_map(|group| group["histogram"].as_array().into_iter().flatten());
    let mut visits = std::collections::BTreeMap::<u64, i64>::new();
    for bin in bins {
        *visits.entry(bin["from_minutes"].as_u64().unwrap_or(0)).or_default() +=
            bin["visits"].as_i64().unwrap_or(0);
    }
    let bars = visits.into_iter().map(|(from, visits)| {
        let name = words.fill("report.minutes", &[&words.whole(from as i64)]);
        let until = words.whole(from as i64 + BIN_MINUTES as i64);
        let stay = words.fill("report.stay", &[&words.whole(from as i64), &until]);
        let says = vec![stay, format!("{}: {}", words.say("column.visits"), words.whole(visits))];
        Bar { name, value: Some(visits as f64), says, is_complete: true }
    });
    let chart = Chart { bars: bars.collect(), ..Chart::of(words, "counts.durations") };
    chart.draw(|level| words.mark(level))
}

/// What webhooks that stand beside each other lost.
fn losses(words: &Words, report: &Value) -> Markup {
    let webhooks = report.pointer("/totals/webhooks").and_then(Value::as_array);
    html! {
        @if let Some(webhooks) = webhooks.filter(|webhooks| !webhooks.is_empty()) {
            (listed(words, words.say("report.losses"), LOSSES, webhooks, &Lead::Nowhere))
        }
    }
}

/// The lengths of stay that a clock made; none where there are none.
fn fixed(words: &Words, report: &Value) -> Option<String> {
    let stays = report.pointer("/totals/fixed_stays")?.as_array()?.iter();
    let minutes = stays.filter_map(|stay| stay["minutes"].as_i64());
    let shown: Vec<_> =
        minutes.map(|minutes| words.fill("report.minutes", &[&words.whole(minutes)])).collect();
    (!shown.is_empty()).then(|| shown.join(", "))
}

/// What the numbers rest on.
fn notes(words: &Words, report: &Value, marks: &Marks) -> Markup {
    html! {
        @match report["coverage"].as_f64() {
            Some(coverage) => p.note { (words.fill("report.coverage", &[&words.percent(coverage)])) },
            None => p.note { (words.say("report.no_visits")) },
        }
        @let mut buckets = report["buckets"].as_array().into_iter().flatten();
        @if buckets.any(|bucket| bucket["complete"] == false) {
            p.note { (words.say("report.hatched")) }
        }
        @if let Some(fixed) = fixed(words, report) { p.alert { (words.fill("report.fixed", &[&fixed])) } }
        @if let Some(comparison) = report.get("comparison") {
            @let day = |end: &str| {
                Moment.show(words, &comparison["that"][end], None)
            };
            p.note { (words.fill("report.compared", &[&day("from"), &day("until")])) }
        }
        (marks.in_words(words))
    }
}
