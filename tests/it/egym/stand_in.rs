//! A stand-in for EGYM, by the contract: its API over HTTPS with a key for each gym location, and
//! deliveries over HTTPS to certificates that it can verify, each tried once, for five seconds.

use std::collections::HashMap;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use futures_util::stream;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use tokio::runtime::Handle;
use tokio::sync::watch;
use uuid::Uuid;

use super::location::{Answer, Location, Webhook, problem};
use crate::random::shuffled;
use crate::tls::authority::{Files, trusting};

/// A delivery that was not answered by then has failed.
const ANSWER_SECONDS_MAX: u64 = 5;
const START: Duration = Duration::from_secs(60);
/// With the fault `shuffled`, so many deliveries come together, in no order.
const TOGETHER: usize = 8;

/// What goes wrong with deliveries, on demand. 0 stands for never.
#[derive(Clone, Copy, Default)]
pub struct Faults {
    pub repeat_each: usize,
    pub drop_each: usize,
    /// The body comes in two parts, with a second between them.
    pub slow_each: usize,
    pub shuffled: bool,
}

pub struct StandIn {
    pub url: String,
    inner: Arc<Inner>,
    server: ServerHandle,
}

struct Inner {
    locations: Mutex<HashMap<String, Location>>,
    client: reqwest::Client,
    deliveries: Mutex<Deliveries>,
    runtime: Handle,
    /// Deliveries that were begun and not ended.
    under_way: watch::Sender<usize>,
}

#[derive(Default)]
struct Deliveries {
    faults: Faults,
    begun: usize,
    /// Statuses of the answers; 0 where none came.
    answered: Vec<u16>,
    held: Vec<(Webhook, Value)>,
}

impl StandIn {
    /// Serves its API with a certificate, and delivers to those under one root alone. `names` are
    /// domains with their addresses, as a name server would know them.
    pub fn start(files: &Files, root: &[u8], names: &[(&str, SocketAddr)]) -> StandIn {
        let client = trusting(root).https_only(true);
        let client = client.timeout(Duration::from_secs(ANSWER_SECONDS_MAX));
        let client = names.iter().fold(client, |client, (name, at)| client.resolve(name, *at));
        let inner = Arc::new(Inner {
            locations: Mutex::default(),
            client: client.build().expect("a client"),
            deliveries: Mutex::default(),
            runtime: Handle::current(),
            under_way: watch::Sender::new(0),
        });
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let (tell, told) = mpsc::channel();
        let (state, tls) = (inner.clone(), server_config(files));
        std::thread::spawn(move || {
            actix_web::rt::System::new().block_on(async move {
                let state = web::Data::from(state);
                let server =
                    HttpServer::new(move || App::new().app_data(state.clone()).configure(routes));
                let server = server.workers(1).disable_signals();
                let server = server.listen_rustls_0_23(listener, tls).expect("it listens").run();
                tell.send(server.handle()).expect("somebody waits");
                server.await.expect("it ends well");
            });
        });
        let server = told.recv_timeout(START).expect("it starts");
        StandIn { url: format!("https://localhost:{port}"), inner, server }
    }

    pub fn add_location(&self, key: &str, may_manage: bool) {
        self.inner.locations().insert(key.to_owned(), Location::new(key, may_manage));
    }

    /// Looks at a location, or changes it.
    pub fn at<R>(&self, key: &str, look: impl FnOnce(&mut Location) -> R) -> R {
        look(self.inner.locations().get_mut(key).expect("it was added"))
    }

    pub fn set_faults(&self, faults: Faults) {
        self.inner.deliveries().faults = faults;
    }

    /// A member does something at the gym of a location: it is delivered to all its webhooks.
    pub fn happens(&self, key: &str, event: &Value) {
        let to = self.at(key, |location| location.webhooks.clone());
        self.inner.clone().deliver(to, event);
    }

    /// Deliveries that were begun and not ended.
    pub fn under_way(&self) -> watch::Receiver<usize> {
        self.inner.under_way.subscribe()
    }

