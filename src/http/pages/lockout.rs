//! Lock-out: who fails to sign in too often has to wait. Kept in memory: a restart forgives.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::domain::{MINUTE, Millis};

/// A user's name may fail so often within [`LOCK_MINUTES`].
pub const FAILURES_MAX: u32 = 10;
/// An address may fail so often, over all names, within [`LOCK_MINUTES`].
pub const FAILURES_OF_ADDRESS_MAX: u32 = 50;
/// Failures are forgotten so many minutes after the last one.
pub const LOCK_MINUTES: i64 = 15;
/// So many names and addresses are remembered; then all are forgotten, so that memory has an end.
const REMEMBERED_MAX: usize = 20_000;

#[derive(Default)]
pub struct Lockout(Mutex<HashMap<String, Failures>>);

#[derive(Clone, Copy)]
struct Failures {
    count: u32,
    last: Millis,
}

impl Lockout {
    /// Whether that name or that address has failed too often.
    pub fn is_locked(&self, name: &str, address: &str, now: Millis) -> bool {
        let failures = self.lock();
        let count = |key: &str| {
            let recent = failures.get(key).filter(|failures| failures.is_recent(now));
            recent.map_or(0, |failures| failures.count)
        };
        count(&of_name(name)) >= FAILURES_MAX || count(address) >= FAILURES_OF_ADDRESS_MAX
    }

    pub fn note_failure(&self, name: &str, address: &str, now: Millis) {
        let mut failures = self.lock();
        if failures.len() >= REMEMBERED_MAX {
            failures.retain(|_, failures| failures.is_recent(now));
        }
        if failures.len() >= REMEMBERED_MAX {
            failures.clear();
        }
        for key in [of_name(name), address.to_owned()] {
            let entry = failures.entry(key).or_insert(Failures { count: 0, last: now });
            let count = if entry.is_recent(now) { entry.count } else { 0 };
            *entry = Failures { count: count + 1, last: now };
        }
    }

    /// A success forgives the name, but not the address.
    pub fn note_success(&self, name: &str) {
        self.lock().remove(&of_name(name));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Failures>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Failures {
    fn is_recent(self, now: Millis) -> bool {
        now - self.last < LOCK_MINUTES * MINUTE
    }
}

/// No address begins like that. A name that nobody can have is no use to remember whole.
fn of_name(name: &str) -> String {
    format!("name {}", name.chars().take(100).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_many_failures_lock_the_name_and_the_address_for_a_while() {
        let lockout = Lockout::default();
        for _ in 0..FAILURES_MAX {
            assert!(!lockout.is_locked("ann", "::1", 0));
            lockout.note_failure("ann", "::1", 0);
        }
        assert!(lockout.is_locked("ann", "::2", 1));
        assert!(!lockout.is_locked("bob", "::1", 1));
        assert!(!lockout.is_locked("ann", "::2", LOCK_MINUTES * MINUTE));
        lockout.note_success("ann");
        assert!(!lockout.is_locked("ann", "::1", 1));
        for number in FAILURES_MAX..FAILURES_OF_ADDRESS_MAX {
            lockout.note_failure(&number.to_string(), "::1", 1);
        }
        assert!(lockout.is_locked("bob", "::1", 1));
    }
}
