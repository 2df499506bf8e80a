//! Sends notices while the service runs: each digest once, and of a cause for alert one word when
//! it begins to hold, at most one in an hour.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use futures_util::StreamExt;
use futures_util::stream::iter;
use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval};

use super::Notices;
use super::alerts::{Cause, Finding, Lookout, State};
use super::content::Content;
use super::figures::Digest;
use super::memory::{Address, Memory};
use super::schedule::due;
use super::ways::{DeliveryError, Recipient};
use crate::app::config::Want;
use crate::app::jobs::Ended;
use crate::clock;
use crate::domain::ids::GymId;
use crate::domain::witness::Verdict;
use crate::domain::{HOUR, Millis};
use crate::projection::read;
use crate::projection::witness::judged;
use crate::store::{Gym, Notice, Store, StoreError};

/// Time between two looks for something to tell.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// So many are on their way at once.
const UNDER_WAY_MAX: usize = 8;
/// A cause that was told is taken for over when it could not be told for so long whether it holds:
/// else the next time that it begins would be passed over.
const UNKNOWN_MAX: Millis = 6 * HOUR;

/// Goes on until it is dropped. What was not told yet is told after a restart.
pub async fn keep(store: Store, notices: Arc<Notices>) -> Ended {
    match store.read(|snapshot| snapshot.gyms()) {
        Ok(gyms) => notices.unknown_gyms(&gyms).iter().for_each(|gym| {
            tracing::warn!(gym, "[[notify]] names a gym that there is not");
        }),
        Err(error) => tracing::error!(%error, "gyms cannot be read"),
    }
    let memory = Memory::new(store.clone());
    let lookout = Lookout::default();
    let mut desk = Desk { store, lookout, memory, doubts: Doubts::default() };
    let mut looks = interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        let with = notices.clone();
        let looked = spawn_blocking(move || {
            let found = desk.look(&with, clock::now());
            (desk, found)
        });
        let found;
        (desk, found) = looked.await.context("looking for something to tell failed")?;
        match found {
            Ok(found) => desk.tell(&notices, found).await,
            Err(error) => tracing::error!(%error, "notices could not be written"),
        }
    }
}

struct Desk {
    store: Store,
    lookout: Lookout,
    memory: Memory,
    doubts: Doubts,
}

/// A notice on its way to one recipient.
struct Letter {
    gym: Gym,
    subject: &'static str,
    recipient: Recipient,
    content: Content,
    /// The end of a digest's period; none of an alert.
    of: Option<Millis>,
}

impl Letter {
    fn address(&self) -> Address {
        (self.gym.id, self.subject, *self.recipient.hash().bytes())
    }
}

/// What a look came to.
#[derive(Default)]
struct Found {
    letters: Vec<Letter>,
    /// Causes that were told and hold no longer, and when they were told.
    over: Vec<(Address, Millis)>,
}

impl Desk {
    fn look(&mut self, notices: &Notices, now: Millis) -> Result<Found, StoreError> {
        let mut found = Found::default();
        // By a clock that is behind, old days would be told again, and then the newest too.
        let verdict = self.store.read(|snapshot| judged(snapshot, now))?.verdict;
        if verdict == Verdict::Behind {
            return Ok(found);
        }
        let Desk { store, lookout, .. } = self;
        let alerts = &notices.config.alerts;
        let findings = store.read(|snapshot| lookout.look(snapshot, alerts, now))?;
        for finding in &findings {
            self.alert(notices, finding, now, &mut found)?;
        }
        // A day of which no event tells need not have been.
        if verdict == Verdict::Ahead {
            return Ok(found);
        }
        let gyms = self.store.read(|snapshot| snapshot.gyms())?;
        for gym in gyms.into_iter().filter(|gym| gym.archived_at.is_none()) {
            self.digests(notices, &gym, now, &mut found)?;
        }
        Ok(found)
    }

    fn alert(
        &mut self,
        notices: &Notices,
        finding: &Finding,
        now: Millis,
        found: &mut Found,
    ) -> Result<(), StoreError> {
        let Finding { gym, cause, state } = finding;
        let is_unknown = matches!(state, State::Unknown);
        let is_unknown = self.doubts.are_fresh((gym.id, *cause), is_unknown, now);
        for (recipient, words) in notices.recipients(gym, Want::Alerts) {
            let address = (gym.id, cause.name(), *recipient.hash().bytes());
            let told = self.memory.told(&address, now)?;
            if let State::Holds(alert) = state {
                let is_new = told.is_none_or(|told| !told.holds && now - told.at >= HOUR);
                if is_new && self.memory.may_try(&address, None, now) {
                    found.letters.push(Letter {
                        gym: gym.clone(),
                        subject: cause.name(),
                        recipient: recipient.clone(),
                        content: alert.content(gym, words),
                        of: None,
                    });
                }
            } else if !is_unknown {
                self.memory.forget_failures(&address);
                let over = told.filter(|told| told.holds);
                found.over.extend(over.map(|told| (address, told.at)));
            }
        }
        Ok(())
    }

