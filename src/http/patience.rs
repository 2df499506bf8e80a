//! Patience with those who read slowly: an answer is handed over in pieces, within a time that its
//! length allows for, and what nobody takes is not kept for long. The server's own time-outs look at
//! the first request of each connection only.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::web::Bytes;
use actix_web::{Error, ResponseError};

use super::connections::{Line, UnderWay};
use super::problem::{Code, Problem};

/// An answer is handed over in pieces of so many bytes.
const PIECE_BYTES: usize = 32 * 1024;
/// Who reads an answer takes so many bytes of it in a second, after the first minute.
pub const READ_BYTES_PER_SECOND_MIN: u64 = 16 * 1024;

/// An answer's body that is in memory once, however many read it.
#[derive(Clone, Copy)]
pub struct SharedBody;

/// Notes that a request is being answered, until its answer is through.
pub async fn note(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let Some(line) = request.conn_data::<Arc<Line>>().cloned() else {
        return next.call(request).await.map(ServiceResponse::map_into_boxed_body);
    };
    line.is_read().await;
    let mut under_way = line.begin();
    let response = next.call(request).await?.map_into_boxed_body();
    let size = response.response().body().size();
    let is_shared = response.response().extensions().contains::<SharedBody>();
    if let BodySize::Sized(bytes) = size
        && bytes > PIECE_BYTES as u64
        && !is_shared
        && !under_way.hold(bytes)
    {
        let detail = "too many answers wait for readers who do not take them; ask again soon";
        let refused = Problem::new(Code::Unavailable, detail).error_response();
        return Ok(response.into_response(refused));
    }
    let is_stream = matches!(size, BodySize::Stream);
    Ok(response.map_body(|_, body| {
        let began = Instant::now();
        Answer { body, rest: Bytes::new(), taken: 0, began, is_stream, under_way }.boxed()
    }))
}

/// The body of an answer that is under way.
struct Answer {
    body: BoxBody,
    /// What is there and not yet handed over.
    rest: Bytes,
    /// Bytes that were handed over.
    taken: u64,
    began: Instant,
    /// It ends when it likes.
    is_stream: bool,
    under_way: UnderWay,
}

impl Answer {
    /// Notes that it went on: a stream now; any other no later than its length allows for.
    fn went_on(&self) {
        let now = Instant::now();
        let due = due(self.began, self.taken);
        self.under_way.went_on(if self.is_stream { now } else { now.min(due) });
    }
}

/// When so many bytes are to be taken at the latest.
fn due(began: Instant, taken: u64) -> Instant {
    began + Duration::from_secs(taken / READ_BYTES_PER_SECOND_MIN)
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
        while self.rest.is_empty() {
            match Pin::new(&mut self.body).poll_next(context) {
                Poll::Ready(Some(Ok(bytes))) => self.rest = bytes,
                over @ (Poll::Pending | Poll::Ready(None | Some(Err(_)))) => return over,
            }
        }
        let piece = self.rest.len().min(PIECE_BYTES);
        let piece = self.rest.split_to(piece);
        self.taken += piece.len() as u64;
        self.went_on();
        Poll::Ready(Some(Ok(piece)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_16_kib_have_a_second_more() {
        let began = Instant::now();
        assert_eq!(due(began, 16 * 1024 - 1), began);
        assert_eq!(due(began, 1024 * 1024) - began, Duration::from_secs(64));
    }
}
