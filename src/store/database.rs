//! The data folder: where it is, how its one database is opened, and its key.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::checksums::{self, Sums};
use super::copies::is_copy;
use super::error::{StoreError, in_file};
use super::files;
use super::identity::{MARK_FILE, Mark};
use super::kept::BACKUP_LOCK_FILE;
use super::key::{self, KEY_FILE, Key};
use super::ledger::LEDGER_FILE;
use super::opened::{check_folder, length};
use super::remembered::Remembered;
use super::schema::{self, migrate};
use super::transaction::Transaction;
use super::tx::Tx;

/// The database's name in the data folder.
pub(super) const DATABASE_FILE: &str = "footfall.db";
/// The lock that the one service on this folder holds.
pub(super) const LOCK_FILE: &str = "footfall.lock";
/// The lock of the one command that may change webhooks here and at EGYM.
pub(super) const EGYM_LOCK_FILE: &str = "footfall.egym.lock";
/// The lock of the one rebuild that may run on this folder.
pub(super) const REBUILD_LOCK_FILE: &str = "footfall.rebuild.lock";
/// How long a transaction waits for one of another process, in milliseconds.
const BUSY_MS_MAX: u64 = 2_000;
/// Who only looks whether somebody holds a lock holds it no longer than this, in milliseconds.
const LOOK_MS: u64 = 60;
/// How long emptying the write-ahead log waits for a reader, in milliseconds. Nobody can write
/// meanwhile, so it is short, and tried again.
const LOG_BUSY_MS_MAX: u64 = 50;
/// Memory for pages of each writing connection, in KiB.
const WRITER_CACHE_KIB: i64 = 65_536;
/// The write-ahead log is moved into the database when it has so many pages of 4 KiB. Deliveries
/// touch the same pages again and again, so waiting a little saves most of the copying.
const WAL_PAGES: i64 = 8_000;
/// Prepared statements kept by a connection.
const STATEMENTS_MAX: usize = 96;

/// A data folder whose database is up to date.
#[derive(Clone)]
pub struct Database {
    folder: PathBuf,
    key: Arc<Key>,
    mark: Arc<Mark>,
    sums: Sums,
    readers: Arc<Mutex<Vec<Connection>>>,
    remembered: Arc<Remembered>,
    /// Nobody writes, and reading it must not make a file either.
    pub(super) is_still: bool,
}

impl Database {
    /// Opens a data folder, made when missing, and brings its database up to date. Refuses another
    /// user's folder, and a key that is not the database's.
    pub fn open(folder: &Path) -> Result<Database, StoreError> {
        files::make_private_folder(folder).map_err(in_file(folder))?;
        files::check_owner(folder, &folder.join(DATABASE_FILE))?;
        check_folder(folder)?;
        let path = folder.join(KEY_FILE);
        let key = match key::read(&path)? {
            Some(key) => key,
            None => first_key(folder, &path)?,
        };
        let connection = connect(&folder.join(DATABASE_FILE))?;
        key::check(&connection, &key, &path)?;
        let claim = claim_to_migrate(folder, &connection)?;
        let database = Database::with_key(folder, key)?;
        drop((connection, claim));
        let mut connection = connect(&database.file())?;
        key::note_check(&connection, &database.key)?;
        database.mark.notice_restore(&mut connection)?;
        database.make_private()?;
        Ok(database)
    }

    /// The same where a database must be there already.
    pub fn open_existing(folder: &Path) -> Result<Database, StoreError> {
        Database::must_be_in(folder)?;
        Database::open(folder)
    }

    /// Refuses a folder without a database.
    pub fn must_be_in(folder: &Path) -> Result<(), StoreError> {
        let file = folder.join(DATABASE_FILE);
        if length(&file)? > 0 {
            return Ok(());
        }
        let how = if file.exists() { "is empty" } else { "is not there" };
        Err(StoreError::NotWhole(format!("the database {} {how}", file.display())))
    }

    /// Brings the database of a folder up to date, by a key that may not be its own.
    pub(super) fn with_key(folder: &Path, key: Key) -> Result<Database, StoreError> {
        let database = Database::as_it_is(folder, key, false);
        database.make_private()?;
        let mut connection = connect(&database.file())?;
        let has_migrated = migrate(&mut connection)?;
        checksums::take(&mut connection, has_migrated)?;
        Ok(database)
    }

