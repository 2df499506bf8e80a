//! From bytes to events: pure, and one file for each sender. No storage and no HTTP may live here.

mod deletion;
pub mod egym;
