//! Who looks at a page: signed in, with a language, and with a word that proves a form is ours.

use std::borrow::Cow;
use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::header::ContentType;
use actix_web::{FromRequest, HttpRequest, HttpResponse, HttpResponseBuilder, ResponseError, web};
use maud::Markup;

use super::fault;
use super::frame::{self, POLICY};
use super::range::KEPT;
use super::ways::Place;
use super::words::Words;
use crate::http::auth::{self, Access, session_secret};
use crate::http::problem::{Code, Problem, RETRY_AFTER_SECONDS};
use crate::http::{App, blocking, reporting};
use crate::store::{Gym, Role, SecretHash, Session, Snapshot};

/// The longest way back that is taken, in bytes.
const NEXT_BYTES_MAX: usize = 2_000;

/// Somebody who is signed in.
#[derive(Clone)]
pub struct Visitor {
    pub access: Access,
    pub session: Session,
    pub words: &'static Words,
    /// What every form of the same session holds, and nobody else can know.
    pub csrf: String,
    /// The path asked for, with its query.
    pub asked: String,
}

/// A page: its title, where it is, and what is in it.
pub struct Page {
    pub title: String,
    /// None of what could not be shown.
    pub place: Option<Place>,
    pub main: Markup,
}

/// Nobody is signed in: the way is to the sign-in page, and from there back.
#[derive(Debug)]
pub struct SignInFirst {
    asked: String,
}

impl Visitor {
    /// Shows a page, or the problem in its place.
    pub async fn show(
        self,
        app: web::Data<App>,
        page: impl FnOnce(&Visitor, &Snapshot<'_>) -> Result<Page, Problem> + Send + 'static,
    ) -> HttpResponse {
        self.show_as(HttpResponse::Ok(), app, page).await
    }

    /// Shows a form again under what is wrong with it; what else went wrong has a page of its own.
    pub async fn show_again(
        self,
        app: web::Data<App>,
        problem: Problem,
        form: impl FnOnce(&Visitor, &Snapshot<'_>, &Markup) -> Result<Page, Problem> + Send + 'static,
    ) -> HttpResponse {
        if !matches!(problem.code, Code::BadParameter | Code::NameTaken | Code::Conflict) {
            return self.say(&problem);
        }
        let status = HttpResponse::build(problem.status_code());
        let wrong = fault::wrong(self.words, &problem);
        self.show_as(status, app, move |visitor, snapshot| form(visitor, snapshot, &wrong)).await
    }

    async fn show_as(
        self,
        status: HttpResponseBuilder,
        app: web::Data<App>,
        page: impl FnOnce(&Visitor, &Snapshot<'_>) -> Result<Page, Problem> + Send + 'static,
    ) -> HttpResponse {
        let framed = |visitor: &Visitor, snapshot: &Snapshot<'_>| {
            let page = page(visitor, snapshot)?;
            Ok(frame::whole(visitor, &visitor.access.gyms(snapshot)?, &page))
        };
        self.draw(status, app, framed).await
    }

    /// Shows a page with the frame that it has itself, or the problem in its place.
    pub async fn draw(
        self,
        status: HttpResponseBuilder,
        app: web::Data<App>,
        page: impl FnOnce(&Visitor, &Snapshot<'_>) -> Result<Markup, Problem> + Send + 'static,
    ) -> HttpResponse {
        let visitor = self.clone();
        let page = reporting(app, move |snapshot| {
            visitor.access.again(snapshot)?;
            page(&visitor, snapshot)
        });
        match page.await {
            Ok(page) => answer(status, page),
            Err(problem) => self.say(&problem),
        }
    }

    /// What was asked for after the path.
    pub fn query(&self) -> &str {
        self.asked.split_once('?').map_or("", |(_, query)| query)
    }

    fn pairs(&self) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
        form_urlencoded::parse(self.query().as_bytes())
    }

    /// What was chosen of a range, as the query that every way carries on.
    pub fn kept(&self) -> String {
        let kept = self.pairs().filter(|(name, _)| KEPT.contains(&&**name));
        form_urlencoded::Serializer::new(String::new()).extend_pairs(kept).finish()
    }

    /// The gym that was chosen, on a page that is of none.
    pub fn chosen_gym(&self) -> Option<String> {
        let mut query = self.pairs();
        query.find(|(name, _)| name == "gym").map(|(_, slug)| slug.into_owned())
    }

    /// The page of a problem.
    pub fn say(&self, problem: &Problem) -> HttpResponse {
        let page = Page {
            title: self.words.say("problem.title").to_owned(),
            place: None,
            main: fault::say(self.words, problem),
        };
        let mut response = HttpResponse::build(problem.status_code());
        if problem.code == Code::Unavailable {
            response.insert_header(("retry-after", RETRY_AFTER_SECONDS.to_string()));
        }
        answer(response, frame::whole(self, &[], &page))
    }

    /// Leads on after a form was taken, so that loading the page again sends nothing again; or says
    /// why it was not.
    pub fn lead<T>(&self, taken: Result<T, Problem>, path: &str) -> HttpResponse {
        match taken {
            Ok(_) => HttpResponse::SeeOther().insert_header(("location", path)).finish(),
            Err(problem) => self.say(&problem),
        }
    }

    /// Whether a form is ours, sent from a page of the same session.
    pub fn check(&self, csrf: &str) -> Result<(), Problem> {
        if csrf == self.csrf {
            return Ok(());
        }
        let detail = "this form is of another session; open the page again";
        Err(Problem::new(Code::Forbidden, detail).as_message("problem.other_session", &[]))
    }
}

impl Visitor {
    /// The gym, when a form of ours came from somebody who may change it, as of when it is whole.
    pub async fn administered(
        &self,
        app: &web::Data<App>,
        csrf: &str,
        slug: String,
    ) -> Result<Gym, Problem> {
        self.check(csrf)?;
        self.access.require(Role::Admin)?;
        let access = self.access.clone();
        blocking(app.clone(), move |snapshot| access.gym(snapshot, &slug)).await
    }
}

impl FromRequest for Visitor {
    type Error = SignInFirst;
    type Future = Ready<Result<Visitor, SignInFirst>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let asked = request.uri().path_and_query().map_or("/", |path| path.as_str()).to_owned();
        ready(find(request, &asked).ok_or(SignInFirst { asked }))
    }
}

fn find(request: &HttpRequest, asked: &str) -> Option<Visitor> {
    let app = request.app_data::<web::Data<App>>().expect("every route has the app");
    let secret = session_secret(request)?;
    let hash = SecretHash::of(secret.as_bytes());
    let (session, user) = app.store.read(|snapshot| auth::session(snapshot, &hash)).ok()??;
    let id = session.id;
    auth::note_use(app, Some(session.last_used_at), move |tx, now| tx.mark_session_used(id, now));
    Some(Visitor {
        access: Access::of_session(user, hash),
        session,
        words: Words::of(request),
        csrf: SecretHash::of(format!("form {secret}").as_bytes()).to_hex(),
        asked: asked.to_owned(),
    })
}

impl std::fmt::Display for SignInFirst {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("nobody is signed in")
    }
}

