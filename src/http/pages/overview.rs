//! All gyms at this moment: each with its number, its day so far over the usual one, and what needs
//! attention. With few, each has a card; with more, a row, to be sorted and found by name.

use std::cmp::Reverse;
use std::collections::HashMap;

use actix_web::{HttpResponse, web};
use maud::{Markup, html};
use serde::Deserialize;

use super::empty;
use super::now::{MARKS, count, hours_of_today};
use super::spark::spark;
use super::table::region;
use super::visitor::{Page, Visitor};
use super::wall;
use super::ways::{self, Place};
use super::words::Words;
use crate::clock;
use crate::domain::calendar::{local, weekday_and_hour};
use crate::domain::ids::GymId;
use crate::domain::report::popular_times::arrived_by;
use crate::domain::{DAY, MINUTE, Millis};
use crate::http::App;
use crate::http::auth::Access;
use crate::http::problem::Problem;
use crate::projection::live::Live;
use crate::projection::read::{self, utilisation};
use crate::store::{Role, Snapshot, StoreError};

/// The page looks again after so many seconds.
const LOOK_SECONDS: u32 = 15;
/// Up to so many gyms have a card each.
pub const CARDS_MAX: usize = 12;
/// So many gyms are on one page.
const ROWS_MAX: usize = 100;
/// An erasure that is not complete after so many minutes is told of; most take seconds.
const ERASURE_MINUTES: Millis = 5;
/// An end of the certificate is told so many days before.
const CERTIFICATE_DAYS: Millis = 14;

pub const SORTS: [&str; 5] = ["share", "present", "arrivals", "attention", "name"];

#[derive(Deserialize)]
pub struct Asked {
    /// A part of a name.
    q: Option<String>,
    /// One of [`SORTS`].
    sort: Option<String>,
    /// From 1.
    page: Option<usize>,
}

impl Asked {
    fn sort(&self) -> &'static str {
        let asked = self.sort.as_deref().unwrap_or_default();
        SORTS.into_iter().find(|sort| *sort == asked).unwrap_or(SORTS[0])
    }

    fn wants(&self, live: &Live) -> bool {
        let wanted = self.q.as_deref().unwrap_or_default().trim().to_lowercase();
        let settings = &live.gym.settings;
        settings.name.to_lowercase().contains(&wanted) || live.gym.slug.as_str().contains(&wanted)
    }
}

/// One gym.
struct Row {
    live: Live,
    share: Option<f64>,
    arrived: i64,
    /// How many come by this time of this weekday.
    usually_arrived: Option<f64>,
    attention: Vec<Attention>,
}

/// What needs attention, and the part of its address that shows it.
struct Attention {
    says: String,
    page: &'static str,
}

pub async fn all(app: web::Data<App>, visitor: Visitor, asked: web::Query<Asked>) -> HttpResponse {
    let seen = app.clone();
    let page = visitor.show(app, move |visitor, snapshot| {
        let (words, now) = (visitor.words, clock::now());
        let rows = rows(&seen, visitor, snapshot, now)?;
        let is_long = rows.len() > CARDS_MAX;
        let slugs = rows.iter().map(|row| row.live.gym.slug.as_str());
        let wall = (!rows.is_empty()).then(|| wall::address(slugs));
        let main = html! {
            @if let Some(says) = certificate(&seen, visitor, now) { p.alert { (says) } }
            @if rows.is_empty() { (empty::no_gyms(visitor)) }
            @if is_long { (finder(visitor, &asked)) }
            div data-every=(LOOK_SECONDS) {
                @if rows.len() > 1 { (sums(words, &rows)) }
                @if is_long { (table(visitor, snapshot, rows, &asked, now)?) }
                @else { (cards(visitor, snapshot, rows, now)?) }
            }
            @if let Some(wall) = &wall {
                p.tools { a href=(wall) { (words.say("wall.title")) }
                    span.note { " " (words.say("wall.note")) } }
            }
        };
        let title = words.say("now.all").to_owned();
        Ok(Page { title, place: Some(Place::of_all(ways::NOW)), main })
    });
    page.await
}

