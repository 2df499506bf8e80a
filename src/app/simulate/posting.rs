//! Posts deliveries as the sender does: with the secret in a header, once and without a second
//! try, and given up after five seconds. When a delivery is posted is decided elsewhere.

use std::net::IpAddr;
use std::pin::pin;
use std::time::Duration;

use futures_util::{Stream, StreamExt, stream};
use reqwest::header::CONTENT_TYPE;
use reqwest::redirect::Policy;
use reqwest::{Client, StatusCode, Url};
use serde::Deserialize;
use tokio::time::Instant;

use super::tally::Tally;
use super::traffic::{Delivery, Plan};

/// The sender waits no longer for an answer.
const ANSWER_SECONDS_MAX: u64 = 5;
/// A connection that rested longer is not used again.
const IDLE_SECONDS_MAX: u64 = 20;

/// A simulated gym, and the webhook at which its deliveries are posted.
pub struct Source {
    /// The webhook's full URL.
    pub url: String,
    /// What goes into `x-api-key`.
    pub secret: String,
    pub plan: Plan,
}

/// What became of a post.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    Accepted,
    Duplicate,
    Erased,
    Test,
    /// Any other status than 200.
    Refused(u16),
    Failed(Failure),
}

/// Why a post has no answer that counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    Timeout,
    NoConnection,
    /// The connection broke before the answer was whole.
    Broken,
    /// It was answered with 200, but not in footfall's words.
    NotUnderstood,
}

impl Failure {
    pub fn name(self) -> &'static str {
        match self {
            Failure::Timeout => "timeout",
            Failure::NoConnection => "no_connection",
            Failure::Broken => "broken",
            Failure::NotUnderstood => "not_understood",
        }
    }
}

/// Posts all of them as fast as they are answered, so many at a time. `on_progress` is told after
/// each how many were posted.
pub async fn post_all(
    source: &Source,
    deliveries: &[Delivery],
    connections: usize,
    on_progress: &(dyn Fn(u64) + Sync),
) -> Tally {
    let mut tally = Tally::default();
    let all = stream::iter(deliveries.iter().copied());
    let client = client(&source.url);
    post_stream(&client, source, all, connections, &mut tally, on_progress).await;
    tally
}

/// Posts deliveries as they come, so many at a time, and counts the answers.
pub async fn post_stream(
    client: &Client,
    source: &Source,
    deliveries: impl Stream<Item = Delivery>,
    connections: usize,
    tally: &mut Tally,
    on_progress: &(dyn Fn(u64) + Sync),
) {
    let posts = deliveries.map(|delivery| post_timed(client, source, delivery.body()));
    let mut answers = pin!(posts.buffer_unordered(connections.max(1)));
    while let Some((answer, took)) = answers.next().await {
        tally.count(answer, took);
        on_progress(tally.posted);
    }
}

/// Posts a body to a source, and measures how long the answer took.
pub async fn post_timed(client: &Client, source: &Source, body: String) -> (Answer, Duration) {
    let began = Instant::now();
    let answer = post(client, &source.url, &source.secret, body).await;
    (answer, began.elapsed())
}

/// Posts one body, once.
pub async fn post(client: &Client, url: &str, secret: &str, body: String) -> Answer {
    let request = client
        .post(url)
        .header("x-api-key", secret)
        .header(CONTENT_TYPE, "application/json")
        .body(body);
    match request.send().await {
        Ok(response) if response.status() == StatusCode::OK => {
            response.bytes().await.map_or_else(|error| failed(&error), |bytes| read(&bytes))
        }
        Ok(response) => Answer::Refused(response.status().as_u16()),
        Err(error) => failed(&error),
    }
}

/// A client that behaves like the sender at this URL.
pub fn client(url: &str) -> Client {
    let builder = Client::builder()
        .timeout(Duration::from_secs(ANSWER_SECONDS_MAX))
        .tcp_nodelay(true)
        // Shorter than a server's, which would close a connection just as it is used again.
        .pool_idle_timeout(Duration::from_secs(IDLE_SECONDS_MAX))
        // The secret goes where it was told to, and nowhere else.
        .redirect(Policy::none());
    // No proxy of the environment leads to this machine.
    let builder = if is_this_machine(url) { builder.no_proxy() } else { builder };
    builder.build().expect("nothing about the client depends on the machine")
}

fn is_this_machine(url: &str) -> bool {
    let host = Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_owned));
    host.is_some_and(|host| {
        let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
        host == "localhost" || address.is_ok_and(|address| address.is_loopback())
    })
}

fn read(body: &[u8]) -> Answer {
    #[derive(Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Status {
        Accepted,
        Duplicate,
        Erased,
        Test,
    }
    #[derive(Deserialize)]
    struct Receipt {
        status: Status,
    }
    match serde_json::from_slice(body) {
        Ok(Receipt { status: Status::Accepted }) => Answer::Accepted,
        Ok(Receipt { status: Status::Duplicate }) => Answer::Duplicate,
        Ok(Receipt { status: Status::Erased }) => Answer::Erased,
        Ok(Receipt { status: Status::Test }) => Answer::Test,
        Err(_) => Answer::Failed(Failure::NotUnderstood),
    }
}

fn failed(error: &reqwest::Error) -> Answer {
    Answer::Failed(if error.is_timeout() {
        Failure::Timeout
    } else if error.is_connect() {
        Failure::NoConnection
    } else {
        Failure::Broken
    })
}
