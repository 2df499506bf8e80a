//! The places that may hold text of others, in which an account may be named: one list, which an
//! erasure walks (model section 6).
//!
//! What is written there is read once, when it comes, and the accounts in it are noted as keyed
//! hashes. So an erasure touches the rows that name its account and no others, and can be done again
//! where only the hash is known. When a row is emptied, however that happens, triggers of the schema
//! delete what was noted of it. Unlike the text those notes may be deleted: what SQLite leaves of one
//! in a page is a keyed hash and no account, which a tombstone keeps of whoever is erased anyway.

use rusqlite::params;
use uuid::Uuid;

use super::codec::Damaged;
use super::error::StoreError;
use super::gyms::optional;
use super::tx::Tx;
use crate::domain::event::Kind;
use crate::domain::foreign_text;
use crate::domain::ids::{Account, GymId, MemberId, Position};

/// Where text of others stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Bodies that could not be appended.
    Quarantine,
    /// Fields of events that we do not know.
    Extras,
    /// What people note on days: few, so they are read when they must be.
    Annotations,
    /// Types that we do not know: none is kept that could name anybody, since this is looked at.
    Types,
}

impl Place {
    /// All of them. Beside them accounts stand in `members`, as such, and in no other column; in
    /// no file but copies of the database, which `copies.rs` lists.
    pub const ALL: [Place; 4] =
        [Place::Quarantine, Place::Extras, Place::Annotations, Place::Types];

    /// Its number in the store: never change one, only add.
    pub(super) fn number(self) -> i64 {
        match self {
            Place::Quarantine => 1,
            Place::Extras => 2,
            Place::Annotations => 3,
            Place::Types => 4,
        }
    }

    /// The column by which its rows are told apart and read in turn; none where they are not noted,
    /// but all of them are read each time.
    pub(super) fn row(self) -> Option<&'static str> {
        match self {
            Place::Quarantine => Some("id"),
            Place::Extras | Place::Types => Some("position"),
            Place::Annotations => None,
        }
    }

    /// Its table and column.
    pub fn column(self) -> (&'static str, &'static str) {
        match self {
            Place::Quarantine => ("quarantine", "body"),
            Place::Extras => ("extras", "fields"),
            Place::Annotations => ("annotations", "text"),
            Place::Types => ("events", "type"),
        }
    }
}

/// What takes the place of a type that may name somebody, with the event's position behind it: so it
/// stays a type of its own.
const NAMELESS: &str = "NAMELESS_";

/// Some programs write the first three numbers of a UUID from behind, so what may be the one may be
/// the other too.
pub(super) fn both_orders(accounts: &[Account]) -> impl Iterator<Item = Account> {
    let swapped = |account: &Account| Account(Uuid::from_bytes_le(account.0.into_bytes()));
    accounts.iter().flat_map(move |account| [*account, swapped(account)])
}

