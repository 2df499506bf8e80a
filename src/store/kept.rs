//! Copies that are kept elsewhere, plain or encrypted: whose they are, what they have forgotten, and
//! how one is put in place of another.
//!
//! An encrypted copy has the two files of a plain one, each with `.age` behind its name, and a third,
//! the note: by which key it is, and a keyed hash of all that was to be forgotten when it was
//! written. By that it is known without its passphrase whether there is something left to forget.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::copies::is_copy;
use super::database::{DATABASE_FILE, Database, open_to_read};
use super::error::{StoreError, in_file};
use super::files;
use super::key::{self, KEY_FILE, Key};
use super::ledger::{LEDGER_FILE, Ledger, LedgerEntry, key_tag};
use super::opened::length;
use super::schema;
use super::sealed::{Passphrases, sealed};
use super::secret::hex;
use crate::domain::Millis;
use crate::domain::ids::GymId;

/// The lock of the one backup that may be made.
pub(super) const BACKUP_LOCK_FILE: &str = "footfall.backup.lock";
/// The note of an encrypted copy.
const NOTE_FILE: &str = "footfall.forgotten";

/// All that a copy must have forgotten.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct ToForget {
    pub erased: Vec<LedgerEntry>,
    /// Gyms that were removed, and when each was made: its number alone does not name it.
    pub gyms: Vec<(GymId, Millis)>,
}

impl Database {
    /// Claims the folder for one backup; none while another is being made.
    pub fn try_lock_backup(&self) -> Result<Option<fs::File>, StoreError> {
        files::try_lock(&self.folder().join(BACKUP_LOCK_FILE))
    }

    /// Tells this database from others that keep their copies in the same folder.
    pub fn tag(&self) -> String {
        key_tag(self.key())
    }

    /// Whose copy a folder holds, where it can be told: of a plain one by its key, or by what the
    /// database says of ours; of an encrypted one by its note, or by its key, if we can open that.
    pub fn is_copied_to(&self, folder: &Path, by: Option<&Passphrases>) -> Option<bool> {
        if is_sealed(folder) {
            let tag = note_of(folder).map(|(tag, _)| tag).or_else(|| {
                let mut key = Vec::new();
                by?.read_sealed(&sealed(&folder.join(KEY_FILE)), &mut key).ok()?;
                Some(key_tag(&Key::of(key.try_into().ok()?)))
            });
            return tag.map(|tag| tag == self.tag());
        }
        if !folder.join(DATABASE_FILE).exists() {
            return Some(false);
        }
        if let Ok(Some(key)) = key::read(&folder.join(KEY_FILE)) {
            return Some(key.bytes() == self.key().bytes());
        }
        let database = open_to_read(&folder.join(DATABASE_FILE), true).ok()?;
        key::is_noted(&database, self.key()).ok()?
    }

    /// What every copy of this database is to forget.
    pub fn to_forget(&self) -> Result<ToForget, StoreError> {
        let mut erased = self.ledger()?.entries;
        erased.sort();
        Ok(ToForget { erased, gyms: self.read(|snapshot| snapshot.removed_gyms())? })
    }

    /// What the ledger of another database says to this one.
    pub fn ledger_of(&self, other: &Database) -> Result<Ledger, StoreError> {
        self.read_ledger(&other.folder().join(LEDGER_FILE))
    }

    /// Copies a plain copy of this database into a folder. Its key may be kept elsewhere: it is ours.
    pub fn copy_kept(&self, copy: &Path, into: &Path) -> Result<(), StoreError> {
        files::make_private_folder(into).map_err(in_file(into))?;
        let (from, to) = (copy.join(DATABASE_FILE), into.join(DATABASE_FILE));
        fs::copy(&from, &to).map_err(in_file(&from))?;
        files::make_private(&to)?;
        let key = into.join(KEY_FILE);
        files::write_whole(&key, self.key().bytes()).map_err(in_file(&key))
    }

