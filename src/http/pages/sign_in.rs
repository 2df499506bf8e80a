//! Signing in, with a password or a link that is good once, and out.

use actix_web::cookie::{Cookie, SameSite, time::Duration};
use actix_web::{HttpRequest, HttpResponse, web};
use maud::{Markup, html};
use serde::Deserialize;

use super::form::{Form, foreign};
use super::lockout::LOCK_MINUTES;
use super::visitor::{Visitor, answer, back_to};
use super::words::Words;
use super::{first_admin, frame};
use crate::clock;
use crate::domain::names::visible;
use crate::http::auth::{SESSION_DAYS, cookie_name, is_from_here, known_name, used_since};
use crate::http::client_ip::{client_ip, holder};
use crate::http::own_address::is_https;
use crate::http::problem::{Problem, RETRY_AFTER_SECONDS};
use crate::http::{App, blocking};
use crate::projection::witness::settled;
use crate::store::{Secret, SecretHash, StoreError, Tx, WriteError, matches_password};

/// A browser stays known for so many days.
pub const KNOWN_DAYS: i64 = 365;

#[derive(Deserialize)]
pub struct Attempt {
    name: String,
    password: String,
}

pub async fn form(app: web::Data<App>, request: HttpRequest) -> HttpResponse {
    let words = Words::of(&request);
    if let Some(key) = first_admin::before_anybody(&app).await {
        return first_admin::say(words, &request, key);
    }
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
    let mut status = match failure {
        None => HttpResponse::Ok(),
        Some("sign_in.locked") => HttpResponse::TooManyRequests(),
        Some("sign_in.unavailable") => HttpResponse::ServiceUnavailable(),
        Some(_) => HttpResponse::Unauthorized(),
    };
    let retry_after = match failure {
        Some("sign_in.locked") => Some(LOCK_MINUTES * 60),
        Some("sign_in.unavailable") => Some(RETRY_AFTER_SECONDS.into()),
        _ => None,
    };
    if let Some(seconds) = retry_after {
        status.insert_header(("retry-after", seconds.to_string()));
    }
    answer(status, page)
}

/// Tries a name and a password. What fails looks the same, and takes as long, whatever was wrong.
pub async fn with_password(
    app: web::Data<App>,
    request: HttpRequest,
    attempt: Form<Attempt>,
) -> HttpResponse {
    let words = Words::of(&request);
    match try_password(&app, &request, attempt.0).await {
        Ok((session, known)) => {
            let answer = signed_in(&app, &request, &session, &back_to(request.query_string()));
            remembering(answer, &app, &request, &known)
        }
        Err(failure) => show_form(words, &request, Some(failure)),
    }
}

/// The secret of a session that was begun, and what its browser is known by from then on; or the
/// key of the message why there is none.
async fn try_password(
    app: &web::Data<App>,
    request: &HttpRequest,
    attempt: Attempt,
) -> Result<(Secret, String), &'static str> {
    let Attempt { name, password } = attempt;
    let (lockout, address) = (&app.pages.lockout, address(app, request));
    let asked = name.clone();
    let user = blocking(app.clone(), move |snapshot| Ok(snapshot.user(&asked)?));
    let user = user.await.map_err(|_| "sign_in.unavailable")?;
    let stored = user.as_ref().and_then(|user| user.password_hash.clone());
    let known = known_by(stored.as_deref().unwrap_or_default());
    let told = request.cookie(known_name(is_https(app, request)));
    let is_known = stored.is_some() && told.is_some_and(|told| told.value() == known);
    // A browser that is known counts for itself, under what no stranger can send: of theirs, what is
    // not seen is taken out.
    let name = if is_known { format!("\0{name}") } else { visible(&name) };
    if !lockout.begin(&name, &address, clock::now()) {
        return Err("sign_in.locked");
    }
    let unavailable = |_| {
        lockout.withdraw(&name, &address);
        "sign_in.unavailable"
    };
    let compared = stored.clone();
    let matches =
        app.hashing.run(move |memory| matches_password(&password, compared.as_deref(), memory));
    let is_right = matches.await.map_err(unavailable)?;
    let Some(user) = user.filter(|_| is_right).map(|user| user.id) else {
        tracing::info!(%address, "a sign-in failed");
        return Err("sign_in.failed");
    };
    lockout.succeed(&name, &address);
    let begun = begin(app, move |tx| {
        // Not by a password that was changed while it was compared.
        let now = tx.view().user_by_id(user)?;
        Ok(now.filter(|now| now.password_hash == stored).map(|now| now.id))
    });
    let session = begun.await.map_err(|_| "sign_in.unavailable")?.ok_or("sign_in.failed")?;
    Ok((session, known))
}

