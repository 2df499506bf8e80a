//! Variables that are not ours though they begin like ours: for a Service named `footfall`, or
//! `footfall-…`, Kubernetes tells every container of its namespace where that is. So does Docker in
//! a container with a link to one of that name, with its variables besides.

use std::net::IpAddr;

const PROTOCOLS: [&str; 3] = ["tcp", "udp", "sctp"];

/// Whether name and value are what Kubernetes sets for a Service. Of the name alone it cannot be
/// told: `mail.port` is a key, and Kubernetes' word for the port of a Service `footfall-mail`.
pub(super) fn is_of_service(name: &str, value: &str) -> bool {
    let parts: Vec<_> = name.split('_').collect();
    // The first part is our prefix, which a Service's own name begins with.
    let ends = |words: &[&str]| parts[1..].ends_with(words);
    let has_named_port = || parts[1..].windows(2).any(|two| two == ["SERVICE", "PORT"]);
    let of_port = || parts[1..].windows(3).rev().find(|three| is_port_of_protocol(three));
    if ends(&["SERVICE", "HOST"]) || (ends(&["ADDR"]) && of_port().is_some()) {
        return value.parse::<IpAddr>().is_ok();
    }
    let ends_range = ends(&["PORT", "START"]) || ends(&["PORT", "END"]);
    if of_port().is_some() && ends_range {
        return value.parse::<u16>().is_ok();
    }
    if is_of_link(&parts[1..], value) {
        return true;
    }
    if has_named_port() || (of_port().is_some() && ends(&["PORT"])) {
        return value.parse::<u16>().is_ok();
    }
    if of_port().is_some() && ends(&["PROTO"]) {
        return PROTOCOLS.contains(&value);
    }
    (ends(&["PORT"]) || of_port().is_some()) && is_address(value)
}

/// `NAME`, with both ends of a link, `/web/footfall`; or `ENV` and a variable of the other container.
fn is_of_link(parts: &[&str], value: &str) -> bool {
    let is_name = parts.ends_with(&["NAME"])
        && value.strip_prefix('/').is_some_and(|names| names.contains('/'));
    let env = parts.iter().position(|part| *part == "ENV");
    is_name || env.is_some_and(|place| place + 1 < parts.len())
}

/// `PORT`, a number, a protocol.
fn is_port_of_protocol(parts: &[&str]) -> bool {
    let [word, number, protocol] = parts else { return false };
    let protocol = protocol.to_ascii_lowercase();
    *word == "PORT" && number.parse::<u16>().is_ok() && PROTOCOLS.contains(&protocol.as_str())
}

/// `tcp://10.0.0.1:8080`
fn is_address(value: &str) -> bool {
    let Some((protocol, at)) = value.split_once("://") else { return false };
    let port = at.rsplit_once(':').map(|(_, port)| port);
    PROTOCOLS.contains(&protocol) && port.is_some_and(|port| port.parse::<u16>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_kubernetes_says_of_a_service_is_told_from_our_keys() {
        let of_service = [
            ("FOOTFALL_SERVICE_HOST", "10.96.0.17"),
            ("FOOTFALL_SERVICE_HOST", "fd00::17"),
            ("FOOTFALL_SERVICE_PORT", "8080"),
            ("FOOTFALL_SERVICE_PORT_HTTP", "8080"),
            ("FOOTFALL_SERVICE_PORT_WEB_UI", "8080"),
            ("FOOTFALL_PORT", "tcp://10.96.0.17:8080"),
            ("FOOTFALL_PORT", "tcp://[fd00::17]:8080"),
            ("FOOTFALL_PORT_8080_TCP", "tcp://10.96.0.17:8080"),
            ("FOOTFALL_PORT_8080_TCP_PROTO", "tcp"),
            ("FOOTFALL_PORT_8080_TCP_PORT", "8080"),
            ("FOOTFALL_PORT_8080_TCP_ADDR", "10.96.0.17"),
            ("FOOTFALL_PORT_53_UDP_ADDR", "10.96.0.17"),
            ("FOOTFALL_METRICS_SERVICE_HOST", "10.96.0.18"),
            ("FOOTFALL_METRICS_PORT", "tcp://10.96.0.18:9090"),
            ("FOOTFALL_METRICS_PORT_9090_TCP_ADDR", "10.96.0.18"),
            ("FOOTFALL_MAIL_PORT", "tcp://10.96.0.19:25"),
            ("FOOTFALL_NAME", "/web/footfall"),
            ("FOOTFALL_ENV_FOOTFALL_DATA", "/data"),
            ("FOOTFALL_PORT_80_TCP_START", "tcp://172.17.0.5:80"),
            ("FOOTFALL_PORT_80_TCP_PORT_END", "82"),
        ];
        for (name, value) in of_service {
            assert!(is_of_service(name, value), "{name}={value}");
        }
        let ours = [
            ("FOOTFALL_MAIL_PORT", "587"),
            ("FOOTFALL_PORT", "8080"),
            ("FOOTFALL_SERVICE_HOST", "footfall.example.com/x"),
            ("FOOTFALL_SERVICE_PORT", "high"),
            ("FOOTFALL_PORT_8080", "8080"),
            ("FOOTFALL_NAME", "mitte"),
            ("FOOTFALL_ENV", "production"),
            ("FOOTFALL_PORT_8080_TCP", "8080"),
            ("FOOTFALL_LISTEN", "0.0.0.0:8080"),
            ("FOOTFALL_LISTEN_PORT", "8080"),
            ("FOOTFALL_", ""),
        ];
        for (name, value) in ours {
            assert!(!is_of_service(name, value), "{name}={value}");
        }
    }
}
