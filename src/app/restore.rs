//! `footfall restore`: puts a backup in place of the database, and makes it forget whoever was erased
//! since.

use std::io::{self, BufRead, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use chrono_tz::Tz;
use clap::Args;

use super::cli::VerifyArgs;
use super::config::Config;
use super::{backups, eraser, maintain, output};
use crate::clock;
use crate::domain::calendar::local;
use crate::store::{Database, Passphrases, Restore, before_restore, is_sealed};

#[derive(Args)]
pub struct RestoreArgs {
    /// The folder of a backup: a `footfall.db`, mostly with its `footfall.key`, or both encrypted
    backup: PathBuf,
    /// The passphrase of an encrypted one is in this file [default: `backup.passphrase_file`]
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    /// Yes, without being asked: for scripts
    #[arg(long)]
    yes: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub fn run(config: &Config, args: &RestoreArgs) -> anyhow::Result<ExitCode> {
    let data = config.data.as_path();
    if !args.yes && !io::stdin().is_terminal() {
        bail!("a restore puts another database in place: say --yes");
    }
    let backup = args.backup.display();
    let unusable = || format!("the backup {backup} is not restored, and nothing was changed");
    let passphrases = passphrases(config, args).with_context(unusable)?;
    let prepared = Restore::prepare(data, &args.backup, passphrases.as_ref());
    let restore = prepared.with_context(unusable)?;
    // As any other it is brought up to date, when it is of an earlier version.
    let copy = Database::open(restore.copy_folder()).with_context(unusable)?;
    backups::prove(&copy).with_context(unusable)?;
    drop(copy);
    let stamp = local(Tz::UTC, clock::now()).format(backups::STAMP);
    let stamped = before_restore(&stamp.to_string());
    // Of one second there may be several.
    let mut kept_name = stamped.clone();
    let mut number = 1;
    while data.join(&kept_name).exists() {
        number += 1;
        kept_name = format!("{stamped}-{number}");
    }
    output::note(&describe(data, args, restore.has_other().then_some(&kept_name)));
    if !args.yes {
        confirm()?;
    }
    let _claim = restore.put_in_place(&kept_name)?;
    let database = Database::open(data).with_context(|| {
        format!("the backup is in place, but {} cannot be opened", data.display())
    })?;
    eraser::catch_up(&database).context("erasures cannot be applied again")?;
    maintain::verify(&database, &VerifyArgs { json: args.json })
}

/// Only a backup that is encrypted needs them.
fn passphrases(config: &Config, args: &RestoreArgs) -> anyhow::Result<Option<Passphrases>> {
    let configured = Some(&config.backup.passphrase_file);
    let configured = configured.filter(|file| !file.as_os_str().is_empty());
    let file = args.passphrase_file.as_ref().or(configured);
    let file = file.filter(|_| is_sealed(&args.backup));
    Ok(file.map(|file| Passphrases::read(file)).transpose()?)
}

fn describe(data: &Path, args: &RestoreArgs, kept_name: Option<&String>) -> String {
    let (data, backup) = (data.display(), args.backup.display());
    let kept = kept_name.map_or_else(String::new, |name| {
        format!(
            " What is there now is kept in {data}/{name}: whoever is erased from now on is erased \
             there too, and one that cannot be opened goes then. Remove it when all is well."
        )
    });
    format!(
        "{backup} is good, and goes in place of the database in {data}.{kept} Whoever was erased \
         since is erased again; events that came since are not there, and tokens, people and \
         secrets are as they were then."
    )
}

fn confirm() -> anyhow::Result<()> {
    output::note("type `restore` to go on");
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    if line.trim() != "restore" {
        bail!("nothing was changed");
    }
    Ok(())
}
