//! Who asks, and what they may see.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest, web};

use super::App;
use super::problem::{Code, Problem};
use crate::clock;
use crate::domain::MINUTE;
use crate::domain::ids::Slug;
use crate::store::{Gym, Role, SecretHash, Snapshot, StoreError, Token};

/// A reader with a valid token.
#[derive(Clone)]
pub struct Access {
    pub token: Token,
    hash: SecretHash,
}

impl Access {
    /// The same reader, if the token still holds: for answers that go on for long.
    pub fn again(&self, snapshot: &Snapshot<'_>) -> Result<Access, Problem> {
        Access::of(snapshot.token(&self.hash)?, self.hash.clone())
    }

    fn of(token: Option<Token>, hash: SecretHash) -> Result<Access, Problem> {
        let token = token.ok_or_else(|| Problem::new(Code::Unauthorized, "no such token"))?;
        Ok(Access { token, hash })
    }

    /// 403 beyond the token's role.
    pub fn require(&self, role: Role) -> Result<(), Problem> {
        if self.token.role >= role {
            return Ok(());
        }
        let detail = format!(
            "this needs a token of the role `{}`; yours is `{}`",
            role.name(),
            self.token.role.name()
        );
        Err(Problem::new(Code::Forbidden, detail))
    }

    /// The gym of that slug; 404 when it does not exist or the token may not see it.
    pub fn gym(&self, snapshot: &Snapshot<'_>, slug: &str) -> Result<Gym, Problem> {
        let gym = match slug.parse::<Slug>() {
            Ok(slug) => snapshot.gym_by_slug(&slug)?,
            Err(_) => None,
        };
        gym.filter(|gym| self.token.may_see(gym.id)).ok_or_else(|| {
            let detail = format!(
                "there is no gym {slug:?}, or your token may not see it; \
                 GET /api/v1/gyms lists yours"
            );
            Problem::new(Code::NotFound, detail)
        })
    }

    /// All gyms the token may see, by slug.
    pub fn gyms(&self, snapshot: &Snapshot<'_>) -> Result<Vec<Gym>, StoreError> {
        let mut gyms = snapshot.gyms()?;
        gyms.retain(|gym| self.token.may_see(gym.id));
        Ok(gyms)
    }
}

impl FromRequest for Access {
    type Error = Problem;
    type Future = Ready<Result<Access, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let app = request.app_data::<web::Data<App>>().expect("every route has the app");
        ready(authenticate(app, request))
    }
}

fn authenticate(app: &web::Data<App>, request: &HttpRequest) -> Result<Access, Problem> {
    let header = request.headers().get("authorization");
    let token = header
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| SecretHash::of(token.trim().as_bytes()));
    let missing = || {
        Problem::new(
            Code::Unauthorized,
            "send `Authorization: Bearer <token>`; `footfall token add` makes one",
        )
    };
    let hash = token.ok_or_else(missing)?;
    let token = app.store.read(|snapshot| snapshot.token(&hash))?;
    let access = Access::of(token, hash)?;
    note_use(app, &access.token);
    Ok(access)
}

/// Keeps the time of last use to the minute, without making the reader wait for it.
fn note_use(app: &web::Data<App>, token: &Token) {
    let (id, now) = (token.id, clock::now());
    if token.last_used_at.is_none_or(|last| now - last >= MINUTE) {
        let store = app.store.clone();
        actix_web::rt::spawn(async move {
            if let Err(error) = store.write(move |tx| tx.mark_token_used(id, now)).await {
                tracing::debug!(%error, "the use of a token was not noted");
            }
        });
    }
}
