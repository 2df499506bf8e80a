//! Whose the club's own numbers are.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use super::mapping::{Column, Layout, Mapping};
use super::text;
use crate::domain::ids::Account;

/// Accounts by the club's numbers of members.
pub struct Accounts {
    path: PathBuf,
    by_number: HashMap<String, (u64, Account)>,
}

impl Accounts {
    pub fn read(path: &Path) -> anyhow::Result<Accounts> {
        let text = text::read(path)?;
        let columns = Mapping {
            account: Some(Column::Name("account".to_owned())),
            entered: Some(Column::Name("member".to_owned())),
            ..Mapping::default()
        };
        let layout = Layout::find(&text, &columns, path)?;
        let mut accounts = Accounts { path: path.to_owned(), by_number: HashMap::new() };
        let rows = text::rows(&text, layout.delimiter);
        for row in rows.filter(|row| row.line > layout.header_line && !row.is_empty()) {
            let number = row.cell(layout.columns.entered);
            let (path, line) = (path.display(), row.line);
            if number.is_empty() {
                bail!("{path}, line {line}: no number of a member");
            }
            let account = account(row.cell(layout.columns.account));
            let account = account.with_context(|| format!("{path}, line {line}: no UUID"))?;
            accounts.add(number, line, account)?;
        }
        Ok(accounts)
    }

    /// One number cannot be of two accounts; said twice alike, it is said once.
    fn add(&mut self, number: &str, line: u64, account: Account) -> anyhow::Result<()> {
        let (first, known) = *self.by_number.entry(number.to_owned()).or_insert((line, account));
        if known != account {
            bail!(
                "{}: lines {first} and {line} give one number to two accounts; remove the wrong one",
                self.path.display()
            );
        }
        Ok(())
    }

    /// A spreadsheet or a script may have made 4711.0 of a number.
    pub fn find(&self, number: &str) -> Option<Account> {
        let found = self.by_number.get(number);
        let found = found.or_else(|| self.by_number.get(number.strip_suffix(".0")?));
        found.map(|(_, account)| *account)
    }
}

/// EGYM's id of a member. The one of zeros is nobody's.
pub fn account(text: &str) -> Option<Account> {
    text.parse().ok().filter(|id: &uuid::Uuid| !id.is_nil()).map(Account)
}
