//! Equipment: check-ins at machines, and how soon after the door (model section 4, equipment).
//! The sender names no machine, so nothing is reported of one.

use super::minutes::Minutes;
use super::{Counts, Series, share};
use crate::domain::calendar::Bucket;
use crate::domain::tally::{Count, MINUTES_CELLS};

/// One bucket, or the sum of several.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Equipment {
    /// By the bucket of the check-in itself.
    pub checkins: i64,
    /// By the bucket of entry.
    pub visits: i64,
    /// Of those, how many had at least one check-in.
    pub visits_with_equipment: i64,
}

impl Equipment {
    pub fn share(&self) -> Option<f64> {
        share(self.visits_with_equipment, self.visits)
    }
}

/// Reads a bucket's counts.
pub fn equipment(counts: &Counts) -> Equipment {
    let visits = counts.visits();
    Equipment {
        checkins: counts.get(Count::EquipmentCheckins),
        visits,
        visits_with_equipment: visits - counts.get(Count::With0),
    }
}

/// Visits by their check-ins: none, one, … ten or more.
pub fn visits_by_checkins(counts: &Counts) -> [i64; 11] {
    Count::WITH_CHECKINS.map(|count| counts.get(count))
}

/// Minutes from entry to the first check-in, of visits entered by check-in in a range of whole
/// quarters.
pub fn first_checkin(first_equipment: &Series, range: Bucket) -> Minutes {
    let mut minutes = Minutes::default();
    for (at, wait, value) in first_equipment.quarters(MINUTES_CELLS) {
        if range.from <= at && at < range.until {
            minutes.add(wait, value);
        }
    }
    minutes
}