impl ResponseError for SignInFirst {
    fn error_response(&self) -> HttpResponse {
        let location = format!("/sign-in?{}", frame::to_query(&self.asked));
        HttpResponse::SeeOther().insert_header(("location", location)).finish()
    }
}

/// Where a link led from, as `next` in a query: a path of ours, or the first page.
pub fn back_to(query: &str) -> String {
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    let next = pairs.find(|(name, _)| name == "next").map(|(_, next)| next.into_owned());
    next.filter(|next| is_path(next)).unwrap_or_else(|| "/".to_owned())
}

/// Whether a text is a path as our own links have it, with its query: nothing that a browser could
/// take for another host, and nothing that a header cannot hold.
fn is_path(next: &str) -> bool {
    let is_plain =
        |byte: u8| byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=:@/?".contains(&byte);
    let (path, _) = next.split_once('?').unwrap_or((next, ""));
    let Some(path) = path.strip_prefix('/') else { return false };
    let mut segments = path.split('/');
    let is_named = |segment: &str| !matches!(segment, "" | "." | "..");
    next.len() <= NEXT_BYTES_MAX
        && next.bytes().all(is_plain)
        && (path.is_empty() || segments.all(is_named))
}

/// An answer that shows HTML, and lets a browser load nothing that is not ours.
pub fn answer(mut answer: HttpResponseBuilder, page: Markup) -> HttpResponse {
    answer
        .insert_header(ContentType::html())
        .insert_header(("content-security-policy", POLICY))
        .insert_header(("referrer-policy", "same-origin"))
        .insert_header(("cache-control", "no-store"))
        .body(page.into_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_back_is_a_path_of_ours() {
        let to = |next: &str| {
            let query =
                form_urlencoded::Serializer::new(String::new()).append_pair("next", next).finish();
            back_to(&query)
        };
        for ours in [
            "/",
            "/gyms/berlin/reports/visits?range=today&compare=year",
            "/sign-in?next=%2Fgyms%2Fberlin",
            "/gyms/b%C3%A4r",
        ] {
            assert_eq!(to(ours), ours);
        }
        for foreign in [
            "",
            "gyms",
            "//evil.example",
            "///evil.example",
            "/\\evil.example",
            "\\evil.example",
            "/\t/evil.example",
            "/\n/evil.example",
            "/\r\nset-cookie: a=b",
            "\t//evil.example",
            " /gyms",
            "/ /evil.example",
            "https://evil.example",
            "javascript:alert(1)",
            "/\0",
            "/ä",
            "/./",
            "/.//evil.example",
            "/gyms/..//evil.example",
            "/gyms//evil.example",
            "/#//evil",
            "/\u{7f}",
            "/\u{2028}/evil.example",
            "/<script>",
            "/\"",
        ] {
            assert_eq!(to(foreign), "/", "{foreign:?}");
        }
        assert_eq!(to(&format!("/{}", "a".repeat(NEXT_BYTES_MAX))), "/");
        assert_eq!(back_to("next=/%09/evil.example"), "/");
        assert_eq!(back_to("next=%2F%5Cevil.example&next=/gyms"), "/");
        assert_eq!(back_to("next=%FF/gyms"), "/");
        assert_eq!(back_to(""), "/");
    }
}
