//! The choice of a language.

use actix_web::cookie::{Cookie, SameSite, time::Duration};
use actix_web::{HttpRequest, HttpResponse, web};

use super::visitor::back_to;
use super::words::{LANGUAGE_COOKIE, Words};

/// Keeps the choice for a year, and leads back to where it was made.
pub async fn choose(request: HttpRequest, code: web::Path<String>) -> HttpResponse {
    let mut answer = HttpResponse::SeeOther();
    if let Some(words) = Words::in_language(&code) {
        let cookie = Cookie::build(LANGUAGE_COOKIE, words.code).path("/").http_only(true);
        answer.cookie(cookie.same_site(SameSite::Lax).max_age(Duration::days(365)).finish());
    }
    answer.insert_header(("location", back_to(request.query_string()))).finish()
}
