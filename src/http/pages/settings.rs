//! What a gym is called, where it is, how many it holds, how long its events are kept, and what
//! everybody may see. For the role `admin`.

use actix_web::{HttpResponse, web};
use maud::{Markup, html};
use serde::Deserialize;

use super::form::Form;
use super::visitor::{Page, Visitor};
use super::ways::{self, Place};
use super::{frame, new_gym};
use crate::actions::gyms::{Retain, Said};
use crate::domain::names::NAME_CHARACTERS_MAX;
use crate::domain::report::busy::Public;
use crate::domain::rules::{RETAIN_MONTHS_MAX, RETAIN_MONTHS_MIN, retain_months};
use crate::http::App;
use crate::http::gym_changes::{Became, apply};
use crate::http::problem::{Code, Problem};
use crate::store::{Gym, Role, Snapshot, StoreError};

/// After a form was taken.
const SAVED: &str = "saved=yes";

/// What the form holds, as it was typed. What is left out stays as it is.
#[derive(Clone, Default, Deserialize)]
pub struct Wanted {
    csrf: String,
    name: Option<String>,
    zone: Option<String>,
    /// Empty or 0: not known.
    capacity: Option<String>,
    /// Months; empty: for ever.
    retain: Option<String>,
    public: Option<String>,
    /// Ticked by who means it that events go.
    shorter: Option<String>,
    /// Ticked by who means it that frozen days keep the zone that they had.
    frozen: Option<String>,
}

impl Wanted {
    fn of(gym: &Gym) -> Wanted {
        let settings = &gym.settings;
        let number = |number: Option<u32>| Some(number.map_or(String::new(), |it| it.to_string()));
        Wanted {
            name: Some(settings.name.clone()),
            zone: Some(settings.zone.name().to_owned()),
            capacity: number(settings.capacity),
            retain: number(settings.retain_months),
            public: Some(settings.public.name().to_owned()),
            ..Wanted::default()
        }
    }

    fn said(&self, gym: &Gym) -> Result<Said, Problem> {
        let bad = |detail: &str| Problem::new(Code::BadParameter, detail);
        let public = self.public.as_deref().map(|word| {
            Public::from_name(word).ok_or_else(|| bad("`public` is off, levels or percent"))
        });
        let (public, capacity) =
            (public.transpose()?, self.capacity.as_deref().map(new_gym::capacity).transpose()?);
        let holds = capacity.or(gym.settings.capacity).unwrap_or(0);
        if public.unwrap_or(gym.settings.public) != Public::Off && holds == 0 {
            let detail = "what everybody may see is told in terms of the capacity";
            return Err(bad(detail).as_message("settings.needs_capacity", &[]));
        }
        Ok(Said {
            name: self.name.as_deref().map(new_gym::name).transpose()?,
            time_zone: self.zone.as_deref().map(new_gym::zone).transpose()?,
            capacity,
            retain: self.retain(gym)?,
            public,
            frozen_days_keep_zone: self.frozen.is_some(),
            ..Said::default()
        })
    }

    /// For how long events are kept. What would go then goes for good, so it is said twice.
    fn retain(&self, gym: &Gym) -> Result<Option<Retain>, Problem> {
        let Some(given) = self.retain.as_deref().map(str::trim) else { return Ok(None) };
        if given.is_empty() {
            return Ok(Some(Retain::ForEver));
        }
        let bounds = [RETAIN_MONTHS_MIN, RETAIN_MONTHS_MAX].map(|months| months.to_string());
        let bad = || {
            let detail = "events are kept for a number of months, or for ever";
            let values = bounds.each_ref().map(String::as_str);
            Problem::new(Code::BadParameter, detail).as_message("settings.bad_months", &values)
        };
        let months = given.parse().ok().and_then(|months| retain_months(months).ok());
        let months = months.ok_or_else(bad)?;
        if gym.settings.retain_months.is_none_or(|now| months < now) && self.shorter.is_none() {
            let detail = "events that are older go for good: tick that you mean it";
            let problem = Problem::new(Code::BadParameter, detail);
            return Err(problem.as_message("settings.shorter_untold", &[]));
        }
        Ok(Some(Retain::Months(months)))
    }
}

