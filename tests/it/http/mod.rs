//! The HTTP door, by URL.

mod deliveries;
mod health;
mod reading;
