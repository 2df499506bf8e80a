//! Text of others that an older version kept, or that was noted with a key that is lost: it is read
//! once more, a little at a time, and whom it names is noted as of text that comes now.

use uuid::Uuid;

use super::codec::Damaged;
use super::database::Snapshot;
use super::error::StoreError;
use super::foreign_text::{Place, both_orders};
use super::gyms::optional;
use super::quarantine::Quarantined;
use super::tx::Tx;
use crate::domain::Millis;
use crate::domain::event::Kind;
use crate::domain::foreign_text;
use crate::domain::ids::{Account, GymId};

/// Rows that an older version wrote and that are read in one transaction.
const OLD_EXTRAS_MAX: i64 = 1_000;
const OLD_BODIES_MAX: i64 = 32;
const OLD_TYPES_MAX: i64 = 50_000;

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
    /// Lets all text be read once more, as after an upgrade.
    pub(super) fn read_all_again(&mut self) -> Result<(), StoreError> {
        self.transaction.execute("DELETE FROM foreign_text_unread", [])?;
        for place in Place::ALL {
            let Some(row) = place.row() else { continue };
            let (table, _) = place.column();
            let sql = format!(
                "INSERT INTO foreign_text_unread
                     SELECT ?1, 0, max({row}) FROM {table} HAVING max({row}) IS NOT NULL"
            );
            self.transaction.execute(&sql, [place.number()])?;
        }
        Ok(())
    }

    /// Notes whom a row of old text names. Where that is somebody who was erased since it came, that
    /// erasure did not look there, and the row is emptied now.
    pub(super) fn note_old(
        &mut self,
        gym: GymId,
        accounts: &[Account],
        (place, row): (Place, i64),
        received_at: Millis,
    ) -> Result<(), StoreError> {
        for account in both_orders(accounts) {
            let erased_until = self.view().erased_until(gym, account)?;
            if erased_until.is_some_and(|until| received_at <= until) {
                return self.forget_row(place, row);
            }
        }
        self.note_accounts(gym, accounts, place, row)
    }

    /// Reads some types that an older version kept, notes whom they name, and writes over what cannot
    /// be searched; false when all were read.
    pub fn read_old_types(&mut self) -> Result<bool, StoreError> {
        let Some((after, until)) = self.view().unread(Place::Types)? else { return Ok(false) };
        let last = until.min(after + OLD_TYPES_MAX);
        let sql = "SELECT position, gym, type, received_at FROM events
                   WHERE position > ?1 AND position <= ?2";
        let mut statement = self.transaction.prepare_cached(sql)?;
        let mut rows = statement.query([after, last])?;
        let mut unfit = Vec::new();
        while let Some(row) = rows.next()? {
            let name = row.get_ref(2)?.as_str().map_err(|_| Damaged)?;
            let is_unknown = matches!(Kind::from_name(name), Kind::Unknown(_));
            let read = is_unknown.then(|| foreign_text::read(name.as_bytes()));
            if let Some(read) = read.filter(|read| !read.names_nobody()) {
                unfit.push((row.get(0)?, GymId(row.get(1)?), row.get(3)?, read));
            }
        }
        drop(rows);
        drop(statement);
        for (position, gym, received_at, read) in unfit {
            if read.is_searchable {
                self.note_old(gym, &read.accounts, (Place::Types, position), received_at)?;
            } else {
                self.forget_row(Place::Types, position)?;
            }
        }
        self.mark_read(Place::Types, last)?;
        Ok(true)
    }

    /// Reads some unknown fields that an older version kept, notes whom they name, and empties what
    /// cannot be searched; false when all were read.
    pub fn read_old_extras(&mut self) -> Result<bool, StoreError> {
        let Some((after, until)) = self.view().unread(Place::Extras)? else { return Ok(false) };
        let sql = "SELECT position, events.gym, fields, account, received_at FROM extras
                   JOIN events USING (position) JOIN members ON members.id = member
                   WHERE position > ?1 AND position <= ?2 ORDER BY position LIMIT ?3";
        let mut statement = self.transaction.prepare_cached(sql)?;
        let rows = statement.query_map([after, until, OLD_EXTRAS_MAX], |row| {
            let account = Uuid::from_bytes(row.get(3)?);
            let fields: Option<String> = row.get(2)?;
            let gym = GymId(row.get(1)?);
            Ok((row.get::<_, i64>(0)?, gym, fields, Account(account), row.get(4)?))
        })?;
        let rows: Vec<_> = rows.collect::<Result<_, _>>()?;
        drop(statement);
        let last = rows.last().map_or(until, |row| row.0);
        for (position, gym, fields, own, received_at) in rows {
            let Some(fields) = fields else { continue };
            let mut read = foreign_text::read(fields.as_bytes());
            read.accounts.retain(|account| *account != own);
            if read.is_searchable {
                self.note_old(gym, &read.accounts, (Place::Extras, position), received_at)?;
            } else {
                self.forget_row(Place::Extras, position)?;
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
