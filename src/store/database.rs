//! The data folder: where it is, how its one database is opened, and its key.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hmac::{Hmac, Mac};
use rusqlite::{Connection, OpenFlags, TransactionBehavior};
use sha2::Sha256;

use super::Damaged;
use super::tx::Tx;
use crate::domain::ids::{Account, GymId};

/// The database's name in the data folder.
const DATABASE_FILE: &str = "footfall.db";
/// The key's name in the data folder. It is kept out of the database, so that a copy of the
/// database alone cannot tell whose a keyed hash is.
const KEY_FILE: &str = "footfall.key";
/// The lock that the one service on this folder holds.
pub(super) const LOCK_FILE: &str = "footfall.lock";
/// The lock of the one command that may change webhooks here and at EGYM.
const EGYM_LOCK_FILE: &str = "footfall.egym.lock";
/// The lock of the one rebuild that may run on this folder.
const REBUILD_LOCK_FILE: &str = "footfall.rebuild.lock";
/// How long a transaction waits for one of another process, in milliseconds.
const BUSY_MS_MAX: u64 = 2_000;
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

mod migrations {
    refinery::embed_migrations!("migrations");
}

/// Why the store could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("the database says: {0}")]
    Sqlite(#[from] rusqlite::Error),
    #[error(transparent)]
    Damaged(#[from] Damaged),
    #[error("{path}: {source}")]
    File { path: PathBuf, source: std::io::Error },
    #[error("the database could not be brought up to date: {0}")]
    Migration(#[from] Box<refinery::Error>),
    #[error("another footfall serves {0}; stop it first, or choose another data folder")]
    Locked(PathBuf),
    #[error("{0} does not hold a key of 32 bytes; restore it from where the database came from")]
    Key(PathBuf),
    #[error("{0}")]
    Refused(String),
    /// What failed a whole transaction, told to everybody in it.
    #[error(transparent)]
    Shared(Arc<StoreError>),
}

impl StoreError {
    /// Whether trying the same at once again is of no use: the disk is full or broken, or another
    /// process holds the database.
    pub(super) fn is_of_disk(&self) -> bool {
        use rusqlite::ErrorCode as Code;
        match self {
            StoreError::Sqlite(error) => matches!(
                error.sqlite_error_code(),
                Some(
                    Code::DatabaseBusy
                        | Code::DatabaseLocked
                        | Code::DiskFull
                        | Code::SystemIoFailure
                        | Code::ReadOnly
                        | Code::CannotOpen
                        | Code::OutOfMemory
                )
            ),
            StoreError::File { .. } => true,
            StoreError::Shared(error) => error.is_of_disk(),
            StoreError::Damaged(_)
            | StoreError::Migration(_)
            | StoreError::Locked(_)
            | StoreError::Key(_)
            | StoreError::Refused(_) => false,
        }
    }
}

/// A data folder whose database is up to date.
#[derive(Clone)]
pub struct Database {
    folder: PathBuf,
    key: Arc<[u8; 32]>,
    readers: Arc<Mutex<Vec<Connection>>>,
}

impl Database {
    /// Opens a data folder, made when missing, and brings its database up to date.
    pub fn open(folder: &Path) -> Result<Database, StoreError> {
        make_private(folder)?;
        let key = Arc::new(read_or_make_key(&folder.join(KEY_FILE))?);
        let database = Database { folder: folder.to_owned(), key, readers: Arc::default() };
        let mut connection = database.connect()?;
        migrations::migrations::runner().run(&mut connection).map_err(Box::new)?;
        Ok(database)
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Copies the database, as it is at one moment, and its key into another folder, while others
    /// go on reading and writing.
    pub fn back_up(&self, into: &Path) -> Result<(), StoreError> {
        make_private(into)?;
        let copy = into.join(DATABASE_FILE);
        if copy.exists() {
            let text = format!("{} is there already; choose an empty folder", copy.display());
            return Err(StoreError::Refused(text));
        }
        let source = self.connect_to_read()?;
        source.backup(rusqlite::MAIN_DB, &copy, None)?;
        fs::File::open(&copy).and_then(|file| file.sync_all()).map_err(in_file(&copy))?;
        let (from, to) = (self.folder.join(KEY_FILE), into.join(KEY_FILE));
        fs::copy(from, &to).map_err(in_file(&to))?;
        Ok(())
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
        self.try_lock(REBUILD_LOCK_FILE)
    }

    /// Waits a little for one who is about to let go.
    fn lock_soon(&self, name: &str) -> Result<Option<fs::File>, StoreError> {
        let step = Duration::from_millis(20);
        for _ in 0..BUSY_MS_MAX / 20 {
            if let Some(lock) = self.try_lock(name)? {
                return Ok(Some(lock));
            }
            std::thread::sleep(step);
        }
        self.try_lock(name)
    }

    fn try_lock(&self, name: &str) -> Result<Option<fs::File>, StoreError> {
        try_lock(&self.folder.join(name))
    }

    /// A connection that may write. What it commits is on disk when the commit returns.
    pub fn connect(&self) -> Result<Connection, StoreError> {
        let connection = Connection::open(self.file())?;
        connection.busy_timeout(Duration::from_millis(BUSY_MS_MAX))?;
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

    /// Reads at one point of the database's history, without waiting for any writer.
    pub fn read<R>(
        &self,
        work: impl FnOnce(&Snapshot<'_>) -> Result<R, StoreError>,
    ) -> Result<R, StoreError> {
        let mut connection = match self.idle().pop() {
            Some(connection) => connection,
            None => self.connect_to_read()?,
        };
        let transaction = connection.transaction()?;
        let result = work(&Snapshot { connection: &transaction, key: &self.key });
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
        let result = work(&mut tx)?;
        tx.commit()?;
        Ok(result)
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
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        Ok(Tx::new(transaction, &self.key))
    }

    fn connect_to_read(&self) -> Result<Connection, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(self.file(), flags)?;
        connection.busy_timeout(Duration::from_millis(BUSY_MS_MAX))?;
        connection.pragma_update(None, "temp_store", "MEMORY")?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
        Ok(connection)
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.readers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What can be read at one point of the database's history.
pub struct Snapshot<'c> {
    pub(super) connection: &'c Connection,
    pub(super) key: &'c [u8; 32],
}

impl Snapshot<'_> {
    /// A part of the hash below, for looking accounts up without an index of accounts. It always
    /// takes eight bytes in a row, so that another can be written over it in place.
    pub(super) fn account_key(&self, gym: GymId, account: Account) -> i64 {
        let hash = self.account_hash(gym, account);
        eight_bytes(*hash.first_chunk().expect("a hash has 32 bytes"))
    }

    /// A keyed hash of a member: without the key, nobody can tell whose it is.
    pub fn account_hash(&self, gym: GymId, account: Account) -> [u8; 32] {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.key).expect("any length of key will do");
        mac.update(&gym.0.to_be_bytes());
        mac.update(account.0.as_bytes());
        mac.finalize().into_bytes().into()
    }
}

fn eight_bytes(random: [u8; 8]) -> i64 {
    (u64::from_be_bytes(random) >> 2 | 1 << 62).cast_signed()
}

/// A key that is nobody's, to write over somebody's.
pub(super) fn random_account_key() -> i64 {
    let mut random = [0; 8];
    getrandom::fill(&mut random).expect("the system has random numbers");
    eight_bytes(random)
}

pub(super) fn in_file(path: &Path) -> impl Fn(std::io::Error) -> StoreError {
    move |source| StoreError::File { path: path.to_owned(), source }
}

/// Claims a file, until what is returned is dropped; none while another holds it.
pub(super) fn try_lock(path: &Path) -> Result<Option<fs::File>, StoreError> {
    let file = fs::File::create(path).map_err(in_file(path))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(fs::TryLockError::WouldBlock) => Ok(None),
        Err(fs::TryLockError::Error(source)) => Err(in_file(path)(source)),
    }
}

/// Makes a folder that nobody else may look into, unless it is there.
fn make_private(folder: &Path) -> Result<(), StoreError> {
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(in_file(folder))
}

fn read_or_make_key(path: &Path) -> Result<[u8; 32], StoreError> {
    let mut key = [0; 32];
    getrandom::fill(&mut key).expect("the system has random numbers");
    match fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(mut file) => {
            file.write_all(&key).and_then(|()| file.sync_all()).map_err(in_file(path))?;
            Ok(key)
        }
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            let stored = fs::read(path).map_err(in_file(path))?;
            stored.try_into().map_err(|_| StoreError::Key(path.to_owned()))
        }
        Err(source) => Err(StoreError::File { path: path.to_owned(), source }),
    }
}
