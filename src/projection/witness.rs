//! Whether the clock can be believed, by what the database knows: see [`crate::domain::witness`].

use super::read;
use crate::domain::Millis;
use crate::domain::witness::{BACK_MAX, Reading, Verdict, Witness};
use crate::store::{Snapshot, StoreError, Tx};

/// What came of a look at the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    pub clock: Millis,
    pub witness: Witness,
    pub verdict: Verdict,
    /// Since when the clock has been right, if it can be believed: it may have been doubted before.
    pub right_since: Millis,
}

impl Seen {
    /// What retention may take the time for; none while the clock cannot be believed.
    pub fn for_retention(&self) -> Option<Millis> {
        self.witness.for_retention(self.verdict, self.clock)
    }
}

/// Looks at the clock and moves the witnessed time on, by the time that has `elapsed` since the
/// last look, and by up to `step` where it has to catch up.
pub fn look(
    tx: &mut Tx<'_>,
    clock: Millis,
    elapsed: Millis,
    step: Millis,
) -> Result<Seen, StoreError> {
    let (seen, _) = judge(&tx.view(), clock, elapsed, step)?;
    tx.set_witness(seen.witness)?;
    Ok(seen)
}

/// The same, and nothing is written.
pub fn judged(snapshot: &Snapshot<'_>, clock: Millis) -> Result<Seen, StoreError> {
    Ok(judge(snapshot, clock, 0, 0)?.0)
}

/// The time to write down where it decides what stays: see [`Witness::settled`].
pub fn settled(snapshot: &Snapshot<'_>, clock: Millis) -> Result<Millis, StoreError> {
    let (Seen { witness, verdict, .. }, newest) = judge(snapshot, clock, 0, 0)?;
    Ok(witness.settled(verdict, clock, newest))
}

/// When a delivery was received, for the record: the same, and its own event is a witness too.
pub fn receipt(tx: &mut Tx<'_>, clock: Millis, event_at: Millis) -> Result<Millis, StoreError> {
    let kept = tx.witness()?;
    let (Seen { witness, verdict, .. }, newest) = judge_by(kept, &tx.view(), clock, 0, 0)?;
    Ok(witness.settled(verdict, clock, newest.max(Some(event_at))))
}

/// Whether a member was erased up to an instant that an event does not reach beyond. A clock that
/// was ahead may have laid it in the future, where it does not count for who came back since.
pub fn is_erased(
    snapshot: &Snapshot<'_>,
    erased_until: Option<Millis>,
    event: Millis,
    clock: Millis,
) -> Result<bool, StoreError> {
    let Some(until) = erased_until.filter(|until| event <= *until) else { return Ok(false) };
    if until <= clock + BACK_MAX {
        return Ok(true);
    }
    Ok(!snapshot.witness()?.is_some_and(|witness| witness.was_ahead(clock, event)))
}

/// When the newest event of any gym happened, as its sender wrote it, to the minute.
pub fn newest_event(snapshot: &Snapshot<'_>) -> Result<Option<Millis>, StoreError> {
    let gyms = snapshot.gyms()?;
    let newest = gyms.iter().map(|gym| read::last_event(snapshot, gym));
    Ok(newest.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().max())
}

fn judge(
    snapshot: &Snapshot<'_>,
    clock: Millis,
    elapsed: Millis,
    step: Millis,
) -> Result<(Seen, Option<Millis>), StoreError> {
    judge_by(snapshot.witness()?, snapshot, clock, elapsed, step)
}

/// Events are looked for only where they could decide.
fn judge_by(
    kept: Option<Witness>,
    snapshot: &Snapshot<'_>,
    clock: Millis,
    elapsed: Millis,
    step: Millis,
) -> Result<(Seen, Option<Millis>), StoreError> {
    let is_near = kept.is_some_and(|witness| witness.going_on(clock, elapsed).is_some());
    let newest = if is_near { None } else { newest_event(snapshot)? };
    let witness = kept.unwrap_or_else(|| Witness::first(clock, newest));
    let reading = Reading { clock, elapsed, newest_event: newest, step };
    let right_since = witness.same_since(clock).unwrap_or(clock);
    let (witness, verdict) = witness.look(reading);
    Ok((Seen { clock, witness, verdict, right_since }, newest))
}
