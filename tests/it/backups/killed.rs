//! A backup that is killed, at many moments: nothing half has a name, and the next run clears what
//! was left.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use tempfile::TempDir;
use uuid::Uuid;

use super::sealed::{PASSPHRASE, Place, is_clear, opened};
use super::{copies, erase, lived_in};
use crate::erasure::traces;
use crate::process::{self, Program};
use crate::service::{Service, verify};

fn has_draft(folder: &Path) -> bool {
    let is_draft = |path: &PathBuf| path.display().to_string().contains("/unfinished");
    copies(folder).iter().any(is_draft)
}

/// The copies that have a name; each is good.
fn good(shelf: &Path) -> Vec<PathBuf> {
    let mut named = copies(shelf);
    named.retain(|path| path.display().to_string().contains("/footfall-"));
    for copy in &named {
        let is_sealed = copy.join("footfall.db.age").exists();
        let opened = is_sealed.then(|| opened(copy, PASSPHRASE));
        let path = opened.as_ref().map_or(copy.as_path(), |opened| opened.path());
        assert_eq!(verify(path)["ok"], true, "{}", copy.display());
    }
    named
}

/// Starts a backup, and kills it when something is there and it was looked at so often. Whether it
/// was still at work.
fn kill_when(mut command: Command, is_there: impl Fn() -> bool, looks: usize) -> bool {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut program = Program::start(&mut command);
    let mut left = looks;
    while program.is_running() && left > 0 {
        left -= usize::from(is_there());
    }
    let is_at_work = program.is_running();
    program.kill();
    is_at_work
}

async fn kill_at_many_moments(is_sealed: bool) {
    let members: Vec<Uuid> = (0..12).map(|_| Uuid::new_v4()).collect();
    let folder = lived_in(&members).await;
    let (data, place) = (folder.path(), Place::new());
    let shelf = place.shelf();
    let command = || {
        let mut command = place.command(data);
        if !is_sealed {
            command.env("FOOTFALL_BACKUP_PASSPHRASE_FILE", "");
        }
        command
    };
    assert!(process::output(&mut command()).status.success());
    let (mut killed, mut erased) = (0, vec![]);
    for (member, looks) in members.iter().zip([1, 2, 10, 40, 160, 640, 1_500, 3_000, 6_000]) {
        // So that what is kept is written anew, too.
        erase(data, *member);
        erased.push(*member);
        let is_there = || has_draft(&shelf) || !is_clear(data);
        killed += usize::from(kill_when(command(), is_there, looks));
        assert!(!good(&shelf).is_empty(), "{looks}");
    }
    assert!(killed > 3, "only {killed} were still at work");
    let output = process::output(&mut command());
    assert!(output.status.success(), "{output:?}");
    assert!(is_clear(data) && !has_draft(&shelf), "what was left is cleared");
    for copy in good(&shelf) {
        let opened = is_sealed.then(|| opened(&copy, PASSPHRASE));
        let path = opened.as_ref().map_or(copy.as_path(), |opened| opened.path());
        for member in &erased {
            assert_eq!(traces(path, *member), Vec::<String>::new());
        }
        assert!(!traces(path, members[11]).is_empty(), "nobody else is lost");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_that_is_killed_leaves_nothing_half_under_a_name() {
    kill_at_many_moments(false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_encrypted_one_that_is_killed_leaves_nothing_half_and_nothing_plain() {
    kill_at_many_moments(true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_killed_backup_left_is_cleared_at_the_next_start() {
    let ada = Uuid::new_v4();
    let folder = lived_in(&[ada]).await;
    let place = Place::new();
    let shelf = place.shelf().display().to_string();
    assert!(kill_when(place.command(folder.path()), || !is_clear(folder.path()), 2));
    assert!(!is_clear(folder.path()), "it was killed in the middle");
    let tag = fs::read_to_string(a_copy(&place, &folder).join("footfall.forgotten"));
    let tag = tag.expect("it is there").split(' ').nth(1).expect("a word").to_owned();
    for name in [format!("unfinished-{tag}"), format!("unfinished-{tag}-scratch")] {
        fs::create_dir(place.shelf().join(&name)).expect("it is made");
        fs::write(place.shelf().join(name).join("half"), ada.as_bytes()).expect("it is written");
    }
    let env = [("FOOTFALL_BACKUP_FOLDER", &*shelf)];
    let service = Service::start_with(folder.clone(), "127.0.0.1:0", &env);
    assert!(is_clear(service.data()) && !has_draft(&place.shelf()));
    assert_eq!(copies(&place.shelf()).len(), 1, "what is whole stays");
}

fn a_copy(place: &Place, folder: &Arc<TempDir>) -> PathBuf {
    place.made(folder.path());
    copies(&place.shelf()).remove(0)
}
