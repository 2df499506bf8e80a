//! A certificate from an authority that speaks ACME, renewed in time.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::{ClientConfig, RootCertStore};
use tokio::signal::unix::Signal;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::authority::{Authority, OrderError};
use super::proofs::Shown;
use super::vault::Vault;
use super::{provider, read_certificates};
use crate::app::config::{AcmeChallenge, AcmeConfig, Config};
use crate::app::jobs::Ended;
use crate::app::output;
use crate::clock;
use crate::domain::Millis;
use crate::http::redirect::Challenges;
use crate::http::tls::Expiry;

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
/// Said at a start soon after an order that failed.
const REFUSED_BEFORE: &str = "the authority refused an order a short while ago, and counts them; \
                              SIGHUP asks at once";
/// Certificates are kept in this folder of the data folder.
const FOLDER: &str = "acme";

#[derive(Clone)]
pub struct Acme {
    config: AcmeConfig,
    authority: Arc<Authority>,
    vault: Arc<Vault>,
    shown: Arc<Shown>,
}

/// When a certificate is ordered next.
#[derive(Clone, Copy)]
enum Next {
    /// When it is to be renewed; at once, if there is none.
    InTime,
    After(Duration),
}

impl Acme {
    pub fn new(config: &Config) -> anyhow::Result<Acme> {
        let acme = config.tls.acme.clone();
        let builder = ClientConfig::builder_with_provider(provider());
        let builder = builder.with_safe_default_protocol_versions()?;
        let tls = builder.with_root_certificates(roots(&acme.root)?).with_no_client_auth();
        let vault = Arc::new(Vault::new(config.data.join(FOLDER), &acme));
        let shown: Arc<Shown> = Arc::default();
        let authority = Authority::new(acme.clone(), tls, vault.clone(), shown.clone())?;
        Ok(Acme { config: acme, authority: Arc::new(authority), vault, shown })
    }

    pub fn shown(&self) -> Arc<Shown> {
        self.shown.clone()
    }

    pub fn expiry(&self) -> Expiry {
        self.vault.expiry.clone()
    }

    /// When the certificate expires that is kept.
    pub fn kept_until(&self) -> Option<Millis> {
        self.vault.certificate()?;
        self.vault.expiry.get()
    }

    pub fn is_for(&self, host: &str) -> bool {
        self.config.domains.iter().any(|domain| domain.eq_ignore_ascii_case(host))
    }

    pub fn challenges(&self) -> Challenges {
        let shown = self.shown.clone();
        Arc::new(move |token| shown.page(token))
    }

    /// Shows the certificate that is kept, or fetches one, and renews it in time, and at once on
    /// SIGHUP. After an order that failed the authority is left in peace for a while.
    pub async fn keep(self, is_ready: watch::Sender<bool>, mut hangup: Signal) -> Ended {
        let (mut failures, mut next) = (0, Next::InTime);
        if let Some(kept) = self.vault.certificate() {
            self.shown.use_certificate(kept);
            is_ready.send_replace(true);
        }
        // A clock that was ahead lets nobody wait for longer.
        let refused_for = self.vault.refused_for().min(PAUSE_MAX);
        if !refused_for.is_zero() && self.vault.renewal_in().is_zero() {
            let next_order_in_seconds = refused_for.as_secs();
            tracing::warn!(next_order_in_seconds, "no certificate yet: {REFUSED_BEFORE}");
            next = Next::After(refused_for);
        }
        loop {
            let ended = tokio::select! {
                _ = hangup.recv() => {
                    tracing::info!("asking for a new certificate");
                    (failures, next) = (0, Next::After(Duration::ZERO));
                    continue;
                }
                ended = self.order(next) => ended,
            };
            match ended {
                Ok(()) => {
                    is_ready.send_replace(true);
                    (failures, next) = (0, self.next_after_success());
                }
                Err(error) => {
                    failures += 1;
                    next = Next::After(self.pause_after(&error, failures));
                }
            }
        }
    }

    /// Waits until it is time, and orders a certificate.
    async fn order(&self, next: Next) -> Result<(), OrderError> {
        match next {
            Next::After(pause) => sleep(pause).await,
            Next::InTime => self.until_renewal().await,
        }
        // What an order that was given up showed.
        self.shown.forget_proofs();
        let ordered = timeout(ORDER_MAX, self.authority.order()).await;
        let pem = ordered.unwrap_or(Err(OrderError::Endless))?;
        let certificate = self.vault.keep_certificate(&pem).map_err(OrderError::Unusable)?;
        self.shown.use_certificate(certificate);
        let until = self.expiry().get().map(output::utc);
        tracing::info!(until, "a new certificate is in use");
        Ok(())
    }

    /// When that is, is reckoned from a clock that may be put right meanwhile.
    async fn until_renewal(&self) {
        loop {
            let left = self.vault.renewal_in();
            if left.is_zero() {
                return;
            }
            sleep(left.min(RECKON_EVERY)).await;
        }
    }

    /// By a wrong clock, what was issued just now may be old, and so would be the next.
    fn next_after_success(&self) -> Next {
        if !self.vault.renewal_in().is_zero() {
            return Next::InTime;
        }
        tracing::warn!("the new certificate would have to be renewed already; is the clock right?");
        Next::After(PAUSE_REFUSED_MIN)
    }

    /// Says what failed and what to check, and when the next order is.
    fn pause_after(&self, error: &OrderError, failures: u32) -> Duration {
        let pause = pause(error.was_refused(), failures);
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
        if error.was_refused() {
            let millis = Millis::try_from(pause.as_millis()).expect("an hour at most");
            self.vault.keep_refusal(clock::now() + millis);
        }
        tracing::warn!(%error, domains, next_order_in_seconds = seconds, "no certificate: {check}");
        pause
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
        assert!(OrderError::NotLookedAt.was_refused());
        assert!(!OrderError::Endless.was_refused());
    }
}
