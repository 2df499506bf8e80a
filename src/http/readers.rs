//! Who may look, over HTTP: tokens of programs, and users of the page. For the role `admin`, who sees
//! and changes only those that may do no more than they may.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};

use super::auth::{Access, Refused};
use super::own_address::root;
use super::problem::{Code, Problem};
use super::times::instant;
use super::{App, blocking, json, openapi};
use crate::actions::readers::{self, TOKEN_PREFIX};
use crate::clock;
use crate::domain::Millis;
use crate::store::{Gym, Reader, Role, Secret, Snapshot, Tx};

/// Tokens by name.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Tokens {
    tokens: Vec<ReaderBody>,
}

/// Users by name.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Users {
    users: Vec<ReaderBody>,
}

/// Somebody who may look.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Reader)]
pub struct ReaderBody {
    name: String,
    #[schema(schema_with = role_words)]
    role: &'static str,
    /// The gyms that they may see; null: all, also those to come.
    #[schema(required)]
    gyms: Option<Vec<String>>,
    #[schema(format = DateTime)]
    created_at: String,
    /// Of a token: when it was last used, to the minute; null: never.
    #[schema(required, format = DateTime)]
    last_used_at: Option<String>,
}

/// A token that was made.
#[derive(Serialize, utoipa::ToSchema)]
pub struct NewToken {
    name: String,
    /// Shown this once.
    token: String,
}

/// A user that was added.
#[derive(Serialize, utoipa::ToSchema)]
pub struct NewUser {
    name: String,
    /// Signs them in once; shown this once.
    url: String,
    /// Until when it is good.
    #[schema(format = DateTime)]
    until: String,
}

/// Who is to be added.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    name: String,
    #[schema(schema_with = role_words)]
    role: String,
    /// Slugs of the gyms that they may see; left out or null: all, also those to come.
    #[serde(default)]
    gyms: Option<Vec<String>>,
}

fn role_words() -> utoipa::openapi::Object {
    openapi::one_of(Role::ALL.map(Role::name))
}

impl Wanted {
    /// As whom it is to be kept; a gym that who asks may not see is one that does not exist.
    fn reader(&self, tx: &Tx<'_>, access: &Access) -> Result<Reader, Refused> {
        let role = Role::ALL.into_iter().find(|role| role.name() == self.role);
        let unknown = || {
            let words = Role::ALL.map(Role::name).join(", ");
            Problem::new(Code::BadParameter, format!("there is no such role; there are {words}"))
        };
        let found = |slug: &String| Ok::<_, Refused>(access.gym(&tx.view(), slug)?.id);
        let gyms = self.gyms.as_ref().map(|slugs| slugs.iter().map(found).collect());
        let gyms: Option<Vec<_>> = gyms.transpose()?;
        if gyms.as_ref().is_some_and(Vec::is_empty) {
            let detail = "`gyms` names none; leave it out for all gyms";
            return Err(Problem::new(Code::BadParameter, detail).into());
        }
        Ok(readers::reader(&self.name, role.ok_or_else(unknown)?, gyms)?)
    }
}

fn utc(at: Millis) -> String {
    instant(chrono_tz::UTC, at)
}

fn body(gyms: &[Gym], reader: Reader, created_at: Millis, used: Option<Millis>) -> ReaderBody {
    let seen = gyms.iter().filter(|gym| reader.may_see(gym.id));
    let slugs = reader.gyms.is_some().then(|| seen.map(|gym| gym.slug.to_string()).collect());
    ReaderBody {
        role: reader.role.name(),
        gyms: slugs,
        created_at: utc(created_at),
        last_used_at: used.map(utc),
        name: reader.name,
    }
}

/// Who asks, as of now, and the gyms there are.
fn asking(access: &Access, snapshot: &Snapshot<'_>) -> Result<(Access, Vec<Gym>), Problem> {
    let now = access.again(snapshot)?;
    Ok((now, snapshot.gyms()?))
}

/// Tokens that may do no more than this one, by name. For the role `admin`.
#[utoipa::path(
    get,
    path = "/api/v1/tokens",
    tag = "set-up",
    operation_id = "tokens",
    responses((status = 200, description = "Tokens", body = Tokens), openapi::ManagerProblems)
)]
pub async fn tokens(app: web::Data<App>, access: Access) -> Result<HttpResponse, Problem> {
    access.require(Role::Admin)?;
    let tokens = blocking(app, move |snapshot| {
        let (now, gyms) = asking(&access, snapshot)?;
        let mut tokens = snapshot.tokens()?;
        tokens.retain(|token| now.by().covers(&token.reader));
        let rows = tokens.into_iter();
        let rows = rows.map(|one| body(&gyms, one.reader, one.created_at, one.last_used_at));
        Ok(rows.collect())
    });
    Ok(HttpResponse::Ok().json(Tokens { tokens: tokens.await? }))
}

