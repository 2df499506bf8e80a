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
    let mut asked = form_urlencoded::parse(request.query_string().as_bytes());
    let is_verbose = asked.any(|(name, _)| name == "verbose");
    let needed = [
        ("projection", projection(&app, now).await),
        ("jobs", jobs(&app)),
        ("ledger", ledger(&app)),
    ];
    let expires_at = app.certificate.as_ref().and_then(Expiry::get);
    let seen = app.store.read(|snapshot| judged(snapshot, now));
    let fault = needed.iter().find_map(|(_, finding)| finding.as_ref());
    let problem = fault.map(|Finding { says, next, .. }| {
        Problem::new(Code::Unavailable, format!("{says}; {next}"))
    });
    let all = |seen: &Seen| -> Result<Option<Value>, StoreError> {
        if !is_verbose {
            return Ok(None);
        }
        let others = app.store.read(|snapshot| others(&app, snapshot, seen, expires_at))?;
        let rows =
            needed.iter().chain(&others).map(|(check, finding)| row(check, finding.as_ref()));
        Ok(Some(rows.collect()))
    };
    if let Some(mut problem) = problem {
        // A store that cannot be read is told by the first fault.
        problem.checks = seen.and_then(|seen| all(&seen)).ok().flatten().map(Box::new);
        return Err(problem);
    }
    let seen = seen?;
    let mut ready = serde_json::json!({
        "status": "ready",
        "certificate_expires_at": expires_at.map(|at| instant_to_the_minute(Tz::UTC, at)),
        "clock": word_of(seen.verdict),
    });
    if let Some(checks) = all(&seen)? {
        ready["checks"] = checks;
    }
    Ok(HttpResponse::Ok().json(ready))
}

/// Whether a write goes to the disk, and what is counted follows the log.
async fn projection(app: &App, now: Millis) -> Option<Finding> {
    let beat = app.store.write(move |tx| tx.beat(now));
    let next = "see the service's log, and the disk of the data folder";
    match timeout(Duration::from_millis(WRITE_MS_MAX), beat).await {
        Ok(Ok(true)) => None,
        Ok(Ok(false)) => {
            let next = "run `footfall verify`, then `rebuild`";
            Some(Finding::fault("the projection is behind the log", next))
        }
        Ok(Err(error)) => {
            let problem = Problem::from(error);
            Some(Finding::fault(problem.detail, next))
        }
        Err(_) => Some(Finding::fault("the writer is stuck", next)),
    }
}

fn jobs(app: &App) -> Option<Finding> {
    let down = app.process.jobs_down();
    let says = || format!("background jobs do not run, and are tried again: {}", down.join(", "));
    (!down.is_empty()).then(|| Finding::fault(says(), "see the log"))
}

fn ledger(app: &App) -> Option<Finding> {
    let error = app.store.database().check_ledger().err()?;
    tracing::error!(%error, "the erasure ledger cannot be written");
    let says = "the erasure ledger cannot be written, so nobody can be erased";
    Some(Finding::fault(says, "see the log"))
}

/// How it is with everything else that strangers may know.
fn others(
    app: &App,
    snapshot: &Snapshot<'_>,
    seen: &Seen,
    expires_at: Option<Millis>,
) -> Result<[(&'static str, Option<Finding>); 5], StoreError> {
    let now = seen.clock;
    let sizes = app.store.database().sizes()?;
    let growth = condition::bytes_a_day(snapshot, &sizes, now)?;
    let clock = (!seen.verdict.is_good()).then(|| {
        let next = "compare the machine's clock with another one and put it right (NTP)";
        Finding::fault(format!("the clock is {}", word_of(seen.verdict)), next)
    });
    let backups = app.process.backups();
    let backup = backups.and_then(|backups| condition::backup(backups.last, backups.every, now));
    Ok([
        ("clock", clock),
        ("certificate", expires_at.and_then(|at| condition::certificate(at, now))),
        ("disk", condition::disk(&sizes, growth)),
        ("deletions", condition::erasures(&snapshot.vitals()?.erasures, true, now)),
        ("backup", backup),
    ])
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