    /// A folder in which nothing was done yet.
    pub(super) fn as_it_is(folder: &Path, key: Key, is_still: bool) -> Database {
        let (key, mark) = (Arc::new(key), Arc::new(Mark::new(folder)));
        let (sums, readers, remembered) = (Sums::default(), Arc::default(), Arc::default());
        Database { folder: folder.to_owned(), key, mark, sums, readers, remembered, is_still }
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn key(&self) -> &Key {
        &self.key
    }

    /// The permissions of the data folder, when others than its owner have any.
    pub fn open_to_others(&self) -> Option<u32> {
        files::open_to_others(&self.folder)
    }

    /// Files that were put here, or made by an earlier version, are the owner's alone.
    fn make_private(&self) -> Result<(), StoreError> {
        self.files().iter().try_for_each(|file| files::make_private(file))
    }

    /// Our files in the folder, whether or not they are there.
    pub(super) fn files(&self) -> Vec<PathBuf> {
        let log = [format!("{DATABASE_FILE}-wal"), format!("{DATABASE_FILE}-shm")];
        let names = [DATABASE_FILE, KEY_FILE, LEDGER_FILE, MARK_FILE, LOCK_FILE, EGYM_LOCK_FILE];
        let names = names
            .into_iter()
            .chain([REBUILD_LOCK_FILE, BACKUP_LOCK_FILE])
            .chain(log.iter().map(String::as_str));
        names.map(|name| self.folder.join(name)).collect()
    }

    pub fn file(&self) -> PathBuf {
        self.folder.join(DATABASE_FILE)
    }

    /// Claims the folder for one service, until the file that is returned is dropped.
    pub fn lock(&self) -> Result<fs::File, StoreError> {
        self.lock_soon(LOCK_FILE)?.ok_or_else(|| StoreError::Locked(self.folder.clone()))
    }

    /// Whether a service runs on the folder.
    pub fn is_served(&self) -> bool {
        matches!(self.try_lock(LOCK_FILE), Ok(None))
    }

    /// Claims the folder for one command that changes webhooks here and at EGYM; none while
    /// another does.
    pub fn try_lock_egym(&self) -> Result<Option<fs::File>, StoreError> {
        self.try_lock(EGYM_LOCK_FILE)
    }

    /// Whether a rebuild runs on the folder.
    pub fn is_rebuilding(&self) -> bool {
        matches!(self.try_lock(REBUILD_LOCK_FILE), Ok(None))
    }

    /// Claims the folder for one rebuild.
    pub fn lock_rebuild(&self) -> Result<fs::File, StoreError> {
        let lock = self.lock_soon(REBUILD_LOCK_FILE)?;
        lock.ok_or_else(|| StoreError::Refused("another rebuild is running; wait for it".into()))
    }

    /// The same; none while a rebuild runs.
    pub fn try_lock_rebuild(&self) -> Result<Option<fs::File>, StoreError> {
        self.lock_within(REBUILD_LOCK_FILE, LOOK_MS)
    }

    /// Waits a little for one who is about to let go.
    fn lock_soon(&self, name: &str) -> Result<Option<fs::File>, StoreError> {
        self.lock_within(name, BUSY_MS_MAX)
    }

    fn lock_within(&self, name: &str, milliseconds: u64) -> Result<Option<fs::File>, StoreError> {
        files::try_lock_within(&self.folder.join(name), milliseconds)
    }

    fn try_lock(&self, name: &str) -> Result<Option<fs::File>, StoreError> {
        files::try_lock(&self.folder.join(name))
    }

    /// A connection that may write. What it commits is on disk when the commit returns.
    pub fn connect(&self) -> Result<Connection, StoreError> {
        let connection = connect(&self.file())?;
        self.sums.watch(&connection)?;
        Ok(connection)
    }

    /// Whether what a connection commits is on disk when the commit returns, as it is at first. If
    /// not, it is when anything is that was committed after it.
    pub fn wait_for_disk(connection: &Connection, waits: bool) -> Result<(), StoreError> {
        let level = if waits { "FULL" } else { "NORMAL" };
        Ok(connection.pragma_update(None, "synchronous", level)?)
    }

    /// Reads at one point of the database's history, without waiting for any writer.
    pub fn read<R>(
        &self,
        work: impl FnOnce(&Snapshot<'_>) -> Result<R, StoreError>,
    ) -> Result<R, StoreError> {
        let mut connection = match self.idle().pop() {
            Some(connection) => connection,
            None => self.connect_to_read()?,
        };
        let transaction = Transaction::to_read(&mut connection)?;
        let database = Some(self);
        let result = work(&Snapshot { connection: &transaction, key: &self.key, database });
        drop(transaction);
        self.idle().push(connection);
        result
    }

    /// Does one piece of work in a transaction of its own, for commands that run beside a service.
    pub fn transact<R>(
        &self,
        connection: &mut Connection,
        work: impl FnOnce(&mut Tx<'_>) -> Result<R, StoreError>,
    ) -> Result<R, StoreError> {
        let mut tx = self.begin(connection)?;
        let result = work(&mut tx).and_then(|result| tx.commit().map(|_| result));
        self.keep_room(connection);
        result
    }

    /// Moves what nobody reads any more of the write-ahead log into the database, beside a writer.
    pub(super) fn move_log(&self) -> Result<(), StoreError> {
        let sql = "PRAGMA wal_checkpoint(PASSIVE)";
        Ok(connect(&self.file())?.query_row(sql, [], |_| Ok(()))?)
    }

    /// Moves the write-ahead log into the database and empties its file. False when a reader or
    /// another writer still needs it.
    pub fn empty_log(connection: &Connection) -> Result<bool, StoreError> {
        let sql = "PRAGMA wal_checkpoint(TRUNCATE)";
        connection.busy_timeout(Duration::from_millis(LOG_BUSY_MS_MAX))?;
        let is_busy = connection.query_row(sql, [], |row| row.get::<_, bool>(0));
        connection.busy_timeout(Duration::from_millis(BUSY_MS_MAX))?;
        Ok(!is_busy?)
    }

    pub(super) fn begin<'c>(
        &'c self,
        connection: &'c mut Connection,
    ) -> Result<Tx<'c>, StoreError> {
        let transaction = Transaction::to_write(connection)?;
        self.sums.begin();
        Ok(Tx::new(transaction, &self.key, &self.mark, &self.sums))
    }

    pub(super) fn connect_to_read(&self) -> Result<Connection, StoreError> {
        let connection = open_to_read(&self.file(), self.is_still)?;
        connection.pragma_update(None, "temp_store", "MEMORY")?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
        Ok(connection)
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.readers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Opens a database to read; one that is `still` as a file that nobody writes.
pub(super) fn open_to_read(file: &Path, is_still: bool) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = if is_still {
        let path = file.canonicalize().map_err(in_file(file))?;
        let path: String = form_urlencoded::byte_serialize(path.as_os_str().as_bytes()).collect();
        let uri = format!("file:{}?immutable=1", path.replace('+', "%20"));
        Connection::open_with_flags(uri, flags | OpenFlags::SQLITE_OPEN_URI)?
    } else {
        Connection::open_with_flags(file, flags)?
    };
    connection.busy_timeout(Duration::from_millis(BUSY_MS_MAX))?;
    Ok(connection)
}

/// What can be read at one point of the database's history.
pub struct Snapshot<'c> {
    pub(super) connection: &'c Connection,
    pub(super) key: &'c Key,
    /// Whose committed state it is; none within a transaction that may have changed something.
    pub(super) database: Option<&'c Database>,
}

impl Snapshot<'_> {
    /// What was worked out of a committed state, and is kept.
    pub fn remembered(&self) -> Option<&Remembered> {
        self.database.map(|database| &*database.remembered)
    }

