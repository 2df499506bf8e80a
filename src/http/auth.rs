//! Who asks, and what they may see.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::header;
use actix_web::{FromRequest, HttpRequest, web};

use super::problem::{Code, Problem};
use super::{App, own_address};
use crate::actions::{self, By};
use crate::clock;
use crate::domain::ids::Slug;
use crate::domain::witness::BACK_MAX;
use crate::domain::{DAY, MINUTE, Millis};
use crate::projection::witness::settled;
use crate::store::{Gym, Reader, Role, SecretHash, Session, Snapshot, StoreError, Token, Tx, User};

/// The cookie that holds a session's secret.
const COOKIE: &str = "footfall_session";
/// The same over HTTPS: by its name, no other host and nothing unencrypted can set it.
const COOKIE_OF_HTTPS: &str = "__Host-footfall_session";
/// A session ends when it was not used for so many days.
pub const SESSION_DAYS: i64 = 30;

/// A reader with a valid token, or with a session of the page.
#[derive(Clone)]
pub struct Access {
    pub reader: Reader,
    proof: Proof,
}

/// Why a change was not made: who asked may not make it, or the store failed.
pub enum Refused {
    Problem(Problem),
    Store(StoreError),
}

impl From<Problem> for Refused {
    fn from(problem: Problem) -> Refused {
        Refused::Problem(problem)
    }
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Refused {
        Refused::Store(error)
    }
}

impl From<actions::Refused> for Refused {
    fn from(refused: actions::Refused) -> Refused {
        if let actions::Refused::Store(error) = refused {
            return Refused::Store(error);
        }
        Refused::Problem(refused.into())
    }
}

/// By what a reader is known.
#[derive(Clone)]
enum Proof {
    Token(SecretHash),
    Session(SecretHash),
}

impl Proof {
    /// A token in the header; or the page's cookie, which opens only what changes nothing, since a
    /// browser sends it along whoever asked it to.
    fn of(request: &HttpRequest) -> Option<Proof> {
        let header = request.headers().get("authorization").and_then(|value| value.to_str().ok());
        if let Some((scheme, token)) = header.and_then(|value| value.split_once(' ')) {
            let is_bearer = scheme.eq_ignore_ascii_case("bearer");
            return is_bearer.then(|| Proof::Token(SecretHash::of(token.trim().as_bytes())));
        }
        let secret = session_secret(request).filter(|_| request.method().is_safe())?;
        Some(Proof::Session(SecretHash::of(secret.as_bytes())))
    }

    /// Whom it proves; of a token also the token, whose use is noted.
    fn access(self, snapshot: &Snapshot<'_>) -> Result<(Access, Option<Token>), Problem> {
        let unknown = || Problem::new(Code::Unauthorized, "no such token");
        let (reader, token) = match &self {
            Proof::Token(hash) => {
                let token = snapshot.token(hash)?.ok_or_else(unknown)?;
                (token.reader.clone(), Some(token))
            }
            Proof::Session(hash) => (session(snapshot, hash)?.ok_or_else(unknown)?.1.reader, None),
        };
        Ok((Access { reader, proof: self }, token))
    }
}

impl Access {
    /// The same reader, if token or session still hold, and with them the role: between asking and
    /// answering anything can have been taken away.
    pub fn again(&self, snapshot: &Snapshot<'_>) -> Result<Access, Problem> {
        let (now, _) = self.proof.clone().access(snapshot)?;
        now.require(self.reader.role)?;
        Ok(now)
    }

    /// Changes something for who asks. Whether token or session hold, and how far they reach, is
    /// looked at in the transaction that changes it, since the end of a request can be held back
    /// until long after its head was let in. What refuses must do so before it changes anything.
    pub async fn write<R: Send + 'static>(
        &self,
        app: &App,
        role: Role,
        mut work: impl FnMut(&mut Tx<'_>, &Access) -> Result<R, Refused> + Send + 'static,
    ) -> Result<R, Problem> {
        let asks = self.clone();
        let written = app.store.write(move |tx| {
            let may = asks.again(&tx.view()).and_then(|now| now.require(role).map(|()| now));
            let done = may.map_err(Refused::Problem).and_then(|now| work(tx, &now));
            match done {
                Ok(result) => Ok(Ok(result)),
                Err(Refused::Problem(problem)) => Ok(Err(problem)),
                Err(Refused::Store(error)) => Err(error),
            }
        });
        written.await?
    }

