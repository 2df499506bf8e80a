//! Sends notices while the service runs: each digest once, and of a cause for alert one word when
//! it begins to hold, at most one in an hour. What was told is kept with the data, so a restart
//! tells nobody twice.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::iter;
use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval};

use super::Notices;
use super::alerts::{Finding, Lookout, State};
use super::content::Content;
use super::figures::Digest;
use super::schedule::due;
use super::ways::Recipient;
use crate::app::config::Want;
use crate::clock;
use crate::domain::ids::GymId;
use crate::domain::{HOUR, MINUTE, Millis};
use crate::store::{Gym, Notice, SecretHash, Store, StoreError};

/// Time between two looks for something to tell.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// So many are on their way at once.
const UNDER_WAY_MAX: usize = 8;
/// What does not arrive is given up after so many tries.
const TRIES_MAX: u32 = 6;
/// The second try is so much later than the first, and each further pause is twice as long.
const TRY_AGAIN: Millis = 5 * MINUTE;

/// Goes on until it is dropped.
pub async fn keep(store: Store, notices: Notices) {
    if notices.entries.is_empty() {
        return;
    }
    match store.read(|snapshot| snapshot.gyms()) {
        Ok(gyms) => notices.unknown_gyms(&gyms).iter().for_each(|gym| {
            tracing::warn!(gym, "[[notify]] names a gym that there is not");
        }),
        Err(error) => tracing::error!(%error, "gyms cannot be read"),
    }
    let notices = Arc::new(notices);
    let mut desk = Desk { store, lookout: Lookout::default(), failures: HashMap::new() };
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
        (desk, found) = looked.await.expect("looking does not panic");
        match found {
            Ok(found) => desk.tell(&notices, found).await,
            Err(error) => tracing::error!(%error, "notices could not be written"),
        }
    }
}

/// To whom something of a gym is told: the gym, the subject, and the recipient's hash.
type Address = (GymId, &'static str, [u8; 32]);

struct Desk {
    store: Store,
    lookout: Lookout,
    failures: HashMap<Address, Failure>,
}

/// A notice that did not arrive.
#[derive(Clone, Copy)]
struct Failure {
    /// What it was about, as in [`Letter`].
    of: Millis,
    tries: u32,
    next: Millis,
}

/// A notice on its way to one recipient.
struct Letter {
    gym: Gym,
    subject: &'static str,
    recipient: Recipient,
    content: Content,
    /// Which one it is: the end of a digest's period, or the hour of an alert.
    of: Millis,
    /// What is remembered when it has arrived.
    notice: Notice,
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
        let Desk { store, lookout, .. } = self;
        let alerts = &notices.config.alerts;
        let findings = store.read(|snapshot| lookout.look(snapshot, alerts, now))?;
        for finding in &findings {
            self.alert(notices, finding, now, &mut found)?;
        }
        for gym in self.store.read(|snapshot| snapshot.gyms())? {
            self.digests(notices, &gym, now, &mut found)?;
        }
        Ok(found)
    }

    fn alert(
        &self,
        notices: &Notices,
        finding: &Finding,
        now: Millis,
        found: &mut Found,
    ) -> Result<(), StoreError> {
        let Finding { gym, cause, state } = finding;
        let subject = cause.name();
        for recipient in notices.recipients(gym, Want::Alerts) {
            let address = (gym.id, subject, *recipient.hash().bytes());
            let told = self.told(&address)?;
            match state {
                State::Holds(content) => {
                    let of = now - now.rem_euclid(HOUR);
                    let is_new = told.is_none_or(|told| !told.holds && now - told.at >= HOUR);
                    if is_new && self.may_try(&address, of, now) {
                        found.letters.push(Letter {
                            gym: gym.clone(),
                            subject,
                            recipient: recipient.clone(),
                            content: content.clone(),
                            of,
                            notice: Notice { at: now, holds: true },
                        });
                    }
                }
                State::Quiet => {
                    found
                        .over
                        .extend(told.filter(|told| told.holds).map(|told| (address, told.at)));
                }
                State::Unknown => {}
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
            for recipient in notices.recipients(gym, period.want()) {
                let address = (gym.id, subject, *recipient.hash().bytes());
                let is_told = self.told(&address)?.is_some_and(|told| told.at >= of);
                if !is_told && self.may_try(&address, of, now) {
                    waiting.push(recipient.clone());
                }
            }
            if waiting.is_empty() {
                continue;
            }
            let digest =
                self.store.read(|snapshot| Digest::read(snapshot, gym, period, range, now))?;
            let content = Content::of_digest(&digest);
            found.letters.extend(waiting.into_iter().map(|recipient| Letter {
                gym: gym.clone(),
                subject,
                recipient,
                content: content.clone(),
                of,
                notice: Notice { at: of, holds: false },
            }));
        }
        Ok(())
    }

    fn told(&self, (gym, subject, recipient): &Address) -> Result<Option<Notice>, StoreError> {
        let recipient = SecretHash::from_bytes(*recipient);
        self.store.read(|snapshot| snapshot.last_notice(*gym, subject, &recipient))
    }

    fn may_try(&self, address: &Address, of: Millis, now: Millis) -> bool {
        let failure = self.failures.get(address).filter(|failure| failure.of == of);
        failure.is_none_or(|failure| failure.tries < TRIES_MAX && failure.next <= now)
    }

    async fn tell(&mut self, notices: &Notices, found: Found) {
        for (address, at) in found.over {
            self.remember(address, Notice { at, holds: false }).await;
        }
        let sent = found.letters.into_iter().map(async |letter| {
            let outcome = notices.ways.send(&letter.recipient, &letter.content).await;
            (letter, outcome)
        });
        let mut sent = iter(sent).buffer_unordered(UNDER_WAY_MAX);
        while let Some((letter, outcome)) = sent.next().await {
            let Letter { gym, subject, recipient, of, notice, .. } = letter;
            let address = (gym.id, subject, *recipient.hash().bytes());
            let (slug, by) = (&gym.slug, recipient.word());
            if let Err(error) = outcome {
                let before = self.failures.get(&address).filter(|failure| failure.of == of);
                let tries = before.map_or(0, |failure| failure.tries) + 1;
                let next = clock::now() + (TRY_AGAIN << (tries - 1));
                self.failures.insert(address, Failure { of, tries, next });
                let is_last = tries == TRIES_MAX;
                tracing::warn!(gym = %slug, subject, by, tries, is_last, %error, "a notice failed");
            } else if self.remember(address, notice).await {
                tracing::info!(gym = %slug, subject, by, "a notice was sent");
                self.failures.remove(&address);
            } else {
                // Better told once without being remembered than told every minute.
                self.failures.insert(address, Failure { of, tries: TRIES_MAX, next: 0 });
            }
        }
    }

    async fn remember(&self, (gym, subject, recipient): Address, notice: Notice) -> bool {
        let recipient = SecretHash::from_bytes(recipient);
        let written =
            self.store.write(move |tx| tx.set_notice(gym, subject, &recipient, notice)).await;
        if let Err(error) = &written {
            tracing::error!(%error, "what was told could not be remembered");
        }
        written.is_ok()
    }
}