    /// The database, where others can read of it what is read here, if it did not change meanwhile.
    pub fn database(&self) -> Option<&Database> {
        self.database
    }
}

/// A key for a folder in which nothing needs one yet.
fn first_key(folder: &Path, path: &Path) -> Result<Key, StoreError> {
    let has_some = |file: &Path| fs::metadata(file).is_ok_and(|there| there.len() > 0);
    let file = folder.join(DATABASE_FILE);
    let is_needed =
        has_some(&folder.join(LEDGER_FILE)) || has_some(&file) && key::is_needed(&connect(&file)?)?;
    if is_needed { Err(key::missing(path)) } else { key::make(path) }
}

/// Nobody of an earlier version may go on writing into a database that is brought up to date: it would
/// be read by rules that it did not know of. A scratch copy is ours alone.
fn claim_to_migrate(
    folder: &Path,
    connection: &Connection,
) -> Result<Option<fs::File>, StoreError> {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    if !schema::is_of_earlier(connection) || is_copy(&name) {
        return Ok(None);
    }
    let claim = files::try_lock_within(&folder.join(LOCK_FILE), BUSY_MS_MAX)?;
    let Some(claim) = claim else {
        return Err(StoreError::Refused(format!(
            "a service of an earlier version serves {}: start it again first, as this version, which \
             brings the database up to date",
            folder.display()
        )));
    };
    Ok(Some(claim))
}

pub(super) fn connect(file: &Path) -> Result<Connection, StoreError> {
    let connection = Connection::open(file)?;
    connection.busy_timeout(Duration::from_millis(BUSY_MS_MAX))?;
    // A database that is made now can give back what it does not need any more. Said to one that is
    // there already, it would be a write.
    if connection.query_row("PRAGMA page_count", [], |row| row.get::<_, i64>(0))? == 0 {
        connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    }
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "secure_delete", true)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "cache_size", -WRITER_CACHE_KIB)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "wal_autocheckpoint", WAL_PAGES)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    Ok(connection)
}
