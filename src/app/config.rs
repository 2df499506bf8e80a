//! Configuration: built-in defaults < `footfall.toml` < `FOOTFALL_*` environment < command line.
//!
//! The commented default file *is* the defaults, and it is the schema too: a key that is not in it
//! is refused, and a value of another type than its own. Reading the process's environment, and
//! what the settings do, may not live here.

mod notify;

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use toml::{Table, Value};

pub use notify::{AlertConfig, DigestConfig, MailConfig, NotifyEntry, Private, Tls, Want};

/// The defaults, with a comment on every key.
pub const DEFAULTS: &str = include_str!("footfall.default.toml");

/// Read from the working directory when no other file is named.
const FILE: &str = "footfall.toml";
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
    pub tls: TlsConfig,
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
    /// Proxies whose word is taken for where a request came from.
    pub trusted_proxies: Vec<IpAddr>,
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
            if name.starts_with(PREFIX) && !NO_KEYS.contains(&name.as_str()) {
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

fn defaults() -> Table {
    DEFAULTS.parse().expect("a test reads the default file")
}

/// The file that is named, or the one in the working directory if there is one.
fn read_file(sources: &Sources, file: &Path) -> Result<Option<(PathBuf, Table)>, ConfigError> {
    let variable = || sources.env.iter().find(|(name, _)| name == FILE_VARIABLE);
    let named = sources.config_path.clone().or_else(|| variable().map(|(_, path)| path.into()));
    let path = match named {
        Some(path) => path,
        // A working directory that may not be entered has no file for us either.
        None if !file.exists() => return Ok(None),
        None => file.to_owned(),
    };
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(source) => return Err(ConfigError::Unreadable { path, source }),
    };
    match text.parse() {
        Ok(table) => Ok(Some((path, table))),
        Err(error) => Err(not_toml(path, &text, &error)),
    }
}

/// Says where the mistake is, without the line itself.
fn not_toml(path: PathBuf, text: &str, error: &toml::de::Error) -> ConfigError {
    let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    ConfigError::NotToml { path, line, message: error.message().replace('\n', ", ") }
}

/// A variable as a table that holds its one key.
fn read_variable(schema: &Table, name: &str, text: &str) -> Result<Table, ConfigError> {
    let keys: Vec<_> = keys(schema).into_iter().filter(|(_, like)| !like.is_table()).collect();
    let Some((key, like)) = keys.iter().find(|(key, _)| variable_of(key) == name) else {
        let variables = keys.iter().map(|(key, _)| variable_of(key));
        let nearest = nearest(name, variables.chain(NO_KEYS.map(str::to_owned)));
        return Err(ConfigError::UnknownVariable { name: name.to_owned(), nearest });
    };
    let as_text = || Value::String(text.to_owned());
    let value = if like.is_str() { as_text() } else { text.parse().unwrap_or_else(|_| as_text()) };
    let mut parts = key.rsplit('.');
    let last = parts.next().map(|part| Table::from_iter([(part.to_owned(), value)]));
    let table = last.unwrap_or_default();
    Ok(parts.fold(table, |inner, part| Table::from_iter([(part.to_owned(), inner.into())])))
}

fn variable_of(key: &str) -> String {
    format!("{PREFIX}{}", key.replace('.', "_").to_uppercase())
}

/// What the command line sets: flag, key, value.
fn flags(sources: &Sources) -> impl Iterator<Item = (&'static str, &'static str, Value)> {
    // TOML is UTF-8, so a path that is not becomes a value that is refused as no text.
    let path = |path: &PathBuf| path.to_str().map_or(Value::Boolean(false), Value::from);
    let data = sources.data.as_ref().map(|data| ("--data", "data", path(data)));
    let listen = sources.listen.as_deref().map(|at| ("--listen", "listen", Value::from(at)));
    data.into_iter().chain(listen)
}

