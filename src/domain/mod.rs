//! What attendance means: the attendance model (`docs/MODEL.md`) as pure functions.
//!
//! No clock, no disk, no network, no serialisation, no logging may live here. "Now" is an argument
//! and only ever the upper bound of a question. Once its inputs are parsed, every function is total.

pub mod activity;
pub mod annotation;
pub mod calendar;
pub mod closed;
pub mod event;
pub mod foreign_text;
pub mod ids;
pub mod member;
pub mod names;
mod offset;
pub mod report;
pub mod rules;
pub mod stretch;
pub mod tally;
pub mod unexplained;
pub mod visit;
pub mod witness;

/// An instant, or a length of time, in UTC milliseconds since 1970-01-01.
pub type Millis = i64;

/// One minute, in milliseconds.
pub const MINUTE: Millis = 60_000;
/// A quarter of an hour, in milliseconds: the finest step of a local bucket. Since 2015 every
/// IANA time zone is a whole number of quarters away from UTC (a test holds this against the
/// time zone database).
pub const QUARTER: Millis = 15 * MINUTE;
/// One hour, in milliseconds.
pub const HOUR: Millis = 60 * MINUTE;
/// One UTC day, in milliseconds.
pub const DAY: Millis = 24 * HOUR;
