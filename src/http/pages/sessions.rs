//! Who is signed in: the sessions that are open, ending one, and one's own password.

use actix_web::{HttpRequest, HttpResponse, web};
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::{Value, json};

use super::people;
use super::sign_in::{address, begin};
use super::table::Cell::{self, Text};
use super::table::{Lead, listed};
use super::visitor::{Page, Visitor};
use crate::clock;
use crate::domain::calendar::local;
use crate::http::auth::used_since;
use crate::http::problem::{Code, Problem};
use crate::http::{App, blocking};
use crate::store::{
    PASSWORD_BYTES_MAX, PASSWORD_CHARACTERS_MIN, Session, User, hash_password, matches_password,
};

const COLUMNS: &[(&str, Cell)] = &[("/name", Text), ("/since", Text), ("/used", Text)];

/// The sessions that are open: one's own, and for an admin everybody's.
pub async fn all(app: web::Data<App>, visitor: Visitor) -> HttpResponse {
    let page = visitor.show(app, |visitor, snapshot| {
        let users = snapshot.users()?;
        let mut sessions = snapshot.sessions(used_since(clock::now()))?;
        sessions.retain(|session| may_end(visitor, session.user));
        let own = users.iter().find(|user| user.id == visitor.session.user);
        let has_password = own.is_some_and(|user| user.password_hash.is_some());
        let main = html! {
            (list(visitor, &users, &sessions))
            (password_form(visitor, has_password))
        };
        Ok(Page { title: visitor.words.say("sessions.title").to_owned(), main })
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

pub async fn end(app: web::Data<App>, visitor: Visitor, form: web::Form<Ending>) -> HttpResponse {
    visitor.lead(try_end(&app, &visitor, &form).await, "/sessions")
}

async fn try_end(app: &web::Data<App>, visitor: &Visitor, form: &Ending) -> Result<(), Problem> {
    visitor.check(&form.csrf)?;
    let open = blocking(app.clone(), |snapshot| Ok(snapshot.sessions(used_since(clock::now()))?));
    let open = open.await?;
    let found = open.iter().find(|session| session.id == form.session);
    let ended = found.filter(|session| may_end(visitor, session.user)).map(|session| session.id);
    let none = || Problem::new(Code::NotFound, "there is no such session");
    let ended = ended.ok_or_else(none)?;
    app.store.write(move |tx| tx.end_session(ended)).await?;
    Ok(())
}

fn may_end(visitor: &Visitor, user: i64) -> bool {
    user == visitor.session.user || people::may_open(visitor)
}

#[derive(Deserialize)]
pub struct NewPassword {
    csrf: String,
    /// Not asked for before there is one.
    #[serde(default)]
    current: String,
    password: String,
}

/// Sets one's own password, which ends all one's sessions, and begins a new one.
pub async fn set_password(
    app: web::Data<App>,
    request: HttpRequest,
    visitor: Visitor,
    form: web::Form<NewPassword>,
) -> HttpResponse {
    match try_set(&app, &request, &visitor, form.into_inner()).await {
        Ok(()) => begin(&app, &request, visitor.session.user, "/sessions".to_owned()).await,
        Err(problem) => visitor.say(&problem),
    }
}

async fn try_set(
    app: &web::Data<App>,
    request: &HttpRequest,
    visitor: &Visitor,
    form: NewPassword,
) -> Result<(), Problem> {
    visitor.check(&form.csrf)?;
    let refused = |code, key| Problem::new(code, visitor.words.say(key));
    let (name, address, now) =
        (visitor.access.reader.name.clone(), address(app, request), clock::now());
    if app.pages.lockout.is_locked(&name, &address, now) {
        return Err(refused(Code::Forbidden, "sign_in.locked"));
    }
    let asked = name.clone();
    let hashed = blocking(app.clone(), move |snapshot| {
        let stored = snapshot.user(&asked)?.and_then(|user| user.password_hash);
        let is_known = stored.is_none() || matches_password(&form.current, stored.as_deref());
        Ok(is_known.then(|| hash_password(&form.password)))
    });
    let Some(hash) = hashed.await? else {
        app.pages.lockout.note_failure(&name, &address, now);
        return Err(refused(Code::Forbidden, "sessions.password_wrong"));
    };
    let hash = hash.ok_or_else(|| {
        let minimum = PASSWORD_CHARACTERS_MIN.to_string();
        let detail = visitor.words.fill("sessions.password_note", &[&minimum]);
        Problem::new(Code::BadParameter, detail)
    })?;
    let user = visitor.session.user;
    Ok(app.store.write(move |tx| tx.set_password(user, &hash)).await?)
}
