//! An event: one fact from the sender (model section 2).

use super::ids::{Account, Position};
use super::{DAY, HOUR, Millis};

/// Events before 2015-01-01T00:00:00Z are not believed (model section 2).
pub const EARLIEST_AT: Millis = 1_420_070_400_000;
/// An event may be this far ahead of our clock, in milliseconds: ten minutes.
pub const FUTURE_MAX: Millis = 10 * super::MINUTE;

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Kind {
    Checkin,
    Checkout,
    Equipment,
    Onboarding,
    MembershipDelete,
    /// A type this version does not know: kept under the sender's own word, takes no part in
    /// visits, and starts to count when a later version knows it.
    Unknown(Box<str>),
}

impl Kind {
    /// Reads the sender's word. Total: what is not known is [`Kind::Unknown`].
    pub fn from_name(name: &str) -> Kind {
        match name {
            "GYM_CHECKIN" => Kind::Checkin,
            "GYM_CHECKOUT" => Kind::Checkout,
            "EQUIPMENT_CHECKIN" => Kind::Equipment,
            "GENIUS_ONBOARDING_COMPLETED" => Kind::Onboarding,
            "MEMBERSHIP_DELETE" => Kind::MembershipDelete,
            other => Kind::Unknown(other.into()),
        }
    }

    /// The sender's word for it.
    pub fn name(&self) -> &str {
        match self {
            Kind::Checkin => "GYM_CHECKIN",
            Kind::Checkout => "GYM_CHECKOUT",
            Kind::Equipment => "EQUIPMENT_CHECKIN",
            Kind::Onboarding => "GENIUS_ONBOARDING_COMPLETED",
            Kind::MembershipDelete => "MEMBERSHIP_DELETE",
            Kind::Unknown(name) => name,
        }
    }

    /// The order of events within one millisecond (model section 2). A deletion comes last: it
    /// erases everything up to and including its own instant.
    pub fn rank(&self) -> u8 {
        match self {
            Kind::Checkout => 0,
            Kind::Checkin => 1,
            Kind::Equipment => 2,
            Kind::Onboarding => 3,
            Kind::Unknown(_) => 4,
            Kind::MembershipDelete => 5,
        }
    }
}

/// How long after it happened an event reached us (model section 4, quality: over 1 h is late).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Lateness {
    OnTime,
    OverHour,
    OverSixHours,
    OverDay,
    OverWeek,
}

impl Lateness {
    /// All of them, in order of lateness.
    pub const ALL: [Lateness; 5] = [
        Lateness::OnTime,
        Lateness::OverHour,
        Lateness::OverSixHours,
        Lateness::OverDay,
        Lateness::OverWeek,
    ];

    pub fn of(at: Millis, received_at: Millis) -> Lateness {
        match received_at.saturating_sub(at) {
            late if late > 7 * DAY => Lateness::OverWeek,
            late if late > DAY => Lateness::OverDay,
            late if late > 6 * HOUR => Lateness::OverSixHours,
            late if late > HOUR => Lateness::OverHour,
            _ => Lateness::OnTime,
        }
    }
}

/// How an event came to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    pub received_at: Millis,
    /// It was no delivery, but was taken from a club's own records: nobody was late with it.
    pub imported: bool,
}

impl Arrival {
    pub fn delivered(received_at: Millis) -> Arrival {
        Arrival { received_at, imported: false }
    }

    /// How late the event was that happened at `at`.
    pub fn lateness(&self, at: Millis) -> Lateness {
        if self.imported { Lateness::OnTime } else { Lateness::of(at, self.received_at) }
    }
}

/// An event as the sender told it, before it has a place in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    pub account: Account,
    pub at: Millis,
    pub kind: Kind,
    /// Fields we do not know, as a JSON object's text, kept with the event. None without any.
    pub extra: Option<Box<str>>,
}

/// An event's place in its member's timeline: all that the fold and the tallies need of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub at: Millis,
    pub kind: Kind,
    pub position: Position,
    pub lateness: Lateness,
}

impl Entry {
    /// The order inside a timeline (model section 2). Arrival decides nothing that counts: two
    /// events of one identity never both exist, so position only breaks ties of unknown types.
    pub fn order(&self) -> (Millis, u8, Position) {
        (self.at, self.kind.rank(), self.position)
    }

    /// Whether the two are the same event (model section 2, identity within one member).
    pub fn is_same_event(&self, other: &Entry) -> bool {
        self.at == other.at && self.kind == other.kind
    }
}
