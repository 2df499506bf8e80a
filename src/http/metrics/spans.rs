//! What each request was, for who wants traces: its method, the pattern of its route, its status, and
//! when. Nothing that was asked or answered is in a span, and nobody's name.

use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use actix_web::http::Method;

use crate::domain::Millis;

/// So many wait until they are taken; what is more is lost, and counted.
pub const SPANS_MAX: usize = 2_048;

/// The methods that have a name; a stranger can send any other word.
const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
const OTHER_METHOD: &str = "_OTHER";

pub struct Span {
    pub method: &'static str,
    /// The pattern, not the path.
    pub route: String,
    pub status: u16,
    pub ended: Millis,
    pub took: Duration,
}

/// Those that wait to be taken. Where nobody takes them, none does.
#[derive(Debug, Clone, Default)]
pub struct Spans(Option<Arc<Mutex<Waiting>>>);

#[derive(Default)]
pub struct Waiting {
    pub spans: Vec<Span>,
    pub lost: u64,
}

impl Spans {
    pub fn kept() -> Spans {
        Spans(Some(Arc::default()))
    }

    pub fn add(&self, span: impl FnOnce() -> Span) {
        let Some(waiting) = &self.0 else { return };
        let mut waiting = locked(waiting);
        if waiting.spans.len() < SPANS_MAX {
            waiting.spans.push(span());
        } else {
            waiting.lost += 1;
        }
    }

    pub fn take(&self) -> Waiting {
        self.0.as_deref().map(|waiting| mem::take(&mut *locked(waiting))).unwrap_or_default()
    }
}

impl std::fmt::Debug for Waiting {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{} spans", self.spans.len())
    }
}

fn locked(waiting: &Mutex<Waiting>) -> MutexGuard<'_, Waiting> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A method as one of a few words.
pub fn method_word(method: &Method) -> &'static str {
    METHODS.into_iter().find(|word| *word == method.as_str()).unwrap_or(OTHER_METHOD)
}
