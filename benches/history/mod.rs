//! What the benchmarks share: the past of a gym, appended in bulk by the service's own path, and
//! numbers, in and out. Nothing is measured here.

use std::num::NonZero;
use std::time::Duration;

use anyhow::Context;
use footfall::app::simulate::Delivery;
use footfall::domain::event::{Event, Kind};
use footfall::domain::ids::{Account, GymId};
use footfall::domain::report::busy::Public;
use footfall::domain::rules::Rules;
use footfall::projection::apply;
use footfall::store::{Database, GymSettings, StoreError, Tx};
use hdrhistogram::Histogram;

/// Events that are appended in one transaction.
const CHUNK_EVENTS: usize = 5_000;

/// A number that can be changed by a variable of the environment.
pub fn number(name: &str, default: u32) -> anyhow::Result<u32> {
    match std::env::var(name) {
        Ok(text) => {
            let number: NonZero<u32> =
                text.parse().with_context(|| format!("{name} is a whole number above 0"))?;
            Ok(number.get())
        }
        Err(_) => Ok(default),
    }
}

/// Adds a gym with ordinary rules, made so long ago that any event is younger.
pub fn add_gym(tx: &mut Tx<'_>, slug: &str, zone: chrono_tz::Tz) -> Result<GymId, StoreError> {
    let slug = slug.parse().expect("it is a slug");
    let settings = GymSettings {
        name: "Gym".into(),
        zone,
        capacity: Some(100),
        rules: Rules::default(),
        retain_months: None,
        public: Public::Off,
    };
    tx.add_gym(&slug, &settings, 0)?;
    Ok(tx.view().gym_by_slug(&slug)?.expect("it was added in this transaction").id)
}

/// Appends events as if each had been received when it was due.
pub fn append(
    database: &Database,
    connection: &mut rusqlite::Connection,
    gym: GymId,
    history: &[Delivery],
) -> Result<(), StoreError> {
    for chunk in history.chunks(CHUNK_EVENTS) {
        database.transact(connection, |tx| {
            for delivery in chunk {
                let Delivery { due, at, account, kind } = *delivery;
                let kind = Kind::from_name(kind);
                let event = Event { account: Account(account), at, kind, extra: None };
                apply::append(tx, gym, &event, due, None)?;
            }
            Ok(())
        })?;
    }
    Ok(())
}

/// How many in a second.
pub fn rate(number: u32, took: Duration) -> f64 {
    f64::from(number) / took.as_secs_f64()
}

/// What a quantile of a histogram of microseconds is, in milliseconds.
pub fn millis(histogram: &Histogram<u64>, quantile: f64) -> f64 {
    Duration::from_micros(histogram.value_at_quantile(quantile)).as_secs_f64() * 1_000.0
}

pub fn micros(took: Duration) -> u64 {
    u64::try_from(took.as_micros()).expect("nothing here takes thousands of years")
}
