//! Every gym at this moment, for who watches them all: one pass over a snapshot, cheap enough to
//! be made every few seconds.
//!
//! What the present holds is read each time. What a gym's past teaches (what is usual in each hour
//! of the week, how often it sends) takes longer to read and changes slowly, so it is kept, and
//! learned anew for a few gyms in each pass, those first whose turn is longest ago.

use std::collections::HashMap;

use super::read;
use crate::domain::Millis;
use crate::domain::calendar::{
    Bucket, Interval, Week, day_of, day_start, next_start, start_of, weekday_and_hour,
};
use crate::domain::closed::ClosedDays;
use crate::domain::ids::{Generation, GymId};
use crate::domain::report::Counts;
use crate::domain::report::occupancy::{self, USUAL_WEEKS_MIN, Usual};
use crate::domain::report::popular_times::Cell;
use crate::domain::report::silence::Rates;
use crate::store::{Gym, Snapshot, StoreError};

/// Of so many gyms the past is learned in one pass.
pub const LEARN_MAX: usize = 16;

/// A gym now (model section 4).
#[derive(Debug, Clone)]
pub struct Live {
    pub gym: Gym,
    pub present: u32,
    /// What stands on the local day that is going on.
    pub today: Counts,
    /// The minute of its newest event, by that event's own time.
    pub last_event: Option<Millis>,
    /// None with too few weeks behind, or not learned yet.
    pub usual: Option<Usual>,
    /// What is usual in each hour of this weekday; empty where nothing is known.
    pub usual_day: Vec<UsualHour>,
    /// Whether a silent span is going on; none with too few weeks behind, or not learned yet.
    pub is_silent: Option<bool>,
}

/// What is usual in an hour of the week, where that is known.
#[derive(Debug, Clone, Copy, Default)]
pub struct UsualHour {
    /// Members present, on average.
    pub average: Option<f64>,
    /// Visits that begin.
    pub arrivals: Option<f64>,
}

/// Looks at all gyms, and remembers their past.
#[derive(Debug, Default)]
pub struct Watch {
    learned: HashMap<GymId, Learned>,
    /// The closed days of each gym at the last look.
    closed: HashMap<GymId, ClosedDays>,
    /// Counts looks.
    looks: u64,
}

#[derive(Debug)]
struct Learned {
    /// The look at which it was learned.
    look: u64,
    /// The projection that it was read from.
    generation: Generation,
    /// None of a gym without events.
    past: Option<Past>,
}

impl Watch {
    /// All gyms that are open, by slug.
    pub fn look(&mut self, snapshot: &Snapshot<'_>, now: Millis) -> Result<Vec<Live>, StoreError> {
        let mut present: HashMap<GymId, u32> = HashMap::new();
        snapshot.each_stretch_present(now, |gym, stretch| {
            let visits = stretch.visits().iter().filter(|visit| visit.is_present(now));
            *present.entry(gym).or_default() += u32::try_from(visits.count()).unwrap_or(u32::MAX);
        })?;
        let mut gyms = snapshot.gyms()?;
        gyms.retain(|gym| gym.archived_at.is_none());
        self.learn(snapshot, &gyms, now)?;
        for gym in &gyms {
            self.closed.insert(gym.id, read::lately_closed(snapshot, gym, now)?);
        }
        let live = gyms.into_iter().map(|gym| {
            let today = Bucket {
                from: start_of(gym.settings.zone, now, Interval::Day),
                until: next_start(gym.settings.zone, now, Interval::Day),
            };
            let last_event = read::last_event(snapshot, &gym)?;
            let past = self.learned(&gym).and_then(|learned| learned.past.as_ref());
            Ok(Live {
                present: present.get(&gym.id).copied().unwrap_or(0)
                    + snapshot.lingering(gym.id, now)?.present,
                today: read::counts(snapshot, &gym, &[today])?.remove(0),
                usual: past.and_then(|past| past.usual(&gym, now)),
                usual_day: past.map(|past| past.usual_day(&gym, now)).unwrap_or_default(),
                is_silent: last_event.and_then(|last| self.is_silent(&gym, last, now)),
                last_event,
                gym,
            })
        });
        live.collect()
    }

    /// Whether nothing has come since then for so long that for the gym it would be a silent span;
    /// none where that cannot be told. It goes by what the last look knew.
    pub fn is_silent(&self, gym: &Gym, since: Millis, now: Millis) -> Option<bool> {
        let rates = &self.learned(gym)?.past.as_ref()?.rates;
        rates.is_silent(gym.settings.zone, self.closed.get(&gym.id)?, since, now)
    }

    fn learn(
        &mut self,
        snapshot: &Snapshot<'_>,
        gyms: &[Gym],
        now: Millis,
    ) -> Result<(), StoreError> {
        self.looks += 1;
        let mut by_turn: Vec<_> = gyms.iter().collect();
        by_turn.sort_by_key(|gym| (self.learned(gym).map_or(0, |learned| learned.look), gym.id));
        for gym in by_turn.into_iter().take(LEARN_MAX) {
            let past = Past::learn(snapshot, gym, now)?;
            let learned = Learned { look: self.looks, generation: gym.generation, past };
            self.learned.insert(gym.id, learned);
        }
        Ok(())
    }

    fn learned(&self, gym: &Gym) -> Option<&Learned> {
        self.learned.get(&gym.id).filter(|learned| learned.generation == gym.generation)
    }
}

/// What a gym's past teaches.
#[derive(Debug)]
struct Past {
    /// What is usual in each hour of the week; none with too few weeks behind.
    cells: Option<Vec<Cell>>,
    /// How many come in each hour of the week; empty with too few weeks behind.
    arrivals: Vec<Option<f64>>,
    /// How often it sends, as known before the week in which its last event was.
    rates: Rates,
}

impl Past {
    fn learn(snapshot: &Snapshot<'_>, gym: &Gym, now: Millis) -> Result<Option<Past>, StoreError> {
        let zone = gym.settings.zone;
        let Some(first) = read::first_event(snapshot, gym)? else { return Ok(None) };
        let Some(rates) = read::rates(snapshot, gym)? else { return Ok(None) };
        let closed = ClosedDays::default();
        let mut weeks = occupancy::Past { zone, now, first_event: first, closed: &closed }.weeks();
        let (cells, arrivals) = if weeks.len() < USUAL_WEEKS_MIN {
            (None, vec![])
        } else {
            let start = |week: Week| day_start(zone, week.first_day());
            let from = start(weeks.next().expect("there are some"));
            let until = start(day_of(zone, now).week());
            let range = Bucket { from, until };
            let cells = read::popular_times(snapshot, gym, range, now)?;
            (Some(cells), read::usual_arrivals(snapshot, gym, range)?)
        };
        Ok(Some(Past { cells, arrivals, rates }))
    }

    /// The hours of a weekday.
    fn usual_day(&self, gym: &Gym, now: Millis) -> Vec<UsualHour> {
        let (weekday, _) = weekday_and_hour(gym.settings.zone, now);
        let Some(cells) = &self.cells else { return vec![] };
        let places = (0..24).map(|hour| ((weekday - 1) * 24 + hour) as usize);
        let hour = |place: usize| UsualHour {
            average: cells[place].usual.map(|usual| usual.average),
            arrivals: self.arrivals[place],
        };
        places.map(hour).collect()
    }

    fn usual(&self, gym: &Gym, now: Millis) -> Option<Usual> {
        let (weekday, hour) = weekday_and_hour(gym.settings.zone, now);
        self.cells.as_ref()?[((weekday - 1) * 24 + hour) as usize].usual
    }
}
