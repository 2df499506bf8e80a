//! Configuration: built-in defaults < `footfall.toml` < `FOOTFALL_*` environment < command line.
//!
//! The commented default file *is* the defaults, and it is the schema too: a key that is not in it
//! is refused, and a value of another type than its own. Reading the process's environment, and
//! what the settings do, may not live here.

mod kubernetes;
mod layers;
mod notify;
#[cfg(test)]
mod tests;
mod values;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use toml::Table;

use crate::http::client_ip::Network;
use layers::{defaults, flags, lay_over, read_file, read_variable};
pub use notify::{AlertConfig, DigestConfig, MailConfig, NotifyEntry, Private, Tls, Want};

/// The defaults, with a comment on every key.
pub const DEFAULTS: &str = include_str!("footfall.default.toml");

/// Read from the working directory when no other file is named.
const FILE: &str = "footfall.toml";
/// Read when there is none in the working directory: where a package puts it.
pub const SYSTEM_FILE: &str = "/etc/footfall/footfall.toml";
/// Every variable of ours begins so.
const PREFIX: &str = "FOOTFALL_";
/// The variable that names the file.
const FILE_VARIABLE: &str = "FOOTFALL_CONFIG";
/// Variables of ours that are no keys: the file's name, and secrets that commands may be given.
const NO_KEYS: [&str; 5] = [
    FILE_VARIABLE,
    "FOOTFALL_EGYM_API_KEY",
    "FOOTFALL_TOKEN",
    "FOOTFALL_USER_PASSWORD",
    "FOOTFALL_WEBHOOK_SECRET",
];

/// All that can be configured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The data folder, made when missing.
    pub data: PathBuf,
    /// `address:port` to listen on; port 0 takes a free one.
    pub listen: String,
    /// How it is reached from outside, `https://host`; empty when nobody said.
    pub public_url: String,
    /// Who is told what.
    pub notify: Vec<NotifyEntry>,
    pub http: HttpConfig,
    pub metrics: MetricsConfig,
    pub otlp: OtlpConfig,
    pub tls: TlsConfig,
    pub backup: BackupConfig,
    pub egym: EgymConfig,
    pub log: LogConfig,
    pub mail: MailConfig,
    pub digest: DigestConfig,
    pub alerts: AlertConfig,
}

/// How the HTTP door is built.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpConfig {
    /// Threads that answer; 0 stands for one per core.
    pub workers: usize,
    /// A request's head must arrive within so many seconds.
    pub head_seconds: u64,
    /// A connection without a request is closed after so many seconds.
    pub idle_seconds: u64,
    /// Open connections at most, over all threads.
    pub connections_max: usize,
    /// Of these, so many from one address.
    pub connections_per_address_max: usize,
    /// Proxies whose word is taken for where a request came from.
    pub trusted_proxies: Vec<Network>,
}

/// Where metrics are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MetricsConfig {
    /// `address:port` where nothing else is; empty: at `listen`, for this machine.
    pub listen: String,
    /// Also at `listen`, for everybody.
    pub public: bool,
}

/// Where metrics and traces are sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OtlpConfig {
    /// A collector's URL, without `/v1/…`; empty: nothing is sent.
    pub endpoint: String,
    /// Seconds between two times.
    pub every: u64,
}

/// Whether `listen` speaks HTTPS, and with which certificate. What is empty was not said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsConfig {
    /// A PEM file: the certificate, then those that lead to its root.
    pub certificate: PathBuf,
    /// A PEM file: the certificate's private key.
    pub key: PathBuf,
    /// `address:port` that speaks plain HTTP and sends everybody to HTTPS.
    pub plain_listen: String,
    pub acme: AcmeConfig,
}

impl TlsConfig {
    /// Whether `listen` speaks HTTPS.
    pub fn is_on(&self) -> bool {
        let is_named = |path: &PathBuf| !path.as_os_str().is_empty();
        is_named(&self.certificate) || is_named(&self.key) || !self.acme.domains.is_empty()
    }
}

/// Certificates that are fetched and renewed without a person. No domain: none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AcmeConfig {
    pub domains: Vec<String>,
    /// An address for letters of the certificate authority.
    pub contact: String,
    /// The URL of the authority's directory.
    pub directory: String,
    /// A PEM file of roots to trust for the directory, instead of the public ones.
    pub root: PathBuf,
    pub challenge: AcmeChallenge,
}

/// How the authority sees that the domain is ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum AcmeChallenge {
    /// A handshake on port 443.
    #[serde(rename = "tls-alpn-01")]
    TlsAlpn01,
    /// A request on port 80.
    #[serde(rename = "http-01")]
    Http01,
}