pub async fn one(app: web::Data<App>, visitor: Visitor, slug: web::Path<String>) -> HttpResponse {
    let page = visitor.show(app, move |visitor, snapshot| {
        visitor.access.require(Role::Admin)?;
        let gym = visitor.access.gym(snapshot, &slug)?;
        let saved = html! {
            @if visitor.query() == SAVED { p role="status" { (visitor.words.say("settings.saved")) } }
        };
        Ok(page(visitor, snapshot, &gym, &Wanted::of(&gym), &saved)?)
    });
    page.await
}

fn page(
    visitor: &Visitor,
    snapshot: &Snapshot<'_>,
    gym: &Gym,
    wanted: &Wanted,
    said: &Markup,
) -> Result<Page, StoreError> {
    let words = visitor.words;
    let has_frozen_days = snapshot.has_frozen_days(gym.id)?;
    let main = html! {
        (said)
        form.card.form method="post" {
            input type="hidden" name="csrf" value=(visitor.csrf);
            label { (words.say("sign_in.name"))
                input name="name" value=[&wanted.name] maxlength=(NAME_CHARACTERS_MAX) required; }
            (new_gym::zone_field(words, wanted.zone.as_deref().unwrap_or_default()))
            p.note { (words.say("settings.zone_note")) }
            @if has_frozen_days {
                label.check { input type="checkbox" name="frozen" value="yes";
                    (words.say("settings.frozen_keep")) }
            }
            label { (words.say("set_up.capacity"))
                input type="number" name="capacity" min="0" value=[&wanted.capacity]; }
            (public_field(visitor, gym, wanted))
            label { (words.say("settings.retain"))
                input type="number" name="retain" min=(RETAIN_MONTHS_MIN) max=(RETAIN_MONTHS_MAX)
                    value=[&wanted.retain];
                span.note { (words.say("settings.retain_note")) } }
            label.check { input type="checkbox" name="shorter" value="yes";
                (words.say("settings.shorter")) }
            button { (words.say("rules.save")) }
        }
        p { a href={ "/gyms/" (gym.slug) "/leave" } { (words.say("leave.title")) } }
        (frame::script("forms.js"))
    };
    let title = format!("{} – {}", gym.settings.name, words.say("settings.title"));
    Ok(Page { title, place: Some(Place::of(gym, ways::SETTINGS)), main })
}

fn public_field(visitor: &Visitor, gym: &Gym, wanted: &Wanted) -> Markup {
    let words = visitor.words;
    html! {
        label { (words.say("set_up.public"))
            select name="public" { @for public in Public::ALL {
                option value=(public.name())
                    selected[wanted.public.as_deref() == Some(public.name())] {
                    (words.say(&format!("set_up.public_{}", public.name())))
                }
            } }
        }
        p.note { (words.say("rules.public_note")) " "
            a href={ "/busy/" (gym.slug) } { "/busy/" (gym.slug) } }
    }
}

/// Changes a gym; another zone counts it again, which its rules show.
pub async fn set(
    app: web::Data<App>,
    visitor: Visitor,
    slug: web::Path<String>,
    wanted: Form<Wanted>,
) -> HttpResponse {
    let slug = slug.into_inner();
    match try_set(&app, &visitor, &slug, &wanted).await {
        Ok(Became::Counted) => visitor.lead(Ok(()), &format!("/gyms/{slug}/rules")),
        Ok(Became::Made | Became::Changed) => {
            visitor.lead(Ok(()), &format!("/gyms/{slug}/settings?{SAVED}"))
        }
        Err(problem) => {
            let again = visitor.show_again(app, problem, move |visitor, snapshot, wrong| {
                let gym = visitor.access.gym(snapshot, &slug)?;
                Ok(page(visitor, snapshot, &gym, &wanted, wrong)?)
            });
            again.await
        }
    }
}

async fn try_set(
    app: &web::Data<App>,
    visitor: &Visitor,
    slug: &str,
    wanted: &Wanted,
) -> Result<Became, Problem> {
    let gym = visitor.administered(app, &wanted.csrf, slug.to_owned()).await?;
    let mut said = wanted.said(&gym)?;
    // The zone that it has is no change that would have to wait for a recount.
    said.time_zone = said.time_zone.filter(|zone| zone != gym.settings.zone.name());
    let applied = apply(app, &visitor.access, slug.to_owned(), said, false).await;
    let frozen = |problem: Problem| problem.as_message_if(Code::Conflict, "settings.frozen");
    applied.map(|(_, became)| became).map_err(frozen)
}
