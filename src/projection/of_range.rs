//! What every report says of its range: worked out once, and kept while the gym stays as it is.

use std::sync::Arc;

use super::read;
use crate::domain::calendar::Bucket;
use crate::domain::report::{OfRange, total};
use crate::domain::{MINUTE, Millis};
use crate::store::{Gym, Snapshot, StoreError};

/// The silent spans that touch a range, and how much of its visits was observed.
pub fn of_range(
    snapshot: &Snapshot<'_>,
    gym: &Gym,
    range: Bucket,
    now: Millis,
) -> Result<Arc<OfRange>, StoreError> {
    let work_out = || -> Result<_, StoreError> {
        let silent = read::silent_spans(snapshot, gym, range.from, range.until, now)?;
        let coverage = total(&read::counts(snapshot, gym, &[range])?).coverage();
        Ok(Arc::new(OfRange { silent, coverage }))
    };
    let Some(remembered) = snapshot.remembered() else { return work_out() };
    // By other settings, as a trial has them, something else may be said.
    if snapshot.gym_by_id(gym.id)? != *gym {
        return work_out();
    }
    let asked = (range, (!is_over(snapshot, gym, range, now)?).then(|| now.div_euclid(MINUTE)));
    let epoch = snapshot.epoch()?;
    if let Some(said) = remembered.get(epoch, gym, asked) {
        return Ok(said);
    }
    let said = work_out()?;
    remembered.keep(epoch, gym, asked, &said);
    Ok(said)
}

/// Whether a range reads the same later, as long as the gym does: it has ended, and the gym's silence
/// does not reach into it.
pub fn is_over(
    snapshot: &Snapshot<'_>,
    gym: &Gym,
    range: Bucket,
    now: Millis,
) -> Result<bool, StoreError> {
    let last_event = read::last_event(snapshot, gym)?;
    Ok(range.until <= now - now.rem_euclid(MINUTE)
        && last_event.is_none_or(|last| range.until <= last && last <= now))
}
