//! The places that may hold text of others, in which an account may be named: one list, which an
//! erasure walks (model section 6).
//!
//! What is written there is read once, when it comes, and the accounts in it are noted as keyed
//! hashes. So an erasure touches the rows that name its account and no others.

use rusqlite::params;
use uuid::Uuid;

use super::codec::Damaged;
use super::database::{Snapshot, StoreError};
use super::gyms::optional;
use super::quarantine::Quarantined;
use super::tx::Tx;
use crate::domain::event::Kind;
use crate::domain::foreign_text;
use crate::domain::ids::{Account, GymId};

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
    /// no file but scratch copies, without which an erasure is not complete.
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

/// Rows that an older version wrote and that are read in one transaction.
const OLD_EXTRAS_MAX: i64 = 1_000;
const OLD_BODIES_MAX: i64 = 32;
const OLD_TYPES_MAX: i64 = 50_000;
/// What takes the place of a type that may name somebody, with the event's position behind it: so it
/// stays a type of its own.
const NAMELESS: &str = "NAMELESS_";

impl Snapshot<'_> {
    /// Whether there is text that an older version wrote and nobody has read yet.
    pub fn has_unread_text(&self) -> Result<bool, StoreError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM foreign_text_unread)";
        Ok(self.connection.prepare_cached(sql)?.query_row([], |row| row.get(0))?)
    }

    /// Up to which row what an older version wrote was read, and up to which it is to be.
    fn unread(&self, place: Place) -> Result<Option<(i64, i64)>, StoreError> {
        let sql = "SELECT read_until, until FROM foreign_text_unread WHERE place = ?1";
        let mut statement = self.connection.prepare_cached(sql)?;
        optional(statement.query_row([place.number()], |row| Ok((row.get(0)?, row.get(1)?))))
    }

    /// Some bodies in quarantine that an older version kept and that were not read yet; none when
    /// there are no more.
    pub fn unread_quarantined(&self) -> Result<Option<Vec<Quarantined>>, StoreError> {
        let Some((after, until)) = self.unread(Place::Quarantine)? else { return Ok(None) };
        let sql = "SELECT id FROM quarantine WHERE id > ?1 AND id <= ?2 AND body IS NOT NULL
                   ORDER BY id LIMIT ?3";
        let mut statement = self.connection.prepare_cached(sql)?;
        let ids = statement.query_map([after, until, OLD_BODIES_MAX], |row| row.get(0))?;
        let ids: Vec<i64> = ids.collect::<Result<_, _>>()?;
        let found = ids.into_iter().filter_map(|id| self.quarantined_by_id(id).transpose());
        found.collect::<Result<_, _>>().map(Some)
    }
}

