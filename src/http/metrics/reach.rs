//! Who gets to `/metrics`: it says exactly how many are there, of all gyms, and needs no token. So it
//! has a listener of its own, or is asked for from this machine; strangers only if a key says so.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::{Error, HttpRequest, ResponseError, web};

use crate::http::listening::At;
use crate::http::own_address::is_from_this_machine;
use crate::http::{App, nowhere};

/// The path of metrics.
const PATH: &str = "/metrics";

/// How metrics are to be reached.
#[derive(Debug, Clone, Default)]
pub struct Listening {
    /// Where nothing else is; then they are nowhere else.
    pub listener: Option<Arc<TcpListener>>,
    /// Also where everybody comes.
    pub is_public: bool,
}

/// How they are reached.
#[derive(Debug, Clone, Copy)]
pub struct Reach {
    own_address: Option<SocketAddr>,
    is_public: bool,
    /// Whether the service itself speaks plain HTTP to this machine only.
    is_private: bool,
}

impl Reach {
    pub fn new(listening: &Listening, is_private: bool) -> io::Result<Reach> {
        let own_address = listening.listener.as_ref().map(|one| one.local_addr()).transpose()?;
        if let Some(address) = own_address {
            tracing::info!("metrics are at http://{address}{PATH}");
        }
        Ok(Reach { own_address, is_public: listening.is_public, is_private })
    }

    fn is_own(self, request: &HttpRequest) -> bool {
        self.own_address.is_some() && self.own_address == request.app_data::<At>().map(|at| at.0)
    }

    /// Whether metrics are for who asks.
    pub fn lets_in(self, request: &HttpRequest) -> bool {
        let is_here = self.is_private && self.own_address.is_none();
        self.is_public || self.is_own(request) || (is_here && is_from_this_machine(request))
    }
}

/// At the address of metrics nothing else is found.
pub async fn guard(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let app = request.app_data::<web::Data<App>>().expect("every route has the app");
    if app.metrics_reach.is_own(request.request()) && request.path() != PATH {
        return Ok(request.into_response(nowhere().error_response()));
    }
    Ok(next.call(request).await?.map_into_boxed_body())
}
