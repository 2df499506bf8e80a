//! The erasure ledger: a file beside the database that remembers what was erased, so that a
//! restored copy of the database can be made to forget it again. It holds keyed hashes only.
//!
//! A line is `v2`, the gym's row number and when the gym was made, the keyed hash, up to when was
//! erased, which key the hash is of, whether that cuts earlier lines back, and a sum over the line. A gym's number alone does not name
//! it: after the restore of a copy from before a gym was added, the next gym gets its number. Lines
//! of the first version end after the time, and have no word before the number.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::database::{Database, Snapshot};
use super::error::{StoreError, in_file};
use super::files::sync_folder;
use super::key::{Key, check_value};
use super::secret::hex;
use crate::domain::Millis;
use crate::domain::ids::GymId;

/// The ledger's name in the data folder.
pub(super) const LEDGER_FILE: &str = "erasures.ledger";

/// The word of a line that adds an erasure.
const ERASED: &str = "erased";
/// The word of a line that cuts those before it back.
const CUT_BACK: &str = "cut";

/// Up to when the account of a keyed hash was erased at a gym.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LedgerEntry {
    pub gym: GymId,
    pub account_hash: [u8; 32],
    pub erased_until: Millis,
}

/// What the ledger says to this database.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    /// Of gyms that the database has: each account's latest.
    pub entries: Vec<LedgerEntry>,
    /// Lines about gyms that it has not, or not any more: another copy may have them.
    pub of_other_gyms: usize,
    /// Lines that were written by another key.
    pub of_other_keys: usize,
    /// Lines that are damaged, or broke off in a crash.
    pub damaged: usize,
}

impl Database {
    /// Adds entries; they are on disk when it returns. The same may be added again.
    pub fn add_to_ledger(&self, entries: &[LedgerEntry]) -> Result<(), StoreError> {
        self.write_ledger(entries, ERASED)
    }

    /// Notes that entries were cut back, because a clock that was ahead had made them: they count
    /// from here on, whatever stands above.
    pub fn cut_back_ledger(&self, entries: &[LedgerEntry]) -> Result<(), StoreError> {
        if entries.is_empty() {
            return Ok(());
        }
        self.write_ledger(entries, CUT_BACK)
    }

    fn write_ledger(&self, entries: &[LedgerEntry], word: &str) -> Result<(), StoreError> {
        let made = self.read(|snapshot| snapshot.gyms_made_at())?;
        let mut text = String::new();
        for entry in entries {
            let made_at = made.get(&entry.gym).ok_or(super::Damaged)?;
            text.push_str(&line_of(entry, *made_at, word, self.key()));
        }
        let path = self.folder().join(LEDGER_FILE);
        let mut file = self.open_ledger()?;
        // What broke off in a crash must not swallow the next entry.
        let is_torn = !ends_a_line(&mut file).map_err(in_file(&path))?;
        if is_torn {
            text.insert(0, '\n');
        }
        let is_first = file.metadata().map_err(in_file(&path))?.len() == 0;
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(in_file(&path))?;
        if is_first { sync_folder(&path).map_err(in_file(&path)) } else { Ok(()) }
    }

    /// Fails when the ledger cannot be written, without which nothing may be erased.
    pub fn check_ledger(&self) -> Result<(), StoreError> {
        self.open_ledger().map(drop)
    }

    fn open_ledger(&self) -> Result<fs::File, StoreError> {
        let path = self.folder().join(LEDGER_FILE);
        let mut options = fs::File::options();
        options.read(true).append(true).create(true).mode(0o600).open(&path).map_err(in_file(&path))
    }

    /// Reads the ledger. What cannot be applied is passed over, and stays in the file.
    pub fn ledger(&self) -> Result<Ledger, StoreError> {
        self.read_ledger(&self.folder().join(LEDGER_FILE))
    }

