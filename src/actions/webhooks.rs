//! A webhook's secret, and its end. Adding one is the store's alone.

use chrono::DateTime;

use super::Refused;
use crate::domain::{HOUR, Millis};
use crate::store::{Rotation, SecretHash, Tx};

/// Marks a secret of ours, so that a leaked one is recognised.
pub const SECRET_PREFIX: &str = "ffs_";
/// How long an old secret is good beside the new one, in hours.
pub const OVERLAP_HOURS: u32 = 24;
/// The longest overlap, in hours.
pub const OVERLAP_HOURS_MAX: u32 = 168;

/// Where a webhook is below footfall's root.
pub fn path_of(public_id: &str) -> String {
    format!("/webhooks/{public_id}")
}

/// Gives a webhook another secret, beside the one before for so many hours.
pub fn change_secret(
    tx: &mut Tx<'_>,
    webhook: &str,
    secret: &SecretHash,
    overlap_hours: u32,
    now: Millis,
) -> Result<(), Refused> {
    let overlap = Millis::from(overlap_hours) * HOUR;
    match tx.rotate_webhook_secret(webhook, secret, now, overlap)? {
        Rotation::Done => Ok(()),
        Rotation::NoSuchWebhook => Err(Refused::NotFound(no_such_webhook(webhook))),
        Rotation::Overlapping(Some(until)) => Err(Refused::Conflict(format!(
            "{}, or stop the old ones at once with an overlap of 0 hours: `footfall webhook rotate \
             {webhook} --overlap 0`",
            two_until(until)
        ))),
        Rotation::Overlapping(None) => Err(Refused::Conflict(format!(
            "a change of its secret at EGYM is half done; `footfall egym rotate <gym> --webhook \
             {webhook}` ends it"
        ))),
    }
}

/// Removes a webhook; what it delivered stays.
pub fn remove(tx: &mut Tx<'_>, webhook: &str) -> Result<(), Refused> {
    let is_gone = tx.remove_webhook(webhook)?;
    is_gone.then_some(()).ok_or_else(|| Refused::NotFound(no_such_webhook(webhook)))
}

/// Why no secret can be changed while two are good.
pub fn two_until(until: Millis) -> String {
    let until = DateTime::from_timestamp_millis(until).unwrap_or_default();
    format!(
        "two secrets are good until {}, and a third would stop one that may be in use; wait until \
         then",
        until.format("%Y-%m-%dT%H:%M:%SZ")
    )
}

pub fn no_such_webhook(webhook: &str) -> String {
    format!("there is no webhook {webhook}; `footfall webhook list` shows them")
}