impl Tx<'_> {
    /// Notes which accounts a row of a place names. Some programs write the first three numbers of a
    /// UUID from behind, so what may be the one may be the other too.
    pub(super) fn note_accounts(
        &mut self,
        gym: GymId,
        accounts: &[Account],
        place: Place,
        row: i64,
    ) -> Result<(), StoreError> {
        let sql = "INSERT INTO foreign_accounts (gym, account_hash, place, row)
                   VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING";
        let swapped = |account: &Account| Account(Uuid::from_bytes_le(account.0.into_bytes()));
        for account in accounts.iter().flat_map(|account| [*account, swapped(account)]) {
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

    /// Empties some rows that name an account, at most so many, and returns how many.
    pub fn forget_mentions(
        &mut self,
        gym: GymId,
        account: Account,
        rows_max: usize,
    ) -> Result<usize, StoreError> {
        let hash = self.view().account_hash(gym, account);
        let sql = "DELETE FROM foreign_accounts WHERE (gym, account_hash, place, row) IN (
                       SELECT gym, account_hash, place, row FROM foreign_accounts
                       WHERE gym = ?1 AND account_hash = ?2 LIMIT ?3) RETURNING place, row";
        let limit = i64::try_from(rows_max).unwrap_or(i64::MAX);
        let mut statement = self.transaction.prepare_cached(sql)?;
        let named = statement.query_map(params![gym.0, hash, limit], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?))
        })?;
        let named: Vec<_> = named.collect::<Result<_, _>>()?;
        drop(statement);
        for (place, row) in &named {
            if *place == Place::Quarantine.number() {
                self.remove_quarantined(*row)?;
            } else if *place == Place::Types.number() {
                self.forget_type(*row)?;
            } else {
                let sql = "UPDATE extras SET fields = NULL WHERE position = ?1";
                self.transaction.prepare_cached(sql)?.execute([row])?;
            }
        }
        Ok(named.len())
    }

    /// Writes over the texts of a gym's annotations that name an account, in place.
    pub fn forget_in_annotations(
        &mut self,
        gym: GymId,
        account: Account,
    ) -> Result<(), StoreError> {
        let mut statement =
            self.transaction.prepare_cached("SELECT id, text FROM annotations WHERE gym = ?1")?;
        let texts = statement
            .query_map([gym.0], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?)))?;
        let texts: Vec<_> = texts.collect::<Result<_, _>>()?;
        drop(statement);
        for (id, text) in texts {
            let letters = |text: &str| -> String {
                let kept = text.chars().filter(char::is_ascii_alphanumeric);
                kept.collect::<String>().to_ascii_lowercase()
            };
            if letters(&text).contains(&account.0.simple().to_string()) {
                let sql = "UPDATE annotations SET text = ?2 WHERE id = ?1";
                let stars = "*".repeat(text.len());
                self.transaction.prepare_cached(sql)?.execute(params![id, stars])?;
            }
        }
        Ok(())
    }

    /// Lets all text be read once more, as after an upgrade.
    pub(super) fn read_all_again(&mut self) -> Result<(), StoreError> {
        let sql = "DELETE FROM foreign_text_unread;
                   INSERT INTO foreign_text_unread
                       SELECT 1, 0, max(id) FROM quarantine HAVING count(*) > 0;
                   INSERT INTO foreign_text_unread
                       SELECT 2, 0, max(position) FROM extras HAVING count(*) > 0;";
        Ok(self.transaction.execute_batch(sql)?)
    }

    /// Reads some types that an older version kept, notes whom they name, and writes over what cannot
    /// be searched; false when all were read.
    pub fn read_old_types(&mut self) -> Result<bool, StoreError> {
        let Some((after, until)) = self.view().unread(Place::Types)? else { return Ok(false) };
        let last = until.min(after + OLD_TYPES_MAX);
        let sql = "SELECT position, gym, type FROM events WHERE position > ?1 AND position <= ?2";
        let mut statement = self.transaction.prepare_cached(sql)?;
        let mut rows = statement.query([after, last])?;
        let mut unfit = Vec::new();
        while let Some(row) = rows.next()? {
            let name = row.get_ref(2)?.as_str().map_err(|_| Damaged)?;
            let is_unknown = matches!(Kind::from_name(name), Kind::Unknown(_));
            let read = is_unknown.then(|| foreign_text::read(name.as_bytes()));
            if let Some(read) = read.filter(|read| !read.names_nobody()) {
                unfit.push((row.get(0)?, GymId(row.get(1)?), read));
            }
        }
        drop(rows);
        drop(statement);
        for (position, gym, read) in unfit {
            if read.is_searchable {
                self.note_accounts(gym, &read.accounts, Place::Types, position)?;
            } else {
                self.forget_type(position)?;
            }
        }
        self.mark_read(Place::Types, last)?;
        Ok(true)
    }

    fn forget_type(&mut self, position: i64) -> Result<(), StoreError> {
        let sql = "UPDATE events SET type = ?2 WHERE position = ?1";
        let values = params![position, format!("{NAMELESS}{position}")];
        self.transaction.prepare_cached(sql)?.execute(values)?;
        Ok(())
    }

    /// Reads some unknown fields that an older version kept, notes whom they name, and empties what
    /// cannot be searched; false when all were read.
    pub fn read_old_extras(&mut self) -> Result<bool, StoreError> {
        let Some((after, until)) = self.view().unread(Place::Extras)? else { return Ok(false) };
        let sql = "SELECT position, events.gym, fields, account FROM extras
                   JOIN events USING (position) JOIN members ON members.id = member
                   WHERE position > ?1 AND position <= ?2 ORDER BY position LIMIT ?3";
        let mut statement = self.transaction.prepare_cached(sql)?;
        let rows = statement.query_map([after, until, OLD_EXTRAS_MAX], |row| {
            let account = Uuid::from_bytes(row.get(3)?);
            let fields: Option<String> = row.get(2)?;
            Ok((row.get::<_, i64>(0)?, GymId(row.get(1)?), fields, Account(account)))
        })?;
        let rows: Vec<_> = rows.collect::<Result<_, _>>()?;
        drop(statement);
        let last = rows.last().map_or(until, |row| row.0);
        for (position, gym, fields, own) in rows {
            let Some(fields) = fields else { continue };
            if foreign_text::read(fields.as_bytes()).is_searchable {
                self.note_extras(gym, position, &fields, own)?;
            } else {
                let sql = "UPDATE extras SET fields = NULL WHERE position = ?1";
                self.transaction.prepare_cached(sql)?.execute([position])?;
            }
        }
        self.mark_read(Place::Extras, last)?;
        Ok(true)
    }

    /// Notes up to which row a place was read.
    pub fn mark_read(&mut self, place: Place, read_until: i64) -> Result<(), StoreError> {
        let sql = "UPDATE foreign_text_unread SET read_until = ?2 WHERE place = ?1";
        self.transaction.prepare_cached(sql)?.execute([place.number(), read_until])?;
        let sql = "DELETE FROM foreign_text_unread WHERE read_until >= until";
        self.transaction.prepare_cached(sql)?.execute([])?;
        Ok(())
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
