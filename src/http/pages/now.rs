//! Now: who is there in one gym; live where the browser runs the script.

use actix_web::{HttpResponse, web};
use maud::{Markup, html};

use super::chart::{Ahead, Bar, Chart, Line};
use super::empty;
use super::table::region;
use super::visitor::{Page, Visitor};
use super::wall;
use super::ways::{self, Place};
use super::words::Words;
use crate::clock;
use crate::domain::calendar::{Bucket, Interval, buckets, day_of, day_start, local};
use crate::domain::report::occupancy::{Samples, Usual};
use crate::domain::report::outlook::NextHour;
use crate::domain::report::total;
use crate::domain::tally::Count;
use crate::domain::{HOUR, Millis, QUARTER};
use crate::http::App;
use crate::http::problem::Problem;
use crate::projection::read::{self, Occupancy, utilisation};
use crate::store::{Gym, Snapshot};

/// Marks on the scale, as shares of the capacity.
pub const MARKS: [f64; 2] = [0.8, 0.9];
/// One gym: now, today beside what is usual, and what the next hours are expected to be.
pub async fn one(app: web::Data<App>, visitor: Visitor, slug: web::Path<String>) -> HttpResponse {
    let page = visitor.show(app, move |visitor, snapshot| {
        let gym = visitor.access.gym(snapshot, &slug)?;
        let (words, now) = (visitor.words, clock::now());
        let title = gym.settings.name.clone();
        if read::first_event(snapshot, &gym)?.is_none() {
            let main = html! {
                div data-stream={ "/api/v1/gyms/" (gym.slug) "/occupancy/stream" } {
                    (empty::nothing_yet(visitor, &gym))
                }
            };
            return Ok(Page { title, place: Some(Place::of(&gym, ways::NOW)), main });
        }
        let occupancy = read::occupancy_now(snapshot, &gym, now)?;
        let hours = hours_of_today(&gym, now);
        let usual = hours.iter().map(|hour| read::usual(snapshot, &gym, hour.from));
        let usual = usual.collect::<Result<Vec<_>, _>>()?;
        let main = html! {
            div data-stream={ "/api/v1/gyms/" (gym.slug) "/occupancy/stream" } {
                div.card.now { (count(words, &gym, occupancy.present)) (marks(words, &gym)) }
                @if occupancy.is_closed { p.note { (words.say("now.closed")) } }
                (silence(words, &gym, read::silent_since(snapshot, &gym, now)?))
                (facts(words, snapshot, &gym, &occupancy, now)?)
                (today(words, snapshot, &gym, (&hours, &usual), &occupancy.next_hours, now)?)
                (next(words, &gym, &occupancy.next_hours))
            }
            p.tools { a href=(wall::address([gym.slug.as_str()].into_iter())) { (words.say("wall.title")) } }
        };
        Ok(Page { title, place: Some(Place::of(&gym, ways::NOW)), main })
    });
    page.await
}

/// The number present, of the capacity, with its marks.
pub fn count(words: &Words, gym: &Gym, present: u32) -> Markup {
    let share = utilisation(gym, present);
    let present = words.whole(present.into());
    html! {
        p.count { strong data-count { (present) } " "
            @match (gym.settings.capacity, share) {
                (Some(capacity), Some(share)) => {
                    (words.fill("now.of", &[&words.whole(capacity.into()), &words.percent(share)]))
                }
                _ => { (words.say("now.present")) }
            }
        }
        @if let Some(share) = share {
            svg.meter viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true" {
                rect.ground width="100" height="6" {}
                rect.fill.near[share >= MARKS[0]].full[share >= MARKS[1]]
                    width=((share.min(1.0) * 100.0).round()) height="6" {}
                @for mark in MARKS { rect.mark x=(mark * 100.0) width="0.6" height="6" {} }
            }
        }
    }
}

/// What the marks on the scale stand for.
fn marks(words: &Words, gym: &Gym) -> Markup {
    html! {
        @if gym.settings.capacity.is_some() {
            p.marks aria-hidden="true" {
                @for (place, mark) in MARKS.iter().enumerate() {
                    span class={ "mark-" (place) } { (words.percent(*mark)) }
                }
            }
        }
    }
}

/// A word of warning when the gym has been silent since then.
fn silence(words: &Words, gym: &Gym, since: Option<Millis>) -> Markup {
    let moment = |at| words.moment(local(gym.settings.zone, at));
    html! {
        @if let Some(at) = since { p.alert { (words.fill("now.silent", &[&moment(at)])) } }
    }
}

fn facts(
    words: &Words,
    snapshot: &Snapshot<'_>,
    gym: &Gym,
    occupancy: &Occupancy,
    now: Millis,
) -> Result<Markup, Problem> {
    let zone = gym.settings.zone;
    let from = (now - HOUR).div_euclid(QUARTER) * QUARTER;
    let lately = read::counts_so_far(snapshot, gym, &[Bucket { from, until: now }], now)?;
    let lately = total(&lately);
    let left = words.whole(lately.get(Count::Departures));
    let since = words.time(local(zone, from));
    let peak = occupancy.today_peak.filter(|peak| peak.present > 0);
    Ok(html! {
        dl.facts {
            div { dt { (words.fill("now.arrived", &[&since])) } dd { (words.whole(lately.visits())) }
                dd.before { (words.fill("now.left", &[&left])) } }
            @if let Some(usual) = occupancy.usual {
                div { dt { (words.say("now.usual")) } dd { (words.decimal(usual.average)) } }
            }
            @if let Some(peak) = peak {
                div {
                    dt { (words.fill("now.peak", &[&words.time(local(zone, peak.at))])) }
                    dd { (words.whole(peak.present)) }
                }
            }
            div {
                dt { (words.say("now.observed")) }
                dd { (words.whole(occupancy.observed.into())) }
            }
        }
    })
}

