//! No wait without an end: a loop that waits for something fails when it does not come, and a test
//! that hangs all the same ends the tests with its name.

use std::collections::HashMap;
use std::io::Write;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

/// What has not come by then does not come.
const WAIT_SECONDS_MAX: u64 = 120;
/// So often is it asked for.
const STEP: Duration = Duration::from_millis(20);
/// No test takes so long, on any machine, unless this variable says otherwise.
const TEST_SECONDS_MAX: u64 = 600;
pub const VARIABLE: &str = "TEST_SECONDS_MAX";
/// What cargo's own harness ends with when a test has failed.
const FAILED: i32 = 101;

/// The bound of a loop that asks for something again and again.
pub struct Patience {
    what: &'static str,
    began: Instant,
}

impl Patience {
    /// Waits until something holds.
    pub fn until(what: &'static str) -> Patience {
        Patience { what, began: Instant::now() }
    }

    /// Before it is asked again. Fails when it was asked for too long.
    pub async fn again(&self) {
        self.check();
        tokio::time::sleep(STEP).await;
    }

    /// As [`Patience::again`], where nothing else is to be done meanwhile.
    pub fn again_blocking(&self) {
        self.check();
        thread::sleep(STEP);
    }

    fn check(&self) {
        let waited = self.began.elapsed().as_secs();
        assert!(waited < WAIT_SECONDS_MAX, "waited {waited} s in vain until {}", self.what);
    }
}

type Running = Mutex<HashMap<ThreadId, (String, Instant)>>;

static RUNNING: LazyLock<Running> = LazyLock::new(|| {
    thread::spawn(end_what_hangs);
    Running::default()
});

/// Dropped with the thread of its test.
struct Watched(ThreadId);

impl Drop for Watched {
    fn drop(&mut self) {
        RUNNING.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.0);
    }
}

thread_local! {
    static WATCHED: Watched = {
        let here = thread::current();
        // The harness names the thread of each test after it. With one thread for all there is
        // nothing to tell them apart by.
        if let Some(name) = here.name().filter(|name| name.contains("::")) {
            let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
            running.insert(here.id(), (name.to_owned(), Instant::now()));
        }
        Watched(here.id())
    };
}

/// Ends all tests, with the name of the one to which this thread belongs, if it takes too long.
pub fn watch_this_test() {
    WATCHED.with(|_| {});
}

fn end_what_hangs() {
    let set = std::env::var(VARIABLE).ok();
    let max = set.map_or(TEST_SECONDS_MAX, |text| text.parse().expect("a number of seconds"));
    loop {
        thread::sleep(Duration::from_secs(1));
        let running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
        let hangs = running.values().find(|(_, began)| began.elapsed().as_secs() > max);
        if let Some((name, _)) = hangs {
            let said = format!("\n{name} FAILED: it did not end within {max} s\n");
            // Macros that print are kept by the harness.
            drop(std::io::stderr().write_all(said.as_bytes()));
            std::process::exit(FAILED);
        }
    }
}