/// The same answer, to a browser that is known from then on.
pub fn remembering(
    mut answer: HttpResponse,
    app: &web::Data<App>,
    request: &HttpRequest,
    known: &str,
) -> HttpResponse {
    let mut known = cookie(app, request, known).max_age(Duration::days(KNOWN_DAYS)).finish();
    known.set_name(known_name(is_https(app, request)));
    drop(answer.add_cookie(&known));
    answer
}

/// What a browser is known by in which somebody signed in with this password: nobody else can make
/// it up, and it opens nothing. Strangers who fail with the name lock out strangers only.
pub fn known_by(password_hash: &str) -> String {
    SecretHash::of(format!("browser {password_hash}").as_bytes()).to_hex()
}

/// Asks before a link is used up, since who looks at a link first may be a program.
pub async fn ask(
    app: web::Data<App>,
    request: HttpRequest,
    link: web::Path<String>,
) -> HttpResponse {
    let words = Words::of(&request);
    let hash = SecretHash::of(link.as_bytes());
    let user = blocking(app, move |snapshot| {
        Ok(snapshot.user_by_link(&hash, settled(snapshot, clock::now())?)?)
    });
    let user = user.await;
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
) -> Result<HttpResponse, Problem> {
    // Else another site could sign somebody in as somebody else, without their noticing.
    if !is_from_here(&request) {
        return Err(foreign());
    }
    let hash = SecretHash::of(link.as_bytes());
    let taken = move |tx: &mut Tx<'_>| {
        let now = settled(&tx.view(), clock::now())?;
        Ok(tx.take_link(&hash, now)?.map(|user| user.id))
    };
    Ok(match begin(&app, taken).await {
        Ok(Some(session)) => signed_in(&app, &request, &session, "/"),
        Ok(None) => stale(Words::of(&request)),
        Err(_) => show_form(Words::of(&request), &request, Some("sign_in.unavailable")),
    })
}

fn stale(words: &Words) -> HttpResponse {
    let main: Markup = html! {
        p.note { (words.say("sign_in.stale")) }
        p { a href="/sign-in" { (words.say("sign_in.title")) } }
    };
    let page = frame::bare(words, words.say("sign_in.title"), "/sign-in", &main);
    answer(HttpResponse::NotFound(), page)
}

/// Who a request came from, as lock-out remembers it.
pub fn address(app: &App, request: &HttpRequest) -> String {
    client_ip(request, &app.trusted_proxies)
        .map(|from| holder(from).to_string())
        .unwrap_or_default()
}

/// Begins a session of the user whom somebody proves to be, in the same transaction; gives its
/// secret, or none when it is nobody.
pub async fn begin(
    app: &App,
    mut prove: impl FnMut(&mut Tx<'_>) -> Result<Option<i64>, StoreError> + Send + 'static,
) -> Result<Option<Secret>, WriteError> {
    let (secret, now) = (Secret::fresh(""), clock::now());
    let hash = secret.hash();
    let begun = app.store.write(move |tx| {
        let Some(user) = prove(tx)? else { return Ok(false) };
        let settled = settled(&tx.view(), now)?;
        tx.add_session(user, &hash, now, used_since(settled))?;
        Ok(true)
    });
    Ok(begun.await?.then_some(secret))
}

/// Leads on, with a session that was begun.
pub fn signed_in(
    app: &web::Data<App>,
    request: &HttpRequest,
    session: &Secret,
    next: &str,
) -> HttpResponse {
    let life = Duration::days(SESSION_DAYS);
    HttpResponse::SeeOther()
        .cookie(cookie(app, request, session.reveal()).max_age(life).finish())
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
    let is_https = is_https(app, request);
    let name = cookie_name(is_https);
    let cookie = Cookie::build(name, value.to_owned()).path("/").http_only(true);
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
    form: Form<Leaving>,
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
