//! What people change of a set-up, each once: the command line, the page and the API call the same.
//!
//! An action is a function of a transaction, of who asks, and of its arguments. How far who asks
//! reaches is looked at here, in that transaction; what refuses does so before it changes anything.
//! Status codes, output and chance may not live here: instants and secrets are arguments.

pub mod gyms;
pub mod readers;
pub mod webhooks;

use crate::domain::ids::GymId;
use crate::store::{Database, Reader, Role, StoreError, Tx};

/// Why nothing was changed, and what to try.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    #[error("{0}")]
    Beyond(String),
    #[error("{0}")]
    NotFound(String),
    /// What was said is no good.
    #[error("{0}")]
    Bad(String),
    #[error("{0}")]
    Taken(String),
    /// It is not to be done as things are now.
    #[error("{0}")]
    Conflict(String),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Who asks for a change.
#[derive(Clone, Copy)]
pub enum By<'r> {
    /// Who may use the data folder may do everything.
    Operator,
    /// Somebody with a token or a session that hold in this transaction.
    Reader(&'r Reader),
}

impl By<'_> {
    /// Whether all that somebody may do, who asks may do too.
    pub fn covers(self, other: &Reader) -> bool {
        let By::Reader(own) = self else { return true };
        let gyms = match (&own.gyms, &other.gyms) {
            (None, _) => true,
            // Who sees no gym any more is known to those of all gyms only.
            (Some(_), Some(others)) => {
                !others.is_empty() && others.iter().all(|gym: &GymId| own.may_see(*gym))
            }
            (Some(_), None) => false,
        };
        gyms && own.role >= other.role
    }

    /// Refuses whoever may not change the set-up of all gyms.
    fn require_all_gyms(self) -> Result<(), Refused> {
        match self {
            By::Operator => Ok(()),
            By::Reader(reader) if reader.role == Role::Admin && reader.gyms.is_none() => Ok(()),
            By::Reader(_) => {
                Err(Refused::Beyond("this needs an `admin` of all gyms, also those to come".into()))
            }
        }
    }
}

/// Changes something by a command, in a transaction of its own.
pub fn at_once<R>(
    database: &Database,
    work: impl FnOnce(&mut Tx<'_>) -> Result<R, Refused>,
) -> Result<R, Refused> {
    let mut connection = database.connect()?;
    database.transact(&mut connection, |tx| {
        let done = work(tx);
        if let Err(Refused::Store(error)) = done { Err(error) } else { Ok(done) }
    })?
}
