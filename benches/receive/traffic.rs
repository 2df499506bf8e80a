//! What is posted: the simulated traffic of one large gym up to the present, each event once. The
//! newest part is posted in order of time, and some of the rest was held back, to be posted late.

use anyhow::ensure;
use chrono_tz::Tz;
use footfall::app::simulate::{Delivery, Plan, deliveries};
use footfall::domain::{DAY, Millis};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

pub const ZONE: Tz = Tz::Europe__Berlin;
/// No server here takes more deliveries in a second: there will be enough.
const RATE_MAX: usize = 15_000;

/// How much traffic there is.
pub struct Size {
    pub members: u32,
    /// Up to the present.
    pub days: u32,
    /// For how long events are posted in order of time.
    pub live_seconds: u32,
    /// For how long late events are posted.
    pub late_seconds: u32,
}

pub struct Traffic {
    /// What is in the tables before anything is measured.
    pub history: Vec<Delivery>,
    /// In order of time. Faster than life: a minute of measuring takes weeks of a gym. So these
    /// are some days old by the clock, and the service counts them as late.
    pub live: Vec<Delivery>,
    /// Of any time of the history, in no order.
    pub late: Vec<Delivery>,
}

impl Traffic {
    /// The same at every run, if it ends at the same time.
    pub fn draw(size: &Size, now: Millis) -> anyhow::Result<Traffic> {
        let mut history = deliveries(&Plan {
            seed: 1,
            zone: ZONE,
            members: size.members as usize,
            from: now - Millis::from(size.days) * DAY,
            until: now,
            leavers_deleted: false,
        });
        history.retain(|delivery| delivery.due <= now);
        let identity = |delivery: &Delivery| (delivery.at, delivery.account, delivery.kind);
        history.sort_unstable_by_key(|delivery| (identity(delivery), delivery.due));
        history.dedup_by_key(|delivery| identity(delivery));
        history.sort_unstable();

        let live = RATE_MAX * size.live_seconds as usize;
        let late = RATE_MAX * size.late_seconds as usize;
        ensure!(
            (live + late) * 2 <= history.len(),
            "{} events are too few for so many seconds: take more DAYS or MEMBERS",
            history.len()
        );
        let live = history.split_off(history.len() - live);
        history.shuffle(&mut ChaCha8Rng::seed_from_u64(1));
        let late = history.split_off(history.len() - late);
        history.sort_unstable();
        Ok(Traffic { history, live, late })
    }
}
