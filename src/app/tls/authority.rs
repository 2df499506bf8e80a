//! One order of a certificate from an authority that speaks ACME (RFC 8555).

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use instant_acme::{
    Account, AuthorizationHandle, AuthorizationStatus, BodyWrapper, BytesResponse, ChallengeType,
    Error, HttpClient, Identifier, Key, NewAccount, NewOrder, Order, OrderStatus, Problem,
    RetryPolicy,
};
use rcgen::{CertificateParams, CustomExtension, KeyPair};
use rustls::ClientConfig;
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::sign::CertifiedKey;

use super::proofs::Shown;
use super::provider;
use super::vault::Vault;
use crate::app::config::{AcmeChallenge, AcmeConfig};

/// The authority answers each request within this.
const ANSWER_MAX: Duration = Duration::from_secs(60);
/// It looks at the proofs, and issues, within this; it is asked more and more rarely whether it did.
const ASK_AGAIN: RetryPolicy = RetryPolicy::new()
    .initial_delay(Duration::from_secs(1))
    .backoff(1.5)
    .timeout(Duration::from_secs(10 * 60));
/// So much of an answer that is no problem document is told.
const TOLD_MAX_CHARS: usize = 200;
const UNKNOWN_ACCOUNT: &str = "urn:ietf:params:acme:error:accountDoesNotExist";
const BAD_NONCE: &str = "urn:ietf:params:acme:error:badNonce";

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub enum OrderError {
    #[error(transparent)]
    Authority(#[from] Error),
    #[error("the authority does not find this machine at {domain}: {why}")]
    Unproved { domain: String, why: String },
    #[error("the authority did not look at the proof in time")]
    NotLookedAt,
    #[error("the authority does not take {0:?} as a proof for {1}; choose the other challenge")]
    NoChallenge(ChallengeType, String),
    #[error("the certificate for the handshake cannot be made: {0}")]
    Handshake(#[from] rcgen::Error),
    #[error("what the authority issued cannot be used: {0:#}")]
    Unusable(anyhow::Error),
    #[error("the order did not end in time")]
    Endless,
}

impl OrderError {
    /// Whether the authority looked and said no. It counts such orders, and soon takes none any
    /// more.
    pub fn was_refused(&self) -> bool {
        match self {
            // The last is an order that ended as none should.
            OrderError::Unproved { .. }
            | OrderError::NotLookedAt
            | OrderError::Unusable(_)
            | OrderError::Authority(Error::Str(_)) => true,
            // A nonce is good for a moment only, and the next order has another.
            OrderError::Authority(Error::Api(problem)) => {
                problem.r#type.as_deref() != Some(BAD_NONCE)
                    && problem.status.is_none_or(|status| status < 500)
            }
            OrderError::Authority(_)
            | OrderError::NoChallenge(..)
            | OrderError::Handshake(_)
            | OrderError::Endless => false,
        }
    }
}

/// An authority, and what is asked of it.
pub struct Authority {
    config: AcmeConfig,
    client: Client,
    vault: Arc<Vault>,
    shown: Arc<Shown>,
}

impl Authority {
    pub fn new(
        config: AcmeConfig,
        tls: ClientConfig,
        vault: Arc<Vault>,
        shown: Arc<Shown>,
    ) -> anyhow::Result<Authority> {
        // What is signed names the address that it is for, so that it is good at no other.
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
        let client = client.use_preconfigured_tls(tls).timeout(ANSWER_MAX).build()?;
        Ok(Authority { config, client: Client(client), vault, shown })
    }

    /// The private key and the certificates that were issued, in PEM.
    pub async fn order(&self) -> Result<String, OrderError> {
        let ordered = self.prove_and_fetch().await;
        self.shown.forget_proofs();
        ordered
    }

    async fn prove_and_fetch(&self) -> Result<String, OrderError> {
        let account = self.account().await?;
        let domains: Vec<_> = self.config.domains.iter().cloned().map(Identifier::Dns).collect();
        let mut order = account.new_order(&NewOrder::new(&domains)).await?;
        if order.state().status == OrderStatus::Pending {
            self.prove(&mut order).await?;
        }
        let key = order.finalize().await?;
        let certificates = order.poll_certificate(&ASK_AGAIN).await?;
        Ok(format!("{key}\n{certificates}"))
    }

    /// The account that is kept, if the authority still knows it, or else a new one.
    async fn account(&self) -> Result<Account, OrderError> {
        if let Some(key) = self.vault.account() {
            match self.known_account(key).await {
                Ok(account) => return Ok(account),
                Err(Error::KeyRejected) => {
                    tracing::warn!("the account's key is damaged; a new account is made");
                }
                Err(Error::Api(problem)) if problem.r#type.as_deref() == Some(UNKNOWN_ACCOUNT) => {
                    tracing::info!("the authority knows the account no more; a new one is made");
                }
                Err(error) => return Err(error.into()),
            }
        }
        let contact = Some(&self.config.contact).filter(|contact| !contact.is_empty());
        let contact = contact.map(|address| format!("mailto:{address}"));
        let contact: Vec<_> = contact.iter().map(String::as_str).collect();
        let new = NewAccount {
            contact: &contact,
            terms_of_service_agreed: true,
            only_return_existing: false,
        };
        let (account, credentials) =
            self.builder().create(&new, self.config.directory.clone(), None).await?;
        self.vault.keep_account(credentials.private_key().secret_pkcs8_der());
        Ok(account)
    }

    async fn known_account(&self, key: Vec<u8>) -> Result<Account, Error> {
        let key = PrivatePkcs8KeyDer::from(key);
        let parsed = Key::from_pkcs8_der(key.clone_key())?;
        let directory = self.config.directory.clone();
        Ok(self.builder().from_key((parsed, key.into()), directory).await?.0)
    }

    fn builder(&self) -> instant_acme::AccountBuilder {
        Account::builder_with_http(Box::new(self.client.clone()))
    }

    /// Shows the proofs, and returns when the authority has accepted all of them.
    async fn prove(&self, order: &mut Order) -> Result<(), OrderError> {
        let mut authorizations = order.authorizations();
        while let Some(authorization) = authorizations.next().await {
            let authorization = authorization?;
            if authorization.status == AuthorizationStatus::Pending {
                self.show(authorization).await?;
            }
        }
        match order.poll_ready(&ASK_AGAIN).await {
            Ok(OrderStatus::Ready) => Ok(()),
            Err(Error::Timeout(_)) => Err(OrderError::NotLookedAt),
            Err(Error::Api(problem)) => Err(why_not(order, problem.to_string()).await),
            Ok(status) => Err(why_not(order, format!("the order is {status:?}")).await),
            Err(error) => Err(error.into()),
        }
    }

    async fn show(&self, mut authorization: AuthorizationHandle<'_>) -> Result<(), OrderError> {
        let domain = authorization.identifier().to_string();
        let kind = match self.config.challenge {
            AcmeChallenge::TlsAlpn01 => ChallengeType::TlsAlpn01,
            AcmeChallenge::Http01 => ChallengeType::Http01,
        };
        let Some(mut challenge) = authorization.challenge(kind.clone()) else {
            return Err(OrderError::NoChallenge(kind, domain));
        };
        let proof = challenge.key_authorization();
        match self.config.challenge {
            AcmeChallenge::TlsAlpn01 => {
                let certificate = handshake(&domain, proof.digest().as_ref())?;
                self.shown.prove_by_handshake(&domain, Arc::new(certificate));
            }
            AcmeChallenge::Http01 => self.shown.prove_by_page(&challenge.token, proof.as_str()),
        }
        Ok(challenge.set_ready().await?)
    }
}

/// Of which domain the authority said no, and why.
async fn why_not(order: &mut Order, otherwise: String) -> OrderError {
    let mut authorizations = order.authorizations();
    while let Some(Ok(mut authorization)) = authorizations.next().await {
        let domain = authorization.identifier().to_string();
        let Ok(state) = authorization.refresh().await else { continue };
        let mut problems = state.challenges.iter().filter_map(|asked| asked.error.as_ref());
        if let Some(problem) = problems.next() {
            return OrderError::Unproved { domain, why: problem.to_string() };
        }
    }
    let domain = "its domains".to_owned();
    OrderError::Unproved { domain, why: otherwise }
}

/// The certificate that proves in a handshake that a domain is ours (RFC 8737).
fn handshake(domain: &str, digest: &[u8]) -> Result<CertifiedKey, OrderError> {
    let mut params = CertificateParams::new([domain.to_owned()])?;
    params.custom_extensions = vec![CustomExtension::new_acme_identifier(digest)];
    let key = KeyPair::generate()?;
    let certificate = params.self_signed(&key)?.der().clone();
    let key = PrivatePkcs8KeyDer::from(key.serialize_der()).into();
    // Not looked at as others are: it has an extension that is for the authority alone.
    let key = provider().key_provider.load_private_key(key);
    let key = key.map_err(|error| OrderError::Unusable(error.into()))?;
    Ok(CertifiedKey::new(vec![certificate], key))
}

/// Sends what the order asks for over the client that the rest of the program has.
#[derive(Clone)]
struct Client(reqwest::Client);

impl HttpClient for Client {
    fn request(
        &self,
        request: http::Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        let client = self.0.clone();
        Box::pin(async move { send(client, request).await })
    }
}

async fn send(
    client: reqwest::Client,
    request: http::Request<BodyWrapper<Bytes>>,
) -> Result<BytesResponse, Error> {
    let request = reqwest::Request::try_from(request.map(reqwest::Body::wrap)).map_err(other)?;
    let answer = client.execute(request).await.map_err(other)?;
    let mut answer = BytesResponse::from(http::Response::<reqwest::Body>::from(answer));
    let body = answer.body.into_bytes().await.map_err(Error::Other)?;
    check(answer.parts.status, &body)?;
    Ok(BytesResponse { parts: answer.parts, body: Box::new(body) })
}

fn other(error: reqwest::Error) -> Error {
    Error::Other(error.into())
}

/// An answer that says no in whatever words. One with a nonce that is not good (any more) is left:
/// the same is asked again with the nonce that comes with it.
fn check(status: http::StatusCode, body: &[u8]) -> Result<(), Error> {
    if !status.is_client_error() && !status.is_server_error() {
        return Ok(());
    }
    let said: Option<Problem> = serde_json::from_slice(body).ok();
    if said.as_ref().is_some_and(|problem| problem.r#type.as_deref() == Some(BAD_NONCE)) {
        return Ok(());
    }
    let mut problem = said.unwrap_or_else(|| {
        let text: String = String::from_utf8_lossy(body).chars().take(TOLD_MAX_CHARS).collect();
        let detail = Some(format!("{status} {text:?}"));
        Problem { r#type: None, detail, status: None, subproblems: Vec::new() }
    });
    problem.status = Some(status.as_u16());
    Err(Error::Api(problem))
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;

    fn is_refusal(status: StatusCode, body: &str) -> Option<bool> {
        let error = check(status, body.as_bytes()).err()?;
        Some(OrderError::from(error).was_refused())
    }

    #[test]
    fn an_answer_that_says_no_in_whatever_words_is_a_refusal() {
        let limited = r#"{"type":"urn:ietf:params:acme:error:rateLimited","detail":"too many"}"#;
        assert_eq!(is_refusal(StatusCode::TOO_MANY_REQUESTS, limited), Some(true));
        assert_eq!(is_refusal(StatusCode::FORBIDDEN, "<h1>No</h1>"), Some(true));
        assert_eq!(is_refusal(StatusCode::TOO_MANY_REQUESTS, ""), Some(true));
        assert_eq!(is_refusal(StatusCode::BAD_GATEWAY, "<h1>Later</h1>"), Some(false));
        let stale = r#"{"type":"urn:ietf:params:acme:error:badNonce","status":400}"#;
        assert_eq!(is_refusal(StatusCode::BAD_REQUEST, stale), None);
        assert_eq!(is_refusal(StatusCode::OK, "{}"), None);
    }
}
