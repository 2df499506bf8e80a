//! What went wrong, as people read it: in their language, with a way on. Programs read problems.

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::ACCEPT;
use actix_web::middleware::Next;
use actix_web::{Error, HttpRequest, HttpResponse, ResponseError};
use maud::{Markup, html};

use super::frame;
use super::visitor::answer;
use super::words::Words;
use crate::http::panics;
use crate::http::problem::{Code, Problem};

/// Where programs ask: what they get is a problem, whatever they say that they accept.
const OF_PROGRAMS: [&str; 5] = ["/api/", "/webhooks/", "/metrics", "/healthz", "/readyz"];

/// Answers the panic of a page as a page.
pub async fn as_page(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    panics::caught(request, next, |request| show(request, &panics::fault())).await
}

/// Turns the problem that a person would get into a page.
pub async fn for_people(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let is_person = is_of_person(request.request());
    let answer = next.call(request).await?.map_into_boxed_body();
    let problem = problem_of(answer.response()).filter(|_| is_person);
    let Some(problem) = problem else { return Ok(answer) };
    let (request, before) = answer.into_parts();
    let mut page = show(&request, &problem);
    // What holds of the problem holds of its page: when to try again, what is taken here.
    for (name, value) in before.headers() {
        if !page.headers().contains_key(name) {
            page.headers_mut().insert(name.clone(), value.clone());
        }
    }
    Ok(ServiceResponse::new(request, page))
}

fn problem_of(answer: &HttpResponse) -> Option<Problem> {
    let of_error = answer.error().and_then(|error| error.as_error::<Problem>()).cloned();
    of_error.or_else(|| answer.extensions().get::<Problem>().cloned())
}

fn is_of_person(request: &HttpRequest) -> bool {
    let accept = request.headers().get(ACCEPT).and_then(|accept| accept.to_str().ok());
    let is_of_program = OF_PROGRAMS.iter().any(|path| request.path().starts_with(path));
    !is_of_program && accept.is_some_and(|accept| accept.contains("text/html"))
}

fn show(request: &HttpRequest, problem: &Problem) -> HttpResponse {
    let words = Words::of(request);
    let page = frame::bare(words, words.say("problem.title"), request.path(), &say(words, problem));
    answer(HttpResponse::build(problem.status_code()), page)
}

/// What a problem is to a person, with a way back.
pub fn say(words: &Words, problem: &Problem) -> Markup {
    html! {
        (wrong(words, problem))
        p { a href="/" { (words.say("problem.back")) } }
    }
}

/// What is wrong. Where only its kind can be said in their language, the rest is there as the API
/// says it, for whom they ask.
pub fn wrong(words: &Words, problem: &Problem) -> Markup {
    let (kind, is_for_people) = kind(problem.code);
    html! {
        p.alert role="alert" {
            @match &problem.on_pages {
                Some(said) => {
                    @let values: Vec<_> = said.values.iter().map(String::as_str).collect();
                    (words.fill(said.key, &values))
                }
                None => (words.say(kind)),
            }
        }
        @if problem.on_pages.is_none() && is_for_people {
            details { summary { (words.say("problem.detail")) } p lang="en" { (problem.detail) } }
        }
    }
}

/// The message of a kind of problem, and whether its details can help whoever made it.
fn kind(code: Code) -> (&'static str, bool) {
    match code {
        Code::Unauthorized => ("problem.unauthorized", false),
        Code::Forbidden => ("problem.forbidden", false),
        Code::NotFound => ("problem.not_found", false),
        Code::MethodNotAllowed => ("problem.method_not_allowed", false),
        Code::BodyTooLarge => ("problem.body_too_large", true),
        Code::BodyIncomplete => ("problem.body_incomplete", true),
        Code::NotJson => ("problem.not_json", true),
        Code::WrongShape => ("problem.wrong_shape", true),
        Code::TimeTooEarly => ("problem.time_too_early", true),
        Code::TimeInFuture => ("problem.time_in_future", true),
        Code::StretchFull => ("problem.stretch_full", true),
        Code::BeyondRetention => ("problem.beyond_retention", true),
        Code::BadParameter => ("problem.bad_parameter", true),
        Code::BadRange => ("problem.bad_range", true),
        Code::TooManyBuckets => ("problem.too_many_buckets", false),
        Code::StaleCursor => ("problem.stale_cursor", true),
        Code::NameTaken => ("problem.name_taken", false),
        Code::Conflict => ("problem.conflict", true),
        Code::Unavailable => ("problem.unavailable", false),
        Code::Internal => ("problem.fault", false),
    }
}
