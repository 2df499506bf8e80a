//! A certificate from an authority that speaks ACME, renewed in time.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use futures_util::StreamExt;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, RootCertStore};
use rustls_acme::acme::{ACME_TLS_ALPN_NAME, AcmeError};
use rustls_acme::{
    AcmeConfig as Authority, AcmeState, EventError, EventOk, OrderError, ResolvesServerCertAcme,
    UseChallenge, is_tls_alpn_challenge,
};
use tokio::signal::unix::Signal;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use super::vault::Vault;
use super::{provider, read_certificates};
use crate::app::config::{AcmeChallenge, AcmeConfig, Config};
use crate::app::jobs::Ended;
use crate::app::output;
use crate::http::redirect::Challenges;
use crate::http::tls::Expiry;

/// What the authority names in the handshake that asks whether the domain is ours.
pub const CHALLENGE_PROTOCOL: &[u8] = ACME_TLS_ALPN_NAME;
/// An order is done or has failed within this: it asks the authority again and again, for some 20
/// minutes at most.
const ORDER_MAX: Duration = Duration::from_secs(60 * 60);
/// When to renew is reckoned again so often.
const RECKON_EVERY: Duration = Duration::from_secs(12 * 60 * 60);
/// The pause after an order that failed on its way, doubled with each one more.
const PAUSE_MIN: Duration = Duration::from_secs(1);
/// The same after one that the authority refused, because it did not find us at the domain.
const PAUSE_REFUSED_MIN: Duration = Duration::from_secs(15 * 60);
/// The longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(60 * 60);
/// With so many doublings, every pause is the longest.
const PAUSE_POWER_MAX: u32 = 12;
/// How the client begins to say that an answer of the authority was a refusal.
const REFUSED: &str = "non 2xx http status: 4";
/// Certificates are kept in this folder of the data folder.
const FOLDER: &str = "acme";

#[derive(Clone)]
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

    /// Fetches a certificate and renews it in time, and at once on SIGHUP. After an order that
    /// failed the authority is left in peace for a while; so it is after what does not end.
    pub async fn keep(mut self, is_ready: watch::Sender<bool>, mut hangup: Signal) -> Ended {
        let mut failures = 0;
        loop {
            let mut authority = self.authority();
            self.shown.ask_with(authority.resolver());
            let ended = tokio::select! {
                _ = hangup.recv() => None,
                // When to renew was reckoned from a clock that may have been put right since.
                () = sleep(RECKON_EVERY) => {
                    self.vault.gives_certificate = true;
                    continue;
                }
                error = self.follow_all(&mut authority, &is_ready, &mut failures) => error,
            };
            if let Some(error) = ended {
                failures += 1;
                let pause = self.pause_after(&error, failures);
                tokio::select! {
                    _ = hangup.recv() => {}
                    () = sleep(pause) => continue,
                }
            }
            tracing::info!("asking for a new certificate");
            (self.vault.gives_certificate, failures) = (false, 0);
        }
    }

    /// Follows what the authority and the calendar bring, until an order fails.
    async fn follow_all(
        &self,
        authority: &mut AcmeState<std::io::Error>,
        is_ready: &watch::Sender<bool>,
        failures: &mut u32,
    ) -> Option<OrderError> {
        let mut give_up = Instant::now() + ORDER_MAX;
        loop {
            let event = tokio::select! {
                () = sleep_until(give_up) => {
                    return Some(OrderError::Acme(AcmeError::Io(ErrorKind::TimedOut.into())));
                }
                Some(event) = authority.next() => event,
            };
            match event {
                Ok(event) => {
                    if matches!(event, EventOk::DeployedNewCert) {
                        *failures = 0;
                    }
                    self.follow(&event, is_ready);
                }
                Err(EventError::Order(error)) => return Some(error),
                Err(error) => tracing::warn!(%error, "a certificate cannot be kept or read"),
            }
            give_up = Instant::now() + self.vault.renewal_in() + ORDER_MAX;
        }
    }

    /// Says what failed and what to check, and when the next order is.
    fn pause_after(&self, error: &OrderError, failures: u32) -> Duration {
        let pause = pause(was_refused(error), failures);
        let (domains, seconds) = (self.config.domains.join(", "), pause.as_secs());
        let check = match self.config.challenge {
            AcmeChallenge::TlsAlpn01 => {
                "check that the domains lead to this machine, and that port 443 of it is reached \
                 from outside and is `listen`; SIGHUP asks at once"
            }
            AcmeChallenge::Http01 => {
                "check that the domains lead to this machine, and that port 80 of it is reached \
                 from outside and is `tls.plain_listen`; SIGHUP asks at once"
            }
        };
        tracing::warn!(%error, domains, next_order_in_seconds = seconds, "no certificate: {check}");
        pause
    }

    fn follow(&self, event: &EventOk, is_ready: &watch::Sender<bool>) {
        match event {
            EventOk::DeployedCachedCert | EventOk::DeployedNewCert => {
                self.shown.use_what_was_asked_for();
                is_ready.send_replace(true);
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

/// Whether the authority looked and said no. It counts such orders, and soon takes none any more.
fn was_refused(error: &OrderError) -> bool {
    match error {
        OrderError::BadOrder(_) | OrderError::BadAuth(_) | OrderError::TooManyAttemptsAuth(_) => {
            true
        }
        // A nonce is good for a moment only, and the next order has another.
        OrderError::Acme(AcmeError::HttpRequest(error)) => {
            let text = error.to_string();
            text.starts_with(REFUSED) && !text.contains("badNonce")
        }
        OrderError::Acme(_) | OrderError::Rcgen(_) | OrderError::ProcessingTimeout(_) => false,
    }
}

/// How long the next order waits after so many have failed.
fn pause(was_refused: bool, failures: u32) -> Duration {
    let doubled = 1 << (failures.max(1) - 1).min(PAUSE_POWER_MAX);
    let first = if was_refused { PAUSE_REFUSED_MIN } else { PAUSE_MIN };
    (first * doubled).min(PAUSE_MAX)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_refused_waits_a_quarter_of_an_hour_and_an_hour_at_most() {
        let minutes = |failures| pause(true, failures).as_secs() / 60;
        assert_eq!([1, 2, 3, 4, 40].map(minutes), [15, 30, 60, 60, 60]);
        let seconds = |failures| pause(false, failures).as_secs();
        assert_eq!([1, 2, 3, 12, 13, 40].map(seconds), [1, 2, 4, 2_048, 3_600, 3_600]);
        let refused = OrderError::TooManyAttemptsAuth("footfall.test".to_owned());
        assert!(was_refused(&refused));
        let lost = OrderError::Acme(AcmeError::Io(ErrorKind::TimedOut.into()));
        assert!(!was_refused(&lost));
    }
}
