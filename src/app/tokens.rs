//! `footfall token`: add, list, remove.

use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;

use super::{gyms, output};
use crate::actions::readers::{self, TOKEN_PREFIX};
use crate::actions::{By, at_once};
use crate::clock;
use crate::store::{Database, Gym, Reader, Role, Secret};

#[derive(Subcommand)]
pub enum TokenCommand {
    /// Add a token for reading; it is shown this once
    Add(AddArgs),
    /// List tokens
    List(gyms::ListArgs),
    /// Remove a token; it stops at once
    Remove(RemoveArgs),
}

#[derive(Args)]
pub struct AddArgs {
    /// Whose it is, or what for
    name: String,
    #[command(flatten)]
    reach: ReachArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// How far a reader may see.
#[derive(Args)]
pub struct ReachArgs {
    #[arg(long)]
    role: RoleArg,
    /// A gym to see; may be repeated [default: all, also those to come]
    #[arg(long, value_name = "SLUG")]
    gym: Vec<String>,
}

#[derive(Args)]
pub struct RemoveArgs {
    name: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl ReachArgs {
    /// A reader of that name, who sees so far.
    pub fn reader(&self, database: &Database, name: &str) -> anyhow::Result<Reader> {
        let gyms = self.gym.iter().map(|slug| Ok(gyms::find(database, slug)?.id));
        let gyms = gyms.collect::<anyhow::Result<Vec<_>>>()?;
        let gyms = (!gyms.is_empty()).then_some(gyms);
        Ok(readers::reader(name, self.role.role(), gyms)?)
    }
}

#[derive(Clone, Copy, ValueEnum)]
enum RoleArg {
    /// Aggregates only
    Viewer,
    /// Also members: absence lists, one member's data, erasure
    Manager,
    /// Also configuration, log and quarantine
    Admin,
}

impl RoleArg {
    fn role(self) -> Role {
        match self {
            RoleArg::Viewer => Role::Viewer,
            RoleArg::Manager => Role::Manager,
            RoleArg::Admin => Role::Admin,
        }
    }
}

#[derive(Serialize)]
struct Row {
    name: String,
    role: &'static str,
    /// Null stands for all.
    gyms: Option<Vec<String>>,
    created_at: String,
    last_used_at: Option<String>,
}

pub fn run(database: &Database, command: TokenCommand) -> anyhow::Result<()> {
    match command {
        TokenCommand::Add(args) => add(database, &args),
        TokenCommand::List(args) => list(database, &args),
        TokenCommand::Remove(args) => remove(database, &args),
    }
}

fn add(database: &Database, args: &AddArgs) -> anyhow::Result<()> {
    let token = Secret::fresh(TOKEN_PREFIX);
    let reader = args.reach.reader(database, &args.name)?;
    let (hash, now) = (token.hash(), clock::now());
    at_once(database, |tx| readers::add_token(tx, By::Operator, &reader, &hash, now))?;
    let shown = serde_json::json!({
        "name": args.name, "role": reader.role.name(), "token": token.reveal()
    });
    output::show(args.json, &shown, || {
        format!(
            "token  {}\n\nSend it as `Authorization: Bearer <token>`. It is shown this once.",
            token.reveal()
        )
    });
    Ok(())
}

/// The slugs of the gyms a reader may see; none stands for all.
pub fn slugs_seen(reader: &Reader, gyms: &[Gym]) -> Option<Vec<String>> {
    let seen = gyms.iter().filter(|gym| reader.may_see(gym.id));
    let slugs = seen.map(|gym| gym.slug.to_string()).collect();
    reader.gyms.is_some().then_some(slugs)
}

/// How these slugs stand in a table.
pub fn slugs_shown(slugs: Option<&Vec<String>>) -> String {
    slugs.map_or("all".to_owned(), |slugs| slugs.join(","))
}

fn list(database: &Database, args: &gyms::ListArgs) -> anyhow::Result<()> {
    let (gyms, tokens) = database.read(|snapshot| Ok((snapshot.gyms()?, snapshot.tokens()?)))?;
    let rows: Vec<_> = tokens
        .into_iter()
        .map(|token| Row {
            role: token.reader.role.name(),
            gyms: slugs_seen(&token.reader, &gyms),
            created_at: output::utc(token.created_at),
            last_used_at: token.last_used_at.map(output::utc),
            name: token.reader.name,
        })
        .collect();
    output::show(args.json, &rows, || {
        let cells = rows.iter().map(|row| {
            let gyms = slugs_shown(row.gyms.as_ref());
            let used = row.last_used_at.clone().unwrap_or_else(|| "never".to_owned());
            vec![row.name.clone(), row.role.to_owned(), gyms, used]
        });
        output::table(&["NAME", "ROLE", "GYMS", "LAST USED"], &cells.collect::<Vec<_>>())
    });
    Ok(())
}

fn remove(database: &Database, args: &RemoveArgs) -> anyhow::Result<()> {
    at_once(database, |tx| readers::remove_token(tx, By::Operator, &args.name))?;
    let removed = serde_json::json!({ "removed": args.name });
    output::show(args.json, &removed, || format!("removed {}", args.name));
    Ok(())
}
