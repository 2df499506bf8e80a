//! Where copies are kept: each is written aside, looked at, and then gets its name; whoever was
//! erased since is taken out of those that are kept; the oldest go.
//!
//! A copy that is encrypted is never there in plain: what it is made of, and what it is opened into,
//! lies in a scratch folder beside the database.

mod forgetting;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use chrono::NaiveDateTime;
use chrono_tz::Tz;

use super::STAMP;
use crate::app::config::BackupConfig;
use crate::app::copies::has_forgotten;
use crate::domain::calendar::local;
use crate::domain::event::FUTURE_MAX;
use crate::domain::{DAY, Millis};
use crate::projection::verify::verify;
use crate::store::{
    Database, Passphrases, StoreError, ToForget, make_private_folder, open_sealed, remove,
    remove_copy, seems_whole,
};
use forgetting::write_anew;

/// A copy's folder is called so, and by when it was made, in UTC.
const PREFIX: &str = "footfall-";
/// What is not whole yet, followed by what tells one database's from another's.
const DRAFT: &str = "unfinished";
/// What is made to forget.
const SCRATCH: &str = "-scratch";

/// Where copies are kept, and how many.
pub struct Shelf<'s> {
    database: &'s Database,
    folder: PathBuf,
    keep: usize,
    /// By what new ones are encrypted, and all that are encrypted are opened.
    by: Option<Passphrases>,
}

/// A copy that is kept.
pub struct Copy {
    pub made_at: Millis,
    path: PathBuf,
}

/// What came of a run.
pub struct Done {
    /// The newest copy.
    pub copy: Copy,
    /// Whether it was made in this run.
    pub is_new: bool,
    /// Copies that could not be opened, so that they could not be made to forget, and are gone.
    pub lost: u64,
    /// Why another could not be made to forget now.
    pub failed: Option<anyhow::Error>,
}

