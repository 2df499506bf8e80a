//! Quarantine over HTTP: what could not be appended, and another try.

use actix_web::{HttpResponse, web};
use serde::Serialize;

use super::auth::Access;
use super::cursor::Cursors;
use super::deliveries::{Released, release};
use super::events::Page;
use super::problem::{Code, Problem};
use super::times::instant;
use super::{App, blocking, openapi};
use crate::clock;
use crate::store::{Cursored, Gym, Quarantined, Role, Snapshot, StoreError, hex};

/// A page of what waits in quarantine.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Quarantine {
    quarantine: Vec<QuarantinedBody>,
    /// Ask for what comes `after` this; null at the end.
    #[schema(required)]
    next: Option<String>,
    /// Where the page ends, also at the end. After a restore of the database it is stale.
    cursor: String,
}

/// A delivery that carried the right secret and could not be appended.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Quarantined)]
pub struct QuarantinedBody {
    id: i64,
    #[schema(format = DateTime)]
    received_at: String,
    /// A word for programs.
    reason: String,
    /// The reason in a sentence.
    detail: String,
    /// As it was received; what is no UTF-8 shows as replacement characters. Of one that is not
    /// `whole`, its words; in a list, at most the first 2,048 bytes.
    body: String,
    /// Whether `body` is cut off here: ask for this delivery alone.
    truncated: bool,
    /// Whether the body is kept as it was received, so that it can be released. One that an erasure
    /// could not search is not, nor is one for which there was no room.
    whole: bool,
    /// How long the body was.
    bytes: usize,
    /// Of a body that is not whole: a keyed hash of it. The same body has the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    hash: Option<String>,
    /// How many deliveries this stands for: more than one of those that were only counted.
    deliveries: i64,
}

/// What became of another try.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Release {
    /// `appended`, or `dropped` when there was nothing to append.
    #[schema(schema_with = release_words)]
    status: &'static str,
    /// Its place in the log, when it was appended.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    position: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    detail: Option<&'static str>,
}

fn release_words() -> utoipa::openapi::Object {
    openapi::one_of(["appended", "dropped"])
}

/// What could not be appended, by cursor. For the role `admin`.
#[utoipa::path(
    get,
    path = "/api/v1/gyms/{gym}/quarantine",
    tag = "log",
    operation_id = "quarantine",
    params(Page),
    responses((status = 200, description = "A page", body = Quarantine), openapi::CursorProblems)
)]
pub async fn list(
    app: web::Data<App>,
    access: Access,
    slug: web::Path<String>,
    page: web::Query<Page>,
) -> Result<HttpResponse, Problem> {
    access.require(Role::Admin)?;
    let limit = page.limit()?;
    if page.kind.is_some() {
        return Err(Problem::new(Code::BadParameter, "`type` is a parameter of the log only"));
    }
    let body = blocking(app, move |snapshot| {
        let gym = access.gym(snapshot, &slug)?;
        let after = Cursors::of(snapshot, Cursored::Quarantine)?.read(page.after.as_deref())?;
        Ok(page_of(snapshot, &gym, after, limit)?)
    });
    Ok(HttpResponse::Ok().json(body.await?))
}

/// What waits after an id, oldest first.
pub fn page_of(
    snapshot: &Snapshot<'_>,
    gym: &Gym,
    after: i64,
    limit: usize,
) -> Result<Quarantine, StoreError> {
    let cursors = Cursors::of(snapshot, Cursored::Quarantine)?;
    let waiting = snapshot.quarantined(Some(gym.id), after, limit)?;
    let full = waiting.len() == limit;
    let cursor = cursors.name(waiting.last().map_or(after, |last| last.id));
    let rows = waiting.into_iter().map(|waiting| QuarantinedBody::of(gym, waiting));
    Ok(Quarantine { quarantine: rows.collect(), next: full.then(|| cursor.clone()), cursor })
}

impl QuarantinedBody {
    fn of(gym: &Gym, waiting: Quarantined) -> QuarantinedBody {
        QuarantinedBody {
            id: waiting.id,
            received_at: instant(gym.settings.zone, waiting.received_at),
            truncated: waiting.body.len() < waiting.kept_bytes,
            whole: waiting.reduced_from.is_none(),
            bytes: waiting.bytes(),
            body: String::from_utf8_lossy(&waiting.body).into_owned(),
            hash: waiting.body_hash.as_deref().map(hex),
            deliveries: waiting.deliveries,
            reason: waiting.reason,
            detail: waiting.detail,
        }
    }
}

/// One delivery that waits in quarantine, with all that is kept of its body. For the role `admin`.
#[utoipa::path(
    get,
    path = "/api/v1/gyms/{gym}/quarantine/{id}",
    tag = "log",
    operation_id = "quarantined",
    responses(
        (status = 200, description = "All of it", body = QuarantinedBody),
        openapi::RoleProblems,
    )
)]
pub async fn one(
    app: web::Data<App>,
    access: Access,
    path: web::Path<(String, i64)>,
) -> Result<HttpResponse, Problem> {
    access.require(Role::Admin)?;
    let (slug, id) = path.into_inner();
    let body = blocking(app, move |snapshot| {
        let gym = access.gym(snapshot, &slug)?;
        let waiting = snapshot.quarantined_by_id(id)?.filter(|one| one.gym == gym.id);
        let waiting = waiting.ok_or_else(not_in_quarantine)?;
        Ok(QuarantinedBody::of(&gym, waiting))
    });
    Ok(HttpResponse::Ok().json(body.await?))
}

fn not_in_quarantine() -> Problem {
    Problem::new(Code::NotFound, "there is no such id in quarantine")
}

/// Tries again to append what waits in quarantine. For the role `admin`.
///
/// What still cannot be appended stays there, and the problem says why.
#[utoipa::path(
    post,
    path = "/api/v1/gyms/{gym}/quarantine/{id}/release",
    tag = "log",
    operation_id = "release",
    responses(
        (status = 200, description = "It left quarantine", body = Release),
        openapi::ReleaseProblems,
    )
)]
pub async fn try_again(
    app: web::Data<App>,
    access: Access,
    path: web::Path<(String, i64)>,
) -> Result<HttpResponse, Problem> {
    let (slug, id) = path.into_inner();
    Ok(HttpResponse::Ok().json(release_one(&app, access, slug, id).await?))
}

/// Another try of one delivery that waits at a gym.
pub async fn release_one(
    app: &web::Data<App>,
    access: Access,
    slug: String,
    id: i64,
) -> Result<Release, Problem> {
    access.require(Role::Admin)?;
    let now = clock::now();
    let released = access.write(app, Role::Admin, move |tx, access| {
        let gym = access.gym(&tx.view(), &slug)?.id;
        let waits_here = tx.view().quarantined_by_id(id)?.is_some_and(|one| one.gym == gym);
        if waits_here { Ok(release(tx, id, now)?) } else { Ok(Released::NotFound) }
    });
    let body = match released.await? {
        Released::Appended(position) => {
            Release { status: "appended", position: Some(position.0), detail: None }
        }
        Released::Dropped(why) => Release { status: "dropped", position: None, detail: Some(why) },
        Released::StillUnfit(why) => {
            return Err(Problem::new(Code::WrongShape, why).as_message("set_up.still_unfit", &[]));
        }
        Released::NotFound => return Err(not_in_quarantine()),
    };
    Ok(body)
}
