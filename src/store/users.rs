//! Users: people who look at the page; and their sessions, each begun by a sign-in.

use rusqlite::{OptionalExtension, Row, params};

use super::database::Snapshot;
use super::error::StoreError;
use super::secret::SecretHash;
use super::tokens::Reader;
use super::tx::Tx;
use crate::domain::{Millis, names};

#[derive(Debug, Clone)]
pub struct User {
    pub id: i64,
    pub reader: Reader,
    /// In the PHC format; none for who comes in by links only.
    pub password_hash: Option<String>,
    pub created_at: Millis,
}

/// A sign-in that was not ended.
#[derive(Debug, Clone)]
pub struct Session {
    pub id: i64,
    pub user: i64,
    pub created_at: Millis,
    /// Kept to the minute.
    pub last_used_at: Millis,
}

const SELECT: &str = "SELECT id, name, role, all_gyms, password_hash, created_at FROM users";

impl Snapshot<'_> {
    /// All users, by name.
    pub fn users(&self) -> Result<Vec<User>, StoreError> {
        let mut statement = self.connection.prepare_cached(&format!("{SELECT} ORDER BY name"))?;
        let rows = statement.query_and_then([], |row| self.user_from(row))?;
        rows.collect()
    }

    /// The user of that name. Case does not matter, nor how accents are written, unless two are told
    /// apart by just that: then the name must be the one that was given.
    pub fn user(&self, name: &str) -> Result<Option<User>, StoreError> {
        let (given, folded) = (names::composed(name.trim()), names::folded(name));
        let mut alike = self.users()?;
        alike.retain(|user| names::folded(&user.reader.name) == folded);
        let same = |user: &User| names::composed(user.reader.name.trim()) == given;
        let place = alike.iter().position(|user| user.reader.name == name);
        let place = place.or_else(|| alike.iter().position(same));
        let place = place.or_else(|| (alike.len() == 1).then_some(0));
        Ok(place.map(|place| alike.swap_remove(place)))
    }

    pub fn user_by_id(&self, id: i64) -> Result<Option<User>, StoreError> {
        self.one_user(&format!("{SELECT} WHERE id = ?1"), params![id])
    }

    /// Whether a user has that name, or one that differs in case or the way accents are written.
    fn is_taken(&self, name: &str) -> Result<bool, StoreError> {
        let folded = names::folded(name);
        Ok(self.users()?.iter().any(|user| names::folded(&user.reader.name) == folded))
    }

    /// Whose link it is, if the link is good at that instant.
    pub fn user_by_link(&self, link: &SecretHash, now: Millis) -> Result<Option<User>, StoreError> {
        let sql = format!("{SELECT} WHERE link_hash = ?1 AND link_until > ?2");
        self.one_user(&sql, params![link.bytes(), now])
    }

    /// The session of that hash, if it was used since then, with its user.
    pub fn session(
        &self,
        hash: &SecretHash,
        used_since: Millis,
    ) -> Result<Option<(Session, User)>, StoreError> {
        let sql = "SELECT id, user, created_at, last_used_at FROM sessions
                   WHERE hash = ?1 AND last_used_at >= ?2";
        let mut statement = self.connection.prepare_cached(sql)?;
        let found = statement.query_row(params![hash.bytes(), used_since], session_from);
        let Some(session) = found.optional()? else { return Ok(None) };
        let user = self.user_by_id(session.user)?;
        Ok(user.map(|user| (session, user)))
    }

    /// All sessions used since then, the last used first.
    pub fn sessions(&self, used_since: Millis) -> Result<Vec<Session>, StoreError> {
        let sql = "SELECT id, user, created_at, last_used_at FROM sessions
                   WHERE last_used_at >= ?1 ORDER BY last_used_at DESC, id DESC";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map([used_since], session_from)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn one_user(
        &self,
        sql: &str,
        values: &[&dyn rusqlite::ToSql],
    ) -> Result<Option<User>, StoreError> {
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query_and_then(values, |row| self.user_from(row))?;
        rows.next().transpose()
    }

    fn user_from(&self, row: &Row<'_>) -> Result<User, StoreError> {
        Ok(User {
            id: row.get(0)?,
            reader: self.reader_from(row, "SELECT gym FROM user_gyms WHERE user = ?1")?,
            password_hash: row.get(4)?,
            created_at: row.get(5)?,
        })
    }
}

