//! What testssl.sh, a scanner for weaknesses of TLS, finds (Debian package `testssl.sh`).

use std::process::Command;
use std::sync::Arc;

use serde_json::Value;
use tempfile::TempDir;

use super::authority::{Authority, Term};
use crate::process;
use crate::service::Service;

/// What may be found: facts, and what hurts little. `WARN` says that the scanner could not look.
const HARMLESS: [&str; 4] = ["OK", "INFO", "LOW", "WARN"];

#[needs::tools("testssl")]
#[test]
fn a_scanner_finds_no_weakness_above_low() {
    let folder = Arc::new(TempDir::new().expect("a temporary folder"));
    let authority = Authority::new();
    let files = authority.issue(folder.path(), "service", Term::Now);
    let service = Service::start_with(folder.clone(), "127.0.0.1:0", &files.env());
    let port = service.root.rsplit_once(':').expect("a port").1;
    let found = folder.path().join("found.json");
    let mut command = Command::new("testssl");
    command
        .args(["--quiet", "--color", "0", "--warnings", "off", "--nodns", "none", "--ip"])
        .args(["127.0.0.1", "--add-ca"])
        .arg(authority.write_root(folder.path()))
        .arg("--jsonfile")
        .arg(&found)
        .arg(format!("https://localhost:{port}"));
    let said = process::output(&mut command).stdout;
    let found = std::fs::read(found).expect("it writes what it finds");
    let found: Value = serde_json::from_slice(&found).expect("JSON");
    let found = found.as_array().expect("a list");
    let of = |id: &str| found.iter().find(|one| one["id"] == id).map(|one| &one["severity"]);
    let said = String::from_utf8_lossy(&said);
    assert_eq!(of("cert_chain_of_trust"), Some(&Value::from("OK")), "it scanned us: {said}");
    assert_eq!((of("TLS1_2"), of("TLS1_3")), (Some(&"OK".into()), Some(&"OK".into())), "{said}");
    let weak: Vec<_> = found
        .iter()
        .filter(|one| !HARMLESS.contains(&one["severity"].as_str().expect("a word")))
        .collect();
    assert!(weak.is_empty(), "{weak:#?}");
}
