//! How connections come in: each is counted for its address before anything is read of it, goes
//! through the handshake where HTTPS is spoken, and then speaks HTTP. actix's own way hands a
//! connection to us after its handshake only, when whoever never ends one has long taken a place.

use std::fmt::Debug;
use std::future::ready;
use std::io::{self, IoSlice};
use std::net::{SocketAddr, TcpListener};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_http::{HttpService, KeepAlive, Protocol, Request, Response};
use actix_server::ServerBuilder;
use actix_service::{
    IntoServiceFactory, ServiceFactory, ServiceFactoryExt, fn_service, map_config,
};
use actix_tls::accept::rustls_0_23::{Acceptor, TlsStream};
use actix_web::body::MessageBody;
use actix_web::dev::AppConfig;
use actix_web::rt::net::{ActixStream, Ready, TcpStream};
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::Settings;
use super::connections::{Connections, Line};

/// All we speak, in the handshake's words.
const PROTOCOL: &[u8] = b"http/1.1";
/// Who was answered and does not close its side is waited for so long.
const CLOSE_SECONDS_MAX: u64 = 1;

/// Where a request came in: the address of its listener.
pub struct At(pub SocketAddr);

/// How connections of one address come in.
#[derive(Clone)]
pub struct Way {
    pub connections: Arc<Connections>,
    pub idle: Duration,
    /// For the handshake, and for the head of a request.
    pub head: Duration,
    pub tls: Option<ServerConfig>,
}

impl Way {
    /// Plain HTTP, with the time-outs of the settings.
    pub fn plain(connections: &Arc<Connections>, settings: &Settings) -> Way {
        Way {
            connections: connections.clone(),
            idle: Duration::from_secs(settings.idle_seconds),
            head: Duration::from_secs(settings.head_seconds),
            tls: None,
        }
    }

    /// Answers at a listener; the app is told where that is.
    pub fn listen<F, I, S, B>(
        self,
        listener: TcpListener,
        server: ServerBuilder,
        app: F,
    ) -> io::Result<ServerBuilder>
    where
        F: Fn(SocketAddr) -> I + Send + Clone + 'static,
        I: IntoServiceFactory<S, Request>,
        S: ServiceFactory<Request, Config = AppConfig> + 'static,
        S::Error: Into<actix_web::Error> + 'static,
        S::InitError: Debug,
        S::Response: Into<Response<B>> + 'static,
        B: MessageBody + 'static,
    {
        let address = listener.local_addr()?;
        let name = address.to_string();
        let Some(tls) = self.tls.clone() else {
            return server.listen(name, listener, move || {
                self.counted().and_then(self.answered(app(address)))
            });
        };
        server.listen(name, listener, move || {
            let shaken = self.acceptor(tls.clone()).map_err(drop);
            self.counted().and_then(shaken).and_then(self.answered(app(address)))
        })
    }

    /// Gives a connection its place.
    fn counted(&self) -> impl Step<TcpStream, Counted> + use<> {
        let connections = self.connections.clone();
        fn_service(move |stream: TcpStream| {
            // Small answers are not held back for more to come.
            stream.set_nodelay(true).ok();
            let line = connections.add(&stream);
            ready(line.map(|line| Counted { stream, line }).map_err(drop))
        })
    }

    fn acceptor(&self, mut tls: ServerConfig) -> Acceptor {
        tls.alpn_protocols.push(PROTOCOL.to_vec());
        let mut acceptor = Acceptor::new(tls);
        acceptor.set_handshake_timeout(self.head);
        acceptor
    }

    /// Speaks HTTP on a connection that has its place.
    fn answered<T, I, S, B>(&self, app: I) -> impl Step<T, ()> + use<T, I, S, B>
    where
        T: OfLine,
        I: IntoServiceFactory<S, Request>,
        S: ServiceFactory<Request, Config = AppConfig> + 'static,
        S::Error: Into<actix_web::Error> + 'static,
        S::InitError: Debug,
        S::Response: Into<Response<B>> + 'static,
        B: MessageBody + 'static,
    {
        let app = app.into_factory().map_err(|error| error.into().error_response());
        let http = HttpService::build()
            .keep_alive(KeepAlive::Timeout(self.idle))
            .client_request_timeout(self.head)
            .client_disconnect_timeout(Duration::from_secs(CLOSE_SECONDS_MAX))
            .on_connect_ext(|io: &T, data| drop(data.insert(io.line().clone())))
            .finish(map_config(app, |()| AppConfig::default()));
        fn_service(|io: T| {
            let peer = io.line().peer();
            ready(Ok((io, Protocol::Http1, peer)))
        })
        .and_then(http.map_err(drop))
    }
}

/// A step of a connection's way in. Who fails at one has gone, and is owed no word.
trait Step<From, To>:
    ServiceFactory<From, Config = (), Response = To, Error = (), InitError = ()>
{
}

impl<From, To, F> Step<From, To> for F where
    F: ServiceFactory<From, Config = (), Response = To, Error = (), InitError = ()>
{
}

/// What a line goes over.
trait OfLine: AsyncRead + AsyncWrite + Unpin + 'static {
    fn line(&self) -> &Arc<Line>;
}

/// A connection that has its place until it is dropped.
struct Counted {
    stream: TcpStream,
    line: Arc<Line>,
}

impl OfLine for Counted {
    fn line(&self) -> &Arc<Line> {
        &self.line
    }
}

impl OfLine for TlsStream<Counted> {
    fn line(&self) -> &Arc<Line> {
        &self.get_ref().0.line
    }
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Counted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

impl ActixStream for Counted {
    fn poll_read_ready(&self, context: &mut Context<'_>) -> Poll<io::Result<Ready>> {
        ActixStream::poll_read_ready(&self.stream, context)
    }

    fn poll_write_ready(&self, context: &mut Context<'_>) -> Poll<io::Result<Ready>> {
        ActixStream::poll_write_ready(&self.stream, context)
    }
}