fn session_from(row: &Row<'_>) -> rusqlite::Result<Session> {
    Ok(Session {
        id: row.get(0)?,
        user: row.get(1)?,
        created_at: row.get(2)?,
        last_used_at: row.get(3)?,
    })
}

impl Tx<'_> {
    /// Adds a user, and gives the id; none when the name is taken.
    pub fn add_user(&mut self, reader: &Reader, now: Millis) -> Result<Option<i64>, StoreError> {
        if self.view().is_taken(&reader.name)? {
            return Ok(None);
        }
        let sql = "INSERT INTO users (name, role, all_gyms, created_at) VALUES (?1, ?2, ?3, ?4)";
        let (role, all) = (reader.role.name(), reader.gyms.is_none());
        self.transaction.execute(sql, params![reader.name, role, all, now])?;
        let id = self.transaction.last_insert_rowid();
        self.add_gyms(reader, "INSERT OR IGNORE INTO user_gyms (user, gym) VALUES (?1, ?2)")?;
        Ok(Some(id))
    }

    /// Sets a user's password, and ends all their sessions and the link that was not used: who may
    /// have had one of them is out. False when the user has gone.
    pub fn set_password(&mut self, user: i64, password_hash: &str) -> Result<bool, StoreError> {
        let sql = "UPDATE users SET password_hash = ?2, link_hash = NULL, link_until = NULL
                   WHERE id = ?1";
        let is_there = self.transaction.execute(sql, params![user, password_hash])? > 0;
        self.transaction.execute("DELETE FROM sessions WHERE user = ?1", [user])?;
        Ok(is_there)
    }

    /// Gives a user a link that is good once, until then. It replaces one that was not used. False
    /// when the user has gone.
    pub fn set_link(
        &mut self,
        user: i64,
        link: &SecretHash,
        until: Millis,
    ) -> Result<bool, StoreError> {
        let sql = "UPDATE users SET link_hash = ?2, link_until = ?3 WHERE id = ?1";
        Ok(self.transaction.execute(sql, params![user, link.bytes(), until])? > 0)
    }

    /// Uses a link up; none when it is not good at that instant.
    pub fn take_link(
        &mut self,
        link: &SecretHash,
        now: Millis,
    ) -> Result<Option<User>, StoreError> {
        let user = self.view().user_by_link(link, now)?;
        if let Some(user) = &user {
            let sql = "UPDATE users SET link_hash = NULL, link_until = NULL WHERE id = ?1";
            self.transaction.execute(sql, [user.id])?;
        }
        Ok(user)
    }

    /// Removes a user, and ends their sessions; false when the user has gone already.
    pub fn remove_user(&mut self, user: i64) -> Result<bool, StoreError> {
        Ok(self.transaction.execute("DELETE FROM users WHERE id = ?1", [user])? > 0)
    }

    /// Begins a session, and forgets those not used since then.
    pub fn add_session(
        &mut self,
        user: i64,
        hash: &SecretHash,
        now: Millis,
        used_since: Millis,
    ) -> Result<(), StoreError> {
        self.transaction.execute("DELETE FROM sessions WHERE last_used_at < ?1", [used_since])?;
        let sql = "INSERT INTO sessions (user, hash, created_at, last_used_at)
                   VALUES (?1, ?2, ?3, ?3)";
        self.transaction.execute(sql, params![user, hash.bytes(), now])?;
        Ok(())
    }

    pub fn mark_session_used(&mut self, session: i64, at: Millis) -> Result<(), StoreError> {
        let sql = "UPDATE sessions SET last_used_at = ?2 WHERE id = ?1";
        self.transaction.execute(sql, [session, at])?;
        Ok(())
    }

    /// Ends a session; false when it has ended already.
    pub fn end_session(&mut self, session: i64) -> Result<bool, StoreError> {
        Ok(self.transaction.execute("DELETE FROM sessions WHERE id = ?1", [session])? > 0)
    }
}
