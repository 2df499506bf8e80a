//! Tokens: who may read what, and how far a reader's role reaches.

use rusqlite::{Row, params};

use super::codec::Damaged;
use super::database::Snapshot;
use super::error::StoreError;
use super::secret::SecretHash;
use super::tx::Tx;
use crate::domain::ids::GymId;
use crate::domain::{Millis, names};

/// What a token may do; each may do what those before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Aggregates only.
    Viewer,
    /// Also members: absence lists, one member's data, erasure.
    Manager,
    /// Also configuration, log and quarantine.
    Admin,
}

impl Role {
    pub const ALL: [Role; 3] = [Role::Viewer, Role::Manager, Role::Admin];

    pub fn name(self) -> &'static str {
        match self {
            Role::Viewer => "viewer",
            Role::Manager => "manager",
            Role::Admin => "admin",
        }
    }

    fn from_name(name: &str) -> Result<Role, Damaged> {
        Role::ALL.into_iter().find(|role| role.name() == name).ok_or(Damaged)
    }
}

/// Who reads: a program with a token, or a person with a session.
#[derive(Debug, Clone)]
pub struct Reader {
    pub name: String,
    pub role: Role,
    /// The gyms it may see; none stands for all, also those to come.
    pub gyms: Option<Vec<GymId>>,
}

#[derive(Debug, Clone)]
pub struct Token {
    pub id: i64,
    pub reader: Reader,
    pub created_at: Millis,
    /// Kept to the minute.
    pub last_used_at: Option<Millis>,
}

impl Reader {
    pub fn may_see(&self, gym: GymId) -> bool {
        self.gyms.as_ref().is_none_or(|gyms| gyms.contains(&gym))
    }
}

const COLUMNS: &str = "id, name, role, all_gyms, created_at, last_used_at";

impl Snapshot<'_> {
    pub fn token(&self, hash: &SecretHash) -> Result<Option<Token>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM tokens WHERE token_hash = ?1");
        let mut statement = self.connection.prepare_cached(&sql)?;
        let mut rows = statement.query_and_then([hash.bytes()], |row| self.token_from(row))?;
        rows.next().transpose()
    }

    /// All tokens, by name.
    pub fn tokens(&self) -> Result<Vec<Token>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM tokens ORDER BY name");
        let mut statement = self.connection.prepare_cached(&sql)?;
        let rows = statement.query_and_then([], |row| self.token_from(row))?;
        rows.collect()
    }

    /// The tokens of a name, without regard to case; the one that has just this name alone, if any.
    pub fn tokens_named(&self, name: &str) -> Result<Vec<Token>, StoreError> {
        let folded = names::folded(name);
        let mut alike = self.tokens()?;
        alike.retain(|token| names::folded(&token.reader.name) == folded);
        let place = alike.iter().position(|token| token.reader.name == name);
        Ok(place.map(|place| vec![alike.swap_remove(place)]).unwrap_or(alike))
    }

    fn token_from(&self, row: &Row<'_>) -> Result<Token, StoreError> {
        let id: i64 = row.get(0)?;
        let reader = self.reader_from(row, "SELECT gym FROM token_gyms WHERE token = ?1")?;
        Ok(Token { id, reader, created_at: row.get(4)?, last_used_at: row.get(5)? })
    }

    /// Reads the columns `id, name, role, all_gyms`; `gyms` selects the gyms of that id.
    pub(super) fn reader_from(&self, row: &Row<'_>, gyms: &str) -> Result<Reader, StoreError> {
        let (id, role): (i64, String) = (row.get(0)?, row.get(2)?);
        let listed = || -> Result<Vec<GymId>, StoreError> {
            let mut statement = self.connection.prepare_cached(gyms)?;
            let rows = statement.query_map([id], |row| Ok(GymId(row.get(0)?)))?;
            Ok(rows.collect::<Result<_, _>>()?)
        };
        let gyms = if row.get(3)? { None } else { Some(listed()?) };
        let name = names::visible(&row.get::<_, String>(1)?);
        Ok(Reader { name, role: Role::from_name(&role)?, gyms })
    }
}

impl Tx<'_> {
    /// Adds a token; false when the name is taken.
    pub fn add_token(
        &mut self,
        reader: &Reader,
        hash: &SecretHash,
        now: Millis,
    ) -> Result<bool, StoreError> {
        if !self.view().tokens_named(&reader.name)?.is_empty() {
            return Ok(false);
        }
        let sql = "INSERT INTO tokens (name, token_hash, role, all_gyms, created_at)
                   VALUES (?1, ?2, ?3, ?4, ?5)";
        let values =
            params![reader.name, hash.bytes(), reader.role.name(), reader.gyms.is_none(), now];
        self.transaction.execute(sql, values)?;
        self.add_gyms(reader, "INSERT OR IGNORE INTO token_gyms (token, gym) VALUES (?1, ?2)")?;
        Ok(true)
    }

    /// Lists the gyms of a reader whose row was added just now.
    pub(super) fn add_gyms(&self, reader: &Reader, sql: &str) -> Result<(), StoreError> {
        let id = self.transaction.last_insert_rowid();
        for gym in reader.gyms.iter().flatten() {
            self.transaction.execute(sql, [id, gym.0])?;
        }
        Ok(())
    }

    /// Removes a token; false when there is none of that name, or two are told apart by case only.
    pub fn remove_token(&mut self, name: &str) -> Result<bool, StoreError> {
        let [token] = &self.view().tokens_named(name)?[..] else { return Ok(false) };
        Ok(self.transaction.execute("DELETE FROM tokens WHERE id = ?1", [token.id])? > 0)
    }

    pub fn mark_token_used(&mut self, token: i64, at: Millis) -> Result<(), StoreError> {
        let sql = "UPDATE tokens SET last_used_at = ?2 WHERE id = ?1";
        self.transaction.prepare_cached(sql)?.execute([token, at])?;
        Ok(())
    }
}
