//! The key of the hashes by which accounts are found. It is a file beside the database, so that a
//! copy of the database alone cannot tell whose a keyed hash is; and the database can tell whether
//! a key is its own. A key is made once, for a data folder in which nothing needs one.

use std::io::{ErrorKind, Write};
use std::path::Path;
use std::time::Duration;

use hmac::{Hmac, Mac};
use rusqlite::{Connection, params};
use sha2::Sha256;
use uuid::Uuid;

use super::database::{Database, Snapshot};
use super::error::{StoreError, in_file};
use super::files::{self, Draft};
use super::gyms::optional;
use crate::domain::ids::{Account, GymId};

/// The key's name in the data folder.
pub(super) const KEY_FILE: &str = "footfall.key";

/// The bytes of a key.
const KEY_BYTES: usize = 32;

#[derive(Clone)]
pub(super) struct Key {
    bytes: [u8; KEY_BYTES],
    /// What begins every hash by it, so that it is worked out once.
    begun: Hmac<Sha256>,
}

impl Key {
    pub fn of(bytes: [u8; KEY_BYTES]) -> Key {
        let begun = Hmac::new_from_slice(&bytes).expect("any length of key will do");
        Key { bytes, begun }
    }

    pub fn bytes(&self) -> &[u8; KEY_BYTES] {
        &self.bytes
    }

    fn hash(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut mac = self.begun.clone();
        for part in parts {
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }

    fn person(&self, gym: GymId, account: Account) -> Person {
        let hash = self.hash(&[&gym.0.to_be_bytes(), account.0.as_bytes()]);
        Person { gym, account, hash }
    }
}

/// An account at a gym, with the keyed hash by which it is found. The hash takes longer than much of
/// what is done with it, so it is worked out once, and of a delivery not by the writer.
#[derive(Clone, Copy)]
pub struct Person {
    pub gym: GymId,
    pub account: Account,
    hash: [u8; 32],
}

impl Person {
    /// Without the key, nobody can tell whose it is.
    pub(super) fn account_hash(&self) -> &[u8; 32] {
        &self.hash
    }

    /// A part of the hash, for looking accounts up without an index of accounts. It always takes
    /// eight bytes in a row, so that another can be written over it in place.
    pub(super) fn account_key(&self) -> i64 {
        eight_bytes(*self.hash.first_chunk().expect("a hash has 32 bytes"))
    }
}

/// The key in a file; none when there is none.
pub(super) fn read(path: &Path) -> Result<Option<Key>, StoreError> {
    match std::fs::read(path) {
        Ok(bytes) => match bytes.as_slice().try_into() {
            Ok(key) => Ok(Some(Key::of(key))),
            Err(_) => Err(wrong(path, format!("holds {} bytes, not {KEY_BYTES}", bytes.len()))),
        },
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) if error.kind() == ErrorKind::IsADirectory => {
            Err(wrong(path, format!("cannot be read ({error})")))
        }
        // It may well be the right one: too many files are open, or it is another user's.
        Err(error) => Err(in_file(path)(error)),
    }
}

/// Makes a key, unless another process that opens the same new folder has just made it.
pub(super) fn make(path: &Path) -> Result<Key, StoreError> {
    let mut draft = loop {
        match Draft::new(path) {
            Err(error) if error.kind() == ErrorKind::ResourceBusy => {
                std::thread::sleep(Duration::from_millis(5));
            }
            draft => break draft.map_err(in_file(path))?,
        }
    };
    if let Some(made) = read(path)? {
        return Ok(made);
    }
    let key = fresh();
    draft.write_all(key.bytes()).and_then(|()| draft.keep()).map_err(in_file(path))?;
    Ok(key)
}

/// A key that nobody has.
pub(super) fn fresh() -> Key {
    let mut bytes = [0; KEY_BYTES];
    getrandom::fill(&mut bytes).expect("the system has random numbers");
    Key::of(bytes)
}

fn wrong(path: &Path, why: impl Into<String>) -> StoreError {
    StoreError::Key { path: path.to_owned(), why: why.into() }
}

pub(super) fn of_another(path: &Path) -> StoreError {
    wrong(path, "is not the key of this database any more")
}

pub(super) fn missing(path: &Path) -> StoreError {
    wrong(path, "is not there, and what is in this folder needs it")
}

/// A hash of fixed words by the key.
pub(super) fn check_value(key: &Key) -> [u8; 32] {
    key.hash(&[b"footfall: the key of this database"])
}

