//! `footfall webhook`: add, list, rotate, remove.

use clap::builder::RangedU64ValueParser;
use clap::{Args, Subcommand};
use serde::Serialize;

use super::config::Config;
use super::{gyms, output};
use crate::actions::at_once;
use crate::actions::webhooks::{self, OVERLAP_HOURS, OVERLAP_HOURS_MAX, SECRET_PREFIX, path_of};
use crate::clock;
use crate::store::{Database, Secret, Webhook};

#[derive(Subcommand)]
pub enum WebhookCommand {
    /// Add a webhook to a gym; its secret is shown this once
    Add(AddArgs),
    /// List webhooks with their last delivery and last TEST
    List(ListArgs),
    /// Give a webhook a new secret, shown this once; the old one is good for a while
    Rotate(RotateArgs),
    /// Remove a webhook; what it delivered stays
    Remove(NamedArgs),
}

#[derive(Args)]
pub struct AddArgs {
    /// The gym's slug
    gym: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub struct ListArgs {
    /// Only of this gym
    gym: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub struct NamedArgs {
    /// The webhook's id
    webhook: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub struct RotateArgs {
    /// The webhook's id
    webhook: String,
    /// Both secrets are good for so many hours; 0 stops every old one at once
    #[arg(long, value_name = "HOURS", default_value_t = OVERLAP_HOURS, value_parser = overlap())]
    overlap: u32,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Fresh {
    webhook: String,
    path: String,
    /// Left out when nobody said how footfall is reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    secret: String,
}

#[derive(Serialize)]
struct Row {
    webhook: String,
    gym: String,
    path: String,
    created_at: String,
    last_delivery_at: Option<String>,
    last_test_at: Option<String>,
    /// Until when the secret before the last change is good; null when it is not, and while that
    /// is open.
    old_secret_until: Option<String>,
    /// Whether the secret before the last change is good until a TEST comes with the new one.
    old_secret_waits: bool,
}

pub fn run(database: &Database, config: &Config, command: WebhookCommand) -> anyhow::Result<()> {
    match command {
        WebhookCommand::Add(args) => add(database, config, &args),
        WebhookCommand::List(args) => list(database, &args),
        WebhookCommand::Rotate(args) => rotate(database, config, args),
        WebhookCommand::Remove(args) => remove(database, &args),
    }
}

fn add(database: &Database, config: &Config, args: &AddArgs) -> anyhow::Result<()> {
    let gym = gyms::find(database, &args.gym)?;
    let secret = Secret::fresh(SECRET_PREFIX);
    let mut connection = database.connect()?;
    let webhook = database
        .transact(&mut connection, |tx| tx.add_webhook(gym.id, &secret.hash(), clock::now()))?;
    show_fresh(args.json, config, webhook, &secret);
    Ok(())
}

fn rotate(database: &Database, config: &Config, args: RotateArgs) -> anyhow::Result<()> {
    let secret = Secret::fresh(SECRET_PREFIX);
    change_secret(database, &args.webhook, &secret, args.overlap)?;
    show_fresh(args.json, config, args.webhook, &secret);
    Ok(())
}

/// What may be said for an overlap, in hours.
pub fn overlap() -> RangedU64ValueParser<u32> {
    RangedU64ValueParser::new().range(0..=OVERLAP_HOURS_MAX.into())
}

/// Gives a webhook a new secret, beside the old one for so many hours.
pub fn change_secret(
    database: &Database,
    webhook: &str,
    secret: &Secret,
    overlap_hours: u32,
) -> anyhow::Result<()> {
    let (hash, now) = (secret.hash(), clock::now());
    at_once(database, |tx| webhooks::change_secret(tx, webhook, &hash, overlap_hours, now))?;
    Ok(())
}

fn show_fresh(json: bool, config: &Config, webhook: String, secret: &Secret) {
    let path = path_of(&webhook);
    let url = config.public_root().map(|root| format!("{root}{path}"));
    let fresh = Fresh { webhook, path, url, secret: secret.reveal().to_owned() };
    output::show(json, &fresh, || {
        let (at, url) = match &fresh.url {
            Some(url) => (format!("url     {url}"), url.clone()),
            None => {
                (format!("path    {}", fresh.path), format!("https://<your host>{}", fresh.path))
            }
        };
        format!(
            "{at}\nsecret  {}\n\nRegister {url} at EGYM with this secret. It is shown this once.",
            fresh.secret
        )
    });
}

fn list(database: &Database, args: &ListArgs) -> anyhow::Result<()> {
    let gym = args.gym.as_deref().map(|slug| gyms::find(database, slug)).transpose()?;
    let found = database.read(|snapshot| snapshot.webhooks(gym.map(|gym| gym.id)))?;
    let rows: Vec<_> = found.into_iter().map(row).collect();
    output::show(args.json, &rows, || {
        let never = || "never".to_owned();
        let cells = rows.iter().map(|row| {
            let delivery = row.last_delivery_at.clone().unwrap_or_else(never);
            let test = row.last_test_at.clone().unwrap_or_else(never);
            vec![row.gym.clone(), row.webhook.clone(), delivery, test]
        });
        let header = ["GYM", "WEBHOOK", "LAST DELIVERY", "LAST TEST"];
        output::table(&header, &cells.collect::<Vec<_>>())
    });
    Ok(())
}

fn row(webhook: Webhook) -> Row {
    let old = webhook.old_secret_at(clock::now()).map(|old| old.until);
    Row {
        path: path_of(&webhook.public_id),
        gym: webhook.slug.to_string(),
        created_at: output::utc(webhook.created_at),
        last_delivery_at: webhook.last_delivery_at.map(output::utc),
        last_test_at: webhook.last_test_at.map(output::utc),
        old_secret_until: old.flatten().map(output::utc),
        old_secret_waits: old == Some(None),
        webhook: webhook.public_id,
    }
}

fn remove(database: &Database, args: &NamedArgs) -> anyhow::Result<()> {
    at_once(database, |tx| webhooks::remove(tx, &args.webhook))?;
    let removed = serde_json::json!({ "removed": args.webhook });
    output::show(args.json, &removed, || format!("removed {}", args.webhook));
    Ok(())
}
