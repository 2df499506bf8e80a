//! What an erasure costs in a large log: one member with five years of history, ten thousand members
//! at once, and how long deliveries wait meanwhile, beside how long they wait without.
//!
//! `KEEP=<folder> cargo bench --bench erasure`, on a copy of the folder that `cargo bench --bench
//! reports` has loaded (21 million events of 16,000 members): what is erased is gone. Deliveries come
//! one after the other, a new one `EVERY` after the last was answered.

#![expect(clippy::print_stdout, reason = "a benchmark's result is what it prints")]

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use footfall::app::eraser;
use footfall::app::simulate::Delivery;
use footfall::clock;
use footfall::domain::calendar::Day;
use footfall::domain::event::{Event, Kind};
use footfall::domain::ids::{Account, GymId};
use footfall::domain::{DAY, HOUR, MINUTE};
use footfall::projection::{apply, erase};
use footfall::store::{Database, ErasureReason, Store};
use hdrhistogram::Histogram;
use uuid::Uuid;

#[expect(dead_code, reason = "each benchmark takes what it needs")]
mod history;

/// Between an answer and the next delivery.
const EVERY: Duration = Duration::from_millis(5);
/// How long deliveries are watched without an erasure.
const QUIET: Duration = Duration::from_secs(10);
/// Visits of the one member: five years, three times a week.
const VISITS: i64 = 5 * 52 * 3;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> anyhow::Result<()> {
    let folder = std::env::var_os("KEEP").map(PathBuf::from);
    let folder = folder.context("KEEP names a copy of a loaded folder")?;
    let bulk = history::number("MEMBERS", 10_000)? as usize;
    let one = Uuid::new_v4();
    live_long(&Database::open(&folder)?, one)?;
    let (store, _writer) = Store::start(&folder)?;
    let gyms = store.read(|snapshot| snapshot.gyms())?;
    let members = store.read(|snapshot| {
        let mut members = Vec::new();
        for gym in &gyms {
            let seen = snapshot.members_last_seen(gym.generation, Day(0), Day(i32::MAX))?;
            let accounts = seen.into_iter().map(|(_, account, _)| (gym.id, account));
            members.extend(accounts.filter(|(_, account)| account.0 != one));
        }
        Ok(members)
    })?;
    let events = store.read(|snapshot| snapshot.event_count())?;
    println!("{events} events of {} members", members.len());
    tokio::spawn(eraser::run(store.clone()));

    let quiet = waits(&store, gyms[0].id, async { tokio::time::sleep(QUIET).await }).await?;
    println!("a delivery without erasures, ms p50 and p99: {}", percentiles(&quiet));
    let began = Instant::now();
    erase_all(&store, &[(gyms[0].id, Account(one))]).await?;
    println!("one member, {} events: {:.0} ms", VISITS * 3, began.elapsed().as_secs_f64() * 1e3);
    let some = &members[..bulk.min(members.len())];
    let began = Instant::now();
    let during = waits(&store, gyms[0].id, async {
        erase_all(&store, some).await.expect("they are erased");
    });
    let during = during.await?;
    let took = began.elapsed();
    let rate = history::rate(u32::try_from(some.len())?, took);
    println!("{} members: {:.1} s, {rate:.0} a second", some.len(), took.as_secs_f64());
    println!("a delivery meanwhile, ms p50 and p99: {}", percentiles(&during));
    Ok(())
}

/// Five years of one member's visits.
fn live_long(database: &Database, account: Uuid) -> anyhow::Result<()> {
    let gym = database.read(|snapshot| snapshot.gyms())?[0].id;
    let visits = (0..VISITS).flat_map(|visit| {
        let entered = clock::now() - DAY - visit * 56 * HOUR;
        let kinds = [(0, "GYM_CHECKIN"), (20, "EQUIPMENT_CHECKIN"), (70, "GYM_CHECKOUT")];
        kinds.map(|(after, kind)| {
            let at = entered + after * MINUTE;
            Delivery { due: at, at, account, kind }
        })
    });
    let visits: Vec<_> = visits.collect();
    Ok(history::append(database, &mut database.connect()?, gym, &visits)?)
}

/// Asks for erasures, and waits until all are complete.
async fn erase_all(store: &Store, members: &[(GymId, Account)]) -> anyhow::Result<()> {
    for chunk in members.chunks(500) {
        let chunk = chunk.to_vec();
        let ask = store.write(move |tx| {
            let now = clock::now();
            for (gym, account) in &chunk {
                erase::request(tx, *gym, *account, now, ErasureReason::Manual, now)?;
            }
            Ok(())
        });
        ask.await?;
    }
    while !store.read(|snapshot| snapshot.open_erasures(1))?.is_empty() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    Ok(())
}

/// How long deliveries wait for their answer while something else is done, in microseconds.
async fn waits(
    store: &Store,
    gym: GymId,
    work: impl Future<Output = ()>,
) -> anyhow::Result<Histogram<u64>> {
    let is_over = Arc::new(AtomicBool::new(false));
    let (store, seen) = (store.clone(), is_over.clone());
    let watched = tokio::spawn(async move {
        let mut histogram = Histogram::new(3)?;
        while !seen.load(Ordering::Relaxed) {
            let began = Instant::now();
            let (account, at) = (Account(Uuid::new_v4()), clock::now());
            let event = Event { account, at, kind: Kind::Checkin, extra: None };
            store.write(move |tx| apply::append(tx, gym, &event, at, None)).await?;
            histogram.record(history::micros(began.elapsed()))?;
            tokio::time::sleep(EVERY).await;
        }
        anyhow::Ok(histogram)
    });
    work.await;
    is_over.store(true, Ordering::Relaxed);
    watched.await?
}

fn percentiles(histogram: &Histogram<u64>) -> String {
    let at = |quantile| history::millis(histogram, quantile);
    format!("{:.2} {:8.2}, of {}", at(0.5), at(0.99), histogram.len())
}
