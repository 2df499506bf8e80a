//! What reports cost: each over a year and over two years of one gym, and over a month of all
//! gyms, with two simulated years of traffic behind them. And what it costs to be watched: an
//! answer of `/metrics` about all gyms.
//!
//! `cargo bench --bench reports`, or with a part of a report's name behind `--`. Measured is what a request costs without its socket: a read of
//! the database, the report, and its JSON. Each question is asked `REPEATS` times, of one gym
//! after the other, so what is read is seldom in SQLite's own cache; first each time of another range,
//! then of the same again, when the service has kept what every report says of it. `GYMS`, `DAYS` and `MEMBERS`
//! (of each gym) change the size of the database; 320 members make 100 visits a day. Loading it
//! takes minutes: in the folder `KEEP` it stays, and the next run takes it from there. Of a chain,
//! `GYMS=500 DAYS=70 MEMBERS=60` says what `/metrics` costs.

#![expect(clippy::print_stdout, reason = "a benchmark's result is what it prints")]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::Instant;

use anyhow::{Context, bail};
use chrono_tz::Tz;
use footfall::app::simulate::{Plan, deliveries};
use footfall::domain::calendar::day_of;
use footfall::domain::{DAY, HOUR, MINUTE, Millis};
use footfall::http::metrics::Metrics;
use footfall::http::problem::Problem;
use footfall::http::process::Process;
use footfall::http::reports::{Parameters, ask, ask_chain};
use footfall::projection::read;
use footfall::store::{Database, Gym, Secret, Snapshot, Store, StoreError};
use hdrhistogram::Histogram;
use prometheus::TextEncoder;
use serde::Serialize;

mod history;

/// The present of the benchmark, 2026-03-25T18:30:00Z: an ordinary Wednesday evening in Europe.
const NOW: Millis = 1_767_225_600_000 + 83 * DAY + 18 * HOUR + 30 * MINUTE;

const ZONES: [Tz; 8] = [
    Tz::Europe__Berlin,
    Tz::America__New_York,
    Tz::Australia__Lord_Howe,
    Tz::Europe__London,
    Tz::Asia__Kathmandu,
    Tz::America__St_Johns,
    Tz::America__Santiago,
    Tz::Asia__Tokyo,
];

/// Reports, and the interval that is asked for.
const QUESTIONS: [(&str, &str); 11] = [
    ("occupancy", "1h"),
    ("occupancy", "1d"),
    ("visits", "1h"),
    ("visits", "1d"),
    ("members", "1d"),
    ("durations", "1d"),
    ("equipment", "1d"),
    ("popular-times", "1h"),
    ("retention", "1mo"),
    ("onboarding", "1d"),
    ("quality", "1d"),
];

/// Local days of a year, of two, and of a month.
const YEAR: i32 = 365;
const TWO_YEARS: i32 = 730;
const MONTH: i32 = 30;

fn main() -> anyhow::Result<()> {
    let size = Size::from_env()?;
    let repeats = history::number("REPEATS", 500)?;
    let temporary = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let kept = std::env::var_os("KEEP").map(PathBuf::from);
    let folder = kept.as_deref().unwrap_or(temporary.path());
    let database = open_or_load(folder, &size)?;
    let gyms = database.read(|snapshot| snapshot.gyms())?;
    println!("\nmilliseconds, p50 and p99; `again`: a range that was asked for before\n");
    println!(
        "{:<20} {:>17} {:>17} {:>17} {:>19} {:>19}",
        "", "gym, a year", "again", "gym, two years", "all gyms, a month", "again"
    );
    let wanted = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let is_wanted = |name: &str| wanted.as_ref().is_none_or(|wanted| name.contains(wanted));
    for question in QUESTIONS.into_iter().filter(|(name, _)| is_wanted(name)) {
        println!("{}", measured(&database, &gyms, question, repeats)?);
    }
    let now = timed(repeats, |turn| {
        let gym = &gyms[turn % gyms.len()];
        database.read(|snapshot| read::occupancy_now(snapshot, gym, NOW))?;
        Ok(())
    })?;
    println!("{:<20} {}", "occupancy now", percentiles(&now));
    drop(database);
    println!("{:<20} {}", "metrics, all gyms", percentiles(&scraped(folder, repeats)?));
    Ok(())
}

