//! The first admin, made by who holds the link that the start has printed. Once there is a user, no
//! link makes another.

use std::time::Instant;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, ResponseError, web};
use maud::html;
use serde::Deserialize;

use super::form::Form;
use super::sign_in::{begin, known_by, remembering, signed_in};
use super::visitor::answer;
use super::words::Words;
use super::{fault, frame};
use crate::actions::{self, readers};
use crate::clock;
use crate::domain::names::NAME_CHARACTERS_MAX;
use crate::http::first_admin::FIRST_ADMIN_MINUTES;
use crate::http::problem::{Code, Problem};
use crate::http::{App, blocking};
use crate::store::{PASSWORD_BYTES_MAX, PASSWORD_CHARACTERS_MIN, Role, Secret, hash_password};

/// Who wants to be the first admin.
#[derive(Default, Deserialize)]
pub struct Wanted {
    /// The secret of the link.
    code: String,
    name: String,
    password: String,
}

/// Whether there is no user yet, and if so, whether a link is good.
async fn stage(app: &web::Data<App>) -> Result<(bool, bool), Problem> {
    let is_open = app.first_admin.as_ref().is_some_and(|first| first.is_open(Instant::now()));
    let is_missing = blocking(app.clone(), |snapshot| Ok(snapshot.users()?.is_empty()));
    Ok((is_missing.await?, is_open))
}

/// What the page shows in place of its form: the key of the message.
async fn closed(app: &web::Data<App>) -> Result<Option<&'static str>, Problem> {
    Ok(match stage(app).await? {
        (false, _) => Some("first.taken"),
        (true, false) => Some("first.late"),
        (true, true) => None,
    })
}

/// What whoever wants to sign in is told while nobody can: the key of the message.
pub async fn before_anybody(app: &web::Data<App>) -> Option<&'static str> {
    app.first_admin.as_ref()?;
    match stage(app).await.ok()? {
        (false, _) => None,
        (true, false) => Some("first.late"),
        (true, true) => Some("first.look"),
    }
}

/// Says where the link is.
pub fn say(words: &Words, request: &HttpRequest, key: &str) -> HttpResponse {
    let minutes = words.whole(FIRST_ADMIN_MINUTES.cast_signed());
    let main = html! { p { (words.fill(key, &[&minutes])) } };
    let page = frame::bare(words, words.say("first.title"), request.path(), &main);
    answer(HttpResponse::Ok(), page)
}

pub async fn form(app: web::Data<App>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let words = Words::of(&request);
    Ok(match closed(&app).await? {
        Some(key) => gone(words, &request, key),
        None => show(words, &request, &Wanted::default(), None),
    })
}

fn gone(words: &Words, request: &HttpRequest, key: &str) -> HttpResponse {
    let main = html! {
        p { (words.say(key)) }
        p { a href="/sign-in" { (words.say("sign_in.title")) } }
    };
    let page = frame::bare(words, words.say("first.title"), request.path(), &main);
    answer(HttpResponse::NotFound(), page)
}

fn show(
    words: &Words,
    request: &HttpRequest,
    wanted: &Wanted,
    problem: Option<&Problem>,
) -> HttpResponse {
    let minimum = words.whole(PASSWORD_CHARACTERS_MIN as i64);
    let main = html! {
        p { (words.say("first.note")) }
        @if let Some(problem) = problem { (fault::wrong(words, problem)) }
        form.card.form method="post" {
            // The script takes it out of the address, and hides it.
            label data-of-address { (words.say("first.code"))
                input name="code" value=(wanted.code) autocomplete="off" required;
                span.note { (words.say("first.code_note")) } }
            label { (words.say("sign_in.name"))
                input name="name" value=(wanted.name) maxlength=(NAME_CHARACTERS_MAX)
                    autocomplete="username" required autofocus; }
            label { (words.say("sign_in.password"))
                input name="password" type="password" autocomplete="new-password"
                    maxlength=(PASSWORD_BYTES_MAX) required;
                span.note { (words.fill("first.password_note", &[&minimum])) } }
            button { (words.say("first.do")) }
        }
        (frame::script("forms.js"))
    };
    let page = frame::bare(words, words.say("first.title"), request.path(), &main);
    answer(HttpResponse::build(problem.map_or(StatusCode::OK, Problem::status_code)), page)
}

pub async fn make(
    app: web::Data<App>,
    request: HttpRequest,
    mut wanted: Form<Wanted>,
) -> Result<HttpResponse, Problem> {
    let words = Words::of(&request);
    if let Some(key) = closed(&app).await? {
        return Ok(gone(words, &request, key));
    }
    match try_make(&app, &wanted.0).await {
        Ok(Some((session, known))) => {
            let next = if has_gyms(&app).await? { "/" } else { "/new-gym" };
            let answer = signed_in(&app, &request, &session, next);
            Ok(remembering(answer, &app, &request, &known))
        }
        Ok(None) => Ok(gone(words, &request, "first.taken")),
        Err(problem) if problem.code == Code::Unavailable => Err(problem),
        Err(problem) => {
            if problem.code == Code::Forbidden {
                wanted.0.code.clear();
            }
            Ok(show(words, &request, &wanted.0, Some(&problem)))
        }
    }
}

async fn has_gyms(app: &web::Data<App>) -> Result<bool, Problem> {
    blocking(app.clone(), |snapshot| Ok(!snapshot.gyms()?.is_empty())).await
}

/// A session of the first admin, and what their browser is known by; none when another was faster.
async fn try_make(
    app: &web::Data<App>,
    wanted: &Wanted,
) -> Result<Option<(Secret, String)>, Problem> {
    let first = app.first_admin.as_ref();
    if !first.is_some_and(|first| first.is_good(&wanted.code, Instant::now())) {
        let wrong = Problem::new(Code::Forbidden, "that is not the secret of the link");
        return Err(wrong.as_message("first.wrong", &[]));
    }
    let reader = readers::reader(&wanted.name, Role::Admin, None)
        .map_err(|refused| Problem::from(refused).as_message("first.bad_name", &[]))?;
    let password = wanted.password.clone();
    let hash = app.hashing.run(move |memory| hash_password(&password, memory)).await?;
    let minimum = PASSWORD_CHARACTERS_MIN.to_string();
    let hash = hash.ok_or_else(|| {
        let detail = format!("a password has at least {minimum} characters");
        Problem::new(Code::BadParameter, detail).as_message("first.password_note", &[&minimum])
    })?;
    let (known, now) = (known_by(&hash), clock::now());
    let session = begin(app, move |tx| {
        match readers::add_first_admin(tx, &reader, &hash, now) {
            Ok(id) => Ok(Some(id)),
            Err(actions::Refused::Store(error)) => Err(error),
            // Another was faster.
            Err(_) => Ok(None),
        }
    });
    Ok(session.await?.map(|session| (session, known)))
}
