//! Why the store could not do what was asked, and whose fault it is.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Damaged;

/// Why the store could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("the database says: {0}")]
    Sqlite(#[from] rusqlite::Error),
    #[error(transparent)]
    Damaged(#[from] Damaged),
    #[error("{path}: {source}{}", hint(source))]
    File { path: PathBuf, source: std::io::Error },
    #[error("the database could not be brought up to date: {0}")]
    Migration(#[from] Box<refinery::Error>),
    #[error("another footfall serves {0}; stop it first, or choose another data folder")]
    Locked(PathBuf),
    #[error(
        "{path} {why}. Put back the footfall.key that belongs to this database: it is in every \
         backup, and on the machine where the database came from. No other is made, because it \
         would find nobody: all would be counted twice, and no erasure would erase. If it is lost \
         for good, `footfall new-key --help` says what is left"
    )]
    Key { path: PathBuf, why: String },
    #[error(
        "{0} was moved, removed or replaced while it was open here, so nothing more is written: it \
         would be lost. Put the database that belongs here in its place and start again; until \
         then, what was open can be copied from /proc/{pid}/fd", pid = std::process::id()
    )]
    NotOurs(PathBuf),
    #[error("{path} {why}")]
    Sealed { path: PathBuf, why: String },
    /// What lies in a folder is not one whole database.
    #[error("{0}")]
    NotWhole(String),
    #[error("{0}")]
    Refused(String),
    /// What failed a whole transaction, told to everybody in it.
    #[error(transparent)]
    Shared(Arc<StoreError>),
}

impl StoreError {
    /// Whether it is the database itself that is damaged.
    pub fn is_of_damage(&self) -> bool {
        use rusqlite::ErrorCode as Code;
        match self {
            StoreError::Sqlite(_) | StoreError::Migration(_) => {
                matches!(self.sqlite_code(), Some(Code::DatabaseCorrupt | Code::NotADatabase))
            }
            StoreError::Damaged(_) | StoreError::NotWhole(_) => true,
            StoreError::Shared(error) => error.is_of_damage(),
            StoreError::File { .. }
            | StoreError::Locked(_)
            | StoreError::Key { .. }
            | StoreError::NotOurs(_)
            | StoreError::Sealed { .. }
            | StoreError::Refused(_) => false,
        }
    }

    /// Whether trying the same at once again is of no use: the disk is full or broken, or another
    /// process holds the database.
    pub fn is_of_disk(&self) -> bool {
        use rusqlite::ErrorCode as Code;
        match self {
            StoreError::Sqlite(_) | StoreError::Migration(_) => matches!(
                self.sqlite_code(),
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
            StoreError::File { .. } | StoreError::NotOurs(_) => true,
            StoreError::Shared(error) => error.is_of_disk(),
            StoreError::Damaged(_)
            | StoreError::NotWhole(_)
            | StoreError::Locked(_)
            | StoreError::Key { .. }
            | StoreError::Sealed { .. }
            | StoreError::Refused(_) => false,
        }
    }

    /// What SQLite said, if it was SQLite that said no.
    fn sqlite_code(&self) -> Option<rusqlite::ErrorCode> {
        let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(self);
        while let Some(error) = cause {
            if let Some(error) = error.downcast_ref::<rusqlite::Error>() {
                return error.sqlite_error_code();
            }
            cause = error.source();
        }
        None
    }
}

pub(super) fn in_file(path: &Path) -> impl Fn(std::io::Error) -> StoreError {
    move |source| StoreError::File { path: path.to_owned(), source }
}

/// What may be wrong with a file.
fn hint(error: &std::io::Error) -> &'static str {
    if error.kind() == std::io::ErrorKind::PermissionDenied {
        "; it may belong to another user: give it to the one who runs the service (`chown`)"
    } else {
        ""
    }
}
