//! A month under a moved clock: a backup a day, seven are kept, members are erased, and a gym goes.
//! After each run no copy holds a byte of any of them.

use std::collections::HashMap;
use std::fs;
use std::process::Command;
use std::sync::Arc;

use tempfile::TempDir;
use uuid::Uuid;

use super::sealed::{PASSPHRASE, Place, decrypted};
use super::{copies, said};
use crate::clock::moved;
use crate::erasure::{live_a_while, traces};
use crate::process;
use crate::service::{BINARY, Service};

const DAYS: usize = 30;
const KEEP: usize = 7;
/// On which days so many are erased, of those who are there.
const ERASED: [(usize, usize); 4] = [(3, 1), (4, 2), (12, 1), (27, 1)];
/// On which day the other gym is removed.
const REMOVED: usize = 20;

struct Month {
    folder: Arc<TempDir>,
    place: Place,
    is_sealed: bool,
    /// What was looked into already, by the bytes of its file.
    seen: HashMap<Vec<u8>, TempDir>,
}

impl Month {
    fn run(&self, day: usize, args: &[&str]) {
        let mut command = Command::new(BINARY);
        command.args(args).env("FOOTFALL_DATA", self.folder.path());
        run_on(day, command);
    }

    fn back_up(&self, day: usize) {
        let mut command = self.place.command(self.folder.path());
        command.env("FOOTFALL_BACKUP_KEEP", KEEP.to_string());
        if !self.is_sealed {
            command.env("FOOTFALL_BACKUP_PASSPHRASE_FILE", "");
        }
        run_on(day, command);
    }

    /// Looks for members in all copies: in one that was seen before, for who went since.
    fn look(&mut self, day: usize, gone: &[Uuid], went: usize, there: Uuid) {
        let all = copies(&self.place.shelf());
        assert_eq!(all.len(), KEEP.min(day + 1), "day {day}: {all:?}");
        for copy in all {
            let name = if self.is_sealed { "footfall.db.age" } else { "footfall.db" };
            let bytes = fs::read(copy.join(name)).expect("it is there");
            let is_new = !self.seen.contains_key(&bytes);
            let plain = self.seen.entry(bytes).or_insert_with_key(|bytes| opened(bytes));
            let asked = if is_new { gone } else { &gone[gone.len() - went..] };
            for member in asked {
                assert_eq!(traces(plain.path(), *member), Vec::<String>::new(), "day {day}");
            }
            let is_there = !is_new || !traces(plain.path(), there).is_empty();
            assert!(is_there, "day {day}: nobody else is lost");
        }
    }
}

/// The database of a copy, encrypted or not.
fn opened(bytes: &[u8]) -> TempDir {
    let folder = TempDir::new().expect("a temporary folder");
    let is_sealed = bytes.starts_with(b"age-encryption.org/v1");
    let database = if is_sealed { decrypted(bytes, PASSPHRASE) } else { bytes.to_vec() };
    fs::write(folder.path().join("footfall.db"), database).expect("it is written");
    folder
}

fn run_on(day: usize, mut command: Command) {
    let by = format!("+{day}d");
    let output = process::output(command.envs(moved(&by)));
    assert!(output.status.success(), "day {day}: {}", said(&output));
}

async fn live_through(is_sealed: bool) {
    let service = Service::start();
    let members: Vec<Uuid> = (0..9).map(|_| Uuid::new_v4()).collect();
    let others: Vec<Uuid> = (0..2).map(|_| Uuid::new_v4()).collect();
    for (gym, members) in [("mitte", &members), ("soho", &others)] {
        let webhook = service.add_gym(gym, "UTC");
        for (seed, member) in (0..).zip(members) {
            live_a_while(&service, &webhook, *member, seed).await;
        }
    }
    let folder = service.folder.clone();
    assert!(service.stop());
    let mut month = Month { folder, place: Place::new(), is_sealed, seen: HashMap::new() };
    let (mut there, mut gone) = (members, vec![]);
    for day in 0..DAYS {
        let before = gone.len();
        let erased = ERASED.iter().find(|(on, _)| *on == day).map_or(0, |(_, count)| *count);
        for member in there.split_off(there.len() - erased) {
            month.run(day, &["erase", &member.to_string(), "--gym", "mitte"]);
            gone.push(member);
        }
        if day == REMOVED {
            month.run(day, &["gym", "remove", "soho", "--yes"]);
            gone.extend(&others);
        }
        month.back_up(day);
        month.look(day, &gone, gone.len() - before, there[0]);
    }
}

#[needs::tools("faketime")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_a_month_no_copy_holds_whoever_was_erased_after_the_next_run() {
    live_through(false).await;
}

#[needs::tools("faketime")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_a_month_no_encrypted_copy_holds_whoever_was_erased_after_the_next_run() {
    live_through(true).await;
}
