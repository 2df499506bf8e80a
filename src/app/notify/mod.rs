//! Notices for managers: digests and alerts, what they say, to whom they go, and when.
//!
//! A notice holds sums only, so that what lies in a mailbox names no member.

mod alerts;
mod content;
mod figures;
mod keep;
mod memory;
mod remarks;
mod schedule;
mod ways;

use anyhow::bail;
use chrono::NaiveDate;
use clap::Args;

use super::config::{Config, NotifyEntry, Want};
use super::{gyms, output};
use crate::clock;
use crate::domain::calendar::{Day, day_of};
use crate::store::{Database, Gym};
use content::Content;
use figures::Digest;
use schedule::Period;
use ways::{Recipient, Ways};

pub use keep::keep;

#[derive(Args)]
#[command(group = clap::ArgGroup::new("what").required(true))]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub struct DigestArgs {
    /// Print it
    #[arg(long, group = "what")]
    print: bool,
    /// Send it to all who want it, also to those who had it already
    #[arg(long, group = "what")]
    send: bool,
    /// Only of this gym [default: all]
    #[arg(long, value_name = "SLUG")]
    gym: Option<String>,
    /// Over a week, Monday to Sunday, instead of a day
    #[arg(long)]
    weekly: bool,
    /// About this day, or the week around it [default: the last whole one]
    #[arg(long, value_name = "YYYY-MM-DD")]
    day: Option<NaiveDate>,
    /// Print JSON, as an outgoing webhook gets it
    #[arg(long)]
    json: bool,
}

/// Who is told what, and by which ways.
pub struct Notices {
    config: Config,
    entries: Vec<(NotifyEntry, Vec<Recipient>)>,
    ways: Ways,
}

impl Notices {
    /// Says what is missing in the configuration.
    pub fn open(config: &Config) -> anyhow::Result<Notices> {
        let ways = Ways::open(config)?;
        if !ways.has_mail() && config.notify.iter().any(|entry| !entry.mail.is_empty()) {
            bail!("[[notify]] has `mail`, but [mail] names no `server` to send it by");
        }
        let with_recipients = |entry: &NotifyEntry| Ok((entry.clone(), Recipient::of(entry)?));
        let entries = config.notify.iter().map(with_recipients).collect::<anyhow::Result<_>>()?;
        Ok(Notices { config: config.clone(), entries, ways })
    }

    /// Whether anybody is to be told anything.
    pub fn are_wanted(&self) -> bool {
        !self.entries.is_empty()
    }

    /// Those who want it of this gym, each once.
    fn recipients(&self, gym: &Gym, want: Want) -> Vec<&Recipient> {
        let covers = |entry: &NotifyEntry| {
            let gyms = &entry.gyms;
            let is_named = gyms.is_empty() || gyms.iter().any(|slug| slug == gym.slug.as_str());
            is_named && entry.wants.contains(&want)
        };
        let wanting = self.entries.iter().filter(|(entry, _)| covers(entry));
        let mut found: Vec<&Recipient> = vec![];
        for recipient in wanting.flat_map(|(_, recipients)| recipients) {
            if !found.contains(&recipient) {
                found.push(recipient);
            }
        }
        found
    }

    /// Gyms that are named but do not exist.
    pub fn unknown_gyms(&self, gyms: &[Gym]) -> Vec<&str> {
        let named = self.entries.iter().flat_map(|(entry, _)| &entry.gyms).map(String::as_str);
        named.filter(|slug| gyms.iter().all(|gym| gym.slug.as_str() != *slug)).collect()
    }
}

/// Greets the mail server and logs in, and sends nothing.
pub async fn greet_mail_server(config: &Config) -> anyhow::Result<()> {
    Ok(Ways::open(config)?.greet().await?)
}

pub fn run(database: &Database, config: &Config, args: &DigestArgs) -> anyhow::Result<()> {
    let gyms = if let Some(slug) = &args.gym {
        vec![gyms::find(database, slug)?]
    } else {
        let mut gyms = database.read(|snapshot| snapshot.gyms())?;
        gyms.retain(|gym| gym.archived_at.is_none());
        gyms
    };
    if gyms.is_empty() {
        bail!("there is no gym yet; `footfall gym add` makes one");
    }
    let digests = gyms.into_iter().map(|gym| {
        let content = digest(database, &gym, args)?;
        Ok((gym, content))
    });
    let digests = digests.collect::<anyhow::Result<Vec<_>>>()?;
    if args.send {
        return send(&Notices::open(config)?, &digests, args);
    }
    let all: Vec<_> = digests.iter().map(|(_, content)| content.json()).collect();
    output::show(args.json, &all, || {
        digests.iter().map(|(_, content)| content.text()).collect::<Vec<_>>().join("\n\n")
    });
    Ok(())
}

fn period(args: &DigestArgs) -> Period {
    if args.weekly { Period::Week } else { Period::Day }
}

fn digest(database: &Database, gym: &Gym, args: &DigestArgs) -> anyhow::Result<Content> {
    let (zone, now, period) = (gym.settings.zone, clock::now(), period(args));
    let range = match args.day {
        Some(date) => period.around(zone, Day::from_date(date)),
        None => period.before(zone, day_of(zone, now)),
    };
    if !Digest::has_begun(zone, range, now) {
        bail!("that day has not begun at {}, or only just; name one that is over", gym.slug);
    }
    let digest = database.read(|snapshot| Digest::read(snapshot, gym, period, range, now))?;
    Ok(Content::of_digest(&digest))
}

fn send(notices: &Notices, digests: &[(Gym, Content)], args: &DigestArgs) -> anyhow::Result<()> {
    let want = period(args).want();
    let (mut sent, mut failed) = (0, vec![]);
    actix_web::rt::System::new().block_on(async {
        for (gym, content) in digests {
            for recipient in notices.recipients(gym, want) {
                match notices.ways.send(recipient, content).await {
                    Ok(()) => sent += 1,
                    Err(error) => failed.push(format!("{}: {error}", gym.slug)),
                }
            }
        }
    });
    if sent == 0 && failed.is_empty() {
        bail!("nobody wants it: no [[notify]] entry in the configuration covers it");
    }
    output::text(&format!("sent: {sent}"));
    if !failed.is_empty() {
        bail!("{} did not arrive:\n{}", failed.len(), failed.join("\n"));
    }
    Ok(())
}
