//! How a report travels: as JSON or CSV, with an `ETag`, or as 304 when the reader has it already.

use std::hash::{DefaultHasher, Hash, Hasher};

use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;

use super::accept::prefers_csv;
use super::csv;
use super::problem::{Code, Problem};

/// A report may be kept, and is asked for again each time.
const KEPT: &str = "private, no-cache";

/// What a reader wants to get, and what it has.
pub struct Fresh {
    wants_csv: bool,
    has: Option<String>,
}

/// An answer with the name of its state.
pub struct Tagged {
    tag: String,
    /// What a browser may keep of it.
    kept: &'static str,
    /// None when the reader has it already.
    body: Option<(&'static str, String)>,
}

impl Fresh {
    /// `format` wins over the header `Accept`.
    pub fn of(request: &HttpRequest, format: Option<&str>) -> Result<Fresh, Problem> {
        let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
        let wants_csv = match format {
            Some("csv") => true,
            Some("json") => false,
            None => prefers_csv(request.headers()),
            Some(other) => {
                let detail = format!("`format` is one of json, csv, not {other:?}");
                return Err(Problem::new(Code::BadParameter, detail));
            }
        };
        Ok(Fresh { wants_csv, has: header("if-none-match").map(str::to_owned) })
    }

    /// Answers, unless the reader has an answer that rests on the same. A CSV has the columns of
    /// `header` also without `rows`.
    pub fn answer<T: Serialize>(
        &self,
        rests_on: &impl Hash,
        compute: impl FnOnce() -> Result<T, Problem>,
        header: &[&str],
        rows: impl Fn(&T) -> csv::Rows<'_>,
    ) -> Result<Tagged, Problem> {
        let mut hasher = DefaultHasher::new();
        (rests_on, self.wants_csv, env!("CARGO_PKG_VERSION")).hash(&mut hasher);
        let tag = format!("\"{:016x}\"", hasher.finish());
        let has = self.has.as_deref().unwrap_or_default();
        if has.split(',').any(|one| one.trim().trim_start_matches("W/") == tag) {
            return Ok(Tagged { tag, kept: KEPT, body: None });
        }
        let value = compute()?;
        let body = if self.wants_csv {
            ("text/csv; charset=utf-8; header=present", csv::write(header, || rows(&value)))
        } else {
            ("application/json", serde_json::to_string(&value).expect("answers are plain JSON"))
        };
        Ok(Tagged { tag, kept: KEPT, body: Some(body) })
    }
}

impl Tagged {
    /// It names members: no browser keeps it beyond their erasure.
    pub fn kept_by_nobody(self) -> Tagged {
        Tagged { kept: "no-store", ..self }
    }
}

/// The words of the parameter `format`.
pub fn format_words() -> utoipa::openapi::Object {
    super::openapi::one_of(["json", "csv"])
}

/// Writes the answer.
pub fn tagged(answer: Tagged) -> HttpResponse {
    let mut response = match answer.body {
        Some(_) => HttpResponse::Ok(),
        None => HttpResponse::NotModified(),
    };
    response.insert_header(("etag", answer.tag));
    response.insert_header(("cache-control", answer.kept));
    response.insert_header(("vary", "accept, authorization, cookie"));
    match answer.body {
        Some((kind, body)) => response.content_type(kind).body(body),
        None => response.finish(),
    }
}
