//! How often the rule of silent spans is wrong, and how soon it is right (model section 4, silent
//! span): 30 gyms from 10 to 2,000 visits a day, open all day or from six to eleven, over a year with
//! seasons, weekdays and weather, so that days vary more than chance alone.
//!
//! `cargo bench --bench silence` prints the tables of `docs/MODEL.md`. Nothing is timed: the same
//! numbers come of it on any machine.

#![expect(clippy::print_stdout, reason = "a benchmark's result is what it prints")]
#![expect(clippy::cast_precision_loss, reason = "counts are small")]

use std::collections::BTreeMap;
use std::fmt::Write as _;

use chrono_tz::Europe::Berlin;
use footfall::domain::calendar::{Day, Week, day_of, day_start};
use footfall::domain::closed::ClosedDays;
use footfall::domain::report::Series;
use footfall::domain::report::silence::{Rates, WEEKS_MAX, spans};
use footfall::domain::tally::{Cells, Key};
use footfall::domain::{DAY, HOUR, MINUTE, Millis};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

const GYMS: usize = 30;
const DAYS: i32 = 365;
const SMALLEST: f64 = 10.0;
const LARGEST: f64 = 2_000.0;
/// The shape of the gamma of each day's weather: days of a negative binomial, whose mean varies by a
/// fifth.
const WEATHER_SHAPE: u32 = 25;
const WEEKDAYS: [f64; 7] = [1.22, 1.17, 1.12, 1.06, 0.93, 0.80, 0.70];
/// Arrivals by hour of the day, of a gym that is open all day; at night only a few come.
const HOURS: [f64; 24] = [
    0.4, 0.2, 0.15, 0.15, 0.4, 1.5, 4.0, 5.5, 5.5, 5.5, 5.0, 4.5, 4.5, 4.5, 4.5, 5.5, 7.5, 10.0,
    10.5, 9.0, 6.0, 3.5, 1.5, 0.8,
];
/// Of a gym with opening hours.
const OPEN: std::ops::Range<usize> = 6..22;
/// Visits with a check-out.
const CHECKOUTS: f64 = 0.7;
/// An outage begins on each of these days before the end, at each hour.
const OUTAGE_DAYS: std::ops::Range<i32> = 20..111;
const OUTAGE_HOURS: i64 = 48;

struct Gym {
    visits: f64,
    is_open_all_day: bool,
    /// The minutes of its events, in order.
    events: Vec<Millis>,
}

fn main() {
    let end = Day::from_date("2026-11-30".parse().expect("a date"));
    let gyms: Vec<Gym> = (0..GYMS).map(|number| gym(number, end)).collect();
    println!("| visits a day | open | false silent spans in a year | hours in them |");
    println!("| --- | --- | --- | --- |");
    let mut all = 0;
    for gym in &gyms {
        let first = gym.events[0];
        let now = day_start(Berlin, end);
        let closed = ClosedDays::default();
        let found = spans(&series(&gym.events), Berlin, first, &closed, now);
        let hours: i64 = found.iter().map(|span| (span.until - span.from) / HOUR).sum();
        let open = if gym.is_open_all_day { "all day" } else { "6 to 22" };
        println!("| {:.0} | {open} | {} | {hours} |", gym.visits, found.len());
        all += found.len();
    }
    println!("\nin all {all}, {:.2} a gym and year\n", all as f64 / GYMS as f64);
    outages(&gyms, end);
}

fn gym(number: usize, end: Day) -> Gym {
    let mut dice = ChaCha8Rng::seed_from_u64(number as u64);
    let step = (number / 2) as f64 / (GYMS / 2 - 1) as f64;
    let visits = SMALLEST * (LARGEST / SMALLEST).powf(step);
    let is_open_all_day = number.is_multiple_of(2);
    let mut events = Vec::new();
    for day in (end.0 - DAYS..end.0).map(Day) {
        let season =
            0.15_f64.mul_add((f64::from(day.0 % 365) / 365.0 * std::f64::consts::TAU).cos(), 1.0);
        let weekday = WEEKDAYS[(day.0 - day.week().first_day().0).unsigned_abs() as usize];
        let mean = visits * season * weekday * gamma(&mut dice) / f64::from(WEATHER_SHAPE);
        for _ in 0..poisson(&mut dice, mean) {
            visit(&mut dice, day, is_open_all_day, &mut events);
        }
    }
    events.sort_unstable();
    Gym { visits, is_open_all_day, events }
}

