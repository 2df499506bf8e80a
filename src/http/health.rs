//! Health: alive, and able to append with projections that follow.

use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, web};
use chrono_tz::Tz;
use serde_json::Value;
use tokio::time::timeout;

use super::problem::{Code, Problem};
use super::times::instant_to_the_minute;
use super::tls::Expiry;
use super::{App, openapi};
use crate::clock;
use crate::domain::Millis;
use crate::domain::witness::Verdict;
use crate::projection::condition::{self, Finding, State};
use crate::projection::witness::{Seen, judged};
use crate::store::{Snapshot, StoreError};

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
/// while the machine's clock cannot be believed. With `?verbose` it says of each thing that needs no
/// secret to look at how it is, and what to do next.
#[utoipa::path(
    get,
    path = "/readyz",
    tag = "service",
    operation_id = "readyz",
    security(()),
    params(("verbose" = Option<String>, Query, description = "Says each check")),
    responses((status = 200, description = "They can", body = Object), openapi::HealthProblems)
)]
pub async fn readyz(app: web::Data<App>, request: HttpRequest) -> Result<HttpResponse, Problem> {
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
    let seen = app.store.read(|snapshot| judged(snapshot, now))?;
    let mut ready = serde_json::json!({
        "status": "ready",
        "certificate_expires_at": expires_at.map(|at| instant_to_the_minute(Tz::UTC, at)),
        "clock": word_of(seen.verdict),
    });
    let mut asked = form_urlencoded::parse(request.query_string().as_bytes());
    if asked.any(|(name, _)| name == "verbose") {
        ready["checks"] = app.store.read(|snapshot| checks(&app, snapshot, &seen, expires_at))?;
    }
    Ok(HttpResponse::Ok().json(ready))
}

/// How it is with everything that strangers may know; what keeps it from being ready was asked
/// before.
fn checks(
    app: &App,
    snapshot: &Snapshot<'_>,
    seen: &Seen,
    expires_at: Option<Millis>,
) -> Result<Value, StoreError> {
    let now = seen.clock;
    let sizes = app.store.database().sizes()?;
    let growth = condition::bytes_a_day(snapshot, &sizes, now)?;
    let clock = (!seen.verdict.is_good()).then(|| {
        let next = "compare the machine's clock with another one and put it right (NTP)";
        Finding::fault(format!("the clock is {}", word_of(seen.verdict)), next)
    });
    let found = [
        ("projection", None),
        ("jobs", None),
        ("ledger", None),
        ("clock", clock),
        ("certificate", expires_at.and_then(|at| condition::certificate(at, now))),
        ("disk", condition::disk(&sizes, growth)),
        ("deletions", condition::erasures(&snapshot.vitals()?.erasures, true, now)),
    ];
    Ok(found.into_iter().map(|(check, finding)| row(check, finding.as_ref())).collect())
}

fn row(check: &str, finding: Option<&Finding>) -> Value {
    serde_json::json!({
        "check": check,
        "state": finding.map_or(State::Good, |finding| finding.state).name(),
        "says": finding.map(|finding| &finding.says),
        "next": finding.map(|finding| &finding.next),
    })
}

fn word_of(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Agrees | Verdict::CatchesUp => "right",
        Verdict::Ahead => "ahead",
        Verdict::Behind => "behind",
    }
}
