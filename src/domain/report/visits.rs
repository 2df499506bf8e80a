//! Visits: how many began, how many ended, and how that was noticed (model section 4, visits).

use super::Counts;
use crate::domain::tally::Count;

/// One bucket, or the sum of several.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Visits {
    /// By the bucket of `entered`; arrivals are the same.
    pub visits: i64,
    /// By the bucket of `left`.
    pub departures: i64,
    pub entered_by_checkin: i64,
    pub entered_by_equipment: i64,
    pub ended_by_checkout: i64,
    pub ended_by_assumed: i64,
    pub ended_by_window: i64,
    pub ended_by_next_visit: i64,
    pub ended_by_erasure: i64,
}

/// Reads the visits off a bucket's counts.
pub fn visits(counts: &Counts) -> Visits {
    Visits {
        visits: counts.visits(),
        departures: counts.get(Count::Departures),
        entered_by_checkin: counts.get(Count::EnteredByCheckin),
        entered_by_equipment: counts.get(Count::EnteredByEquipment),
        ended_by_checkout: counts.get(Count::EndedByCheckout),
        ended_by_assumed: counts.get(Count::EndedByAssumed),
        ended_by_window: counts.get(Count::EndedByWindow),
        ended_by_next_visit: counts.get(Count::EndedByNextVisit),
        ended_by_erasure: counts.get(Count::EndedByErasure),
    }
}
