//! The command line: what can be said, and what each word means.

#![expect(clippy::doc_markdown, reason = "these comments are what --help prints")]

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

use super::annotations::AnnotationCommand;
use super::demo::DemoArgs;
use super::doctor::DoctorArgs;
use super::egym::EgymCommand;
use super::erase::EraseArgs;
use super::gyms::GymCommand;
use super::notify::DigestArgs;
use super::quarantine::QuarantineCommand;
use super::restore::RestoreArgs;
use super::retention::RetentionArgs;
use super::simulate::SimulateArgs;
use super::tokens::TokenCommand;
use super::transfer::export::ExportArgs;
use super::transfer::import::ImportArgs;
use super::users::UserCommand;
use super::version;
use super::webhooks::WebhookCommand;

/// Attendance analytics for gyms with EGYM: one binary, one SQLite file, numbers a manager can
/// trust.
#[derive(Parser)]
#[command(name = "footfall", version = version::text(), max_term_width = 100)]
pub struct Cli {
    /// Configuration file [default: footfall.toml, or else /etc/footfall/footfall.toml, if there is
    /// one]
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Data folder, made when missing [env: FOOTFALL_DATA] [default: data]
    #[arg(long, global = true, value_name = "FOLDER")]
    pub data: Option<PathBuf>,
    /// Address and port to serve on [env: FOOTFALL_LISTEN] [default: 127.0.0.1:8080]
    #[arg(long, global = true, value_name = "ADDRESS:PORT")]
    pub listen: Option<String>,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Subcommand)]
pub enum Command {
    /// Receive deliveries and answer questions
    Serve,
    /// Try it: three gyms with 90 days of history and live traffic, in a temporary folder
    Demo(DemoArgs),
    /// Read the configuration, and print what is in force
    CheckConfig,
    /// Look at everything around the service, change nothing, and say what is wrong and what to do
    /// next. Ends with status 1 for warnings and 2 for faults
    Doctor(DoctorArgs),
    /// Gyms: add, list, set, archive, remove
    #[command(subcommand)]
    Gym(GymCommand),
    /// Webhooks: add, list, rotate, remove
    #[command(subcommand)]
    Webhook(WebhookCommand),
    /// Webhooks at EGYM: register, list, test, rotate, remove. The gym location's API key is read
    /// from FOOTFALL_EGYM_API_KEY, or asked for
    #[command(subcommand)]
    Egym(EgymCommand),
    /// Tokens for reading: add, list, remove
    #[command(subcommand)]
    Token(TokenCommand),
    /// People who look at the page: add, list, link, password, remove. A password is read from
    /// FOOTFALL_USER_PASSWORD, or asked for
    #[command(subcommand)]
    User(UserCommand),
    /// Deliveries that could not be appended: list, release
    #[command(subcommand)]
    Quarantine(QuarantineCommand),
    /// Notes on days, and closed days: add, list, remove, import
    #[command(subcommand)]
    Annotation(AnnotationCommand),
    /// Erase a member: events, and all that could single them out; sums stay
    Erase(EraseArgs),
    /// Freeze what is older than each gym keeps events, as a service does by itself
    Retention(RetentionArgs),
    /// The summary of a day or a week for managers: print it, or send it to those who want it
    Digest(DigestArgs),
    /// Copy the database and its key into a folder, while the service runs
    Backup(BackupArgs),
    /// Put a backup in place of the database; the service must be stopped. It is verified first, what
    /// was there is kept, and whoever was erased since is erased again
    Restore(RestoreArgs),
    /// Write gyms, webhooks and events as JSON lines
    Export(ExportArgs),
    /// Take in what was exported, or a club system's visits; what is there already is left alone
    Import(ImportArgs),
    /// Count everything again from the event log, beside what is read meanwhile
    Rebuild(RebuildArgs),
    /// Write the database anew without free room in it; the service must be stopped. Needed once
    /// for a database of an earlier version, to let it shrink by itself from then on
    Compact(CompactArgs),
    /// Begin with a new key where footfall.key is lost for good and in no backup; the service must
    /// be stopped. All numbers and all members stay. What only the old key could tell is lost: a
    /// late delivery about somebody who was erased before is taken for a new member's, and copies of
    /// the database from before today do not forget who was erased since they were made
    NewKey(NewKeyArgs),
    /// Prove that every tally is the sum of its receipts, and every event in one
    Verify(VerifyArgs),
    /// Post believable traffic to a running service
    Simulate(SimulateArgs),
    /// Ask the service on this machine whether deliveries can be taken, as GET /readyz says. The exit
    /// status says it, too
    Health,
    /// Write the manual pages, one for each command, into a folder
    #[command(hide = true)]
    Man(ManArgs),
    /// Print what completes a command line in a shell
    #[command(hide = true)]
    Completions(CompletionsArgs),
}

impl Command {
    /// Whether it is about the service of this machine, and not about the program alone.
    pub fn is_about_an_installation(&self) -> bool {
        !matches!(
            self,
            Command::Demo(_) | Command::Simulate(_) | Command::Man(_) | Command::Completions(_)
        )
    }
}

#[derive(Args)]
pub struct RebuildArgs {
    /// Only this gym [default: all]
    #[arg(long, value_name = "SLUG")]
    pub gym: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Args)]
pub struct BackupArgs {
    /// An empty or new folder [default: one more in `backup.folder`, as the service makes them]
    pub folder: Option<PathBuf>,
    /// Encrypt it with the passphrase in this file [default: `backup.passphrase_file`, if set]
    #[arg(long, value_name = "FILE")]
    pub passphrase_file: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Args)]
pub struct CompactArgs {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Args)]
pub struct NewKeyArgs {
    /// Yes, it was looked for in every backup and on every machine
    #[arg(long, required = true)]
    pub old_key_is_lost: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Args)]
pub struct VerifyArgs {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Args)]
pub struct ManArgs {
    /// An existing folder
    pub folder: PathBuf,
}

#[derive(Args)]
pub struct CompletionsArgs {
    pub shell: Shell,
}
