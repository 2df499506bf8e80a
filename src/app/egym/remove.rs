//! `footfall egym remove`: EGYM first, so that it never delivers to a webhook that is gone.

use super::{Desk, WebhookArgs, show_plan};
use crate::app::output;

pub async fn run(desk: &Desk<'_>, args: &WebhookArgs) -> anyhow::Result<()> {
    let pair = desk.find(args.webhook.as_deref()).await?;
    let webhook = pair.ours.map(|ours| ours.public_id);
    if args.gym.dry_run {
        let at_egym = pair.theirs.iter().map(|theirs| format!("remove {} at EGYM", theirs.url));
        let here = webhook.iter().map(|webhook| format!("remove the webhook {webhook} here"));
        show_plan(&args.gym, &at_egym.chain(here).collect::<Vec<_>>());
        return Ok(());
    }
    if let Some(theirs) = &pair.theirs {
        match desk.api.remove(theirs.id).await {
            // Somebody was faster, or the answer to an earlier try was lost.
            Err(error) if error.is_not_found() => {}
            other => other?,
        }
    }
    if let Some(webhook) = &webhook {
        let mut connection = desk.database.connect()?;
        desk.database.transact(&mut connection, |tx| tx.remove_webhook(webhook))?;
    }
    let egym_id = pair.theirs.map(|theirs| theirs.id);
    let done = serde_json::json!({ "webhook": webhook, "egym_id": egym_id });
    output::show(args.gym.json, &done, || "removed at EGYM and here".to_owned());
    Ok(())
}
