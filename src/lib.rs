//! footfall: attendance analytics for gyms with EGYM.
//!
//! A tour, from the bottom up. [`domain`] is what attendance means, as pure functions.
//! [`intake`] makes events of bytes. [`store`] is the one SQLite file. [`projection`] keeps the
//! tallies over the event log. [`actions`] are what people change. [`http`] is the door, [`egym`] a client of
//! EGYM's API, and [`app`] the program around it all.
//! A room uses those before it and never looks ahead; time enters at [`clock`].

pub mod actions;
pub mod app;
pub mod clock;
pub mod domain;
pub mod egym;
pub mod http;
pub mod intake;
pub mod projection;
pub mod store;
