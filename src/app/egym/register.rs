//! `footfall egym register`: a webhook here, the same at EGYM, and a TEST that comes through. What
//! was left half done by an earlier try is taken up again.

use anyhow::Context;

use super::pairs::{self, Pair};
use super::{Desk, GymArgs, show_plan, test};
use crate::actions::webhooks::{self, SECRET_PREFIX};
use crate::app::output;
use crate::clock;
use crate::egym::{Api, ApiError, Registered};
use crate::store::{Begun, Secret, Webhook};

/// A webhook that an earlier try made, and through which nothing ever came.
struct HalfDone {
    ours: Webhook,
    theirs: Option<Registered>,
}

/// Why a webhook is not registered.
enum Unregistered {
    /// EGYM surely does not have it.
    Refused(ApiError),
    /// EGYM has it, or may have it.
    InDoubt(ApiError),
}

pub async fn run(desk: &Desk<'_>, args: &GymArgs) -> anyhow::Result<()> {
    let _claim = desk.claim()?;
    // Asked for first: a wrong key shows before anything is made.
    let pairs = pairs::own(desk).await?;
    let half_done = pairs.into_iter().find_map(HalfDone::of);
    if args.dry_run {
        show_plan(args, &plan(desk, half_done.as_ref()));
        return Ok(());
    }
    test::ensure_served(desk)?;
    let (webhook, theirs) = make(desk, half_done).await?;
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

/// The same, without waiting for the TEST: a page waits for it, and says what to look at.
pub async fn start(desk: &Desk<'_>) -> anyhow::Result<()> {
    let _claim = desk.claim()?;
    let half_done = pairs::own(desk).await?.into_iter().find_map(HalfDone::of);
    let (webhook, theirs) = make(desk, half_done).await?;
    // In doubt it may come all the same.
    test::ask_for(desk, &webhook, theirs.id).await.map(drop)
}

async fn make(
    desk: &Desk<'_>,
    half_done: Option<HalfDone>,
) -> anyhow::Result<(String, Registered)> {
    match half_done {
        Some(half_done) => resume(desk, half_done).await,
        None => begin(desk).await,
    }
}

impl HalfDone {
    fn of(pair: Pair) -> Option<HalfDone> {
        let ours = pair.ours.filter(|ours| ours.begun == Some(Begun::Register))?;
        let is_new = ours.last_test_at.is_none() && ours.last_delivery_at.is_none();
        is_new.then_some(HalfDone { ours, theirs: pair.theirs })
    }

    /// EGYM has it as it shall be: only its TEST is missing.
    fn is_registered(&self, desk: &Desk<'_>) -> bool {
        self.theirs.as_ref().is_some_and(|theirs| {
            theirs.url == desk.url_of(&self.ours.public_id)
                && self.ours.secret.matches(theirs.secret.as_bytes())
        })
    }
}

fn plan(desk: &Desk<'_>, half_done: Option<&HalfDone>) -> Vec<String> {
    let first = match half_done {
        Some(half_done) => {
            let take_up =
                format!("take up {}: nothing came through it yet", half_done.ours.public_id);
            let tell = "give it a new secret, here and at EGYM".to_owned();
            let is_told = half_done.is_registered(desk);
            [take_up].into_iter().chain((!is_told).then_some(tell)).collect()
        }
        None => vec![
            format!("add a webhook to {} with a new secret", desk.gym.slug),
            format!("register {} with that secret at EGYM", desk.url_of("<id>")),
        ],
    };
    let last = "let EGYM send a TEST, and wait for it".to_owned();
    first.into_iter().chain([last]).collect()
}

/// Takes up what an earlier try left.
async fn resume(desk: &Desk<'_>, half_done: HalfDone) -> anyhow::Result<(String, Registered)> {
    let is_registered = half_done.is_registered(desk);
    let webhook = half_done.ours.public_id;
    match half_done.theirs {
        Some(theirs) if is_registered => Ok((webhook, theirs)),
        theirs => {
            // Nobody else knows the secret it has, so it gets another.
            let secret = Secret::fresh(SECRET_PREFIX);
            let (hash, now) = (secret.hash(), clock::now());
            desk.transact(|tx| webhooks::change_secret(tx, &webhook, &hash, 0, now))?;
            enter(desk, webhook, theirs, &secret).await
        }
    }
}

async fn begin(desk: &Desk<'_>) -> anyhow::Result<(String, Registered)> {
    let secret = Secret::fresh(SECRET_PREFIX);
    let hash = secret.hash();
    let webhook = desk.transact(|tx| {
        let webhook = tx.add_webhook(desk.gym.id, &hash, clock::now())?;
        tx.mark_begun(&webhook, Some(Begun::Register))?;
        Ok(webhook)
    })?;
    enter(desk, webhook, None, &secret).await
}

/// Gives EGYM a webhook of ours, and removes it here when EGYM surely has not taken it.
async fn enter(
    desk: &Desk<'_>,
    webhook: String,
    theirs: Option<Registered>,
    secret: &Secret,
) -> anyhow::Result<(String, Registered)> {
    let url = desk.url_of(&webhook);
    let told = match theirs {
        Some(theirs) => change(&desk.api, &theirs, &url, secret).await,
        None => add(&desk.api, &url, secret).await,
    };
    match told {
        Ok(theirs) => Ok((webhook, theirs)),
        Err(Unregistered::Refused(error)) => {
            desk.transact(|tx| Ok(tx.remove_webhook(&webhook)?))?;
            Err(error).context("nothing was registered, and nothing is left behind")
        }
        Err(Unregistered::InDoubt(error)) => {
            let gym = &desk.gym.slug;
            Err(error).with_context(|| {
                format!(
                    "it may be half done; `footfall egym register {gym}` takes it up again, {} \
                     removes it",
                    desk.command("remove", &webhook)
                )
            })
        }
    }
}

/// Registers; where EGYM has the URL already, or may have it, it is given the secret.
async fn add(api: &Api, url: &str, secret: &Secret) -> Result<Registered, Unregistered> {
    let error = match api.add(url, secret.reveal()).await {
        Ok(theirs) => return Ok(theirs),
        Err(error) if error.is_conflict() || error.leaves_doubt() => error,
        Err(error) => return Err(Unregistered::Refused(error)),
    };
    let found = api.webhooks().await.ok();
    let theirs = found.and_then(|all| all.into_iter().find(|theirs| theirs.url == url));
    match theirs {
        Some(theirs) if theirs.secret == secret.reveal() => Ok(theirs),
        Some(theirs) => change(api, &theirs, url, secret).await,
        // It may come to have it yet.
        None => Err(Unregistered::InDoubt(error)),
    }
}

async fn change(
    api: &Api,
    theirs: &Registered,
    url: &str,
    secret: &Secret,
) -> Result<Registered, Unregistered> {
    api.change(theirs.id, url, secret.reveal()).await.map_err(Unregistered::InDoubt)
}
