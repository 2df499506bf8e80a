//! A panic is one line of the log. What it says may quote an account, unless it was written down in
//! the code as it is.

use std::panic::{self, PanicHookInfo};

/// From now on, panics are logged, and printed nowhere else.
pub fn log_them() {
    panic::set_hook(Box::new(|panic| {
        let at = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(at, what = fixed_words(panic), "a fault of footfall; please report it");
    }));
}

/// What it says, if no value is part of it.
fn fixed_words<'p>(panic: &'p PanicHookInfo<'_>) -> Option<&'p str> {
    panic.payload().downcast_ref::<&'static str>().copied()
}
