//! Adding a gym: what it is called, where it is, and how many it holds. For an `admin` of all gyms.

use actix_web::{HttpResponse, web};
use maud::{Markup, html};
use serde::Deserialize;

use super::form::Form;
use super::visitor::{Page, Visitor};
use super::ways::{self, Place};
use super::words::Words;
use super::{frame, people};
use crate::actions;
use crate::actions::gyms::{self, Said, nearest_zone};
use crate::clock;
use crate::domain::ids::{SLUG_CHARS_MAX, Slug};
use crate::domain::names::{self, NAME_CHARACTERS_MAX};
use crate::http::App;
use crate::http::auth::Refused;
use crate::http::problem::{Code, Problem};
use crate::store::Role;

/// Where people live, in names of time zones. Others are taken too, and not proposed.
const REGIONS: [&str; 10] = [
    "Africa",
    "America",
    "Antarctica",
    "Arctic",
    "Asia",
    "Atlantic",
    "Australia",
    "Europe",
    "Indian",
    "Pacific",
];

/// What the form holds, as it was typed.
#[derive(Clone, Default, Deserialize)]
pub struct Wanted {
    csrf: String,
    name: String,
    /// Empty: made from the name.
    slug: String,
    zone: String,
    /// Empty: not known.
    capacity: String,
}

pub async fn form(app: web::Data<App>, visitor: Visitor) -> HttpResponse {
    let page = visitor.show(app, |visitor, snapshot| {
        people::check(&visitor.access)?;
        let gyms = snapshot.gyms()?;
        // A chain's next gym is most often in the zone of its last.
        let zone = gyms.last().map_or("", |gym| gym.settings.zone.name()).to_owned();
        let wanted = Wanted { zone, ..Wanted::default() };
        Ok(page(visitor, gyms.is_empty(), &wanted, &html! {}))
    });
    page.await
}

fn page(visitor: &Visitor, is_first: bool, wanted: &Wanted, wrong: &Markup) -> Page {
    let words = visitor.words;
    let main = html! {
        @if is_first { p { (words.say("new_gym.first")) } }
        (wrong)
        form.card.form method="post" {
            input type="hidden" name="csrf" value=(visitor.csrf);
            label { (words.say("sign_in.name"))
                input name="name" value=(wanted.name) maxlength=(NAME_CHARACTERS_MAX)
                    autocomplete="organization" required autofocus data-names="slug"; }
            label { (words.say("new_gym.slug"))
                input #slug name="slug" value=(wanted.slug) maxlength=(SLUG_CHARS_MAX)
                    pattern="[a-z0-9]([a-z0-9\\-]*[a-z0-9])?" autocapitalize="none"
                    autocomplete="off" spellcheck="false";
                span.note { (words.say("new_gym.slug_note")) } }
            (zone_field(words, &wanted.zone))
            label { (words.say("set_up.capacity"))
                input name="capacity" type="number" min="0" value=(wanted.capacity);
                span.note { (words.say("new_gym.capacity_note")) } }
            button { (words.say("new_gym.do")) }
        }
        (frame::script("forms.js"))
    };
    let title = words.say("new_gym.title").to_owned();
    Page { title, place: Some(Place::of_all(ways::NEW_GYM)), main }
}

/// A time zone, to be found by a part of its name; the browser's own stands first.
pub fn zone_field(words: &Words, zone: &str) -> Markup {
    let names = chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name());
    let names = names
        .filter(|name| name.split_once('/').is_some_and(|(region, _)| REGIONS.contains(&region)));
    html! {
        label { (words.say("new_gym.zone"))
            input name="zone" value=(zone) list="zones" placeholder="Europe/Berlin" required
                autocomplete="off" autocapitalize="none" spellcheck="false" data-zone;
            span.note { (words.say("new_gym.zone_note")) } }
        datalist #zones { @for name in names { option value=(name) {} } option value="UTC" {} }
    }
}

pub async fn add(app: web::Data<App>, visitor: Visitor, wanted: Form<Wanted>) -> HttpResponse {
    match try_add(&app, &visitor, &wanted).await {
        Ok(slug) => {
            let next = format!("/gyms/{slug}/connection");
            HttpResponse::SeeOther().insert_header(("location", next)).finish()
        }
        Err(problem) => {
            let again = visitor.show_again(app, problem, move |visitor, snapshot, wrong| {
                Ok(page(visitor, snapshot.gyms()?.is_empty(), &wanted, wrong))
            });
            again.await
        }
    }
}

async fn try_add(
    app: &web::Data<App>,
    visitor: &Visitor,
    wanted: &Wanted,
) -> Result<Slug, Problem> {
    visitor.check(&wanted.csrf)?;
    people::check(&visitor.access)?;
    let (slug, said, now) = (wanted.slug()?, wanted.said()?, clock::now());
    let added = visitor.access.write(app, Role::Admin, move |tx, access| {
        match gyms::add(tx, access.by(), &slug, &said, now) {
            Ok(gym) => Ok(gym.slug),
            Err(refused) => Err(in_words(refused, &slug)),
        }
    });
    added.await
}

/// Why there is no such gym now, as the page says it.
fn in_words(refused: actions::Refused, slug: &Slug) -> Refused {
    let key = match &refused {
        actions::Refused::Taken(_) => "new_gym.taken",
        actions::Refused::Conflict(_) => "new_gym.leaving",
        actions::Refused::Beyond(_) => "people.for_all",
        actions::Refused::Bad(_) | actions::Refused::NotFound(_) | actions::Refused::Store(_) => {
            return refused.into();
        }
    };
    Problem::from(refused).as_message(key, &[slug.as_str()]).into()
}

impl Wanted {
    fn slug(&self) -> Result<Slug, Problem> {
        let slug = match self.slug.trim() {
            "" => Slug::proposed(&self.name),
            given => given.parse().ok(),
        };
        let detail = "the gym's short name has lower-case letters, digits and inner hyphens";
        slug.ok_or_else(|| bad(detail, "new_gym.bad_slug", &[]))
    }

    fn said(&self) -> Result<Said, Problem> {
        Ok(Said {
            name: Some(name(&self.name)?),
            time_zone: Some(zone(&self.zone)?),
            capacity: Some(capacity(&self.capacity)?),
            ..Said::default()
        })
    }
}

fn bad(detail: &str, key: &'static str, values: &[&str]) -> Problem {
    Problem::new(Code::BadParameter, detail).as_message(key, values)
}

/// The name of a gym, as it is kept.
pub fn name(given: &str) -> Result<String, Problem> {
    let most = NAME_CHARACTERS_MAX.to_string();
    names::name(given).map_err(|error| bad(&error.to_string(), "new_gym.bad_name", &[&most]))
}

/// A time zone's name, if there is one of that name.
pub fn zone(given: &str) -> Result<String, Problem> {
    let given = given.trim();
    if given.parse::<chrono_tz::Tz>().is_ok() {
        return Ok(given.to_owned());
    }
    Err(bad("there is no such time zone", "new_gym.bad_zone", &[nearest_zone(given)]))
}

/// A capacity; 0 when it is not known.
pub fn capacity(given: &str) -> Result<u32, Problem> {
    match given.trim() {
        "" => Ok(0),
        given => given
            .parse()
            .map_err(|_| bad("the capacity is no whole number", "rules.bad_capacity", &[])),
    }
}
