//! Encrypted backups: opened here by the `age` crate itself, as any program that knows the format
//! would.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use age::secrecy::SecretString;
use tempfile::TempDir;
use uuid::Uuid;

use super::{copies, erase, lived_in, said};
use crate::erasure::traces;
use crate::process;
use crate::service::{BINARY, run, run_json, verify};

pub const PASSPHRASE: &str = "correct horse battery staple";
const OTHER: &str = "an altogether different one";
const NAMES: [&str; 3] = ["footfall.db.age", "footfall.forgotten", "footfall.key.age"];

/// A place with a shelf and a file of passphrases.
pub struct Place {
    folder: TempDir,
}

impl Place {
    pub fn new() -> Place {
        let place = Place { folder: TempDir::new().expect("a temporary folder") };
        place.write(PASSPHRASE);
        place
    }

    pub fn write(&self, passphrases: &str) {
        fs::write(self.passphrases(), passphrases).expect("it is written");
    }

    pub fn passphrases(&self) -> PathBuf {
        self.folder.path().join("passphrases")
    }

    pub fn shelf(&self) -> PathBuf {
        self.folder.path().join("shelf")
    }

    /// The command of a timer, that is not run yet.
    pub fn command(&self, data: &Path) -> Command {
        let mut command = Command::new(BINARY);
        command.arg("backup").env("FOOTFALL_DATA", data).env("FOOTFALL_BACKUP_KEEP", "3");
        command.env("FOOTFALL_BACKUP_FOLDER", self.shelf());
        command.env("FOOTFALL_BACKUP_PASSPHRASE_FILE", self.passphrases());
        command
    }

    pub fn back_up(&self, data: &Path) -> Output {
        process::output(&mut self.command(data))
    }

    pub fn made(&self, data: &Path) {
        let output = self.back_up(data);
        assert!(output.status.success(), "{}", said(&output));
    }
}

/// What is in an encrypted file.
pub fn decrypted(sealed: &[u8], passphrase: &str) -> Vec<u8> {
    let identity = age::scrypt::Identity::new(SecretString::from(passphrase.to_owned()));
    age::decrypt(&identity, sealed).expect("it is opened")
}

/// A copy as any program opens it.
pub fn opened(copy: &Path, passphrase: &str) -> TempDir {
    let folder = TempDir::new().expect("a temporary folder");
    for name in ["footfall.db", "footfall.key"] {
        let sealed = fs::read(copy.join(format!("{name}.age"))).expect("it is there");
        fs::write(folder.path().join(name), decrypted(&sealed, passphrase)).expect("it is written");
    }
    folder
}

fn names(folder: &Path) -> Vec<String> {
    let paths = copies(folder).into_iter();
    paths.map(|path| path.file_name().expect("a name").to_string_lossy().into_owned()).collect()
}

/// Whether nothing is left of copies in the data folder.
pub fn is_clear(data: &Path) -> bool {
    !names(data).iter().any(|name| name.starts_with("trial-"))
}

