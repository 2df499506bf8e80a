//! A report over all gyms that a visitor may see: each gym's figures, and the sum of what is a sum.

use actix_web::{HttpResponse, web};
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::Value;

use super::marks::Marks;
use super::overview::CARDS_MAX;
use super::range::{Asked, Range};
use super::reports::bars;
use super::table::{column_key, region};
use super::views::{VIEWS, View};
use super::visitor::{Page, Visitor};
use super::ways::Place;
use crate::clock;
use crate::http::App;
use crate::http::problem::{Code, Problem};
use crate::http::reports::ask_chain;
use crate::store::{Gym, Snapshot};

/// Which gyms the table lists, and in which order.
#[derive(Deserialize)]
pub struct Listed {
    /// A part of a name.
    q: Option<String>,
    /// A column, by its place; else by name.
    sort: Option<String>,
}

impl Listed {
    fn wants(&self, gym: &Gym) -> bool {
        let wanted = self.q.as_deref().unwrap_or_default().trim().to_lowercase();
        gym.settings.name.to_lowercase().contains(&wanted) || gym.slug.as_str().contains(&wanted)
    }

    fn column(&self, view: &View) -> Option<&'static str> {
        let asked = self.sort.as_deref().unwrap_or_default();
        view.totals.iter().map(|(place, _)| *place).find(|place| *place == asked)
    }
}

/// What was asked for, but for these, by name.
fn rest(visitor: &Visitor, but: &[&str]) -> Vec<(String, String)> {
    let pairs = form_urlencoded::parse(visitor.query().as_bytes());
    pairs
        .filter(|(name, _)| !but.contains(&&**name))
        .map(|(name, value)| (name.into(), value.into()))
        .collect()
}

/// Finds gyms by name.
fn finder(visitor: &Visitor, view: &View, listed: &Listed) -> Markup {
    let words = visitor.words;
    html! {
        form.range role="search" method="get" action={ "/reports/" (view.name) } {
            label { (words.say("overview.find"))
                input type="search" name="q" value=(listed.q.as_deref().unwrap_or_default()); }
            @for (name, value) in rest(visitor, &["q"]) {
                input type="hidden" name=(name) value=(value);
            }
            button { (words.say("range.show")) }
        }
    }
}

/// The reports that have a total for each gym.
fn views() -> impl Iterator<Item = &'static View> {
    VIEWS.iter().filter(|view| !view.totals.is_empty() && view.name != "retention")
}

pub async fn one(
    app: web::Data<App>,
    visitor: Visitor,
    name: web::Path<String>,
    asked: web::Query<Asked>,
    listed: web::Query<Listed>,
) -> HttpResponse {
    let page = visitor.show(app, move |visitor, snapshot| {
        let none = || Problem::new(Code::NotFound, format!("there is no report {name:?}"));
        let view = views().find(|view| view.name == *name).ok_or_else(none)?;
        shown(visitor, snapshot, view, &asked, &listed)
    });
    page.await
}

fn shown(
    visitor: &Visitor,
    snapshot: &Snapshot<'_>,
    view: &View,
    asked: &Asked,
    listed: &Listed,
) -> Result<Page, Problem> {
    let (words, now) = (visitor.words, clock::now());
    let gyms = visitor.access.gyms(snapshot)?;
    let none = || {
        let detail = "there is no gym that you may see";
        Problem::new(Code::NotFound, detail).as_message("now.no_gyms", &[])
    };
    // Days are each gym's own; the first gym says which of them is today.
    let zone = gyms.first().ok_or_else(none)?.settings.zone;
    let range = Range::of(asked, view.name, zone, now)?.for_gyms(gyms.len());
    let chain = ask_chain(snapshot, gyms.clone(), view.name, &range.parameters(), now)?;
    let mut chain = serde_json::to_value(&chain).expect("reports are plain JSON");
    name_as_utc(&mut chain);
    let main = html! {
        (range.picker(words, view.name, false))
        section.report {
            h2 { (words.say(&format!("counts.{}", view.name))) }
            @if chain["buckets"].as_array().is_some_and(|buckets| !buckets.is_empty()) {
                (bars(words, view, &chain, &range, &Marks::of_all(zone, &range)))
                p.note { (words.say("report.hatched")) }
            }
            p.note { (words.say("chain.note")) }
            @if gyms.len() > CARDS_MAX { (finder(visitor, view, listed)) }
            (table(visitor, view, &gyms, &chain, listed))
            p.tools {
                a download={ (view.name) ".csv" }
                    href={ "/api/v1/reports/" (view.name) "?" (range.csv_query()) } {
                    (words.say("report.csv"))
                }
            }
        }
    };
    let key = format!("report.{}", view.name);
    let title = format!("{}: {}", words.say("chain.title"), words.say(&key));
    Ok(Page { title, place: Some(Place::of_all(view.name)), main })
}

/// Buckets of a chain have local names without an offset. To show them, any offset will do.
fn name_as_utc(chain: &mut Value) {
    for bucket in chain["buckets"].as_array_mut().into_iter().flatten() {
        if let Some(name) = bucket["start"].as_str() {
            bucket["start"] = format!("{name}Z").into();
        }
    }
}

/// Each gym's totals, and the sum of those that are sums.
fn table(visitor: &Visitor, view: &View, gyms: &[Gym], chain: &Value, listed: &Listed) -> Markup {
    let (words, by) = (visitor.words, listed.column(view));
    let kept = rest(visitor, &["q", "sort"]);
    let query = form_urlencoded::Serializer::new("?".to_owned()).extend_pairs(kept).finish();
    let report = |gym: &Gym| format!("/gyms/{}/reports/{}{query}", gym.slug, view.name);
    let row = |totals: &Value| {
        html! { @for (place, cell) in view.totals {
            td { (cell.show(words, totals.pointer(place).unwrap_or(&Value::Null), None)) }
        } }
    };
    let reports = chain["gyms"].as_array().into_iter().flatten();
    let rows = reports.filter_map(|of_gym| {
        let gym = gyms.iter().find(|gym| of_gym["gym"] == gym.slug.as_str())?;
        listed.wants(gym).then_some((gym, of_gym))
    });
    let mut rows: Vec<_> = rows.collect();
    rows.sort_by_key(|(gym, _)| gym.settings.name.to_lowercase());
    if let Some(place) = by {
        let number = |of_gym: &Value| of_gym["totals"].pointer(place).and_then(Value::as_f64);
        let number = |of_gym| number(of_gym).unwrap_or(f64::NEG_INFINITY);
        rows.sort_by(|(_, a), (_, b)| number(b).total_cmp(&number(a)));
    }
    let head = |place: &str, name: &str| {
        let order = if place.is_empty() { "ascending" } else { "descending" };
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(rest(visitor, &["sort"])).append_pair("sort", place);
        html! { th scope="col" aria-sort=[(by.unwrap_or_default() == place).then_some(order)] {
            a href={ "?" (query.finish()) } { (name) }
        } }
    };
    region(
        words.say("chain.title"),
        &html! { table {
            thead { tr {
                (head("", words.say("chain.gym")))
                @for (place, _) in view.totals { (head(place, words.say(&column_key(place)))) }
            } }
            tbody { @for (gym, of_gym) in rows { tr {
                th scope="row" { a href=(report(gym)) { (gym.settings.name) } }
                (row(&of_gym["totals"]))
            } } }
            tfoot { tr { th scope="row" { (words.say("chain.sum")) } (row(&chain["totals"])) } }
        } },
    )
}
