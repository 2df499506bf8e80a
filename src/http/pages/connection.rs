//! Connecting a gym to EGYM: a webhook, its TEST, its first check-in, its live number, and what to
//! look at while one of them does not come. For the role `admin`.

use actix_web::{HttpRequest, HttpResponse, web};
use maud::{Markup, html};
use serde::Deserialize;

use super::connect::{self, Fresh};
use super::form::Form;
use super::frame;
use super::now;
use super::visitor::{Page, Visitor, answer};
use super::ways::{self, Place};
use super::words::Words;
use crate::actions::webhooks::{SECRET_PREFIX, change_secret, path_of};
use crate::clock;
use crate::domain::Millis;
use crate::domain::calendar::local;
use crate::http::own_address::root;
use crate::http::problem::{Code, Problem};
use crate::http::webhooks::require_of;
use crate::http::{App, blocking};
use crate::projection::read;
use crate::store::{Gym, Role, Secret, Snapshot, StoreError, Webhook};

/// The page looks again after so many seconds, by itself or by its script.
const LOOK_SECONDS: u32 = 2;
/// Without the script, so that there is time to read.
const RELOAD_SECONDS: u32 = 10;

/// How far a gym is with EGYM.
enum Stage {
    /// EGYM's TEST has not come; if somebody came with another secret since, when.
    Test { turned_away: Option<Millis> },
    /// It came, and no member yet.
    Member,
    /// So many are there now.
    Live { present: u32 },
}

/// What is known of a gym's way to EGYM.
struct Connection {
    gym: Gym,
    /// The newest, through which something is to come.
    webhook: Webhook,
    url: String,
    stage: Stage,
}

impl Connection {
    /// None of a gym without a webhook.
    fn of(
        app: &App,
        snapshot: &Snapshot<'_>,
        gym: Gym,
        root: &str,
    ) -> Result<Option<Connection>, StoreError> {
        let Some(webhook) = snapshot.webhooks(Some(gym.id))?.pop() else { return Ok(None) };
        let stage = if !webhook.is_heard() {
            Stage::Test { turned_away: app.turned_away.since_it_was_heard(&webhook) }
        } else if read::first_event(snapshot, &gym)?.is_none() {
            Stage::Member
        } else {
            Stage::Live { present: read::occupancy_now(snapshot, &gym, clock::now())?.present }
        };
        let url = format!("{root}{}", path_of(&webhook.public_id));
        Ok(Some(Connection { gym, webhook, url, stage }))
    }
}

pub async fn one(
    app: web::Data<App>,
    visitor: Visitor,
    request: HttpRequest,
    slug: web::Path<String>,
) -> HttpResponse {
    let (seen, root) = (app.clone(), root(&app, &request));
    let page = visitor.show(app, move |visitor, snapshot| {
        visitor.access.require(Role::Admin)?;
        let gym = visitor.access.gym(snapshot, &slug)?;
        let main = match Connection::of(&seen, snapshot, gym.clone(), &root)? {
            None => connect::forms(visitor, &seen, &gym, &html! {}),
            Some(connection) => html! {
                (waiting(visitor, &connection, &root))
                noscript { meta http-equiv="refresh" content=(RELOAD_SECONDS); }
                (another_way(visitor, &seen, &connection))
            },
        };
        Ok(page(visitor, &gym, main))
    });
    page.await
}

fn page(visitor: &Visitor, gym: &Gym, main: Markup) -> Page {
    let title = format!("{} – {}", gym.settings.name, visitor.words.say("connect.title"));
    Page { title, place: Some(Place::of(gym, ways::CONNECTION)), main }
}

/// Where the gym is on its way, drawn anew as it goes on.
fn waiting(visitor: &Visitor, connection: &Connection, root: &str) -> Markup {
    let words = visitor.words;
    let (place, says) = match connection.stage {
        Stage::Test { .. } => (1, "connect.wait_test"),
        Stage::Member => (2, "connect.wait_member"),
        Stage::Live { .. } => (3, "connect.live"),
    };
    let stages = ["connect.stage_webhook", "connect.stage_test", "connect.stage_member"];
    html! {
        section data-every=(LOOK_SECONDS) {
            ol.stages { @for (number, key) in stages.into_iter().enumerate() {
                li.done[number < place].current[number == place]
                    aria-current=[(number == place).then_some("step")] {
                    span { (words.say(key))
                        @if number < place { span.sr { ": " (words.say("connect.done")) } } }
                }
            } }
            p role="status" { strong { (words.fill(says, &[&connection.gym.settings.name])) } }
            @match connection.stage {
                Stage::Test { turned_away } => (to_check(words, connection, turned_away, root)),
                Stage::Member => { p { (words.say("connect.member_note")) } }
                Stage::Live { present } => (live(words, &connection.gym, present)),
            }
        }
    }
}

/// What to look at while the TEST has not come.
fn to_check(
    words: &Words,
    connection: &Connection,
    turned_away: Option<Millis>,
    root: &str,
) -> Markup {
    let zone = connection.gym.settings.zone;
    html! {
        @if let Some(at) = turned_away {
            p.alert { (words.fill("connect.turned_away", &[&words.moment(local(zone, at))])) }
        }
        @if !root.starts_with("https://") {
            p.alert { (words.fill("connect.not_https", &[root])) }
        }
        p { (words.say("connect.check")) }
        ul {
            li { (words.say("connect.check_url")) " " code.long { (connection.url) } }
            li { (words.say("connect.check_test")) }
            li { (words.say("connect.check_outside")) }
            li { (words.say("connect.check_proxy")) }
        }
    }
}

