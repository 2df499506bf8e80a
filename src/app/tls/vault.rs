//! Where certificates from an authority are kept: in the data folder, private, so that a start
//! needs no new one.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls_acme::{AccountCache, CertCache};
use sha2::{Digest, Sha256};

use super::validity;
use crate::clock;
use crate::http::tls::Expiry;
use crate::store::{make_private_folder, write_whole};

/// A folder of certificates and accounts, each of one authority. The files are small and few, so
/// they are read and written at once.
#[derive(Clone)]
pub struct Vault {
    pub folder: PathBuf,
    /// Hears when the certificate that is kept expires.
    pub expiry: Expiry,
    /// When it is renewed: a third of its time before.
    pub renew_at: Arc<AtomicI64>,
    /// False when another certificate is wanted than the one that is kept.
    pub gives_certificate: bool,
}

impl Vault {
    fn path(&self, kind: &str, of: &[String], directory: &str) -> PathBuf {
        let mut hash = Sha256::new();
        for part in of.iter().map(String::as_str).chain([directory]) {
            hash.update(part);
            hash.update([0]);
        }
        let hash = hash.finalize();
        let name = u64::from_be_bytes(*hash.first_chunk().expect("a hash has 32 bytes"));
        self.folder.join(format!("{kind}-{name:016x}"))
    }

    /// Whole, on disk and private, or not at all: half an account key would be refused for ever.
    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        make_private_folder(&self.folder)?;
        write_whole(path, bytes)
    }

    fn note_expiry(&self, pem: &[u8]) {
        let first = CertificateDer::pem_slice_iter(pem).next().and_then(Result::ok);
        if let Some([from, until]) = first.and_then(|certificate| validity(&certificate)) {
            self.expiry.set(until);
            self.renew_at.store(until - (until - from) / 3, Ordering::Relaxed);
        }
    }

    /// How long until the certificate is renewed; nothing before there is one.
    pub fn renewal_in(&self) -> Duration {
        let left = self.renew_at.load(Ordering::Relaxed) - clock::now();
        Duration::from_millis(u64::try_from(left).unwrap_or(0))
    }
}

fn read(path: PathBuf) -> io::Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[async_trait]
impl CertCache for Vault {
    type EC = io::Error;

    async fn load_cert(&self, domains: &[String], directory: &str) -> io::Result<Option<Vec<u8>>> {
        if !self.gives_certificate {
            return Ok(None);
        }
        let kept = read(self.path("certificate", domains, directory))?;
        if let Some(pem) = &kept {
            self.note_expiry(pem);
        }
        Ok(kept)
    }

    async fn store_cert(&self, domains: &[String], directory: &str, pem: &[u8]) -> io::Result<()> {
        self.note_expiry(pem);
        self.write(&self.path("certificate", domains, directory), pem)
    }
}

#[async_trait]
impl AccountCache for Vault {
    type EA = io::Error;

    async fn load_account(
        &self,
        contact: &[String],
        directory: &str,
    ) -> io::Result<Option<Vec<u8>>> {
        read(self.path("account", contact, directory))
    }

    async fn store_account(
        &self,
        contact: &[String],
        directory: &str,
        key: &[u8],
    ) -> io::Result<()> {
        self.write(&self.path("account", contact, directory), key)
    }
}
