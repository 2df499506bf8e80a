//! The one door for time. Everything else takes "now" as an argument, or asks here.

use crate::domain::Millis;

/// Now, in UTC milliseconds since 1970.
#[expect(clippy::disallowed_methods, reason = "this is the one door")]
pub fn now() -> Millis {
    chrono::Utc::now().timestamp_millis()
}
