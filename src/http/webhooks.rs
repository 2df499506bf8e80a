//! Webhooks over HTTP: made, given another secret, removed. For the role `admin`.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};

use super::auth::{Access, Refused};
use super::own_address::root;
use super::problem::{Code, Problem};
use super::times::instant;
use super::{App, blocking, openapi};
use crate::actions::webhooks::{
    OVERLAP_HOURS, OVERLAP_HOURS_MAX, SECRET_PREFIX, change_secret, no_such_webhook, path_of,
    remove as remove_webhook,
};
use crate::clock;
use crate::domain::Millis;
use crate::domain::ids::GymId;
use crate::store::{Gym, Role, Secret, Tx, Webhook};

/// A gym's webhooks.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Webhooks {
    webhooks: Vec<ListedWebhook>,
}

/// A webhook, without its secret, which is nowhere.
#[derive(Serialize, utoipa::ToSchema)]
pub struct ListedWebhook {
    webhook: String,
    url: String,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(required, format = DateTime)]
    last_delivery: Option<String>,
    #[schema(required, format = DateTime)]
    last_test: Option<String>,
    /// Until when the secret before the last change is good; null when it is not, and while that is
    /// open.
    #[schema(required, format = DateTime)]
    old_secret_until: Option<String>,
}

/// A webhook with its secret.
#[derive(Serialize, utoipa::ToSchema)]
pub struct FreshWebhook {
    webhook: String,
    path: String,
    /// Where the sender posts.
    url: String,
    /// Shown this once.
    secret: String,
}

#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Overlap {
    /// For how many hours the secret before is good beside the new one; 0 stops every old one at once.
    #[serde(default = "overlap_hours")]
    #[param(minimum = 0, maximum = 168, default = 24)]
    overlap_hours: u32,
}

fn overlap_hours() -> u32 {
    OVERLAP_HOURS
}

fn listed(root: &str, gym: &Gym, webhook: Webhook, now: Millis) -> ListedWebhook {
    let name = |at| instant(gym.settings.zone, at);
    ListedWebhook {
        url: format!("{root}{}", path_of(&webhook.public_id)),
        created_at: name(webhook.created_at),
        last_delivery: webhook.last_delivery_at.map(name),
        last_test: webhook.last_test_at.map(name),
        old_secret_until: webhook.old_secret_at(now).and_then(|old| old.until).map(name),
        webhook: webhook.public_id,
    }
}

fn fresh(app: &App, request: &HttpRequest, webhook: String, secret: &Secret) -> FreshWebhook {
    let path = path_of(&webhook);
    let url = format!("{}{path}", root(app, request));
    FreshWebhook { webhook, path, url, secret: secret.reveal().to_owned() }
}

/// Refuses a webhook of another gym like one that does not exist.
pub fn require_of(tx: &Tx<'_>, gym: GymId, webhook: &str) -> Result<(), Refused> {
    let found = tx.view().webhook(webhook)?.filter(|found| found.gym == gym);
    let unknown = || Problem::new(Code::NotFound, no_such_webhook(webhook));
    Ok(found.map(|_| ()).ok_or_else(unknown)?)
}

/// A gym's webhooks. For the role `admin`.
#[utoipa::path(
    get,
    path = "/api/v1/gyms/{gym}/webhooks",
    tag = "set-up",
    operation_id = "webhooks",
    responses((status = 200, description = "All of them", body = Webhooks), openapi::RoleProblems)
)]
pub async fn list(
    app: web::Data<App>,
    access: Access,
    request: HttpRequest,
    slug: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    access.require(Role::Admin)?;
    let (root, now) = (root(&app, &request), clock::now());
    let webhooks = blocking(app, move |snapshot| {
        let gym = access.gym(snapshot, &slug)?;
        let found = snapshot.webhooks(Some(gym.id))?.into_iter();
        Ok(found.map(|webhook| listed(&root, &gym, webhook, now)).collect())
    });
    Ok(HttpResponse::Ok().json(Webhooks { webhooks: webhooks.await? }))
}

