//! Health: alive, and able to append with projections that follow.

use std::time::Duration;

use actix_web::{HttpResponse, web};
use chrono_tz::Tz;
use tokio::time::timeout;

use super::problem::{Code, Problem};
use super::times::instant_to_the_minute;
use super::tls::Expiry;
use super::{App, openapi};
use crate::clock;
use crate::domain::witness::Verdict;
use crate::projection::witness::judged;

/// The service is not ready when a write takes longer than this, in milliseconds.
const WRITE_MS_MAX: u64 = 2_000;

/// Whether the process answers.
#[utoipa::path(
    get,
    path = "/healthz",
    tag = "service",
    operation_id = "healthz",
    security(()),
    responses((status = 200, description = "It does", body = Object))
)]
pub async fn healthz() -> HttpResponse {
    HttpResponse::Ok().json(serde_json::json!({ "status": "alive" }))
}

/// Whether deliveries can be taken: really writes, and looks whether the projections have what the
/// log has, whether all background jobs run, and whether the erasure ledger can be written. With
/// HTTPS of its own it says when the certificate expires. `clock` is `right`, or `ahead` or `behind`
/// while the machine's clock cannot be believed.
#[utoipa::path(
    get,
    path = "/readyz",
    tag = "service",
    operation_id = "readyz",
    security(()),
    responses((status = 200, description = "They can", body = Object), openapi::HealthProblems)
)]
pub async fn readyz(app: web::Data<App>) -> Result<HttpResponse, Problem> {
    let now = clock::now();
    let beat = app.store.write(move |tx| tx.beat(now));
    let stuck = || Problem::new(Code::Unavailable, "the writer is stuck");
    let is_following =
        timeout(Duration::from_millis(WRITE_MS_MAX), beat).await.map_err(|_| stuck())??;
    if !is_following {
        let detail = "the projection is behind the log; run `footfall verify`, then `rebuild`";
        return Err(Problem::new(Code::Unavailable, detail));
    }
    let down = app.process.jobs_down();
    if !down.is_empty() {
        let detail = format!(
            "background jobs do not run, and are tried again: {}; see the log",
            down.join(", ")
        );
        return Err(Problem::new(Code::Unavailable, detail));
    }
    if let Err(error) = app.store.database().check_ledger() {
        tracing::error!(%error, "the erasure ledger cannot be written");
        let detail = "the erasure ledger cannot be written, so nobody can be erased; see the log";
        return Err(Problem::new(Code::Unavailable, detail));
    }
    let expires_at = app.certificate.as_ref().and_then(Expiry::get);
    let expires_at = expires_at.map(|at| instant_to_the_minute(Tz::UTC, at));
    let seen = app.store.read(|snapshot| judged(snapshot, now))?;
    let ready = serde_json::json!({
        "status": "ready",
        "certificate_expires_at": expires_at,
        "clock": word_of(seen.verdict),
    });
    Ok(HttpResponse::Ok().json(ready))
}

fn word_of(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Agrees | Verdict::CatchesUp => "right",
        Verdict::Ahead => "ahead",
        Verdict::Behind => "behind",
    }
}
