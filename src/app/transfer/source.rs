//! What a file holds that is imported: an export, or a list of visits.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use super::visits::{Line, ListArgs, Visits};
use super::{EventLine, FORMAT, Header, Line as Exported, VERSION};
use crate::app::{gyms, output};
use crate::domain::Millis;
use crate::domain::event::{Arrival, Event};
use crate::domain::ids::Slug;
use crate::intake::egym::{self, Delivery};
use crate::store::{Database, GymSettings, SecretHash};

/// Hexadecimal digits of a webhook's id: it is a part of an address.
const WEBHOOK_ID_DIGITS: usize = 24;

/// What a file holds.
pub enum Item {
    Gym { slug: Slug, settings: GymSettings },
    Webhook { gym: Slug, id: String, secret: SecretHash },
    Event { gym: Slug, event: Event, arrival: Arrival },
}

pub enum Source {
    Exported(PathBuf),
    Visits(Box<Visits>),
}

/// Takes each thing that a file holds, with its line, or what is wrong with that line.
pub type Each<'e> = &'e mut dyn FnMut(Line<'_>, Result<Item, String>) -> anyhow::Result<()>;

impl Source {
    pub fn open(database: &Database, file: &Path, args: &ListArgs) -> anyhow::Result<Source> {
        if !args.is_list() {
            return Ok(Source::Exported(file.to_owned()));
        }
        if let Some(slug) = &args.gym {
            gyms::find(database, slug)?;
        }
        let gyms = database.read(|snapshot| snapshot.gyms())?;
        Ok(Source::Visits(Box::new(Visits::open(file, args, gyms)?)))
    }

    /// Hands over all that the file holds. Returns how many rows were of gyms that were not asked
    /// for.
    pub fn each(&self, now: Millis, each: Each<'_>) -> anyhow::Result<u64> {
        let visits = match self {
            Source::Exported(path) => return each_exported(path, now, each).map(|()| 0),
            Source::Visits(visits) => visits,
        };
        let arrival = Arrival { received_at: now, imported: true };
        visits.each(now, |line, events| match events {
            Ok(events) => events.into_iter().try_for_each(|(gym, event)| {
                each(line, Ok(Item::Event { gym: gym.clone(), event, arrival }))
            }),
            Err(error) => each(line, Err(error)),
        })
    }

    /// A refused line as it is kept: a row of a list with one more cell, so that the rows can be
    /// mended and imported again; a line of an export beside its reason.
    pub fn refused(&self, line: Line<'_>, reason: &str) -> String {
        let Source::Visits(visits) = self else {
            let Line { number, text } = line;
            return serde_json::json!({ "line": number, "reason": reason, "text": text })
                .to_string();
        };
        let (_, delimiter) = visits.header();
        let reason = format!("line {}: {reason}", line.number).replace('"', "\"\"");
        format!("{}{delimiter}\"{reason}\"", line.text)
    }

    /// What stands above refused lines.
    pub fn refused_header(&self) -> Option<String> {
        let Source::Visits(visits) = self else { return None };
        let (header, delimiter) = visits.header();
        (!header.is_empty()).then(|| format!("{header}{delimiter}refused"))
    }
}

fn each_exported(path: &Path, now: Millis, each: Each<'_>) -> anyhow::Result<()> {
    let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut has_ended = false;
    for (text, number) in BufReader::new(file).lines().zip(1..) {
        let text = text.with_context(|| format!("line {number}"))?;
        let line = serde_json::from_str(&text);
        let at = Line { number, text: &text };
        match (number, line) {
            (1, Ok(Exported::Header(header))) => refuse_unknown(&header)?,
            (1, _) => bail!("{} does not begin as an export does", path.display()),
            // The parser's own words may quote an account.
            (_, Err(error)) => {
                each(at, Err(format!("a mistake in column {}", error.column())))?;
            }
            (_, Ok(Exported::End(_))) => has_ended = true,
            (_, Ok(line)) => each(at, item_of(line, now))?,
        }
    }
    if !has_ended {
        bail!("{} was cut off: it has no `end` line", path.display());
    }
    Ok(())
}

fn refuse_unknown(header: &Header) -> anyhow::Result<()> {
    if header.format != FORMAT {
        bail!("this is an export of {:?}, not of {FORMAT}", header.format);
    }
    if header.version != VERSION {
        bail!(
            "this export has format {}, and this footfall reads format {VERSION}; export it again \
             with this version, or import it with the one that wrote it",
            header.version
        );
    }
    Ok(())
}

fn item_of(line: Exported, now: Millis) -> Result<Item, String> {
    let slug = |text: &str| text.parse::<Slug>().map_err(|error| error.to_string());
    match line {
        Exported::Gym(gym) => Ok(Item::Gym { slug: slug(&gym.gym)?, settings: gym.settings()? }),
        Exported::Webhook(webhook) => {
            let secret = SecretHash::from_hex(&webhook.secret_sha256);
            let secret = secret.ok_or("secret_sha256 is not 64 hexadecimal digits")?;
            let id = &webhook.webhook;
            if id.len() != WEBHOOK_ID_DIGITS || !id.bytes().all(|digit| digit.is_ascii_hexdigit()) {
                return Err(format!("a webhook's id has {WEBHOOK_ID_DIGITS} hexadecimal digits"));
            }
            Ok(Item::Webhook { gym: slug(&webhook.gym)?, id: webhook.webhook, secret })
        }
        Exported::Event(EventLine { gym, received_at, imported, delivery, .. }) => {
            match egym::parse(delivery.get().as_bytes(), now).map_err(|unfit| unfit.to_string())? {
                Delivery::Event(event) => {
                    check_received_at(received_at, now)?;
                    let arrival = Arrival { received_at, imported };
                    Ok(Item::Event { gym: slug(&gym)?, event, arrival })
                }
                Delivery::Test => Err("a TEST is no event".to_owned()),
            }
        }
        Exported::Header(_) | Exported::End(_) => Err("there is one header and one end".to_owned()),
    }
}

/// When an event came is shown and counted with (lateness): a time at which nothing can have come
/// is none.
fn check_received_at(received_at: Millis, now: Millis) -> Result<(), String> {
    egym::in_time(received_at, now).map_err(|_| {
        format!(
            "`received_at` is {}, and nothing can have come then: it is in milliseconds since \
             1970, from 2015 to now",
            output::utc(received_at)
        )
    })
}
