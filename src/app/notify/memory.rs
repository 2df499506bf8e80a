//! What was told, and what did not arrive: so that nobody is told twice, and what failed is tried
//! again when it may be. Deciding what to tell may not live here.

use std::collections::HashMap;

use crate::clock;
use crate::domain::ids::GymId;
use crate::domain::witness::BACK_MAX;
use crate::domain::{HOUR, MINUTE, Millis};
use crate::store::{Notice, SecretHash, Store, StoreError};

/// The second try is so much later than the first, and each further pause is twice as long.
const TRY_AGAIN: Millis = 5 * MINUTE;
/// But no pause is longer. One that may have arrived is not sent again before, since nobody is
/// told the same twice in an hour.
const PAUSE_MAX: Millis = HOUR;

/// To whom something of a gym is told: the gym, the subject, and the recipient's hash.
pub type Address = (GymId, &'static str, [u8; 32]);

/// Remembers with the data, so that a restart forgets nothing that was told.
pub struct Memory {
    store: Store,
    /// What was told and could not be written yet.
    unwritten: HashMap<Address, Notice>,
    failures: HashMap<Address, Failure>,
}

/// A notice that did not arrive.
#[derive(Clone, Copy)]
struct Failure {
    /// The end of a digest's period; none of an alert.
    of: Option<Millis>,
    tries: u32,
    next: Millis,
}

impl Memory {
    pub fn new(store: Store) -> Memory {
        Memory { store, unwritten: HashMap::new(), failures: HashMap::new() }
    }

    /// What was told last. What a wrong clock told in the future was not.
    pub fn told(&self, address: &Address, now: Millis) -> Result<Option<Notice>, StoreError> {
        let (gym, subject, recipient) = address;
        let recipient = SecretHash::from_bytes(*recipient);
        let notice = match self.unwritten.get(address) {
            Some(notice) => Some(*notice),
            None => self.store.read(|snapshot| snapshot.last_notice(*gym, subject, &recipient))?,
        };
        Ok(notice.filter(|notice| notice.at <= now + BACK_MAX))
    }

    /// Whether no try of the same has failed so shortly before that another may not be made yet.
    pub fn may_try(&self, address: &Address, of: Option<Millis>, now: Millis) -> bool {
        // No pause is longer, so a later end is one that a wrong clock set.
        self.failures.get(address).is_none_or(|failure| {
            failure.of != of || !(now + 1..=now + PAUSE_MAX).contains(&failure.next)
        })
    }

    /// Notes that a try failed; answers how many have. What may have arrived waits longest.
    pub fn failed(&mut self, address: Address, of: Option<Millis>, may_have_arrived: bool) -> u32 {
        let before = self.failures.get(&address).filter(|failure| failure.of == of);
        let tries = before.map_or(0, |failure| failure.tries) + 1;
        let pause = if may_have_arrived { PAUSE_MAX } else { pause(tries) };
        self.failures.insert(address, Failure { of, tries, next: clock::now() + pause });
        tries
    }

    /// What failed is over.
    pub fn forget_failures(&mut self, address: &Address) {
        self.failures.remove(address);
    }

    /// Remembers what was told; what cannot be written now is known nevertheless.
    pub async fn remember(&mut self, address: Address, notice: Notice) {
        self.unwritten.insert(address, notice);
        self.write(address, notice).await;
    }

    /// Writes what could not be written before.
    pub async fn catch_up(&mut self) {
        for (address, notice) in self.unwritten.clone() {
            self.write(address, notice).await;
        }
    }

    async fn write(&mut self, address: Address, notice: Notice) {
        let (gym, subject, recipient) = address;
        let recipient = SecretHash::from_bytes(recipient);
        let written =
            self.store.write(move |tx| tx.set_notice(gym, subject, &recipient, notice)).await;
        match written {
            Ok(()) => drop(self.unwritten.remove(&address)),
            Err(error) => tracing::error!(%error, "what was told could not be remembered yet"),
        }
    }
}

/// How long to wait after so many tries.
fn pause(tries: u32) -> Millis {
    let doubled = TRY_AGAIN.checked_shl(tries.saturating_sub(1)).filter(|pause| *pause > 0);
    doubled.map_or(PAUSE_MAX, |pause| pause.min(PAUSE_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADDRESS: Address = (GymId(99), "daily", [7; 32]);

    #[test]
    fn what_fails_is_tried_for_as_long_as_somebody_asks() {
        let folder = tempfile::tempdir().unwrap();
        let (store, _writer) = Store::start(folder.path()).unwrap();
        let mut memory = Memory::new(store);
        let of = Some(1);
        assert!(memory.may_try(&ADDRESS, of, clock::now()));
        for tries in 1..=30 {
            assert_eq!(memory.failed(ADDRESS, of, false), tries);
            assert!(!memory.may_try(&ADDRESS, of, clock::now()));
            assert!(memory.may_try(&ADDRESS, of, clock::now() + PAUSE_MAX));
        }
        assert!(memory.may_try(&ADDRESS, of, clock::now() - 2 * HOUR), "the clock was wrong");
        assert!(memory.may_try(&ADDRESS, Some(2), clock::now()), "that is another digest");
        assert_eq!(memory.failed(ADDRESS, Some(2), true), 1);
        assert!(!memory.may_try(&ADDRESS, Some(2), clock::now() + PAUSE_MAX - MINUTE));
        memory.forget_failures(&ADDRESS);
        assert!(memory.may_try(&ADDRESS, Some(2), clock::now()));
    }

    #[tokio::test]
    async fn what_was_told_and_cannot_be_written_is_known_nevertheless() {
        let folder = tempfile::tempdir().unwrap();
        let (store, _writer) = Store::start(folder.path()).unwrap();
        let mut memory = Memory::new(store);
        let notice = Notice { at: 5, holds: true };
        // There is no such gym, so it cannot be written.
        memory.remember(ADDRESS, notice).await;
        memory.catch_up().await;
        assert_eq!(memory.told(&ADDRESS, 5).unwrap(), Some(notice));
        assert_eq!(memory.told(&ADDRESS, 5 - HOUR).unwrap(), None, "that is in the future");
        assert_eq!(memory.unwritten.len(), 1);
    }

    #[test]
    fn pauses_double_up_to_an_hour_and_stay_there() {
        let minutes = [1, 2, 3, 4, 5, 6, 30, 64, u32::MAX].map(|tries| pause(tries) / MINUTE);
        assert_eq!(minutes, [5, 10, 20, 40, 60, 60, 60, 60, 60]);
    }
}