/// How long an answer of `/metrics` takes.
fn scraped(folder: &Path, repeats: u32) -> anyhow::Result<Histogram<u64>> {
    let (store, writer) = Store::start(folder)?;
    let (metrics, process) = (Metrics::new(&store, None), Process::default());
    give_webhooks(store.database())?;
    let took = timed(repeats, |_| {
        let text = metrics.written(&TextEncoder::new(), &store, &process, NOW)?;
        assert!(text.len() > 1_000, "it says something");
        Ok(())
    })?;
    drop(store);
    writer.join().ok().context("the writer failed")?;
    Ok(took)
}

/// Gives each gym a webhook that delivered just now.
fn give_webhooks(database: &Database) -> anyhow::Result<()> {
    let gyms = database.read(|snapshot| snapshot.gyms())?;
    let mut connection = database.connect()?;
    database.transact(&mut connection, |tx| {
        if tx.view().webhooks(None)?.is_empty() {
            for gym in &gyms {
                tx.add_webhook(gym.id, &Secret::fresh("").hash(), NOW)?;
            }
        }
        for webhook in tx.view().webhooks(None)? {
            tx.mark_delivered(webhook.id, NOW);
        }
        Ok(())
    })?;
    Ok(())
}

/// How much there is to load.
struct Size {
    gyms: u32,
    days: u32,
    members: u32,
}

impl Size {
    fn from_env() -> anyhow::Result<Size> {
        Ok(Size {
            gyms: history::number("GYMS", 50)?,
            days: history::number("DAYS", 730)?,
            members: history::number("MEMBERS", 320)?,
        })
    }

    fn name(&self) -> String {
        let Size { gyms, days, members } = self;
        format!("{gyms} gyms, {days} days, {members} members each\n")
    }
}

/// Takes the database that an earlier run left, if it is of this size.
fn open_or_load(folder: &Path, size: &Size) -> anyhow::Result<Database> {
    let marker = folder.join("loaded");
    match fs::read_to_string(&marker) {
        Ok(name) if name == size.name() => return Ok(Database::open(folder)?),
        Ok(name) => bail!("{} holds {}: choose another", folder.display(), name.trim_end()),
        Err(_) if folder.join("footfall.db").exists() => {
            bail!("{} was not loaded to its end: remove it", folder.display())
        }
        Err(_) => {}
    }
    let database = Database::open(folder)?;
    load(&database, size)?;
    fs::write(marker, size.name()).context("cannot note what was loaded")?;
    Ok(database)
}

/// Appends each gym's traffic; that of the next gym is drawn meanwhile.
fn load(database: &Database, size: &Size) -> anyhow::Result<()> {
    let began = Instant::now();
    let mut connection = database.connect()?;
    let (sender, drawn) = sync_channel(1);
    let plans: Vec<_> = (0..size.gyms).map(|number| plan(number, size)).collect();
    thread::spawn(move || {
        for plan in plans {
            if sender.send((plan.zone, deliveries(&plan))).is_err() {
                break;
            }
        }
    });
    let mut events = 0_u32;
    for (number, (zone, mut history)) in (1..).zip(drawn) {
        history.retain(|delivery| delivery.due <= NOW);
        let gym = database.transact(&mut connection, |tx| {
            history::add_gym(tx, &format!("gym-{number:03}"), zone)
        })?;
        history::append(database, &mut connection, gym, &history)?;
        events += u32::try_from(history.len())?;
        let rate = history::rate(events, began.elapsed());
        eprintln!("loaded {number} of {} gyms, {rate:.0} events/s", size.gyms);
    }
    Database::empty_log(&connection)?;
    let (seconds, bytes) = (began.elapsed().as_secs(), database.file().metadata()?.len());
    let rate = history::rate(events, began.elapsed());
    println!("{}loaded {events} events in {seconds} s: {rate:.0} events/s", size.name());
    println!("{} MB, {} bytes an event", bytes / 1_000_000, bytes / u64::from(events.max(1)));
    Ok(())
}

