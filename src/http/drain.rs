//! How the server stops: what has arrived is answered, what comes half is not waited for.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::error::PayloadError;
use actix_web::http::{ConnectionType, Method};
use actix_web::middleware::Next;
use actix_web::web::{self, Bytes};
use actix_web::{Error, HttpMessage};
use futures_util::{StreamExt, stream};
use tokio::sync::watch;

/// A request that was sent before the stop has been read within so many milliseconds.
const SETTLE_MS: u64 = 100;
/// A body that is not whole so many milliseconds after the stop is cut off.
const BODY_MS_MAX: u64 = 300;
/// Answers to what only reads are waited for so many milliseconds: deliveries wait meanwhile.
const READS_MS_MAX: u64 = 1_000;
/// Answers to all else, longer than a delivery takes at most.
const WRITES_MS_MAX: u64 = 4_500;
/// How often it is looked whether all is answered.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// What is being answered, and whether the server stops.
#[derive(Clone)]
pub struct Drain {
    reads: Arc<AtomicUsize>,
    writes: Arc<AtomicUsize>,
    stop: watch::Sender<bool>,
}

impl Default for Drain {
    fn default() -> Drain {
        Drain { reads: Arc::default(), writes: Arc::default(), stop: watch::Sender::new(false) }
    }
}

impl Drain {
    /// Becomes true when the server stops.
    pub fn stopping(&self) -> watch::Receiver<bool> {
        self.stop.subscribe()
    }

    /// Returns when all that arrived is answered, or nobody should wait longer for it.
    pub async fn run(&self) {
        let began = Instant::now();
        let within = |millis| began.elapsed() < Duration::from_millis(millis);
        self.stop.send_replace(true);
        loop {
            let [reads, writes] = [&self.reads, &self.writes].map(|n| n.load(Ordering::Acquire));
            let waits = within(SETTLE_MS)
                || (reads > 0 && within(READS_MS_MAX))
                || (writes > 0 && within(WRITES_MS_MAX));
            if !waits {
                return;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

/// Counts a request until its answer is through. When the server stops, its body is cut off, and
/// the answer closes the connection, so that the next request opens one to the successor.
pub async fn watch(
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let drain = request.app_data::<web::Data<Drain>>().expect("every server has one").clone();
    let only_reads = matches!(*request.method(), Method::GET | Method::HEAD);
    let under_way = UnderWay::new(if only_reads { &drain.reads } else { &drain.writes });
    let payload = request.take_payload();
    request.set_payload(cut_off(payload, drain.stopping()));
    let mut answer = next.call(request).await?;
    if *drain.stop.borrow() {
        answer.response_mut().head_mut().set_connection_type(ConnectionType::Close);
    }
    Ok(answer.map_body(|_, body| Counted { body: body.boxed(), _under_way: under_way }.boxed()))
}

/// A body that fails when it is not whole some time after the stop.
fn cut_off(payload: Payload, mut stopping: watch::Receiver<bool>) -> Payload {
    if matches!(payload, Payload::None) {
        return payload;
    }
    let cut = Box::pin(async move {
        // Who says that it stops may be gone, and then it has.
        drop(stopping.wait_for(|stopping| *stopping).await);
        tokio::time::sleep(Duration::from_millis(BODY_MS_MAX)).await;
    });
    let stream = stream::unfold((payload, cut), |(mut payload, mut cut)| async move {
        let next = tokio::select! {
            biased;
            next = payload.next() => next?,
            () = &mut cut => Err(PayloadError::Incomplete(None)),
        };
        Some((next, (payload, cut)))
    });
    Payload::Stream { payload: Box::pin(stream) }
}

/// One more, until it is dropped.
struct UnderWay(Arc<AtomicUsize>);

impl UnderWay {
    fn new(count: &Arc<AtomicUsize>) -> UnderWay {
        count.fetch_add(1, Ordering::AcqRel);
        UnderWay(count.clone())
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// The body of an answer that is counted.
struct Counted {
    body: BoxBody,
    _under_way: UnderWay,
}

impl MessageBody for Counted {
    type Error = Box<dyn std::error::Error>;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.body).poll_next(context)
    }
}