    /// Waits until nothing is under way, and gives the answers so far.
    pub async fn answers(&self) -> Vec<u16> {
        let held = std::mem::take(&mut self.inner.deliveries().held);
        futures_util::future::join_all(held.iter().map(|(to, body)| self.inner.send(to, body)))
            .await;
        self.under_way().wait_for(|count| *count == 0).await.expect("it goes on");
        self.inner.deliveries().answered.clone()
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        drop(self.server.stop(false));
    }
}

fn server_config(files: &Files) -> rustls::ServerConfig {
    let chain = CertificateDer::pem_file_iter(&files.certificate).expect("it was written");
    let chain = chain.collect::<Result<_, _>>().expect("it is PEM");
    let key = PrivateKeyDer::from_pem_file(&files.key).expect("it is PEM");
    let builder = rustls::ServerConfig::builder().with_no_client_auth();
    builder.with_single_cert(chain, key).expect("they fit")
}

fn routes(config: &mut web::ServiceConfig) {
    let hooks = "/api/v2/webhooks";
    config
        .service(web::resource(hooks).route(web::get().to(list)).route(web::post().to(add)))
        .service(
            web::resource("/api/v2/webhooks/{id}")
                .route(web::get().to(one))
                .route(web::put().to(change))
                .route(web::delete().to(remove)),
        )
        .route("/api/v2/webhooks/{id}/trigger", web::post().to(trigger))
        .route("/api/v2/accounts/{account}/{what}", web::post().to(check));
}

type State = web::Data<Inner>;

async fn list(state: State, request: HttpRequest) -> HttpResponse {
    state.answer(&request, false, |location| location.list())
}

async fn one(state: State, request: HttpRequest, id: web::Path<i64>) -> HttpResponse {
    state.answer(&request, false, |location| location.one(*id))
}

async fn add(state: State, request: HttpRequest, body: web::Json<Value>) -> HttpResponse {
    state.answer(&request, true, |location| location.add(&body))
}

async fn change(
    state: State,
    request: HttpRequest,
    id: web::Path<i64>,
    body: web::Json<Value>,
) -> HttpResponse {
    state.answer(&request, true, |location| location.change(*id, &body))
}

async fn remove(state: State, request: HttpRequest, id: web::Path<i64>) -> HttpResponse {
    state.answer(&request, true, |location| location.remove(*id))
}

async fn trigger(state: State, request: HttpRequest, id: web::Path<i64>) -> HttpResponse {
    let mut found = None;
    let answer = state.answer(&request, true, |location| {
        found = location.webhooks.iter().find(|webhook| webhook.id == *id).cloned();
        if found.is_some() { (200, Value::Null) } else { location.one(*id) }
    });
    if let Some(webhook) = found {
        let test = json!({ "type": "TEST", "timestamp": crate::service::now() });
        state.into_inner().deliver(vec![webhook], &test);
    }
    answer
}

/// A check-in or a check-out of a member, which is delivered to every webhook of the gym.
async fn check(
    state: State,
    request: HttpRequest,
    path: web::Path<(Uuid, String)>,
    body: web::Json<Value>,
) -> HttpResponse {
    let kind = match path.1.as_str() {
        "checkins" => "GYM_CHECKIN",
        "checkouts" => "GYM_CHECKOUT",
        _ => return HttpResponse::NotFound().finish(),
    };
    let mut to = Vec::new();
    let answer = state.answer(&request, false, |location| {
        to.clone_from(&location.webhooks);
        (204, Value::Null)
    });
    let event = json!({ "accountId": path.0, "timestamp": body["timestamp"], "type": kind });
    state.into_inner().deliver(to, &event);
    answer
}

