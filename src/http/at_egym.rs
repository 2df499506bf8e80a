//! EGYM, as far as a page asks for it: what is done there with an API key is the program's, which
//! gives it to the door as it starts. The key is an argument, and kept nowhere.

use std::fmt;
use std::sync::Arc;

use super::problem::{Code, Problem};
use crate::actions::Refused;
use crate::domain::ids::Slug;
use crate::store::{Gym, Tx};

/// Whether who asks may change webhooks of the gym, looked at in each transaction that changes one.
pub type May = dyn Fn(&Tx<'_>) -> Result<(), Refused> + Send;

type Register = dyn Fn(Gym, String, &May) -> Result<(), Trouble> + Send + Sync;

/// Registers a webhook of a gym with the API key of its location, as `footfall egym register` does,
/// and lets EGYM send a `TEST`, which it does not wait for. It may take minutes, on its own thread.
#[derive(Clone)]
pub struct AtEgym(Arc<Register>);

impl AtEgym {
    pub fn new(
        register: impl Fn(Gym, String, &May) -> Result<(), Trouble> + Send + Sync + 'static,
    ) -> AtEgym {
        AtEgym(Arc::new(register))
    }

    pub fn register(&self, gym: Gym, key: String, may: &May) -> Result<(), Trouble> {
        (self.0)(gym, key, may)
    }
}

impl fmt::Debug for AtEgym {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AtEgym(…)")
    }
}

/// Why a webhook is not registered at EGYM.
#[derive(Debug)]
pub enum Trouble {
    /// It is none, or EGYM does not know it.
    BadKey,
    /// The key may not manage webhooks.
    MayNot,
    /// The key is that of another gym here.
    KeyOf(Slug),
    /// Somebody else is changing webhooks at EGYM.
    Busy,
    Unreachable,
    TooManyCalls,
    /// EGYM may have done what was asked, or not.
    InDoubt,
    /// Who asks may not do so any more, or what it was about is gone.
    Refused(Refused),
    /// What else, in English.
    Other(String),
}

impl From<Trouble> for Problem {
    fn from(trouble: Trouble) -> Problem {
        let said = |detail: &str, key| Problem::new(Code::Conflict, detail).as_message(key, &[]);
        match trouble {
            Trouble::BadKey => said("EGYM does not know the API key", "connect.bad_key"),
            Trouble::MayNot => said("the API key may not manage webhooks", "connect.key_may_not"),
            Trouble::KeyOf(gym) => {
                let detail = format!("this API key belongs to gym {gym}");
                Problem::new(Code::Conflict, detail).as_message("connect.key_of", &[gym.as_str()])
            }
            Trouble::Busy => said("webhooks are being changed at EGYM", "connect.busy"),
            Trouble::Unreachable => said("EGYM cannot be reached", "connect.unreachable"),
            Trouble::TooManyCalls => said("EGYM refuses more calls", "connect.too_many_calls"),
            Trouble::InDoubt => said("nobody knows what EGYM did", "connect.in_doubt"),
            Trouble::Refused(refused) => refused.into(),
            Trouble::Other(detail) => Problem::new(Code::Conflict, detail),
        }
    }
}
