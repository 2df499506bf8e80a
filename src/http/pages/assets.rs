//! What a page loads: one style sheet, one script, one picture. All of it is in the binary.

use actix_web::{HttpResponse, web};

const FILES: [(&str, &str, &str); 3] = [
    ("style.css", "text/css; charset=utf-8", include_str!("assets/style.css")),
    ("live.js", "text/javascript; charset=utf-8", include_str!("assets/live.js")),
    ("icon.svg", "image/svg+xml", include_str!("assets/icon.svg")),
];

pub async fn file(name: web::Path<String>) -> HttpResponse {
    let Some((_, kind, text)) = FILES.iter().find(|(known, ..)| known == name.as_ref()) else {
        return HttpResponse::NotFound().finish();
    };
    // The address names the version, so that a browser may keep it.
    HttpResponse::Ok()
        .content_type(*kind)
        .insert_header(("cache-control", "public, max-age=86400"))
        .body(*text)
}
