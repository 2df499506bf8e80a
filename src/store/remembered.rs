//! What every report says of its range, kept until the gym changes: it takes as long to work out as
//! many a report itself, and a page asks for several reports on one range.
//!
//! It is known by all that stands in the gym's row, its revision among it, which grows with every
//! change that a report could show; the first answer of another revision drops what was kept.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::gyms::Gym;
use super::identity::Epoch;
use crate::domain::Millis;
use crate::domain::calendar::Bucket;
use crate::domain::ids::GymId;
use crate::domain::report::OfRange;

/// Ranges that are kept of each gym, the latest.
const RANGES_MAX: usize = 16;
/// With more silent spans than this, of 16 bytes each, what is said of a range is not kept.
const SPANS_MAX: usize = 256;

/// A range, and the minute in which it was asked for where that matters.
pub type Asked = (Bucket, Option<Millis>);

/// What was said of the ranges of each gym.
#[derive(Default)]
pub struct Remembered(Mutex<HashMap<GymId, OfGym>>);

struct OfGym {
    epoch: Epoch,
    gym: Gym,
    ranges: Vec<(Asked, Arc<OfRange>)>,
}

impl Remembered {
    pub fn get(&self, epoch: Epoch, gym: &Gym, asked: Asked) -> Option<Arc<OfRange>> {
        let gyms = self.gyms();
        let of_gym = gyms.get(&gym.id).filter(|kept| kept.epoch == epoch && kept.gym == *gym)?;
        let found = of_gym.ranges.iter().find(|(range, _)| *range == asked);
        found.map(|(_, said)| Arc::clone(said))
    }

    pub fn keep(&self, epoch: Epoch, gym: &Gym, asked: Asked, said: &Arc<OfRange>) {
        if said.silent.len() > SPANS_MAX {
            return;
        }
        let mut gyms = self.gyms();
        let empty = || OfGym { epoch, gym: gym.clone(), ranges: Vec::new() };
        let kept = gyms.entry(gym.id).or_insert_with(empty);
        if kept.epoch != epoch || kept.gym != *gym {
            *kept = empty();
        }
        kept.ranges.retain(|(range, _)| *range != asked);
        if kept.ranges.len() == RANGES_MAX {
            kept.ranges.remove(0);
        }
        kept.ranges.push((asked, Arc::clone(said)));
    }

    fn gyms(&self) -> MutexGuard<'_, HashMap<GymId, OfGym>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
