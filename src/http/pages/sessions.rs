//! Who is signed in: the sessions that are open, ending one, and one's own password.

use actix_web::{HttpRequest, HttpResponse, web};
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::{Value, json};

use super::form::Form;
use super::people;
use super::sign_in::{address, signed_in};
use super::table::Cell::{self, Text};
use super::table::{Lead, listed};
use super::visitor::{Page, Visitor};
use super::ways::{self, Place};
use crate::clock;
use crate::domain::calendar::local;
use crate::http::auth::{Access, used_since};
use crate::http::problem::{Code, Problem};
use crate::http::{App, blocking};
use crate::projection::witness::settled;
use crate::store::{
    PASSWORD_BYTES_MAX, PASSWORD_CHARACTERS_MIN, Role, Secret, Session, User, hash_password,
    matches_password,
};

const COLUMNS: &[(&str, Cell)] = &[("/name", Text), ("/since", Text), ("/used", Text)];

/// The sessions that are open: one's own, and for an admin everybody's.
pub async fn all(app: web::Data<App>, visitor: Visitor) -> HttpResponse {
    let page = visitor.show(app, |visitor, snapshot| {
        let users = snapshot.users()?;
        let mut sessions = snapshot.sessions(used_since(clock::now()))?;
        sessions.retain(|session| may_end(&visitor.access, visitor.session.user, session.user));
        let own = users.iter().find(|user| user.id == visitor.session.user);
        let has_password = own.is_some_and(|user| user.password_hash.is_some());
        let main = html! {
            (list(visitor, &users, &sessions))
            (password_form(visitor, has_password))
        };
        let title = visitor.words.say("sessions.title").to_owned();
        Ok(Page { title, place: Some(Place::of_all(ways::SESSIONS)), main })
    });
    page.await
}

fn list(visitor: &Visitor, users: &[User], sessions: &[Session]) -> Markup {
    let words = visitor.words;
    let moment = |at| format!("{} UTC", words.moment(local(chrono_tz::UTC, at)));
    let rows = sessions.iter().map(|session| {
        let user = users.iter().find(|user| user.id == session.user);
        json!({
            "id": session.id,
            "name": user.map(|user| &user.reader.name),
            "since": moment(session.created_at),
            "used": moment(session.last_used_at),
        })
    });
    let button = |row: &Value| {
        html! {
            @if row["id"] == visitor.session.id { (words.say("sessions.this")) }
            @else { form method="post" {
                input type="hidden" name="csrf" value=(visitor.csrf);
                button name="session" value=(row["id"]) { (words.say("sessions.end")) }
            } }
        }
    };
    let rows: Vec<_> = rows.collect();
    listed(words, words.say("sessions.open"), COLUMNS, &rows, &Lead::Button(&button))
}

fn password_form(visitor: &Visitor, has_password: bool) -> Markup {
    let words = visitor.words;
    let minimum = words.whole(PASSWORD_CHARACTERS_MIN as i64);
    let input = |name: &str, key: &str, autocomplete: &str| {
        html! { label { (words.say(key)) input type="password" name=(name) autocomplete=(autocomplete)
        maxlength=(PASSWORD_BYTES_MAX) required; } }
    };
    html! {
        section {
            h2 { (words.say("sessions.password")) }
            p.note { (words.fill("sessions.password_note", &[&minimum])) }
            form.range method="post" action="/password" {
                input type="hidden" name="csrf" value=(visitor.csrf);
                // For what keeps passwords: it is not sent, and whose it is goes by the session.
                input type="text" autocomplete="username" value=(visitor.access.reader.name)
                    readonly hidden;
                @if has_password {
                    (input("current", "sessions.password_current", "current-password"))
                }
                (input("password", "sessions.password_new", "new-password"))
                button { (words.say("sessions.password_set")) }
            }
        }
    }
}

#[derive(Deserialize)]
pub struct Ending {
    csrf: String,
    /// The session to end.
    session: i64,
}

pub async fn end(app: web::Data<App>, visitor: Visitor, form: Form<Ending>) -> HttpResponse {
    visitor.lead(try_end(&app, &visitor, &form).await, "/sessions")
}