    /// Puts the ledger of this database, if there is one, into the folder of a copy.
    pub fn lend_ledger(&self, copy: &Path) -> Result<(), StoreError> {
        let from = self.folder().join(LEDGER_FILE);
        match fs::read(&from) {
            Ok(bytes) => {
                let to = copy.join(LEDGER_FILE);
                files::write_whole(&to, &bytes).map_err(in_file(&to))
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            Err(source) => Err(in_file(&from)(source)),
        }
    }

    /// Encrypts a copy that has forgotten all this into a folder; its note comes last. The key of one
    /// that is written anew is there already, by a passphrase that may be an earlier one.
    pub fn seal_copy(
        &self,
        copy: &Path,
        into: &Path,
        by: &Passphrases,
        forgotten: &ToForget,
        is_anew: bool,
    ) -> Result<(), StoreError> {
        files::make_private_folder(into).map_err(in_file(into))?;
        let has_key = is_anew && by.is_one() && sealed(&into.join(KEY_FILE)).exists();
        let names: &[&str] = if has_key { &[DATABASE_FILE] } else { &[KEY_FILE, DATABASE_FILE] };
        for name in names {
            by.seal(&copy.join(name), &sealed(&into.join(name)))?;
        }
        let (tag, hash) = (self.tag(), self.hash_of(forgotten)?);
        let note = into.join(NOTE_FILE);
        files::write_whole(&note, format!("v1 {tag} {hash}\n").as_bytes()).map_err(in_file(&note))
    }

    /// Decrypts a copy of this database into a folder.
    pub fn open_own(&self, copy: &Path, into: &Path, by: &Passphrases) -> Result<(), StoreError> {
        by.unseal(&sealed(&copy.join(DATABASE_FILE)), &into.join(DATABASE_FILE))?;
        let key = into.join(KEY_FILE);
        files::write_whole(&key, self.key().bytes()).map_err(in_file(&key))
    }

    /// Whether an encrypted copy had all this to forget when it was written.
    pub fn is_noted(&self, copy: &Path, to_forget: &ToForget) -> Result<bool, StoreError> {
        let hash = self.hash_of(to_forget)?;
        Ok(note_of(copy).is_some_and(|(_, noted)| noted == hash))
    }

    fn hash_of(&self, to_forget: &ToForget) -> Result<String, StoreError> {
        let erased = to_forget.erased.iter().map(|entry| {
            let LedgerEntry { gym, account_hash, erased_until } = entry;
            format!("{} {} {erased_until}", gym.0, hex(account_hash))
        });
        let gyms = to_forget.gyms.iter().map(|(gym, made_at)| format!("{} {made_at}", gym.0));
        let lines: Vec<_> = erased.chain(gyms).collect();
        self.read(|snapshot| {
            // A later version may know of more places in which somebody is named.
            let version = schema::version_of(snapshot.connection)?;
            let text =
                format!("footfall: what a copy has forgotten\n{version}\n{}", lines.join("\n"));
            Ok(hex(&snapshot.keyed_hash(text.as_bytes())))
        })
    }

    /// Puts a copy in place of another. What the other has is replaced by its last file: until then
    /// its note says no more than is true. What else was made beside it, by who looked into it, goes:
    /// it may name whoever the new one has forgotten.
    pub fn replace_copy(by: &Path, copy: &Path) -> Result<(), StoreError> {
        for from in files_of_copy(by) {
            let to = copy.join(from.file_name().unwrap_or_default());
            if from.exists() {
                fs::rename(&from, &to).map_err(in_file(&to))?;
                files::sync_folder(&to).map_err(in_file(&to))?;
            }
        }
        for path in beside_copy(copy)? {
            let removed =
                if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
            removed.map_err(in_file(&path))?;
        }
        Ok(())
    }
}

/// Whether a plain copy has its key with it.
pub fn has_key(copy: &Path) -> bool {
    copy.join(KEY_FILE).exists()
}

/// Leaves a plain copy without its key.
pub fn remove_key(copy: &Path) -> Result<(), StoreError> {
    let key = copy.join(KEY_FILE);
    fs::remove_file(&key).map_err(in_file(&key))
}

/// Removes the files of a copy, and its folder with them where that is wanted.
pub fn remove_copy(copy: &Path, with_folder: bool) -> Result<(), StoreError> {
    for file in files_of_copy(copy).iter().filter(|file| file.exists()) {
        fs::remove_file(file).map_err(in_file(file))?;
    }
    if with_folder { super::copies::remove(copy) } else { Ok(()) }
}

/// All that a copy may have, in the order in which it is put in place.
fn files_of_copy(folder: &Path) -> [PathBuf; 5] {
    let [database, key] = [DATABASE_FILE, KEY_FILE].map(|name| folder.join(name));
    let (sealed_database, sealed_key) = (sealed(&database), sealed(&key));
    [database, key, sealed_database, sealed_key, folder.join(NOTE_FILE)]
}

/// What lies beside a copy because footfall was run on it: a log, a ledger, what a restore put aside.
pub fn beside_copy(copy: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let own = files_of_copy(copy);
    let entries = fs::read_dir(copy).and_then(Iterator::collect::<std::io::Result<Vec<_>>>);
    let paths = entries.map_err(in_file(copy))?.into_iter().map(|entry| entry.path());
    let is_made_here = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        !own.contains(path)
            && (name.starts_with("footfall.") || name == LEDGER_FILE || is_copy(&name))
    };
    Ok(paths.filter(is_made_here).collect())
}

