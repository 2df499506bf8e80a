//! How a gym is set up and what waits: webhooks, quarantine and another try, rules, retention. For
//! the role `admin`; records of erasures for `manager`.

use actix_web::{HttpResponse, web};
use maud::{Markup, html};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::form::Form;
use super::rules::RULES;
use super::table::Cell::{self, Moment, Text, Whole, Word};
use super::table::{Lead, listed};
use super::visitor::{Page, Visitor};
use super::ways::{self, Place};
use super::webhooks;
use super::words::Words;
use crate::http::gyms::GymBody;
use crate::http::quarantine::{page_of, release_one};
use crate::http::{App, erasures};
use crate::store::{Gym, Role, Snapshot, StoreError};

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
    ("/reason", Word("erased_by")),
    ("/requested_at", Moment),
    ("/completed_at", Moment),
    ("/events", Whole),
];

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
            (listed(words, words.say("set_up.webhooks"), WEBHOOKS, list(&shown["webhooks"]), &Lead::Nowhere))
            @if list(&shown["webhooks"]).is_empty() {
                p { a.button href={ "/gyms/" (gym.slug) "/connection" } {
                    (words.say("set_up.webhooks_empty"))
                } }
            }
            @else {
                @let ids = list(&shown["webhooks"]).iter().filter_map(|one| one["webhook"].as_str());
                (webhooks::changes(visitor, &gym, ids))
            }
            (waiting(visitor, snapshot, &gym)?)
            section {
                h2 { (words.say("set_up.rules")) }
                dl.facts {
                    @for rule in RULES { div {
                        dt { (words.say(&format!("set_up.{rule}"))) }
                        @let minutes = words.whole(shown["rules"][rule].as_i64().unwrap_or_default());
                        dd { (words.fill("report.minutes", &[&minutes])) }
                    } }
                    div { dt { (words.say("set_up.retention")) } dd { (kept(words, &gym)) } }
                    div { dt { (words.say("set_up.capacity")) } dd { (capacity(words, &gym)) } }
                    div {
                        @let public = gym.settings.public.name();
                        dt { (words.say("set_up.public")) }
                        dd { (words.say(&format!("set_up.public_{public}"))) }
                    }
                }
            }
            (erased(words, snapshot, &gym)?)
        };
        let title = format!("{} – {}", gym.settings.name, words.say("set_up.title"));
        Ok(Page { title, place: Some(Place::of(&gym, ways::SET_UP)), main })
    });
    page.await
}

fn capacity(words: &Words, gym: &Gym) -> String {
    let none = words.say("report.none").to_owned();
    gym.settings.capacity.map_or(none, |capacity| words.whole(capacity.into()))
}

fn kept(words: &Words, gym: &Gym) -> String {
    match gym.settings.retain_months {
        Some(months) => words.count("set_up.months", months.into(), &[]),
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
                        (words.say(&format!("problem.{}", text(row, "reason")))) }
                    p.note { code { (text(row, "reason")) } ": "
                        span lang="en" { (text(row, "detail")) } }
                    @if row["whole"] == false { p.note { (words.say("set_up.not_whole")) } }
                    @let deliveries = row["deliveries"].as_i64().unwrap_or(1);
                    @if deliveries > 1 {
                        p.note { (words.fill("set_up.stands_for", &[&words.whole(deliveries)])) }
                    }
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

/// So many records of erasures are shown; the API has the others.
const ERASURES_SHOWN: usize = 100;

/// The gym's newest erasure records.
pub fn erased(words: &Words, snapshot: &Snapshot<'_>, gym: &Gym) -> Result<Markup, StoreError> {
    let records =
        json(&erasures::at_gyms(snapshot, std::slice::from_ref(gym), i64::MAX, ERASURES_SHOWN)?);
    let title = words.say("set_up.erasures");
    Ok(listed(words, title, ERASURES, list(&records["erasures"]), &Lead::Nowhere))
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
    form: Form<Releasing>,
) -> HttpResponse {
    let slug = slug.into_inner();
    let tried = async {
        visitor.check(&form.csrf)?;
        release_one(&app, visitor.access.clone(), slug.clone(), form.id).await
    };
    let back = format!("/gyms/{slug}/set-up#quarantine");
    visitor.lead(tried.await, &back)
}
