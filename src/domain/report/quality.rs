//! Quality: how well the sender's events tell what happened (model section 4, quality).

use super::Counts;
use crate::domain::tally::Count;

/// One bucket, or the sum of several.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quality {
    pub duplicates: i64,
    pub quarantined: i64,
    /// Late deliveries of erased members, dropped.
    pub erased: i64,
    pub repeat_swipes: i64,
    pub orphan_checkouts: i64,
    /// Visits whose first sign was at equipment.
    pub doors_missed: i64,
    /// Visits not ended by a check-out.
    pub without_checkout: i64,
    pub unknown_types: i64,
    /// Late events, each once: over 1 h, 6 h, 1 day, 1 week.
    pub late: [i64; 4],
    pub visits: i64,
    pub observed: i64,
}

/// Reads a bucket's counts.
pub fn quality(counts: &Counts) -> Quality {
    let visits = counts.visits();
    Quality {
        duplicates: counts.get(Count::Duplicates),
        quarantined: counts.get(Count::Quarantined),
        erased: counts.get(Count::Erased),
        repeat_swipes: counts.get(Count::RepeatSwipes),
        orphan_checkouts: counts.get(Count::OrphanCheckouts),
        doors_missed: counts.get(Count::EnteredByEquipment),
        without_checkout: visits - counts.get(Count::EndedByCheckout),
        unknown_types: counts.get(Count::UnknownTypes),
        late: [
            counts.get(Count::LateOverHour),
            counts.get(Count::LateOverSixHours),
            counts.get(Count::LateOverDay),
            counts.get(Count::LateOverWeek),
        ],
        visits,
        observed: counts.get(Count::Observed),
    }
}