impl Inner {
    /// What every call has in common: the key, what it may do, how many calls are left, and
    /// answers that are lost.
    fn answer(
        &self,
        request: &HttpRequest,
        acts: bool,
        call: impl FnOnce(&mut Location) -> Answer,
    ) -> HttpResponse {
        let key = request.headers().get("x-api-key").and_then(|key| key.to_str().ok());
        let mut locations = self.locations();
        let location = key.and_then(|key| locations.get_mut(key));
        let Some(location) = location else {
            let status = if key.is_some() { 403 } else { 401 };
            return shown(status, &problem(status, "accessDenied", "the API key is not known"), 0);
        };
        let Some(left) = location.spend() else {
            return shown(429, &problem(429, "tooManyRequests", "too many requests"), 0);
        };
        if !location.may_manage {
            return shown(
                403,
                &problem(403, "missingPermission", "WEBHOOK_WRITE is missing"),
                left,
            );
        }
        if acts && location.calls_lost > 0 {
            location.calls_lost -= 1;
            return lost();
        }
        let (status, body) = call(location);
        if acts && location.answers_lost > 0 {
            location.answers_lost -= 1;
            return lost();
        }
        shown(status, &body, left)
    }

    fn deliver(self: Arc<Self>, to: Vec<Webhook>, event: &Value) {
        for webhook in to {
            for (webhook, event) in self.deliveries().order(webhook, event) {
                let inner = self.clone();
                inner.under_way.send_modify(|count| *count += 1);
                self.runtime.spawn(async move {
                    inner.send(&webhook, &event).await;
                    inner.under_way.send_modify(|count| *count -= 1);
                });
            }
        }
    }

    /// One delivery, tried once.
    async fn send(&self, webhook: &Webhook, event: &Value) {
        let number = {
            let mut deliveries = self.deliveries();
            deliveries.begun += 1;
            deliveries.begun
        };
        let faults = self.deliveries().faults;
        let each = |n: usize| n > 0 && number % n == 0;
        if each(faults.drop_each) {
            return;
        }
        let times = if each(faults.repeat_each) { 2 } else { 1 };
        for _ in 0..times {
            let bytes = event.to_string().into_bytes();
            let body = if each(faults.slow_each) { in_two_parts(&bytes) } else { bytes.into() };
            let request = self.client.post(&webhook.url).header("x-api-key", &webhook.secret);
            let request = request.header("content-type", "application/json").body(body);
            let status = request.send().await.map_or(0, |answer| answer.status().as_u16());
            self.deliveries().answered.push(status);
        }
    }

    fn locations(&self) -> MutexGuard<'_, HashMap<String, Location>> {
        self.locations.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn deliveries(&self) -> MutexGuard<'_, Deliveries> {
        self.deliveries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Deliveries {
    /// What to send now: this one, or, where they are shuffled, some that were held back.
    fn order(&mut self, webhook: Webhook, event: &Value) -> Vec<(Webhook, Value)> {
        let this = (webhook, event.clone());
        if !self.faults.shuffled {
            return vec![this];
        }
        self.held.push(this);
        if self.held.len() < TOGETHER {
            return Vec::new();
        }
        shuffled(self.begun as u64, &std::mem::take(&mut self.held))
    }
}

fn shown(status: u16, body: &Value, left: u32) -> HttpResponse {
    let status = actix_web::http::StatusCode::from_u16(status).expect("a status");
    let mut answer = HttpResponse::build(status);
    answer.insert_header(("x-ratelimit-remaining", left.to_string()));
    if body.is_null() { answer.finish() } else { answer.json(body) }
}

/// What it promises does not come, so the caller cannot know what was done.
fn lost() -> HttpResponse {
    let broken = stream::iter([Err::<web::Bytes, _>(std::io::Error::other("lost"))]);
    HttpResponse::Ok().no_chunking(9).streaming(broken)
}

fn in_two_parts(bytes: &[u8]) -> reqwest::Body {
    let second = bytes[bytes.len() / 2..].to_vec();
    let first = bytes[..bytes.len() / 2].to_vec();
    let parts = stream::unfold((Some(first), Some(second)), |(first, second)| async {
        if let Some(first) = first {
            return Some((Ok::<_, std::io::Error>(first), (None, second)));
        }
        let second = second?;
        tokio::time::sleep(Duration::from_secs(1)).await;
        Some((Ok(second), (None, None)))
    });
    reqwest::Body::wrap_stream(parts)
}
