//! Patience with connections: one on which nothing goes on for too long is closed, whatever it is
//! in the middle of. The server's own time-outs look at the first request of each only.

use std::any::Any;
use std::net::{Shutdown, TcpStream as Socket};
use std::os::fd::AsFd;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use actix_tls::accept::rustls_0_23::TlsStream;
use actix_web::Error;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{Extensions, ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::rt::net::TcpStream;
use actix_web::web::Bytes;

use super::Settings;

/// An answer goes on within this, in seconds: a stream says something more often.
const ANSWER_SECONDS_MAX: u64 = 60;
/// How often connections are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// All connections of a door.
type Lines = Mutex<Vec<Weak<Line>>>;

/// A connection. The socket is a second handle of it, which closes when the connection does.
struct Line {
    socket: Socket,
    state: Mutex<State>,
}

/// Whether a request is being answered, and since when nothing went on.
#[derive(Clone, Copy)]
struct State {
    answers: bool,
    since: Instant,
}

impl Line {
    fn note(&self, answers: bool) {
        let state = State { answers, since: Instant::now() };
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = state;
    }

    fn is_over(&self, between_requests: Duration) -> bool {
        let state = *self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = Duration::from_secs(ANSWER_SECONDS_MAX).max(between_requests);
        state.since.elapsed() > if state.answers { answer } else { between_requests }
    }
}

/// What the server is to call with each new connection; closes those of that door until it does.
pub fn hook(settings: &Settings) -> impl Fn(&dyn Any, &mut Extensions) + Send + Sync + 'static {
    let lines = Arc::new(Lines::default());
    let between = Duration::from_secs(settings.idle_seconds + settings.head_seconds);
    actix_web::rt::spawn(close_in_time(Arc::downgrade(&lines), between));
    move |connection, data| {
        let Some(socket) = second_handle(connection) else { return };
        let state = State { answers: false, since: Instant::now() };
        let line = Arc::new(Line { socket, state: Mutex::new(state) });
        lines.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::downgrade(&line));
        data.insert(line);
    }
}

/// Ends when the door has gone.
async fn close_in_time(lines: Weak<Lines>, between_requests: Duration) {
    while let Some(lines) = lines.upgrade() {
        lines.lock().unwrap_or_else(PoisonError::into_inner).retain(|line| {
            let Some(line) = line.upgrade() else { return false };
            if line.is_over(between_requests) {
                // Who is gone already needs no more.
                line.socket.shutdown(Shutdown::Both).ok();
            }
            true
        });
        drop(lines);
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

fn second_handle(connection: &dyn Any) -> Option<Socket> {
    let secure = || Some(connection.downcast_ref::<TlsStream<TcpStream>>()?.get_ref().0);
    let plain = connection.downcast_ref::<TcpStream>().or_else(secure)?;
    plain.as_fd().try_clone_to_owned().ok().map(Socket::from)
}

/// Notes that a request is being answered, until its answer is through.
pub async fn note(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let line = request.conn_data::<Arc<Line>>().cloned();
    if let Some(line) = &line {
        line.note(true);
    }
    let response = next.call(request).await?;
    Ok(response.map_body(|_, body| Answer { body: body.boxed(), line }.boxed()))
}

/// The body of an answer that is under way.
struct Answer {
    body: BoxBody,
    line: Option<Arc<Line>>,
}

impl MessageBody for Answer {
    type Error = Box<dyn std::error::Error>;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let next = Pin::new(&mut self.body).poll_next(context);
        if let (Poll::Ready(_), Some(line)) = (&next, &self.line) {
            line.note(true);
        }
        next
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        if let Some(line) = &self.line {
            line.note(false);
        }
    }
}
