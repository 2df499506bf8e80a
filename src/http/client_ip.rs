//! Where a request came from, by the word of proxies that are trusted and of no others.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use actix_web::HttpRequest;
use ipnet::{IpNet, Ipv6Net};
use serde::{Deserialize, Serialize};

/// What proxies add the address to that they heard from. `Forwarded` is not read: proxies that know
/// one of the two pass the other on as somebody made it up.
const HEADER: &str = "x-forwarded-for";
/// The bits of an IPv6 address that name whoever was given it; the others they choose themselves.
const IPV6_PREFIX: u8 = 64;

/// An address, or all addresses of a network: `10.0.0.1`, `10.0.0.0/8`, `fd00::/8`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Network(IpNet);

#[derive(Debug, thiserror::Error)]
#[error("an IP address, or a network like 10.0.0.0/8")]
pub struct NoNetwork;

impl Network {
    pub fn holds(&self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }
}

impl FromStr for Network {
    type Err = NoNetwork;

    fn from_str(text: &str) -> Result<Network, NoNetwork> {
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Network(IpNet::from(address.to_canonical())));
        }
        let network: IpNet = text.parse().map_err(|_| NoNetwork)?;
        // IPv4 as IPv6 is IPv4.
        match (network.addr().to_canonical(), network) {
            (address @ IpAddr::V4(_), IpNet::V6(mapped)) => {
                let prefix = mapped.prefix_len().checked_sub(96).ok_or(NoNetwork)?;
                Ok(Network(IpNet::new(address, prefix).map_err(|_| NoNetwork)?.trunc()))
            }
            (_, network) => Ok(Network(network.trunc())),
        }
    }
}

impl TryFrom<String> for Network {
    type Error = NoNetwork;

    fn try_from(text: String) -> Result<Network, NoNetwork> {
        text.parse()
    }
}

impl From<Network> for String {
    fn from(network: Network) -> String {
        network.to_string()
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.prefix_len() == self.0.max_prefix_len() {
            return self.0.addr().fmt(f);
        }
        self.0.fmt(f)
    }
}

/// The address nearest to the sender that nobody could have made up: each proxy adds, at the end
/// of `X-Forwarded-For`, whom it heard from.
pub fn client_ip(request: &HttpRequest, trusted: &[Network]) -> Option<IpAddr> {
    let mut nearest = request.peer_addr()?.ip().to_canonical();
    let headers = request.headers().get_all(HEADER);
    let told: Vec<_> = headers.map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
    let told = told.join(",");
    for address in told.rsplit(',') {
        let Some(address) = address_of(address) else { break };
        if !is_trusted(nearest, trusted) {
            break;
        }
        nearest = address;
    }
    Some(nearest)
}

/// Whether a request comes from a proxy whose word is taken.
pub fn is_from_proxy(request: &HttpRequest, trusted: &[Network]) -> bool {
    request.peer_addr().is_some_and(|peer| is_trusted(peer.ip(), trusted))
}

fn is_trusted(address: IpAddr, trusted: &[Network]) -> bool {
    trusted.iter().any(|network| network.holds(address))
}

/// An address as proxies write it: with or without a port, in brackets or quotes.
fn address_of(told: &str) -> Option<IpAddr> {
    let told = told.trim().trim_matches('"');
    let with_port = || told.parse::<SocketAddr>().ok().map(|address| address.ip());
    let in_brackets = || told.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    let address = told.parse::<IpAddr>().ok().or_else(with_port).or_else(in_brackets)?;
    Some(address.to_canonical())
}

/// Who is meant by an address when somebody is to be held to account: with IPv6 all of a network
/// that one customer is given.
pub fn holder(address: IpAddr) -> Network {
    let network = match address.to_canonical() {
        address @ IpAddr::V4(_) => IpNet::from(address),
        IpAddr::V6(address) => {
            IpNet::V6(Ipv6Net::new(address, IPV6_PREFIX).expect("it is at most 128").trunc())
        }
    };
    Network(network)
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    fn client_of(peer: &str, told: &[&str]) -> String {
        let request = TestRequest::default().peer_addr(SocketAddr::new(peer.parse().unwrap(), 1));
        let request = told.iter().fold(request, |r, told| r.append_header((HEADER, *told)));
        let trusted = ["10.0.0.1", "10.0.1.0/24", "fd00::/8", "::ffff:172.16.0.0/108"];
        let trusted = trusted.map(|network| network.parse().expect("a network"));
        client_ip(&request.to_http_request(), &trusted).unwrap().to_string()
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        assert_eq!(client_of("10.0.0.1", &[]), "10.0.0.1");
        assert_eq!(client_of("10.0.0.1", &["6.6.6.6, 7.7.7.7"]), "7.7.7.7");
        assert_eq!(client_of("10.0.0.1", &["6.6.6.6, 7.7.7.7,10.0.1.9 "]), "7.7.7.7");
        assert_eq!(client_of("10.0.0.1", &["6.6.6.6", "7.7.7.7"]), "7.7.7.7");
        assert_eq!(client_of("9.9.9.9", &["6.6.6.6"]), "9.9.9.9", "it is nobody's proxy");
        assert_eq!(client_of("10.0.0.1", &["6.6.6.6, nonsense"]), "10.0.0.1");
        assert_eq!(client_of("::ffff:10.0.0.1", &["6.6.6.6"]), "6.6.6.6");
        assert_eq!(client_of("fd00::7", &["6.6.6.6"]), "6.6.6.6");
        assert_eq!(client_of("172.31.255.1", &["6.6.6.6"]), "6.6.6.6");
        assert_eq!(client_of("172.32.0.1", &["6.6.6.6"]), "172.32.0.1");
    }

    #[test]
    fn an_address_may_have_a_port() {
        for told in ["7.7.7.7:1234", "7.7.7.7", "\"7.7.7.7:80\"", "[::ffff:7.7.7.7]:1"] {
            assert_eq!(client_of("10.0.0.1", &[told]), "7.7.7.7", "{told}");
        }
        for told in ["2001:db8::1", "[2001:db8::1]", "[2001:db8::1]:443", "\"[2001:db8::1]:443\""] {
            assert_eq!(client_of("10.0.0.1", &[told]), "2001:db8::1", "{told}");
        }
    }

    #[test]
    fn a_network_is_written_as_it_is_read() {
        for text in ["10.0.0.1", "10.0.0.0/8", "fd00::/8", "::1"] {
            assert_eq!(text.parse::<Network>().expect("a network").to_string(), text);
        }
        for text in ["", "10.0.0.0/33", "localhost", "10.0.0.1:80", "::ffff:0:0/90"] {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_customer_has_many_addresses() {
        let of = |address: &str| holder(address.parse().unwrap());
        assert_eq!(of("2001:db8:1:2:3::4").to_string(), "2001:db8:1:2::/64");
        assert_eq!(of("2001:db8:1:2::"), of("2001:db8:1:2:ffff:ffff:ffff:ffff"));
        assert_eq!(of("::ffff:1.2.3.4").to_string(), "1.2.3.4");
        assert_ne!(of("1.2.3.4"), of("1.2.3.5"));
    }
}