/// Makes a token. For the role `admin`.
///
/// It may do no more than the one that makes it: an `admin` of some gyms names some of these.
#[utoipa::path(
    post,
    path = "/api/v1/tokens",
    tag = "set-up",
    operation_id = "add_token",
    request_body = Wanted,
    responses(
        (status = 201, description = "The token, this once", body = NewToken),
        openapi::NamingProblems,
    )
)]
pub async fn add_token(
    app: web::Data<App>,
    access: Access,
    sent: web::Payload,
) -> Result<HttpResponse, Problem> {
    access.require(Role::Admin)?;
    let (wanted, now) = (json::read::<Wanted>(sent).await?, clock::now());
    let token = Secret::fresh(TOKEN_PREFIX);
    let hash = token.hash();
    let added = access.write(&app, Role::Admin, move |tx, access| {
        let reader = wanted.reader(tx, access)?;
        readers::add_token(tx, access.by(), &reader, &hash, now)?;
        Ok(reader.name)
    });
    let body = NewToken { name: added.await?, token: token.reveal().to_owned() };
    Ok(HttpResponse::Created().json(body))
}

/// Removes a token; it stops at once. For the role `admin`.
#[utoipa::path(
    delete,
    path = "/api/v1/tokens/{name}",
    tag = "set-up",
    operation_id = "remove_token",
    responses((status = 204, description = "It is gone"), openapi::RoleProblems)
)]
pub async fn remove_token(
    app: web::Data<App>,
    access: Access,
    name: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    access.require(Role::Admin)?;
    let removed = access.write(&app, Role::Admin, move |tx, access| {
        Ok(readers::remove_token(tx, access.by(), &name)?)
    });
    removed.await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Users that may do no more than who asks, by name. For the role `admin`.
#[utoipa::path(
    get,
    path = "/api/v1/users",
    tag = "set-up",
    operation_id = "users",
    responses((status = 200, description = "Users", body = Users), openapi::ManagerProblems)
)]
pub async fn users(app: web::Data<App>, access: Access) -> Result<HttpResponse, Problem> {
    access.require(Role::Admin)?;
    let users = blocking(app, move |snapshot| {
        let (now, gyms) = asking(&access, snapshot)?;
        let mut users = snapshot.users()?;
        users.retain(|user| now.by().covers(&user.reader));
        let rows = users.into_iter().map(|user| body(&gyms, user.reader, user.created_at, None));
        Ok(rows.collect())
    });
    Ok(HttpResponse::Ok().json(Users { users: users.await? }))
}

/// Adds a user of the page, with a link that signs them in once. For the role `admin`.
///
/// They may do no more than who adds them: an `admin` of some gyms names some of these.
#[utoipa::path(
    post,
    path = "/api/v1/users",
    tag = "set-up",
    operation_id = "add_user",
    request_body = Wanted,
    responses(
        (status = 201, description = "The link, this once", body = NewUser),
        openapi::NamingProblems,
    )
)]
pub async fn add_user(
    app: web::Data<App>,
    access: Access,
    request: HttpRequest,
    sent: web::Payload,
) -> Result<HttpResponse, Problem> {
    access.require(Role::Admin)?;
    let (wanted, now) = (json::read::<Wanted>(sent).await?, clock::now());
    let link = Secret::fresh("");
    let hash = link.hash();
    let added = access.write(&app, Role::Admin, move |tx, access| {
        let reader = wanted.reader(tx, access)?;
        let until = readers::add_user(tx, access.by(), &reader, &hash, now)?;
        Ok((reader.name, utc(until)))
    });
    let (name, until) = added.await?;
    let url = format!("{}{}", root(&app, &request), readers::link_path(&link));
    Ok(HttpResponse::Created().json(NewUser { name, url, until }))
}

/// Removes a user; their sessions end at once. For the role `admin`.
#[utoipa::path(
    delete,
    path = "/api/v1/users/{name}",
    tag = "set-up",
    operation_id = "remove_user",
    responses((status = 204, description = "They are gone"), openapi::RoleProblems)
)]
pub async fn remove_user(
    app: web::Data<App>,
    access: Access,
    name: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    access.require(Role::Admin)?;
    let removed = access.write(&app, Role::Admin, move |tx, access| {
        Ok(readers::remove_user(tx, access.by(), &name)?)
    });
    removed.await?;
    Ok(HttpResponse::NoContent().finish())
}
