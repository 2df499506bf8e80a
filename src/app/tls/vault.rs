//! Where certificates from an authority are kept: in the data folder, private, so that a start
//! needs no new one.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use anyhow::{Context, ensure};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use sha2::{Digest, Sha256};

use super::{provider, validity};
use crate::app::config::AcmeConfig;
use crate::clock;
use crate::domain::Millis;
use crate::http::tls::Expiry;
use crate::store::{make_private_folder, write_whole};

/// The key of an account and a certificate, in a folder with those for other settings. The files
/// are small and few, so they are read and written at once.
pub struct Vault {
    folder: PathBuf,
    account: PathBuf,
    certificate: PathBuf,
    refusal: PathBuf,
    /// Hears when the certificate that is in use expires.
    pub expiry: Expiry,
    /// When it is renewed: a third of its time before.
    renew_at: AtomicI64,
}

impl Vault {
    pub fn new(folder: PathBuf, acme: &AcmeConfig) -> Vault {
        let contact = Some(&acme.contact).filter(|contact| !contact.is_empty());
        let contact: Vec<_> = contact.iter().map(|address| format!("mailto:{address}")).collect();
        Vault {
            account: folder.join(name("account", &contact, &acme.directory)),
            certificate: folder.join(name("certificate", &acme.domains, &acme.directory)),
            refusal: folder.join(name("refusal", &acme.domains, &acme.directory)),
            folder,
            expiry: Expiry::default(),
            renew_at: AtomicI64::default(),
        }
    }

    /// The key of the account, if there is one.
    pub fn account(&self) -> Option<Vec<u8>> {
        read(&self.account)
    }

    pub fn keep_account(&self, key: &[u8]) {
        self.write(&self.account, key);
    }

    /// The certificate that is kept, if it can be used.
    pub fn certificate(&self) -> Option<Arc<CertifiedKey>> {
        let pem = read(&self.certificate)?;
        let opened = self.open(&pem);
        opened
            .inspect_err(|error| {
                let error = format!("{error:#}");
                tracing::warn!(error, "the certificate that is kept cannot be used");
            })
            .ok()
    }

    /// Opens a certificate that was issued, and keeps it.
    pub fn keep_certificate(&self, pem: &str) -> anyhow::Result<Arc<CertifiedKey>> {
        let opened = self.open(pem.as_bytes())?;
        self.write(&self.certificate, pem.as_bytes());
        Ok(opened)
    }

    /// Notes until when the authority, which has refused an order, is not asked again: also by the
    /// process that follows this one.
    pub fn keep_refusal(&self, until: Millis) {
        self.write(&self.refusal, until.to_string().as_bytes());
    }

    /// For how long the authority is not to be asked.
    pub fn refused_for(&self) -> Duration {
        let kept = read(&self.refusal).and_then(|kept| String::from_utf8(kept).ok()?.parse().ok());
        let left = kept.map_or(0, |until: Millis| until - clock::now());
        Duration::from_millis(u64::try_from(left).unwrap_or(0))
    }

    /// How long until the certificate is renewed; nothing before there is one.
    pub fn renewal_in(&self) -> Duration {
        let left = self.renew_at.load(Ordering::Relaxed) - clock::now();
        Duration::from_millis(u64::try_from(left).unwrap_or(0))
    }

    /// A private key and the certificates that belong to it; its dates are those that hold now.
    fn open(&self, pem: &[u8]) -> anyhow::Result<Arc<CertifiedKey>> {
        let key = PrivateKeyDer::from_pem_slice(pem).context("it holds no private key")?;
        let chain: Vec<_> = CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>()?;
        ensure!(!chain.is_empty(), "it holds no certificate");
        let [from, until] = validity(&chain[0]).context("the certificate is damaged")?;
        let opened = CertifiedKey::from_der(chain, key, &provider())?;
        self.expiry.set(until);
        self.renew_at.store(until - (until - from) / 3, Ordering::Relaxed);
        Ok(Arc::new(opened))
    }

    /// Whole, on disk and private, or not at all: half an account key would be refused for ever.
    fn write(&self, path: &Path, bytes: &[u8]) {
        let written = make_private_folder(&self.folder).and_then(|()| write_whole(path, bytes));
        if let Err(error) = written {
            let path = path.display();
            tracing::warn!(%error, %path, "it cannot be written; the next start asks for another");
        }
    }
}

fn name(kind: &str, of: &[String], directory: &str) -> String {
    let mut hash = Sha256::new();
    for part in of.iter().map(String::as_str).chain([directory]) {
        hash.update(part);
        hash.update([0]);
    }
    let hash = hash.finalize();
    let name = u64::from_be_bytes(*hash.first_chunk().expect("a hash has 32 bytes"));
    format!("{kind}-{name:016x}")
}

fn read(path: &Path) -> Option<Vec<u8>> {
    let read: io::Result<Vec<u8>> = fs::read(path);
    match read {
        Ok(bytes) => Some(bytes),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => {
            let path = path.display();
            tracing::warn!(%error, %path, "it cannot be read; another is asked for");
            None
        }
    }
}