/// The number, and what a gym that is connected may want next.
fn live(words: &Words, gym: &Gym, present: u32) -> Markup {
    html! {
        div.now { (now::count(words, gym, present)) }
        p { a.button href={ "/gyms/" (gym.slug) } { (words.fill("connect.open", &[&gym.settings.name])) } }
        p.note { (words.say("connect.next")) }
    }
}

/// For who lost the secret, or would rather let footfall do it.
fn another_way(visitor: &Visitor, app: &App, connection: &Connection) -> Markup {
    let words = visitor.words;
    html! {
        @if let Stage::Test { .. } = connection.stage {
            details { summary { (words.say("connect.other_way")) }
                form.card.form method="post" {
                    input type="hidden" name="csrf" value=(visitor.csrf);
                    p { (words.say("connect.lost")) }
                    button name="again" value=(connection.webhook.public_id) {
                        (words.say("connect.lost_do"))
                    }
                }
                (connect::by_key(visitor, app, &connection.gym))
            }
        }
    }
}

#[derive(Deserialize)]
pub struct Wanted {
    csrf: String,
    /// EGYM's API key, where footfall is to do the rest.
    key: Option<String>,
    /// The webhook that is to have another secret.
    again: Option<String>,
}

/// Makes a webhook, or gives the one that was made another secret, and shows it this once; or
/// registers one at EGYM.
pub async fn begin(
    app: web::Data<App>,
    visitor: Visitor,
    request: HttpRequest,
    slug: web::Path<String>,
    wanted: Form<Wanted>,
) -> HttpResponse {
    let slug = slug.into_inner();
    let Wanted { csrf, key, again } = wanted.0;
    if let Err(problem) = visitor.check(&csrf) {
        return visitor.say(&problem);
    }
    if let Some(key) = key {
        return by_key(app, visitor, slug, key).await;
    }
    match make(&app, &visitor, slug, again).await {
        Ok((gym, fresh)) => told_once(&app, &visitor, &request, gym, &fresh).await,
        Err(problem) => visitor.say(&problem),
    }
}

async fn make(
    app: &web::Data<App>,
    visitor: &Visitor,
    slug: String,
    again: Option<String>,
) -> Result<(Gym, Fresh), Problem> {
    let (secret, now) = (Secret::fresh(SECRET_PREFIX), clock::now());
    let hash = secret.hash();
    let made = visitor.access.write(app, Role::Admin, move |tx, access| {
        let gym = access.gym(&tx.view(), &slug)?;
        let Some(again) = again.clone() else {
            let webhook = tx.add_webhook(gym.id, &hash, now)?;
            return Ok((gym, webhook));
        };
        require_of(tx, gym.id, &again)?;
        // Nothing has come by the secret before: nobody uses it.
        let is_heard = tx.view().webhook(&again)?.is_some_and(|found| found.is_heard());
        if is_heard {
            return Err(in_use().into());
        }
        change_secret(tx, &again, &hash, 0, now)?;
        Ok((gym, again))
    });
    let (gym, webhook) = made.await?;
    Ok((gym, Fresh { webhook, secret }))
}

fn in_use() -> Problem {
    let detail = "the webhook's secret is in use; rotate it";
    Problem::new(Code::Conflict, detail).as_message("connect.in_use", &[])
}

/// URL and secret to copy, over what is waited for.
async fn told_once(
    app: &web::Data<App>,
    visitor: &Visitor,
    request: &HttpRequest,
    gym: Gym,
    fresh: &Fresh,
) -> HttpResponse {
    let (seen, root, of) = (app.clone(), root(app, request), gym.clone());
    let asked = root.clone();
    let found =
        blocking(app.clone(), move |snapshot| Ok(Connection::of(&seen, snapshot, of, &asked)?));
    let waiting = match found.await {
        Ok(Some(connection)) => waiting(visitor, &connection, &root),
        Ok(None) => html! {},
        Err(problem) => return visitor.say(&problem),
    };
    let main = html! {
        (connect::once(visitor.words, &root, fresh, ("connect.paste", "connect.paste_note")))
        (waiting)
        noscript { p { a href={ "/gyms/" (gym.slug) "/connection" } { (visitor.words.say("connect.go_on")) } } }
        (frame::script("forms.js"))
    };
    let gyms = std::slice::from_ref(&gym);
    answer(HttpResponse::Ok(), frame::whole(visitor, gyms, &page(visitor, &gym, main)))
}

/// Lets the program register a webhook at EGYM; the key goes with this call.
async fn by_key(app: web::Data<App>, visitor: Visitor, slug: String, key: String) -> HttpResponse {
    match connect::register(&app, &visitor.access, slug.clone(), key).await {
        Ok(()) => visitor.lead(Ok(()), &format!("/gyms/{slug}/connection")),
        Err(problem) => {
            let seen = app.clone();
            let again = visitor.show_again(app, problem, move |visitor, snapshot, wrong| {
                visitor.access.require(Role::Admin)?;
                let gym = visitor.access.gym(snapshot, &slug)?;
                let forms = connect::forms(visitor, &seen, &gym, wrong);
                Ok(page(visitor, &gym, forms))
            });
            again.await
        }
    }
}
