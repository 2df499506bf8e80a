//! Who may look: tokens of programs, and users of the page. Nobody gives away more than they have,
//! and nobody sees or removes who may do more than they.

use super::{By, Refused};
use crate::domain::ids::GymId;
use crate::domain::{DAY, Millis, names};
use crate::projection::witness::settled;
use crate::store::{Reader, Role, Secret, SecretHash, Tx, User};

/// A link that signs in is good for so many days, once.
pub const LINK_DAYS: i64 = 3;
/// Marks a token of ours, so that a leaked one is recognised.
pub const TOKEN_PREFIX: &str = "fft_";

/// A reader to be added; no gyms stand for all, also those to come.
pub fn reader(name: &str, role: Role, gyms: Option<Vec<GymId>>) -> Result<Reader, Refused> {
    let bad = |error| Refused::Bad(format!("the name is no good: {error}"));
    Ok(Reader { name: names::name(name).map_err(bad)?, role, gyms })
}

pub fn add_token(
    tx: &mut Tx<'_>,
    by: By<'_>,
    reader: &Reader,
    hash: &SecretHash,
    now: Millis,
) -> Result<(), Refused> {
    require_cover(by, reader)?;
    let is_added = tx.add_token(reader, hash, now)?;
    is_added.then_some(()).ok_or_else(|| taken("token", "it", &reader.name))
}

pub fn remove_token(tx: &mut Tx<'_>, by: By<'_>, name: &str) -> Result<(), Refused> {
    let named = tx.view().tokens_named(name)?;
    let is_covered = named.iter().all(|token| by.covers(&token.reader));
    let is_gone = is_covered && tx.remove_token(name)?;
    is_gone.then_some(()).ok_or_else(|| unknown("token", name))
}

/// Adds a user with a link that signs them in once; until when it is good.
pub fn add_user(
    tx: &mut Tx<'_>,
    by: By<'_>,
    reader: &Reader,
    link: &SecretHash,
    now: Millis,
) -> Result<Millis, Refused> {
    require_cover(by, reader)?;
    let added = tx.add_user(reader, now)?.ok_or_else(|| taken("user", "them", &reader.name))?;
    set_link(tx, added, link, now)
}

/// Adds the first user, an admin of all gyms, with a password; their id. Nobody is asked who they
/// are, so there must be no user yet.
pub fn add_first_admin(
    tx: &mut Tx<'_>,
    reader: &Reader,
    password_hash: &str,
    now: Millis,
) -> Result<i64, Refused> {
    let late = || Refused::Conflict("there is a user already; sign in as one".to_owned());
    let is_first = tx.view().users()?.is_empty();
    let added = if is_first { tx.add_user(reader, now)? } else { None };
    let id = added.ok_or_else(late)?;
    tx.set_password(id, password_hash)?;
    Ok(id)
}

/// Gives a user a new link, which replaces one that was not used; with the name as it is kept, and
/// until when the link is good.
pub fn renew_link(
    tx: &mut Tx<'_>,
    by: By<'_>,
    name: &str,
    link: &SecretHash,
    now: Millis,
) -> Result<(String, Millis), Refused> {
    let user = user(tx, by, name)?;
    Ok((user.reader.name, set_link(tx, user.id, link, now)?))
}

pub fn remove_user(tx: &mut Tx<'_>, by: By<'_>, name: &str) -> Result<(), Refused> {
    let user = user(tx, by, name)?;
    tx.remove_user(user.id)?;
    Ok(())
}

/// Where a link that signs in leads, below footfall's root.
pub fn link_path(link: &Secret) -> String {
    format!("/sign-in/{}", link.reveal())
}

fn set_link(tx: &mut Tx<'_>, user: i64, link: &SecretHash, now: Millis) -> Result<Millis, Refused> {
    let until = settled(&tx.view(), now)? + LINK_DAYS * DAY;
    tx.set_link(user, link, until)?;
    Ok(until)
}

/// The user of that name, if who asks may know of them.
fn user(tx: &Tx<'_>, by: By<'_>, name: &str) -> Result<User, Refused> {
    let found = tx.view().user(name)?.filter(|user| by.covers(&user.reader));
    found.ok_or_else(|| unknown("user", name))
}

fn require_cover(by: By<'_>, reader: &Reader) -> Result<(), Refused> {
    let beyond = || {
        let detail = "nobody gives away more than they have: name gyms of your own in `gyms`, and a \
                      role up to yours";
        Refused::Beyond(detail.to_owned())
    };
    by.covers(reader).then_some(()).ok_or_else(beyond)
}

fn taken(what: &str, it: &str, name: &str) -> Refused {
    Refused::Taken(format!(
        "there is a {what} {name:?} already (case does not matter); remove {it} first, or take \
         another name"
    ))
}

fn unknown(what: &str, name: &str) -> Refused {
    Refused::NotFound(format!("there is no {what} {name:?}; look at the list of {what}s"))
}
