//! A client of EGYM's API for webhooks (MMS API V2). What footfall makes of the answers, and what
//! is stored, may not live here.

mod error;

use std::sync::Mutex;
use std::time::Duration;

use reqwest::header::HeaderMap;
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, Method, StatusCode};
use serde::{Deserialize, Serialize};

pub use error::{ApiError, Refusal};

/// EGYM's answer is waited for this long, in seconds.
const ANSWER_SECONDS_MAX: u64 = 10;
/// A call that was too many is made again at most so many times.
const TRIES_MAX: u32 = 5;
/// EGYM allows calls in a burst, and this many a second in the long run.
const CALLS_PER_SECOND: u32 = 6;
/// With fewer calls left than this, the next waits until there are so many again: others use the
/// key too.
const CALLS_LEFT_MIN: u32 = 6;

/// The API, with the key of one gym location.
pub struct Api {
    client: Client,
    root: String,
    key: String,
    /// Calls that are left, by the last answer that said so.
    calls_left: Mutex<Option<u32>>,
}

/// A webhook as EGYM has it.
#[derive(Deserialize)]
pub struct Registered {
    pub id: i64,
    pub url: String,
    pub secret: String,
}

#[derive(Serialize)]
struct Registration<'a> {
    url: &'a str,
    secret: &'a str,
}

impl Api {
    /// `root` is the server, `https://…`; `trusted` are roots to trust besides the public ones.
    pub fn new(root: &str, key: String, trusted: Vec<Certificate>) -> Result<Api, reqwest::Error> {
        let builder = Client::builder()
            .timeout(Duration::from_secs(ANSWER_SECONDS_MAX))
            .https_only(true)
            // The key goes where it was told to, and nowhere else.
            .redirect(Policy::none())
            .user_agent(concat!("footfall/", env!("CARGO_PKG_VERSION")));
        let client = trusted
            .into_iter()
            .fold(builder, |builder, certificate| builder.add_root_certificate(certificate));
        let root = root.trim_end_matches('/').to_owned();
        Ok(Api { client: client.build()?, root, key, calls_left: Mutex::new(None) })
    }

    pub async fn webhooks(&self) -> Result<Vec<Registered>, ApiError> {
        read(&self.call(Method::GET, "", None).await?)
    }

    /// Registers a URL with a secret.
    pub async fn add(&self, url: &str, secret: &str) -> Result<Registered, ApiError> {
        read(&self.call(Method::POST, "", Some(&Registration { url, secret })).await?)
    }

    /// Gives a webhook another URL or secret.
    pub async fn change(&self, id: i64, url: &str, secret: &str) -> Result<Registered, ApiError> {
        let path = format!("/{id}");
        read(&self.call(Method::PUT, &path, Some(&Registration { url, secret })).await?)
    }

    pub async fn remove(&self, id: i64) -> Result<(), ApiError> {
        self.call(Method::DELETE, &format!("/{id}"), None).await.map(drop)
    }

    /// Lets EGYM send a `TEST` to the webhook.
    pub async fn trigger(&self, id: i64) -> Result<(), ApiError> {
        self.call(Method::POST, &format!("/{id}/trigger"), None).await.map(drop)
    }

    /// Makes a call, again when it was too many.
    async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<&Registration<'_>>,
    ) -> Result<Vec<u8>, ApiError> {
        for tries in 0..TRIES_MAX {
            tokio::time::sleep(self.pause(tries)).await;
            match self.call_once(method.clone(), path, body).await {
                Err(ApiError::Refused(refusal))
                    if refusal.status == StatusCode::TOO_MANY_REQUESTS.as_u16() => {}
                other => return other,
            }
        }
        Err(ApiError::TooManyCalls)
    }

    async fn call_once(
        &self,
        method: Method,
        path: &str,
        body: Option<&Registration<'_>>,
    ) -> Result<Vec<u8>, ApiError> {
        let url = format!("{}/api/v2/webhooks{path}", self.root);
        let request = self.client.request(method, url).header("x-api-key", &self.key);
        let request = match body {
            Some(body) => request.json(body),
            None => request,
        };
        let answer = request.send().await.map_err(|error| ApiError::of_transport(&error))?;
        let status = answer.status();
        self.note_calls_left(answer.headers());
        let bytes = answer.bytes().await.map_err(|error| ApiError::of_transport(&error))?.to_vec();
        if status.is_success() {
            return Ok(bytes);
        }
        let secrets = [self.key.as_str(), body.map_or("", |body| body.secret)];
        Err(ApiError::of_answer(status, &bytes, &secrets))
    }

    /// How long to wait before a call: until some calls are left, and longer after each that was
    /// too many.
    fn pause(&self, tries: u32) -> Duration {
        let left = *self.calls_left.lock().expect("nobody panics while holding it");
        let missing = left.map_or(0, |left| CALLS_LEFT_MIN.saturating_sub(left));
        let refill = Duration::from_secs(1) * missing / CALLS_PER_SECOND;
        refill + Duration::from_secs(1) * ((1 << tries) - 1)
    }

    fn note_calls_left(&self, headers: &HeaderMap) {
        let left = headers.get("x-ratelimit-remaining").and_then(|value| value.to_str().ok());
        let left = left.and_then(|left| left.parse().ok());
        *self.calls_left.lock().expect("nobody panics while holding it") = left;
    }
}

fn read<T: for<'d> Deserialize<'d>>(bytes: &[u8]) -> Result<T, ApiError> {
    serde_json::from_slice(bytes).map_err(|_| ApiError::NotUnderstood)
}
