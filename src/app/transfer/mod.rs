//! Export and import: what leaves an installation as text, and comes into one.
//!
//! The format is JSON lines, each an object with one key that says what it is: a `header` first,
//! then gyms, webhooks and events, and an `end`, so that a file that was cut off is noticed.

pub mod export;
pub mod icalendar;
pub mod import;
mod refused;
mod source;
mod undo;
mod visits;

pub use visits::decode;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::domain::Millis;
use crate::domain::names;
use crate::domain::report::busy::Public;
use crate::domain::rules::{self, Rules};
use crate::store::{Gym, GymSettings};

/// What the header says this is.
const FORMAT: &str = "footfall";
/// Grows when an older footfall could not read it.
const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Line {
    Header(Header),
    Gym(GymLine),
    Webhook(WebhookLine),
    Event(EventLine),
    End(End),
}

#[derive(Serialize, Deserialize)]
struct Header {
    format: String,
    version: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct GymLine {
    gym: String,
    name: String,
    time_zone: String,
    capacity: Option<u32>,
    visit_window: u32,
    assumed_stay: u32,
    assumed_tail: u32,
    rejoin_grace: u32,
    retain_events_months: Option<u32>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WebhookLine {
    gym: String,
    webhook: String,
    /// Of the secret, which itself is nowhere: what was registered at the sender goes on working.
    secret_sha256: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct EventLine {
    gym: String,
    position: i64,
    /// Milliseconds since 1970, UTC.
    received_at: Millis,
    imported: bool,
    /// As it was sent.
    delivery: Box<RawValue>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct End {
    events: u64,
    /// The next export goes on `--after` this.
    next: i64,
}

impl GymLine {
    fn of(gym: &Gym) -> GymLine {
        let settings = &gym.settings;
        let [visit_window, assumed_stay, assumed_tail, rejoin_grace] = settings.rules.minutes();
        GymLine {
            gym: gym.slug.to_string(),
            name: settings.name.clone(),
            time_zone: settings.zone.name().to_owned(),
            capacity: settings.capacity,
            visit_window,
            assumed_stay,
            assumed_tail,
            rejoin_grace,
            retain_events_months: settings.retain_months,
        }
    }

    fn settings(&self) -> Result<GymSettings, String> {
        let rules =
            Rules::new(self.visit_window, self.assumed_stay, self.assumed_tail, self.rejoin_grace);
        let retain_months = self.retain_events_months.map(rules::retain_months).transpose();
        // It may come from where names were not looked at yet.
        let name = names::name(&names::visible(&self.name));
        Ok(GymSettings {
            name: name.map_err(|error| format!("the gym's name is no good: {error}"))?,
            zone: self.time_zone.parse().map_err(|_| {
                format!("{:?} is not in the IANA time zone database", self.time_zone)
            })?,
            // 0: not known, as everywhere.
            capacity: self.capacity.filter(|capacity| *capacity > 0),
            rules: rules.map_err(|error| error.to_string())?,
            retain_months: retain_months.map_err(|error| error.to_string())?,
            // Whether a gym is shown to everybody is decided where it is shown.
            public: Public::Off,
        })
    }
}
