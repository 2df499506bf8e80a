//! The service's door, and beside it one that does the same up to the write: it looks the webhook
//! up, compares the secret, reads the body and parses it, and answers in the same words.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use actix_web::dev::Server;
use actix_web::error::{ErrorBadRequest, ErrorInternalServerError, ErrorUnauthorized};
use actix_web::middleware::DefaultHeaders;
use actix_web::rt::System;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use anyhow::Context;
use footfall::clock;
use footfall::http::deliveries::{ANSWER_MS_MAX, BODY_BYTES_MAX, BODY_MS_MAX, Receipt};
use footfall::http::known_webhooks::KnownWebhooks;
use footfall::http::metrics::reach;
use footfall::http::metrics::spans::Spans;
use footfall::http::process::Process;
use footfall::http::{self, Listening, Settings};
use footfall::intake::egym;
use footfall::store::{SecretHash, Store, Webhook};
use futures_util::StreamExt;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

/// As many threads as the service takes on its own.
fn settings() -> Settings {
    Settings {
        workers: 0,
        connections_max: 10_000,
        connections_per_address_max: 10_000,
        idle_seconds: 75,
        head_seconds: 4,
        trusted_proxies: Vec::new(),
        public_root: None,
        metrics: reach::Listening { listener: None, is_public: false },
        tls: None,
        process: Process::default(),
        spans: Spans::default(),
        first_admin: None,
        egym: None,
    }
}

/// Both doors, open.
pub struct Doors {
    pub storing: SocketAddr,
    pub not_storing: SocketAddr,
    stop: oneshot::Sender<()>,
    thread: JoinHandle<anyhow::Result<()>>,
}

impl Doors {
    pub fn open(store: Store) -> anyhow::Result<Doors> {
        let storing = TcpListener::bind("127.0.0.1:0")?;
        let not_storing = TcpListener::bind("127.0.0.1:0")?;
        let addresses = (storing.local_addr()?, not_storing.local_addr()?);
        let (stop, stopped) = oneshot::channel();
        let serve = async move || {
            let listening = Listening { listener: storing, is_shared: false };
            let door = http::serve(store.clone(), listening, &settings())?;
            let server = serve_without_storing(store, not_storing)?;
            let (handle, server) = (server.handle(), actix_web::rt::spawn(server));
            // Who holds the other end may be gone already: that is an end too.
            drop(stopped.await);
            door.close().await?;
            handle.stop(true).await;
            Ok(server.await??)
        };
        let thread = thread::spawn(move || System::new().block_on(serve()));
        Ok(Doors { storing: addresses.0, not_storing: addresses.1, stop, thread })
    }

    pub fn close(self) -> anyhow::Result<()> {
        drop(self.stop);
        self.thread.join().ok().context("a server panicked")?
    }
}

struct State {
    store: Store,
    known: KnownWebhooks,
    /// The position that is answered next.
    next: AtomicI64,
}

fn serve_without_storing(store: Store, listener: TcpListener) -> anyhow::Result<Server> {
    let settings = settings();
    let state =
        web::Data::new(State { store, known: KnownWebhooks::default(), next: AtomicI64::new(1) });
    let workers = thread::available_parallelism()?.get();
    let server = HttpServer::new(move || {
        App::new()
            .app_data(state.clone())
            .wrap(DefaultHeaders::new().add(("x-content-type-options", "nosniff")))
            .route("/webhooks/{webhook}", web::post().to(receive))
    });
    let server = server
        .workers(workers)
        .max_connections(settings.connections_max / workers)
        .keep_alive(Duration::from_secs(settings.idle_seconds))
        .client_request_timeout(Duration::from_secs(settings.head_seconds))
        .disable_signals();
    Ok(server.listen(listener)?.run())
}

async fn receive(
    state: web::Data<State>,
    public_id: web::Path<String>,
    request: HttpRequest,
    payload: web::Payload,
) -> actix_web::Result<HttpResponse> {
    let received_at = clock::now();
    let started = Instant::now();
    authenticate(&state, &public_id, &request)?;
    let body = read_body(payload, started + Duration::from_millis(BODY_MS_MAX)).await?;
    let deadline = started + Duration::from_millis(ANSWER_MS_MAX);
    let parse = async { egym::parse(&body, received_at) };
    let parsed = timeout_at(deadline, parse).await.map_err(ErrorInternalServerError)?;
    parsed.map_err(ErrorBadRequest)?;
    let position = state.next.fetch_add(1, Ordering::Relaxed);
    Ok(HttpResponse::Ok().json(Receipt { status: "accepted", position: Some(position) }))
}

fn authenticate(
    state: &State,
    public_id: &str,
    request: &HttpRequest,
) -> actix_web::Result<Arc<Webhook>> {
    let secret = request.headers().get("x-api-key").map_or(&b""[..], |value| value.as_bytes());
    let secret = SecretHash::of(secret);
    if let Some(known) = state.known.with(public_id, &secret) {
        return Ok(known);
    }
    let webhook = state.store.read(|snapshot| snapshot.webhook(public_id));
    let webhook = webhook.map_err(ErrorInternalServerError)?;
    let webhook = webhook
        .filter(|webhook| webhook.secret.equals(&secret))
        .ok_or_else(|| ErrorUnauthorized("no such webhook, or not its secret"))?;
    let webhook = Arc::new(webhook);
    state.known.keep(&webhook);
    Ok(webhook)
}

async fn read_body(mut payload: web::Payload, deadline: Instant) -> actix_web::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    while let Some(chunk) = timeout_at(deadline, payload.next()).await.map_err(ErrorBadRequest)? {
        bytes.extend_from_slice(&chunk?);
        if bytes.len() > BODY_BYTES_MAX {
            return Err(ErrorBadRequest("the body is too large"));
        }
    }
    Ok(bytes)
}
