//! The schema's history: how a database is brought up to date, and whether it is.

use rusqlite::Connection;

use super::error::StoreError;

mod migrations {
    refinery::embed_migrations!("migrations");
}

/// Brings a database up to date; whether there was anything to do.
pub(super) fn migrate(connection: &mut Connection) -> Result<bool, StoreError> {
    if let Ok(theirs) = version_of(connection) {
        refuse_later(theirs, ours())?;
    }
    let report = migrations::migrations::runner().run(connection).map_err(Box::new)?;
    Ok(!report.applied_migrations().is_empty())
}

/// Whether a database was written by an earlier version; one that is new was not.
pub(super) fn is_of_earlier(connection: &Connection) -> bool {
    version_of(connection).is_ok_and(|theirs| theirs < ours())
}

fn ours() -> i64 {
    let runner = migrations::migrations::runner();
    runner.get_migrations().iter().map(|one| i64::from(one.version())).max().unwrap_or(0)
}

/// An empty database in memory, declared as it should be.
pub(super) fn up_to_date() -> Result<Connection, StoreError> {
    let mut connection = Connection::open_in_memory()?;
    migrate(&mut connection)?;
    Ok(connection)
}

/// Refuses a database that an earlier or a later version wrote.
pub(super) fn check_version(connection: &Connection) -> Result<(), StoreError> {
    let ours = ours();
    let theirs = version_of(connection)?;
    if theirs < ours {
        let why = "is of an earlier version of footfall; make a backup of it with that version, and \
                   the first start of this one brings it up to date";
        return Err(StoreError::Refused(format!("the database {why}")));
    }
    refuse_later(theirs, ours)
}

fn refuse_later(theirs: i64, ours: i64) -> Result<(), StoreError> {
    if theirs <= ours {
        return Ok(());
    }
    let why = "is of a later version of footfall; run that one, or put back a backup from before \
               the upgrade";
    Err(StoreError::Refused(format!("the database {why}")))
}

/// Fails where no footfall was at work.
pub(super) fn version_of(connection: &Connection) -> Result<i64, StoreError> {
    let sql = "SELECT coalesce(max(version), 0) FROM refinery_schema_history";
    Ok(connection.query_row(sql, [], |row| row.get(0))?)
}
