//! The one SQLite file, and the only room that writes SQL. Reports, HTTP and the meaning of what
//! is stored may not live here.
//!
//! [`Database`] opens connections, [`Tx`] is one transaction with everything that can be changed
//! in it, [`Snapshot`] everything that can be read; [`Store`] is what a running service holds:
//! one writer with a bounded queue, and readers that never wait for it.

mod annotations;
mod backup;
mod checksums;
mod codec;
mod copies;
mod database;
mod erasures;
mod error;
mod files;
mod foreign_text;
mod generations;
mod gyms;
mod identity;
mod imports;
mod integrity;
mod kept;
mod key;
mod ledger;
mod lingering;
mod log;
mod look;
mod meters;
mod notices;
mod opened;
mod password;
mod proof;
mod quarantine;
mod receipts;
mod redundancy;
mod rekey;
mod remembered;
mod removal;
mod restore;
mod room;
mod rotation;
mod schema;
mod sealed;
mod secret;
mod tallies;
mod tokens;
mod transaction;
mod trial;
mod tx;
mod unread_text;
mod users;
mod vitals;
mod webhooks;
mod witness;
mod writer;

pub use annotations::ANNOTATIONS_MAX;
pub use codec::Damaged;
pub use copies::{Scratch, before_restore, remove};
pub use database::{Database, Snapshot};
pub use erasures::{Erasure, ErasureReason};
pub use error::StoreError;
pub use files::{Draft, make_private_folder, may_write, write_whole};
pub use foreign_text::Place;
pub use gyms::{Gym, GymSettings};
pub use identity::{Cursored, Epoch};
pub use imports::{Import, ImportRun, ImportState, LaterDelivery, Undone};
pub use kept::{
    ToForget, beside_copy, check_sealed, has_key, is_sealed, needs_passphrase, open_sealed,
    remove_copy, remove_key, seems_whole,
};
pub use key::Person;
pub use ledger::{Ledger, LedgerEntry};
pub use lingering::Lingering;
pub use log::{Known, LoggedEvent};
pub use look::is_served;
pub use meters::Meters;
pub use notices::Notice;
pub use password::{
    HashMemory, PASSWORD_BYTES_MAX, PASSWORD_CHARACTERS_MIN, hash_password, matches_password,
};
pub use proof::Proof;
pub use quarantine::{
    Held, QUARANTINE_BODIES_MAX, QUARANTINE_BYTES_MAX, QUARANTINE_PREVIEW_BYTES_MAX,
    QUARANTINE_ROWS_MAX, QUARANTINE_WORDS_BYTES_MAX, Quarantined, Reason,
};
pub use redundancy::Redundancy;
pub use rekey::Rekeyed;
pub use removal::Holdings;
pub use restore::{Claim, Restore};
pub use rotation::{Rotation, Step};
pub use sealed::Passphrases;
pub use secret::{Secret, SecretHash, hex};
pub use tallies::Sums;
pub use tokens::{Reader, Role, Token};
pub use trial::Trial;
pub use tx::Tx;
pub use users::{Session, User};
pub use vitals::{Build, Erasures, Sizes, Vitals, free_bytes};
pub use webhooks::{Begun, Webhook};
pub use witness::Latest;
pub use writer::{BATCH_MAX, QUEUE_MAX, Store, WriteError};

/// The version of the SQLite that is inside.
pub fn sqlite_version() -> &'static str {
    rusqlite::version()
}
