//! What `footfall --version` says: the version, the commit it was built from, and SQLite's version.

use std::sync::LazyLock;

use crate::store;

/// The commit that it was built from, where `packaging/release` built it. Other builds are not told,
/// so that no commit makes cargo build anything again, and sources without a repository build too.
const COMMIT: Option<&str> = option_env!("RELEASE_COMMIT");

static TEXT: LazyLock<String> = LazyLock::new(|| {
    let (version, sqlite) = (env!("CARGO_PKG_VERSION"), store::sqlite_version());
    match COMMIT {
        Some(commit) => format!("{version} (commit {commit}, SQLite {sqlite})"),
        None => format!("{version} (SQLite {sqlite})"),
    }
});

/// Without the program's name.
pub fn text() -> &'static str {
    &TEXT
}