/// Checks a table against the schema and lays its values over the settings. `section` is the path
/// of the table itself, with a dot at its end; empty at the top.
fn lay_over(
    settings: &mut Table,
    schema: &Table,
    table: Table,
    origin: &Origin,
    section: &str,
) -> Result<(), ConfigError> {
    for (name, value) in table {
        let key = format!("{section}{name}");
        let (Some(like), Some(setting)) = (schema.get(&name), settings.get_mut(&name)) else {
            let all = defaults();
            let here = keys(schema).into_iter().map(|(known, _)| format!("{section}{known}"));
            let known = keys(&all).into_iter().map(|(known, _)| known).chain(here);
            let nearest = nearest(&key, known);
            return Err(ConfigError::UnknownKey { origin: origin.clone(), key, nearest });
        };
        match (like, setting, value) {
            (Value::Table(like), Value::Table(setting), Value::Table(inner)) => {
                lay_over(setting, like, inner, origin, &format!("{key}."))?;
            }
            (Value::Array(_), setting, Value::Array(entries)) if key == notify::KEY => {
                let entries = entries.into_iter().map(|entry| lay_over_entry(entry, origin));
                *setting = Value::Array(entries.collect::<Result<_, _>>()?);
            }
            (like, setting, value) if like.same_type(&value) => {
                check(&key, &value).map_err(|expected| ConfigError::OutOfRange {
                    origin: origin.clone(),
                    key,
                    expected,
                })?;
                *setting = value;
            }
            (like, _, _) => {
                let (expected, example) = (in_words(like), example(&name, like));
                let origin = origin.clone();
                return Err(ConfigError::WrongType { origin, key, expected, example });
            }
        }
    }
    Ok(())
}

/// One of the entries of `[[notify]]`, complete.
fn lay_over_entry(entry: Value, origin: &Origin) -> Result<Value, ConfigError> {
    let schema = notify::entry_schema();
    let refused = |expected: &str| ConfigError::OutOfRange {
        origin: origin.clone(),
        key: notify::KEY.to_owned(),
        expected: expected.to_owned(),
    };
    let Value::Table(entry) = entry else { return Err(refused("a list of [[notify]] entries")) };
    let mut settings = schema.clone();
    lay_over(&mut settings, &schema, entry, origin, &format!("{}.", notify::KEY))?;
    notify::reaches_somebody(&settings).map_err(|expected| refused(&expected))?;
    Ok(Value::Table(settings))
}

/// What a value must be beyond its type. Every key that is not simply a text is here.
fn check(key: &str, value: &Value) -> Result<(), String> {
    match key {
        "data" => demand(value.as_str() != Some(""), "the path of a folder"),
        "listen" => {
            let good = value.as_str().is_some_and(is_address);
            demand(good, "an address and a port, like 127.0.0.1:8080 or [::1]:8080")
        }
        "http.workers" => within(value, 0, 1_024),
        "http.head_seconds" => within(value, 1, 60),
        "http.idle_seconds" => within(value, 1, 3_600),
        "http.connections_max" => within(value, 1, 1_000_000),
        "public_url" => {
            let good = value.as_str().is_some_and(|url| url.is_empty() || is_root(url));
            demand(good, "the root of a URL, like https://footfall.example.com")
        }
        "http.trusted_proxies" => {
            let good = texts(value).is_some_and(|all| all.iter().all(|a| is_ip_address(a)));
            demand(good, "a list of IP addresses, like [\"127.0.0.1\"]")
        }
        "tls.plain_listen" => {
            let good = value.as_str().is_some_and(|at| at.is_empty() || is_address(at));
            demand(good, "an address and a port, like 0.0.0.0:80")
        }
        "tls.acme.domains" => {
            let good = texts(value).is_some_and(|all| all.iter().all(|name| is_domain(name)));
            demand(good, "a list of domains, like [\"footfall.example.com\"]")
        }
        "tls.acme.directory" => {
            let good = value.as_str().is_some_and(|url| url.starts_with("https://"));
            demand(good, "a URL that begins with https://")
        }
        "tls.acme.challenge" => {
            let good = matches!(value.as_str(), Some("tls-alpn-01" | "http-01"));
            demand(good, "`tls-alpn-01` or `http-01`")
        }
        "egym.url" => demand(value.as_str().is_some_and(is_root), "the root of a URL: https://…"),
        "log.format" => demand(matches!(value.as_str(), Some("text" | "json")), "`text` or `json`"),
        _ => notify::check(key, value),
    }
}

fn demand(is_good: bool, expected: &str) -> Result<(), String> {
    if is_good { Ok(()) } else { Err(expected.to_owned()) }
}

