//! `footfall egym register`: a webhook here, the same at EGYM, and a TEST that comes through. What
//! was left half done by an earlier try is taken up again.

use anyhow::Context;

use super::pairs::{self, Pair};
use super::{Desk, GymArgs, show_plan, test};
use crate::app::output;
use crate::app::webhooks::{self, SECRET_PREFIX};
use crate::clock;
use crate::egym::{Api, ApiError, Registered};
use crate::store::Secret;

pub async fn run(desk: &Desk<'_>, args: &GymArgs) -> anyhow::Result<()> {
    // Asked for first: a wrong key shows before anything is made.
    let pairs = pairs::all(desk).await?;
    let half_done = pairs.into_iter().find_map(half_done);
    if args.dry_run {
        show_plan(args, &plan(desk, half_done.as_ref()));
        return Ok(());
    }
    test::ensure_served(desk)?;
    let (webhook, theirs) = match half_done {
        Some((webhook, theirs)) => complete(desk, webhook, theirs).await?,
        None => begin(desk).await?,
    };
    test::see(desk, &webhook, theirs.id).await?;
    let url = &theirs.url;
    let done = serde_json::json!({
        "gym": desk.gym.slug.to_string(), "webhook": webhook, "egym_id": theirs.id, "url": url,
    });
    output::show(args.json, &done, || {
        format!("registered {url} at EGYM as {}; its TEST has arrived", theirs.id)
    });
    Ok(())
}

/// A webhook that is at both sides, and through which nothing ever came.
fn half_done(pair: Pair) -> Option<(String, Registered)> {
    let ours = pair.ours.filter(|ours| ours.last_test_at.is_none())?;
    let ours = Some(ours).filter(|ours| ours.last_delivery_at.is_none())?;
    Some((ours.public_id, pair.theirs?))
}

fn plan(desk: &Desk<'_>, half_done: Option<&(String, Registered)>) -> Vec<String> {
    let first = match half_done {
        Some((webhook, theirs)) => vec![
            format!("take up {webhook}, which EGYM has as {}: nothing came through it", theirs.id),
            "give it a new secret, here and at EGYM".to_owned(),
        ],
        None => vec![
            format!("add a webhook to {} with a new secret", desk.gym.slug),
            format!("register {} with that secret at EGYM", desk.url_of("<id>")),
        ],
    };
    let last = "let EGYM send a TEST, and wait for it".to_owned();
    first.into_iter().chain([last]).collect()
}

/// Gives a webhook that nothing came through a secret that both sides know.
async fn complete(
    desk: &Desk<'_>,
    webhook: String,
    theirs: Registered,
) -> anyhow::Result<(String, Registered)> {
    let secret = Secret::fresh(SECRET_PREFIX);
    webhooks::change_secret(desk.database, &webhook, &secret, 0)?;
    let url = desk.url_of(&webhook);
    let theirs = desk.api.change(theirs.id, &url, secret.reveal()).await?;
    Ok((webhook, theirs))
}

async fn begin(desk: &Desk<'_>) -> anyhow::Result<(String, Registered)> {
    let secret = Secret::fresh(SECRET_PREFIX);
    let mut connection = desk.database.connect()?;
    let hash = secret.hash();
    let webhook = desk
        .database
        .transact(&mut connection, |tx| tx.add_webhook(desk.gym.id, &hash, clock::now()))?;
    let url = desk.url_of(&webhook);
    match enter(&desk.api, &url, secret.reveal()).await {
        Ok(theirs) => Ok((webhook, theirs)),
        Err(error) if is_surely_absent(&desk.api, &url).await => {
            desk.database.transact(&mut connection, |tx| tx.remove_webhook(&webhook))?;
            Err(error).context("nothing was registered, and nothing is left behind")
        }
        Err(error) => {
            let gym = &desk.gym.slug;
            let context = format!(
                "it may be half done; `footfall egym list {gym}` shows it, and `footfall egym \
                 register {gym}` takes it up again if EGYM has it, or begins anew; `footfall \
                 webhook remove {webhook}` removes what is here"
            );
            Err(error).context(context)
        }
    }
}

/// Registers; where EGYM has the URL already, or may have it, it is given the secret.
async fn enter(api: &Api, url: &str, secret: &str) -> Result<Registered, ApiError> {
    match api.add(url, secret).await {
        Err(error) if error.is_conflict() || error.leaves_doubt() => {
            match at_egym(api, url).await? {
                Some(theirs) => api.change(theirs.id, url, secret).await,
                None => Err(error),
            }
        }
        other => other,
    }
}

/// Only EGYM knows: an error may be of a later call than the one that registered.
async fn is_surely_absent(api: &Api, url: &str) -> bool {
    at_egym(api, url).await.is_ok_and(|found| found.is_none())
}

async fn at_egym(api: &Api, url: &str) -> Result<Option<Registered>, ApiError> {
    Ok(api.webhooks().await?.into_iter().find(|theirs| theirs.url == url))
}