    pub(super) fn read_ledger(&self, path: &Path) -> Result<Ledger, StoreError> {
        let bytes = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Ledger::default());
            }
            Err(source) => return Err(in_file(path)(source)),
        };
        let mut made = self.read(|snapshot| snapshot.gyms_made_at())?;
        // A gym that was removed has nobody who could come back, and keeps no tombstones.
        for (gym, _) in self.read(|snapshot| snapshot.removed_gyms())? {
            made.remove(&gym);
        }
        let mut ledger = Ledger::default();
        let mut latest = HashMap::new();
        let ours = key_tag(self.key());
        for line in lines(&bytes) {
            let Some(line) = Line::parse(line) else {
                ledger.damaged += 1;
                continue;
            };
            let LedgerEntry { gym, account_hash, erased_until } = line.entry;
            if line.key.as_ref().is_some_and(|key| *key != ours) {
                ledger.of_other_keys += 1;
            } else if made.get(&gym).is_some_and(|made_at| line.is_about(*made_at)) {
                let until = latest.entry((gym, account_hash)).or_insert(Millis::MIN);
                let before = if line.cuts_back { Millis::MIN } else { *until };
                *until = erased_until.max(before);
            } else {
                ledger.of_other_gyms += 1;
            }
        }
        let entries = latest.into_iter().map(|((gym, account_hash), erased_until)| LedgerEntry {
            gym,
            account_hash,
            erased_until,
        });
        ledger.entries = entries.collect();
        Ok(ledger)
    }
}

