//! The HTTP door, by URL.

mod alike;
mod budgets;
mod busy;
mod connections;
mod deliveries;
mod faults;
mod first_admin;
mod head;
mod health;
mod known;
mod log;
mod members;
pub mod page;
mod page_roles;
mod paths;
mod reading;
mod redundancy;
mod reports;
mod revoked;
mod roles;
mod set_up;
mod sign_in;
mod strangers;
mod stream;
mod unread;

use chrono::Timelike;
use chrono_tz::Tz;

/// A zone in which it is neither night nor near midnight now, so that a test that is about local
/// days does not run into the next one; and in which the day differs from the UTC day.
pub fn zone_by_day() -> Tz {
    let zones = [
        chrono_tz::Asia::Kathmandu,
        chrono_tz::Pacific::Auckland,
        chrono_tz::America::St_Johns,
        chrono_tz::America::Los_Angeles,
        chrono_tz::Asia::Tokyo,
        chrono_tz::Pacific::Honolulu,
    ];
    let hour = |zone: &Tz| {
        let now = chrono::DateTime::from_timestamp_millis(crate::service::now());
        now.expect("a time").with_timezone(zone).hour()
    };
    zones.into_iter().find(|zone| (7..20).contains(&hour(zone))).expect("it is day somewhere")
}
