//! The rooms use those below them and never look up.

use std::fs;
use std::path::{Path, PathBuf};

/// Each room, and the rooms it may use. `clock` is the door for time.
const ROOMS: [(&str, &[&str]); 8] = [
    ("domain", &[]),
    ("intake", &["domain"]),
    ("store", &["domain"]),
    ("projection", &["domain", "store"]),
    ("actions", &["domain", "store", "projection"]),
    ("http", &["domain", "intake", "store", "projection", "actions", "clock"]),
    ("egym", &[]),
    ("app", &["domain", "intake", "store", "projection", "actions", "http", "egym", "clock"]),
];

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("the folder is there");
    let paths = entries.map(|entry| entry.expect("it can be read").path());
    paths.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

fn sources(room: &str) -> Vec<(PathBuf, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(room);
    let files =
        files(&folder).into_iter().filter(|path| path.extension().is_some_and(|e| e == "rs"));
    files.map(|path| (path.clone(), fs::read_to_string(path).expect("it is text"))).collect()
}

#[test]
fn rooms_look_down_only() {
    for (room, below) in ROOMS {
        for (path, text) in sources(room) {
            for used in text.split("crate::").skip(1) {
                let used: String = used.chars().take_while(char::is_ascii_lowercase).collect();
                let allowed = used.is_empty() || used == room || below.contains(&used.as_str());
                assert!(allowed, "{} uses crate::{used}", path.display());
            }
        }
    }
}

#[test]
fn sql_is_written_in_the_store_and_the_domain_serializes_nothing() {
    for room in ["domain", "intake", "projection", "actions", "http", "egym"] {
        for (path, text) in sources(room) {
            for word in ["rusqlite::params", "SELECT ", "INSERT INTO", ".prepare("] {
                assert!(!text.contains(word), "{} speaks SQL: {word}", path.display());
            }
        }
    }
    for (path, text) in sources("domain") {
        for word in ["serde", "tokio", "tracing", "std::fs", "std::net", "std::time"] {
            assert!(!text.contains(word), "{} uses {word}", path.display());
        }
    }
}

#[test]
fn every_file_says_what_lives_there() {
    for (room, _) in ROOMS {
        for (path, text) in sources(room) {
            assert!(text.starts_with("//!"), "{} does not open with //!", path.display());
        }
    }
}
