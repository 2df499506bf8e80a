//! A form that was sent: by a page of ours, and whole within a deadline. Who holds back the end of
//! one keeps nothing open for long.

use std::future::Future;
use std::ops::Deref;
use std::pin::Pin;
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest, web};
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use crate::http::auth::is_from_here;
use crate::http::problem::{Code, Problem};

/// A form must arrive within so many seconds.
pub const FORM_SECONDS_MAX: u64 = 10;

/// What a form of ours held.
pub struct Form<T>(pub T);

impl<T: DeserializeOwned + 'static> FromRequest for Form<T> {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Form<T>, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        if !is_from_here(request) {
            return Box::pin(async { Err(foreign()) });
        }
        let form = web::Form::<T>::from_request(request, payload);
        Box::pin(async {
            let form = timeout(Duration::from_secs(FORM_SECONDS_MAX), form).await;
            let form = form.map_err(|_| late())?;
            let wrong =
                |error: actix_web::Error| Problem::new(Code::BadParameter, error.to_string());
            Ok(Form(form.map_err(wrong)?.into_inner()))
        })
    }
}

impl<T> Deref for Form<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

/// Another site sent a form.
pub fn foreign() -> Problem {
    Problem::new(Code::Forbidden, "the form came from another site")
        .as_message("sign_in.foreign", &[])
}

fn late() -> Problem {
    let detail = format!("a form must arrive within {FORM_SECONDS_MAX} s");
    Problem::new(Code::BodyIncomplete, detail)
}
