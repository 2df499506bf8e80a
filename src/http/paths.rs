//! Paths as people paste them: with a slash too many, or with white space at the ends. EGYM delivers
//! once, to the URL as it was pasted.

use std::borrow::Cow;

use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Uri;
use actix_web::middleware::Next;

/// Here a slash at the end means something.
const FOLDER: &str = "/docs";
/// White space as URLs spell it.
const BLANKS: [&str; 6] = ["%20", "%09", "%0a", "%0d", "%0A", "%0D"];

/// Reads the path of a request as it was meant.
pub async fn mend<B: MessageBody>(
    mut request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    if let Cow::Owned(path) = meant(request.path())
        && let Some(uri) = with_path(request.uri(), &path)
    {
        request.match_info_mut().get_mut().update(&uri);
        request.head_mut().uri = uri;
    }
    next.call(request).await
}

/// A path without empty parts, and without white space at the ends of its parts.
fn meant(path: &str) -> Cow<'_, str> {
    let is_plain =
        |rest: &str| rest.split('/').all(|part| !part.is_empty() && part == without_blanks(part));
    if path.strip_prefix('/').is_some_and(is_plain) {
        return Cow::Borrowed(path);
    }
    let parts = path.split('/').map(without_blanks).filter(|part| !part.is_empty());
    let mut meant: String = parts.flat_map(|part| ["/", part]).collect();
    if meant == FOLDER && path.ends_with('/') {
        meant.push('/');
    }
    match meant.as_str() {
        "" if path == "/" => Cow::Borrowed(path),
        "" => Cow::Owned("/".to_owned()),
        same if same == path => Cow::Borrowed(path),
        _ => Cow::Owned(meant),
    }
}

fn without_blanks(mut part: &str) -> &str {
    while let Some(rest) = BLANKS.iter().find_map(|blank| part.strip_prefix(blank)) {
        part = rest;
    }
    while let Some(rest) = BLANKS.iter().find_map(|blank| part.strip_suffix(blank)) {
        part = rest;
    }
    part
}

fn with_path(uri: &Uri, path: &str) -> Option<Uri> {
    let mut parts = uri.clone().into_parts();
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    parts.path_and_query = Some(format!("{path}{query}").parse().ok()?);
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_pasted_is_read_as_it_was_meant() {
        for (pasted, path) in [
            ("/webhooks/a1", "/webhooks/a1"),
            ("/webhooks/a1/", "/webhooks/a1"),
            ("//webhooks//a1//", "/webhooks/a1"),
            ("/webhooks/a1%20", "/webhooks/a1"),
            ("/webhooks/%0D%0a%09a1%0D%0A/", "/webhooks/a1"),
            ("/webhooks/a%201", "/webhooks/a%201"),
            ("/", "/"),
            ("///", "/"),
            ("/%20", "/"),
            ("/docs", "/docs"),
            ("/docs/", "/docs/"),
            ("/docs//", "/docs/"),
            ("//docs//x.css", "/docs/x.css"),
        ] {
            assert_eq!(meant(pasted), path, "{pasted}");
        }
    }
}