/// Backups that are made by themselves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackupConfig {
    /// Hours between two; 0: none is made.
    pub every: u32,
    /// Copies that are kept at most.
    pub keep: u32,
    /// Where they are kept; empty when nobody said.
    pub folder: PathBuf,
    /// The file of the passphrase by which they are encrypted; empty: they are not.
    pub passphrase_file: PathBuf,
}

/// How EGYM's API is reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EgymConfig {
    pub url: String,
    /// A PEM file of roots to trust besides the public ones.
    pub root: PathBuf,
}

/// What is logged, and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogConfig {
    pub format: LogFormat,
    /// Levels, in the words of `tracing`'s filters: `info,footfall::http=debug`.
    pub filter: String,
}

/// How a log line is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// For programs: one JSON object a line.
    Json,
}

/// Where settings come from, handed in so that nothing here looks at the process.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// `--config`; wins over `FOOTFALL_CONFIG`.
    pub config_path: Option<PathBuf>,
    /// The file of the whole system, where it counts.
    pub system_path: Option<PathBuf>,
    /// The environment. Variables without our prefix are passed over.
    pub env: Vec<(String, String)>,
    /// `--data`
    pub data: Option<PathBuf>,
    /// `--listen`
    pub listen: Option<String>,
}

/// Who said something, as a reader finds it again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    File(PathBuf),
    Variable(String),
    Flag(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::File(path) => write!(f, "{}", path.display()),
            Origin::Variable(name) => f.write_str(name),
            Origin::Flag(name) => f.write_str(name),
        }
    }
}

/// Why there is no configuration. No message quotes a value: it may be a secret in the wrong place.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("{path}: {source}; name a file that can be read with --config or {FILE_VARIABLE}")]
    Unreadable { path: PathBuf, source: io::Error },
    #[error(
        "{SYSTEM_FILE}: {source}; run this as the user of the service, with `sudo -u footfall` before \
         it, or name another file with --config or {FILE_VARIABLE}"
    )]
    UnreadableHere { source: io::Error },
    #[error(
        "{path} in the working directory belongs to another user (number {owner}), so it is not \
         read: go to another folder, or name it with --config or {FILE_VARIABLE}"
    )]
    OfStranger { path: PathBuf, owner: u32 },
    #[error("{path}: line {line}: {message}; correct the line, or take it out")]
    NotToml { path: PathBuf, line: usize, message: String },
    #[error("{origin}: there is no key `{key}`; the nearest one is `{nearest}`")]
    UnknownKey { origin: Origin, key: String, nearest: String },
    #[error("{name}: there is no such variable; the nearest one is {nearest}")]
    UnknownVariable { name: String, nearest: String },
    #[error("{origin}: `{key}` must be {expected}, like {example}")]
    WrongType { origin: Origin, key: String, expected: &'static str, example: String },
    #[error("{origin}: `{key}` must be {expected}")]
    OutOfRange { origin: Origin, key: String, expected: String },
}

impl Config {
    /// Puts all sources together.
    pub fn load(sources: &Sources) -> Result<Config, ConfigError> {
        Config::load_with(sources, Path::new(FILE))
    }

    /// How it is reached from outside, with nothing behind the host; none when nobody said.
    pub fn public_root(&self) -> Option<&str> {
        Some(self.public_url.as_str()).filter(|url| !url.is_empty())
    }

    /// Its host, without a port.
    pub fn public_host(&self) -> Option<&str> {
        let host = self.public_root()?.strip_prefix("https://")?;
        let host = host
            .rsplit_once(':')
            .filter(|(_, port)| !port.ends_with(']'))
            .map_or(host, |(host, _)| host);
        Some(host.trim_matches(['[', ']']))
    }

    /// The effective configuration, as a file that would say the same.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("every value came from TOML, so it can be written as TOML")
    }

    /// `file` is read when it exists and no other is named.
    fn load_with(sources: &Sources, file: &Path) -> Result<Config, ConfigError> {
        let schema = defaults();
        let mut settings = schema.clone();
        if let Some((path, table)) = read_file(sources, file)? {
            lay_over(&mut settings, &schema, table, &Origin::File(path), "")?;
        }
        for (name, text) in &sources.env {
            if is_of_ours(name, text) {
                let table = read_variable(&schema, name, text)?;
                lay_over(&mut settings, &schema, table, &Origin::Variable(name.clone()), "")?;
            }
        }
        for (flag, key, value) in flags(sources) {
            let table = Table::from_iter([(key.to_owned(), value)]);
            lay_over(&mut settings, &schema, table, &Origin::Flag(flag), "")?;
        }
        Ok(settings.try_into().expect("every value was checked when it was laid over"))
    }
}

/// Whether a variable says something of our keys.
fn is_of_ours(name: &str, text: &str) -> bool {
    let is_key = name.starts_with(PREFIX) && !NO_KEYS.contains(&name);
    is_key && !kubernetes::is_of_service(name, text)
}
