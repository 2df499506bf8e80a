//! Listening sockets: those that systemd hands over, which stay open while one process follows
//! another, or else our own.

use std::env;
use std::net::TcpListener;

use anyhow::{Context, bail, ensure};
use listenfd::ListenFd;

use super::config::Config;
use crate::http::Listening;

/// What a socket of systemd is for: its `FileDescriptorName=`.
const NAMES: [&str; 3] = [LISTEN, PLAIN, METRICS];
/// The address of `listen`; a socket of any other name is for this, too.
pub const LISTEN: &str = "listen";
/// The address of `tls.plain_listen`.
pub const PLAIN: &str = "plain";
/// The address of `metrics.listen`.
pub const METRICS: &str = "metrics";

/// Sockets that were handed over and not taken yet.
pub struct Sockets {
    handed: ListenFd,
    /// Of each of them, in order.
    names: Vec<String>,
}

impl Sockets {
    /// What systemd handed to this process, if anything.
    pub fn handed_over() -> Sockets {
        let names = env::var("LISTEN_FDNAMES").unwrap_or_default();
        let names = names.split(':').map(str::to_owned).collect();
        Sockets { handed: ListenFd::from_env(), names }
    }

    /// Whether systemd handed over none.
    pub fn are_none(&self) -> bool {
        self.handed.len() == 0
    }

    /// The socket of that name, or one of our own.
    pub fn take(&mut self, name: &str, address: &str) -> anyhow::Result<Listening> {
        let Some(place) = self.place(name) else {
            return Ok(Listening { listener: bind(name, address)?, is_shared: false });
        };
        let taken = self.handed.take_tcp_listener(place).with_context(|| {
            format!("socket {place} of systemd is for TCP; give an address to its ListenStream=")
        })?;
        let listener = taken.context("each socket is taken once")?;
        Ok(Listening { listener, is_shared: true })
    }

    /// The same where there is an address.
    pub fn take_if_set(&mut self, name: &str, address: &str) -> anyhow::Result<Option<Listening>> {
        if address.is_empty() { Ok(None) } else { self.take(name, address).map(Some) }
    }

    fn place(&self, name: &str) -> Option<usize> {
        let named = |place: &usize| self.names.get(*place).map(String::as_str);
        let mut places = 0..self.handed.len();
        places.clone().find(|place| named(place) == Some(name)).or_else(|| {
            places.find(|place| {
                name == LISTEN && named(place).is_none_or(|other| !NAMES.contains(&other))
            })
        })
    }

    /// Says so when there are sockets that nobody reads from: their senders would wait for ever.
    pub fn all_taken(mut self) -> anyhow::Result<()> {
        for place in 0..self.handed.len() {
            let left = self.handed.take_raw_fd(place).ok().flatten();
            let is_plain_or_metrics =
                self.names.get(place).is_some_and(|name| [PLAIN, METRICS].contains(&&**name));
            ensure!(
                left.is_none() || is_plain_or_metrics,
                "socket {place} of systemd is a second one for `listen`, which has one: a \
                 ListenStream= with the port alone takes IPv4 and IPv6"
            );
            ensure!(
                left.is_none(),
                "socket {place} of systemd is for nothing that is configured; its \
                 FileDescriptorName= is one of {}, and `plain` needs tls.plain_listen, `metrics` \
                 needs metrics.listen",
                NAMES.join(", ")
            );
        }
        Ok(())
    }
}

/// Refuses one address for two things. Where systemd hands sockets over, it would not be used.
pub fn check_addresses(config: &Config) -> anyhow::Result<()> {
    let addresses = [
        ("listen", &config.listen),
        ("tls.plain_listen", &config.tls.plain_listen),
        ("metrics.listen", &config.metrics.listen),
    ];
    for (place, (key, address)) in addresses.iter().enumerate() {
        let same = addresses[..place].iter().find(|(_, before)| before == address);
        // Port 0 is another one each time.
        if let Some((other, _)) = same.filter(|_| !address.is_empty() && !address.ends_with(":0")) {
            bail!("`{key}` and `{other}` are both {address}; give each a port of its own");
        }
    }
    Ok(())
}

/// Takes the address, or says what may be wrong with it, and which key chooses another.
pub fn bind(name: &str, address: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).with_context(|| {
        let key = match name {
            PLAIN => "`tls.plain_listen`",
            METRICS => "`metrics.listen`",
            _ => "`listen`, or --listen,",
        };
        format!("cannot listen on {address}; is it taken? {key} chooses another")
    })
}
