//! Counting a gym again by other rules, in a thread of its own: as a trial, or for good. What became
//! of it is kept until the next one, for whoever asks.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;

use crate::clock;
use crate::domain::ids::GymId;
use crate::domain::rules::Rules;
use crate::http::problem::{Code, Problem};
use crate::http::what_if::figures;
use crate::projection::rebuild;
use crate::store::{Database, Gym, GymSettings};

/// The last recount of each gym.
#[derive(Clone, Default)]
pub struct Recounts(Arc<Mutex<HashMap<GymId, Recount>>>);

#[derive(Clone)]
pub struct Recount {
    pub rules: Rules,
    pub is_trial: bool,
    pub state: State,
}

#[derive(Clone)]
pub enum State {
    /// So many events were counted.
    Running(u64),
    /// The main figures by the rules before, and by these.
    Done {
        before: Value,
        after: Value,
    },
    Failed,
}

fn are_free(all: &HashMap<GymId, Recount>, database: &Database) -> Result<(), Problem> {
    let is_running = |recount: &Recount| matches!(recount.state, State::Running(_));
    if all.values().any(is_running) || database.is_rebuilding() {
        let detail = "a gym is being counted again; wait until that is done";
        return Err(Problem::new(Code::Unavailable, detail).as_message("rules.busy", &[]));
    }
    Ok(())
}

impl Recounts {
    fn all(&self) -> MutexGuard<'_, HashMap<GymId, Recount>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn of(&self, gym: GymId) -> Option<Recount> {
        self.all().get(&gym).cloned()
    }

    fn set(&self, gym: GymId, state: State) {
        if let Some(recount) = self.all().get_mut(&gym) {
            recount.state = state;
        }
    }

    /// Refuses while a gym is being counted.
    pub fn is_free(&self, database: &Database) -> Result<(), Problem> {
        are_free(&self.all(), database)
    }

    /// Begins to count a gym by other rules, or in another zone. One goes on at a time.
    pub fn begin(
        &self,
        database: &Database,
        gym: Gym,
        settings: GymSettings,
        is_trial: bool,
    ) -> Result<(), Problem> {
        let mut all = self.all();
        are_free(&all, database)?;
        let rules = settings.rules;
        all.insert(gym.id, Recount { rules, is_trial, state: State::Running(0) });
        drop(all);
        let (recounts, database, id) = (self.clone(), database.clone(), gym.id);
        let count = move || {
            let count = AssertUnwindSafe(|| recounts.count(&database, &gym, &settings, is_trial));
            let state = match catch_unwind(count) {
                Ok(Ok(state)) => state,
                Ok(Err(problem)) => {
                    tracing::error!(%problem, "a gym could not be counted by other rules");
                    State::Failed
                }
                // The panic was logged where it happened; the next one must not wait for this one.
                Err(_) => State::Failed,
            };
            recounts.set(gym.id, state);
        };
        let begun = std::thread::Builder::new().name("recount".to_owned()).spawn(count);
        begun.map(drop).map_err(|error| {
            self.set(id, State::Failed);
            let detail = format!("no thread could be started to count the gym: {error}");
            Problem::new(Code::Unavailable, detail)
        })
    }

    fn count(
        &self,
        database: &Database,
        gym: &Gym,
        settings: &GymSettings,
        is_trial: bool,
    ) -> Result<State, Problem> {
        let look =
            |gym: &Gym| database.read(|snapshot| Ok(figures(snapshot, gym, clock::now())))?;
        let before = look(gym)?;
        let mut progress = |events| self.set(gym.id, State::Running(events));
        let after = if is_trial {
            rebuild::try_out(database, gym, settings, &mut progress, look)??
        } else {
            rebuild::rebuild(database, gym.id, Some(settings), &mut progress)?;
            look(&database.read(|snapshot| snapshot.gym_by_id(gym.id))?)?
        };
        Ok(State::Done { before, after })
    }
}
