//! What configuration takes, what it refuses, and what it says then.

use toml::Value;

use super::layers::{keys, variable_of};
use super::values::check;
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
fn what_another_user_left_in_the_working_directory_is_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(FILE);
    std::fs::write(&path, "listen = \"127.0.0.1:1\"").unwrap();
    // Only root can give it away.
    if std::os::unix::fs::chown(&path, Some(65_534), None).is_ok() {
        let error = Config::load_with(&Sources::default(), &path).unwrap_err().to_string();
        assert!(error.contains("belongs to another user (number 65534)"), "{error}");
        let named = Sources { config_path: Some(path.clone()), ..Sources::default() };
        assert_eq!(Config::load_with(&named, &path).unwrap().listen, "127.0.0.1:1");
    }
}

#[test]
fn the_documentation_has_every_key_with_its_default() {
    const OPERATING: &str = include_str!("../../../docs/OPERATING.md");
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
            addresses and networks, like [\"127.0.0.1\", \"10.0.0.0/8\"]",
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

#[test]
fn the_file_of_the_system_counts_where_the_working_directory_has_none() {
    let folder = tempfile::tempdir().unwrap();
    let [here, of_system] = ["here.toml", "system.toml"].map(|name| folder.path().join(name));
    std::fs::write(&of_system, "listen = \"127.0.0.1:1\"").unwrap();
    let sources = Sources { system_path: Some(of_system.clone()), ..Sources::default() };
    let listen = || Config::load_with(&sources, &here).map(|config| config.listen);
    assert_eq!(listen().unwrap(), "127.0.0.1:1");
    std::fs::write(&here, "listen = \"127.0.0.1:2\"").unwrap();
    assert_eq!(listen().unwrap(), "127.0.0.1:2");
    std::fs::remove_file(&here).unwrap();
    // A folder cannot be read by anybody, root neither.
    std::fs::remove_file(&of_system).unwrap();
    std::fs::create_dir(&of_system).unwrap();
    let said = listen().unwrap_err().to_string();
    assert!(said.contains("sudo -u footfall"), "{said}");
}
