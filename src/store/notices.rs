//! Notices: what managers were told last.

use rusqlite::params;

use super::database::Snapshot;
use super::error::StoreError;
use super::gyms::optional;
use super::secret::SecretHash;
use super::tx::Tx;
use crate::domain::Millis;
use crate::domain::ids::GymId;

/// What a recipient was told last of one subject at one gym.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Notice {
    /// Of a digest the end of its period; of an alert when it was said.
    pub at: Millis,
    /// Of an alert: whether it was said to hold; else that it is over.
    pub holds: bool,
}

impl Snapshot<'_> {
    pub fn last_notice(
        &self,
        gym: GymId,
        subject: &str,
        recipient: &SecretHash,
    ) -> Result<Option<Notice>, StoreError> {
        let sql = "SELECT at, holds FROM notices
                   WHERE gym = ?1 AND subject = ?2 AND recipient = ?3";
        let mut statement = self.connection.prepare_cached(sql)?;
        optional(statement.query_row(params![gym.0, subject, recipient.bytes()], |row| {
            Ok(Notice { at: row.get(0)?, holds: row.get(1)? })
        }))
    }
}

impl Tx<'_> {
    pub fn set_notice(
        &mut self,
        gym: GymId,
        subject: &str,
        recipient: &SecretHash,
        notice: Notice,
    ) -> Result<(), StoreError> {
        let sql = "INSERT INTO notices (gym, subject, recipient, at, holds)
                   VALUES (?1, ?2, ?3, ?4, ?5)
                   ON CONFLICT DO UPDATE SET at = excluded.at, holds = excluded.holds";
        let values = params![gym.0, subject, recipient.bytes(), notice.at, notice.holds];
        self.transaction.prepare_cached(sql)?.execute(values)?;
        Ok(())
    }
}
