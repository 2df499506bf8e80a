//! A gym that has closed, or was mistyped: archived, so that its reports stay, or removed with all
//! that is stored of it. For the role `admin`.

use actix_web::{HttpResponse, web};
use maud::{Markup, html};
use serde::Deserialize;

use super::form::Form;
use super::visitor::{Page, Visitor};
use super::ways::{self, Place};
use super::words::Words;
use crate::actions::gyms::Said;
use crate::http::App;
use crate::http::gym_changes::{apply, remove_one};
use crate::http::problem::{Code, Problem};
use crate::store::{Gym, Holdings, Role};

pub async fn one(app: web::Data<App>, visitor: Visitor, slug: web::Path<String>) -> HttpResponse {
    let page = visitor.show(app, move |visitor, snapshot| {
        visitor.access.require(Role::Admin)?;
        let gym = visitor.access.gym(snapshot, &slug)?;
        let holdings = snapshot.holdings(gym.id)?;
        let main = html! {
            (archive(visitor, &gym))
            (remove(visitor, &gym, &holdings))
        };
        let title = format!("{} – {}", gym.settings.name, visitor.words.say("leave.title"));
        Ok(Page { title, place: Some(Place::of(&gym, ways::SETTINGS)), main })
    });
    page.await
}

fn archive(visitor: &Visitor, gym: &Gym) -> Markup {
    let words = visitor.words;
    let (says, what, button) = if gym.archived_at.is_some() {
        ("leave.archived", "open", "leave.open")
    } else {
        ("leave.archive_note", "archive", "leave.archive")
    };
    html! {
        form.card.form method="post" {
            h2 { (words.say("leave.archive_title")) }
            p { (words.say(says)) }
            input type="hidden" name="csrf" value=(visitor.csrf);
            button name="do" value=(what) { (words.say(button)) }
        }
    }
}

fn remove(visitor: &Visitor, gym: &Gym, holdings: &Holdings) -> Markup {
    let words = visitor.words;
    html! {
        form.card.form method="post" {
            h2 { (words.say("leave.remove_title")) }
            p { (words.say("leave.remove_note")) }
            (goes(words, holdings))
            @if holdings.webhooks > 0 { p.alert { (words.say("leave.at_egym")) } }
            input type="hidden" name="csrf" value=(visitor.csrf);
            label { (words.fill("leave.sure", &[gym.slug.as_str()]))
                input name="sure" autocomplete="off" autocapitalize="none" spellcheck="false"
                    required; }
            button.danger name="do" value="remove" { (words.say("leave.remove")) }
        }
    }
}

/// What goes with the gym.
fn goes(words: &Words, holdings: &Holdings) -> Markup {
    let rows = [
        ("column.events", holdings.events),
        ("column.members", holdings.members),
        ("set_up.webhooks", holdings.webhooks),
        ("leave.quarantined", holdings.quarantined),
        ("annotations.title", holdings.annotations),
        ("people.users", holdings.users),
        ("people.tokens", holdings.tokens),
        ("set_up.erasures", holdings.erasures),
    ];
    html! {
        dl.facts { @for (key, count) in rows {
            div { dt { (words.say(key)) } dd { (words.whole(count)) } }
        } }
        p.note { (words.say("leave.users_note")) }
    }
}

#[derive(Deserialize)]
pub struct Wanted {
    csrf: String,
    /// `archive`, `open` or `remove`.
    r#do: String,
    /// The gym's short name, typed by who means it.
    sure: Option<String>,
}

pub async fn change(
    app: web::Data<App>,
    visitor: Visitor,
    slug: web::Path<String>,
    wanted: Form<Wanted>,
) -> HttpResponse {
    let slug = slug.into_inner();
    let is_removal = wanted.r#do == "remove";
    let changed = try_change(&app, &visitor, &slug, &wanted).await;
    let back = if is_removal { "/".to_owned() } else { format!("/gyms/{slug}/leave") };
    visitor.lead(changed, &back)
}

async fn try_change(
    app: &web::Data<App>,
    visitor: &Visitor,
    slug: &str,
    wanted: &Wanted,
) -> Result<(), Problem> {
    visitor.administered(app, &wanted.csrf, slug.to_owned()).await?;
    let bad = |detail: &str| Problem::new(Code::BadParameter, detail);
    let archived = match &*wanted.r#do {
        "archive" => true,
        "open" => false,
        "remove" if wanted.sure.as_deref().map(str::trim) == Some(slug) => {
            return remove_one(app, &visitor.access, slug.to_owned(), false).await.map(drop);
        }
        "remove" => {
            return Err(bad("type the gym's short name").as_message("leave.untold", &[slug]));
        }
        _ => return Err(bad("`do` is archive, open or remove")),
    };
    let said = Said { archived: Some(archived), ..Said::default() };
    apply(app, &visitor.access, slug.to_owned(), said, false).await.map(drop)
}
