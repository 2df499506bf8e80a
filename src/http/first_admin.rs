//! The link that makes the first admin: printed at the start while there is no user, good once and
//! for a while. Only its hash is kept, and only in memory: the next start prints another.

use std::fmt;
use std::time::{Duration, Instant};

use crate::store::{Secret, SecretHash};

/// The link is good for so many minutes from the start on.
pub const FIRST_ADMIN_MINUTES: u64 = 60;

/// What is known of a link that was printed.
#[derive(Clone)]
pub struct FirstAdmin {
    hash: SecretHash,
    /// By a clock that nobody sets.
    until: Instant,
}

impl FirstAdmin {
    pub fn new(secret: &Secret, now: Instant) -> FirstAdmin {
        let until = now + Duration::from_secs(60 * FIRST_ADMIN_MINUTES);
        FirstAdmin { hash: secret.hash(), until }
    }

    /// Where the link leads, below footfall's root. What stands behind `#` no browser sends anywhere:
    /// it is in no log of requests, of ours or of a proxy, and in no `Referer`.
    pub fn path(secret: &Secret) -> String {
        format!("/first-admin#{}", secret.reveal())
    }

    pub fn is_open(&self, now: Instant) -> bool {
        now < self.until
    }

    /// Whether it is that link's secret, and still good.
    pub fn is_good(&self, secret: &str, now: Instant) -> bool {
        self.hash.matches(secret.trim().as_bytes()) && self.is_open(now)
    }
}

impl fmt::Debug for FirstAdmin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FirstAdmin(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_good_for_its_time_and_with_its_own_secret() {
        let (secret, now) = (Secret::fresh(""), Instant::now());
        let first = FirstAdmin::new(&secret, now);
        let end = now + Duration::from_secs(60 * FIRST_ADMIN_MINUTES);
        let before = end.checked_sub(Duration::from_millis(1)).expect("later than the start");
        assert!(first.is_good(secret.reveal(), now) && first.is_good(secret.reveal(), before));
        assert!(first.is_good(&format!(" {}\n", secret.reveal()), now), "as it is copied");
        assert!(!first.is_good(secret.reveal(), end), "it is over");
        assert!(!first.is_good("", now) && !first.is_good(Secret::fresh("").reveal(), now));
        assert!(!format!("{first:?}").contains(&secret.hash().to_hex()), "nothing of it is logged");
    }
}