impl Shelf<'_> {
    pub fn open<'s>(
        database: &'s Database,
        config: &BackupConfig,
        by: Option<Passphrases>,
    ) -> anyhow::Result<Shelf<'s>> {
        let folder = config.folder.clone();
        ensure!(!folder.as_os_str().is_empty(), "name a folder, or set `backup.folder`");
        let shown = || format!("`backup.folder` {}", folder.display());
        make_private_folder(&folder).with_context(shown)?;
        let keep = usize::try_from(config.keep).unwrap_or(usize::MAX);
        Ok(Shelf { database, folder, keep, by })
    }

    /// To look at: nothing is made to find out.
    pub fn to_look_at<'s>(
        database: &'s Database,
        config: &BackupConfig,
        by: Option<Passphrases>,
    ) -> Shelf<'s> {
        Shelf { database, folder: config.folder.clone(), keep: usize::MAX, by }
    }

    /// The newest copy that seems to be whole.
    pub fn last(&self) -> anyhow::Result<Option<Copy>> {
        Ok(self.copies()?.into_iter().rfind(|copy| seems_whole(&copy.path)))
    }

    /// Makes a copy, and takes out of all what was erased.
    pub fn add(&self, now: Millis) -> anyhow::Result<Done> {
        self.keep_up(now, 0)
    }

    /// The same, where the last is so old. What failed after a copy was made is tried again without
    /// another one: else each try would push an old one out.
    pub fn keep_up(&self, now: Millis, every: Millis) -> anyhow::Result<Done> {
        let lock = self.database.try_lock_backup()?;
        let _lock = lock.context("another backup is being made; wait until it is done")?;
        self.clear()?;
        self.rename_from_future(now)?;
        // First, so that a disk that is full gets room when fewer are kept.
        self.drop_oldest()?;
        let last = self.last()?.filter(|last| (last.made_at..last.made_at + every).contains(&now));
        let is_new = last.is_none();
        match last.map_or_else(|| self.make(now), Ok) {
            Ok(copy) => {
                self.drop_oldest()?;
                let (lost, failed) = self.make_all_forget(true)?;
                self.clear()?;
                Ok(Done { copy, is_new, lost, failed })
            }
            Err(error) => {
                // Whoever was erased is to be gone all the same; but what is damaged may be all there is.
                if let (_, Some(failed)) = self.make_all_forget(false)? {
                    tracing::error!("{failed:#}");
                }
                self.clear()?;
                Err(error)
            }
        }
    }

    /// A clock that was ahead named copies that would be the newest until then: they were made after
    /// the others.
    fn rename_from_future(&self, now: Millis) -> anyhow::Result<()> {
        let copies = self.copies()?;
        let (right, wrong) =
            copies.split_at(copies.partition_point(|copy| copy.made_at <= now + FUTURE_MAX));
        let mut at = right.last().map_or(0, |last| last.made_at).max(now - DAY);
        for copy in wrong {
            at += 1_000;
            while self.folder.join(name_of(at)).exists() {
                at += 1_000;
            }
            fs::rename(&copy.path, self.folder.join(name_of(at)))?;
        }
        Ok(())
    }

    fn make(&self, now: Millis) -> anyhow::Result<Copy> {
        // A second after the last at least.
        let mut made_at = self.last()?.map_or(now, |last| now.max(last.made_at + 1_000));
        // Another database may keep its copies here too.
        while self.folder.join(name_of(made_at)).exists() {
            made_at += 1_000;
        }
        let draft = self.draft("");
        if let Some(by) = &self.by {
            let to_forget = self.database.to_forget()?;
            let scratch = self.database.scratch()?;
            let mut copy = scratch.path().join("copy");
            self.database.back_up(&copy)?;
            if !has_forgotten(self.database, &copy)? {
                let anew = scratch.path().join("anew");
                if let Some(why) = write_anew(self.database, &copy, &anew)? {
                    bail!("the copy is not good: {why}; run `footfall verify`");
                }
                copy = anew;
            }
            seal(self.database, &copy, &draft, by, &to_forget)?;
        } else {
            self.database.back_up(&draft)?;
            check_copy(&draft)?;
        }
        let path = self.folder.join(name_of(made_at));
        fs::rename(&draft, &path)?;
        Ok(Copy { made_at, path })
    }

    /// The copies of this database, by when they were made. Those of another key are left alone.
    pub fn copies(&self) -> anyhow::Result<Vec<Copy>> {
        self.named(Some(true))
    }

    /// What is named as a copy, and is ours, or not, or cannot be told.
    fn named(&self, is_ours: Option<bool>) -> anyhow::Result<Vec<Copy>> {
        let mut copies = vec![];
        let shown = || format!("`backup.folder` {}", self.folder.display());
        for entry in fs::read_dir(&self.folder).with_context(shown)? {
            let path = entry?.path();
            let made_at = path.file_name().and_then(|name| time_of(name.to_str()?));
            let Some(made_at) = made_at else { continue };
            if self.database.is_copied_to(&path, self.by.as_ref()) == is_ours {
                copies.push(Copy { made_at, path });
            }
        }
        copies.sort_by_key(|copy| copy.made_at);
        Ok(copies)
    }

    fn drop_oldest(&self) -> anyhow::Result<()> {
        let copies = self.copies()?;
        let more = copies.len().saturating_sub(self.keep);
        copies.iter().take(more).try_for_each(|copy| Ok(remove(&copy.path)?))
    }

    /// What was broken off may hold whoever was erased since.
    pub fn clear(&self) -> anyhow::Result<()> {
        for draft in [self.draft(""), self.draft(SCRATCH)] {
            remove(&draft)?;
        }
        // As an earlier version called it.
        remove(&self.folder.join(DRAFT))?;
        Ok(remove(&self.folder.join(format!("{DRAFT}{SCRATCH}")))?)
    }

    fn draft(&self, ending: &str) -> PathBuf {
        self.folder.join(format!("{DRAFT}-{}{ending}", self.database.tag()))
    }

    /// Folders named as copies of which cannot be told whose they are: nobody is taken out of them,
    /// and none is removed.
    pub fn unknown(&self) -> anyhow::Result<Vec<PathBuf>> {
        Ok(self.named(None)?.into_iter().map(|copy| copy.path).collect())
    }

    /// Copies that are not all there.
    pub fn damaged(&self) -> anyhow::Result<Vec<PathBuf>> {
        let copies = self.copies()?.into_iter().map(|copy| copy.path);
        Ok(copies.filter(|path| !seems_whole(path)).collect())
    }
}

impl Copy {
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn bytes(&self) -> anyhow::Result<u64> {
        let mut bytes = 0;
        for entry in fs::read_dir(&self.path)? {
            bytes += entry?.metadata()?.len();
        }
        Ok(bytes)
    }
}

