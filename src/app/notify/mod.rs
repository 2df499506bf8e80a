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
use crate::domain::Millis;
use crate::domain::calendar::{Day, day_of};
use crate::http::Words;
use crate::store::{Database, Gym, Snapshot, StoreError};
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
    /// In this language, `en` or `de`; what is sent goes in the recipients' own
    #[arg(long, value_name = "CODE", default_value = "en", value_parser = language)]
    language: &'static Words,
    /// Print JSON, as an outgoing webhook gets it
    #[arg(long)]
    json: bool,
}

fn language(code: &str) -> Result<&'static Words, String> {
    let known = || Words::all().iter().map(|words| words.code).collect::<Vec<_>>().join(", ");
    Words::in_language(code).ok_or_else(|| format!("there are {}", known()))
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
    fn recipients(&self, gym: &Gym, want: Want) -> Vec<(&Recipient, &'static Words)> {
        let covers = |entry: &NotifyEntry| {
            let gyms = &entry.gyms;
            let is_named = gyms.is_empty() || gyms.iter().any(|slug| slug == gym.slug.as_str());
            is_named && entry.wants.contains(&want)
        };
        let wanting = self.entries.iter().filter(|(entry, _)| covers(entry));
        let mut found: Vec<(&Recipient, &Words)> = vec![];
        for (entry, recipients) in wanting {
            let words = Words::in_language(&entry.language).unwrap_or(&Words::all()[0]);
            for recipient in recipients {
                if found.iter().all(|(known, _)| *known != recipient) {
                    found.push((recipient, words));
                }
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
    let digests = gyms.into_iter().map(|gym| digest(database, &gym, args));
    let digests = digests.collect::<anyhow::Result<Vec<_>>>()?;
    if args.send {
        return send(&Notices::open(config)?, &digests, args);
    }
    let contents = digests.iter().map(|digest| Content::of_digest(digest, args.language));
    let contents: Vec<_> = contents.collect();
    let all: Vec<_> = contents.iter().map(Content::json).collect();
    output::show(args.json, &all, || {
        contents.iter().map(Content::text).collect::<Vec<_>>().join("\n\n")
    });
    Ok(())
}

/// The digest of a gym's last whole week, as text.
pub fn last_week(snapshot: &Snapshot<'_>, gym: &Gym, now: Millis) -> Result<String, StoreError> {
    let (zone, period) = (gym.settings.zone, Period::Week);
    let range = period.before(zone, day_of(zone, now));
    let digest = Digest::read(snapshot, gym, period, range, now)?;
    Ok(Content::of_digest(&digest, &Words::all()[0]).text())
}

fn period(args: &DigestArgs) -> Period {
    if args.weekly { Period::Week } else { Period::Day }
}

fn digest(database: &Database, gym: &Gym, args: &DigestArgs) -> anyhow::Result<Digest> {
    let (zone, now, period) = (gym.settings.zone, clock::now(), period(args));
    let range = match args.day {
        Some(date) => period.around(zone, Day::from_date(date)),
        None => period.before(zone, day_of(zone, now)),
    };
    if !Digest::has_begun(zone, range, now) {
        bail!("that day has not begun at {}, or only just; name one that is over", gym.slug);
    }
    Ok(database.read(|snapshot| Digest::read(snapshot, gym, period, range, now))?)
}

fn send(notices: &Notices, digests: &[Digest], args: &DigestArgs) -> anyhow::Result<()> {
    let want = period(args).want();
    let (mut sent, mut failed) = (0, vec![]);
    actix_web::rt::System::new().block_on(async {
        for digest in digests {
            for (recipient, words) in notices.recipients(&digest.gym, want) {
                let content = Content::of_digest(digest, words);
                match notices.ways.send(recipient, &content).await {
                    Ok(()) => sent += 1,
                    Err(error) => failed.push(format!("{}: {error}", digest.gym.slug)),
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
