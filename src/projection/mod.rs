//! The projection over the event log: it keeps `Σ receipts + frozen == tallies`, in the
//! transaction of the append (model section 1). HTTP may not live here.
//!
//! Every change of a tally goes through [`apply`]: take back what some stretches of a member
//! contributed, put in what they contribute now.

pub mod apply;
pub mod condition;
pub mod erase;
pub mod import;
pub mod live;
pub mod of_range;
pub mod people;
pub mod read;
pub mod rebuild;
pub mod removal;
pub mod retention;
mod timelines;
pub mod undo;
pub mod verify;
pub mod witness;
