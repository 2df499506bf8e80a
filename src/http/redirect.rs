//! The plain door beside HTTPS: it answers the certificate authority, and sends everybody else to
//! HTTPS. Nothing of the service is reached through it.

use std::io;
use std::sync::Arc;

use actix_web::dev::Server;
use actix_web::http::header::{HOST, LOCATION};
use actix_web::http::uri::Authority;
use actix_web::middleware::from_fn;
use actix_web::{App as Actix, HttpRequest, HttpResponse, web};

use super::connections::Connections;
use super::drain::{self, Drain};
use super::listening::Way;
use super::problem::{Code, Problem};
use super::{Door, Listening, Settings, head, patience};

/// What to answer when the authority asks for a token; none for any other.
pub type Challenges = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// HTTPS's own port, which no URL needs to name.
const HTTPS_PORT: u16 = 443;

/// Where HTTPS is, for who came in plain.
pub struct Home {
    /// Its root, `https://host`; none when nobody said, and then it is at the host that was asked.
    pub root: Option<String>,
    /// The port that speaks HTTPS.
    pub port: u16,
}

struct Plain {
    home: Home,
    challenges: Option<Challenges>,
}

/// Opens the plain door.
pub fn serve(
    listening: Listening,
    home: Home,
    challenges: Option<Challenges>,
    settings: &Settings,
) -> io::Result<Door> {
    let Listening { listener, is_shared } = listening;
    let address = listener.local_addr()?;
    let drain = Drain::default();
    let watched = web::Data::new(drain.clone());
    let plain = web::Data::new(Plain { home, challenges });
    let app = move |_| {
        Actix::new()
            .app_data(plain.clone())
            .app_data(watched.clone())
            .route("/.well-known/acme-challenge/{token}", web::get().to(answer_authority))
            .default_service(web::to(send_to_https))
            .wrap(from_fn(head::answer_as_get))
            .wrap(from_fn(drain::watch))
            .wrap(from_fn(patience::note))
    };
    let connections = Connections::watched(settings, |_| {});
    let server = Server::build()
        .workers(1)
        .max_concurrent_connections(settings.connections_max)
        .disable_signals();
    let server = Way::plain(&connections, settings).listen(listener, server, app)?.run();
    let (handle, task) = (server.handle(), actix_web::rt::spawn(server));
    Ok(Door { address, measured: None, handle, task, drain, is_shared })
}

async fn answer_authority(
    plain: web::Data<Plain>,
    token: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let proof = plain.challenges.as_ref().and_then(|proof_of| proof_of(&token));
    let proof = proof.ok_or_else(|| Problem::new(Code::NotFound, "nobody asked for this"))?;
    Ok(HttpResponse::Ok().content_type("application/octet-stream").body(proof))
}

/// 308 keeps the method, unlike 301.
async fn send_to_https(
    plain: web::Data<Plain>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let root = plain.home.root.clone().or_else(|| plain.home.beside(&request));
    let root = root.ok_or_else(|| Problem::new(Code::BadParameter, "`Host` names no host"))?;
    let path = request.uri().path_and_query().map(|path| path.as_str());
    // `OPTIONS *` has none, and what is no path would become part of the host's name.
    let path = path.filter(|path| path.starts_with('/')).unwrap_or("/");
    let to = format!("{root}{path}");
    Ok(HttpResponse::PermanentRedirect().insert_header((LOCATION, to)).finish())
}

impl Home {
    /// HTTPS at the host that a request names itself: not one that somebody on the way names.
    fn beside(&self, request: &HttpRequest) -> Option<String> {
        let host = request.headers().get(HOST)?.to_str().ok()?;
        let host = host.parse::<Authority>().ok().filter(|host| !host.as_str().contains('@'))?;
        let port = match self.port {
            HTTPS_PORT => String::new(),
            other => format!(":{other}"),
        };
        Some(format!("https://{}{port}", host.host()))
    }
}