    fn digests(
        &self,
        notices: &Notices,
        gym: &Gym,
        now: Millis,
        found: &mut Found,
    ) -> Result<(), StoreError> {
        for (period, range) in due(gym.settings.zone, notices.config.digest.hour, now) {
            let (subject, of) = (period.name(), range.until);
            let mut waiting = vec![];
            for (recipient, words) in notices.recipients(gym, period.want()) {
                let address = (gym.id, subject, *recipient.hash().bytes());
                let told = self.memory.told(&address, now)?;
                let is_told = told.is_some_and(|told| told.at >= of);
                if !is_told && self.memory.may_try(&address, Some(of), now) {
                    waiting.push((recipient.clone(), words));
                }
            }
            if waiting.is_empty() || self.is_before_first_event(gym, of)? {
                continue;
            }
            let digest =
                self.store.read(|snapshot| Digest::read(snapshot, gym, period, range, now))?;
            found.letters.extend(waiting.into_iter().map(|(recipient, words)| Letter {
                gym: gym.clone(),
                subject,
                recipient,
                content: Content::of_digest(&digest, words),
                of: Some(of),
            }));
        }
        Ok(())
    }

    /// Of a time before a gym's first event there is nothing to say.
    fn is_before_first_event(&self, gym: &Gym, until: Millis) -> Result<bool, StoreError> {
        let first = self.store.read(|snapshot| read::first_event(snapshot, gym))?;
        Ok(first.is_none_or(|first| until <= first))
    }

    async fn tell(&mut self, notices: &Notices, found: Found) {
        self.memory.catch_up().await;
        for (address, at) in found.over {
            self.memory.remember(address, Notice { at, holds: false }).await;
        }
        let sent = found.letters.into_iter().map(async |letter| {
            let outcome = notices.ways.send(&letter.recipient, &letter.content).await;
            (letter, outcome)
        });
        let mut sent = iter(sent).buffer_unordered(UNDER_WAY_MAX);
        while let Some((letter, outcome)) = sent.next().await {
            self.note(&letter, outcome).await;
        }
    }

    /// Remembers what came of a letter.
    async fn note(&mut self, letter: &Letter, outcome: Result<(), DeliveryError>) {
        let Letter { gym, subject, recipient, of, .. } = letter;
        let (address, slug, by) = (letter.address(), &gym.slug, recipient.word());
        let now = clock::now();
        match outcome {
            Ok(()) => {
                tracing::info!(gym = %slug, subject, by, "a notice was sent");
                self.memory.forget_failures(&address);
                let notice = Notice { at: of.unwrap_or(now), holds: of.is_none() };
                self.memory.remember(address, notice).await;
            }
            Err(error) => {
                let may_have_arrived = error.may_have_arrived();
                let tries = self.memory.failed(address, *of, may_have_arrived);
                tracing::warn!(gym = %slug, subject, by, tries, %error, "a notice failed");
                // Kept with the data, so that a restart does not say it a second time either.
                if may_have_arrived && of.is_none() {
                    self.memory.remember(address, Notice { at: now, holds: false }).await;
                }
            }
        }
    }
}

/// Causes of which it cannot be told whether they hold, and since when.
#[derive(Default)]
struct Doubts(HashMap<(GymId, Cause), Millis>);

impl Doubts {
    /// Whether it cannot be told now, and could be not so long ago.
    fn are_fresh(&mut self, cause: (GymId, Cause), is_unknown: bool, now: Millis) -> bool {
        if is_unknown {
            // What began in the future began by a wrong clock.
            let since = self.0.entry(cause).or_insert(now);
            *since = now.min(*since);
            now - *since < UNKNOWN_MAX
        } else {
            self.0.remove(&cause);
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_that_nobody_can_tell_of_is_over_after_some_hours() {
        let (cause, mut doubts) = ((GymId(1), Cause::Drop), Doubts::default());
        assert!(doubts.are_fresh(cause, true, 0));
        assert!(doubts.are_fresh(cause, true, UNKNOWN_MAX - 1));
        assert!(!doubts.are_fresh(cause, true, UNKNOWN_MAX));
        assert!(!doubts.are_fresh(cause, false, UNKNOWN_MAX));
        assert!(doubts.are_fresh(cause, true, UNKNOWN_MAX + 1), "it begins anew");
        assert!(doubts.are_fresh((GymId(2), Cause::Drop), true, UNKNOWN_MAX));
        assert!(doubts.are_fresh((GymId(2), Cause::Drop), true, 0), "the clock was ahead");
        assert!(!doubts.are_fresh((GymId(2), Cause::Drop), true, UNKNOWN_MAX));
    }
}