async fn try_end(app: &web::Data<App>, visitor: &Visitor, form: &Ending) -> Result<(), Problem> {
    visitor.check(&form.csrf)?;
    let (own, wanted, now) = (visitor.session.user, form.session, clock::now());
    let ended = visitor.access.write(app, Role::Viewer, move |tx, access| {
        let open = tx.view().sessions(used_since(now))?;
        let found = open.iter().find(|session| session.id == wanted);
        let is_found = found.is_some_and(|session| may_end(access, own, session.user));
        let none = || Problem::new(Code::NotFound, "there is no such session");
        is_found.then_some(()).ok_or_else(none)?;
        Ok(tx.end_session(wanted)?)
    });
    ended.await.map(drop)
}

/// Whether a session of a user may be ended by who is that user, or sees to all of them.
fn may_end(access: &Access, own: i64, user: i64) -> bool {
    user == own || people::may_open(access)
}

#[derive(Deserialize)]
pub struct NewPassword {
    csrf: String,
    /// Not asked for before there is one.
    #[serde(default)]
    current: String,
    password: String,
}

/// Sets one's own password, which ends all one's sessions and one's link, and begins a new session.
pub async fn set_password(
    app: web::Data<App>,
    request: HttpRequest,
    visitor: Visitor,
    form: Form<NewPassword>,
) -> HttpResponse {
    match try_set(&app, &request, &visitor, form.0).await {
        Ok(session) => signed_in(&app, &request, &session, "/sessions"),
        Err(problem) => visitor.say(&problem),
    }
}

async fn try_set(
    app: &web::Data<App>,
    request: &HttpRequest,
    visitor: &Visitor,
    form: NewPassword,
) -> Result<Secret, Problem> {
    visitor.check(&form.csrf)?;
    let refused = |key| Problem::new(Code::Forbidden, "no new password").as_message(key, &[]);
    // Who is signed in counts for themselves, as a browser that is known does: what strangers fail
    // with that name locks nobody out of a session.
    let name = &format!("\0{}", visitor.access.reader.name);
    let address = address(app, request);
    let user = visitor.session.user;
    let stored = blocking(app.clone(), move |snapshot| Ok(snapshot.user_by_id(user)?)).await?;
    let stored = stored.and_then(|user| user.password_hash);
    let lockout = &app.pages.lockout;
    if !lockout.begin(name, &address, clock::now()) {
        return Err(refused("sign_in.locked"));
    }
    let compared = stored.clone();
    let hashed = app.hashing.run(move |memory| {
        let is_known =
            compared.is_none() || matches_password(&form.current, compared.as_deref(), memory);
        is_known.then(|| hash_password(&form.password, memory))
    });
    let hash = hashed.await.inspect_err(|_| lockout.withdraw(name, &address))?;
    let hash = hash.ok_or_else(|| refused("sessions.password_wrong"))?;
    lockout.withdraw(name, &address);
    let hash = hash.ok_or_else(|| {
        let minimum = PASSWORD_CHARACTERS_MIN.to_string();
        let detail = format!("a password has at least {minimum} characters");
        Problem::new(Code::BadParameter, detail).as_message("sessions.password_note", &[&minimum])
    })?;
    replace(app, visitor, stored, hash).await
}

/// Puts a password in the place of the one that was compared, and begins a session.
async fn replace(
    app: &web::Data<App>,
    visitor: &Visitor,
    compared: Option<String>,
    hash: String,
) -> Result<Secret, Problem> {
    let (secret, user, now) = (Secret::fresh(""), visitor.session.user, clock::now());
    let session = secret.hash();
    let changed = Problem::new(Code::Forbidden, "the password was changed meanwhile")
        .as_message("sessions.password_wrong", &[]);
    let replaced = visitor.access.write(app, Role::Viewer, move |tx, _| {
        let stored = tx.view().user_by_id(user)?.and_then(|user| user.password_hash);
        if stored != compared {
            return Err(changed.clone().into());
        }
        tx.set_password(user, &hash)?;
        let settled = settled(&tx.view(), now)?;
        Ok(tx.add_session(user, &session, now, used_since(settled))?)
    });
    replaced.await.map(|()| secret)
}
