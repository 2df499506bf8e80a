//! `footfall egym test`: EGYM sends a TEST, and it is seen to arrive with the secret that counts.

use std::time::Duration;

use anyhow::{Context, anyhow, bail, ensure};
use tokio::time::Instant;

use super::{Desk, WebhookArgs, show_plan};
use crate::app::output;
use crate::clock;
use crate::egym::ApiError;

/// A TEST is waited for this long.
const TEST_SECONDS_MAX: u64 = 30;
/// How often it is looked for.
const LOOK_EVERY: Duration = Duration::from_millis(100);

pub async fn run(desk: &Desk<'_>, args: &WebhookArgs) -> anyhow::Result<()> {
    let (ours, theirs) = desk.find_at_both(args.webhook.as_deref()).await?;
    if args.gym.dry_run {
        show_plan(&args.gym, &[format!("let EGYM send a TEST to {}, and wait for it", theirs.url)]);
        return Ok(());
    }
    ensure_served(desk)?;
    see(desk, &ours.public_id, theirs.id).await?;
    let done = serde_json::json!({ "webhook": ours.public_id, "egym_id": theirs.id });
    output::show(args.gym.json, &done, || format!("EGYM's TEST to {} has arrived", theirs.url));
    Ok(())
}

/// Without a service nothing can arrive.
pub fn ensure_served(desk: &Desk<'_>) -> anyhow::Result<()> {
    let is_served = desk.database.is_served();
    ensure!(is_served, "start `footfall serve` on this data folder first: a TEST must arrive");
    Ok(())
}

/// Lets EGYM send a TEST; with what leaves in doubt whether it does, since it may come all the same.
pub async fn ask_for(
    desk: &Desk<'_>,
    webhook: &str,
    egym_id: i64,
) -> anyhow::Result<Option<ApiError>> {
    let again = desk.command("test", webhook);
    match desk.api.trigger(egym_id).await {
        Err(error) if error.leaves_doubt() => Ok(Some(error)),
        other => other.with_context(|| format!("once that is mended: {again}")).map(|()| None),
    }
}

/// Lets EGYM send a TEST, and waits until it has arrived with the newest secret.
pub async fn see(desk: &Desk<'_>, webhook: &str, egym_id: i64) -> anyhow::Result<()> {
    let asked_at = clock::now();
    let doubt = ask_for(desk, webhook, egym_id).await?;
    let give_up = Instant::now() + Duration::from_secs(TEST_SECONDS_MAX);
    let mut came_with_old = false;
    while Instant::now() < give_up {
        let found = desk.database.read(|snapshot| snapshot.webhook(webhook))?;
        let ours = found.context("the webhook was removed meanwhile")?;
        if ours.secret_tested_at.is_some_and(|at| at >= asked_at) {
            return Ok(());
        }
        came_with_old = ours.last_test_at.is_some_and(|at| at >= asked_at);
        tokio::time::sleep(LOOK_EVERY).await;
    }
    if came_with_old {
        let rotate = desk.command("rotate", webhook);
        bail!("EGYM's TEST came with the old secret; {rotate} gives EGYM a new one");
    }
    let none_came = anyhow!(what_to_check(desk, webhook, egym_id).await);
    Err(match doubt {
        Some(doubt) => none_came.context(doubt),
        None => none_came,
    })
}

/// Why no TEST may have come, as far as can be told from here.
async fn what_to_check(desk: &Desk<'_>, webhook: &str, egym_id: i64) -> String {
    let (url, again) = (desk.url_of(webhook), desk.command("test", webhook));
    let ours = desk.database.read(|snapshot| snapshot.webhook(webhook)).ok().flatten();
    let theirs = desk.api.webhooks().await.unwrap_or_default();
    let theirs = theirs.iter().find(|theirs| theirs.id == egym_id);
    let differs = ours
        .zip(theirs)
        .is_some_and(|(ours, theirs)| !ours.secret.matches(theirs.secret.as_bytes()));
    if differs {
        let rotate = desk.command("rotate", webhook);
        return format!(
            "EGYM was asked for a TEST, and none came within {TEST_SECONDS_MAX} s. EGYM has \
             another secret than footfall, which answers 401 then; {rotate} gives both a new one"
        );
    }
    format!(
        "EGYM was asked for a TEST, and none came within {TEST_SECONDS_MAX} s. Look whether\n\
         - {url} is reached from outside: `curl -i -X POST {url}` there must show a 401\n\
         - its certificate is valid for everybody: curl must not complain\n\
         - a proxy in front passes `x-api-key` on\n\
         Then: {again}"
    )
}
