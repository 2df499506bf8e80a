//! The program: command line, configuration, start and graceful stop, telemetry, demo.

mod annotations;
mod backups;
mod cli;
pub mod config;
mod copies;
mod demo;
mod doctor;
mod egym;
mod erase;
pub mod eraser;
mod foreign_text;
mod gyms;
mod health;
mod jobs;
mod limits;
mod log;
mod maintain;
mod manual;
mod notify;
mod otlp;
mod output;
mod panics;
mod pulse;
mod quarantine;
mod restore;
mod retention;
mod serve;
pub mod simulate;
mod sockets;
mod systemd;
mod tls;
mod tokens;
mod transfer;
mod users;
mod version;
mod webhooks;
mod what_if;
mod witness;

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;

use crate::clock;
use crate::store::Database;
use cli::{Cli, Command};
use config::{Config, Sources};
use tls::Source;

/// Runs the command line.
pub fn main() -> ExitCode {
    // What is made here is nobody else's, whatever the shell says.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(said) => return output::usage(&said),
    };
    match run(cli) {
        Ok(code) => output::exit_code(code),
        // It is the cause of the error, too.
        Err(_) if output::has_failed() => output::exit_code(ExitCode::FAILURE),
        Err(error) => {
            output::error(&error);
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    limits::outlive_full_files()?;
    let config = match (load_config(&cli), &cli.command) {
        (Err(error), Command::Doctor(args)) => return Ok(doctor::run_unconfigured(&error, args)),
        (config, _) => config?,
    };
    let open_as_it_is = || {
        let database = Database::open(&config.data)
            .with_context(|| format!("cannot open the data folder {}", config.data.display()))?;
        if let Some(mode) = database.open_to_others() {
            output::warning(&warn_of_others(&config.data, mode));
        }
        anyhow::Ok(database)
    };
    let open = || {
        let database = open_as_it_is()?;
        eraser::catch_up(&database).context("erasures cannot be applied again")?;
        anyhow::Ok(database)
    };
    if !matches!(cli.command, Command::Serve | Command::Demo(_)) {
        log::start_for_command();
    }
    match cli.command {
        Command::Serve => serve::run(&config)?,
        Command::Demo(args) => demo::run(&config, &args)?,
        Command::CheckConfig => check_config(&config)?,
        Command::Gym(command) => gyms::run(&open()?, &config, command)?,
        Command::Webhook(command) => webhooks::run(&open()?, &config, command)?,
        Command::Egym(command) => egym::run(&open()?, &config, command)?,
        Command::Token(command) => tokens::run(&open()?, command)?,
        Command::User(command) => users::run(&open()?, &config, command)?,
        Command::Quarantine(command) => quarantine::run(&open()?, command)?,
        Command::Annotation(command) => annotations::run(&open()?, command)?,
        Command::Erase(args) => erase::run(&open()?, &args)?,
        Command::Retention(args) => retention::run(&open()?, &args)?,
        Command::Backup(args) => {
            // One that is made by a mistyped path would be copied as if it were the gym's.
            Database::must_be_in(&config.data)?;
            backups::command(&open()?, &config, &args)?;
        }
        Command::Restore(args) => return restore::run(&config, &args),
        Command::Export(args) => transfer::export::run(&open()?, &args)?,
        Command::Import(args) => transfer::import::run(&open()?, &args)?,
        Command::Compact(args) => maintain::compact(&open()?, &args)?,
        Command::NewKey(args) => maintain::make_new_key(&config.data, &args)?,
        Command::Rebuild(args) => maintain::rebuild(&open()?, &args)?,
        Command::Digest(args) => notify::run(&open()?, &config, &args)?,
        Command::Doctor(args) => return Ok(doctor::run(&config, &args)),
        Command::Verify(args) => return maintain::verify(&open_as_it_is()?, &args),
        Command::Simulate(args) => simulate::command(args)?,
        Command::Health => health::ask(&config)?,
        Command::Man(args) => manual::write_pages(&args)?,
        Command::Completions(args) => manual::print_completions(&args),
    }
    Ok(ExitCode::SUCCESS)
}

/// What to say when others may look into the data folder.
fn warn_of_others(folder: &Path, mode: u32) -> String {
    let folder = folder.display();
    format!(
        "the data folder {folder} is open to other users (mode {mode:o}); its files are not. \
         `chmod 700 {folder}` closes it"
    )
}

/// Shows what is in force, and looks at all of it that `serve` would not start with, or could not
/// use later.
fn check_config(config: &Config) -> anyhow::Result<()> {
    log::filter(&config.log)?;
    sockets::check_addresses(config)?;
    notify::Notices::open(config)?;
    egym::trusted(config)?;
    backups::check(config)?;
    let passphrases = config.backup.passphrases()?;
    let source = Source::of(config, clock::now())?;
    let certificate = source.as_ref().map(|source| format!("\n# {}", source.describe()));
    output::text(&format!("{}{}", config.to_toml(), certificate.unwrap_or_default()));
    if let Some(mode) = passphrases.and_then(|passphrases| passphrases.open_to_others()) {
        let others = backups::warn_of_others(&config.backup.passphrase_file, mode);
        output::text(&format!("# WARNING: {others}"));
    }
    if let (Some(source), Some(host)) = (&source, config.public_host())
        && !source.is_for(host)
    {
        output::text(&format!(
            "# WARNING: `public_url` is at {host}, and the certificate is not for it: EGYM would \
             not deliver there"
        ));
    }
    Ok(())
}

/// The environment, as far as it is text: a variable of ours that is not is no setting.
fn environment() -> Vec<(String, String)> {
    let text = |(name, value): (OsString, OsString)| {
        Some((name.into_string().ok()?, value.to_string_lossy().into_owned()))
    };
    std::env::vars_os().filter_map(text).collect()
}

fn load_config(cli: &Cli) -> anyhow::Result<Config> {
    let sources = Sources {
        config_path: cli.config.clone(),
        system_path: cli.command.is_about_an_installation().then(|| config::SYSTEM_FILE.into()),
        env: environment(),
        data: cli.data.clone(),
        listen: cli.listen.clone(),
    };
    Ok(Config::load(&sources)?)
}
