//! Reports: the API's own answer, as a picture and as a table. What is shown of each report stands
//! in one table, [`VIEWS`].

use actix_web::{HttpResponse, web};
use maud::{Markup, html};
use serde_json::Value;

use super::chart::{Bar, Chart};
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
use crate::domain::calendar::local;
use crate::http::App;
use crate::http::problem::{Code, Problem};
use crate::http::reports;
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
    let parameters = range.parameters();
    let report = reports::ask(snapshot, gym, view.name, &parameters, now)?;
    let mut report = serde_json::to_value(&report).expect("reports are plain JSON");
    let is_cut = begun::from_first_event(&mut report, gym, first_event);
    let marks = Marks::of(snapshot, gym, &range, now)?;
    let main = html! {
        (range.picker(words, view.name, true))
        (totals(words, view, &report))
        section.report {
            h2 { (words.say(&format!("counts.{}", view.name))) }
            (picture(words, view, &report, &range, &marks))
            @if is_cut {
                @let day = words.date(local(gym.settings.zone, first_event).date_naive());
                p.note { (words.fill("report.begun", &[&day])) }
            }
            (notes(words, &report, &marks))
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

fn rows<'v>(view: &View, report: &'v Value) -> Vec<&'v Value> {
    report[view.list].as_array().into_iter().flatten().collect()
}

/// The totals; beside them those of the range it is compared with.
fn totals(words: &Words, view: &View, report: &Value) -> Markup {
    let value = |side: &Value, (place, cell): &(&str, Cell)| {
        cell.show(words, side["totals"].pointer(place).unwrap_or(&Value::Null), None)
    };
    let comparison = report.get("comparison");
    html! {
        @if !view.totals.is_empty() {
            // What is not known of the range is no figure.
            @let known = |(place, _): &&(&str, Cell)| {
                report["totals"].pointer(place).is_some_and(|total| !total.is_null())
            };
            dl.facts { @for total in view.totals.iter().filter(known) { div {
                dt { (words.say(&column_key(total.0))) }
                @match comparison {
                    None => dd { (value(report, total)) },
                    Some(comparison) => {
                        dd { (value(&comparison["this"], total)) }
                        dd.before { (words.fill("report.before", &[&value(&comparison["that"], total)])) }
                    }
                }
            } } }
        }
    }
}

fn picture(words: &Words, view: &View, report: &Value, range: &Range, marks: &Marks) -> Markup {
    match view.name {
        "popular-times" => heat::map(words, &rows(view, report)),
        "retention" => cohorts::table(words, &rows(view, report)),
        "durations" => histogram(words, &rows(view, report)),
        // All of it was before the gym's first event.
        _ if rows(view, report).is_empty() => html! {},
        _ => bars(words, view, report, range, marks),
    }
}

/// The report's buckets as bars, with those of the earlier range as a line.
pub fn bars(words: &Words, view: &View, report: &Value, range: &Range, marks: &Marks) -> Markup {
    let earlier = report.pointer("/comparison/that/buckets").and_then(Value::as_array);
    let (_, cell) = view.columns.iter().find(|(place, _)| *place == view.bars).expect("a column");
    let number = |row: &Value| row.pointer(view.bars).and_then(Value::as_f64);
    let rows = rows(view, report);
    let bars = rows.iter().map(|row| {
        let name = Start.show(words, &row["start"], Some(range.interval));
        let value = cell.show(words, row.pointer(view.bars).unwrap_or(&Value::Null), None);
        let is_complete = row["complete"] == true;
        let unfinished = if is_complete { "" } else { words.say("report.incomplete") };
        Bar { says: format!("{name}: {value} {unfinished}"), name, value: number(row), is_complete }
    });
    let counts = format!("counts.{}", view.name);
    let chart = Chart {
        label: words.say(&counts),
        bars: bars.collect(),
        line: earlier.into_iter().flatten().map(number).collect(),
        levels: vec![],
        spans: marks.spans(words, report),
    };
    chart.draw(|level| words.mark(level))
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
        let says = format!("{name}: {}", words.whole(visits));
        Bar { name, value: Some(visits as f64), says, is_complete: true }
    });
    let chart = Chart {
        label: words.say("counts.durations"),
        bars: bars.collect(),
        line: vec![],
        levels: vec![],
        spans: vec![],
    };
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
        @if report.pointer("/buckets").is_some() { p.note { (words.say("report.hatched")) } }
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