impl Snapshot<'_> {
    /// When each gym was made: with its number, what names it in the ledger.
    fn gyms_made_at(&self) -> Result<BTreeMap<GymId, Millis>, StoreError> {
        let mut statement = self.connection.prepare_cached("SELECT id, created_at FROM gyms")?;
        let rows = statement.query_map([], |row| Ok((GymId(row.get(0)?), row.get(1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

fn ends_a_line(file: &mut fs::File) -> std::io::Result<bool> {
    if file.metadata()?.len() == 0 {
        return Ok(true);
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}

/// The lines of a ledger. Ones that a copy joined, since one of them was torn, are two; what an
/// editor added at the ends of lines is passed over.
fn lines(bytes: &[u8]) -> Vec<&[u8]> {
    let is_margin = |byte: &u8| byte.is_ascii_whitespace() || [0xef, 0xbb, 0xbf].contains(byte);
    let mut lines = Vec::new();
    for mut line in bytes.split(|byte| *byte == b'\n') {
        let begins = |at: &usize| line[*at..].starts_with(b"v2 ");
        if let Some(at) = (1..line.len()).rfind(begins) {
            lines.push(&line[..at]);
            line = &line[at..];
        }
        lines.push(line);
    }
    let inner = |line: &[u8]| {
        let from = line.iter().position(|byte| !is_margin(byte))?;
        let until = line.iter().rposition(|byte| !is_margin(byte))?;
        Some(from..=until)
    };
    lines.into_iter().filter_map(|line| Some(&line[inner(line)?])).collect()
}

/// One line, of either version.
struct Line {
    entry: LedgerEntry,
    gym_made_at: Option<Millis>,
    key: Option<String>,
    cuts_back: bool,
}

impl Line {
    fn parse(line: &[u8]) -> Option<Line> {
        let line = std::str::from_utf8(line).ok()?;
        let mut words = line.split(' ');
        let first = words.next()?;
        let is_first_version = first != "v2";
        if !is_first_version {
            let (said, sum) = line.rsplit_once(' ')?;
            if sum.len() != 8 || u32::from_str_radix(sum, 16).ok()? != sum_of(said) {
                return None;
            }
        }
        let gym = if is_first_version { first } else { words.next()? };
        let gym_made_at = if is_first_version { None } else { Some(words.next()?.parse().ok()?) };
        let entry = LedgerEntry {
            gym: GymId(gym.parse().ok()?),
            account_hash: bytes_of(words.next()?)?,
            erased_until: words.next()?.parse().ok()?,
        };
        let key = if is_first_version { None } else { Some(words.next()?.to_owned()) };
        let cuts_back = words.next() == Some(CUT_BACK);
        Some(Line { entry, gym_made_at, key, cuts_back })
    }

    /// Whether it is about the gym that has this number now. A line of the first version does not
    /// say when its gym was made; a gym that was made after the erasure is another.
    fn is_about(&self, made_at: Millis) -> bool {
        match self.gym_made_at {
            Some(then) => then == made_at,
            None => made_at <= self.entry.erased_until,
        }
    }
}

fn line_of(entry: &LedgerEntry, gym_made_at: Millis, word: &str, key: &Key) -> String {
    let LedgerEntry { gym, account_hash, erased_until } = entry;
    let (hash, key) = (hex(account_hash), key_tag(key));
    let said = format!("v2 {} {gym_made_at} {hash} {erased_until} {key} {word}", gym.0);
    format!("{said} {:08x}\n", sum_of(&said))
}

/// Tells keys apart, and says nothing of them.
pub(super) fn key_tag(key: &Key) -> String {
    hex(&check_value(key)[..4])
}

fn sum_of(said: &str) -> u32 {
    u32::from_be_bytes(*Sha256::digest(said).first_chunk().expect("a hash has 32 bytes"))
}

fn bytes_of(digits: &str) -> Option<[u8; 32]> {
    super::SecretHash::from_hex(digits).map(|hash| *hash.bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: [u8; 32] = [0xab; 32];

    fn folder() -> (tempfile::TempDir, Database) {
        let folder = tempfile::TempDir::new().expect("a temporary folder");
        let database = Database::open(folder.path()).expect("it opens");
        let connection = database.connect().expect("it connects");
        let sql = "INSERT INTO generations (id) VALUES (1);
                   INSERT INTO gyms (id, slug, name, time_zone, visit_window, assumed_stay,
                       assumed_tail, rejoin_grace, generation, created_at)
                   VALUES (7, 'g', 'g', 'UTC', 480, 75, 20, 15, 1, 1000)";
        connection.execute_batch(sql).expect("the schema is known");
        (folder, database)
    }

    fn entry(until: Millis) -> LedgerEntry {
        LedgerEntry { gym: GymId(7), account_hash: HASH, erased_until: until }
    }

    #[test]
    fn the_latest_entry_counts_and_a_torn_line_swallows_none() {
        let (folder, database) = folder();
        assert_eq!(database.ledger().expect("it is empty"), Ledger::default());
        database.add_to_ledger(&[entry(5), entry(9)]).expect("it is written");
        let path = folder.path().join(LEDGER_FILE);
        for torn in ["7 abab", "v2 7 1000 ab", "7 \u{fffd}"] {
            let mut text = fs::read_to_string(&path).expect("it is there");
            text.push_str(torn);
            fs::write(&path, text).expect("it is written");
            database.add_to_ledger(&[entry(6)]).expect("it is written");
        }
        database.add_to_ledger(&[entry(10)]).expect("it is written");
        let ledger = database.ledger().expect("it can be read");
        assert_eq!(ledger, Ledger { entries: vec![entry(10)], damaged: 3, ..Ledger::default() });
        database.cut_back_ledger(&[entry(7)]).expect("it is written");
        assert_eq!(database.ledger().expect("it can be read").entries, [entry(7)]);
        database.add_to_ledger(&[entry(8)]).expect("it is written");
        assert_eq!(database.ledger().expect("it can be read").entries, [entry(8)]);
    }

    #[test]
    fn lines_of_other_gyms_and_keys_and_damaged_ones_are_passed_over() {
        let (folder, database) = folder();
        let key = database.key();
        let other_gym = LedgerEntry { gym: GymId(8), ..entry(5_000) };
        let hash = hex(&HASH);
        let whole = line_of(&entry(5_000), 1_000, ERASED, key);
        let lines = [
            line_of(&other_gym, 1_000, ERASED, key),
            line_of(&entry(6_000), 999, ERASED, key),
            line_of(&entry(6_000), 1_000, ERASED, &Key::of([1; 32])),
            whole.replace("5000", "7000"),
            format!("7 {hash} 999\n"),
            format!("9 {hash} 5000\n"),
            format!("7 {hash} 1000\n"),
            whole,
        ];
        fs::write(folder.path().join(LEDGER_FILE), lines.concat()).expect("it is written");
        let ledger = database.ledger().expect("it can be read");
        let entries = vec![entry(5_000)];
        assert_eq!(ledger, Ledger { entries, of_other_gyms: 4, of_other_keys: 1, damaged: 1 });
    }
}