/// A check-in, some machines, and mostly a check-out.
fn visit(dice: &mut ChaCha8Rng, day: Day, is_open_all_day: bool, events: &mut Vec<Millis>) {
    let weight = |hour: usize| {
        if is_open_all_day || OPEN.contains(&hour) { HOURS[hour] } else { 0.0 }
    };
    let mut place = dice.random::<f64>() * (0..24).map(weight).sum::<f64>();
    let hour = (0..24).find(|hour| {
        place -= weight(*hour);
        place < 0.0
    });
    let hour = i64::try_from(hour.unwrap_or(18)).expect("an hour");
    let entered = day_start(Berlin, day) + hour * HOUR + dice.random_range(0..HOUR);
    let stay = dice.random_range(35 * MINUTE..110 * MINUTE);
    events.push(entered - entered % MINUTE);
    for _ in 0..dice.random_range(0..5) {
        let at = entered + dice.random_range(5 * MINUTE..stay);
        events.push(at - at % MINUTE);
    }
    if dice.random_bool(CHECKOUTS) {
        let left = entered + stay;
        events.push(left - left % MINUTE);
    }
}

/// A draw with mean and variance [`WEATHER_SHAPE`].
fn gamma(dice: &mut ChaCha8Rng) -> f64 {
    (0..WEATHER_SHAPE).map(|_| -(1.0 - dice.random::<f64>()).ln()).sum()
}

fn poisson(dice: &mut ChaCha8Rng, mean: f64) -> u32 {
    let (mut count, mut past) = (0, 0.0);
    loop {
        past -= (1.0 - dice.random::<f64>()).ln();
        if past > mean {
            return count;
        }
        count += 1;
    }
}

fn series(events: &[Millis]) -> Series {
    let mut days: BTreeMap<i32, Vec<(u32, i64)>> = BTreeMap::new();
    for at in events {
        let key = Key::event(*at);
        days.entry(key.bucket).or_default().push((key.cell, 1));
    }
    Series(days.into_iter().map(|(day, cells)| (day, Cells::sum(cells))).collect())
}

/// How long an outage goes unnoticed, by the hour at which it begins.
fn outages(gyms: &[Gym], end: Day) {
    let classes = [(0.0, 30.0), (30.0, 100.0), (100.0, 300.0), (300.0, f64::INFINITY)];
    println!("| outage from | under 30 visits a day | 30 to 100 | 100 to 300 | over 300 |");
    println!("| --- | --- | --- | --- | --- |");
    for hour in 0..24 {
        let mut row = format!("| {hour}:00 |");
        for (from, until) in classes {
            let sized = gyms.iter().filter(|gym| from <= gym.visits && gym.visits < until);
            let mut waits: Vec<i64> = sized.flat_map(|gym| waits(gym, end, hour)).collect();
            waits.sort_unstable();
            let at = |percent: usize| hours(waits[waits.len() * percent / 100]);
            write!(row, " {} ({}) |", at(50), at(90)).expect("it is memory");
        }
        println!("{row}");
    }
    println!("\nmedian, and what nine of ten are under");
}

fn hours(minutes: i64) -> String {
    if minutes >= OUTAGE_HOURS * 60 {
        return format!("over {OUTAGE_HOURS} h");
    }
    if minutes < 90 { format!("{minutes} min") } else { format!("{:.1} h", minutes as f64 / 60.0) }
}

fn waits(gym: &Gym, end: Day, hour: i64) -> Vec<i64> {
    let closed = ClosedDays::default();
    let wait = |back: i32| {
        let begins = day_start(Berlin, end.plus(-back)) + hour * HOUR;
        let before = gym.events.partition_point(|at| *at < begins);
        let last = gym.events[before - 1];
        let week = day_of(Berlin, last + MINUTE).week();
        let learned = day_start(Berlin, Week(week.0 - WEEKS_MAX).first_day()) - DAY;
        let from = gym.events.partition_point(|at| *at < learned);
        let events = series(&gym.events[from..before]);
        let rates = Rates::before(week, &events, Berlin, gym.events[0], &closed);
        let is_silent = |minutes: &i64| {
            let now = begins + minutes * MINUTE;
            rates.is_silent(Berlin, &closed, last, now) == Some(true)
        };
        let waits: Vec<i64> = (0..OUTAGE_HOURS * 60).step_by(5).collect();
        let place = waits.partition_point(|minutes| !is_silent(minutes));
        waits.get(place).copied().unwrap_or(OUTAGE_HOURS * 60)
    };
    OUTAGE_DAYS.step_by(13).map(wait).collect()
}
