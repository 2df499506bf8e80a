//! How whoever was erased is taken out of copies that are kept.

use std::path::Path;

use anyhow::ensure;

use super::{SCRATCH, Shelf, check_copy, difference};
use crate::app::copies::{forget, has_forgotten, tell_that_it_went};
use crate::store::{
    Database, StoreError, ToForget, beside_copy, has_key, is_sealed, is_served,
    make_private_folder, needs_passphrase, remove, remove_key,
};

impl Shelf<'_> {
    /// Takes out of every copy what was erased since it was made. One that cannot be opened may hold
    /// whoever was erased, and cannot be made to forget: it goes, where another was made. Returns how
    /// many went, and why another failed.
    pub(super) fn make_all_forget(
        &self,
        may_go: bool,
    ) -> anyhow::Result<(u64, Option<anyhow::Error>)> {
        let (mut lost, mut failed) = (0, None);
        if self.database.to_forget()? == ToForget::default() {
            return Ok((lost, failed));
        }
        for copy in self.copies()? {
            let shown = copy.path.display();
            let error = match self.make_forget(&copy.path) {
                Ok(None) => continue,
                Ok(Some(why)) if may_go => {
                    remove(&copy.path)?;
                    lost += 1;
                    tell_that_it_went(&copy.path, &why);
                    continue;
                }
                Ok(Some(why)) => anyhow::Error::msg(why),
                Err(error) => error,
            };
            // The others must forget all the same.
            failed.get_or_insert(error.context(format!("{shown} cannot be made to forget")));
        }
        for folder in self.unknown()? {
            let folder = folder.display();
            tracing::warn!(
                "{folder} is named as a copy, and whose it is cannot be told: it may hold whoever was \
                 erased. Remove it, or move it away"
            );
        }
        Ok((lost, failed))
    }

    /// Writes a copy anew without those who were erased since it was made. Says why that cannot be
    /// where the copy itself is to blame.
    fn make_forget(&self, copy: &Path) -> anyhow::Result<Option<String>> {
        self.clear()?;
        ensure!(!is_served(copy), "another footfall serves it; stop that");
        if is_sealed(copy) {
            return self.make_sealed_forget(copy);
        }
        let is_alone = beside_copy(copy)?.is_empty();
        if is_alone && has_forgotten(self.database, copy)? {
            return Ok(None);
        }
        let (draft, scratch) = (self.draft(""), self.draft(SCRATCH));
        self.database.copy_kept(copy, &scratch)?;
        let has_key = has_key(copy);
        if is_alone && !has_key && has_forgotten(self.database, &scratch)? {
            self.clear()?;
            return Ok(None);
        }
        if let Some(why) = write_anew(self.database, &scratch, &draft)? {
            return Ok(Some(why));
        }
        if let Some(why) = difference(&Database::look(&draft)?)? {
            return Ok(Some(why));
        }
        if !has_key {
            // Who keeps it elsewhere wants it so.
            remove_key(&draft)?;
        }
        Database::replace_copy(&draft, copy)?;
        self.clear()?;
        Ok(None)
    }

    fn make_sealed_forget(&self, copy: &Path) -> anyhow::Result<Option<String>> {
        let to_forget = self.database.to_forget()?;
        if self.database.is_noted(copy, &to_forget)? && beside_copy(copy)?.is_empty() {
            return Ok(None);
        }
        let scratch = self.database.scratch()?;
        let plain = scratch.path().join("plain");
        make_private_folder(&plain)?;
        let by = self.by.as_ref().ok_or_else(|| needs_passphrase(copy))?;
        match self.database.open_own(copy, &plain, by) {
            Err(StoreError::Sealed { path, why }) => {
                return Ok(Some(format!("{} {why}", path.display())));
            }
            opened => opened?,
        }
        let anew = scratch.path().join("anew");
        if let Some(why) = write_anew(self.database, &plain, &anew)? {
            return Ok(Some(why));
        }
        let draft = self.draft("");
        self.database.seal_copy(&anew, &draft, by, &to_forget, true)?;
        remove(&anew)?;
        make_private_folder(&anew)?;
        self.database.open_own(&draft, &anew, by)?;
        check_copy(&anew)?;
        Database::replace_copy(&draft, copy)?;
        self.clear()?;
        Ok(None)
    }
}

/// Takes out of a copy, beside which nothing else lies, what was erased since, and writes it anew as
/// one file. Says why that cannot be where the copy is to blame.
pub(super) fn write_anew(
    database: &Database,
    from: &Path,
    to: &Path,
) -> anyhow::Result<Option<String>> {
    database.lend_ledger(from)?;
    let why = forget(database, from)?;
    if why.is_none() {
        Database::open(from)?.back_up(to)?;
    }
    remove(from)?;
    Ok(why)
}
