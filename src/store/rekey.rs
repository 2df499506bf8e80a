//! A new key for a database whose key is lost. Accounts stand in the database, so that all who are
//! in it can be found by another key; whom the old hashes of erased members were about, nobody can
//! tell any more.

use std::fs;
use std::path::Path;

use rusqlite::params;
use uuid::Uuid;

use super::database::{DATABASE_FILE, Database, LOCK_FILE};
use super::error::{StoreError, in_file};
use super::files;
use super::key::{self, KEY_FILE, Key};
use super::opened::check_folder;
use super::tx::Tx;
use crate::domain::ids::{Account, GymId};

/// What came of a new key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rekeyed {
    /// Members who are found by it.
    pub members: usize,
    /// Hashes of erased members, which are of no use any more and are gone.
    pub forgotten: usize,
}

impl Database {
    /// Makes a new key for a data folder whose key is lost. Nothing else may use the folder.
    pub fn make_new_key(folder: &Path) -> Result<Rekeyed, StoreError> {
        files::check_owner(folder, &folder.join(DATABASE_FILE))?;
        check_folder(folder)?;
        let path = folder.join(KEY_FILE);
        if fs::symlink_metadata(&path).is_ok() {
            return Err(StoreError::Refused(format!(
                "{} is there. Without it no other is made in its place: if it is another \
                 database's, move it away",
                path.display()
            )));
        }
        if !folder.join(DATABASE_FILE).exists() {
            let text = "there is no database here, and a new one gets its key by itself";
            return Err(StoreError::Refused(text.to_owned()));
        }
        let lock = files::try_lock(&folder.join(LOCK_FILE))?;
        let _lock = lock.ok_or_else(|| StoreError::Locked(folder.to_owned()))?;
        let key = key::fresh();
        let database = Database::with_key(folder, key.clone())?;
        let mut connection = database.connect()?;
        let rekeyed = database.transact(&mut connection, |tx| tx.take_key(&key))?;
        // Until it is there, the key is as lost as before, and another can be made.
        files::write_whole(&path, key.bytes()).map_err(in_file(&path))?;
        Ok(rekeyed)
    }
}

impl Tx<'_> {
    /// Lets every member be found by a key, and forgets what was hashed by another.
    fn take_key(&mut self, key: &Key) -> Result<Rekeyed, StoreError> {
        let mut statement = self.transaction.prepare("SELECT id, gym, account FROM members")?;
        let members = statement.query_map([], |row| {
            let account = Account(Uuid::from_bytes(row.get(2)?));
            Ok((row.get::<_, i64>(0)?, GymId(row.get(1)?), account))
        })?;
        let mut members = members.collect::<Result<Vec<_>, _>>()?;
        drop(statement);
        members.retain(|(_, _, account)| !account.0.is_nil());
        let sql = "UPDATE members SET account_key = ?2 WHERE id = ?1";
        for (id, gym, account) in &members {
            let found_by = self.view().account_key(*gym, *account);
            self.transaction.prepare_cached(sql)?.execute([*id, found_by])?;
        }
        let forgotten = self.transaction.execute("DELETE FROM tombstones", [])?;
        self.transaction.execute("DELETE FROM foreign_accounts", [])?;
        self.read_all_again()?;
        let sql = "UPDATE identity SET key_check = ?1";
        self.transaction.execute(sql, params![key::check_value(key)])?;
        Ok(Rekeyed { members: members.len(), forgotten })
    }
}
