//! Commands whose output nobody takes: they do what was asked, say what is wrong, and do not panic.

use std::fs::{File, Permissions};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

use crate::service::{BINARY, run, run_json};

/// Every command that prints and needs no other program.
const PRINTING: [&[&str]; 26] = [
    &["gym", "list"],
    &["gym", "list", "--json"],
    &["gym", "set", "mitte", "--capacity", "90"],
    &["gym", "set", "mitte", "--visit-window", "500", "--what-if"],
    &["webhook", "add", "mitte", "--json"],
    &["webhook", "list"],
    &["token", "list"],
    &["token", "add", "reader", "--role", "viewer"],
    &["user", "add", "ann", "--role", "viewer"],
    &["user", "list"],
    &["quarantine", "list"],
    &["retention"],
    &["retention", "--dry-run", "--json"],
    &["export"],
    &["export", "--no-events"],
    &["verify"],
    &["verify", "--json"],
    &["rebuild"],
    &["erase", "--gym", "mitte", "6f2c1d3e-0000-4000-8000-000000000001"],
    &["check-config"],
    &["digest", "--print"],
    &["--help"],
    &["--version"],
    &["help", "serve"],
    &["gym", "--help"],
    &["egym", "register", "--help"],
];

fn full() -> Stdio {
    File::options().write(true).open("/dev/full").expect("Linux has it").into()
}

/// A pipe whose reader is gone.
fn gone() -> Stdio {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    OwnedFd::from(writer).into()
}

fn run_into(folder: &Path, args: &[&str], out: Stdio, error: Stdio) -> Output {
    let mut command = Command::new(BINARY);
    command.args(args).env("FOOTFALL_DATA", folder).stdout(out).stderr(error);
    command.spawn().and_then(|child| child.wait_with_output()).expect("the binary runs")
}

fn with_a_gym() -> TempDir {
    let folder = TempDir::new().expect("a temporary folder");
    // Else there is a warning besides.
    std::fs::set_permissions(folder.path(), Permissions::from_mode(0o700)).expect("it is ours");
    run_json(
        folder.path(),
        &["gym", "add", "mitte", "--name", "Mitte", "--time-zone", "UTC", "--json"],
    );
    folder
}

#[test]
fn a_reader_that_goes_away_ends_a_command_like_every_other_program() {
    for args in PRINTING {
        let folder = with_a_gym();
        let output = run_into(folder.path(), args, gone(), Stdio::piped());
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), &*said), (Some(141), ""), "{args:?}");
    }
}

#[test]
fn a_disk_that_is_full_is_said_and_is_no_success() {
    for args in PRINTING {
        let folder = with_a_gym();
        let output = run_into(folder.path(), args, full(), Stdio::piped());
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{args:?}: {said}");
        assert!(
            said.starts_with("footfall: standard output cannot be written"),
            "{args:?}: {said}"
        );
        assert_eq!(said.lines().count(), 1, "{args:?}: {said}");
    }
}

#[test]
fn what_is_wrong_is_an_exit_status_where_it_cannot_be_printed() {
    let folder = with_a_gym();
    for (args, code) in [
        (&["gym", "list"][..], 0),
        (&["gym", "set", "nowhere", "--capacity", "3"], 1),
        (&["gym", "lost"], 2),
        (&["webhook", "remove", "nowhere"], 1),
    ] {
        for error in [full(), gone()] {
            let output = run_into(folder.path(), args, Stdio::null(), error);
            assert_eq!(output.status.code(), Some(code), "{args:?}");
        }
    }
    let output = run_into(folder.path(), &["gym", "list"], full(), full());
    assert_eq!(output.status.code(), Some(1), "it is no success either");
}

#[test]
fn what_was_asked_is_done_though_nobody_reads_of_it() {
    let folder = with_a_gym();
    run_into(folder.path(), &["gym", "set", "mitte", "--capacity", "91"], gone(), gone());
    let gyms = run_json(folder.path(), &["gym", "list", "--json"]);
    assert_eq!(gyms[0]["capacity"], 91, "{gyms}");
}

#[test]
fn a_database_is_never_opened_in_place_of_a_standard_stream() {
    let folder = with_a_gym();
    for closed in ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"] {
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("\"$0\" gym set mitte --capacity 7 --wrong {closed}"), BINARY]);
        shell.env("FOOTFALL_DATA", folder.path()).output().expect("the shell runs");
        shell = Command::new("sh");
        shell.args([
            "-c",
            &format!("\"$0\" gym list {closed}; \"$0\" gym set no {closed}"),
            BINARY,
        ]);
        shell.env("FOOTFALL_DATA", folder.path()).output().expect("the shell runs");
        let verified = run(folder.path(), &["verify"]);
        assert!(verified.status.success(), "{closed}");
    }
}
