//! Members: who stopped coming, who is new, all that is stored of one, and erasing one. For the
//! role `manager`.

use actix_web::{HttpResponse, web};
use maud::{Markup, html};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::form::Form;
use super::set_up;
use super::table::Cell::{self, Date, Moment, Text, Whole, Word};
use super::table::{Lead, listed};
use super::visitor::{Page, Visitor};
use super::ways::{self, Place};
use super::words::Words;
use crate::http::members::{list_absent, list_new, of_account};
use crate::http::problem::{Code, Problem};
use crate::http::{App, erasures};
use crate::store::Role;

/// Members who stopped coming are told in these groups, by days since their last visit.
const ABSENT_DAYS: [(i32, i32); 4] = [(14, 30), (30, 60), (60, 90), (90, 180)];

type Columns = [(&'static str, Cell)];

const ABSENT: &Columns =
    &[("/account", Text), ("/last_visit", Moment), ("/days_ago", Whole), ("/visits_before", Whole)];
const NEW: &Columns = &[
    ("/account", Text),
    ("/first_visit", Date),
    ("/last_visit", Date),
    ("/visits", Whole),
    ("/onboarded", Date),
];
const VISITS: &Columns = &[
    ("/entered", Moment),
    ("/entered_by", Word("entered_by")),
    ("/left", Moment),
    ("/ended_by", Word("ended_by")),
    ("/equipment_checkins", Whole),
];
const EVENTS: &Columns = &[("/at", Moment), ("/type", Text), ("/received_at", Moment)];

/// The lists of a gym's members.
pub async fn all(app: web::Data<App>, visitor: Visitor, slug: web::Path<String>) -> HttpResponse {
    let page = visitor.show(app, move |visitor, snapshot| {
        visitor.access.require(Role::Manager)?;
        let gym = visitor.access.gym(snapshot, &slug)?;
        let words = visitor.words;
        let absent = ABSENT_DAYS.map(|(days, lost_after)| {
            let found = list_absent(snapshot, &gym, days, lost_after)?;
            Ok::<_, Problem>((days, lost_after, as_rows(&found)))
        });
        let absent = absent.into_iter().collect::<Result<Vec<_>, _>>()?;
        let new = as_rows(&list_new(snapshot, &gym)?);
        let api = format!("/api/v1/gyms/{}/members", gym.slug);
        let link = format!("/gyms/{}/members", gym.slug);
        let main = html! {
            p.note { (words.say("members.note")) }
            @for (days, lost_after, rows) in &absent {
                @let (from, until) = (days.to_string(), (lost_after - 1).to_string());
                @let csv = format!("{api}/absent?days={days}&lost_after={lost_after}&format=csv");
                @let title = words.fill("members.absent", &[&from, &until]);
                (with_csv(&listed(words, &title, ABSENT, rows, &Lead::To(&link)), words, &csv))
            }
            @let list = listed(words, words.say("members.new"), NEW, &new, &Lead::To(&link));
            (with_csv(&list, words, &format!("{api}/new?format=csv")))
        };
        let title = format!("{} – {}", gym.settings.name, words.say("members.title"));
        Ok(Page { title, place: Some(Place::of(&gym, ways::MEMBERS)), main })
    });
    page.await
}

/// The members of an answer of the API.
fn as_rows(answer: &impl Serialize) -> Vec<Value> {
    let answer = serde_json::to_value(answer).expect("answers are plain JSON");
    answer["members"].as_array().cloned().unwrap_or_default()
}

/// A list, and the way to it as CSV.
fn with_csv(list: &Markup, words: &Words, csv: &str) -> Markup {
    html! { (list) p { a href=(csv) download { (words.say("report.csv")) } } }
}

/// What a manager sees after an erasure was asked for: the records.
pub async fn erased(
    app: web::Data<App>,
    visitor: Visitor,
    slug: web::Path<String>,
) -> HttpResponse {
    let page = visitor.show(app, move |visitor, snapshot| {
        visitor.access.require(Role::Manager)?;
        let gym = visitor.access.gym(snapshot, &slug)?;
        let words = visitor.words;
        let main = html! {
            p.note role="status" { (words.say("members.erased_says")) }
            (set_up::erased(words, snapshot, &gym)?)
        };
        let title = words.say("members.erased").to_owned();
        Ok(Page { title, place: Some(Place::of(&gym, ways::MEMBERS)), main })
    });
    page.await
}

/// All that is stored of one member, and the way to erase it.
pub async fn one(
    app: web::Data<App>,
    visitor: Visitor,
    path: web::Path<(String, String)>,
) -> HttpResponse {
    let (slug, account) = path.into_inner();
    let page = visitor.show(app, move |visitor, snapshot| {
        visitor.access.require(Role::Manager)?;
        let gym = visitor.access.gym(snapshot, &slug)?;
        let words = visitor.words;
        let stored = serde_json::to_value(of_account(snapshot, &gym, &account, false)?);
        let stored = stored.expect("answers are plain JSON");
        let list = |name: &str| stored[name].as_array().cloned().unwrap_or_default();
        let main = html! {
            p { code { (account) } }
            (listed(words, words.say("members.visits"), VISITS, &list("visits"), &Lead::Nowhere))
            (listed(words, words.say("members.events"), EVENTS, &list("events"), &Lead::Nowhere))
            section.card {
                h2 { (words.say("members.erase")) }
                p { (words.say("members.erase_says")) }
                form method="post" action={ "/gyms/" (gym.slug) "/members/" (account) "/erase" } {
                    input type="hidden" name="csrf" value=(visitor.csrf);
                    label.check { input type="checkbox" name="sure" value="yes" required;
                        (words.say("members.erase_sure")) }
                    button.danger { (words.say("members.erase_do")) }
                }
            }
        };
        let title = words.say("members.one").to_owned();
        Ok(Page { title, place: Some(Place::of(&gym, ways::MEMBERS)), main })
    });
    page.await
}

#[derive(Deserialize)]
pub struct Erasing {
    csrf: String,
    /// Ticked by who means it.
    sure: Option<String>,
}

/// Erases a member, once it was said twice.
pub async fn erase(
    app: web::Data<App>,
    visitor: Visitor,
    path: web::Path<(String, String)>,
    form: Form<Erasing>,
) -> HttpResponse {
    let (slug, account) = path.into_inner();
    let asked = async {
        visitor.check(&form.csrf)?;
        if form.sure.is_none() {
            let detail = "an erasure is said twice: tick that you mean it";
            return Err(
                Problem::new(Code::BadParameter, detail).as_message("members.erase_untold", &[])
            );
        }
        erasures::request(&app, visitor.access.clone(), slug.clone(), &account).await
    };
    let records = format!("/gyms/{slug}/members/erased");
    visitor.lead(asked.await, &records)
}
