//! Live occupancy as server-sent events: at once, on every change, and at least every 15 s.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use actix_web::web::Bytes;
use actix_web::{HttpResponse, web};
use futures_util::stream;
use tokio::sync::watch;
use tokio::time::timeout;

use super::auth::Access;
use super::gate::{Open, STREAMS_MAX, STREAMS_PER_READER_MAX, Tally};
use super::gyms::OccupancyBody;
use super::problem::{Code, Problem};
use super::{App, blocking, openapi};
use crate::clock;
use crate::domain::Millis;
use crate::domain::ids::GymId;
use crate::projection::read::{self, Occupancy};
use crate::store::{Gym, SecretHash, Snapshot, StoreError};

/// An event is sent at least this often, in seconds.
const EVENT_SECONDS_MAX: u64 = 15;
/// Changes that follow each other within this many milliseconds are sent together.
const GATHER_MS: u64 = 250;

/// What streams share.
#[derive(Default)]
pub struct Streams {
    open: Tally<SecretHash>,
    /// What was last seen of each gym, so that after a commit each is looked at once, however many
    /// listen. Held while one is looked at.
    seen: Mutex<HashMap<GymId, Seen>>,
}

/// What was seen of a gym, after so many commits, in that second.
struct Seen {
    commits: u64,
    second: Millis,
    occupancy: Occupancy,
}

impl Streams {
    fn look(
        &self,
        snapshot: &Snapshot<'_>,
        gym: &Gym,
        commits: u64,
        now: Millis,
    ) -> Result<Occupancy, StoreError> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let second = now.div_euclid(1_000);
        let fresh = |seen: &&Seen| seen.commits >= commits && seen.second == second;
        if let Some(seen) = seen.get(&gym.id).filter(fresh) {
            return Ok(seen.occupancy.clone());
        }
        let occupancy = read::occupancy_now(snapshot, gym, now)?;
        seen.insert(gym.id, Seen { commits, second, occupancy: occupancy.clone() });
        Ok(occupancy)
    }
}

/// What one listener waits with between events.
struct Listener {
    /// One of so many.
    _open: Open<SecretHash>,
    app: web::Data<App>,
    access: Access,
    slug: String,
    commits: watch::Receiver<u64>,
    stopping: watch::Receiver<bool>,
    /// What was sent last, less its time.
    sent: Option<OccupancyBody>,
}

/// Who is there, as server-sent events: at once, on every change, and at least every 15 s.
///
/// The data of an event `occupancy` is what `/occupancy` answers. The stream ends when the service
/// stops, or the token may not see the gym any more.
#[utoipa::path(
    get,
    path = "/api/v1/gyms/{gym}/occupancy/stream",
    tag = "gyms",
    operation_id = "occupancy_stream",
    responses(
        (
            status = 200, description = "Events",
            body = openapi::OccupancyEvent, content_type = "text/event-stream",
        ),
        openapi::GymProblems,
    )
)]
pub async fn occupancy(
    app: web::Data<App>,
    access: Access,
    slug: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let slug = slug.into_inner();
    let (commits, stopping) = (app.store.commits(), app.stopping.clone());
    let open = app.streams.open.open(access.key().clone(), STREAMS_PER_READER_MAX, STREAMS_MAX);
    let open = open.ok_or_else(|| too_many(&app))?;
    let mut listener = Listener { _open: open, app, access, slug, commits, stopping, sent: None };
    // A problem that is there at once is answered as such.
    let first = listener.look().await?;
    let rest = stream::unfold(listener, |mut listener| async move {
        let event = listener.next().await?;
        Some((Ok(event), listener))
    });
    let first = stream::once(async move { Ok::<_, Infallible>(first) });
    Ok(HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header(("cache-control", "no-store"))
        .insert_header(("x-accel-buffering", "no"))
        .streaming(futures_util::StreamExt::chain(first, rest)))
}

fn too_many(app: &App) -> Problem {
    app.metrics.door.refused("streams");
    let detail = format!(
        "{STREAMS_PER_READER_MAX} streams of yours are open, or {STREAMS_MAX} in all: close one"
    );
    Problem::new(Code::Unavailable, detail)
}

impl Listener {
    /// The next event; none when the service stops, or the reader may not see the gym any more.
    async fn next(&mut self) -> Option<Bytes> {
        let until = tokio::time::Instant::now() + Duration::from_secs(EVENT_SECONDS_MAX);
        loop {
            let before = self.sent.take();
            let is_time = tokio::select! {
                changed = tokio::time::timeout_at(until, self.commits.changed()) => changed.is_err(),
                _ = self.stopping.changed() => return None,
            };
            if !is_time {
                drop(timeout(Duration::from_millis(GATHER_MS), self.stopping.changed()).await);
            }
            if *self.stopping.borrow() {
                return None;
            }
            self.commits.mark_unchanged();
            let event = self.look().await.ok()?;
            let says_the_same =
                before.as_ref().zip(self.sent.as_ref()).is_some_and(|(a, b)| a.says_the_same(b));
            if is_time || !says_the_same {
                return Some(event);
            }
        }
    }

    async fn look(&mut self) -> Result<Bytes, Problem> {
        let (access, slug) = (self.access.clone(), self.slug.clone());
        let (app, commits) = (self.app.clone(), *self.commits.borrow());
        let body = blocking(self.app.clone(), move |snapshot| {
            let gym = access.again(snapshot)?.gym(snapshot, &slug)?;
            let now = clock::now();
            let occupancy = app.streams.look(snapshot, &gym, commits, now)?;
            Ok(OccupancyBody::of(&gym, &occupancy, now))
        });
        let body = body.await?;
        let json = serde_json::to_string(&body).expect("it is plain JSON");
        self.sent = Some(body);
        Ok(Bytes::from(format!("event: occupancy\ndata: {json}\n\n")))
    }
}
