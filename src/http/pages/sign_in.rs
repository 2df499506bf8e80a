//! Signing in, with a password or a link that is good once, and out.

use actix_web::cookie::{Cookie, SameSite, time::Duration};
use actix_web::{HttpRequest, HttpResponse, web};
use maud::{Markup, html};
use serde::Deserialize;

use super::frame;
use super::visitor::{Visitor, answer, back_to};
use super::words::Words;
use crate::clock;
use crate::http::auth::{COOKIE, SESSION_DAYS, used_since};
use crate::http::origin::origin;
use crate::http::{App, blocking};
use crate::store::{Secret, SecretHash, matches_password};

#[derive(Deserialize)]
pub struct Attempt {
    name: String,
    password: String,
}

pub async fn form(request: HttpRequest) -> HttpResponse {
    let words = Words::of(&request);
    show_form(words, &request, None)
}

fn show_form(words: &Words, request: &HttpRequest, failure: Option<&str>) -> HttpResponse {
    let main = html! {
        @if let Some(failure) = failure { p.alert role="alert" { (words.say(failure)) } }
        form.card method="post" {
            label { (words.say("sign_in.name"))
                input name="name" autocomplete="username" required autofocus; }
            label { (words.say("sign_in.password"))
                input name="password" type="password" autocomplete="current-password" required; }
            button { (words.say("sign_in.do")) }
        }
        p.note { (words.say("sign_in.help")) }
    };
    let asked = request.uri().path_and_query().map_or("/sign-in", |path| path.as_str());
    let page = frame::bare(words, words.say("sign_in.title"), asked, &main);
    let status = match failure {
        None => HttpResponse::Ok(),
        Some("sign_in.locked") => HttpResponse::TooManyRequests(),
        Some("sign_in.foreign") => HttpResponse::Forbidden(),
        Some("sign_in.unavailable") => HttpResponse::ServiceUnavailable(),
        Some(_) => HttpResponse::Unauthorized(),
    };
    answer(status, page)
}

/// Tries a name and a password. What fails looks the same whatever was wrong.
pub async fn with_password(
    app: web::Data<App>,
    request: HttpRequest,
    attempt: web::Form<Attempt>,
) -> HttpResponse {
    let words = Words::of(&request);
    let Attempt { name, password } = attempt.into_inner();
    let (address, now) = (address(&app, &request), clock::now());
    if !is_from_here(&request) {
        return show_form(words, &request, Some("sign_in.foreign"));
    }
    if app.pages.lockout.is_locked(&name, &address, now) {
        return show_form(words, &request, Some("sign_in.locked"));
    }
    let asked = name.clone();
    let user = blocking(app.clone(), move |snapshot| {
        let user = snapshot.user(&asked)?;
        let hash = user.as_ref().and_then(|user| user.password_hash.as_deref());
        let matches = matches_password(&password, hash);
        Ok(user.filter(|_| matches))
    });
    match user.await {
        Ok(Some(user)) => {
            app.pages.lockout.note_success(&name);
            begin(&app, &request, user.id, back_to(request.query_string())).await
        }
        Ok(None) => {
            app.pages.lockout.note_failure(&name, &address, now);
            tracing::info!(%address, "a sign-in failed");
            show_form(words, &request, Some("sign_in.failed"))
        }
        Err(_) => show_form(words, &request, Some("sign_in.unavailable")),
    }
}

/// Asks before a link is used up, since who looks at a link first may be a program.
pub async fn ask(
    app: web::Data<App>,
    request: HttpRequest,
    link: web::Path<String>,
) -> HttpResponse {
    let words = Words::of(&request);
    let hash = SecretHash::of(link.as_bytes());
    let user = blocking(app, move |snapshot| Ok(snapshot.user_by_link(&hash, clock::now())?)).await;
    let Ok(Some(user)) = user else { return stale(words) };
    let main = html! {
        form.card method="post" {
            button { (words.fill("sign_in.as", &[&user.reader.name])) }
        }
    };
    let page = frame::bare(words, words.say("sign_in.title"), request.path(), &main);
    answer(HttpResponse::Ok(), page)
}

pub async fn with_link(
    app: web::Data<App>,
    request: HttpRequest,
    link: web::Path<String>,
) -> HttpResponse {
    // Else another site could sign somebody in as somebody else, without their noticing.
    if !is_from_here(&request) {
        return show_form(Words::of(&request), &request, Some("sign_in.foreign"));
    }
    let hash = SecretHash::of(link.as_bytes());
    let taken = app.store.write(move |tx| tx.take_link(&hash, clock::now())).await;
    let Ok(Some(user)) = taken else { return stale(Words::of(&request)) };
    begin(&app, &request, user.id, "/".to_owned()).await
}

fn stale(words: &Words) -> HttpResponse {
    let main: Markup = html! {
        p.note { (words.say("sign_in.stale")) }
        p { a href="/sign-in" { (words.say("sign_in.title")) } }
    };
    let page = frame::bare(words, words.say("sign_in.title"), "/sign-in", &main);
    answer(HttpResponse::NotFound(), page)
}

/// Where a request came from, as lock-out remembers it.
pub fn address(app: &App, request: &HttpRequest) -> String {
    origin(request, &app.trusted_proxies).map(|ip| ip.to_string()).unwrap_or_default()
}

/// Whether the browser says that a page of ours sent the form. Old ones say nothing.
fn is_from_here(request: &HttpRequest) -> bool {
    let site = request.headers().get("sec-fetch-site").and_then(|value| value.to_str().ok());
    site.is_none_or(|site| site == "same-origin" || site == "none")
}

/// Begins a session, and leads on.
pub async fn begin(
    app: &web::Data<App>,
    request: &HttpRequest,
    user: i64,
    next: String,
) -> HttpResponse {
    let secret = Secret::fresh("");
    let (hash, now) = (secret.hash(), clock::now());
    let begun = app.store.write(move |tx| tx.add_session(user, &hash, now, used_since(now))).await;
    if begun.is_err() {
        return show_form(Words::of(request), request, Some("sign_in.unavailable"));
    }
    let life = Duration::days(SESSION_DAYS);
    HttpResponse::SeeOther()
        .cookie(cookie(app, request, secret.reveal()).max_age(life).finish())
        .insert_header(("location", next))
        .finish()
}

/// The session's cookie: no script sees it, no other site sends it with a form, and it travels over
/// HTTPS only when it came by it.
fn cookie<'c>(
    app: &web::Data<App>,
    request: &HttpRequest,
    value: &str,
) -> actix_web::cookie::CookieBuilder<'c> {
    let is_https = app.certificate.is_some() || request.connection_info().scheme() == "https";
    let cookie = Cookie::build(COOKIE, value.to_owned()).path("/").http_only(true);
    cookie.same_site(SameSite::Lax).secure(is_https)
}

#[derive(Deserialize)]
pub struct Leaving {
    csrf: String,
}

pub async fn out(
    app: web::Data<App>,
    request: HttpRequest,
    visitor: Visitor,
    form: web::Form<Leaving>,
) -> HttpResponse {
    if let Err(problem) = visitor.check(&form.csrf) {
        return visitor.say(&problem);
    }
    let session = visitor.session.id;
    if let Err(error) = app.store.write(move |tx| tx.end_session(session)).await {
        return visitor.say(&error.into());
    }
    let mut answer = HttpResponse::SeeOther();
    let gone = cookie(&app, &request, "").max_age(Duration::ZERO).finish();
    answer.cookie(gone).insert_header(("location", "/sign-in")).finish()
}
