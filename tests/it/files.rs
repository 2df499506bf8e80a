//! Files: whole or not there, private, and of the user whose folder it is.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;

use tempfile::TempDir;
use uuid::Uuid;

use crate::process;
use crate::service::{BINARY, Service, answer, delivery, now, run, run_json, verify};

/// A user that is not the one who runs the tests.
const SOMEBODY: u32 = 4_711;

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn with_a_gym() -> TempDir {
    let folder = TempDir::new().expect("a temporary folder");
    let args = ["gym", "add", "mitte", "--name", "m", "--time-zone", "UTC", "--json"];
    run_json(folder.path(), &args);
    folder
}

/// Runs a command by a shell that does something before.
fn run_after(before: &str, folder: &Path, args: &[&str]) -> Output {
    let script = format!("{before}; exec \"$0\" \"$@\"");
    let mut shell = Command::new("sh");
    shell.args(["-c", &script, BINARY]).args(args).env("FOOTFALL_DATA", folder);
    process::output(&mut shell)
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("it can be read");
    let name = |entry: fs::DirEntry| entry.file_name().to_string_lossy().into_owned();
    let mut names: Vec<_> = entries.map(|entry| name(entry.expect("it can be read"))).collect();
    names.sort();
    names
}

#[test]
fn a_backup_that_found_no_room_leaves_nothing_and_the_next_one_works() {
    let folder = with_a_gym();
    let place = TempDir::new().expect("a temporary folder");
    let to = place.path().join("copy");
    let text = to.display().to_string();
    // A signal that is ignored is an error for who writes; else it is the end, as by a power cut.
    for (limits, is_killed) in [("trap '' XFSZ; ulimit -f 16", false), ("ulimit -f 16", true)] {
        let output = run_after(limits, folder.path(), &["backup", &text]);
        assert!(!output.status.success(), "{limits}");
        assert!(!to.join("footfall.db").exists(), "{limits}: not half a database");
        if !is_killed {
            assert!(!said(&output).is_empty(), "{limits}");
            assert!(!to.exists(), "{limits}: {:?}", names(&to));
        }
    }
    run_json(folder.path(), &["backup", &text, "--json"]);
    assert_eq!(names(&to), ["footfall.db", "footfall.key"]);
    assert_eq!(verify(&to)["ok"], true);
    let again = run(folder.path(), &["backup", &text]);
    assert!(said(&again).contains("there already"), "a copy is never written over");
}

#[test]
fn a_backup_touches_nothing_of_another_database() {
    let folder = with_a_gym();
    for (name, bytes) in [("footfall.key", [7; 32]), ("footfall.db-wal", [0; 32])] {
        let to = TempDir::new().expect("a temporary folder");
        fs::write(to.path().join(name), bytes).expect("it is written");
        let output = run(folder.path(), &["backup", &to.path().display().to_string()]);
        assert!(!output.status.success() && said(&output).contains(name), "{}", said(&output));
        assert_eq!(names(to.path()), [name]);
        assert_eq!(fs::read(to.path().join(name)).expect("it is there"), bytes);
    }
}

#[test]
fn no_file_for_people_is_written_over_one_of_the_data_folders_own() {
    let folder = with_a_gym();
    let key = folder.path().join("footfall.key");
    let before = fs::read(&key).expect("it is there");
    let list = TempDir::new().expect("a temporary folder");
    let file = list.path().join("visits.csv");
    fs::write(&file, "account,entered,left\nnobody,never,never\n").expect("it is written");
    let (file, into) = (file.display().to_string(), key.display().to_string());
    let import = ["import", &file, "--gym", "mitte", "--skip-bad-lines", &into];
    let log = folder.path().join("footfall.db-journal").display().to_string();
    for args in [&import[..], &["export", "--out", &log]] {
        let output = run(folder.path(), args);
        assert!(!output.status.success(), "{args:?}");
        assert!(said(&output).contains("footfall's own in the data folder"), "{}", said(&output));
    }
    assert_eq!(fs::read(&key).expect("it is there"), before);
}

#[test]
fn a_backup_overwrites_the_empty_file_that_an_earlier_version_left() {
    let folder = with_a_gym();
    let to = TempDir::new().expect("a temporary folder");
    fs::write(to.path().join("footfall.db"), "").expect("it is written");
    run_json(folder.path(), &["backup", &to.path().display().to_string(), "--json"]);
    assert_eq!(verify(to.path())["ok"], true);
}