fn rows(
    app: &App,
    visitor: &Visitor,
    snapshot: &Snapshot<'_>,
    now: Millis,
) -> Result<Vec<Row>, Problem> {
    let gyms = app.metrics.gyms_now(snapshot, now)?;
    let waiting = Waiting::of(app, snapshot, &gyms, now)?;
    let seen = gyms.into_iter().filter(|live| visitor.access.reader.may_see(live.gym.id));
    let row = |live: Live| Row {
        share: utilisation(&live.gym, live.present),
        arrived: live.today.visits(),
        usually_arrived: arrived_by(live.gym.settings.zone, now, |hour| {
            live.usual_day.get(hour)?.arrivals
        }),
        attention: attention(visitor, &live, &waiting),
        live,
    };
    Ok(seen.map(row).collect())
}

/// What waits at each gym, or is late.
struct Waiting {
    quarantine: HashMap<GymId, i64>,
    erasures: HashMap<GymId, i64>,
    silent_webhooks: HashMap<GymId, i64>,
}

impl Waiting {
    fn of(
        app: &App,
        snapshot: &Snapshot<'_>,
        gyms: &[Live],
        now: Millis,
    ) -> Result<Waiting, StoreError> {
        Ok(Waiting {
            quarantine: snapshot.quarantine_depths()?.into_iter().collect(),
            erasures: snapshot.erasures_waiting(now - ERASURE_MINUTES * MINUTE)?,
            silent_webhooks: app.metrics.silent_webhooks(snapshot, gyms, now)?,
        })
    }
}

fn attention(visitor: &Visitor, live: &Live, waiting: &Waiting) -> Vec<Attention> {
    let words = visitor.words;
    let may = |role| visitor.access.require(role).is_ok();
    let is_admin = may(Role::Admin);
    let of = |counts: &HashMap<GymId, i64>| counts.get(&live.gym.id).copied().unwrap_or(0);
    let mut all = Vec::new();
    let mut tell = |says, page| all.push(Attention { says, page });
    match live.last_event {
        None => {
            tell(words.say("overview.nothing").to_owned(), if is_admin { "/set-up" } else { "" });
        }
        Some(at) if live.is_silent == Some(true) => {
            let since = words.moment(local(live.gym.settings.zone, at));
            tell(words.fill("overview.silent", &[&since]), "");
        }
        Some(_) => {
            let silent = of(&waiting.silent_webhooks);
            if silent > 0 && is_admin {
                tell(words.count("overview.webhooks", silent, &[]), "/set-up");
            }
        }
    }
    let share = utilisation(&live.gym, live.present).filter(|share| *share >= MARKS[1]);
    if let Some(share) = share {
        tell(words.fill("overview.full", &[&words.percent(share)]), "");
    }
    let quarantined = of(&waiting.quarantine);
    if quarantined > 0 && is_admin {
        tell(words.count("overview.waiting", quarantined, &[]), "/set-up");
    }
    let erasures = of(&waiting.erasures);
    if erasures > 0 && may(Role::Manager) {
        tell(words.count("overview.erasures", erasures, &[]), "/members/erased");
    }
    all
}

/// When the certificate ends, for who can do something about it.
fn certificate(app: &App, visitor: &Visitor, now: Millis) -> Option<String> {
    let is_admin = |access: &Access| access.require(Role::Admin).is_ok();
    let ends = app.certificate.as_ref()?.get().filter(|_| is_admin(&visitor.access))?;
    let is_near = ends < now + CERTIFICATE_DAYS * DAY;
    let day = || visitor.words.date(local(chrono_tz::UTC, ends).date_naive());
    is_near.then(|| visitor.words.fill("overview.certificate", &[&day()]))
}

