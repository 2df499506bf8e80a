//! Changing a gym's webhooks: another secret, and the end of one. For the role `admin`.

use actix_web::{HttpRequest, HttpResponse, web};
use maud::{Markup, html};
use serde::Deserialize;

use super::connect::{self, Fresh};
use super::form::Form;
use super::frame;
use super::visitor::{Page, Visitor, answer};
use super::ways::{self, Place};
use crate::actions::webhooks::OVERLAP_HOURS;
use crate::http::own_address::root;
use crate::http::problem::{Code, Problem};
use crate::http::webhooks::{remove_one, rotate_one};
use crate::http::{App, blocking};
use crate::store::{Gym, Role};

/// What can be done with each webhook.
pub fn changes<'w>(
    visitor: &Visitor,
    gym: &Gym,
    webhooks: impl Iterator<Item = &'w str>,
) -> Markup {
    let words = visitor.words;
    let overlap = words.whole(OVERLAP_HOURS.into());
    let hidden = |webhook: &str| {
        html! {
            input type="hidden" name="csrf" value=(visitor.csrf);
            input type="hidden" name="webhook" value=(webhook);
        }
    };
    let action = format!("/gyms/{}/webhooks", gym.slug);
    html! {
        @for webhook in webhooks {
            details { summary { (words.fill("webhook.change", &[webhook])) }
                form.card.form method="post" action=(action) {
                    (hidden(webhook))
                    p { (words.say("webhook.rotate_note")) }
                    label { (words.say("webhook.overlap")) select name="overlap" {
                        option value=(OVERLAP_HOURS) { (words.fill("webhook.hours", &[&overlap])) }
                        option value="0" { (words.say("webhook.at_once")) }
                    } }
                    button name="do" value="rotate" { (words.say("webhook.rotate")) }
                }
                form.card.form method="post" action=(action) {
                    (hidden(webhook))
                    p { (words.say("webhook.remove_note")) }
                    label.check { input type="checkbox" name="sure" value="yes" required;
                        (words.say("webhook.sure")) }
                    button.danger name="do" value="remove" { (words.say("webhook.remove")) }
                }
            }
        }
        form method="post" action={ "/gyms/" (gym.slug) "/connection" } {
            input type="hidden" name="csrf" value=(visitor.csrf);
            button { (words.say("webhook.add")) }
        }
    }
}

#[derive(Deserialize)]
pub struct Wanted {
    csrf: String,
    /// `rotate` or `remove`.
    r#do: String,
    webhook: String,
    /// In hours: [`OVERLAP_HOURS`], or 0.
    overlap: Option<u32>,
    /// Ticked by who means it.
    sure: Option<String>,
}

pub async fn change(
    app: web::Data<App>,
    visitor: Visitor,
    request: HttpRequest,
    slug: web::Path<String>,
    wanted: Form<Wanted>,
) -> HttpResponse {
    let slug = slug.into_inner();
    let changed = try_change(&app, &visitor, &slug, wanted.0).await;
    match changed {
        Ok(Some((gym, fresh))) => {
            let says = ("webhook.paste", "webhook.paste_note");
            let main = html! {
                (connect::once(visitor.words, &root(&app, &request), &fresh, says))
                p { a href={ "/gyms/" (slug) "/set-up" } { (visitor.words.say("set_up.title")) } }
                (frame::script("forms.js"))
            };
            let title = format!("{} – {}", gym.settings.name, visitor.words.say("set_up.webhooks"));
            let page = Page { title, place: Some(Place::of(&gym, ways::SET_UP)), main };
            let gyms = std::slice::from_ref(&gym);
            answer(HttpResponse::Ok(), frame::whole(&visitor, gyms, &page))
        }
        other => visitor.lead(other, &format!("/gyms/{slug}/set-up")),
    }
}

/// With a secret that is to be shown once.
async fn try_change(
    app: &web::Data<App>,
    visitor: &Visitor,
    slug: &str,
    wanted: Wanted,
) -> Result<Option<(Gym, Fresh)>, Problem> {
    visitor.check(&wanted.csrf)?;
    visitor.access.require(Role::Admin)?;
    let bad = |detail: &str| Problem::new(Code::BadParameter, detail);
    let (access, webhook) = (&visitor.access, wanted.webhook);
    match (&*wanted.r#do, wanted.sure) {
        ("remove", Some(_)) => {
            remove_one(app, access, slug.to_owned(), webhook).await?;
            Ok(None)
        }
        ("remove", None) => Err(bad("tick that you mean it").as_message("webhook.untold", &[])),
        ("rotate", _) => {
            let overlap = wanted.overlap.unwrap_or(OVERLAP_HOURS);
            if ![0, OVERLAP_HOURS].contains(&overlap) {
                return Err(bad("`overlap` is one of those that the page names"));
            }
            let rotated = rotate_one(app, access, slug.to_owned(), webhook.clone(), overlap).await;
            let two =
                |problem: Problem| problem.as_message_if(Code::Conflict, "webhook.two_secrets");
            let secret = rotated.map_err(two)?;
            let (access, slug) = (access.clone(), slug.to_owned());
            let gym = blocking(app.clone(), move |snapshot| access.gym(snapshot, &slug)).await?;
            Ok(Some((gym, Fresh { webhook, secret })))
        }
        _ => Err(bad("`do` is rotate or remove")),
    }
}
