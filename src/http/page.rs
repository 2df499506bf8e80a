//! The page to read and try the API, and the document it shows. All of it is in the binary, so it
//! works without internet. Both are there without a token: they say nothing about any gym.

use std::borrow::Cow;
use std::sync::{Arc, LazyLock};

use actix_web::HttpResponse;
use actix_web::web::{self, Bytes};
use utoipa_swagger_ui::Config;

use super::openapi;
use super::patience::SharedBody;
use super::problem::{Code, Problem};

/// Nothing is loaded from elsewhere, and nothing is sent there.
const POLICY: &str = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
                      frame-ancestors 'none'";

/// This document.
#[utoipa::path(
    get,
    path = "/api/openapi.json",
    tag = "service",
    operation_id = "openapi",
    security(()),
    responses((status = 200, description = "OpenAPI 3.1", body = Object))
)]
pub async fn document() -> HttpResponse {
    HttpResponse::Ok().json(&*openapi::DOCUMENT)
}

/// Leads to the page that shows this document.
#[utoipa::path(
    get,
    path = "/docs",
    tag = "service",
    operation_id = "docs",
    security(()),
    responses((status = 307, description = "To `/docs/`", headers(("location" = String))))
)]
pub async fn to_page() -> HttpResponse {
    // Relative, so that it also holds behind a proxy that puts a prefix before all paths.
    HttpResponse::TemporaryRedirect().insert_header(("location", "docs/")).finish()
}

/// The page that shows this document, and what it loads.
#[utoipa::path(
    get,
    path = "/docs/{file}",
    tag = "service",
    operation_id = "docs_file",
    security(()),
    responses(
        (status = 200, description = "A file of the page", content(
            (String = "text/html"),
            (String = "text/css"),
            (String = "text/javascript"),
            (String = "image/png"),
            (String = "application/json"),
        )),
        openapi::PageProblems,
    )
)]
pub async fn page(file: web::Path<String>) -> Result<HttpResponse, Problem> {
    static CONFIG: LazyLock<Arc<Config<'static>>> = LazyLock::new(|| {
        // Without a word it would show the document to somebody else's validator.
        Arc::new(Config::new(["../api/openapi.json"]).validator_url("none"))
    });
    let found = utoipa_swagger_ui::serve(&file, CONFIG.clone()).ok().flatten();
    let found = found.ok_or_else(|| Problem::new(Code::NotFound, "the page has no such file"))?;
    let bytes = match found.bytes {
        Cow::Borrowed(bytes) => Bytes::from_static(bytes),
        Cow::Owned(bytes) => bytes.into(),
    };
    let mut answer = HttpResponse::Ok()
        .content_type(found.content_type)
        .insert_header(("content-security-policy", POLICY))
        .body(bytes);
    answer.extensions_mut().insert(SharedBody);
    Ok(answer)
}
