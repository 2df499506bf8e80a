//! Layers: each source is a table, laid over those before it, key by key, as the schema allows.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::notify;
use super::values::check;
use super::{ConfigError, DEFAULTS, FILE_VARIABLE, NO_KEYS, Origin, PREFIX, Sources};

pub(super) fn defaults() -> Table {
    DEFAULTS.parse().expect("a test reads the default file")
}

/// The file that is named, or the one in the working directory, or the one of the whole system, if
/// there is one.
pub(super) fn read_file(
    sources: &Sources,
    file: &Path,
) -> Result<Option<(PathBuf, Table)>, ConfigError> {
    let variable = || sources.env.iter().find(|(name, _)| name == FILE_VARIABLE);
    let named = sources.config_path.clone().or_else(|| variable().map(|(_, path)| path.into()));
    // A working directory that may not be entered has no file for us either.
    let unnamed = || Some(file.to_owned()).filter(|file| file.exists());
    let of_system = || sources.system_path.clone().filter(|file| file.exists());
    let is_named = named.is_some();
    let Some(path) = named.or_else(unnamed).or_else(of_system) else {
        return Ok(None);
    };
    // Whoever starts us in a folder of others has not chosen what lies there.
    if !is_named
        && sources.system_path.as_ref() != Some(&path)
        && let Some(owner) = stranger(&path)
    {
        return Err(ConfigError::OfStranger { path, owner });
    }
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        // Nobody named it, so who asked may not know of it.
        Err(source) if sources.system_path.as_ref() == Some(&path) => {
            return Err(ConfigError::UnreadableHere { source });
        }
        Err(source) => return Err(ConfigError::Unreadable { path, source }),
    };
    match text.parse() {
        Ok(table) => Ok(Some((path, table))),
        Err(error) => Err(not_toml(path, &text, &error)),
    }
}

/// The user to whom a file belongs, where that is neither root nor who runs this.
fn stranger(path: &Path) -> Option<u32> {
    let owner = std::fs::metadata(path).ok()?.uid();
    (owner != 0 && owner != rustix::process::geteuid().as_raw()).then_some(owner)
}

/// Says where the mistake is, without the line itself.
fn not_toml(path: PathBuf, text: &str, error: &toml::de::Error) -> ConfigError {
    let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    ConfigError::NotToml { path, line, message: error.message().replace('\n', ", ") }
}

/// A variable as a table that holds its one key.
pub(super) fn read_variable(schema: &Table, name: &str, text: &str) -> Result<Table, ConfigError> {
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

pub(super) fn variable_of(key: &str) -> String {
    format!("{PREFIX}{}", key.replace('.', "_").to_uppercase())
}

/// What the command line sets: flag, key, value.
pub(super) fn flags(
    sources: &Sources,
) -> impl Iterator<Item = (&'static str, &'static str, Value)> {
    // TOML is UTF-8, so a path that is not becomes a value that is refused as no text.
    let path = |path: &PathBuf| path.to_str().map_or(Value::Boolean(false), Value::from);
    let data = sources.data.as_ref().map(|data| ("--data", "data", path(data)));
    let listen = sources.listen.as_deref().map(|at| ("--listen", "listen", Value::from(at)));
    data.into_iter().chain(listen)
}

/// Checks a table against the schema and lays its values over the settings. `section` is the path
/// of the table itself, with a dot at its end; empty at the top.
pub(super) fn lay_over(
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

/// Every key of a table and of the tables in it, with its path, and those tables themselves.
pub(super) fn keys(table: &Table) -> Vec<(String, &Value)> {
    let mut found = Vec::new();
    for (name, value) in table {
        found.push((name.clone(), value));
        if let Value::Table(inner) = value {
            found.extend(keys(inner).into_iter().map(|(key, v)| (format!("{name}.{key}"), v)));
        }
    }
    found
}

/// The known name that looks most like a given one, as a whole or by its last part; of two, the one
/// that is liker as a whole.
fn nearest(given: &str, known: impl Iterator<Item = String>) -> String {
    let last = |name: &str| name.rsplit('.').next().unwrap_or_default().to_owned();
    let likeness = |name: &str| {
        let whole = strsim::normalized_damerau_levenshtein(given, name);
        (whole.max(strsim::normalized_damerau_levenshtein(&last(given), &last(name))), whole)
    };
    let compare = |a: (f64, f64), b: (f64, f64)| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1));
    known.max_by(|a, b| compare(likeness(a), likeness(b))).unwrap_or_default()
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
