//! `footfall egym rotate`: a new secret, accepted beside the old one before EGYM hears of it, so
//! that no delivery fails on the way.

use anyhow::{Context, bail};

use super::{Desk, RotateArgs, show_plan, test};
use crate::app::output;
use crate::app::webhooks::{self, SECRET_PREFIX};
use crate::egym::{ApiError, Registered};
use crate::store::Secret;

pub async fn run(desk: &Desk<'_>, args: &RotateArgs) -> anyhow::Result<()> {
    let gym = &args.webhook.gym;
    let pair = desk.find(args.webhook.webhook.as_deref()).await?;
    let (Some(ours), Some(theirs)) = (pair.ours, pair.theirs) else {
        bail!("this webhook is not at both sides; `footfall egym list {}` shows it", gym.gym);
    };
    if gym.dry_run {
        show_plan(gym, &plan(&theirs, args.overlap));
        return Ok(());
    }
    test::ensure_served(desk)?;
    let secret = Secret::fresh(SECRET_PREFIX);
    webhooks::change_secret(desk.database, &ours.public_id, &secret, args.overlap)?;
    tell(desk, &ours.public_id, theirs.id, &secret).await?;
    test::see(desk, &ours.public_id, theirs.id).await?;
    let changed = desk.database.read(|snapshot| snapshot.webhook(&ours.public_id))?;
    let old = changed.and_then(|webhook| webhook.old_secret).map(|old| output::utc(old.until));
    let done = serde_json::json!({
        "webhook": ours.public_id, "egym_id": theirs.id, "old_secret_until": old,
    });
    output::show(gym.json, &done, || {
        let old = old.map_or("is not good any more".to_owned(), |at| format!("is good until {at}"));
        format!("EGYM delivers with a new secret; the old one {old}")
    });
    Ok(())
}

fn plan(theirs: &Registered, overlap_hours: u32) -> Vec<String> {
    vec![
        format!("accept a new secret beside the old one for {overlap_hours} hours"),
        format!("give it to EGYM for {}", theirs.url),
        "let EGYM send a TEST, and wait until it comes with the new one".to_owned(),
    ]
}

/// Gives EGYM the secret. When it surely did not take it, the old one is the only one again.
async fn tell(desk: &Desk<'_>, webhook: &str, egym_id: i64, secret: &Secret) -> anyhow::Result<()> {
    let Err(error) = change(desk, webhook, egym_id, secret).await else { return Ok(()) };
    if !error.leaves_doubt() {
        let mut connection = desk.database.connect()?;
        desk.database.transact(&mut connection, |tx| tx.take_rotation_back(webhook))?;
        return Err(error).context("EGYM keeps the old secret, which goes on being good");
    }
    let gym = &desk.gym.slug;
    Err(error).with_context(|| {
        format!(
            "nobody knows which secret EGYM has; both are good for now. `footfall egym list {gym}` \
             shows it when EGYM answers again; if it is the old one, `footfall egym rotate {gym} \
             --overlap 0` settles it"
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
