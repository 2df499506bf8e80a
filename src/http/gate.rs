//! How much of what takes memory and time goes on at once. Who comes when all is taken waits for a
//! moment in a short queue, and then is told to come again: never a pile that grows.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::problem::{Code, Problem};

/// Reports, pages and lists that are worked out at once.
pub const REPORTS_AT_ONCE_MAX: usize = 4;
/// And that wait for it.
pub const REPORTS_WAITING_MAX: usize = 64;
/// For so long, in seconds.
pub const REPORTS_WAIT_SECONDS_MAX: u64 = 10;
/// Streams that are open at once.
pub const STREAMS_MAX: usize = 1_000;
/// Of one token, or of one session of the page.
pub const STREAMS_PER_READER_MAX: usize = 50;

/// Lets in so many at once.
pub struct Gate {
    places: Arc<Semaphore>,
    waiting: AtomicUsize,
}

/// A place behind the gate, until it is dropped.
pub type Place = OwnedSemaphorePermit;

impl Default for Gate {
    fn default() -> Gate {
        let places = Arc::new(Semaphore::new(REPORTS_AT_ONCE_MAX));
        Gate { places, waiting: AtomicUsize::new(0) }
    }
}

impl Gate {
    /// Waits for a place; who waits beyond the limits is refused.
    pub async fn enter(&self) -> Result<Place, Problem> {
        if let Ok(place) = self.places.clone().try_acquire_owned() {
            return Ok(place);
        }
        let waiting = Waiting::of(&self.waiting);
        if waiting.before >= REPORTS_WAITING_MAX {
            return Err(full());
        }
        let patience = Duration::from_secs(REPORTS_WAIT_SECONDS_MAX);
        let place = timeout(patience, self.places.clone().acquire_owned()).await;
        place.ok().and_then(Result::ok).ok_or_else(full)
    }
}

fn full() -> Problem {
    let detail =
        "too many reports are being worked out at this moment; ask again soon, or for less";
    Problem::new(Code::Unavailable, detail)
}

/// One who waits, until dropped: also by a reader who goes away.
struct Waiting<'g> {
    all: &'g AtomicUsize,
    before: usize,
}

impl Waiting<'_> {
    fn of(all: &AtomicUsize) -> Waiting<'_> {
        Waiting { all, before: all.fetch_add(1, Ordering::Relaxed) }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.all.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Counts what is open, in all and by whom.
pub struct Tally<K>(Arc<Mutex<Counts<K>>>);

struct Counts<K> {
    by_key: HashMap<K, usize>,
    all: usize,
}

impl<K> Default for Tally<K> {
    fn default() -> Tally<K> {
        Tally(Arc::new(Mutex::new(Counts { by_key: HashMap::new(), all: 0 })))
    }
}

impl<K: Hash + Eq + Clone> Tally<K> {
    /// Opens one more, unless so many are open already: of the same key, or of all.
    pub fn open(&self, key: K, of_key_max: usize, max: usize) -> Option<Open<K>> {
        let mut counts = self.counts();
        let of_key = counts.by_key.get(&key).copied().unwrap_or(0);
        if counts.all >= max || of_key >= of_key_max {
            return None;
        }
        counts.by_key.insert(key.clone(), of_key + 1);
        counts.all += 1;
        Some(Open { counts: self.0.clone(), key })
    }

    /// How many are open.
    pub fn count(&self) -> usize {
        self.counts().all
    }

    fn counts(&self) -> MutexGuard<'_, Counts<K>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One that is open, until dropped.
pub struct Open<K: Hash + Eq> {
    counts: Arc<Mutex<Counts<K>>>,
    key: K,
}

impl<K: Hash + Eq> Drop for Open<K> {
    fn drop(&mut self) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.all -= 1;
        let count = counts.by_key.get_mut(&self.key).map(|count| {
            *count -= 1;
            *count
        });
        if count == Some(0) {
            counts.by_key.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_closed_makes_room() {
        let tally = Tally::default();
        let (first, second) = (tally.open("a", 2, 3), tally.open("a", 2, 3));
        assert!(first.is_some() && second.is_some());
        assert!(tally.open("a", 2, 3).is_none(), "it has its share");
        let other = tally.open("b", 2, 3);
        assert!(other.is_some() && tally.open("c", 2, 3).is_none(), "all are taken");
        drop(first);
        assert!(tally.open("a", 2, 3).is_some());
    }

    #[actix_web::test]
    async fn who_finds_the_queue_full_is_refused_at_once() {
        let gate = Gate::default();
        let mut places = Vec::new();
        for _ in 0..REPORTS_AT_ONCE_MAX {
            places.push(gate.enter().await.unwrap());
        }
        gate.waiting.store(REPORTS_WAITING_MAX, Ordering::Relaxed);
        assert_eq!(gate.enter().await.unwrap_err().code, Code::Unavailable);
        places.pop();
        assert!(gate.enter().await.is_ok(), "a place is free");
    }
}
