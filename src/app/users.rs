//! `footfall user`: people who look at the page.

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use serde::Serialize;

use super::config::Config;
use super::gyms::ListArgs;
use super::output;
use super::tokens::{ReachArgs, slugs_seen, slugs_shown};
use crate::actions::{By, at_once, readers};
use crate::clock;
use crate::domain::Millis;
use crate::store::{Database, HashMemory, PASSWORD_CHARACTERS_MIN, Secret, User, hash_password};

#[derive(Subcommand)]
pub enum UserCommand {
    /// Add a user, and print a link that signs them in once
    Add(AddArgs),
    /// List users
    List(ListArgs),
    /// Print a new link that signs a user in once; it replaces one that was not used
    Link(NamedArgs),
    /// Set a user's password; it ends all their sessions, and the link that was not used
    Password(NamedArgs),
    /// Remove a user; their sessions end at once
    Remove(NamedArgs),
}

#[derive(Args)]
pub struct AddArgs {
    /// The name to sign in with
    name: String,
    #[command(flatten)]
    reach: ReachArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub struct NamedArgs {
    name: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Row {
    name: String,
    role: &'static str,
    /// Null stands for all.
    gyms: Option<Vec<String>>,
    has_password: bool,
    created_at: String,
}

pub fn run(database: &Database, config: &Config, command: UserCommand) -> anyhow::Result<()> {
    match command {
        UserCommand::Add(args) => add(database, config, &args),
        UserCommand::List(args) => list(database, &args),
        UserCommand::Link(args) => renew_link(database, config, &args),
        UserCommand::Password(args) => set_password(database, &args),
        UserCommand::Remove(args) => remove(database, &args),
    }
}

fn add(database: &Database, config: &Config, args: &AddArgs) -> anyhow::Result<()> {
    let reader = args.reach.reader(database, &args.name)?;
    let (link, now) = (Secret::fresh(""), clock::now());
    let until =
        at_once(database, |tx| readers::add_user(tx, By::Operator, &reader, &link.hash(), now))?;
    show_link(config, &reader.name, &link, until, args.json);
    Ok(())
}

fn renew_link(database: &Database, config: &Config, args: &NamedArgs) -> anyhow::Result<()> {
    let (link, now) = (Secret::fresh(""), clock::now());
    let (name, until) = at_once(database, |tx| {
        readers::renew_link(tx, By::Operator, &args.name, &link.hash(), now)
    })?;
    show_link(config, &name, &link, until, args.json);
    Ok(())
}

/// A link that signs in is shown this once.
fn show_link(config: &Config, name: &str, link: &Secret, until: Millis, json: bool) {
    let path = readers::link_path(link);
    let root = match config.public_url.as_str() {
        "" => format!("http://{}", config.listen),
        url => url.trim_end_matches('/').to_owned(),
    };
    let shown = serde_json::json!({
        "user": name, "path": path, "url": format!("{root}{path}"), "until": output::utc(until)
    });
    output::show(json, &shown, || {
        format!(
            "{root}{path}\n\nThis link signs {name} in once, until {}. It is shown this once.",
            output::utc(until)
        )
    });
}

fn list(database: &Database, args: &ListArgs) -> anyhow::Result<()> {
    let (gyms, users) = database.read(|snapshot| Ok((snapshot.gyms()?, snapshot.users()?)))?;
    let rows = users.into_iter().map(|user| Row {
        role: user.reader.role.name(),
        gyms: slugs_seen(&user.reader, &gyms),
        has_password: user.password_hash.is_some(),
        created_at: output::utc(user.created_at),
        name: user.reader.name,
    });
    let rows: Vec<_> = rows.collect();
    output::show(args.json, &rows, || {
        let cells = rows.iter().map(|row| {
            let password = if row.has_password { "yes" } else { "no" };
            let gyms = slugs_shown(row.gyms.as_ref());
            vec![row.name.clone(), row.role.to_owned(), gyms, password.to_owned()]
        });
        output::table(&["NAME", "ROLE", "GYMS", "PASSWORD"], &cells.collect::<Vec<_>>())
    });
    Ok(())
}

fn set_password(database: &Database, args: &NamedArgs) -> anyhow::Result<()> {
    let user = find(database, &args.name)?;
    let password = match std::env::var("FOOTFALL_USER_PASSWORD") {
        Ok(password) => password,
        Err(_) => rpassword::prompt_password(format!(
            "The password of {} (not shown): ",
            args.name
        ))
        .context(
            "no password was given; set FOOTFALL_USER_PASSWORD to give one without a terminal",
        )?,
    };
    let Some(hash) = hash_password(&password, &mut HashMemory::default()) else {
        bail!("a password has at least {PASSWORD_CHARACTERS_MIN} characters");
    };
    let mut connection = database.connect()?;
    if !database.transact(&mut connection, |tx| tx.set_password(user.id, &hash))? {
        bail!(unknown(&args.name));
    }
    let changed = serde_json::json!({ "user": args.name, "password": "set" });
    output::show(args.json, &changed, || format!("the password of {} is set", args.name));
    Ok(())
}

fn remove(database: &Database, args: &NamedArgs) -> anyhow::Result<()> {
    at_once(database, |tx| readers::remove_user(tx, By::Operator, &args.name))?;
    let removed = serde_json::json!({ "removed": args.name });
    output::show(args.json, &removed, || format!("removed {}", args.name));
    Ok(())
}

fn find(database: &Database, name: &str) -> anyhow::Result<User> {
    let found = database.read(|snapshot| snapshot.user(name))?;
    found.with_context(|| unknown(name))
}

fn unknown(name: &str) -> String {
    format!("there is no user {name:?}; `footfall user list` shows them")
}