    /// As who asks for an action, in the transaction in which it was looked at.
    pub fn by(&self) -> By<'_> {
        By::Reader(&self.reader)
    }

    /// Who signed in to the page, with that session.
    pub fn of_session(user: User, hash: SecretHash) -> Access {
        Access { reader: user.reader, proof: Proof::Session(hash) }
    }

    /// By what the reader is known, for limits of each.
    pub fn key(&self) -> &SecretHash {
        match &self.proof {
            Proof::Token(hash) | Proof::Session(hash) => hash,
        }
    }

    /// 403 beyond the reader's role.
    pub fn require(&self, role: Role) -> Result<(), Problem> {
        if self.reader.role >= role {
            return Ok(());
        }
        let detail = format!(
            "this needs a token of the role `{}`; yours is `{}`",
            role.name(),
            self.reader.role.name()
        );
        Err(Problem::new(Code::Forbidden, detail))
    }

    /// The gym of that slug; 404 when it does not exist or the token may not see it, as of now.
    pub fn gym(&self, snapshot: &Snapshot<'_>, slug: &str) -> Result<Gym, Problem> {
        let now = self.again(snapshot)?;
        let gym = match slug.parse::<Slug>() {
            Ok(slug) => snapshot.gym_by_slug(&slug)?,
            Err(_) => None,
        };
        gym.filter(|gym| now.reader.may_see(gym.id)).ok_or_else(|| {
            let detail = format!(
                "there is no gym {slug:?}, or your token may not see it; \
                 GET /api/v1/gyms lists yours"
            );
            Problem::new(Code::NotFound, detail)
        })
    }

    /// All gyms the token may see, by slug, as of now.
    pub fn gyms(&self, snapshot: &Snapshot<'_>) -> Result<Vec<Gym>, Problem> {
        let now = self.again(snapshot)?;
        let mut gyms = snapshot.gyms()?;
        gyms.retain(|gym| now.reader.may_see(gym.id));
        Ok(gyms)
    }
}

impl FromRequest for Access {
    type Error = Problem;
    type Future = Ready<Result<Access, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(authenticate(app_of(request), request))
    }
}

fn authenticate(app: &web::Data<App>, request: &HttpRequest) -> Result<Access, Problem> {
    let missing = || {
        Problem::new(
            Code::Unauthorized,
            "send `Authorization: Bearer <token>`; `footfall token add` makes one",
        )
    };
    let proof = Proof::of(request).ok_or_else(missing)?;
    let (access, token) = app.store.read(|snapshot| Ok(proof.access(snapshot)))??;
    if let Some(token) = token {
        note_use(app, token.last_used_at, move |tx, now| tx.mark_token_used(token.id, now));
    }
    Ok(access)
}

/// The name of the cookie that holds a session's secret.
pub fn cookie_name(is_https: bool) -> &'static str {
    if is_https { COOKIE_OF_HTTPS } else { COOKIE }
}

/// The name of the cookie by which a browser is known after its session has ended.
pub fn known_name(is_https: bool) -> &'static str {
    if is_https { "__Host-footfall_browser" } else { "footfall_browser" }
}

/// What the cookie of a session holds. One that came another way than this request does not count.
pub fn session_secret(request: &HttpRequest) -> Option<String> {
    if !request.headers().contains_key(header::COOKIE) {
        return None;
    }
    let name = cookie_name(own_address::is_https(app_of(request), request));
    Some(request.cookie(name)?.value().to_owned())
}

/// What every handler may use.
fn app_of(request: &HttpRequest) -> &web::Data<App> {
    request.app_data::<web::Data<App>>().expect("every route has the app")
}

/// Whether the browser says that a page of ours sent a form. Old ones say less, or nothing; no
/// browser lets another site choose what it says.
pub fn is_from_here(request: &HttpRequest) -> bool {
    let header = |name| request.headers().get(name).map(|value| value.to_str().unwrap_or_default());
    if let Some(site) = header("sec-fetch-site") {
        return site == "same-origin" || site == "none";
    }
    let sender = header("origin").or_else(|| header("referer"));
    sender.is_none_or(|url| own_address::is_ours(app_of(request), request, url))
}

/// The session of that hash, if it has not ended, with its user.
pub fn session(
    snapshot: &Snapshot<'_>,
    hash: &SecretHash,
) -> Result<Option<(Session, User)>, StoreError> {
    let now = clock::now();
    let found = snapshot.session(hash, used_since(settled(snapshot, now)?))?;
    // What was used in the future was noted by a clock that was ahead, and does not count.
    Ok(found.filter(|(session, _)| session.last_used_at <= now + BACK_MAX))
}

/// Sessions not used since then have ended.
pub fn used_since(now: Millis) -> Millis {
    now - SESSION_DAYS * DAY
}

/// Keeps the time of last use to the minute, without making the reader wait for it.
pub fn note_use(
    app: &web::Data<App>,
    last: Option<Millis>,
    note: impl Fn(&mut Tx<'_>, Millis) -> Result<(), StoreError> + Send + 'static,
) {
    let now = clock::now();
    if last.is_none_or(|last| !(0..MINUTE).contains(&(now - last))) {
        let store = app.store.clone();
        actix_web::rt::spawn(async move {
            // By a clock that is ahead it would be a use in the future.
            let noted = store.write(move |tx| {
                let at = settled(&tx.view(), now)?.min(now);
                note(tx, at)
            });
            if let Err(error) = noted.await {
                tracing::debug!(%error, "the use of a token or a session was not noted");
            }
        });
    }
}
