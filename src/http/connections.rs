//! Connections: how many there are, in all and from one address, which of them has to go when there
//! are too many, and what goes on on each. What is answered on one may not live here.

use std::io;
use std::net::{Shutdown, SocketAddr, TcpStream as Socket};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::Settings;
use super::client_ip::{Network, holder};
use super::gate::{Open, Tally};

/// An answer goes on within this, in seconds: a stream says something more often.
const ANSWER_SECONDS_MAX: u64 = 60;
/// How often connections are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Answers that are held for readers who have not taken them yet, in bytes, on all connections.
pub const ANSWER_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// When so many of a hundred places are taken, idle connections make room: a delivery must find one.
const FULL_PERCENT: usize = 90;
/// One of so many places is made free at a time, so that it need not be done for each newcomer.
const FREED_PART: usize = 32;

/// Hears which limit something was refused by.
type Refused = Box<dyn Fn(&'static str) + Send + Sync>;

/// All connections of a door.
pub struct Connections {
    max: usize,
    per_address_max: usize,
    /// Behind each of these are many.
    proxies: Vec<Network>,
    lines: Mutex<Vec<Weak<Line>>>,
    by_address: Tally<Option<Network>>,
    answer_bytes: AtomicU64,
    refused: Refused,
}

/// A connection. The socket is a second handle of it, which closes when the connection does.
pub struct Line {
    socket: Socket,
    peer: Option<SocketAddr>,
    holder: Option<Network>,
    state: Mutex<State>,
    door: Arc<Connections>,
}

/// What goes on on a connection, and since when nothing did.
struct State {
    /// Whether a request is being answered: with HTTP/1.1, which is all we speak, one at a time.
    answers: bool,
    since: Instant,
    /// Its place; none when it was told to go.
    place: Option<Open<Option<Network>>>,
}

/// Ends when the door has gone.
async fn close_in_time(connections: Weak<Connections>, between_requests: Duration) {
    while let Some(connections) = connections.upgrade() {
        connections.lines().retain(|line| {
            let Some(line) = line.upgrade() else { return false };
            if line.is_over(between_requests) {
                line.close();
            }
            true
        });
        drop(connections);
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

impl Connections {
    /// Those of a door; closes such as are too many, or on which nothing goes on for too long.
    pub fn watched(
        settings: &Settings,
        refused: impl Fn(&'static str) + Send + Sync + 'static,
    ) -> Arc<Connections> {
        let connections = Arc::new(Connections {
            max: (settings.connections_max * FULL_PERCENT / 100).max(1),
            per_address_max: settings.connections_per_address_max,
            proxies: settings.trusted_proxies.clone(),
            lines: Mutex::default(),
            by_address: Tally::default(),
            answer_bytes: AtomicU64::new(0),
            refused: Box::new(refused),
        });
        let between = Duration::from_secs(settings.idle_seconds + settings.head_seconds);
        actix_web::rt::spawn(close_in_time(Arc::downgrade(&connections), between));
        connections
    }

    fn lines(&self) -> MutexGuard<'_, Vec<Weak<Line>>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a connection in. Where there are too many, those go first on which nothing has gone on
    /// for longest; when all of an address are busy, the new one.
    pub fn add(self: &Arc<Connections>, stream: &impl AsFd) -> io::Result<Arc<Line>> {
        let socket = Socket::from(stream.as_fd().try_clone_to_owned()?);
        let peer = socket.peer_addr().ok();
        let address = peer.map(|peer| peer.ip().to_canonical());
        let is_proxy =
            address.is_some_and(|address| self.proxies.iter().any(|proxy| proxy.holds(address)));
        // Of nobody's own address are those that have none, and proxies.
        let holder = address.filter(|_| !is_proxy).map(holder);
        if self.by_address.count() >= self.max {
            self.free("connections", self.max, |_| true);
        }
        let place = self.place_for(holder);
        let has_room = place.is_some();
        let state = Mutex::new(State { answers: false, since: Instant::now(), place });
        let line = Arc::new(Line { socket, peer, holder, state, door: self.clone() });
        if has_room {
            self.lines().push(Arc::downgrade(&line));
        } else {
            self.refuse("connections_per_address");
            line.close();
        }
        Ok(line)
    }

    /// A place for one more from an address; none when all of its connections are busy. Several
    /// threads take connections in at once, so each takes its place before it goes on.
    fn place_for(&self, holder: Option<Network>) -> Option<Open<Option<Network>>> {
        let max = holder.map_or(usize::MAX, |_| self.per_address_max);
        loop {
            let place = self.by_address.open(holder, max, usize::MAX);
            let limit = "connections_per_address";
            if place.is_some() || !self.free(limit, max, |line| line.holder == holder) {
                return place;
            }
        }
    }

    /// Closes some of so many connections, of those on which nothing goes on; false when there are
    /// none.
    fn free(&self, limit: &'static str, of: usize, is_one: impl Fn(&Line) -> bool) -> bool {
        let idle = |line: Arc<Line>| Some((line.idle_since()?, line));
        let lines = self.lines();
        let mut found: Vec<_> = lines
            .iter()
            .filter_map(Weak::upgrade)
            .filter(|line| is_one(line))
            .filter_map(idle)
            .collect();
        drop(lines);
        found.sort_unstable_by_key(|(since, _)| *since);
        found.truncate((of / FREED_PART).max(1));
        for (_, line) in &found {
            self.refuse(limit);
            line.close();
        }
        !found.is_empty()
    }

    fn refuse(&self, limit: &'static str) {
        (self.refused)(limit);
    }
}

impl Line {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who is at the other end; none who has gone already.
    pub fn peer(&self) -> Option<SocketAddr> {
        self.peer
    }

    fn is_over(&self, between_requests: Duration) -> bool {
        let state = self.state();
        let answer = Duration::from_secs(ANSWER_SECONDS_MAX).max(between_requests);
        state.since.elapsed() > if state.answers { answer } else { between_requests }
    }

    /// Since when it has waited for a request; none when it has one, or was told to go.
    fn idle_since(&self) -> Option<Instant> {
        let state = self.state();
        (!state.answers && state.place.is_some()).then_some(state.since)
    }

    /// Who is gone already needs no more.
    fn close(&self) {
        self.state().place = None;
        self.socket.shutdown(Shutdown::Both).ok();
    }

    /// Returns when what was answered before was taken, so far that there is room for more. Else
    /// who asks and does not read would have us keep all the answers.
    pub async fn is_read(&self) {
        let until = Instant::now() + Duration::from_secs(ANSWER_SECONDS_MAX);
        while !self.takes_more() {
            if Instant::now() > until {
                return self.close();
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    fn takes_more(&self) -> bool {
        let mut asked = [PollFd::new(&self.socket, PollFlags::OUT)];
        let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
        // What is broken is not waited for.
        poll(&mut asked, Some(&at_once)).map_or(true, |ready| ready > 0)
    }

    /// Begins a request.
    pub fn begin(self: &Arc<Line>) -> UnderWay {
        self.note(true);
        UnderWay { line: self.clone(), held: 0 }
    }

    fn note(&self, answers: bool) {
        let mut state = self.state();
        (state.answers, state.since) = (answers, Instant::now());
    }
}

/// A request that is being answered, until it is dropped.
pub struct UnderWay {
    line: Arc<Line>,
    /// How many bytes of its answer are held for the reader.
    held: u64,
}

impl UnderWay {
    /// Notes that it went on at that time.
    pub fn went_on(&self, at: Instant) {
        self.line.state().since = at;
    }

    /// Holds an answer of so many bytes; false when all readers together have left too many.
    pub fn hold(&mut self, bytes: u64) -> bool {
        let all = &self.line.door.answer_bytes;
        if all.fetch_add(bytes, Ordering::Relaxed) + bytes > ANSWER_BYTES_MAX {
            all.fetch_sub(bytes, Ordering::Relaxed);
            self.line.door.refuse("answer_bytes");
            return false;
        }
        self.held += bytes;
        true
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.line.door.answer_bytes.fetch_sub(self.held, Ordering::Relaxed);
        self.line.note(false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connect() -> (Arc<Connections>, impl Fn() -> UnderWay) {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let door = Arc::new(Connections {
            max: 10,
            per_address_max: 10,
            proxies: vec![],
            lines: Mutex::default(),
            by_address: Tally::default(),
            answer_bytes: AtomicU64::new(0),
            refused: Box::new(|_| {}),
        });
        let of = door.clone();
        let connect = move || {
            let socket = Socket::connect(listener.local_addr().unwrap()).unwrap();
            of.add(&socket).unwrap().begin()
        };
        (door, connect)
    }

    #[test]
    fn answers_that_nobody_takes_have_a_budget_together() {
        let (_door, connect) = connect();
        let (mut one, mut other) = (connect(), connect());
        assert!(one.hold(ANSWER_BYTES_MAX) && !other.hold(1));
        drop(one);
        assert!(other.hold(ANSWER_BYTES_MAX - 1) && !connect().hold(2));
    }

    #[test]
    fn an_answer_is_over_when_it_did_not_go_on_for_a_minute() {
        let (_door, connect) = connect();
        let under_way = connect();
        let is_over_after = |seconds| {
            under_way.went_on(Instant::now().checked_sub(Duration::from_secs(seconds)).unwrap());
            under_way.line.is_over(Duration::ZERO)
        };
        assert!(!is_over_after(ANSWER_SECONDS_MAX - 5) && is_over_after(ANSWER_SECONDS_MAX + 1));
    }
}
