//! How the door is built, as the program says it.

use super::at_egym::AtEgym;
use super::client_ip::Network;
use super::first_admin::FirstAdmin;
use super::metrics::reach;
use super::metrics::spans::Spans;
use super::process::Process;
use super::tls::Tls;

/// How the door is built.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Threads that answer; 0 stands for one per core.
    pub workers: usize,
    /// Open connections at most, over all threads.
    pub connections_max: usize,
    /// Of these, so many from one address.
    pub connections_per_address_max: usize,
    /// A connection without a request is closed after so many seconds.
    pub idle_seconds: u64,
    /// A request's head must arrive within so many seconds.
    pub head_seconds: u64,
    /// Proxies whose word is taken for where a request came from.
    pub trusted_proxies: Vec<Network>,
    /// How it is reached from outside, `https://host`; none when nobody said.
    pub public_root: Option<String>,
    /// How metrics are to be reached.
    pub metrics: reach::Listening,
    /// Where requests are noted for who takes traces.
    pub spans: Spans,
    /// HTTPS; plain HTTP without.
    pub tls: Option<Tls>,
    /// What the process says of itself.
    pub process: Process,
    /// The link that was printed; none when there is a user.
    pub first_admin: Option<FirstAdmin>,
    /// How a page changes something at EGYM.
    pub egym: Option<AtEgym>,
}

impl Settings {
    /// How many threads answer.
    pub(super) fn threads(&self) -> usize {
        match self.workers {
            0 => std::thread::available_parallelism().map_or(2, std::num::NonZero::get),
            given => given,
        }
    }
}
