//! `footfall health`: what `GET /readyz` of the service on this machine says, for where there is no
//! other program to ask it, as in a container.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::time::Duration;

use anyhow::{Context, bail};
use reqwest::Client;
use serde_json::Value;

use super::config::Config;
use super::output;

/// `/readyz` itself gives up after two seconds.
const ANSWER_SECONDS_MAX: u64 = 5;

/// Fails, with the reason, when the service cannot take deliveries.
pub fn ask(config: &Config) -> anyhow::Result<()> {
    let mut addresses = config.listen.to_socket_addrs().with_context(|| {
        format!("`listen` is {}, which is no address with a port", config.listen)
    })?;
    let at = here(addresses.next().context("`listen` leads to no address")?);
    let speaks_tls = config.tls.is_on();
    let url = format!("{}://{at}/readyz", if speaks_tls { "https" } else { "http" });
    let client = Client::builder()
        .timeout(Duration::from_secs(ANSWER_SECONDS_MAX))
        .no_proxy()
        // It is for the host's name, not for an address of this machine, which is asked here.
        .danger_accept_invalid_certs(speaks_tls)
        .build()?;
    let (status, said) = actix_web::rt::System::new().block_on(async {
        let answer = client.get(&url).send().await.with_context(|| {
            format!("nobody answers at {url}; is the service running, and is this its `listen`?")
        })?;
        let status = answer.status();
        anyhow::Ok((status, answer.json::<Value>().await.unwrap_or_default()))
    })?;
    if status.is_success() {
        output::text("ready");
        return Ok(());
    }
    match said["detail"].as_str() {
        Some(detail) => bail!("not ready: {detail}"),
        None => bail!("not ready: {url} answers {status}"),
    }
}

/// Where an address that stands for all of this machine's is reached.
fn here(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) => IpAddr::from(if ip.is_unspecified() { Ipv4Addr::LOCALHOST } else { ip }),
        IpAddr::V6(ip) => IpAddr::from(if ip.is_unspecified() { Ipv6Addr::LOCALHOST } else { ip }),
    };
    SocketAddr::new(ip, listen.port())
}