fn restored(data: &Path, backup: &Path, passphrases: &Path) -> Output {
    let (backup, file) = (backup.display().to_string(), passphrases.display().to_string());
    run(data, &["restore", &backup, "--yes", "--json", "--passphrase-file", &file])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_encrypted_copy_holds_nobody_who_was_erased_and_is_written_anew_only_then() {
    let (ada, bob) = (Uuid::new_v4(), Uuid::new_v4());
    let folder = lived_in(&[ada, bob]).await;
    let (data, place) = (folder.path(), Place::new());
    place.made(data);
    place.made(data);
    let before = copies(&place.shelf());
    assert_eq!(before.len(), 2);
    for copy in &before {
        assert_eq!(names(copy), NAMES);
        assert!(!traces(opened(copy, PASSPHRASE).path(), ada).is_empty(), "the search finds her");
    }
    assert_eq!(traces(&place.shelf(), bob), Vec::<String>::new(), "nothing is there in plain");
    let bytes = |copy: &Path| NAMES.map(|name| fs::read(copy.join(name)).expect("it is there"));
    let first = bytes(&before[0]);
    place.made(data);
    assert!(bytes(&before[0]) == first, "what has nothing to forget is left alone");
    erase(data, ada);
    place.made(data);
    let after = copies(&place.shelf());
    assert_eq!((after.len(), &after[0]), (3, &before[1]), "the oldest goes");
    for copy in &after {
        assert_eq!(names(copy), NAMES);
        let opened = opened(copy, PASSPHRASE);
        assert_eq!(traces(opened.path(), ada), Vec::<String>::new());
        assert!(!traces(opened.path(), bob).is_empty(), "nobody else is lost");
        assert_eq!(verify(opened.path())["ok"], true);
    }
    assert!(is_clear(data));
    let last = bytes(&after[2]);
    place.made(data);
    assert!(bytes(&after[2]) == last, "all of it is forgotten");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_no_passphrase_opens_any_more_goes_when_somebody_is_erased() {
    let (ada, bob) = (Uuid::new_v4(), Uuid::new_v4());
    let folder = lived_in(&[ada, bob]).await;
    let (data, place) = (folder.path(), Place::new());
    place.made(data);
    // Both are known: all is written anew by the first.
    place.write(&format!("{OTHER}\n{PASSPHRASE}\n"));
    erase(data, ada);
    place.made(data);
    let both = copies(&place.shelf());
    assert_eq!(both.len(), 2);
    for copy in &both {
        assert_eq!(traces(opened(copy, OTHER).path(), ada), Vec::<String>::new());
    }
    // The other is not known any more, and nobody was erased since: nothing is lost.
    place.write(PASSPHRASE);
    place.made(data);
    assert_eq!(copies(&place.shelf()).len(), 3);
    // None at all, or one that cannot be read: nothing is done, and nothing is lost.
    erase(data, bob);
    fs::remove_file(place.passphrases()).expect("it is removed");
    let missing = place.back_up(data);
    assert!(!missing.status.success() && said(&missing).contains("passphrase_file"), "{missing:?}");
    let unnamed = process::output(place.command(data).env("FOOTFALL_BACKUP_PASSPHRASE_FILE", ""));
    assert!(!unnamed.status.success() && said(&unnamed).contains("is encrypted"), "{unnamed:?}");
    let sealed: BTreeSet<_> = copies(&place.shelf()).into_iter().collect();
    assert!(both[1..].iter().all(|copy| sealed.contains(copy)), "{sealed:?}");
    place.write(PASSPHRASE);
    let output = place.back_up(data);
    assert!(output.status.success(), "{}", said(&output));
    let kept = copies(&place.shelf());
    assert!(!kept.contains(&both[1]), "it may hold him: {kept:?}");
    assert!(!kept.is_empty());
    for copy in kept {
        let is_plain = copy.join("footfall.db").exists();
        let opened = if is_plain { None } else { Some(opened(&copy, PASSPHRASE)) };
        let path = opened.as_ref().map_or(copy.as_path(), |opened| opened.path());
        assert_eq!(traces(path, bob), Vec::<String>::new());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_encrypted_backup_is_made_by_hand_and_restored_and_no_other_is() {
    let (ada, bob) = (Uuid::new_v4(), Uuid::new_v4());
    let folder = lived_in(&[ada, bob]).await;
    let (data, place) = (folder.path(), Place::new());
    let copy = place.shelf();
    let (to, file) = (copy.display().to_string(), place.passphrases().display().to_string());
    let by_hand = ["backup", &to, "--json", "--passphrase-file", &file];
    assert_eq!(run_json(data, &by_hand)["encrypted"], true);
    assert_eq!(names(&copy), NAMES);
    assert!(said(&run(data, &by_hand)).contains("not empty"), "a copy is never written over");
    erase(data, ada);

    let refused = |passphrases: Option<&Path>, why: &str| {
        let output = match passphrases {
            Some(file) => restored(data, &copy, file),
            None => run(data, &["restore", &to, "--yes"]),
        };
        assert!(!output.status.success() && said(&output).contains(why), "{}", said(&output));
        assert!(!names(data).iter().any(|name| name.contains("restore-")), "{:?}", names(data));
    };
    refused(None, "name the file of its passphrase with --passphrase-file");
    refused(Some(&data.join("none")), "none");
    place.write(OTHER);
    refused(Some(&place.passphrases()), "another passphrase than those in");
    place.write("\n");
    refused(Some(&place.passphrases()), "is empty");
    place.write(PASSPHRASE);
    let sealed = copy.join(NAMES[0]);
    let bytes = fs::read(&sealed).expect("it is there");
    fs::write(&sealed, &bytes[..bytes.len() - 100]).expect("it is written");
    refused(Some(&place.passphrases()), "ends too early");
    let key = age::x25519::Identity::generate().to_public();
    fs::write(&sealed, age::encrypt(&key, &bytes).expect("it is encrypted")).expect("written");
    refused(Some(&place.passphrases()), "for a key, and not with a passphrase");
    fs::write(&sealed, &bytes).expect("it is written");

    let machine = TempDir::new().expect("a temporary folder");
    for data in [data, machine.path()] {
        let output = restored(data, &copy, &place.passphrases());
        assert!(output.status.success(), "{}", said(&output));
        assert_eq!(verify(data)["ok"], true);
        assert!(!traces(data, bob).is_empty());
    }
    assert_eq!(traces(data, ada), Vec::<String>::new(), "erased again, where the ledger is");
    assert!(!traces(machine.path(), ada).is_empty());
}
