//! How a gym is set up and what waits: webhooks, quarantine and another try, rules, retention; and
//! who may see what. For the role `admin`; records of erasures for `manager`.

use actix_web::{HttpResponse, web};
use maud::{Markup, html};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::reports;
use super::table::Cell::{self, Moment, Text, Whole};
use super::table::listed;
use super::visitor::{Page, Visitor};
use super::words::Words;
use crate::domain::calendar::local;
use crate::http::gyms::GymBody;
use crate::http::quarantine::{page_of, release_one};
use crate::http::{App, erasures};
use crate::store::{Gym, Reader, Role, Snapshot, StoreError};

/// Deliveries in quarantine that are shown; with more, those are shown that waited longest.
const WAITING_SHOWN_MAX: usize = 50;

const WEBHOOKS: &[(&str, Cell)] = &[
    ("/webhook", Text),
    ("/last_delivery", Moment),
    ("/last_test", Moment),
    ("/silent", Cell::YesNo),
];
const ERASURES: &[(&str, Cell)] = &[
    ("/id", Whole),
    ("/reason", Text),
    ("/requested_at", Moment),
    ("/completed_at", Moment),
    ("/events", Whole),
];

const READERS: &[(&str, Cell)] = &[("/name", Text), ("/role", Text), ("/gyms", Text)];
const TOKENS: &[(&str, Cell)] =
    &[("/name", Text), ("/role", Text), ("/gyms", Text), ("/used", Text)];

fn json(answer: &impl Serialize) -> Value {
    serde_json::to_value(answer).expect("answers are plain JSON")
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// One gym's set-up.
pub async fn one(app: web::Data<App>, visitor: Visitor, slug: web::Path<String>) -> HttpResponse {
    let page = visitor.show(app, move |visitor, snapshot| {
        visitor.access.require(Role::Admin)?;
        let gym = visitor.access.gym(snapshot, &slug)?;
        let words = visitor.words;
        let shown = json(&GymBody::of(snapshot, &gym)?);
        let main = html! {
            (reports::ways(visitor, &gym, Some("set-up")))
            (listed(words, words.say("set_up.webhooks"), WEBHOOKS, list(&shown["webhooks"]), None))
            (waiting(visitor, snapshot, &gym)?)
            section {
                h2 { (words.say("set_up.rules")) }
                p.note { (words.fill("set_up.rules_note", &[gym.slug.as_str()])) }
                dl.facts {
                    @for rule in ["visit_window", "assumed_stay", "assumed_tail", "rejoin_grace"] { div {
                        dt { (words.say(&format!("set_up.{rule}"))) }
                        @let minutes = words.whole(shown["rules"][rule].as_i64().unwrap_or_default());
                        dd { (words.fill("report.minutes", &[&minutes])) }
                    } }
                    div { dt { (words.say("set_up.retention")) } dd { (kept(words, &gym)) } }
                }
            }
            (erased(words, snapshot, &gym)?)
            @if visitor.access.reader.gyms.is_none() { (readers(words, snapshot)?) }
        };
        Ok(Page { title: format!("{} – {}", gym.settings.name, words.say("set_up.title")), main })
    });
    page.await
}

fn kept(words: &Words, gym: &Gym) -> String {
    match gym.settings.retain_months {
        Some(months) => words.fill("set_up.months", &[&words.whole(months.into())]),
        None => words.say("set_up.for_ever").to_owned(),
    }
}

/// What waits in quarantine, each with another try.
fn waiting(visitor: &Visitor, snapshot: &Snapshot<'_>, gym: &Gym) -> Result<Markup, StoreError> {
    let words = visitor.words;
    let page = json(&page_of(snapshot, gym, 0, WAITING_SHOWN_MAX)?);
    let rows = list(&page["quarantine"]);
    let text = |row: &Value, name: &str| row[name].as_str().unwrap_or_default().to_owned();
    Ok(html! {
        section #quarantine {
            h2 { (words.say("set_up.quarantine")) " · " (words.whole(rows.len() as i64))
                @if !page["next"].is_null() { "+" } }
            @if rows.is_empty() { p.note { (words.say("set_up.quarantine_empty")) } }
            @for row in rows {
                article.card {
                    p { (Moment.show(words, &row["received_at"], None)) " · "
                        code { (text(row, "reason")) } }
                    p { (text(row, "detail")) }
                    details { summary { (words.say("set_up.body")) } pre tabindex="0" { (text(row, "body")) } }
                    form method="post" action={ "/gyms/" (gym.slug) "/quarantine" } {
                        input type="hidden" name="csrf" value=(visitor.csrf);
                        button name="id" value=(row["id"]) { (words.say("set_up.release")) }
                    }
                }
            }
        }
    })
}

/// The gym's erasure records.
pub fn erased(words: &Words, snapshot: &Snapshot<'_>, gym: &Gym) -> Result<Markup, StoreError> {
    let records = json(&erasures::at_gyms(snapshot, std::slice::from_ref(gym))?);
    let title = words.say("set_up.erasures");
    Ok(listed(words, title, ERASURES, list(&records["erasures"]), None))
}

/// Who may read, by token and on the page.
fn readers(words: &Words, snapshot: &Snapshot<'_>) -> Result<Markup, StoreError> {
    let gyms = snapshot.gyms()?;
    let seen = |reader: &Reader| match &reader.gyms {
        None => words.say("set_up.all_gyms").to_owned(),
        Some(ids) => {
            let slugs =
                gyms.iter().filter(|gym| ids.contains(&gym.id)).map(|gym| gym.slug.as_str());
            slugs.collect::<Vec<_>>().join(", ")
        }
    };
    let used = |at: Option<i64>| {
        let moment = |at| format!("{} UTC", words.moment(local(chrono_tz::UTC, at)));
        at.map_or(words.say("report.none").to_owned(), moment)
    };
    let row = |reader: &Reader, last: Option<String>| {
        serde_json::json!({
            "name": reader.name, "role": reader.role.name(), "gyms": seen(reader), "used": last,
        })
    };
    let tokens = snapshot.tokens()?;
    let tokens = tokens.iter().map(|token| row(&token.reader, Some(used(token.last_used_at))));
    let tokens: Vec<_> = tokens.collect();
    let users: Vec<_> = snapshot.users()?.iter().map(|user| row(&user.reader, None)).collect();
    Ok(html! {
        (listed(words, words.say("set_up.tokens"), TOKENS, &tokens, None))
        (listed(words, words.say("set_up.users"), READERS, &users, None))
    })
}

#[derive(Deserialize)]
pub struct Releasing {
    csrf: String,
    id: i64,
}

/// Tries again to append what waits in quarantine.
pub async fn release(
    app: web::Data<App>,
    visitor: Visitor,
    slug: web::Path<String>,
    form: web::Form<Releasing>,
) -> HttpResponse {
    let slug = slug.into_inner();
    let tried = async {
        visitor.check(&form.csrf)?;
        release_one(&app, visitor.access.clone(), slug.clone(), form.id).await
    };
    match tried.await {
        Ok(_) => {
            let back = format!("/gyms/{slug}/set-up#quarantine");
            HttpResponse::SeeOther().insert_header(("location", back)).finish()
        }
        Err(problem) => visitor.say(&problem),
    }
}
