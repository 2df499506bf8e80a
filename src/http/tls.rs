//! What the door needs to speak HTTPS. Where certificates come from may not live here.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use rustls::ServerConfig;

use crate::domain::Millis;

/// HTTPS, with a certificate that may change while the door is open.
#[derive(Clone)]
pub struct Tls {
    pub config: ServerConfig,
    pub expiry: Expiry,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("expiry", &self.expiry).finish_non_exhaustive()
    }
}

/// When the certificate in use expires. Who changes the certificate changes it; all clones share
/// it.
#[derive(Debug, Clone, Default)]
pub struct Expiry(Arc<AtomicI64>);

impl Expiry {
    /// None before the first certificate.
    pub fn get(&self) -> Option<Millis> {
        Some(self.0.load(Ordering::Relaxed)).filter(|at| *at != 0)
    }

    pub fn set(&self, at: Millis) {
        self.0.store(at, Ordering::Relaxed);
    }
}
