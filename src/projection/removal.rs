//! Removing a gym: everything that is stored of it goes, a little at a time, beside a service.
//!
//! From the first transaction on nobody sees the gym, and its webhooks are answered as unknown ones.
//! What could name a member is overwritten in place first, as an erasure does it. The gym's row stays,
//! empty: its number is never given again, so that no token, cursor or tag of the old gym fits another.

use crate::domain::Millis;
use crate::domain::ids::{GymId, MemberId, Position};
use crate::store::{StoreError, Tx};

/// Rows that are removed in one transaction: few, so that deliveries do not wait long.
const CHUNK_ROWS: usize = 500;

/// Where a removal is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Removal {
    pub gym: GymId,
    /// Accounts of members up to this one are overwritten.
    after: MemberId,
    pub is_done: bool,
}

impl Removal {
    /// One that begins, or goes on after it was interrupted: every step can be repeated.
    pub fn of(gym: GymId) -> Removal {
        Removal { gym, after: MemberId(0), is_done: false }
    }
}

/// Begins to remove a gym: nobody sees it any more.
pub fn begin(tx: &mut Tx<'_>, gym: GymId, now: Millis) -> Result<Removal, StoreError> {
    tx.hide_gym(gym, now)?;
    Ok(Removal::of(gym))
}

/// Removes some more. Whoever calls holds the lock of rebuilds.
pub fn remove_some(tx: &mut Tx<'_>, removal: Removal) -> Result<Removal, StoreError> {
    let gym = removal.gym;
    if let Some(after) = tx.forget_accounts(gym, removal.after, CHUNK_ROWS)? {
        return Ok(Removal { after, ..removal });
    }
    let events = tx.view().events_after(Some(gym), Position(0), CHUNK_ROWS)?;
    if !events.is_empty() {
        let positions: Vec<_> = events.iter().map(|event| event.position).collect();
        tx.delete_events(&positions)?;
        return Ok(removal);
    }
    if tx.clear_gym(gym, CHUNK_ROWS)? > 0 {
        return Ok(removal);
    }
    for generation in tx.view().unread_generations()? {
        if !tx.clear_generation(generation, CHUNK_ROWS)? {
            return Ok(removal);
        }
    }
    tx.finish_removal(gym)?;
    Ok(Removal { is_done: true, ..removal })
}