/// Whether a database holds anything that a key was needed for.
pub(super) fn is_needed(connection: &Connection) -> Result<bool, StoreError> {
    if has_table(connection, "identity")? && stored_check(connection)?.is_some() {
        return Ok(true);
    }
    if !has_table(connection, "gyms")? {
        return Ok(false);
    }
    Ok(connection.query_row("SELECT EXISTS (SELECT 1 FROM gyms)", [], |row| row.get(0))?)
}

/// Refuses a key that is not the one this database was written with. A database of an earlier
/// version does not say which that was: then most of its members must be found by it.
pub(super) fn check(connection: &Connection, key: &Key, path: &Path) -> Result<(), StoreError> {
    let fits = match is_noted(connection, key)? {
        Some(is_it) => is_it,
        None if has_table(connection, "members")? => finds_members(connection, key)?,
        None => true,
    };
    if fits { Ok(()) } else { Err(wrong(path, "is not the key of the database beside it")) }
}

/// Whether a database says that this is its key; none where it says nothing.
pub(super) fn is_noted(connection: &Connection, key: &Key) -> Result<Option<bool>, StoreError> {
    let says_so = has_table(connection, "identity")?;
    let stored = if says_so { stored_check(connection)? } else { None };
    Ok(stored.map(|stored| stored == check_value(key)))
}

/// Notes to which key the database belongs, unless that is noted.
pub(super) fn note_check(connection: &Connection, key: &Key) -> Result<(), StoreError> {
    if stored_check(connection)?.is_none() {
        let sql = "UPDATE identity SET key_check = ?1 WHERE key_check IS NULL";
        connection.execute(sql, params![check_value(key)])?;
    }
    Ok(())
}

fn stored_check(connection: &Connection) -> Result<Option<[u8; 32]>, StoreError> {
    let sql = "SELECT key_check FROM identity WHERE id = 1";
    Ok(optional(connection.query_row(sql, [], |row| row.get(0)))?.flatten())
}

fn finds_members(connection: &Connection, key: &Key) -> Result<bool, StoreError> {
    let snapshot = Snapshot { connection, key, database: None };
    let mut statement = connection.prepare("SELECT gym, account, account_key FROM members")?;
    let mut rows = statement.query([])?;
    let (mut found, mut lost) = (0_u64, 0_u64);
    while let Some(row) = rows.next()? {
        let account = Uuid::from_bytes(row.get(1)?);
        if account.is_nil() {
            continue;
        }
        let expected = snapshot.account_key(GymId(row.get(0)?), Account(account));
        if row.get::<_, i64>(2)? == expected { found += 1 } else { lost += 1 }
    }
    Ok(found >= lost)
}

fn has_table(connection: &Connection, name: &str) -> Result<bool, StoreError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?1)";
    Ok(connection.query_row(sql, [name], |row| row.get(0))?)
}

impl Database {
    pub fn person(&self, gym: GymId, account: Account) -> Person {
        self.key().person(gym, account)
    }

    /// Puts the key back when its file has gone: we hold the last of it. Whether it had.
    pub fn keep_key(&self) -> Result<bool, StoreError> {
        let path = self.folder().join(KEY_FILE);
        match read(&path)? {
            Some(key) if key.bytes() == self.key().bytes() => Ok(false),
            Some(_) => Err(wrong(&path, "is not the key of the database beside it any more")),
            // Where the database has gone too, it is the folder that is another.
            None if !self.file().exists() => Ok(false),
            None => {
                files::write_whole(&path, self.key().bytes()).map_err(in_file(&path)).map(|()| true)
            }
        }
    }
}

impl Snapshot<'_> {
    pub fn person(&self, gym: GymId, account: Account) -> Person {
        self.key.person(gym, account)
    }

    /// By what an account is found: see [`Person`].
    pub(super) fn account_key(&self, gym: GymId, account: Account) -> i64 {
        self.person(gym, account).account_key()
    }

    /// A keyed hash of a member: without the key, nobody can tell whose it is.
    pub fn account_hash(&self, gym: GymId, account: Account) -> [u8; 32] {
        self.person(gym, account).hash
    }

    /// A keyed hash of a text: without the key, nobody can try what it was.
    pub(super) fn keyed_hash(&self, text: &[u8]) -> [u8; 32] {
        // No account's hash begins so: those begin with a gym's number, which is not negative.
        self.key.hash(&[&(-1_i64).to_be_bytes(), text])
    }
}

fn eight_bytes(random: [u8; 8]) -> i64 {
    (u64::from_be_bytes(random) >> 2 | 1 << 62).cast_signed()
}

/// A key that is nobody's, to write over somebody's.
pub(super) fn random_account_key() -> i64 {
    let mut random = [0; 8];
    getrandom::fill(&mut random).expect("the system has random numbers");
    eight_bytes(random)
}
