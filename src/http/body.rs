//! Bodies that are sent to us, of whatever route: they come within a time that their length allows
//! for. How large one may be is said where it is read.

use std::future::Future;
use std::io::ErrorKind;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::body::MessageBody;
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::error::PayloadError;
use actix_web::middleware::Next;
use actix_web::web::Bytes;
use actix_web::{Error, HttpMessage};
use futures_util::Stream;
use tokio::time::{Instant, Sleep, sleep};

/// A body comes within this, in seconds,
pub const BODY_SECONDS_MAX: u64 = 15;
/// and a second more for each so many bytes of it.
pub const SENT_BYTES_PER_SECOND_MIN: u64 = 32 * 1024;

/// Gives up on a body that comes too slowly.
pub async fn in_time<B: MessageBody>(
    mut request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let payload = request.take_payload();
    let payload = match payload {
        Payload::None => Payload::None,
        payload @ (Payload::H1 { .. } | Payload::Stream { .. }) => {
            let (began, late) = (Instant::now(), Duration::from_secs(BODY_SECONDS_MAX));
            let late = Box::pin(sleep(late));
            Payload::from(Box::pin(Body { payload, began, bytes: 0, late }) as Boxed)
        }
    };
    request.set_payload(payload);
    next.call(request).await
}

type Boxed = Pin<Box<dyn Stream<Item = Result<Bytes, PayloadError>>>>;

/// A body that is under way.
struct Body {
    payload: Payload,
    began: Instant,
    /// How much has come.
    bytes: u64,
    late: Pin<Box<Sleep>>,
}

impl Stream for Body {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = Pin::new(&mut self.payload).poll_next(context);
        if let Poll::Ready(Some(Ok(bytes))) = &next {
            self.bytes += bytes.len() as u64;
            let seconds = BODY_SECONDS_MAX + self.bytes / SENT_BYTES_PER_SECOND_MIN;
            let due = self.began + Duration::from_secs(seconds);
            self.late.as_mut().reset(due);
        }
        if next.is_pending() && self.late.as_mut().poll(context).is_ready() {
            let late = ErrorKind::TimedOut.into();
            return Poll::Ready(Some(Err(PayloadError::Incomplete(Some(late)))));
        }
        next
    }
}
