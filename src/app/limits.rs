//! What the system allows: open files, of which each connection takes some, and their size.

use std::io;

use rustix::process::{Resource, Rlimit, Signal, getrlimit, setrlimit};
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};

/// A file that may not grow any more (`ulimit -f`, `LimitFSIZE=`) is like a full disk: what is
/// written fails, and the process goes on. Without this the system would end it.
pub fn outlive_full_files() -> io::Result<()> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let _here = runtime.enter();
    // Once it is caught, it is caught for good.
    signal(SignalKind::from_raw(Signal::XFSZ.as_raw())).map(drop)
}

/// A connection is one, and a second handle to end it by.
const FILES_PER_CONNECTION: u64 = 2;
/// Kept for the database, listeners and calls of our own; of a small limit, a quarter.
const FILES_KEPT_MAX: u64 = 256;

/// Raises the limit of open files as far as it may be, so that connections take none from the
/// database. Returns how many connections each of so many doors may have, at most `wanted`.
pub fn connections(wanted: usize, doors: usize) -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
    let files = if raised.is_ok() { limit.maximum } else { limit.current };
    let Some(files) = files else { return wanted };
    let kept = FILES_KEPT_MAX.min(files / 4);
    let fit = (files - kept) / FILES_PER_CONNECTION / doors as u64;
    let fit = usize::try_from(fit).unwrap_or(usize::MAX).max(1);
    if fit < wanted {
        tracing::warn!(
            files,
            connections = fit,
            "fewer connections than `http.connections_max`: the system allows too few open files"
        );
    }
    wanted.min(fit)
}
