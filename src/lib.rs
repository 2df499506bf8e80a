//! footfall: attendance analytics for gyms with EGYM.
pub mod clock;
pub mod domain;
pub mod intake;
pub mod projection;
pub mod store;
