//! Copies that are kept elsewhere, plain or encrypted: whose they are, what they have forgotten, and
//! how one is put in place of another.
//!
//! An encrypted copy has the two files of a plain one, each with `.age` behind its name, and a third,
//! the note: by which key it is, and a keyed hash of all that was to be forgotten when it was
//! written. By that it is known without its passphrase whether there is something left to forget.

use std::fs;
use std::path::Path;

use super::database::{DATABASE_FILE, Database, StoreError, in_file};
use super::files;
use super::key::{self, KEY_FILE};
use super::ledger::{LEDGER_FILE, Ledger, LedgerEntry, key_tag};
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

    /// Whether a folder holds a copy of this database.
    pub fn is_copied_to(&self, folder: &Path) -> bool {
        if is_sealed(folder) {
            return note_of(folder).is_some_and(|(tag, _)| tag == self.tag());
        }
        let key = key::read(&folder.join(KEY_FILE));
        folder.join(DATABASE_FILE).exists()
            && matches!(key, Ok(Some(key)) if key.bytes() == self.key().bytes())
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

    /// Copies a plain copy into a folder.
    pub fn copy_kept(&self, copy: &Path, into: &Path) -> Result<(), StoreError> {
        files::make_private_folder(into).map_err(in_file(into))?;
        for name in [DATABASE_FILE, KEY_FILE] {
            let (from, to) = (copy.join(name), into.join(name));
            fs::copy(&from, &to).map_err(in_file(&from))?;
            files::make_private(&to)?;
        }
        Ok(())
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
        let has_key = is_anew && by.is_one();
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
    /// its note says no more than is true.
    pub fn replace_copy(by: &Path, copy: &Path) -> Result<(), StoreError> {
        let plain = [DATABASE_FILE, KEY_FILE].map(|name| by.join(name));
        let encrypted = plain.clone().map(|file| sealed(&file));
        for from in plain.into_iter().chain(encrypted).chain([by.join(NOTE_FILE)]) {
            let name = from.file_name().unwrap_or_default();
            if from.exists() {
                let to = copy.join(name);
                fs::rename(&from, &to).map_err(in_file(&to))?;
                files::sync_folder(&to).map_err(in_file(&to))?;
            }
        }
        Ok(())
    }
}

/// Whether a folder holds a copy that is encrypted.
pub fn is_sealed(folder: &Path) -> bool {
    sealed(&folder.join(DATABASE_FILE)).exists()
}

/// Decrypts a copy into a folder.
pub fn open_sealed(copy: &Path, into: &Path, by: Option<&Passphrases>) -> Result<(), StoreError> {
    let by = by.ok_or_else(|| needs_passphrase(copy))?;
    for name in [KEY_FILE, DATABASE_FILE] {
        by.unseal(&sealed(&copy.join(name)), &into.join(name))?;
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

/// Whether a copy can be opened; what is large in it is not read.
pub fn check_sealed(copy: &Path, by: &Passphrases) -> Result<(), StoreError> {
    by.check(&sealed(&copy.join(KEY_FILE)))
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
