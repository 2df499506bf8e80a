//! `footfall egym rotate`: a new secret, accepted beside the old one before EGYM hears of it and
//! until it was seen in use, so that no delivery fails on the way. What stopped half way is taken
//! up by what EGYM holds.

use anyhow::{Context, bail};

use super::{Desk, RotateArgs, show_plan, test};
use crate::actions::webhooks::{self, SECRET_PREFIX};
use crate::app::output;
use crate::clock;
use crate::domain::{HOUR, Millis};
use crate::egym::{ApiError, Registered};
use crate::store::{Secret, Step};

pub async fn run(desk: &Desk<'_>, args: &RotateArgs) -> anyhow::Result<()> {
    let gym = &args.webhook.gym;
    let _claim = desk.claim()?;
    let (ours, theirs) = desk.find_at_both(args.webhook.webhook.as_deref()).await?;
    let overlap = Millis::from(args.overlap) * HOUR;
    if gym.dry_run {
        let step = ours.next_step(&theirs.secret, clock::now(), overlap);
        show_plan(gym, &plan(&theirs, &step, args.overlap)?);
        return Ok(());
    }
    test::ensure_served(desk)?;
    let webhook = &ours.public_id;
    let secret = Secret::fresh(SECRET_PREFIX);
    let hash = secret.hash();
    let now = clock::now();
    let step =
        desk.transact(|tx| Ok(tx.begin_rotation(webhook, &theirs.secret, &hash, now, overlap)?))?;
    match step.with_context(|| webhooks::no_such_webhook(webhook))? {
        Step::Change { .. } => tell(desk, webhook, theirs.id, &secret).await?,
        Step::See => {}
        Step::Wait(until) => bail!(too_early(until)),
    }
    test::see(desk, webhook, theirs.id).await?;
    let changed = desk.database.read(|snapshot| snapshot.webhook(webhook))?;
    let old = changed.as_ref().and_then(|webhook| webhook.old_secret_at(clock::now()));
    let old = old.and_then(|old| old.until).map(output::utc);
    let done = serde_json::json!({
        "webhook": webhook, "egym_id": theirs.id, "old_secret_until": old,
    });
    output::show(gym.json, &done, || {
        let old = old.map_or("is not good any more".to_owned(), |at| format!("is good until {at}"));
        format!("EGYM delivers with a new secret; the old one {old}")
    });
    Ok(())
}

fn plan(theirs: &Registered, step: &Step, overlap_hours: u32) -> anyhow::Result<Vec<String>> {
    let change = match step {
        Step::Change { .. } => vec![
            "accept a new secret beside the one that EGYM has".to_owned(),
            format!("give it to EGYM for {}", theirs.url),
        ],
        Step::See => vec!["take up the last change: EGYM has the new secret".to_owned()],
        Step::Wait(until) => bail!(too_early(*until)),
    };
    let see = "let EGYM send a TEST, and wait until it comes with the new secret".to_owned();
    let end = format!("accept the old one for {overlap_hours} hours after that");
    Ok(change.into_iter().chain([see, end]).collect())
}

fn too_early(until: Millis) -> String {
    format!("{}, or stop the old one when a new one is in use with --overlap 0", {
        webhooks::two_until(until)
    })
}

/// Gives EGYM the secret. When it surely did not take it, the one it has is the only one again.
async fn tell(desk: &Desk<'_>, webhook: &str, egym_id: i64, secret: &Secret) -> anyhow::Result<()> {
    let Err(error) = change(desk, webhook, egym_id, secret).await else { return Ok(()) };
    if !error.leaves_doubt() {
        desk.transact(|tx| Ok(tx.take_rotation_back(webhook)?))?;
        return Err(error).context("EGYM keeps the old secret, which goes on being good");
    }
    Err(error).with_context(|| {
        format!(
            "nobody knows which secret EGYM has; both are good. When EGYM answers again, {} takes \
             it up",
            desk.command("rotate", webhook)
        )
    })
}

async fn change(
    desk: &Desk<'_>,
    webhook: &str,
    egym_id: i64,
    secret: &Secret,
) -> Result<(), ApiError> {
    let url = desk.url_of(webhook);
    match desk.api.change(egym_id, &url, secret.reveal()).await {
        // To say it again does no harm, and may settle the doubt. If that fails, the doubt stays,
        // whatever it fails by.
        Err(doubt) if doubt.leaves_doubt() => {
            let again = desk.api.change(egym_id, &url, secret.reveal()).await;
            again.map(drop).map_err(|_| doubt)
        }
        other => other.map(drop),
    }
}
