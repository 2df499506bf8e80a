//! TLS: which certificate `listen` shows, and how it stays fresh without dropping a connection.
//! What is sent over it is the HTTP door's.

mod acme;
mod authority;
mod files;
mod proofs;
mod vault;

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail, ensure};
use rustls::ServerConfig;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::server::ResolvesServerCert;
use rustls::version::{TLS12, TLS13};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use x509_parser::parse_x509_certificate;

use super::config::{AcmeChallenge, Config};
use super::jobs::Ended;
use super::output;
use crate::domain::Millis;
use crate::http::redirect::Challenges;
use crate::http::tls::{Expiry, Tls};
use acme::Acme;
use files::Files;

/// Where the certificate comes from.
#[derive(Clone)]
pub enum Source {
    Files(Files),
    Acme(Acme),
}

impl Source {
    /// What the configuration says; none means plain HTTP. A certificate that is no good when it is
    /// `now` is refused here.
    pub fn of(config: &Config, now: Millis) -> anyhow::Result<Option<Source>> {
        let tls = &config.tls;
        let is_set = |path: &Path| !path.as_os_str().is_empty();
        let (certificate, key) = (is_set(&tls.certificate), is_set(&tls.key));
        let acme = !tls.acme.domains.is_empty();
        ensure!(certificate == key, "`tls.certificate` and `tls.key` belong together; set both");
        if certificate && acme {
            bail!("`tls.certificate` and `tls.acme.domains` exclude each other; take one out");
        }
        if certificate {
            return Ok(Some(Source::Files(Files::load(&tls.certificate, &tls.key, now)?)));
        }
        let needs_tls = !tls.plain_listen.is_empty();
        ensure!(
            !acme || needs_tls || tls.acme.challenge != AcmeChallenge::Http01,
            "`tls.acme.challenge` is `http-01`, so the authority asks on port 80: set \
             `tls.plain_listen`, often to 0.0.0.0:80"
        );
        ensure!(
            acme || !needs_tls,
            "`tls.plain_listen` sends to HTTPS, and there is none in [tls]"
        );
        acme.then(|| Ok(Source::Acme(Acme::new(config)?))).transpose()
    }

    /// What the door needs.
    pub fn tls(&self) -> Tls {
        let (shown, expiry): (Arc<dyn ResolvesServerCert>, Expiry) = match self {
            Source::Files(files) => (files.shown(), files.expiry()),
            Source::Acme(acme) => (acme.shown(), acme.expiry()),
        };
        let builder = ServerConfig::builder_with_provider(provider());
        let builder = builder.with_protocol_versions(&[&TLS13, &TLS12]);
        let builder = builder.expect("the provider has suites for both versions");
        let mut config = builder.with_no_client_auth().with_cert_resolver(shown);
        // Of the suites that both know, the strongest by our list, not by the sender's.
        config.ignore_client_order = true;
        if let Source::Acme(_) = self {
            config.alpn_protocols.push(proofs::CHALLENGE_PROTOCOL.to_vec());
        }
        Tls { config, expiry }
    }

    /// What the plain door tells the certificate authority.
    pub fn challenges(&self) -> Option<Challenges> {
        match self {
            Source::Files(_) => None,
            Source::Acme(acme) => Some(acme.challenges()),
        }
    }

    /// Keeps the certificate fresh, until it is dropped, and at once on SIGHUP. `is_ready` hears
    /// of the first one.
    pub async fn keep(self, is_ready: watch::Sender<bool>) -> Ended {
        let hangup = signal(SignalKind::hangup()).context("SIGHUP cannot be heard")?;
        match self {
            Source::Files(files) => {
                is_ready.send_replace(true);
                files.keep(hangup).await
            }
            Source::Acme(acme) => acme.keep(is_ready, hangup).await,
        }
    }

    /// Whether the certificate is for a host.
    pub fn is_for(&self, host: &str) -> bool {
        match self {
            Source::Files(files) => files.is_for(host),
            Source::Acme(acme) => acme.is_for(host),
        }
    }

    /// When the certificate expires that is in the files, or kept from the authority; none before
    /// there is one.
    pub fn kept_until(&self) -> Option<Millis> {
        match self {
            Source::Files(files) => files.expiry().get(),
            Source::Acme(acme) => acme.kept_until(),
        }
    }

    /// A line on the certificate, for `check-config`.
    pub fn describe(&self) -> String {
        match self {
            Source::Files(files) => {
                let until = files.expiry().get().map(output::utc);
                format!("the certificate is good until {}", until.unwrap_or_default())
            }
            Source::Acme(_) => "the certificate is fetched when `serve` runs".to_owned(),
        }
    }
}

/// The one implementation of cryptography in the program, which reqwest uses too.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// When a certificate begins and ends to be valid; none when it cannot be read.
fn validity(certificate: &CertificateDer<'_>) -> Option<[Millis; 2]> {
    let (_, parsed) = parse_x509_certificate(certificate).ok()?;
    let validity = parsed.validity();
    Some([validity.not_before, validity.not_after].map(|at| at.timestamp() * 1_000))
}

/// The certificates of a PEM file.
fn read_certificates(path: &Path) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let found = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    let found: Vec<_> =
        found.with_context(|| format!("{} cannot be read as PEM", path.display()))?;
    ensure!(!found.is_empty(), "{} holds no certificate", path.display());
    Ok(found)
}

/// Whether a certificate may be shown when it is `now`.
fn check_validity(
    path: &Path,
    certificate: &CertificateDer<'_>,
    now: Millis,
) -> anyhow::Result<Millis> {
    let read = validity(certificate);
    let [from, until] = read.with_context(|| format!("{} is damaged", path.display()))?;
    if now < from {
        bail!("{} is not valid before {}; is the clock right?", path.display(), output::utc(from));
    }
    if until <= now {
        bail!("{} expired at {}; put a new one there", path.display(), output::utc(until));
    }
    Ok(until)
}
