//! The page in place of one whose making panicked.

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::{Error, HttpRequest, HttpResponse};
use maud::html;

use super::frame;
use super::visitor::answer;
use super::words::Words;
use crate::http::panics;

/// Answers the panic of a page as a page.
pub async fn as_page(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    panics::caught(request, next, show).await
}

fn show(request: &HttpRequest) -> HttpResponse {
    let words = Words::of(request);
    let main = html! { p.note { (words.say("problem.fault")) } };
    let page = frame::bare(words, words.say("problem.title"), request.path(), &main);
    answer(HttpResponse::InternalServerError(), page)
}
