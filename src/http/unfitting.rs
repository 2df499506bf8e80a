//! Why a delivery goes to quarantine: the reason for the store, the word for programs, and a
//! sentence that never quotes the body.

use super::deliveries::BODY_BYTES_MAX;
use super::problem::Code;
use crate::intake::egym::Unfit;
use crate::store::Reason;

/// What was wrong with a body that did not come as it should.
#[derive(Clone, Copy)]
pub enum Unreadable {
    TooLarge,
    Incomplete,
}

#[derive(Clone)]
pub struct Unfitting {
    pub reason: Reason,
    pub code: Code,
    pub detail: String,
}

impl Unfitting {
    pub fn of_body(fault: Unreadable) -> Unfitting {
        let (reason, code, detail) = match fault {
            Unreadable::TooLarge => {
                let detail = format!("the body has more than {BODY_BYTES_MAX} bytes");
                (Reason::BodyTooLarge, Code::BodyTooLarge, detail)
            }
            Unreadable::Incomplete => {
                let detail = "the body ended before it was whole, or came too slowly".to_owned();
                (Reason::BodyIncomplete, Code::BodyIncomplete, detail)
            }
        };
        Unfitting { reason, code, detail }
    }

    pub fn of_content(unfit: &Unfit) -> Unfitting {
        let (reason, code) = match unfit {
            Unfit::NotJson(_) => (Reason::NotJson, Code::NotJson),
            Unfit::Shape(_) => (Reason::Shape, Code::WrongShape),
            Unfit::TooEarly => (Reason::TooEarly, Code::TimeTooEarly),
            Unfit::TooFarAhead => (Reason::TooFarAhead, Code::TimeInFuture),
        };
        Unfitting { reason, code, detail: unfit.to_string() }
    }

    pub fn stretch_full() -> Unfitting {
        Unfitting {
            reason: Reason::StretchFull,
            code: Code::StretchFull,
            detail: "this account sent more events without a pause than one person can; \
                     look for a test card, or a door that repeats itself"
                .to_owned(),
        }
    }

    pub fn too_old() -> Unfitting {
        Unfitting {
            reason: Reason::TooOld,
            code: Code::BeyondRetention,
            detail: "this event is older than the gym keeps events; \
                     `footfall gym set --retain-events` says for how long"
                .to_owned(),
        }
    }

    pub fn fault() -> Unfitting {
        Unfitting {
            reason: Reason::Fault,
            code: Code::Unavailable,
            detail: "the delivery is kept, but could not be applied; run `footfall verify`"
                .to_owned(),
        }
    }
}