/// Adds a webhook. For the role `admin`.
#[utoipa::path(
    post,
    path = "/api/v1/gyms/{gym}/webhooks",
    tag = "set-up",
    operation_id = "add_webhook",
    responses(
        (status = 201, description = "With its secret, this once", body = FreshWebhook),
        openapi::RoleProblems,
    )
)]
pub async fn add(
    app: web::Data<App>,
    access: Access,
    request: HttpRequest,
    slug: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    access.require(Role::Admin)?;
    let (secret, now) = (Secret::fresh(SECRET_PREFIX), clock::now());
    let hash = secret.hash();
    let added = access.write(&app, Role::Admin, move |tx, access| {
        let gym = access.gym(&tx.view(), &slug)?;
        Ok(tx.add_webhook(gym.id, &hash, now)?)
    });
    Ok(HttpResponse::Created().json(fresh(&app, &request, added.await?, &secret)))
}

/// Gives a webhook another secret; the one before is good for a while. For the role `admin`.
#[utoipa::path(
    post,
    path = "/api/v1/gyms/{gym}/webhooks/{webhook}/rotate",
    tag = "set-up",
    operation_id = "rotate_webhook",
    params(Overlap),
    responses(
        (status = 200, description = "With its new secret, this once", body = FreshWebhook),
        openapi::ChangeProblems,
    )
)]
pub async fn rotate(
    app: web::Data<App>,
    access: Access,
    request: HttpRequest,
    path: web::Path<(String, String)>,
    overlap: web::Query<Overlap>,
) -> Result<HttpResponse, Problem> {
    access.require(Role::Admin)?;
    let hours = overlap.overlap_hours;
    if hours > OVERLAP_HOURS_MAX {
        let detail = format!("`overlap_hours` is 0 to {OVERLAP_HOURS_MAX}");
        return Err(Problem::new(Code::BadParameter, detail));
    }
    let (slug, webhook) = path.into_inner();
    let secret = rotate_one(&app, &access, slug, webhook.clone(), hours).await?;
    Ok(HttpResponse::Ok().json(fresh(&app, &request, webhook, &secret)))
}

/// Another secret of a gym's webhook.
pub async fn rotate_one(
    app: &App,
    access: &Access,
    slug: String,
    webhook: String,
    overlap_hours: u32,
) -> Result<Secret, Problem> {
    let (secret, now) = (Secret::fresh(SECRET_PREFIX), clock::now());
    let hash = secret.hash();
    let changed = access.write(app, Role::Admin, move |tx, access| {
        let gym = access.gym(&tx.view(), &slug)?.id;
        require_of(tx, gym, &webhook)?;
        Ok(change_secret(tx, &webhook, &hash, overlap_hours, now)?)
    });
    changed.await.map(|()| secret)
}

/// Removes a webhook; what it delivered stays. For the role `admin`.
#[utoipa::path(
    delete,
    path = "/api/v1/gyms/{gym}/webhooks/{webhook}",
    tag = "set-up",
    operation_id = "remove_webhook",
    responses((status = 204, description = "It is gone"), openapi::RoleProblems)
)]
pub async fn remove(
    app: web::Data<App>,
    access: Access,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, Problem> {
    access.require(Role::Admin)?;
    let (slug, webhook) = path.into_inner();
    remove_one(&app, &access, slug, webhook).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// The end of a gym's webhook.
pub async fn remove_one(
    app: &App,
    access: &Access,
    slug: String,
    webhook: String,
) -> Result<(), Problem> {
    let removed = access.write(app, Role::Admin, move |tx, access| {
        let gym = access.gym(&tx.view(), &slug)?.id;
        require_of(tx, gym, &webhook)?;
        Ok(remove_webhook(tx, &webhook)?)
    });
    removed.await
}
