//! Receiving over HTTP, each answer given when the delivery is on disk, beside the same server
//! answering without storing, in one run.
//!
//! `cargo bench --bench receive`. Both servers and what posts to them share this machine, so a
//! rate is of all of them. The servers take turns of a second or so, so that what else happens on
//! the machine happens to both. `SECONDS_PER_POINT` is how long each is measured at each number of
//! connections (with `CONNECTIONS`, only at that one); `MEMBERS` and `DAYS` make the traffic, most
//! of which is in the tables before. The temporary data folder is below `target/`, so that is the
//! disk that is measured.

#![expect(clippy::print_stdout, reason = "a benchmark's result is what it prints")]

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::ensure;
use footfall::app::simulate::Delivery;
use footfall::clock;
use footfall::store::{Database, Secret, Store};
use hdrhistogram::Histogram;

mod doors;
#[path = "../history/mod.rs"]
mod history;
mod load;
mod traffic;

use doors::Doors;
use history::{millis, rate};
use load::{Load, Measured};
use traffic::{Size, Traffic, ZONE};

const CONNECTIONS: [u32; 4] = [1, 16, 64, 256];
const WARM_UP_CONNECTIONS: u32 = 16;
/// The number of connections at which late events are posted.
const LATE_CONNECTIONS: u32 = 64;
/// In so many turns each server is measured at a number of connections.
const TURNS: u32 = 5;

/// The head of a table.
const COLUMNS: [&str; 2] = [
    "             |        not storing        |               storing                |",
    " connections |      /s    p50 ms  p99 ms |      /s    p50 ms  p99 ms  per commit | ratio",
];

fn main() -> anyhow::Result<()> {
    let seconds = history::number("SECONDS_PER_POINT", 5)?;
    let connections = match history::number("CONNECTIONS", 0)? {
        0 => CONNECTIONS.to_vec(),
        one => vec![one],
    };
    let size = Size {
        members: history::number("MEMBERS", 20_000)?,
        days: history::number("DAYS", 60)?,
        live_seconds: seconds * (u32::try_from(connections.len())? + 1),
        late_seconds: seconds,
    };
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    println!("4 KiB and a flush take this disk {} ms (p50, p99)", flushes(folder.path())?);
    let traffic = Traffic::draw(&size, clock::now())?;
    let secret = Secret::fresh("ffs_");
    let path = prepare(folder.path(), &traffic.history, &secret)?;
    let (store, writer) = Store::start(folder.path())?;
    let doors = Doors::open(store.clone())?;
    let bench = Bench {
        storing: Load::to(doors.storing, &path, &secret),
        not_storing: Load::to(doors.not_storing, &path, &secret),
        store,
        turn: Duration::from_secs(seconds.into()) / TURNS,
    };
    bench.run(&traffic, &size, connections)?;
    doors.close()?;
    drop(bench);
    writer.join().expect("the writer does not panic");
    Ok(())
}

/// A data folder with a gym, its webhook and its past; the webhook's path.
fn prepare(folder: &Path, history: &[Delivery], secret: &Secret) -> anyhow::Result<String> {
    let database = Database::open(folder)?;
    let mut connection = database.connect()?;
    let (gym, webhook) = database.transact(&mut connection, |tx| {
        let gym = history::add_gym(tx, "gym", ZONE)?;
        Ok((gym, tx.add_webhook(gym, &secret.hash(), 0)?))
    })?;
    let began = Instant::now();
    history::append(&database, &mut connection, gym, history)?;
    let (number, took) = (u32::try_from(history.len())?, began.elapsed());
    let megabytes = database.file().metadata()?.len() / 1_000_000;
    println!("{number} events in the tables before, appended in bulk at");
    println!("{:.0} events/s: {megabytes} MB", rate(number, took));
    Ok(format!("/webhooks/{webhook}"))
}

/// How long it takes until a little is on disk.
fn flushes(folder: &Path) -> anyhow::Result<String> {
    let mut file = File::create(folder.join("flushes"))?;
    let mut took = Histogram::new(3)?;
    for _ in 0..200 {
        let began = Instant::now();
        file.write_all(&[0; 4_096])?;
        file.sync_data()?;
        took.record(history::micros(began.elapsed()))?;
    }
    Ok(format!("{:.2}, {:.2}", millis(&took, 0.5), millis(&took, 0.99)))
}

struct Bench {
    store: Store,
    storing: Load,
    not_storing: Load,
    /// How long a server is measured before it is the other's turn.
    turn: Duration,
}

impl Bench {
    fn run(&self, traffic: &Traffic, size: &Size, connections: Vec<u32>) -> anyhow::Result<()> {
        let before = self.store.read(|snapshot| snapshot.event_count())?;
        let mut live = traffic.live.iter();
        // What does not store takes the same events again and again.
        let mut again = traffic.live.iter().cycle();
        let mut sent = self.point(WARM_UP_CONNECTIONS, &mut live, &mut again)?.stored.answers;
        println!("\nin order of time, one after the other\n\n{}", COLUMNS.join("\n"));
        for connections in connections {
            let point = self.point(connections, &mut live, &mut again)?;
            println!("{}", point.row(connections));
            sent += point.stored.answers;
        }
        println!("\nlate by up to {} days, in no order\n\n{}", size.days, COLUMNS.join("\n"));
        let point = self.point(
            LATE_CONNECTIONS,
            &mut traffic.late.iter(),
            &mut traffic.late.iter().cycle(),
        )?;
        println!("{}", point.row(LATE_CONNECTIONS));
        sent += point.stored.answers;
        let after = self.store.read(|snapshot| snapshot.event_count())?;
        ensure!(after - before == i64::from(sent), "the log has not what was answered");
        println!("\nall {sent} that were answered are in the log");
        Ok(())
    }

    /// Measures both servers, in turns.
    fn point<'a>(
        &self,
        connections: u32,
        fresh: &mut dyn Iterator<Item = &'a Delivery>,
        again: &mut dyn Iterator<Item = &'a Delivery>,
    ) -> anyhow::Result<Point> {
        let mut point = Point { unstored: Measured::new()?, stored: Measured::new()?, commits: 0 };
        for _ in 0..TURNS {
            self.not_storing.post(again, connections, self.turn, &mut point.unstored)?;
            let before = *self.store.commits().borrow();
            self.storing.post(fresh, connections, self.turn, &mut point.stored)?;
            point.commits += u32::try_from(*self.store.commits().borrow() - before)?;
        }
        Ok(point)
    }
}

/// What was measured at one number of connections.
struct Point {
    unstored: Measured,
    stored: Measured,
    commits: u32,
}

impl Point {
    /// A line of the table.
    fn row(&self, connections: u32) -> String {
        let cells = |measured: &Measured| {
            let (p50, p99) = (millis(&measured.took, 0.5), millis(&measured.took, 0.99));
            format!("{:7.0} {p50:9.2} {p99:7.2}", measured.rate())
        };
        let (unstored, stored) = (cells(&self.unstored), cells(&self.stored));
        let per_commit = f64::from(self.stored.answers) / f64::from(self.commits);
        let ratio = self.stored.rate() / self.unstored.rate();
        format!(" {connections:11} | {unstored} | {stored} {per_commit:11.1} | {ratio:.2}")
    }
}
