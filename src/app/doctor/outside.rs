//! What is around this machine: the certificate, the way from outside, EGYM, the mail server.

use std::net::ToSocketAddrs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};
use reqwest::{Certificate, Client};

use super::{Found, Place};
use crate::app::config::Config;
use crate::app::tls::Source;
use crate::app::{egym, gyms, notify};
use crate::domain::Millis;
use crate::projection::condition::{self, Finding};
use crate::store::Gym;

/// So long is an answer from outside waited for.
const ANSWER_MAX: Duration = Duration::from_secs(10);

pub fn certificate(config: &Config, now: Millis) -> Vec<Finding> {
    let source = match Source::of(config, now) {
        Ok(Some(source)) => source,
        Ok(None) => return vec![],
        Err(error) => {
            let next = "correct [tls], or put good files in place: with these, nothing starts";
            return vec![Finding::fault(format!("{error:#}"), next)];
        }
    };
    let mut found = vec![];
    match source.kept_until() {
        Some(expires_at) => found.extend(condition::certificate(expires_at, now)),
        None => found.push(Finding::warning(
            "no certificate was fetched yet",
            "start the service and look in its log; the authority must reach it at `tls.acme.domains`",
        )),
    }
    if let Some(host) = config.public_host().filter(|host| !source.is_for(host)) {
        let next = "use a certificate for that host, or correct `public_url`";
        let says = format!("`public_url` is at {host}, and the certificate is not for it");
        found.push(Finding::fault(says, next));
    }
    found
}

pub fn mail(config: &Config, _: Millis) -> Vec<Finding> {
    if config.mail.server.is_empty() {
        return vec![];
    }
    let greeted = actix_web::rt::System::new().block_on(notify::greet_mail_server(config));
    let next = "correct [mail]: server, port, `tls` (587 with starttls, 465 with tls), user and \
                password; then `footfall digest --send` tries it";
    let finding = |error: anyhow::Error| Finding::fault(format!("{error:#}"), next);
    greeted.err().map(finding).into_iter().collect()
}

/// Whether `public_url` leads to a footfall, as far as it can be seen from this machine.
pub fn address(place: &Place<'_>) -> Vec<Finding> {
    let config = place.config;
    let (Some(root), Some(host)) = (config.public_root(), config.public_host()) else {
        return vec![];
    };
    if let Err(error) = (host, 443).to_socket_addrs() {
        return vec![Finding::fault(
            format!("the name {host} of `public_url` leads nowhere: {error}"),
            "enter an A or AAAA record for it where the domain is kept, or correct `public_url`",
        )];
    }
    if !place.is_served {
        return vec![];
    }
    let reached = actix_web::rt::System::new().block_on(reach(root, &config.tls.acme.root));
    let next = "see that the name leads to this machine or its proxy, that the port is open in \
                every firewall, and that the certificate is whole and leads to a public root";
    let finding = |error: anyhow::Error| {
        Finding::fault(format!("{root} cannot be reached from here: {error:#}"), next)
    };
    reached.err().map(finding).into_iter().collect()
}

/// Asks whether it lives. `authority` is trusted too, where certificates come from a private one.
async fn reach(root: &str, authority: &Path) -> anyhow::Result<()> {
    let mut client = Client::builder().timeout(ANSWER_MAX);
    if !authority.as_os_str().is_empty() {
        let bytes = std::fs::read(authority).context("`tls.acme.root` cannot be read")?;
        for certificate in Certificate::from_pem_bundle(&bytes)? {
            client = client.add_root_certificate(certificate);
        }
    }
    let asked = client.build()?.get(format!("{root}/healthz")).send().await;
    let answer = asked.map_err(reqwest::Error::without_url)?;
    let alive = answer.json::<serde_json::Value>().await.map_err(reqwest::Error::without_url);
    if alive.is_ok_and(|alive| alive["status"] == "alive") {
        return Ok(());
    }
    bail!("something answers there that is no footfall")
}

/// EGYM's webhooks beside ours, when its key was given.
pub fn egym(place: &Place<'_>) -> Found {
    if !egym::has_key() {
        return Ok(vec![]);
    }
    let Some(gym) = gym_of_key(place)? else {
        return Ok(vec![Finding::warning(
            "an API key of EGYM is given, and it is not said of which gym",
            "name the gym with --gym",
        )]);
    };
    let slug = gym.slug.clone();
    let states = match egym::states(place.database, place.config, gym) {
        Ok(states) => states,
        Err(error) => {
            let next = format!(
                "look at FOOTFALL_EGYM_API_KEY, `public_url` and `egym.url`; `footfall egym list \
                 {slug}` asks the same"
            );
            return Ok(vec![Finding::fault(format!("EGYM: {error:#}"), next)]);
        }
    };
    let wrong = states.into_iter().filter(|(_, state)| state != egym::REGISTERED);
    let found = wrong.map(|(webhook, state)| {
        let next = match state.as_str() {
            egym::NOT_AT_EGYM => format!("`footfall egym register {slug}` registers one"),
            egym::NOT_HERE => {
                format!("if nobody else uses it, `footfall egym remove {slug} --webhook {webhook}`")
            }
            of_another if of_another.starts_with(egym::BELONGS) => {
                "use the key of that gym's location, or name that gym with --gym".to_owned()
            }
            _ => format!("`footfall egym rotate {slug} --webhook {webhook}`"),
        };
        Finding::fault(format!("webhook {webhook} of {slug}: {state}"), next)
    });
    Ok(found.collect())
}

fn gym_of_key(place: &Place<'_>) -> anyhow::Result<Option<Gym>> {
    if let Some(slug) = &place.args.gym {
        return gyms::find(place.database, slug).map(Some);
    }
    let mut all = place.database.read(|snapshot| snapshot.gyms())?;
    all.retain(|gym| gym.archived_at.is_none());
    Ok(all.pop().filter(|_| all.is_empty()))
}
