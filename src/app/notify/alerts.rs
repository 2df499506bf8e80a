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
use crate::http::Words;
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
    Holds(Alert),
}

impl State {
    fn of(holds: bool, alert: impl FnOnce() -> Alert) -> State {
        if holds { State::Holds(alert()) } else { State::Quiet }
    }
}

/// What is to be said of a cause.
#[derive(Debug, Clone)]
pub enum Alert {
    NearlyFull { present: u32, percent: u32, capacity: u32, usual_peak: Option<f64>, at: Millis },
    Silent { span: Bucket },
    Dropped { average: f64, below: f64, usual: f64, hour: Bucket },
}

impl Alert {
    pub fn content(&self, gym: &Gym, words: &Words) -> Content {
        let (name, zone) = (&gym.settings.name, gym.settings.zone);
        match self {
            Alert::NearlyFull { present, percent, capacity, usual_peak, at } => {
                let numbers = [*present, *percent, *capacity].map(|number| number.to_string());
                let [present, percent, capacity] = &numbers;
                let subject = words.fill("alert.full", &[name, present, percent, capacity]);
                let mut remark = words.fill("alert.at", &[&clock_time(words, zone, *at)]);
                if let Some(usual) = usual_peak {
                    let usual = words.fill("alert.usual_peak", &[&format!("{usual:.0}")]);
                    remark = format!("{remark} {usual}");
                }
                Content::of_alert(subject, remark)
            }
            Alert::Silent { span } => {
                let subject = words.fill("alert.silent", &[name]);
                let when = times(words, zone, *span);
                let remark = words.fill("alert.silent_says", &[&when, gym.slug.as_str()]);
                Content::of_alert(subject, remark)
            }
            Alert::Dropped { average, below, usual, hour } => {
                let [average, usual] = [average, usual].map(|number| words.decimal(*number));
                let below = format!("{below:.0}");
                let subject = words.fill("alert.dropped", &[name, &average, &below]);
                let when = times(words, zone, *hour);
                Content::of_alert(subject, words.fill("alert.dropped_says", &[&when, &usual]))
            }
        }
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

fn nearly_full(live: &Live, config: &AlertConfig, at: Millis) -> State {
    let Live { gym, present, .. } = live;
    let Some(capacity) = gym.settings.capacity else { return State::Unknown };
    let percent = config.capacity_percent;
    let is_over = u64::from(*present) * 100 > u64::from(capacity) * u64::from(percent);
    State::of(is_over, || {
        let usual_peak = live.usual.map(|usual| usual.peak);
        Alert::NearlyFull { present: *present, percent, capacity, usual_peak, at }
    })
}

fn silent(live: &Live, now: Millis) -> State {
    let (Some(is_silent), Some(last_event)) = (live.is_silent, live.last_event) else {
        return State::Unknown;
    };
    let span = Bucket { from: last_event + MINUTE, until: now };
    State::of(is_silent, || Alert::Silent { span })
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
    let is_far_below = below >= f64::from(config.drop_percent);
    Ok(State::of(is_far_below, || Alert::Dropped { average, below, usual, hour }))
}
