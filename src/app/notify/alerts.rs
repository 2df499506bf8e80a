//! What a manager is alerted of: a gym that is nearly full, one that fell silent, and one that is
//! far emptier than usual.

use std::collections::HashMap;

use super::content::{Content, clock_time, times};
use super::figures::last_hour;
use crate::app::config::AlertConfig;
use crate::domain::calendar::Bucket;
use crate::domain::ids::GymId;
use crate::domain::report::silence::is_complete;
use crate::domain::{MINUTE, Millis};
use crate::projection::live::{Live, Watch};
use crate::projection::read;
use crate::store::{Gym, Snapshot, StoreError};

/// Why somebody is alerted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cause {
    Capacity,
    Silent,
    Drop,
}

impl Cause {
    /// Its name, also in the database.
    pub fn name(self) -> &'static str {
        match self {
            Cause::Capacity => "capacity",
            Cause::Silent => "silent",
            Cause::Drop => "drop",
        }
    }
}

/// Whether a cause holds.
#[derive(Debug, Clone)]
pub enum State {
    /// It cannot be told.
    Unknown,
    Quiet,
    /// It does, and this is to be said.
    Holds(Content),
}

impl State {
    fn of(holds: bool, content: impl FnOnce() -> Content) -> State {
        if holds { State::Holds(content()) } else { State::Quiet }
    }
}

/// A cause at a gym.
#[derive(Debug)]
pub struct Finding {
    pub gym: Gym,
    pub cause: Cause,
    pub state: State,
}

/// Looks for causes.
#[derive(Debug, Default)]
pub struct Lookout {
    watch: Watch,
    /// The last hour that was compared with what is usual, and what came of it.
    compared: HashMap<GymId, (Millis, State)>,
}

impl Lookout {
    /// What can be said of every gym.
    pub fn look(
        &mut self,
        snapshot: &Snapshot<'_>,
        config: &AlertConfig,
        now: Millis,
    ) -> Result<Vec<Finding>, StoreError> {
        let mut findings = Vec::new();
        for live in self.watch.look(snapshot, now)? {
            let states = [
                (Cause::Capacity, nearly_full(&live, config, now)),
                (Cause::Silent, silent(&live, now)),
                (Cause::Drop, self.dropped(snapshot, &live.gym, config, now)?),
            ];
            let finding = |(cause, state)| Finding { gym: live.gym.clone(), cause, state };
            findings.extend(states.map(finding));
        }
        Ok(findings)
    }

    /// The comparison of an hour is made once.
    fn dropped(
        &mut self,
        snapshot: &Snapshot<'_>,
        gym: &Gym,
        config: &AlertConfig,
        now: Millis,
    ) -> Result<State, StoreError> {
        let hour = last_hour(gym, now);
        if let Some((from, found)) = self.compared.get(&gym.id)
            && *from == hour.from
        {
            return Ok(found.clone());
        }
        let found = dropped(snapshot, gym, hour, config, now)?;
        self.compared.insert(gym.id, (hour.from, found.clone()));
        Ok(found)
    }
}

fn nearly_full(live: &Live, config: &AlertConfig, now: Millis) -> State {
    let Live { gym, present, .. } = live;
    let Some(capacity) = gym.settings.capacity else { return State::Unknown };
    let percent = config.capacity_percent;
    let is_over = u64::from(*present) * 100 > u64::from(capacity) * u64::from(percent);
    State::of(is_over, || {
        let name = &gym.settings.name;
        let subject = format!("{name}: {present} present, over {percent} % of {capacity}");
        let usual = live.usual.map_or(String::new(), |usual| {
            format!(" Usual at this hour is a peak of {:.0}.", usual.peak)
        });
        let at = clock_time(gym.settings.zone, now);
        Content::of_alert(subject, format!("That was at {at}.{usual}"))
    })
}

fn silent(live: &Live, now: Millis) -> State {
    let Live { gym, last_event, .. } = live;
    let (Some(is_silent), Some(last_event)) = (live.is_silent, *last_event) else {
        return State::Unknown;
    };
    State::of(is_silent, || {
        let span = Bucket { from: last_event + MINUTE, until: now };
        let subject = format!("{}: nothing was received for a while", gym.settings.name);
        let remark = format!(
            "There was no event from {}, although at this time of the week some were all but \
             certain. If the gym is open: does its network work, and do door and equipment take \
             check-ins? Whether EGYM can reach us shows `footfall egym test {}`.",
            times(gym.settings.zone, span),
            gym.slug
        );
        Content::of_alert(subject, remark)
    })
}

/// Compares a full hour with what is usual; none where that is unknown, small, or where events
/// may be missing.
fn dropped(
    snapshot: &Snapshot<'_>,
    gym: &Gym,
    hour: Bucket,
    config: &AlertConfig,
    now: Millis,
) -> Result<State, StoreError> {
    let Some(usual) = read::usual(snapshot, gym, hour.from)? else { return Ok(State::Unknown) };
    let usual = usual.average;
    if read::is_closed(snapshot, gym, hour.from)? {
        return Ok(State::Quiet);
    }
    if usual < f64::from(config.drop_usual_min) {
        return Ok(State::Quiet);
    }
    let silent = read::silent_spans(snapshot, gym, hour.from, hour.until, now)?;
    if !is_complete(hour, &silent, now) {
        return Ok(State::Unknown);
    }
    let sampled = read::occupancy_history(snapshot, gym, &[hour], now)?;
    let Some(average) = sampled[0].average() else { return Ok(State::Unknown) };
    let below = (1.0 - average / usual) * 100.0;
    Ok(State::of(below >= f64::from(config.drop_percent), || {
        let subject = format!(
            "{}: {average:.1} present on average, {below:.0} % below usual",
            gym.settings.name
        );
        let remark = format!(
            "That was from {}. Usual in this hour of the week: {usual:.1}.",
            times(gym.settings.zone, hour)
        );
        Content::of_alert(subject, remark)
    }))
}