/// What is a sum, over all of them.
fn sums(words: &Words, rows: &[Row]) -> Markup {
    let present: i64 = rows.iter().map(|row| i64::from(row.live.present)).sum();
    let arrived: i64 = rows.iter().map(|row| row.arrived).sum();
    // A gym that has never sent an event adds nothing.
    let begun = rows.iter().filter(|row| row.live.last_event.is_some());
    let usual: Option<f64> = begun.map(|row| row.usually_arrived).sum();
    let attention = rows.iter().filter(|row| !row.attention.is_empty()).count();
    html! {
        dl.facts {
            div { dt { (words.say("overview.present")) } dd { (words.whole(present)) }
                dd.before { (words.count("overview.gyms", rows.len() as i64, &[])) } }
            div { dt { (words.say("overview.arrivals")) } dd { (words.whole(arrived)) }
                @if let Some(usual) = usual { dd.before { (usually(words, usual)) } } }
            div { dt { (words.say("overview.attention")) } dd { (words.whole(attention as i64)) } }
        }
    }
}

fn usually(words: &Words, usual: f64) -> String {
    words.fill("overview.usually", &[&words.whole(usual.round() as i64)])
}

/// The gym's page, with what was chosen of a range.
fn address(visitor: &Visitor, row: &Row, page: &str) -> String {
    let kept = visitor.kept();
    let query = if kept.is_empty() { kept } else { format!("?{kept}") };
    format!("/gyms/{}{page}{query}", row.live.gym.slug)
}

/// Each gym's card, the fullest first.
fn cards(
    visitor: &Visitor,
    snapshot: &Snapshot<'_>,
    mut rows: Vec<Row>,
    now: Millis,
) -> Result<Markup, Problem> {
    let words = visitor.words;
    sort(&mut rows, SORTS[0]);
    let sparks = rows
        .iter()
        .map(|row| day_so_far(snapshot, &row.live, now))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(html! {
        div.cards { @for (row, spark) in rows.iter().zip(sparks) {
            a.card href=(address(visitor, row, "")) {
                h2 { (row.live.gym.settings.name) }
                (count(words, &row.live.gym, row.live.present))
                (spark)
                p.note { (words.say("overview.arrivals")) ": " strong { (words.whole(row.arrived)) }
                    @if let Some(usual) = row.usually_arrived { " · " (usually(words, usual)) } }
                @for one in &row.attention { p.alert { (one.says) } }
            }
        } }
    })
}

/// The day so far of a gym, over the usual one.
pub fn day_so_far(snapshot: &Snapshot<'_>, live: &Live, now: Millis) -> Result<Markup, Problem> {
    let gym = &live.gym;
    let hours = hours_of_today(gym, now);
    let sampled = read::occupancy_history(snapshot, gym, &hours, now)?;
    let so_far: Vec<_> = sampled.iter().map(|samples| samples.average()).collect();
    let usual = hours.iter().map(|hour| {
        let (_, place) = weekday_and_hour(gym.settings.zone, hour.from);
        live.usual_day.get(place as usize)?.average
    });
    Ok(spark(&so_far, &usual.collect::<Vec<_>>()))
}

fn sort(rows: &mut [Row], by: &str) {
    let share = |row: &Row| row.share.unwrap_or(-1.0);
    match by {
        "name" => rows.sort_by_key(|row| row.live.gym.settings.name.to_lowercase()),
        "present" => rows.sort_by_key(|row| Reverse(row.live.present)),
        "arrivals" => rows.sort_by_key(|row| Reverse(row.arrived)),
        "attention" => rows.sort_by_key(|row| Reverse(row.attention.len())),
        _ => rows.sort_by(|a, b| share(b).total_cmp(&share(a))),
    }
}

