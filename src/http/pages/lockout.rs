//! Lock-out: who fails to sign in too often has to wait. Kept in memory: a restart forgives.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::domain::names::folded;
use crate::domain::{MINUTE, Millis};

/// A user's name may fail so often within [`LOCK_MINUTES`].
pub const FAILURES_MAX: u32 = 10;
/// An address may fail so often, over all names, within [`LOCK_MINUTES`].
pub const FAILURES_OF_ADDRESS_MAX: u32 = 50;
/// Failures are forgotten so many minutes after the last one.
pub const LOCK_MINUTES: i64 = 15;
/// So many names and addresses are remembered; then those with few failures are forgotten, and if
/// that is not enough, all, so that memory has an end.
const REMEMBERED_MAX: usize = 20_000;
/// Characters of a name that are remembered: one that nobody can have is no use to keep whole.
const REMEMBERED_CHARACTERS_MAX: usize = 100;

#[derive(Default)]
pub struct Lockout(Mutex<HashMap<String, Failures>>);

#[derive(Clone, Copy)]
struct Failures {
    count: u32,
    last: Millis,
}

impl Lockout {
    /// Counts an attempt as failed before a password is compared, so that none who come at once pass
    /// the limit together. False when that name or that address has failed too often.
    pub fn begin(&self, name: &str, address: &str, now: Millis) -> bool {
        let mut failures = self.lock();
        make_room(&mut failures, now);
        let (name, address) = keys(name, address);
        let count = |key: &str| {
            let recent = failures.get(key).filter(|failures| failures.is_recent(now));
            recent.map_or(0, |failures| failures.count)
        };
        let (of_name, of_address) = (count(&name), count(&address));
        if of_name >= FAILURES_MAX || of_address >= FAILURES_OF_ADDRESS_MAX {
            return false;
        }
        failures.insert(name, Failures { count: of_name + 1, last: now });
        failures.insert(address, Failures { count: of_address + 1, last: now });
        true
    }

    /// Takes an attempt back, for which no password was compared.
    pub fn withdraw(&self, name: &str, address: &str) {
        let mut failures = self.lock();
        let (name, address) = keys(name, address);
        take_back(&mut failures, &name);
        take_back(&mut failures, &address);
    }

    /// The attempt succeeded: that forgives the name, but of the address only this attempt.
    pub fn succeed(&self, name: &str, address: &str) {
        let mut failures = self.lock();
        let (name, address) = keys(name, address);
        failures.remove(&name);
        take_back(&mut failures, &address);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Failures>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn make_room(failures: &mut HashMap<String, Failures>, now: Millis) {
    // An attempt adds two.
    let is_full = |failures: &HashMap<_, _>| failures.len() + 2 > REMEMBERED_MAX;
    if is_full(failures) {
        failures.retain(|_, failures| failures.is_recent(now));
    }
    if is_full(failures) {
        failures.retain(|_, failures| failures.count >= FAILURES_MAX);
    }
    if is_full(failures) {
        failures.clear();
    }
}

fn take_back(failures: &mut HashMap<String, Failures>, key: &str) {
    if let Some(entry) = failures.get_mut(key) {
        entry.count = entry.count.saturating_sub(1);
    }
}

impl Failures {
    /// What is said to be later than now was noted by a clock that was wrong.
    fn is_recent(self, now: Millis) -> bool {
        (0..LOCK_MINUTES * MINUTE).contains(&(now - self.last))
    }
}

/// How a name and an address are remembered; no address begins like a name.
fn keys(name: &str, address: &str) -> (String, String) {
    let name = folded(name).chars().take(REMEMBERED_CHARACTERS_MAX).collect::<String>();
    (format!("name {name}"), address.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_many_failures_lock_the_name_and_the_address_for_a_while() {
        let lockout = Lockout::default();
        for name in ["ann", "Ann", "ANN", "aNn", "anN"].iter().cycle().take(FAILURES_MAX as usize) {
            assert!(lockout.begin(name, "::1", 0));
        }
        assert!(!lockout.begin("ann", "::2", 1), "however it is written");
        assert!(lockout.begin("bob", "::1", 1));
        lockout.withdraw("bob", "::1");
        assert!(lockout.begin("ann", "::2", LOCK_MINUTES * MINUTE));
        lockout.succeed("ann", "::2");
        for number in FAILURES_MAX..FAILURES_OF_ADDRESS_MAX {
            assert!(lockout.begin(&number.to_string(), "::1", 1));
        }
        assert!(!lockout.begin("bob", "::1", 1));
    }

    #[test]
    fn who_is_locked_out_stays_so_whoever_else_comes() {
        let lockout = Lockout::default();
        for _ in 0..FAILURES_MAX {
            assert!(lockout.begin("ann", "::1", 0));
        }
        for number in 0..REMEMBERED_MAX {
            assert!(lockout.begin(&format!("n{number}"), &format!("a{number}"), 0));
        }
        assert!(lockout.lock().len() <= REMEMBERED_MAX);
        assert!(!lockout.begin("ann", "::2", 1));
    }
}
