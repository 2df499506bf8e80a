//! One transaction: what was done in it is on disk after [`Tx::commit`], or never happened.
//!
//! Additions to tallies, and notes on gyms and webhooks, wait in memory until the commit, so that
//! deliveries which commit together touch each row once.

use std::collections::{BTreeMap, HashMap};

use super::checksums::Sums;
use super::database::Snapshot;
use super::error::StoreError;
use super::gyms::Gym;
use super::identity::{Mark, progress_of};
use super::key::Key;
use super::proof::SeenSecrets;
use super::redundancy::Heard;
use super::transaction::Transaction;
use crate::domain::Millis;
use crate::domain::ids::{GymId, Position, WebhookId};
use crate::domain::witness::Witness;

pub struct Tx<'c> {
    pub(super) transaction: Transaction<'c>,
    key: &'c Key,
    mark: &'c Mark,
    pub(super) sums: &'c Sums,
    /// Additions by slot of `tallies`.
    pub(super) tallies: BTreeMap<i64, Vec<(u32, i64)>>,
    /// Additions by slot of `frozen`.
    pub(super) frozen: BTreeMap<i64, Vec<(u32, i64)>>,
    /// Gyms as they were when first looked at in this transaction.
    gyms: HashMap<GymId, Gym>,
    pub(super) secrets: SeenSecrets,
    pub(super) heard: Heard,
    /// The witnessed time, as it was when first looked at.
    pub(super) witness: Option<Witness>,
    /// Whether there is something new to erase.
    pub(super) asks_to_erase: bool,
    /// Gyms whose reports changed, with the last position applied.
    pub(super) applied: HashMap<GymId, Option<Position>>,
    /// When each webhook last delivered.
    pub(super) delivered: HashMap<WebhookId, Millis>,
}

impl<'c> Tx<'c> {
    pub(super) fn new(
        transaction: Transaction<'c>,
        key: &'c Key,
        mark: &'c Mark,
        sums: &'c Sums,
    ) -> Tx<'c> {
        Tx {
            transaction,
            key,
            mark,
            sums,
            tallies: BTreeMap::new(),
            frozen: BTreeMap::new(),
            gyms: HashMap::new(),
            secrets: SeenSecrets::new(),
            heard: Heard::new(),
            witness: None,
            asks_to_erase: false,
            applied: HashMap::new(),
            delivered: HashMap::new(),
        }
    }

    /// What can be read in it. Additions to tallies show after [`Tx::flush`].
    pub fn view(&self) -> Snapshot<'_> {
        Snapshot { connection: &self.transaction, key: self.key, database: None }
    }

    /// The gym, read once in a transaction.
    pub fn gym(&mut self, id: GymId) -> Result<Gym, StoreError> {
        if let Some(gym) = self.gyms.get(&id) {
            return Ok(gym.clone());
        }
        let gym = self.view().gym_by_id(id)?;
        self.gyms.insert(id, gym.clone());
        Ok(gym)
    }

    /// Forgets what was read of a gym, after it was changed.
    pub(super) fn forget_gym(&mut self, id: GymId) {
        self.gyms.remove(&id);
    }

    /// The same of all.
    pub(super) fn forget_gyms(&mut self) {
        self.gyms.clear();
    }

    /// Notes that the gym's reports may have changed, by the event at `position` if any.
    pub fn mark_applied(&mut self, gym: GymId, position: Option<Position>) {
        let last = self.applied.entry(gym).or_default();
        *last = position.max(*last);
    }

    /// Notes when a webhook last delivered.
    pub fn mark_delivered(&mut self, webhook: WebhookId, received_at: Millis) {
        let last = self.delivered.entry(webhook).or_insert(received_at);
        *last = received_at.max(*last);
    }

    /// Writes what waits in memory, so that it can be read in this transaction.
    pub fn flush(&mut self) -> Result<(), StoreError> {
        self.flush_tallies()?;
        for (gym, position) in std::mem::take(&mut self.applied) {
            self.write_applied(gym, position)?;
        }
        for (webhook, at) in std::mem::take(&mut self.delivered) {
            self.write_delivered(webhook, at)?;
        }
        Ok(())
    }

    /// Commits; whether there is something new to erase.
    pub(super) fn commit(mut self) -> Result<bool, StoreError> {
        self.flush()?;
        self.sums.flush(&self.transaction)?;
        let progress = progress_of(&self.transaction)?;
        self.transaction.commit()?;
        self.mark.note(progress);
        Ok(self.asks_to_erase)
    }
}