/// Finds gyms by name.
fn finder(visitor: &Visitor, asked: &Asked) -> Markup {
    let words = visitor.words;
    let kept = visitor.kept();
    html! {
        form.range role="search" method="get" action="/" {
            label { (words.say("overview.find"))
                input type="search" name="q" value=(asked.q.as_deref().unwrap_or_default()); }
            input type="hidden" name="sort" value=(asked.sort());
            @for (name, value) in form_urlencoded::parse(kept.as_bytes()) {
                input type="hidden" name=(name) value=(value);
            }
            button { (words.say("range.show")) }
        }
    }
}

/// The query that asks for the same, sorted so, from that page on.
fn query(visitor: &Visitor, asked: &Asked, sort: &str, page: usize) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    if let Some(q) = asked.q.as_deref().filter(|q| !q.is_empty()) {
        query.append_pair("q", q);
    }
    query.append_pair("sort", sort);
    if page > 1 {
        query.append_pair("page", &page.to_string());
    }
    query.extend_pairs(form_urlencoded::parse(visitor.kept().as_bytes()));
    format!("/?{}", query.finish())
}

/// A row for each gym that was asked for.
fn table(
    visitor: &Visitor,
    snapshot: &Snapshot<'_>,
    mut rows: Vec<Row>,
    asked: &Asked,
    now: Millis,
) -> Result<Markup, Problem> {
    let (words, by) = (visitor.words, asked.sort());
    rows.retain(|row| asked.wants(&row.live));
    sort(&mut rows, by);
    let pages = rows.len().div_ceil(ROWS_MAX).max(1);
    let page = asked.page.unwrap_or(1).clamp(1, pages);
    let shown: Vec<_> = rows.iter().skip((page - 1) * ROWS_MAX).take(ROWS_MAX).collect();
    let drawn = shown.iter().map(|row| self::row(visitor, snapshot, row, now));
    let drawn = drawn.collect::<Result<Vec<_>, _>>()?;
    let head = |sort: &'static str| {
        let order = if sort == "name" { "ascending" } else { "descending" };
        html! { th scope="col" aria-sort=[(sort == by).then_some(order)] {
            a href=(query(visitor, asked, sort, 1)) { (words.say(&format!("overview.{sort}"))) }
        } }
    };
    let step = |page: usize, key: &str| {
        html! { a.step href=(query(visitor, asked, by, page)) { (words.say(key)) } }
    };
    let table = region(
        words.say("now.all"),
        &html! { table.overview {
            thead { tr {
                (head("name")) (head("present")) (head("share"))
                th scope="col" { (words.say("overview.today")) }
                (head("arrivals")) (head("attention"))
            } }
            tbody { @for row in &drawn { (row) } }
        } },
    );
    Ok(html! {
        @if rows.is_empty() { p.note { (words.say("overview.none_found")) } }
        @else { section { (table) } }
        @if pages > 1 {
            p.steps {
                @if page > 1 { (step(page - 1, "overview.previous")) }
                (words.fill("overview.page", &[&page.to_string(), &pages.to_string()]))
                @if page < pages { (step(page + 1, "overview.next")) }
            }
        }
    })
}

fn row(
    visitor: &Visitor,
    snapshot: &Snapshot<'_>,
    row: &Row,
    now: Millis,
) -> Result<Markup, Problem> {
    let words = visitor.words;
    let none = || words.say("report.none").to_owned();
    let share = row.share.map_or_else(none, |share| words.percent(share));
    let spark = day_so_far(snapshot, &row.live, now)?;
    Ok(html! { tr {
        th scope="row" { a href=(address(visitor, row, "")) { (row.live.gym.settings.name) } }
        td { (words.whole(row.live.present.into())) }
        td { (share) }
        td { (spark) }
        td { (words.whole(row.arrived))
            @if let Some(usual) = row.usually_arrived { small { " · " (usually(words, usual)) } } }
        td.attention { @for one in &row.attention {
            a href=(address(visitor, row, one.page)) { (one.says) } " "
        } }
    } })
}
