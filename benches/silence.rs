//! How often the rule of silent spans is wrong, and how soon it is right (model section 4, silent
//! span), on the gyms of [`year`].
//!
//! `cargo bench --bench silence` prints the tables of `docs/MODEL.md`. Nothing is timed: the same
//! numbers come of it on any machine.

#![expect(clippy::print_stdout, reason = "a benchmark's result is what it prints")]
#![expect(clippy::cast_precision_loss, reason = "counts are small")]

#[expect(dead_code, reason = "stays are for the one about what is to come")]
mod year;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use chrono_tz::Europe::Berlin;
use footfall::domain::calendar::{Day, Week, day_of, day_start};
use footfall::domain::closed::ClosedDays;
use footfall::domain::report::Series;
use footfall::domain::report::silence::{Rates, WEEKS_MAX, spans};
use footfall::domain::tally::{Cells, Key};
use footfall::domain::{DAY, HOUR, MINUTE, Millis};
use year::{GYMS, Gym};

/// An outage begins on each of these days before the end, at each hour.
const OUTAGE_DAYS: std::ops::Range<i32> = 20..111;
const OUTAGE_HOURS: i64 = 48;

fn main() {
    let end = year::end();
    let gyms: Vec<Gym> = (0..GYMS).map(|number| year::gym(number, 0.0)).collect();
    println!("| visits a day | open | false silent spans in a year | hours in them |");
    println!("| --- | --- | --- | --- |");
    let mut all = 0;
    for gym in &gyms {
        let first = gym.events[0];
        let now = day_start(Berlin, end);
        let closed = ClosedDays::default();
        let found = spans(&series(&gym.events), Berlin, first, &closed, now, None);
        let hours: i64 = found.iter().map(|span| (span.until - span.from) / HOUR).sum();
        let open = if gym.is_open_all_day { "all day" } else { "6 to 22" };
        println!("| {:.0} | {open} | {} | {hours} |", gym.visits, found.len());
        all += found.len();
    }
    println!("\nin all {all}, {:.2} a gym and year\n", all as f64 / GYMS as f64);
    outages(&gyms, end);
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
