//! Configuration of what is sent to managers: the mail server, when digests go out, when alerts
//! do, and to whom. Sending may not live here.

use std::fmt;
use std::path::PathBuf;

use lettre::Address;
use lettre::message::Mailbox;
use reqwest::Url;
use serde::{Deserialize, Serialize, Serializer};
use toml::{Table, Value};

use super::values::{demand, within};
use crate::domain::ids::Slug;
use crate::http::Words;

/// The key of the entries that say who is told what.
pub(super) const KEY: &str = "notify";

/// The SMTP server that takes our mail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MailConfig {
    /// Its host; empty: no mail.
    pub server: String,
    pub port: u16,
    pub tls: Tls,
    /// A PEM file of a root to trust besides the public ones; empty: none.
    pub root: PathBuf,
    /// Empty: no login.
    pub user: String,
    pub password: Private,
    /// A file that holds the password instead; empty: none.
    pub password_file: PathBuf,
    /// The sender's address, with or without a name.
    pub from: String,
}

/// How the way to the mail server is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tls {
    /// From the greeting on, or nothing is sent.
    Starttls,
    /// From the first byte.
    Tls,
    /// Not at all.
    None,
}

/// When digests go out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DigestConfig {
    /// From this local hour of each gym's day on.
    pub hour: u32,
}

/// From when on something is an alert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlertConfig {
    /// Present over capacity, in percent.
    pub capacity_percent: u32,
    /// How far below the usual, in percent.
    pub drop_percent: u32,
    /// Where fewer members are usual, a drop is no news.
    pub drop_usual_min: u32,
}

/// Who is told what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NotifyEntry {
    /// Empty: all.
    pub gyms: Vec<String>,
    pub mail: Vec<String>,
    /// A URL that takes Slack's JSON; empty: none.
    pub webhook: Private,
    pub wants: Vec<Want>,
    /// In which they are told, as `en`.
    pub language: String,
}

/// What somebody wants to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Want {
    Daily,
    Weekly,
    Alerts,
}

/// A text that is shown to nobody: neither in a log nor by `check-config`.
#[derive(Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(transparent)]
pub struct Private(String);

impl Private {
    pub fn reveal(&self) -> &str {
        &self.0
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What may be shown: whether there is one.
    fn shown(&self) -> &'static str {
        if self.is_empty() { "" } else { "(hidden)" }
    }
}

impl From<String> for Private {
    fn from(text: String) -> Private {
        Private(text)
    }
}

impl fmt::Debug for Private {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.shown())
    }
}

impl Serialize for Private {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.shown())
    }
}

/// An entry in which nothing was said.
pub(super) fn entry_schema() -> Table {
    let nothing = NotifyEntry {
        gyms: vec![],
        mail: vec![],
        webhook: Private::default(),
        wants: vec![Want::Daily, Want::Weekly, Want::Alerts],
        language: Words::all()[0].code.to_owned(),
    };
    Table::try_from(nothing).expect("an entry is plain TOML")
}

pub(super) fn reaches_somebody(entry: &Table) -> Result<(), String> {
    let has_mail = entry["mail"].as_array().is_some_and(|list| !list.is_empty());
    let has_webhook = entry["webhook"].as_str().is_some_and(|url| !url.is_empty());
    demand(has_mail || has_webhook, "entries that have `mail` or `webhook`")
}

pub(super) fn check(key: &str, value: &Value) -> Result<(), String> {
    let text = value.as_str().unwrap_or_default();
    match key {
        "mail.port" => within(value, 1, 65_535),
        "mail.tls" => {
            demand(matches!(text, "starttls" | "tls" | "none"), "`starttls`, `tls` or `none`")
        }
        "mail.from" => {
            let good = text.is_empty() || text.parse::<Mailbox>().is_ok();
            demand(good, "an address, like footfall@example.com")
        }
        "digest.hour" => within(value, 0, 23),
        "alerts.capacity_percent" => within(value, 1, 1_000),
        "alerts.drop_percent" => within(value, 1, 100),
        "alerts.drop_usual_min" => within(value, 1, 100_000),
        "notify.gyms" => {
            each(value, |slug| slug.parse::<Slug>().is_ok(), "a list of slugs, like [\"berlin\"]")
        }
        "notify.mail" => {
            let expected = "a list of addresses, like [\"manager@example.com\"]";
            each(value, |address| address.parse::<Address>().is_ok(), expected)
        }
        "notify.webhook" => {
            let good = Url::parse(text).is_ok_and(|url| url.scheme().starts_with("http"));
            demand(text.is_empty() || good, "a URL that begins with https:// or http://")
        }
        "notify.wants" => {
            let good = |word: &str| matches!(word, "daily" | "weekly" | "alerts");
            each(value, good, "a list of `daily`, `weekly` and `alerts`")
        }
        "notify.language" => {
            let known = Words::all().iter().map(|words| format!("`{}`", words.code));
            let known = known.collect::<Vec<_>>().join(" or ");
            demand(Words::in_language(text).is_some(), &known)
        }
        _ => Ok(()),
    }
}

fn each(value: &Value, good: impl Fn(&str) -> bool, expected: &str) -> Result<(), String> {
    let list = value.as_array().map(Vec::as_slice).unwrap_or_default();
    demand(list.iter().all(|one| one.as_str().is_some_and(&good)), expected)
}
