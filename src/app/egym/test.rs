//! `footfall egym test`: EGYM sends a TEST, and it is seen to arrive with the secret that counts.

use std::time::Duration;

use anyhow::{Context, bail, ensure};
use tokio::time::Instant;

use super::{Desk, WebhookArgs, show_plan};
use crate::app::output;
use crate::clock;

/// A TEST is waited for this long.
const TEST_SECONDS_MAX: u64 = 30;
/// How often it is looked for.
const LOOK_EVERY: Duration = Duration::from_millis(100);

pub async fn run(desk: &Desk<'_>, args: &WebhookArgs) -> anyhow::Result<()> {
    let pair = desk.find(args.webhook.as_deref()).await?;
    let (Some(ours), Some(theirs)) = (pair.ours, pair.theirs) else {
        bail!(
            "this webhook is not at both sides; `footfall egym list {}` shows where it is missing",
            desk.gym.slug
        );
    };
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

/// Lets EGYM send a TEST, and waits until it has arrived with the newest secret.
pub async fn see(desk: &Desk<'_>, webhook: &str, egym_id: i64) -> anyhow::Result<()> {
    let asked_at = clock::now();
    let hint = || format!("once that is mended: `footfall egym test {}`", desk.gym.slug);
    desk.api.trigger(egym_id).await.with_context(hint)?;
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
        bail!("EGYM's TEST came with the old secret; try `footfall egym test {}`", desk.gym.slug);
    }
    let url = desk.url_of(webhook);
    bail!(
        "EGYM was asked for a TEST, and none came within {TEST_SECONDS_MAX} s. Look whether\n\
         - {url} is reached from outside: `curl -i -X POST {url}` there must show a 401\n\
         - its certificate is valid for everybody: curl must not complain\n\
         - a proxy in front passes `x-api-key` on\n\
         Then: footfall egym test {}",
        desk.gym.slug
    );
}
