//! `footfall egym remove`: EGYM first, so that it never delivers to a webhook that is gone. What
//! stopped between the two sides is taken up.

use super::pairs::{self, Pair};
use super::{Desk, WebhookArgs, show_plan};
use crate::app::output;
use crate::egym::ApiError;
use crate::store::Begun;

pub async fn run(desk: &Desk<'_>, args: &WebhookArgs) -> anyhow::Result<()> {
    let _claim = desk.claim()?;
    let pair = find(desk, args.webhook.as_deref()).await?;
    let webhook = pair.ours.map(|ours| ours.public_id);
    if args.gym.dry_run {
        let at_egym = pair.theirs.iter().map(|theirs| format!("remove {} at EGYM", theirs.url));
        let here = webhook.iter().map(|webhook| format!("remove the webhook {webhook} here"));
        show_plan(&args.gym, &at_egym.chain(here).collect::<Vec<_>>());
        return Ok(());
    }
    if let Some(theirs) = &pair.theirs {
        mark(desk, webhook.as_deref(), Some(Begun::Remove))?;
        let removed = at_egym(desk, theirs.id).await;
        if removed.as_ref().is_err_and(|error| !error.leaves_doubt()) {
            mark(desk, webhook.as_deref(), None)?;
        }
        removed?;
    }
    if let Some(webhook) = &webhook {
        desk.transact(|tx| Ok(tx.remove_webhook(webhook)?))?;
    }
    let egym_id = pair.theirs.map(|theirs| theirs.id);
    let done = serde_json::json!({ "webhook": webhook, "egym_id": egym_id });
    output::show(args.gym.json, &done, || {
        let sides = match (egym_id.is_some(), webhook.is_some()) {
            (true, true) => "at EGYM and here",
            (true, false) => "at EGYM; it was not here",
            (false, _) => "here; it was not at EGYM",
        };
        format!("removed {sides}")
    });
    Ok(())
}

/// The webhook that was named, or the only one that is registered; when none is, the only one that
/// was left half done.
async fn find(desk: &Desk<'_>, named: Option<&str>) -> anyhow::Result<Pair> {
    let pairs = pairs::own(desk).await?;
    if named.is_none() && !pairs.iter().any(Pair::is_at_both) {
        let (mut left, others): (Vec<_>, Vec<_>) =
            pairs.into_iter().partition(|pair| pair.theirs.is_none() && pair.is_begun());
        return match left.pop() {
            Some(pair) if left.is_empty() => Ok(pair),
            Some(_) | None => desk.pick(others, None),
        };
    }
    desk.pick(pairs, named)
}

fn mark(desk: &Desk<'_>, webhook: Option<&str>, begun: Option<Begun>) -> anyhow::Result<()> {
    webhook.map_or(Ok(()), |webhook| desk.transact(|tx| Ok(tx.mark_begun(webhook, begun)?)))
}

/// Somebody may have been faster, and so may a try whose answer was lost: what is not there is
/// removed.
async fn at_egym(desk: &Desk<'_>, id: i64) -> Result<(), ApiError> {
    let doubt = match desk.api.remove(id).await {
        Err(error) if error.is_not_found() => return Ok(()),
        Err(error) if error.leaves_doubt() => error,
        other => return other,
    };
    match desk.api.remove(id).await {
        Err(error) if error.is_not_found() => Ok(()),
        other => other.map_err(|_| doubt),
    }
}