impl Tx<'_> {
    /// Notes which accounts a row of a place names.
    pub(super) fn note_accounts(
        &mut self,
        gym: GymId,
        accounts: &[Account],
        place: Place,
        row: i64,
    ) -> Result<(), StoreError> {
        let sql = "INSERT INTO foreign_accounts (gym, account_hash, place, row)
                   VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING";
        for account in both_orders(accounts) {
            let hash = self.view().account_hash(gym, account);
            let values = params![gym.0, hash, place.number(), row];
            self.transaction.prepare_cached(sql)?.execute(values)?;
        }
        Ok(())
    }

    /// Notes which accounts the unknown fields of an event name, beside its own.
    pub(super) fn note_extras(
        &mut self,
        gym: GymId,
        position: i64,
        fields: &str,
        own: Account,
    ) -> Result<(), StoreError> {
        let mut accounts = foreign_text::read(fields.as_bytes()).accounts;
        accounts.retain(|account| *account != own);
        self.note_accounts(gym, &accounts, Place::Extras, position)
    }

    /// Empties some rows that name the account of a keyed hash, at most so many, and returns how many.
    pub fn forget_mentions(
        &mut self,
        gym: GymId,
        account_hash: &[u8; 32],
        rows_max: usize,
    ) -> Result<usize, StoreError> {
        let sql = "DELETE FROM foreign_accounts WHERE (gym, account_hash, place, row) IN (
                       SELECT gym, account_hash, place, row FROM foreign_accounts
                       WHERE gym = ?1 AND account_hash = ?2 LIMIT ?3) RETURNING place, row";
        let limit = i64::try_from(rows_max).unwrap_or(i64::MAX);
        let mut statement = self.transaction.prepare_cached(sql)?;
        let named = statement.query_map(params![gym.0, account_hash, limit], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?))
        })?;
        let named: Vec<_> = named.collect::<Result<_, _>>()?;
        drop(statement);
        for (number, row) in &named {
            let place = Place::ALL.into_iter().find(|place| place.number() == *number);
            self.forget_row(place.ok_or(Damaged)?, *row)?;
        }
        Ok(named.len())
    }

    /// Empties a row of text of others; with it goes what was noted of whom it names.
    pub(super) fn forget_row(&mut self, place: Place, row: i64) -> Result<(), StoreError> {
        let sql = match place {
            Place::Quarantine => return self.remove_quarantined(row),
            Place::Types => return self.forget_type(Position(row)),
            Place::Extras => "UPDATE extras SET fields = NULL WHERE position = ?1",
            // As long as it was, so that it is written over in place.
            Place::Annotations => {
                "UPDATE annotations
                 SET text = printf('%.*c', length(CAST(text AS BLOB)), '*') WHERE id = ?1"
            }
        };
        self.transaction.prepare_cached(sql)?.execute([row])?;
        Ok(())
    }

    /// Writes another word over the type of an event, in the log and in whatever repeats it.
    fn forget_type(&mut self, position: Position) -> Result<(), StoreError> {
        let nameless = Kind::from_name(&format!("{NAMELESS}{}", position.0));
        let sql = "UPDATE events SET type = ?2 WHERE position = ?1 RETURNING member, at";
        let mut statement = self.transaction.prepare_cached(sql)?;
        let event = statement.query_row(params![position.0, nameless.name()], |row| {
            Ok((MemberId(row.get(0)?), row.get(1)?))
        });
        let event = optional(event)?;
        drop(statement);
        let Some((member, at)) = event else { return Ok(()) };
        self.put_kind_in_receipts(member, at, position, &nameless)
    }

    /// Writes over the texts of a gym's annotations that name one of some accounts, in place. Returns
    /// the hashes of those that were named.
    pub fn forget_in_annotations(
        &mut self,
        gym: GymId,
        is_gone: impl Fn(&[u8; 32]) -> bool,
    ) -> Result<Vec<[u8; 32]>, StoreError> {
        let mut statement =
            self.transaction.prepare_cached("SELECT id, text FROM annotations WHERE gym = ?1")?;
        let texts = statement
            .query_map([gym.0], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?)))?;
        let texts: Vec<_> = texts.collect::<Result<_, _>>()?;
        drop(statement);
        let mut named = Vec::new();
        for (id, text) in texts {
            let accounts = foreign_text::spelled_anywhere(&text).into_iter();
            let hashes = accounts.map(|account| self.view().account_hash(gym, account));
            let gone: Vec<_> = hashes.filter(|hash| is_gone(hash)).collect();
            if !gone.is_empty() {
                self.forget_row(Place::Annotations, id)?;
                named.extend(gone);
            }
        }
        Ok(named)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::Place;
    use crate::store::Database;

    /// Columns that hold what footfall made itself: hashes, codes, counts, words of its own. What
    /// people call their gyms, webhooks, tokens and themselves is their own, and no member's.
    const OWN: &[(&str, &[&str])] = &[
        ("annotations", &["kind"]),
        ("checksums", &["name", "columns"]),
        ("erasures", &["reason"]),
        // Webhooks by number.
        ("events", &["awaited_from"]),
        ("foreign_accounts", &["account_hash"]),
        ("frozen", &["cells"]),
        ("gyms", &["slug", "name", "time_zone", "public", "wanted"]),
        ("identity", &["key_check"]),
        ("imports", &["file", "gyms", "state"]),
        ("member_days", &["days", "past"]),
        // An account as such: `forget_account` writes over it.
        ("members", &["account"]),
        ("notices", &["subject", "recipient"]),
        ("quarantine", &["reason", "detail", "body_hash"]),
        ("quarantine_counted", &["reason"]),
        ("receipts", &["entries", "fold"]),
        ("sessions", &["hash"]),
        ("tallies", &["cells"]),
        ("tokens", &["name", "token_hash", "role"]),
        ("tombstones", &["account_hash"]),
        ("users", &["name", "role", "password_hash", "link_hash"]),
        ("webhooks", &["public_id", "secret_hash", "old_secret_hash", "begun"]),
    ];

    #[test]
    fn every_column_of_text_or_bytes_is_searched_by_erasures_or_holds_our_own_words_only() {
        let folder = tempfile::TempDir::new().expect("a temporary folder");
        let database = Database::open(folder.path()).expect("it opens");
        let connection = database.connect().expect("it connects");
        let sql = "SELECT tables.name, columns.name FROM sqlite_master AS tables
                   JOIN pragma_table_info(tables.name) AS columns
                   WHERE tables.type = 'table' AND columns.type NOT IN ('INTEGER', 'REAL')
                     AND tables.name NOT LIKE 'sqlite_%' AND tables.name NOT LIKE 'refinery_%'";
        let mut statement = connection.prepare(sql).expect("it is SQL");
        let found = statement
            .query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))
            .expect("it can be read");
        let found: BTreeSet<_> = found.map(|column| column.expect("it can be read")).collect();
        let own = OWN.iter().flat_map(|(table, columns)| columns.iter().map(move |c| (*table, *c)));
        let known: BTreeSet<_> = own
            .chain(Place::ALL.map(Place::column))
            .map(|(table, column)| (table.to_owned(), column.to_owned()))
            .collect();
        let unknown: Vec<_> = found.difference(&known).collect();
        assert!(
            unknown.is_empty(),
            "can others' text come into {unknown:?}? If so, make it a `Place`, which erasures \
             search; else list it under `OWN`"
        );
        let gone: Vec<_> = Place::ALL.map(Place::column).into_iter().collect();
        assert!(gone.iter().all(|(t, c)| found.contains(&((*t).to_owned(), (*c).to_owned()))));
    }
}