/// Whether a copy seems to be all there: the head of its database says how long it is, and an
/// encrypted one begins as such a file does.
pub fn seems_whole(copy: &Path) -> bool {
    let (file, is_sealed) = (copy.join(DATABASE_FILE), is_sealed(copy));
    let file = if is_sealed { sealed(&file) } else { file };
    let Ok(length) = length(&file) else { return false };
    let mut head = [0; 100];
    let read = fs::File::open(&file).and_then(|mut file| file.read_exact(&mut head));
    if read.is_err() || is_sealed {
        return read.is_ok() && head.starts_with(b"age-encryption.org/v1\n");
    }
    let page = match u64::from(u16::from_be_bytes([head[16], head[17]])) {
        1 => 65_536,
        page => page,
    };
    let pages = u64::from(u32::from_be_bytes([head[28], head[29], head[30], head[31]]));
    head.starts_with(b"SQLite format 3\0") && length == page * pages
}

/// Whether a folder holds a copy that is encrypted.
pub fn is_sealed(folder: &Path) -> bool {
    sealed(&folder.join(DATABASE_FILE)).exists()
}

/// Decrypts a copy into a folder.
pub fn open_sealed(copy: &Path, into: &Path, by: Option<&Passphrases>) -> Result<(), StoreError> {
    let by = by.ok_or_else(|| needs_passphrase(copy))?;
    for name in [KEY_FILE, DATABASE_FILE] {
        let from = sealed(&copy.join(name));
        // A key that is kept elsewhere is asked for as that of a plain copy is.
        if name == DATABASE_FILE || from.exists() {
            by.unseal(&from, &into.join(name))?;
        }
    }
    Ok(())
}

/// A copy that is encrypted, where nobody said by what.
pub fn needs_passphrase(copy: &Path) -> StoreError {
    StoreError::Refused(format!(
        "{} is encrypted: name the file of its passphrase with --passphrase-file, or as \
         `backup.passphrase_file` in the configuration",
        copy.display()
    ))
}

/// Whether a copy can be opened; of what is large in it only the beginning is read.
pub fn check_sealed(copy: &Path, by: &Passphrases) -> Result<(), StoreError> {
    by.check(&sealed(&copy.join(DATABASE_FILE)))
}

/// By which key an encrypted copy is, and what it has forgotten.
fn note_of(copy: &Path) -> Option<(String, String)> {
    let text = fs::read_to_string(copy.join(NOTE_FILE)).ok()?;
    let mut words = text.split_whitespace();
    if words.next() != Some("v1") {
        return None;
    }
    Some((words.next()?.to_owned(), words.next()?.to_owned()))
}
