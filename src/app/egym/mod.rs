//! `footfall egym`: register, list, test, rotate, remove. What EGYM has and what is here are two
//! lists that can differ; these commands bring them together and say where they are not.

mod page;
mod pairs;
mod register;
mod remove;
mod rotate;
mod test;

use std::fs::File;
use std::io::IsTerminal;

use anyhow::{Context, bail, ensure};
use clap::{Args, Subcommand};
use reqwest::Certificate;

use super::config::Config;
use super::{gyms, output, webhooks};
use crate::actions::{Refused, at_once};
use crate::domain::ids::Slug;
use crate::egym::{Api, Registered};
use crate::http::at_egym::May;
use crate::store::{Database, Gym, Tx, Webhook};
pub use page::for_pages;
use pairs::Pair;
pub use pairs::{BELONGS, NOT_AT_EGYM, NOT_HERE, REGISTERED};

/// The variable that holds the API key. It is stored nowhere: who changes something at EGYM is
/// there to say it, and what is not kept cannot leak.
const KEY_VARIABLE: &str = "FOOTFALL_EGYM_API_KEY";

#[derive(Subcommand)]
pub enum EgymCommand {
    /// Register a webhook for a gym at EGYM, and see a TEST arrive
    Register(GymArgs),
    /// Show the webhooks that EGYM has beside those here
    List(ListArgs),
    /// Let EGYM send a TEST, and see it arrive
    Test(WebhookArgs),
    /// Give a webhook a new secret, here and at EGYM, and see a TEST arrive with it
    Rotate(RotateArgs),
    /// Remove a webhook at EGYM and here; what it delivered stays
    Remove(WebhookArgs),
}

#[derive(Args)]
pub struct GymArgs {
    /// The gym's slug
    gym: String,
    /// Say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub struct ListArgs {
    /// The gym's slug
    gym: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub struct WebhookArgs {
    #[command(flatten)]
    gym: GymArgs,
    /// The webhook's id, here or at EGYM [default: the only one that is registered]
    #[arg(long, value_name = "ID")]
    webhook: Option<String>,
}

#[derive(Args)]
pub struct RotateArgs {
    #[command(flatten)]
    webhook: WebhookArgs,
    /// Both secrets are good for so many hours; 0 stops every old one at once
    #[arg(
        long,
        value_name = "HOURS",
        default_value_t = crate::actions::webhooks::OVERLAP_HOURS,
        value_parser = webhooks::overlap()
    )]
    overlap: u32,
}

impl EgymCommand {
    fn gym(&self) -> &str {
        match self {
            EgymCommand::Register(args) => &args.gym,
            EgymCommand::List(args) => &args.gym,
            EgymCommand::Test(args) | EgymCommand::Remove(args) => &args.gym.gym,
            EgymCommand::Rotate(args) => &args.webhook.gym.gym,
        }
    }
}

/// What all of them need: a gym here, and its location at EGYM.
struct Desk<'d> {
    database: &'d Database,
    gym: Gym,
    api: Api,
    /// How footfall is reached from outside.
    public_url: &'d str,
    /// Refuses, in each transaction, who may not change this gym's webhooks. None for a command: who
    /// may use the data folder may change every one.
    may: Option<&'d May>,
}

/// What stands in the way, and is told apart from what EGYM says.
#[derive(Debug, thiserror::Error)]
enum Obstacle {
    #[error("that is no API key: it is empty, or has characters that no key has")]
    BadKey,
    #[error(
        "this API key belongs to gym {theirs}: EGYM has a webhook of it for that location; use \
         the key of {ours}"
    )]
    KeyOf { theirs: Slug, ours: Slug },
    #[error("another `footfall egym` is changing webhooks; wait until it is done")]
    Claimed,
}

pub fn run(database: &Database, config: &Config, command: EgymCommand) -> anyhow::Result<()> {
    let gym = gyms::find(database, command.gym())?;
    let desk = Desk::at(database, config, gym, ask_for_key, None)?;
    actix_web::rt::System::new().block_on(async {
        match command {
            EgymCommand::Register(args) => register::run(&desk, &args).await,
            EgymCommand::List(args) => pairs::list(&desk, &args).await,
            EgymCommand::Test(args) => test::run(&desk, &args).await,
            EgymCommand::Rotate(args) => rotate::run(&desk, &args).await,
            EgymCommand::Remove(args) => remove::run(&desk, &args).await,
        }
    })
}

/// Whether the API key of a location is given.
pub fn has_key() -> bool {
    std::env::var_os(KEY_VARIABLE).is_some_and(|key| !key.is_empty())
}

/// How each webhook of a gym stands at EGYM: its name, and the difference in words.
pub fn states(
    database: &Database,
    config: &Config,
    gym: Gym,
) -> anyhow::Result<Vec<(String, String)>> {
    let desk = Desk::at(database, config, gym, ask_for_key, None)?;
    actix_web::rt::System::new().block_on(pairs::states(&desk))
}

