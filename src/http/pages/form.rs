//! A form that was sent: by a page of ours, and whole within a deadline. Who holds back the end of
//! one keeps nothing open for long.

use std::fmt;
use std::future::Future;
use std::ops::Deref;
use std::pin::Pin;
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest, HttpResponse, ResponseError, web};
use maud::html;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use super::frame;
use super::visitor::answer;
use super::words::Words;
use crate::http::auth::is_from_here;
use crate::http::problem::{Code, Problem};

/// A form must arrive within so many seconds.
pub const FORM_SECONDS_MAX: u64 = 10;

/// What a form of ours held.
pub struct Form<T>(pub T);

/// Why a form was not taken.
pub enum FormError {
    /// Another site sent it, in the words to say so.
    Foreign(&'static Words),
    Late,
    /// It is not what this page asks for.
    Wrong(String),
}

impl<T: DeserializeOwned + 'static> FromRequest for Form<T> {
    type Error = FormError;
    type Future = Pin<Box<dyn Future<Output = Result<Form<T>, FormError>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        if !is_from_here(request) {
            let foreign = FormError::Foreign(Words::of(request));
            return Box::pin(async { Err(foreign) });
        }
        let form = web::Form::<T>::from_request(request, payload);
        Box::pin(async {
            let form = timeout(Duration::from_secs(FORM_SECONDS_MAX), form).await;
            let form = form.map_err(|_| FormError::Late)?;
            Ok(Form(form.map_err(|error| FormError::Wrong(error.to_string()))?.into_inner()))
        })
    }
}

impl<T> Deref for Form<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl fmt::Debug for FormError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for FormError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            FormError::Foreign(_) => "the form came from another site",
            FormError::Late => "the form did not come whole",
            FormError::Wrong(why) => why,
        })
    }
}

impl ResponseError for FormError {
    fn error_response(&self) -> HttpResponse {
        match self {
            FormError::Foreign(words) => foreign(words),
            FormError::Late => {
                let detail = format!("a form must arrive within {FORM_SECONDS_MAX} s");
                Problem::new(Code::BodyIncomplete, detail).error_response()
            }
            FormError::Wrong(why) => Problem::new(Code::BadParameter, why.clone()).error_response(),
        }
    }
}

/// Says that another site sent a form.
pub fn foreign(words: &Words) -> HttpResponse {
    let main = html! {
        p.alert role="alert" { (words.say("sign_in.foreign")) }
        p { a href="/" { "footfall" } }
    };
    let page = frame::bare(words, words.say("problem.title"), "/", &main);
    answer(HttpResponse::Forbidden(), page)
}
