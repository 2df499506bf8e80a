//! Erasures over HTTP: by hand, and the records of all. No record names an account.

use actix_web::{HttpResponse, web};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::auth::Access;
use super::problem::{Code, Problem};
use super::times::instant;
use super::{App, blocking, openapi};
use crate::clock;
use crate::domain::ids::Account;
use crate::projection::erase;
use crate::projection::witness::settled;
use crate::store::{Erasure, ErasureReason, Gym, Role, Snapshot, StoreError};

/// An erasure, asked for or done.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Erasure)]
pub struct ErasureBody {
    id: i64,
    gym: String,
    /// `membership_delete`, `manual`, or `restore` when a restored copy had brought the member back.
    #[schema(schema_with = reasons)]
    reason: &'static str,
    #[schema(format = DateTime)]
    requested_at: String,
    /// When it was gone from every file; null until then.
    #[schema(required, format = DateTime)]
    completed_at: Option<String>,
    /// How many events were erased.
    events: i64,
}

fn reasons() -> utoipa::openapi::Object {
    use ErasureReason::{Manual, MembershipDelete, Restore};
    openapi::one_of([MembershipDelete, Manual, Restore].map(|reason| reason.name()))
}

/// The most records of a page.
pub const RECORDS_MAX: usize = 1_000;

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Which {
    /// Records that are older: the `next` of a page. Default: from the newest on.
    before: Option<i64>,
    /// How many at most. Default: 1,000.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
}

impl Which {
    fn limit(&self) -> Result<usize, Problem> {
        let limit = self.limit.unwrap_or(RECORDS_MAX);
        if (1..=RECORDS_MAX).contains(&limit) {
            return Ok(limit);
        }
        Err(Problem::new(Code::BadParameter, format!("`limit` is 1 to {RECORDS_MAX}")))
    }
}

/// Erasures at the gyms that a token may see, newest first.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Erasures {
    erasures: Vec<ErasureBody>,
    /// Ask for those `before` this; null when there are no more.
    #[schema(required)]
    next: Option<i64>,
}

impl ErasureBody {
    fn of(gym: &Gym, erasure: &Erasure) -> ErasureBody {
        let zone = gym.settings.zone;
        ErasureBody {
            id: erasure.id,
            gym: gym.slug.to_string(),
            reason: erasure.reason.name(),
            requested_at: instant(zone, erasure.requested_at),
            completed_at: erasure.completed_at.map(|at| instant(zone, at)),
            events: erasure.events,
        }
    }
}

/// Erases a member at a gym. For the role `manager`.
///
/// The answer comes when that it must be done is on disk. It is done within seconds:
/// `completed_at` of the record says when.
#[utoipa::path(
    delete,
    path = "/api/v1/gyms/{gym}/members/{account}",
    tag = "members",
    operation_id = "erase",
    responses(
        (status = 202, description = "It will be done", body = ErasureBody),
        openapi::ListProblems,
    )
)]
pub async fn of_member(
    app: web::Data<App>,
    access: Access,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, Problem> {
    let (slug, account) = path.into_inner();
    Ok(HttpResponse::Accepted().json(request(&app, access, slug, &account).await?))
}

/// Asks for an erasure by hand.
pub async fn request(
    app: &web::Data<App>,
    access: Access,
    slug: String,
    account: &str,
) -> Result<ErasureBody, Problem> {
    access.require(Role::Manager)?;
    let account = Uuid::parse_str(account)
        .map_err(|_| Problem::new(Code::BadParameter, "the account in the path is no UUID"));
    let now = clock::now();
    let asked = access.write(app, Role::Manager, move |tx, access| {
        let gym = access.gym(&tx.view(), &slug)?;
        let account = Account(account.clone()?);
        let until = settled(&tx.view(), now)?;
        let erasure = erase::request(tx, gym.id, account, until, ErasureReason::Manual, now)?;
        Ok((gym, tx.view().erasure(erasure)?))
    });
    let (gym, erasure) = asked.await?;
    Ok(ErasureBody::of(&gym, &erasure.expect("it was added in this transaction")))
}

/// Erasures at the gyms that the token may see, newest first. For the role `manager`.
#[utoipa::path(
    get,
    path = "/api/v1/erasures",
    tag = "members",
    operation_id = "erasures",
    params(Which),
    responses((status = 200, description = "Records", body = Erasures), openapi::ManagerProblems)
)]
pub async fn list(
    app: web::Data<App>,
    access: Access,
    which: web::Query<Which>,
) -> Result<HttpResponse, Problem> {
    access.require(Role::Manager)?;
    let (before, limit) = (which.before.unwrap_or(i64::MAX), which.limit()?);
    let erasures = blocking(app, move |snapshot| {
        Ok(at_gyms(snapshot, &access.gyms(snapshot)?, before, limit)?)
    });
    Ok(HttpResponse::Ok().json(erasures.await?))
}

/// The records of erasures at these gyms, newest first.
pub fn at_gyms(
    snapshot: &Snapshot<'_>,
    gyms: &[Gym],
    before: i64,
    limit: usize,
) -> Result<Erasures, StoreError> {
    let ids: Vec<_> = gyms.iter().map(|gym| gym.id).collect();
    let records = snapshot.erasures(&ids, before, limit)?;
    let next = records.last().filter(|_| records.len() == limit).map(|last| last.id);
    let seen = records.iter().filter_map(|erasure| {
        let gym = gyms.iter().find(|gym| gym.id == erasure.gym)?;
        Some(ErasureBody::of(gym, erasure))
    });
    Ok(Erasures { erasures: seen.collect(), next })
}