fn within(value: &Value, from: i64, to: i64) -> Result<(), String> {
    let is_good = value.as_integer().is_some_and(|number| (from..=to).contains(&number));
    demand(is_good, &format!("from {from} to {to}"))
}

/// Whether the text is `address:port` or `host:port`; whether the host exists shows when it is
/// bound.
fn is_address(text: &str) -> bool {
    let names_host = |(host, port): (&str, &str)| {
        !host.is_empty() && !host.contains(':') && port.parse::<u16>().is_ok()
    };
    text.parse::<SocketAddr>().is_ok() || text.rsplit_once(':').is_some_and(names_host)
}

/// The texts of a list; none when something else is in it.
fn texts(value: &Value) -> Option<Vec<&str>> {
    value.as_array()?.iter().map(Value::as_str).collect()
}

fn is_ip_address(text: &str) -> bool {
    text.parse::<IpAddr>().is_ok()
}

/// Whether certificates can be had for it: a name with a dot, and no wildcard.
fn is_domain(text: &str) -> bool {
    let good = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    text.contains('.') && text.chars().all(good) && !is_ip_address(text)
}

/// Whether the text is `https://host` with or without a port, and nothing behind it.
fn is_root(text: &str) -> bool {
    let host = text.strip_prefix("https://");
    host.is_some_and(|host| !host.is_empty() && !host.contains(['/', '?', '#', '@', ' ']))
}

/// Every key of a table and of the tables in it, with its path, and those tables themselves.
fn keys(table: &Table) -> Vec<(String, &Value)> {
    let mut found = Vec::new();
    for (name, value) in table {
        found.push((name.clone(), value));
        if let Value::Table(inner) = value {
            found.extend(keys(inner).into_iter().map(|(key, v)| (format!("{name}.{key}"), v)));
        }
    }
    found
}

/// The known name that looks most like a given one, as a whole or by its last part.
fn nearest(given: &str, known: impl Iterator<Item = String>) -> String {
    let last = |name: &str| name.rsplit('.').next().unwrap_or_default().to_owned();
    let likeness = |name: &str| {
        let whole = strsim::normalized_damerau_levenshtein(given, name);
        whole.max(strsim::normalized_damerau_levenshtein(&last(given), &last(name)))
    };
    known.max_by(|a, b| likeness(a).total_cmp(&likeness(b))).unwrap_or_default()
}

fn in_words(value: &Value) -> &'static str {
    match value {
        Value::String(_) => "a text",
        Value::Integer(_) => "a whole number",
        Value::Float(_) => "a number",
        Value::Boolean(_) => "true or false",
        Value::Datetime(_) => "a time",
        Value::Array(_) => "a list",
        Value::Table(_) => "a section",
    }
}

