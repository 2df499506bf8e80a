//! HTTPS in the process: certificates from files and from an authority.

pub mod acme;
pub mod authority;
mod files;
mod front;
pub mod pebble;
mod plain;
mod slow;
mod strangers;
mod strength;
