//! The two ways to connect a gym: URL and secret to paste at EGYM, or EGYM's API key, with which
//! footfall does it. A secret is shown once, and a key is kept nowhere.

use actix_web::web;
use maud::{Markup, html};

use super::visitor::Visitor;
use super::words::Words;
use crate::actions;
use crate::actions::webhooks::path_of;
use crate::http::auth::Access;
use crate::http::problem::{Code, Problem};
use crate::http::{App, blocking, panics};
use crate::store::{Gym, Role, Secret, Tx};

/// A webhook with a secret that nobody has seen yet.
pub struct Fresh {
    pub webhook: String,
    pub secret: Secret,
}

/// Both ways, under what went wrong with one.
pub fn forms(visitor: &Visitor, app: &App, gym: &Gym, wrong: &Markup) -> Markup {
    let words = visitor.words;
    html! {
        p { (words.fill("connect.note", &[&gym.settings.name])) }
        (wrong)
        form.card.form method="post" {
            h2 { (words.say("connect.by_hand")) }
            p { (words.say("connect.by_hand_note")) }
            input type="hidden" name="csrf" value=(visitor.csrf);
            button { (words.say("connect.by_hand_do")) }
        }
        (by_key(visitor, app, gym))
    }
}

/// The way with EGYM's API key, where footfall knows its own address.
pub fn by_key(visitor: &Visitor, app: &App, gym: &Gym) -> Markup {
    let words = visitor.words;
    let is_possible = app.egym.is_some() && app.public_root.is_some();
    html! {
        form.card.form method="post" action={ "/gyms/" (gym.slug) "/connection" } {
            h2 { (words.say("connect.by_key")) }
            p { (words.say("connect.by_key_note")) }
            @if is_possible {
                input type="hidden" name="csrf" value=(visitor.csrf);
                label { (words.say("connect.key"))
                    input name="key" type="password" autocomplete="off" required;
                    span.note { (words.say("connect.key_note")) } }
                button { (words.say("connect.by_key_do")) }
            } @else {
                p.note { (words.say("connect.no_address")) }
            }
        }
    }
}

/// What is shown this once, to be copied, under messages that say what to do with it.
pub fn once(words: &Words, root: &str, fresh: &Fresh, says: (&str, &str)) -> Markup {
    let url = format!("{root}{}", path_of(&fresh.webhook));
    let row = |id: &str, key: &str, text: &str| {
        html! {
            dt { (words.say(key)) }
            dd.copied { code.long id=(id) { (text) }
                button type="button" hidden aria-live="polite" data-copy=(id)
                    data-copied=(words.say("connect.copied")) { (words.say("connect.copy")) }
            }
        }
    };
    html! {
        section.once {
            h2 { (words.say(says.0)) }
            p { (words.say(says.1)) }
            dl {
                (row("url", "connect.url", &url))
                (row("secret", "connect.secret", fresh.secret.reveal()))
            }
            p.alert { (words.say("connect.once")) }
        }
    }
}

/// Registers a webhook at EGYM by the code of `footfall egym register`, each transaction of which
/// looks whether who asks still may.
pub async fn register(
    app: &web::Data<App>,
    access: &Access,
    slug: String,
    key: String,
) -> Result<(), Problem> {
    access.require(Role::Admin)?;
    let (asks, wanted) = (access.clone(), slug.clone());
    let gym = blocking(app.clone(), move |snapshot| asks.gym(snapshot, &wanted)).await?;
    let none = || Problem::new(Code::Conflict, "nobody said how footfall is reached");
    let egym = app.egym.clone().filter(|_| app.public_root.is_some());
    let egym = egym.ok_or_else(|| none().as_message("connect.no_address", &[]))?;
    let asks = access.clone();
    // It goes on when the browser does not wait: half done is worse than late.
    let registered = panics::off_thread(move || {
        let may = move |tx: &Tx<'_>| {
            let now = asks.again(&tx.view()).and_then(|now| {
                now.require(Role::Admin)?;
                now.gym(&tx.view(), &slug)
            });
            now.map(drop).map_err(|problem| actions::Refused::Beyond(problem.detail))
        };
        egym.register(gym, key, &may)
    });
    Ok(registered.await??)
}
