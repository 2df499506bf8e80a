//! What a page loads: one style sheet, its scripts, one picture. All of it is in the binary.

use std::sync::LazyLock;

use actix_web::{HttpResponse, web};

use crate::http::nowhere;
use crate::http::problem::Problem;
use crate::store::SecretHash;

const FILES: [(&str, &str, &str); 6] = [
    ("style.css", "text/css; charset=utf-8", include_str!("assets/style.css")),
    ("live.js", "text/javascript; charset=utf-8", include_str!("assets/live.js")),
    ("pictures.js", "text/javascript; charset=utf-8", include_str!("assets/pictures.js")),
    ("forms.js", "text/javascript; charset=utf-8", include_str!("assets/forms.js")),
    ("wall.js", "text/javascript; charset=utf-8", include_str!("assets/wall.js")),
    ("icon.svg", "image/svg+xml", include_str!("assets/icon.svg")),
];

/// Names what is in all of them, so that a browser keeps a file only as long as it is the same.
pub static TAG: LazyLock<String> = LazyLock::new(|| {
    let all = FILES.map(|(_, _, text)| text).concat();
    SecretHash::of(all.as_bytes()).to_hex()[..8].to_owned()
});

pub async fn file(name: web::Path<String>) -> Result<HttpResponse, Problem> {
    let Some((_, kind, text)) = FILES.iter().find(|(known, ..)| known == name.as_ref()) else {
        return Err(nowhere());
    };
    // The address names what is in it.
    let mut answer = HttpResponse::Ok();
    answer.insert_header(("cache-control", "public, max-age=86400"));
    Ok(answer.content_type(*kind).body(*text))
}

/// Where browsers look for a picture of whatever is no page of ours.
pub async fn favicon() -> Result<HttpResponse, Problem> {
    file("icon.svg".to_owned().into()).await
}