#[test]
fn an_export_that_found_no_room_leaves_nothing() {
    let folder = with_a_gym();
    for number in 0..40 {
        let slug = format!("gym-{number}");
        let args = ["gym", "add", &slug, "--name", "m", "--time-zone", "UTC", "--json"];
        run_json(folder.path(), &args);
    }
    let place = TempDir::new().expect("a temporary folder");
    let to = place.path().join("all.jsonl");
    let args = ["export", "--out", &to.display().to_string()];
    let output = run_after("trap '' XFSZ; ulimit -f 4", folder.path(), &args);
    assert!(!output.status.success());
    assert_eq!(names(place.path()), Vec::<String>::new());
    assert!(run(folder.path(), &args).status.success(), "the next one works");
    assert_eq!(names(place.path()), ["all.jsonl"]);
}

fn modes(folder: &Path) -> Vec<(PathBuf, u32)> {
    let entries = fs::read_dir(folder).expect("it can be read");
    let mode = |path: PathBuf| {
        let mode = fs::metadata(&path).expect("it is there").permissions().mode() & 0o777;
        (path, mode)
    };
    entries.map(|entry| mode(entry.expect("it can be read").path())).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_are_private_also_in_a_folder_that_was_there_before() {
    let folder = Arc::new(TempDir::new().expect("a temporary folder"));
    let open = |mode| fs::set_permissions(folder.path(), fs::Permissions::from_mode(mode));
    open(0o755).expect("it is changed");
    let args = ["gym", "add", "mitte", "--name", "m", "--time-zone", "UTC"];
    let output = run_after("umask 000", folder.path(), &args);
    assert!(output.status.success(), "{}", said(&output));
    assert!(said(&output).contains("open to other users"), "it says so: {}", said(&output));
    for name in ["footfall.db", "footfall.key"] {
        let public = fs::Permissions::from_mode(0o644);
        fs::set_permissions(folder.path().join(name), public).expect("it is changed");
    }
    fs::write(folder.path().join("erasures.ledger"), "").expect("it is written");
    let service = Service::start_on(folder.clone());
    let webhook = service.add_webhook("mitte");
    let token = service.add_token("all", "admin", &[]);
    let deleted = delivery(Uuid::new_v4(), now(), "MEMBERSHIP_DELETE");
    assert_eq!(service.post(&webhook, deleted).await.0, 200);
    crate::erasure::completed(&service, &token).await;
    run_json(folder.path(), &["rebuild", "--json"]);
    let ours = |path: &Path| path.file_name().is_some_and(|name| name != "service.log");
    for (path, mode) in modes(folder.path()).into_iter().filter(|(path, _)| ours(path)) {
        assert_eq!(mode & 0o077, 0, "{}: {mode:o}", path.display());
    }
    let copy = TempDir::new().expect("a temporary folder");
    fs::set_permissions(copy.path(), fs::Permissions::from_mode(0o755)).expect("it is changed");
    let text = copy.path().display().to_string();
    let export = copy.path().join("all.jsonl").display().to_string();
    for args in [&["backup", &text][..], &["export", "--out", &export]] {
        assert!(run_after("umask 000", folder.path(), args).status.success());
    }
    for (path, mode) in modes(copy.path()) {
        assert_eq!(mode & 0o077, 0, "{}: {mode:o}", path.display());
    }
    drop(service);
    open(0o700).expect("it is changed");
    assert!(!said(&run(folder.path(), &["gym", "list"])).contains("warning"));
}

#[test]
fn another_user_than_the_folders_owner_is_refused() {
    if !is_root() {
        return;
    }
    let folder = with_a_gym();
    let before = names(folder.path());
    for entry in fs::read_dir(folder.path()).expect("it can be read") {
        chown(entry.expect("it can be read").path(), Some(SOMEBODY), None).expect("it is given");
    }
    let gives = |owner| chown(folder.path(), Some(owner), None).expect("it is given");
    // Somebody's folder, and a volume of root's in which somebody made the database.
    for owner in [SOMEBODY, 0] {
        gives(owner);
        for args in [&["gym", "list"][..], &["erase", &Uuid::nil().to_string(), "--all-gyms"]] {
            let output = run(folder.path(), args);
            assert!(!output.status.success(), "{args:?} of root in {owner}'s folder");
            assert!(said(&output).contains("sudo -u #4711"), "{}", said(&output));
        }
    }
    assert_eq!(names(folder.path()), before, "nothing was made there");
    let empty = TempDir::new().expect("a temporary folder");
    chown(empty.path(), Some(SOMEBODY), None).expect("it is given");
    assert!(!run(empty.path(), &["gym", "list"]).status.success());
    assert_eq!(names(empty.path()), Vec::<String>::new());
}

/// Runs the binary as somebody who is not root.
fn run_as_somebody(folder: &Path, args: &[&str]) -> Output {
    use std::os::unix::process::CommandExt;
    let copy = folder.parent().expect("it is in one").join("footfall-for-all");
    // By another process: what this one has open to write, a test beside may hand on to a program
    // that it starts, and what is open to write cannot be run.
    let copied = Command::new("cp").arg(BINARY).arg(&copy).status();
    assert!(copied.expect("cp runs").success());
    fs::set_permissions(&copy, fs::Permissions::from_mode(0o755)).expect("for all");
    let mut command = Command::new(&copy);
    command.arg("--data").arg(folder).args(args).uid(SOMEBODY).current_dir("/");
    command.output().expect("the binary runs")
}

#[test]
fn whoever_comes_to_roots_folder_is_told_to_be_root_and_not_to_take_it() {
    if !is_root() {
        return;
    }
    let outer = TempDir::new().expect("a temporary folder");
    let folder = outer.path().join("data");
    fs::set_permissions(outer.path(), fs::Permissions::from_mode(0o755)).expect("for all");
    assert!(
        run(&folder, &["gym", "add", "mitte", "--name", "Mitte", "--time-zone", "UTC"])
            .status
            .success()
    );
    for mode in [0o700, 0o755] {
        fs::set_permissions(&folder, fs::Permissions::from_mode(mode)).expect("it is ours");
        let output = run_as_somebody(&folder, &["gym", "list"]);
        let told = said(&output);
        assert!(!output.status.success() && told.contains("sudo -u root"), "{mode:o}: {told}");
        assert!(!told.contains("give it back"), "{mode:o}: {told}");
    }
}

#[test]
fn a_log_of_the_database_that_is_another_users_is_named() {
    if !is_root() {
        return;
    }
    let folder = with_a_gym();
    for name in ["footfall.db-wal", "footfall.db-shm"] {
        let path = folder.path().join(name);
        fs::File::options().append(true).create(true).open(&path).expect("it is there");
        chown(&path, Some(SOMEBODY), None).expect("it is given");
        let output = run(folder.path(), &["gym", "list"]);
        let told = said(&output);
        assert!(
            !output.status.success() && told.contains(name) && told.contains("chown"),
            "{told}"
        );
        chown(&path, Some(0), None).expect("it is given back");
        assert!(run(folder.path(), &["gym", "list"]).status.success());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ledger_that_cannot_be_written_is_not_ready() {
    let service = Service::start();
    let webhook = service.add_gym("mitte", "UTC");
    let token = service.add_token("all", "admin", &[]);
    let ready = || answer(service.client.get(format!("{}/readyz", service.root)));
    assert_eq!(ready().await.0, 200);
    let ledger = service.data().join("erasures.ledger");
    drop(fs::remove_file(&ledger));
    // Not even root can write to it.
    fs::create_dir(&ledger).expect("it is made");
    let (status, problem) = ready().await;
    assert_eq!(status, 503, "{problem}");
    assert!(problem["detail"].as_str().is_some_and(|text| text.contains("ledger")), "{problem}");
    let metrics = answer(service.client.get(format!("{}/metrics", service.root))).await.1;
    let metrics = metrics.as_str().expect("text").to_owned();
    assert!(metrics.contains("footfall_erasure_ledger_writable 0"), "{metrics}");
    let deleted = delivery(Uuid::new_v4(), now(), "MEMBERSHIP_DELETE");
    assert_eq!(service.post(&webhook, deleted).await.0, 200);
    fs::remove_dir(&ledger).expect("it is removed");
    crate::erasure::completed(&service, &token).await;
    assert_eq!(ready().await.0, 200);
}
