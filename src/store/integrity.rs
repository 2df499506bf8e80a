//! Integrity: what SQLite and the rows themselves say about damage. What the rows come to is
//! compared in `projection::verify`.

use rusqlite::Connection;
use uuid::Uuid;

use super::codec;
use super::database::Snapshot;
use super::error::StoreError;
use super::schema::up_to_date;
use crate::domain::calendar::Day;
use crate::domain::ids::{Account, Generation, GymId};

/// Faults that SQLite's own check names at most.
const FAULTS_MAX: u32 = 100;

impl Snapshot<'_> {
    /// What is wrong with the file as a database, whatever is in it.
    pub fn damage(&self) -> Result<Vec<String>, StoreError> {
        let mut found = self.check_by("integrity_check")?;
        let mut statement = self.connection.prepare("PRAGMA foreign_key_check")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let (table, parent): (String, String) = (row.get(0)?, row.get(2)?);
            found.push(format!("a row of {table} names one of {parent} that is not there"));
        }
        if schema(self.connection)? != schema(&up_to_date()?)? {
            found.push("the tables are not declared as footfall declares them".to_owned());
        }
        found.extend(self.repeated_positions()?);
        Ok(found)
    }

    /// The same as far as a quick look shows it: pages and rows, but not what indexes say of them.
    pub fn quick_damage(&self) -> Result<Vec<String>, StoreError> {
        self.check_by("quick_check")
    }

    fn check_by(&self, check: &str) -> Result<Vec<String>, StoreError> {
        let mut found = Vec::new();
        let mut statement = self.connection.prepare(&format!("PRAGMA {check}({FAULTS_MAX})"))?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let text: String = row.get(0)?;
            if text != "ok" {
                found.push(format!("SQLite finds damage: {text}"));
            }
        }
        Ok(found)
    }

    /// Positions must go on after the last that was given.
    fn repeated_positions(&self) -> Result<Vec<String>, StoreError> {
        let mut found = Vec::new();
        for (table, column) in [("events", "position"), ("quarantine", "id"), ("erasures", "id")] {
            let sql = format!(
                "SELECT coalesce((SELECT max({column}) FROM {table}), 0)
                      > coalesce((SELECT max(seq) FROM sqlite_sequence WHERE name = ?1), 0)"
            );
            if self.connection.query_row(&sql, [table], |row| row.get(0))? {
                found.push(format!("{table} would give a {column} twice"));
            }
        }
        Ok(found)
    }

    /// Members that are not found by their key, and events of nobody, or of another gym's member.
    pub fn wrong_members(&self) -> Result<Vec<String>, StoreError> {
        let mut found = Vec::new();
        let sql = "SELECT id, gym, account, account_key FROM members";
        let mut statement = self.connection.prepare(sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let (id, gym): (i64, i64) = (row.get(0)?, row.get(1)?);
            let account = Account(Uuid::from_bytes(row.get(2)?));
            let is_found = account.0.is_nil()
                || row.get::<_, i64>(3)? == self.account_key(GymId(gym), account);
            if !is_found {
                found.push(format!("member row {id} is not found by its account"));
            }
        }
        let sql = "SELECT position FROM events LEFT JOIN members ON members.id = events.member
                   WHERE members.gym IS NOT events.gym";
        let mut statement = self.connection.prepare(sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let position: i64 = row.get(0)?;
            found.push(format!("the event at {position} is of no member of its gym"));
        }
        Ok(found)
    }

    /// Receipts and days that are filed under another time than what they hold.
    pub fn misfiled(&self, generation: Generation) -> Result<Vec<String>, StoreError> {
        let mut found = Vec::new();
        let sql = "SELECT member, start, last, present_until, entries, fold FROM receipts
                   WHERE generation = ?1";
        let mut statement = self.connection.prepare(sql)?;
        let mut rows = statement.query([generation.0])?;
        while let Some(row) = rows.next()? {
            let (entries, fold): (Vec<u8>, Vec<u8>) = (row.get(4)?, row.get(5)?);
            let stretch = codec::stretch_from_blobs(&entries, &fold)?;
            let filed: [i64; 3] = [row.get(1)?, row.get(2)?, row.get(3)?];
            if filed != [stretch.start(), stretch.last(), stretch.present_until()] {
                let (member, start): (i64, i64) = (row.get(0)?, row.get(1)?);
                found.push(format!("the receipt of member row {member} from {start} is misfiled"));
            }
        }
        let sql = "SELECT member, last_day, days, past FROM member_days WHERE generation = ?1";
        let mut statement = self.connection.prepare(sql)?;
        let mut rows = statement.query([generation.0])?;
        while let Some(row) = rows.next()? {
            let (days, past): (Vec<u8>, Option<Vec<u8>>) = (row.get(2)?, row.get(3)?);
            let days = codec::days_from_blobs(&days, past.as_deref())?;
            if row.get::<_, Option<i32>>(1)?.map(Day) != days.last_visit() {
                let member: i64 = row.get(0)?;
                found.push(format!("the days of member row {member} are misfiled"));
            }
        }
        Ok(found)
    }
}

/// How everything is declared.
fn schema(connection: &Connection) -> Result<Vec<(String, Option<String>)>, StoreError> {
    let sql =
        "SELECT type || ' ' || name || ' of ' || tbl_name, sql FROM main.sqlite_schema ORDER BY 1";
    let mut statement = connection.prepare(sql)?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}
