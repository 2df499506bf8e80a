//! `footfall webhook`: add, list, rotate, remove.

use anyhow::bail;
use clap::{Args, Subcommand};
use serde::Serialize;

use super::{gyms, output};
use crate::clock;
use crate::store::{Database, Secret};

/// Marks a secret of ours, so that a leaked one is recognised.
const SECRET_PREFIX: &str = "ffs_";

#[derive(Subcommand)]
pub enum WebhookCommand {
    /// Add a webhook to a gym; its secret is shown this once
    Add(AddArgs),
    /// List webhooks with their last delivery and last TEST
    List(ListArgs),
    /// Give a webhook a new secret, shown this once; the old one stops at once
    Rotate(NamedArgs),
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

#[derive(Serialize)]
struct Fresh {
    webhook: String,
    path: String,
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
}

pub fn run(database: &Database, command: WebhookCommand) -> anyhow::Result<()> {
    match command {
        WebhookCommand::Add(args) => add(database, &args),
        WebhookCommand::List(args) => list(database, &args),
        WebhookCommand::Rotate(args) => rotate(database, args),
        WebhookCommand::Remove(args) => remove(database, &args),
    }
}

fn add(database: &Database, args: &AddArgs) -> anyhow::Result<()> {
    let gym = gyms::find(database, &args.gym)?;
    let secret = Secret::fresh(SECRET_PREFIX);
    let mut connection = database.connect()?;
    let webhook = database
        .transact(&mut connection, |tx| tx.add_webhook(gym.id, &secret.hash(), clock::now()))?;
    show_fresh(args.json, webhook, &secret);
    Ok(())
}

fn rotate(database: &Database, args: NamedArgs) -> anyhow::Result<()> {
    let secret = Secret::fresh(SECRET_PREFIX);
    let mut connection = database.connect()?;
    let found = database
        .transact(&mut connection, |tx| tx.set_webhook_secret(&args.webhook, &secret.hash()))?;
    if !found {
        bail!(no_such_webhook(&args.webhook));
    }
    show_fresh(args.json, args.webhook, &secret);
    Ok(())
}

fn show_fresh(json: bool, webhook: String, secret: &Secret) {
    let path = format!("/webhooks/{webhook}");
    let fresh = Fresh { webhook, path, secret: secret.reveal().to_owned() };
    output::show(json, &fresh, || {
        format!(
            "path    {}\nsecret  {}\n\nRegister https://<your host>{} at EGYM with this secret. \
             It is shown this once.",
            fresh.path, fresh.secret, fresh.path
        )
    });
}

fn list(database: &Database, args: &ListArgs) -> anyhow::Result<()> {
    let gym = args.gym.as_deref().map(|slug| gyms::find(database, slug)).transpose()?;
    let webhooks = database.read(|snapshot| snapshot.webhooks(gym.map(|gym| gym.id)))?;
    let rows: Vec<_> = webhooks
        .into_iter()
        .map(|webhook| Row {
            path: format!("/webhooks/{}", webhook.public_id),
            gym: webhook.slug.to_string(),
            webhook: webhook.public_id,
            created_at: output::utc(webhook.created_at),
            last_delivery_at: webhook.last_delivery_at.map(output::utc),
            last_test_at: webhook.last_test_at.map(output::utc),
        })
        .collect();
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

fn remove(database: &Database, args: &NamedArgs) -> anyhow::Result<()> {
    let mut connection = database.connect()?;
    if !database.transact(&mut connection, |tx| tx.remove_webhook(&args.webhook))? {
        bail!(no_such_webhook(&args.webhook));
    }
    let removed = serde_json::json!({ "removed": args.webhook });
    output::show(args.json, &removed, || format!("removed {}", args.webhook));
    Ok(())
}

fn no_such_webhook(webhook: &str) -> String {
    format!("there is no webhook {webhook}; `footfall webhook list` shows them")
}
