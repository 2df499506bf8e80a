//! A certificate from two PEM files, read again when they change.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use anyhow::{Context, anyhow};
use rustls::client::verify_server_name;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::server::{ClientHello, ParsedCertificate, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::signal::unix::Signal;

use super::{check_validity, provider, read_certificates};
use crate::app::jobs::Ended;
use crate::app::output;
use crate::clock;
use crate::domain::Millis;
use crate::http::tls::Expiry;

/// The files are looked at this often.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// The two files, and what was last good in them.
#[derive(Clone)]
pub struct Files {
    certificate: PathBuf,
    key: PathBuf,
    shown: Arc<Shown>,
    expiry: Expiry,
    seen: Stamp,
    /// Why what is there now is not used, if it is not.
    refused: Option<String>,
}

/// Tells whether files are the same as before: when changed, how long, which.
type Stamp = [Option<(SystemTime, u64, u64)>; 2];

/// The certificate that handshakes get. Connections that are open keep theirs.
#[derive(Debug)]
pub struct Shown(RwLock<Arc<CertifiedKey>>);

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.read().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

impl Files {
    /// What is no good when it is `now` is refused.
    pub fn load(certificate: &Path, key: &Path, now: Millis) -> anyhow::Result<Files> {
        // Before reading, so that a change in between is seen as one.
        let seen = stamp(certificate, key);
        let (pair, expires_at) = read(certificate, key, now)?;
        let expiry = Expiry::default();
        expiry.set(expires_at);
        let shown = Arc::new(Shown(RwLock::new(pair)));
        let (certificate, key) = (certificate.into(), key.into());
        Ok(Files { certificate, key, shown, expiry, seen, refused: None })
    }

    pub fn shown(&self) -> Arc<Shown> {
        self.shown.clone()
    }

    pub fn expiry(&self) -> Expiry {
        self.expiry.clone()
    }

    /// Whether a client that asks for that host takes the certificate for its own.
    pub fn is_for(&self, host: &str) -> bool {
        let shown = self.shown.0.read().unwrap_or_else(PoisonError::into_inner).clone();
        let certificate = shown.end_entity_cert().and_then(ParsedCertificate::try_from);
        let name = ServerName::try_from(host).ok();
        certificate
            .ok()
            .zip(name)
            .is_some_and(|(certificate, name)| verify_server_name(&certificate, &name).is_ok())
    }

    /// Reads the files again when they change and on SIGHUP. What is no good is told once, and
    /// what was shown before stays; it is looked at again, since it may have been a wrong clock.
    pub async fn keep(mut self, mut hangup: Signal) -> Ended {
        loop {
            let asked = tokio::select! {
                _ = hangup.recv() => true,
                () = tokio::time::sleep(LOOK_EVERY) => false,
            };
            let now = stamp(&self.certificate, &self.key);
            let is_other = asked || now != self.seen;
            let was_refused = self.refused.is_some();
            if is_other {
                (self.seen, self.refused) = (now, None);
            }
            if is_other || was_refused {
                self.read_again();
            }
        }
    }

    fn read_again(&mut self) {
        match read(&self.certificate, &self.key, clock::now()) {
            Ok((pair, expires_at)) => {
                self.refused = None;
                *self.shown.0.write().unwrap_or_else(PoisonError::into_inner) = pair;
                self.expiry.set(expires_at);
                let until = output::utc(expires_at);
                tracing::info!(until, "the certificate was read again");
            }
            Err(error) => {
                let why = format!("{error:#}");
                if self.refused.as_ref() != Some(&why) {
                    tracing::error!(
                        why,
                        "the new certificate is no good; the old one stays in use"
                    );
                }
                self.refused = Some(why);
            }
        }
    }
}

fn stamp(certificate: &Path, key: &Path) -> Stamp {
    [certificate, key].map(|path| {
        let found = fs::metadata(path).ok()?;
        Some((found.modified().ok()?, found.len(), found.ino()))
    })
}

/// A certificate that is good `now` and its key, and when it expires.
fn read(
    certificate: &Path,
    key: &Path,
    now: Millis,
) -> anyhow::Result<(Arc<CertifiedKey>, Millis)> {
    let chain = read_certificates(certificate)?;
    let expires_at = check_validity(certificate, &chain[0], now)?;
    let private = PrivateKeyDer::from_pem_file(key)
        .with_context(|| format!("{} cannot be read as a private key in PEM", key.display()))?;
    let pair = CertifiedKey::from_der(chain, private, &provider()).map_err(|error| {
        if matches!(error, rustls::Error::InconsistentKeys(_)) {
            return anyhow!("{} is not the key of {}", key.display(), certificate.display());
        }
        anyhow!(error).context(format!("{} cannot be used", key.display()))
    })?;
    Ok((Arc::new(pair), expires_at))
}
