//! The erasure ledger: a file beside the database that remembers what was erased, so that a
//! restored copy of the database can be made to forget it again. It holds keyed hashes only.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;

use super::database::{Database, StoreError, in_file};
use super::secret::hex;
use crate::domain::Millis;
use crate::domain::ids::GymId;

/// The ledger's name in the data folder.
const LEDGER_FILE: &str = "erasures.ledger";

/// Up to when the account of a keyed hash was erased at a gym.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LedgerEntry {
    pub gym: GymId,
    pub account_hash: [u8; 32],
    pub erased_until: Millis,
}

impl Database {
    /// Adds entries; they are on disk when it returns. The same may be added again.
    pub fn add_to_ledger(&self, entries: &[LedgerEntry]) -> Result<(), StoreError> {
        self.write_ledger(entries, "")
    }

    fn write_ledger(&self, entries: &[LedgerEntry], word: &str) -> Result<(), StoreError> {
        let path = self.folder().join(LEDGER_FILE);
        let lines = entries.iter().map(|entry| {
            let hash = hex(&entry.account_hash);
            format!("{} {hash} {}{word}\n", entry.gym.0, entry.erased_until)
        });
        let text: String = lines.collect();
        let mut file =
            fs::File::options().append(true).create(true).open(&path).map_err(in_file(&path))?;
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(in_file(&path))
    }

    /// Notes that entries were cut back, because a clock that was ahead had made them: they count
    /// from here on, whatever stands above.
    pub fn cut_back_ledger(&self, entries: &[LedgerEntry]) -> Result<(), StoreError> {
        if entries.is_empty() {
            return Ok(());
        }
        self.write_ledger(entries, " cut")
    }

    /// All entries, each account's latest. A line that broke off in a crash is passed over: its
    /// erasure was not done yet, and is noted again.
    pub fn ledger(&self) -> Result<Vec<LedgerEntry>, StoreError> {
        let path = self.folder().join(LEDGER_FILE);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(vec![]),
            Err(source) => return Err(StoreError::File { path, source }),
        };
        let mut latest = BTreeMap::new();
        for (entry, is_cut) in text.lines().filter_map(parse) {
            let until = latest.entry((entry.gym, entry.account_hash)).or_insert(Millis::MIN);
            let before = if is_cut { Millis::MIN } else { *until };
            *until = entry.erased_until.max(before);
        }
        let entries = latest.into_iter().map(|((gym, account_hash), erased_until)| LedgerEntry {
            gym,
            account_hash,
            erased_until,
        });
        Ok(entries.collect())
    }
}

/// An entry, and whether it cuts back those before it.
fn parse(line: &str) -> Option<(LedgerEntry, bool)> {
    let mut words = line.split(' ');
    let gym = GymId(words.next()?.parse().ok()?);
    let hash = words.next().filter(|hash| hash.len() == 64)?;
    let bytes = (0..64).step_by(2).map(|at| u8::from_str_radix(hash.get(at..at + 2)?, 16).ok());
    let bytes: Vec<u8> = bytes.collect::<Option<_>>()?;
    let erased_until = words.next()?.parse().ok()?;
    let is_cut = words.next() == Some("cut");
    Some((LedgerEntry { gym, account_hash: bytes.try_into().ok()?, erased_until }, is_cut))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_entry_counts_and_a_torn_line_does_not() {
        let folder = tempfile::TempDir::new().expect("a temporary folder");
        let database = Database::open(folder.path()).expect("it opens");
        assert_eq!(database.ledger().expect("it is empty"), []);
        let entry =
            |until| LedgerEntry { gym: GymId(7), account_hash: [0xab; 32], erased_until: until };
        database.add_to_ledger(&[entry(5), entry(9)]).expect("it is written");
        database.add_to_ledger(&[entry(6)]).expect("it is written");
        let path = folder.path().join(LEDGER_FILE);
        let mut torn = fs::read_to_string(&path).expect("it is there");
        torn.push_str("7 abab");
        fs::write(&path, torn).expect("it is written");
        assert_eq!(database.ledger().expect("it can be read"), [entry(9)]);
        fs::write(&path, "").expect("it is written");
        database.add_to_ledger(&[entry(9)]).expect("it is written");
        database.cut_back_ledger(&[entry(7)]).expect("it is written");
        assert_eq!(database.ledger().expect("it can be read"), [entry(7)]);
        database.add_to_ledger(&[entry(8)]).expect("it is written");
        assert_eq!(database.ledger().expect("it can be read"), [entry(8)]);
    }
}
