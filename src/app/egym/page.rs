//! What a page does at EGYM, by the code of the commands: only who asks, where the key comes from and
//! how it is told differ.

use anyhow::Context;

use super::{Desk, Obstacle, register};
use crate::actions::Refused;
use crate::app::config::Config;
use crate::egym::ApiError;
use crate::http::at_egym::{AtEgym, May, Trouble};
use crate::store::{Database, Gym};

/// For pages of a service on that data folder.
pub fn for_pages(config: &Config, database: &Database) -> AtEgym {
    let (config, database) = (config.clone(), database.clone());
    AtEgym::new(move |gym, key, may| ask(&database, &config, gym, key, may).map_err(trouble))
}

/// On the thread of who calls, which waits for EGYM.
fn ask(
    database: &Database,
    config: &Config,
    gym: Gym,
    key: String,
    may: &May,
) -> anyhow::Result<()> {
    let desk = Desk::at(database, config, gym, || Ok(key), Some(may))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.context("EGYM cannot be asked")?.block_on(register::start(&desk))
}

fn trouble(error: anyhow::Error) -> Trouble {
    match error.downcast_ref() {
        Some(Obstacle::BadKey) => return Trouble::BadKey,
        Some(Obstacle::KeyOf { theirs, .. }) => return Trouble::KeyOf(theirs.clone()),
        Some(Obstacle::Claimed) => return Trouble::Busy,
        None => {}
    }
    match error.downcast_ref() {
        Some(ApiError::Refused(refusal)) => match (refusal.status, &*refusal.code) {
            (403, "missingPermission") => return Trouble::MayNot,
            (401 | 403, _) => return Trouble::BadKey,
            (500.., _) => return Trouble::InDoubt,
            _ => {}
        },
        Some(ApiError::Unreachable(_)) => return Trouble::Unreachable,
        Some(ApiError::TooManyCalls) => return Trouble::TooManyCalls,
        Some(ApiError::NoAnswer | ApiError::NotUnderstood) => return Trouble::InDoubt,
        None => {}
    }
    match error.downcast::<Refused>() {
        Ok(refused) => Trouble::Refused(refused),
        Err(error) => Trouble::Other(format!("{error:#}")),
    }
}
