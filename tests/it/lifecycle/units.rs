//! The units for systemd, by systemd's own eyes.

use std::process::{Command, Output};

use tempfile::TempDir;

use crate::service::BINARY;

const SERVICE: &str = include_str!("../../../packaging/footfall.service");
const SOCKET: &str = include_str!("../../../packaging/footfall.socket");
const OPERATING: &str = include_str!("../../../docs/OPERATING.md");
/// Systemd's measure of how much a service could do to the system: 0 to 100, where 40 is "ok".
const EXPOSURE_MAX: &str = "20";

fn analyze(args: &[&str]) -> Output {
    let folder = TempDir::new().expect("a temporary folder");
    // Where it is installed there may be none yet.
    let service = SERVICE.replace("/usr/bin/footfall", BINARY);
    let [unit, socket] =
        ["footfall.service", "footfall.socket"].map(|name| folder.path().join(name));
    std::fs::write(&unit, service).expect("it is written");
    std::fs::write(&socket, SOCKET).expect("it is written");
    let mut command = Command::new("systemd-analyze");
    command.args(args).arg(&unit);
    if args[0] == "verify" {
        command.arg(&socket);
    }
    command.output().expect("it runs")
}

#[needs::tools("systemd")]
#[test]
fn systemd_finds_nothing_wrong_with_the_units() {
    let output = analyze(&["verify", "--man=no", "--recursive-errors=no"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{said}");
}

#[needs::tools("systemd")]
#[test]
fn the_service_may_do_little_to_the_system() {
    let threshold = format!("--threshold={EXPOSURE_MAX}");
    let output = analyze(&["security", "--offline=true", "--no-pager", &threshold]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
}

#[test]
fn a_service_that_fails_is_started_for_ever_and_its_memory_is_no_file() {
    for line in [
        "Type=notify",
        "Restart=always",
        "StartLimitIntervalSec=0",
        "LimitCORE=0",
        "SystemCallFilter=@system-service",
    ] {
        assert!(SERVICE.lines().any(|one| one == line), "{line}");
    }
    assert!(SERVICE.contains("\nMemoryMax=") && SOCKET.contains("\nBacklog="));
    for file in ["packaging/footfall.service", "packaging/footfall.socket"] {
        assert!(OPERATING.contains(file), "docs/OPERATING.md says where {file} is");
    }
}