/// Whom to believe that it is EGYM, besides the public roots.
pub fn trusted(config: &Config) -> anyhow::Result<Vec<Certificate>> {
    let root = &config.egym.root;
    if root.as_os_str().is_empty() {
        return Ok(Vec::new());
    }
    let read = std::fs::read(root);
    let bytes = read.with_context(|| format!("`egym.root`: cannot read {}", root.display()))?;
    Certificate::from_pem_bundle(&bytes)
        .with_context(|| format!("`egym.root`: {} is not PEM", root.display()))
}

/// From the environment, or from the person; never an argument, which others could read.
fn ask_for_key() -> anyhow::Result<String> {
    let key = match std::env::var(KEY_VARIABLE) {
        Ok(key) => key,
        Err(_) if std::io::stdin().is_terminal() => {
            rpassword::prompt_password("The gym location's API key at EGYM (not shown): ")?
        }
        Err(_) => bail!("set {KEY_VARIABLE} to the gym location's API key at EGYM"),
    };
    Ok(key)
}

impl<'d> Desk<'d> {
    fn at(
        database: &'d Database,
        config: &'d Config,
        gym: Gym,
        key: impl FnOnce() -> anyhow::Result<String>,
        may: Option<&'d May>,
    ) -> anyhow::Result<Desk<'d>> {
        let public_url = config.public_root().context(
            "EGYM must be told where to deliver; set `public_url`, or FOOTFALL_PUBLIC_URL, to \
             https://<your host>",
        )?;
        let trusted = trusted(config)?;
        let key = key()?.trim().to_owned();
        let is_plain = !key.is_empty() && key.chars().all(|c| c.is_ascii_graphic());
        ensure!(is_plain, Obstacle::BadKey);
        let api = Api::new(&config.egym.url, key, trusted)?;
        Ok(Desk { database, gym, api, public_url, may })
    }
}

impl Desk<'_> {
    fn url_of(&self, public_id: &str) -> String {
        format!("{}{}", self.public_url, crate::actions::webhooks::path_of(public_id))
    }

    /// How a command on one webhook is said.
    fn command(&self, word: &str, webhook: &str) -> String {
        format!("`footfall egym {word} {} --webhook {webhook}`", self.gym.slug)
    }

    /// Keeps others from changing webhooks meanwhile: each would take the other's half for the
    /// end.
    fn claim(&self) -> anyhow::Result<File> {
        let claimed = self.database.try_lock_egym()?;
        Ok(claimed.ok_or(Obstacle::Claimed)?)
    }

    /// Does something in one transaction, for who may.
    fn transact<R>(
        &self,
        work: impl FnOnce(&mut Tx<'_>) -> Result<R, Refused>,
    ) -> anyhow::Result<R> {
        let done = at_once(self.database, |tx| {
            self.may.map_or(Ok(()), |may| may(tx))?;
            work(tx)
        });
        Ok(done?)
    }

    /// The webhook that was named, or the only one that is registered.
    fn pick(&self, pairs: Vec<Pair>, named: Option<&str>) -> anyhow::Result<Pair> {
        let gym = &self.gym.slug;
        let fits = |pair: &Pair| match named {
            Some(name) => pair.is_called(name),
            None => pair.is_at_both(),
        };
        let mut found: Vec<_> = pairs.into_iter().filter(fits).collect();
        match (found.pop(), found.is_empty(), named) {
            (Some(pair), true, _) => Ok(pair),
            (Some(_), false, _) => bail!(
                "{gym} has more than one webhook at EGYM; name one of `footfall egym list {gym}` \
                 with --webhook"
            ),
            (None, _, Some(name)) => bail!(
                "{gym} has no webhook {name}, here or at EGYM; `footfall egym list {gym}` shows \
                 those it has"
            ),
            (None, _, None) => bail!(
                "{gym} has no webhook that is registered at EGYM; `footfall egym register {gym}` \
                 makes one"
            ),
        }
    }

    /// The same, of those that are at both sides.
    async fn find_at_both(&self, named: Option<&str>) -> anyhow::Result<(Webhook, Registered)> {
        let pair = self.pick(pairs::own(self).await?, named)?;
        pair.ours.zip(pair.theirs).with_context(|| {
            format!(
                "this webhook is not at both sides; `footfall egym list {}` shows where it is \
                 missing",
                self.gym.slug
            )
        })
    }
}

/// Says what would be done.
fn show_plan(args: &GymArgs, steps: &[String]) {
    output::show(args.json, &serde_json::json!({ "would": steps }), || {
        format!("This would:\n- {}", steps.join("\n- "))
    });
}
