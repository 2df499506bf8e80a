//! A certificate from an authority that speaks ACME, renewed in time.

use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use futures_util::StreamExt;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, RootCertStore};
use rustls_acme::acme::ACME_TLS_ALPN_NAME;
use rustls_acme::{
    AcmeConfig as Authority, AcmeState, EventError, EventOk, ResolvesServerCertAcme, UseChallenge,
    is_tls_alpn_challenge,
};
use tokio::signal::unix::Signal;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until};

use super::vault::Vault;
use super::{provider, read_certificates};
use crate::app::config::{AcmeChallenge, AcmeConfig, Config};
use crate::app::output;
use crate::http::redirect::Challenges;
use crate::http::tls::Expiry;

/// What the authority names in the handshake that asks whether the domain is ours.
pub const CHALLENGE_PROTOCOL: &[u8] = ACME_TLS_ALPN_NAME;
/// An order is done or has failed within this: it asks the authority again and again, for some 20
/// minutes at most.
const ORDER_MAX: Duration = Duration::from_secs(60 * 60);
/// The longest pause after orders that failed, in powers of two seconds.
const PAUSE_POWER_MAX: u32 = 16;
/// Certificates are kept in this folder of the data folder.
const FOLDER: &str = "acme";

pub struct Acme {
    config: AcmeConfig,
    client: Arc<ClientConfig>,
    vault: Vault,
    shown: Arc<Shown>,
}

/// What handshakes get: the certificate, or what the authority asks for.
#[derive(Debug, Default)]
pub struct Shown(RwLock<Phase>);

/// While a certificate is asked for, another may be in use.
#[derive(Debug, Default)]
struct Phase {
    in_use: Option<Arc<ResolvesServerCertAcme>>,
    asking: Option<Arc<ResolvesServerCertAcme>>,
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let is_challenge = is_tls_alpn_challenge(&hello);
        let of = if is_challenge { self.asking() } else { self.in_use() };
        of?.resolve(hello)
    }
}

impl Shown {
    fn in_use(&self) -> Option<Arc<ResolvesServerCertAcme>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).in_use.clone()
    }

    fn asking(&self) -> Option<Arc<ResolvesServerCertAcme>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).asking.clone()
    }

    fn ask_with(&self, resolver: Arc<ResolvesServerCertAcme>) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).asking = Some(resolver);
    }

    fn use_what_was_asked_for(&self) {
        let mut phase = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let asking = phase.asking.clone();
        phase.in_use = asking;
    }
}

impl Acme {
    pub fn new(config: &Config) -> anyhow::Result<Acme> {
        let acme = config.tls.acme.clone();
        let builder = ClientConfig::builder_with_provider(provider());
        let builder = builder.with_safe_default_protocol_versions()?;
        let client = builder.with_root_certificates(roots(&acme.root)?).with_no_client_auth();
        let vault = Vault {
            folder: config.data.join(FOLDER),
            expiry: Expiry::default(),
            renew_at: Arc::default(),
            gives_certificate: true,
        };
        Ok(Acme { config: acme, client: Arc::new(client), vault, shown: Arc::default() })
    }

    pub fn shown(&self) -> Arc<Shown> {
        self.shown.clone()
    }

    pub fn expiry(&self) -> Expiry {
        self.vault.expiry.clone()
    }

    pub fn is_for(&self, host: &str) -> bool {
        self.config.domains.iter().any(|domain| domain.eq_ignore_ascii_case(host))
    }

    pub fn challenges(&self) -> Challenges {
        let shown = self.shown.clone();
        Arc::new(move |token| shown.asking()?.get_http_01_key_auth(token))
    }

    /// Fetches a certificate and renews it in time, and at once on SIGHUP. What fails is told and
    /// tried again, after ever longer pauses; so is what does not end.
    pub async fn keep(mut self, is_ready: oneshot::Sender<()>, mut hangup: Signal) {
        let mut is_ready = Some(is_ready);
        loop {
            let mut authority = self.authority();
            self.shown.ask_with(authority.resolver());
            let (mut failures, mut give_up) = (0, Instant::now() + ORDER_MAX);
            loop {
                let event = tokio::select! {
                    _ = hangup.recv() => {
                        tracing::info!("asking for a new certificate");
                        self.vault.gives_certificate = false;
                        break;
                    }
                    () = sleep_until(give_up) => {
                        tracing::warn!("the certificate authority does not answer; asking anew");
                        break;
                    }
                    Some(event) = authority.next() => event,
                };
                let pause = match &event {
                    Err(EventError::Order(_)) => {
                        failures += 1;
                        pause_after(failures)
                    }
                    Ok(_) | Err(_) => self.vault.renewal_in(),
                };
                give_up = Instant::now() + pause + ORDER_MAX;
                match event {
                    Ok(event) => self.follow(&event, &mut is_ready),
                    Err(error) => tracing::warn!(%error, "no certificate yet; trying again"),
                }
            }
        }
    }

    fn follow(&self, event: &EventOk, is_ready: &mut Option<oneshot::Sender<()>>) {
        match event {
            EventOk::DeployedCachedCert | EventOk::DeployedNewCert => {
                self.shown.use_what_was_asked_for();
                if let Some(is_ready) = is_ready.take() {
                    // Who waited may have been told to stop.
                    is_ready.send(()).ok();
                }
            }
            EventOk::CertCacheStore => {
                let until = self.expiry().get().map(output::utc);
                tracing::info!(until, "a new certificate is in use");
            }
            EventOk::AccountCacheStore => {}
        }
    }

    fn authority(&self) -> AcmeState<std::io::Error> {
        let contact = Some(&self.config.contact).filter(|contact| !contact.is_empty());
        let challenge = match self.config.challenge {
            AcmeChallenge::TlsAlpn01 => UseChallenge::TlsAlpn01,
            AcmeChallenge::Http01 => UseChallenge::Http01,
        };
        Authority::new_with_client_config(&self.config.domains, self.client.clone())
            .directory(&self.config.directory)
            .contact(contact.map(|address| format!("mailto:{address}")))
            .cache(self.vault.clone())
            .challenge_type(challenge)
            .state()
    }
}

/// How long the next order waits at most after so many have failed.
fn pause_after(failures: u32) -> Duration {
    Duration::from_secs(1 << failures.min(PAUSE_POWER_MAX))
}

/// The roots of a file, or the public ones.
fn roots(path: &Path) -> anyhow::Result<RootCertStore> {
    if path.as_os_str().is_empty() {
        return Ok(webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect());
    }
    let mut roots = RootCertStore::empty();
    for certificate in read_certificates(path)? {
        roots.add(certificate)?;
    }
    Ok(roots)
}