pub fn hours_of_today(gym: &Gym, now: Millis) -> Vec<Bucket> {
    let zone = gym.settings.zone;
    let today = day_of(zone, now);
    let (from, until) = (day_start(zone, today), day_start(zone, today.plus(1)));
    buckets(zone, from, until, Interval::Hour).collect()
}

/// Each hour of today, with what is usual as a line.
fn today(
    words: &Words,
    snapshot: &Snapshot<'_>,
    gym: &Gym,
    (hours, usual): (&[Bucket], &[Option<Usual>]),
    coming: &[NextHour],
    now: Millis,
) -> Result<Markup, Problem> {
    let zone = gym.settings.zone;
    let sampled = read::occupancy_history(snapshot, gym, hours, now)?;
    let rows: Vec<_> = hours.iter().zip(&sampled).zip(usual).collect();
    let average = |number: Option<f64>| number.map_or("–".to_owned(), |n| words.decimal(n));
    let bars = rows.iter().map(|((hour, samples), usual)| {
        let name = words.time(local(zone, hour.from));
        let present = samples.average().map(|n| words.fill("now.there", &[&words.decimal(n)]));
        let usual = usual.map(|usual| words.fill("now.usually", &[&words.decimal(usual.average)]));
        let says = [Some(name.clone()), present, usual].into_iter().flatten().collect();
        Bar { name, value: samples.average(), says, is_complete: hour.until <= now }
    });
    let chart = Chart {
        bars: bars.collect(),
        line: Line {
            values: usual.iter().map(|usual| usual.map(|usual| usual.average)).collect(),
            name: words.say("chart.usual"),
            is_behind: false,
        },
        ahead: hours.iter().map(|hour| ahead(words, hour, coming)).collect(),
        now: hours.iter().position(|hour| now < hour.until).map(|at| (at, words.say("chart.now"))),
        levels: levels(words, gym, &sampled),
        ..Chart::of(words, "now.today")
    };
    Ok(html! {
        section {
            h2 { (words.say("now.today")) }
            (chart.draw(|level| words.mark(level)))
            details { summary { (words.say("report.table")) }
                (region(words.say("now.today"), &html! { table {
                    thead { tr {
                        th scope="col" { (words.say("column.start")) }
                        th scope="col" { (words.say("column.average")) }
                        th scope="col" { (words.say("column.peak")) }
                        th scope="col" { (words.say("now.usual")) }
                    } }
                    tbody { @for ((hour, samples), usual) in &rows { tr {
                        th scope="row" { (words.time(local(zone, hour.from))) }
                        td { (average(samples.average())) }
                        td { (samples.peak.map_or("–".to_owned(), |peak| words.whole(peak.present))) }
                        td { (average(usual.map(|usual| usual.average))) }
                    } } }
                } }))
            }
        }
    })
}

/// The marks of the capacity, once the gym comes near them: before, they would press all bars flat.
fn levels(words: &Words, gym: &Gym, sampled: &[Samples]) -> Vec<(f64, String)> {
    let Some(capacity) = gym.settings.capacity.map(f64::from) else { return vec![] };
    let highest = sampled.iter().filter_map(|samples| samples.peak).map(|peak| peak.present).max();
    let is_near = highest.is_some_and(|highest| 2.0 * highest as f64 > capacity);
    let mark = |mark: f64| (mark * capacity, words.percent(mark));
    if is_near { MARKS.map(mark).to_vec() } else { vec![] }
}

/// What is expected of an hour, in words.
fn shown(words: &Words, hour: &NextHour) -> Option<String> {
    let [expected, error] = [hour.expected?, hour.error?].map(|n| words.decimal(n));
    Some(words.fill("now.expected", &[&expected, &error]))
}

/// What is expected of an hour of today, to be drawn.
fn ahead(words: &Words, hour: &Bucket, coming: &[NextHour]) -> Option<Ahead> {
    let coming = coming.iter().find(|coming| coming.start == hour.from)?;
    Some(Ahead { value: coming.expected?, error: coming.error?, says: shown(words, coming)? })
}

/// The next hours, as they are to be expected.
fn next(words: &Words, gym: &Gym, coming: &[NextHour]) -> Markup {
    let zone = gym.settings.zone;
    let known = |hour: &NextHour| Some((hour.start, hour.expected?, hour.error?, hour.usual?));
    let known: Vec<_> = coming.iter().filter_map(known).collect();
    html! {
        @if !known.is_empty() {
            section { h2 { (words.say("now.next")) }
                dl.facts { @for (start, expected, error, usual) in known { div {
                    dt { (words.time(local(zone, start))) }
                    dd { (words.decimal(expected)) }
                    dd.before {
                        (words.fill("now.within", &[&words.decimal(error), &words.decimal(usual)]))
                    }
                } } }
            }
        }
    }
}