/// A copy by hand, in a folder that is empty or new; none is left where it fails.
pub fn copy_into(
    database: &Database,
    folder: &Path,
    by: Option<&Passphrases>,
) -> anyhow::Result<()> {
    let Some(by) = by else { return Ok(database.back_up(folder)?) };
    let is_new = !folder.exists();
    if !is_new && fs::read_dir(folder)?.next().is_some() {
        bail!("{} is not empty; choose an empty folder", folder.display());
    }
    let to_forget = database.to_forget()?;
    let scratch = database.scratch()?;
    let copy = scratch.path().join("copy");
    database.back_up(&copy)?;
    let sealed = seal(database, &copy, folder, by, &to_forget);
    if sealed.is_err() {
        // The first error says why; a folder that was there stays.
        drop(remove_copy(folder, is_new));
    }
    sealed
}

/// Encrypts a copy, and proves what can be opened of that. The copy goes.
fn seal(
    database: &Database,
    copy: &Path,
    to: &Path,
    by: &Passphrases,
    forgotten: &ToForget,
) -> anyhow::Result<()> {
    database.seal_copy(copy, to, by, forgotten, false)?;
    remove(copy)?;
    make_private_folder(copy)?;
    open_sealed(to, copy, Some(by))?;
    check_copy(copy)?;
    Ok(remove(copy)?)
}

/// Opens a copy, and proves its numbers.
fn check_copy(folder: &Path) -> anyhow::Result<()> {
    prove(&Database::look(folder)?)
}

/// Fails when the numbers of a copy are not right.
pub fn prove(copy: &Database) -> anyhow::Result<()> {
    match difference(copy)? {
        None => Ok(()),
        Some(first) => bail!("the copy is not good: {first}; run `footfall verify`"),
    }
}

fn difference(copy: &Database) -> Result<Option<String>, StoreError> {
    Ok(copy.read(verify)?.differences.into_iter().next())
}

fn name_of(made_at: Millis) -> String {
    format!("{PREFIX}{}", local(Tz::UTC, made_at).format(STAMP))
}

fn time_of(name: &str) -> Option<Millis> {
    let stamp = name.strip_prefix(PREFIX)?;
    Some(NaiveDateTime::parse_from_str(stamp, STAMP).ok()?.and_utc().timestamp_millis())
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;
    use crate::domain::MINUTE;
    use crate::domain::ids::GymId;
    use crate::domain::report::busy::Public;
    use crate::domain::rules::Rules;
    use crate::store::{GymSettings, LedgerEntry};

    #[test]
    fn what_failed_after_a_copy_was_made_is_tried_again_without_another() {
        let place = TempDir::new().expect("a temporary folder");
        let database = Database::open(&place.path().join("data")).expect("it is made");
        let folder = place.path().join("shelf");
        make_private_folder(&folder).expect("it is made");
        let shelf = Shelf { database: &database, folder, keep: 2, by: None };
        let now = 1_772_323_200_000;
        let old = shelf.keep_up(now - DAY, DAY).expect("it is made").copy;
        let settings = GymSettings {
            name: "Mitte".to_owned(),
            zone: Tz::UTC,
            capacity: None,
            rules: Rules::default(),
            retain_months: None,
            public: Public::Off,
        };
        let mut connection = database.connect().expect("it opens");
        let slug = "mitte".parse().expect("a slug");
        database.transact(&mut connection, |tx| tx.add_gym(&slug, &settings, now)).expect("added");
        let erased = LedgerEntry { gym: GymId(1), account_hash: [7; 32], erased_until: now };
        database.add_to_ledger(&[erased]).expect("it is written");
        let file = old.path.join("footfall.db");
        fs::remove_file(&file).expect("it is removed");
        fs::create_dir(&file).expect("it is made");
        for (minutes, is_new) in [(0, true), (10, false), (20, false)] {
            let done = shelf.keep_up(now + minutes * MINUTE, DAY).expect("a copy is there");
            let error = done.failed.expect("it fails").to_string();
            assert!(error.contains("cannot be made to forget"), "{error}");
            assert_eq!((done.is_new, done.lost), (is_new, 0));
        }
        let kept: Vec<_> = shelf.copies().expect("they are read");
        let kept: Vec<_> = kept.into_iter().map(|copy| copy.made_at).collect();
        assert_eq!(kept, [now - DAY, now], "the old one is not pushed out");
    }

    #[test]
    fn a_name_says_when_a_copy_was_made() {
        let made_at = 1_772_323_201_000;
        assert_eq!(name_of(made_at), "footfall-2026-03-01T000001Z");
        assert_eq!(time_of(&name_of(made_at)), Some(made_at));
        assert_eq!((time_of("footfall-old"), time_of("unfinished")), (None, None));
    }
}
