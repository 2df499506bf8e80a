//! The HTTP door: routes on one screen. JSON shapes, status codes, problems and authorization
//! live in this room; SQL and the meaning of numbers may not.

mod accept;
mod annotations;
mod answer;
pub mod at_egym;
pub mod auth;
mod body;
pub mod client_ip;
mod connections;
mod csv;
mod cursor;
pub mod deliveries;
mod drain;
mod erasures;
mod events;
pub mod first_admin;
mod gate;
mod gym_changes;
mod gyms;
mod hashing;
mod head;
mod headers;
mod health;
mod json;
pub mod known_webhooks;
mod listening;
mod members;
pub mod metrics;
mod openapi;
mod own_address;
mod page;
mod pages;
mod panics;
mod paths;
mod patience;
pub mod problem;
pub mod process;
mod quarantine;
mod readers;
pub mod redirect;
pub mod reports;
mod sender;
mod server;
mod settings;
mod stream;
mod times;
pub mod tls;
mod turned_away;
mod unfitting;
mod webhooks;
pub mod what_if;

use std::io;
use std::net::SocketAddr;

use actix_tls::accept::max_concurrent_tls_connect;
use actix_web::body::BoxBody;
use actix_web::dev::{Server, ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::http::header::ALLOW;
use actix_web::middleware::from_fn;
use actix_web::{App as Actix, HttpRequest, HttpResponse, Resource, ResponseError, web};

use tokio::sync::watch;

use crate::store::{Snapshot, Store};
use at_egym::AtEgym;
use client_ip::Network;
use connections::Connections;
use drain::Drain;
use first_admin::FirstAdmin;
use hashing::Hashing;
use known_webhooks::KnownWebhooks;
use listening::{At, Way};
pub use metrics::Measured;
use metrics::Metrics;
use metrics::reach::{self, Reach};
use metrics::spans::Spans;
pub use pages::Words;
use problem::{Code, Problem};
use process::Process;
pub use server::{Door, Listening};
pub use settings::Settings;
use tls::Expiry;
use turned_away::TurnedAway;

/// Reads that go on at once, for each thread that answers; further ones wait.
const BLOCKING_THREADS_MAX: usize = 32;

/// What every handler may use.
pub struct App {
    pub store: Store,
    pub metrics: Metrics,
    /// Requests, for who takes traces.
    spans: Spans,
    /// Becomes true when the service stops, so that streams end.
    pub stopping: watch::Receiver<bool>,
    /// When the certificate expires; none without TLS.
    pub certificate: Option<Expiry>,
    /// Proxies whose word is taken for where a request came from.
    pub trusted_proxies: Vec<Network>,
    /// How it is reached from outside, `https://host`; none when nobody said.
    pub public_root: Option<String>,
    /// Who gets to the metrics.
    metrics_reach: Reach,
    /// Webhooks that let somebody in lately.
    known_webhooks: KnownWebhooks,
    /// Where passwords are hashed.
    hashing: Hashing,
    /// What the process says of itself.
    pub process: Process,
    /// What the page remembers.
    pages: pages::State,
    /// How many reports are worked out at once.
    reports: gate::Gate,
    /// What streams share.
    streams: stream::Streams,
    /// The link that makes the first admin, while there is no user.
    first_admin: Option<FirstAdmin>,
    /// Who came to a webhook without its secret.
    turned_away: TurnedAway,
    /// How a page changes something at EGYM; none where that is not possible.
    egym: Option<AtEgym>,
}

impl App {
    /// The host and port of `public_root`, in small letters.
    fn public_host(&self) -> Option<&str> {
        self.public_root.as_deref()?.strip_prefix("https://")
    }
}

impl App {
    fn new(
        store: Store,
        settings: &Settings,
        is_private: bool,
        stopping: watch::Receiver<bool>,
    ) -> io::Result<App> {
        let certificate = settings.tls.as_ref().map(|tls| tls.expiry.clone());
        Ok(App {
            metrics: Metrics::new(&store, certificate.clone()),
            spans: settings.spans.clone(),
            store,
            stopping,
            certificate,
            trusted_proxies: settings.trusted_proxies.clone(),
            public_root: settings.public_root.clone(),
            metrics_reach: Reach::new(&settings.metrics, is_private)?,
            known_webhooks: KnownWebhooks::default(),
            hashing: Hashing::start()?,
            process: settings.process.clone(),
            pages: pages::State::default(),
            reports: gate::Gate::default(),
            streams: stream::Streams::default(),
            first_admin: settings.first_admin.clone(),
            turned_away: TurnedAway::default(),
            egym: settings.egym.clone(),
        })
    }
}

/// Opens the door on a listener.
pub fn serve(store: Store, listening: Listening, settings: &Settings) -> io::Result<Door> {
    let Listening { listener, is_shared } = listening;
    let address = listener.local_addr()?;
    let drain = Drain::default();
    let is_private = settings.tls.is_none() && address.ip().is_loopback();
    let app = web::Data::new(App::new(store, settings, is_private, drain.stopping())?);
    let workers = settings.threads();
    let connections_max = (settings.connections_max / workers).max(1);
    let measured = Measured(app.clone());
    let watched = web::Data::new(drain.clone());
    let connections = Connections::watched(settings, {
        let app = app.clone();
        move |limit| app.metrics.door.refused(limit)
    });
    let app = move |at: SocketAddr| {
        Actix::new()
            .app_data(At(at))
            .app_data(app.clone())
            .app_data(watched.clone())
            .app_data(web::QueryConfig::default().error_handler(|error, _| {
                Problem::new(Code::BadParameter, error.to_string()).into()
            }))
            .app_data(web::PathConfig::default().error_handler(|_, _| nowhere().into()))
            .wrap(from_fn(pages::for_people))
            .wrap(from_fn(metrics::count))
            .wrap(from_fn(reach::guard))
            .wrap(from_fn(headers::add))
            .configure(routes)
            .configure(set_up_routes)
            .configure(pages::routes)
            .default_service(web::to(not_found))
            .wrap(from_fn(body::in_time))
            .wrap(from_fn(paths::mend))
            .wrap(from_fn(head::answer_as_get))
            .wrap(from_fn(drain::watch))
            .wrap(from_fn(patience::note))
    };
    // Who is slow in a handshake takes no more from others than who is slow in a request.
    max_concurrent_tls_connect(connections_max);
    let server = Server::build()
        .workers(workers)
        .worker_max_blocking_threads(BLOCKING_THREADS_MAX)
        .max_concurrent_connections(connections_max)
        .disable_signals();
    let plain = Way::plain(&connections, settings);
    let server = match &settings.metrics.listener {
        Some(listener) => plain.clone().listen(listener.try_clone()?, server, app.clone())?,
        None => server,
    };
    let tls = settings.tls.as_ref().map(|tls| tls.config.clone());
    let server = Way { tls, ..plain }.listen(listener, server, app)?.run();
    let (handle, task) = (server.handle(), actix_web::rt::spawn(server));
    Ok(Door { address, measured: Some(measured), handle, task, drain, is_shared })
}

fn routes(config: &mut web::ServiceConfig) {
    config
        .service(at("/webhooks/{webhook}").route(web::post().to(deliveries::receive)))
        .service(at("/api/openapi.json").route(web::get().to(page::document)))
        .service(at("/busy/{gym}.json").route(web::get().to(pages::busy::json)))
        .service(at("/docs").route(web::get().to(page::to_page)))
        .service(at("/docs/{file:.*}").route(web::get().to(page::page)))
        .service(at("/healthz").route(web::get().to(health::healthz)))
        .service(at("/readyz").route(web::get().to(health::readyz)))
        .service(at("/metrics").route(web::get().to(metrics::metrics)))
        .service(at("/api/v1/gyms").route(web::get().to(gyms::list)))
        .service(at("/api/v1/gyms/{gym}/occupancy").route(web::get().to(gyms::occupancy)))
        .service(at("/api/v1/gyms/{gym}/occupancy/stream").route(web::get().to(stream::occupancy)))
        .service(at("/api/v1/gyms/{gym}/reports/{report}").route(web::get().to(reports::of_gym)))
        .service(at("/api/v1/reports/{report}").route(web::get().to(reports::of_chain)))
        .service(at("/api/v1/gyms/{gym}/members/absent").route(web::get().to(members::absent)))
        .service(at("/api/v1/gyms/{gym}/members/new").route(web::get().to(members::new)))
        .service(
            at("/api/v1/gyms/{gym}/members/{account}")
                .route(web::get().to(members::one))
                .route(web::delete().to(erasures::of_member)),
        )
        .service(at("/api/v1/erasures").route(web::get().to(erasures::list)))
        .service(at("/api/v1/gyms/{gym}/events").route(web::get().to(events::list)))
        .service(
            at("/api/v1/gyms/{gym}/annotations")
                .route(web::get().to(annotations::list))
                .route(web::post().to(annotations::add)),
        )
        .service(
            at("/api/v1/gyms/{gym}/annotations/{id}").route(web::delete().to(annotations::remove)),
        )
        .service(at("/api/v1/gyms/{gym}/quarantine").route(web::get().to(quarantine::list)))
        .service(at("/api/v1/gyms/{gym}/quarantine/{id}").route(web::get().to(quarantine::one)))
        .service(
            at("/api/v1/gyms/{gym}/quarantine/{id}/release")
                .route(web::post().to(quarantine::try_again)),
        );
}

/// What sets up gyms, and who may look.
fn set_up_routes(config: &mut web::ServiceConfig) {
    config
        .service(
            at("/api/v1/gyms/{gym}")
                .route(web::get().to(gyms::one))
                .route(web::put().to(gym_changes::put))
                .route(web::patch().to(gym_changes::patch))
                .route(web::delete().to(gym_changes::remove)),
        )
        .service(
            at("/api/v1/gyms/{gym}/webhooks")
                .route(web::get().to(webhooks::list))
                .route(web::post().to(webhooks::add)),
        )
        .service(
            at("/api/v1/gyms/{gym}/webhooks/{webhook}").route(web::delete().to(webhooks::remove)),
        )
        .service(
            at("/api/v1/gyms/{gym}/webhooks/{webhook}/rotate")
                .route(web::post().to(webhooks::rotate)),
        )
        .service(
            at("/api/v1/tokens")
                .route(web::get().to(readers::tokens))
                .route(web::post().to(readers::add_token)),
        )
        .service(at("/api/v1/tokens/{name}").route(web::delete().to(readers::remove_token)))
        .service(
            at("/api/v1/users")
                .route(web::get().to(readers::users))
                .route(web::post().to(readers::add_user)),
        )
        .service(at("/api/v1/users/{name}").route(web::delete().to(readers::remove_user)));
}

/// A route of the API.
fn at(path: &str) -> Resource<impl Route> {
    web::resource(path)
        .default_service(web::to(method_not_allowed))
        .wrap(from_fn(panics::as_problem))
}

/// What a resource is with something around it.
trait Route:
    ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<BoxBody>,
        Error = actix_web::Error,
        InitError = (),
    > + 'static
{
}

impl<T> Route for T where
    T: ServiceFactory<
            ServiceRequest,
            Config = (),
            Response = ServiceResponse<BoxBody>,
            Error = actix_web::Error,
            InitError = (),
        > + 'static
{
}

async fn not_found() -> Result<HttpResponse, Problem> {
    Err(nowhere())
}

fn nowhere() -> Problem {
    Problem::new(Code::NotFound, "there is nothing at this path")
}

async fn method_not_allowed(request: HttpRequest) -> HttpResponse {
    wrong_method(&openapi::methods(&request.match_pattern().unwrap_or_default()))
}

/// Says which methods a path takes.
fn wrong_method(methods: &str) -> HttpResponse {
    let problem = Problem::new(Code::MethodNotAllowed, format!("this path takes {methods}"));
    let mut answer = problem.error_response();
    answer.headers_mut().insert(ALLOW, methods.parse().expect("methods are plain ASCII"));
    answer.extensions_mut().insert(problem);
    answer
}

/// Reads on a thread that may block, at one point of the database's history.
async fn blocking<R: Send + 'static>(
    app: web::Data<App>,
    work: impl FnOnce(&Snapshot<'_>) -> Result<R, Problem> + Send + 'static,
) -> Result<R, Problem> {
    panics::off_thread(move || app.store.read(|snapshot| Ok(work(snapshot)))).await??
}

/// As [`blocking`], for what may take much memory or time: only so much of it goes on at once.
async fn reporting<R: Send + 'static>(
    app: web::Data<App>,
    work: impl FnOnce(&Snapshot<'_>) -> Result<R, Problem> + Send + 'static,
) -> Result<R, Problem> {
    let place = app.reports.enter().await;
    let place = place.inspect_err(|_| app.metrics.door.refused("reports"))?;
    blocking(app, move |snapshot| {
        // Until the work is done, also when nobody waits for it any more.
        let _place = place;
        work(snapshot)
    })
    .await
}