fn plan(number: u32, size: &Size) -> Plan {
    Plan {
        seed: u64::from(number),
        zone: ZONES[number as usize % ZONES.len()],
        members: size.members as usize,
        from: NOW - Millis::from(size.days) * DAY,
        until: NOW,
        leavers_deleted: false,
    }
}

/// A line of the table.
fn measured(
    database: &Database,
    gyms: &[Gym],
    question: (&'static str, &'static str),
    repeats: u32,
) -> anyhow::Result<String> {
    let of_one = |days, is_again: bool| {
        timed(repeats, |turn| {
            let gym = &gyms[turn % gyms.len()];
            let ago = if is_again { 0 } else { turn / gyms.len() + 1 };
            answered(database, |snapshot| {
                let asked = asked_days_ago(gym, question, days, ago);
                said(&ask(snapshot, gym, question.0, &asked, NOW)?);
                Ok(())
            })
        })
    };
    let of_all = |is_again: bool| {
        timed(repeats.div_ceil(5), |turn| {
            let ago = if is_again { 0 } else { turn + 1 };
            answered(database, |snapshot| {
                let asked = asked_days_ago(&gyms[0], by_days(question), MONTH, ago);
                said(&ask_chain(snapshot, gyms.to_vec(), question.0, &asked, NOW)?);
                Ok(())
            })
        })
    };
    // Two years of hours are more buckets than a report may have.
    let can_be_longer = question.1 != "1h" || question.0 == "popular-times";
    let longer = can_be_longer.then(|| of_one(TWO_YEARS, false)).transpose()?;
    let longer = longer.map_or(String::new(), |longer| percentiles(&longer));
    let [year, again] = [of_one(YEAR, false)?, of_one(YEAR, true)?].map(|one| percentiles(&one));
    let [month, all_again] = [of_all(false)?, of_all(true)?].map(|one| percentiles(&one));
    let name = format!("{}, {}", question.0, question.1);
    Ok(format!("{name:<20} {year:>17} {again:>17} {longer:>17} {month:>19} {all_again:>19}"))
}

/// A month of hours of all gyms is more buckets than a report may have.
fn by_days((report, interval): (&'static str, &'static str)) -> (&'static str, &'static str) {
    (report, if interval == "1h" { "1d" } else { interval })
}

/// So many days, up to some days ago.
fn asked_days_ago(gym: &Gym, (_, interval): (&str, &str), days: i32, ago: usize) -> Parameters {
    let ago = i32::try_from(ago).expect("few");
    let until = day_of(gym.settings.zone, NOW).plus(1 - ago);
    Parameters {
        from: Some(until.plus(-days).date().to_string()),
        until: Some(until.date().to_string()),
        interval: Some(interval.to_owned()),
        ..Parameters::default()
    }
}

/// The answer, as it is sent.
fn said(answer: &impl Serialize) {
    let text = serde_json::to_string(answer).expect("a report is plain JSON");
    assert!(text.len() > 100, "it says something");
}

fn answered(
    database: &Database,
    work: impl FnOnce(&Snapshot<'_>) -> Result<(), Problem>,
) -> anyhow::Result<()> {
    let answer: Result<_, StoreError> = database.read(|snapshot| Ok(work(snapshot)));
    answer?.map_err(|problem| anyhow::anyhow!("{problem}"))
}

/// How long the work takes, in microseconds. What is measured has run before: the first turns do
/// not count.
fn timed(
    repeats: u32,
    mut work: impl FnMut(usize) -> anyhow::Result<()>,
) -> anyhow::Result<Histogram<u64>> {
    let mut histogram = Histogram::new(3)?;
    let first = repeats.div_ceil(10);
    for turn in 0..first + repeats {
        let began = Instant::now();
        work(turn as usize)?;
        if turn >= first {
            histogram.record(history::micros(began.elapsed()))?;
        }
    }
    Ok(histogram)
}

fn percentiles(histogram: &Histogram<u64>) -> String {
    let at = |quantile| history::millis(histogram, quantile);
    format!("{:.2} {:8.2}", at(0.5), at(0.99))
}
