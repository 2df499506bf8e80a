//! What handshakes and the plain door show: the certificate, or what the authority asks for.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

/// What the authority names in the handshake that asks whether the domain is ours.
pub const CHALLENGE_PROTOCOL: &[u8] = b"acme-tls/1";

#[derive(Debug, Default)]
pub struct Shown(RwLock<Phase>);

/// While a certificate is asked for, another may be in use.
#[derive(Debug, Default)]
struct Phase {
    in_use: Option<Arc<CertifiedKey>>,
    /// By domain.
    handshakes: BTreeMap<String, Arc<CertifiedKey>>,
    /// By token.
    pages: BTreeMap<String, String>,
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let phase = self.read();
        let is_challenge = hello.alpn().into_iter().flatten().eq([CHALLENGE_PROTOCOL]);
        if is_challenge {
            return phase.handshakes.get(&hello.server_name()?.to_ascii_lowercase()).cloned();
        }
        phase.in_use.clone()
    }
}

impl Shown {
    pub fn use_certificate(&self, certificate: Arc<CertifiedKey>) {
        self.write().in_use = Some(certificate);
    }

    pub fn prove_by_handshake(&self, domain: &str, certificate: Arc<CertifiedKey>) {
        self.write().handshakes.insert(domain.to_ascii_lowercase(), certificate);
    }

    pub fn prove_by_page(&self, token: &str, page: &str) {
        self.write().pages.insert(token.to_owned(), page.to_owned());
    }

    /// What proved a domain proves it for its order alone.
    pub fn forget_proofs(&self) {
        let mut phase = self.write();
        phase.handshakes.clear();
        phase.pages.clear();
    }

    pub fn page(&self, token: &str) -> Option<String> {
        self.read().pages.get(token).cloned()
    }

    fn read(&self) -> RwLockReadGuard<'_, Phase> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Phase> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}