/// How a value of that type is written.
fn example(name: &str, value: &Value) -> String {
    match value {
        Value::Table(_) => format!("[{name}]"),
        Value::String(_)
        | Value::Integer(_)
        | Value::Float(_)
        | Value::Boolean(_)
        | Value::Datetime(_)
        | Value::Array(_) => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(variables: &[(&str, &str)]) -> Vec<(String, String)> {
        variables.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
    }

    /// Loads with a file of that text, and these variables.
    fn load(file: &str, variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        std::fs::write(&path, file).unwrap();
        let sources = Sources { env: env(variables), ..Sources::default() };
        Config::load_with(&sources, &path)
    }

    /// What is said of a file or of variables, less the folder of the file.
    fn refusal(file: &str, variables: &[(&str, &str)]) -> String {
        let text = load(file, variables).unwrap_err().to_string();
        text.find(FILE).map_or(text.clone(), |at| text[at..].to_owned())
    }

    #[test]
    fn the_documentation_has_every_key_with_its_default() {
        const OPERATING: &str = include_str!("../../docs/OPERATING.md");
        let rows: Vec<_> = OPERATING.lines().filter(|line| line.starts_with("| `")).collect();
        for (key, value) in keys(&defaults()).into_iter().filter(|(_, value)| !value.is_table()) {
            let cell = format!("`{key}`");
            let row = rows.iter().find(|row| row.split('|').nth(1).unwrap().contains(&cell));
            let row = row.unwrap_or_else(|| panic!("docs/OPERATING.md lacks {key}"));
            let shown = match value.as_str() {
                Some("") => "empty".to_owned(),
                // Too long for a cell.
                Some(_) if key == "tls.acme.directory" => "Let's Encrypt".to_owned(),
                Some(text) => format!("`{text}`"),
                None if value.is_array() => "none".to_owned(),
                None => value.to_string(),
            };
            assert!(row.split('|').nth(2).unwrap().contains(&shown), "{key}: {shown} in {row}");
        }
    }

    fn default_config() -> Config {
        Config::load_with(&Sources::default(), Path::new("/nowhere/footfall.toml")).unwrap()
    }

    #[test]
    fn the_default_file_is_the_defaults() {
        let config = default_config();
        assert_eq!((config.data, config.listen.as_str()), ("data".into(), "127.0.0.1:8080"));
        assert_eq!((config.http.workers, config.http.head_seconds), (0, 4));
        assert_eq!((config.http.idle_seconds, config.http.connections_max), (75, 10_000));
        assert_eq!(
            (config.log.format, config.log.filter.as_str()),
            (LogFormat::Text, "warn,footfall=info")
        );
        assert!(config.notify.is_empty() && config.mail.server.is_empty());
        assert_eq!((config.mail.port, config.mail.tls), (587, Tls::Starttls));
        assert_eq!((config.digest.hour, config.alerts.capacity_percent), (7, 90));
        assert_eq!(load(DEFAULTS, &[]).unwrap(), default_config());
    }

    #[test]
    fn what_is_shown_reads_back_as_the_same() {
        let changed = load("[http]\nworkers = 3\n[log]\nfilter = 'a\"b'", &[]).unwrap();
        for config in [default_config(), changed] {
            assert_eq!(load(&config.to_toml(), &[]).unwrap(), config);
        }
        let shown: Table = default_config().to_toml().parse().unwrap();
        assert_eq!(shown, defaults(), "the default file and the structs have the same keys");
    }

    #[test]
    fn the_command_line_wins_over_the_environment_and_that_over_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let (named, other) = (folder.path().join("a.toml"), folder.path().join("b.toml"));
        std::fs::write(&named, "data = 'a'\nlisten = 'a:1'\n[http]\nworkers = 1").unwrap();
        std::fs::write(&other, "[log]\nformat = 'json'").unwrap();
        let mut sources = Sources {
            env: env(&[
                ("FOOTFALL_DATA", "b"),
                ("FOOTFALL_LISTEN", "b:2"),
                ("FOOTFALL_CONFIG", other.to_str().unwrap()),
                ("PATH", "/bin"),
            ]),
            listen: Some("[::1]:3".into()),
            ..Sources::default()
        };
        let config = Config::load(&sources).unwrap();
        assert_eq!((config.log.format, config.http.workers), (LogFormat::Json, 0));
        sources.config_path = Some(named);
        let config = Config::load(&sources).unwrap();
        assert_eq!((config.log.format, config.http.workers), (LogFormat::Text, 1));
        assert_eq!((config.data, config.listen.as_str()), ("b".into(), "[::1]:3"));
        sources.data = Some("c".into());
        assert_eq!(Config::load(&sources).unwrap().data, PathBuf::from("c"));
    }

    #[test]
    fn every_key_is_a_variable() {
        let schema = defaults();
        let mut names = Vec::new();
        for (key, value) in keys(&schema).into_iter().filter(|(_, value)| !value.is_table()) {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            names.push((variable_of(&key), text));
        }
        let variables: Vec<_> = names.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        assert_eq!(load("", &variables).unwrap(), default_config());
        let config = load("", &[("FOOTFALL_HTTP_WORKERS", "7"), ("FOOTFALL_LOG_FILTER", "5")]);
        let config = config.unwrap();
        assert_eq!((config.http.workers, config.log.filter.as_str()), (7, "5"));
        let secrets = [("FOOTFALL_TOKEN", "t"), ("FOOTFALL_EGYM_API_KEY", "k")];
        assert_eq!(load("", &secrets).unwrap(), default_config());
    }

    #[test]
    fn what_is_not_known_is_refused_with_the_nearest_that_is() {
        let cases = [
            ("lisen = 'x'", "listen"),
            ("[http]\nworker = 1", "http.workers"),
            ("[htp]\nworkers = 1", "http"),
            ("workers = 1", "http.workers"),
            ("[log]\nlevel = 'info'\n", "log.filter"),
        ];
        for (file, nearest) in cases {
            let text = refusal(file, &[]);
            assert!(text.starts_with("footfall.toml: there is no key `"), "{text}");
            assert!(text.ends_with(&format!("the nearest one is `{nearest}`")), "{text}");
        }
        assert_eq!(
            refusal("", &[("FOOTFALL_HTTP_WORKER", "1")]),
            "FOOTFALL_HTTP_WORKER: there is no such variable; \
             the nearest one is FOOTFALL_HTTP_WORKERS",
        );
        let text = refusal("", &[("FOOTFALL_HTTP", "1")]);
        assert!(text.contains("no such variable"), "a section is no key: {text}");
        assert!(refusal("", &[("FOOTFALL_TOKN", "1")]).ends_with("FOOTFALL_TOKEN"));
    }

    #[test]
    fn a_wrong_value_is_refused_by_file_and_key_without_quoting_it() {
        let cases = [
            ("listen = 8080", "`listen` must be a text, like \"127.0.0.1:8080\""),
            ("http = 1", "`http` must be a section, like [http]"),
            ("[http]\nworkers = '1'", "`http.workers` must be a whole number, like 0"),
            ("[http]\nworkers = 1.5", "`http.workers` must be a whole number, like 0"),
            ("[http]\nworkers = -1", "`http.workers` must be from 0 to 1024"),
            ("[log]\nformat = 'xml'", "`log.format` must be `text` or `json`"),
            ("data = ''", "`data` must be the path of a folder"),
            (
                "[tls.acme]\ndomains = [1]",
                "`tls.acme.domains` must be a list of domains, like \
                [\"footfall.example.com\"]",
            ),
            (
                "[http]\ntrusted_proxies = ['lan']",
                "`http.trusted_proxies` must be a list of IP \
                addresses, like [\"127.0.0.1\"]",
            ),
            (
                "public_url = 'http://a'",
                "`public_url` must be the root of a URL, like \
                https://footfall.example.com",
            ),
        ];
        for (file, expected) in cases {
            assert_eq!(refusal(file, &[]), format!("footfall.toml: {expected}"));
        }
        for listen in ["", "8080", ":8080", "::1", "host:", "host:65536", "a:b:1"] {
            assert!(refusal("", &[("FOOTFALL_LISTEN", listen)]).starts_with("FOOTFALL_LISTEN: `l"));
        }
        for listen in ["localhost:8080", "0.0.0.0:0", "[::1]:1"] {
            assert_eq!(load("", &[("FOOTFALL_LISTEN", listen)]).unwrap().listen, listen);
        }
        for number in ["hush", "", "1.0", "[1]", "'1'", "\"1"] {
            assert_eq!(
                refusal("", &[("FOOTFALL_HTTP_WORKERS", number)]),
                "FOOTFALL_HTTP_WORKERS: `http.workers` must be a whole number, like 0",
            );
        }
        let text = refusal("listen = 'a:1'\n[http]\nworkers = hush", &[]);
        assert!(text.starts_with("footfall.toml: line 3: ") && !text.contains("hush"), "{text}");
    }

    #[test]
    fn every_number_has_its_bounds() {
        let schema = defaults();
        for (key, value) in keys(&schema).into_iter().filter(|(_, value)| value.is_integer()) {
            assert_eq!(check(&key, value), Ok(()));
            assert!(check(&key, &Value::Integer(i64::MIN)).is_err(), "{key}");
            assert!(check(&key, &Value::Integer(i64::MAX)).is_err(), "{key}");
        }
    }

    #[test]
    fn a_file_that_was_named_must_be_there() {
        let missing = PathBuf::from("/nowhere/footfall.toml");
        let named = Sources { config_path: Some(missing), ..Sources::default() };
        let by_variable = Sources {
            env: env(&[("FOOTFALL_CONFIG", "/nowhere/footfall.toml")]),
            ..Sources::default()
        };
        for sources in [named, by_variable] {
            let text = Config::load(&sources).unwrap_err().to_string();
            assert!(text.starts_with("/nowhere/footfall.toml: No such file"), "{text}");
        }
    }
}
