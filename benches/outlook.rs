//! How far off what is expected of the next hours is, beside what is usual in them (model section 4,
//! occupancy now), on gyms of [`year`]: as they are, and growing by half in the year.
//!
//! `cargo bench --bench outlook` prints the table of `docs/MODEL.md`. Nothing is timed: the same
//! numbers come of it on any machine.

#![expect(clippy::print_stdout, reason = "a benchmark's result is what it prints")]

#[expect(dead_code, reason = "how many gyms there are is for the one about silence")]
mod year;

use std::collections::BTreeMap;

use chrono_tz::Europe::Berlin;
use footfall::domain::calendar::Bucket;
use footfall::domain::calendar::day_start;
use footfall::domain::closed::ClosedDays;
use footfall::domain::report::Series;
use footfall::domain::report::occupancy::{Past, Samples, history};
use footfall::domain::report::outlook::{HOURS_AHEAD, Plan};
use footfall::domain::tally::{Cells, Key};
use footfall::domain::{HOUR, Millis};
use year::Gym;

/// Of the gyms of a year, about 45, 206 and 938 visits a day, open all day.
const NUMBERS: [usize; 3] = [8, 16, 24];
/// It is told at each whole hour of so many weeks before the end.
const WEEKS: i32 = 8;

fn main() {
    println!(
        "| visits a day | growth in the year | hours ahead | average | usual is off by | expected is off by |"
    );
    println!("| --- | --- | --- | --- | --- | --- |");
    for growth in [0.0, 0.5] {
        for number in NUMBERS {
            let gym = year::gym(number, growth);
            let errors = errors(&gym);
            for ahead in [1, 3, HOURS_AHEAD] {
                let Errors { hours, came, usual, expected } = errors[ahead - 1];
                let mean = |sum: f64| sum / hours;
                println!(
                    "| {:.0} | {:.0} % | {ahead} | {:.1} | {:.2} | {:.2} |",
                    gym.visits,
                    growth * 100.0,
                    mean(came),
                    mean(usual),
                    mean(expected)
                );
            }
        }
    }
}

/// Sums over all hours that were told.
#[derive(Default, Clone, Copy)]
struct Errors {
    hours: f64,
    came: f64,
    usual: f64,
    expected: f64,
}

fn errors(gym: &Gym) -> [Errors; HOURS_AHEAD] {
    let presence = presence(&gym.stays);
    let end = day_start(Berlin, year::end());
    let begin = day_start(Berlin, year::end().plus(-7 * WEEKS));
    let closed = ClosedDays::default();
    let mut errors = [Errors::default(); HOURS_AHEAD];
    for now in (begin..end - 7 * HOUR).step_by(usize::try_from(HOUR).expect("it is positive")) {
        let past = Past { zone: Berlin, now, first_event: gym.events[0], closed: &closed };
        let plan = Plan::at(Berlin, now);
        let sampled: Vec<Vec<Samples>> =
            plan.runs().iter().map(|run| history(&presence, run, now)).collect();
        for (sums, hour) in errors.iter_mut().zip(plan.outlook(&past, &sampled)) {
            let bucket = Bucket { from: hour.start, until: hour.start + HOUR };
            let came = history(&presence, &[bucket], end)[0].average().expect("it is over");
            let (usual, expected) = hour.usual.zip(hour.expected).expect("a year is behind it");
            sums.hours += 1.0;
            sums.came += came;
            sums.usual += (usual - came).abs();
            sums.expected += (expected - came).abs();
        }
    }
    errors
}

fn presence(stays: &[(Millis, Millis)]) -> Series {
    let mut days: BTreeMap<i32, Vec<(u32, i64)>> = BTreeMap::new();
    for (entered, left) in stays {
        Key::presence(*entered, *left, |key, step| {
            days.entry(key.bucket).or_default().push((key.cell, step));
        });
    }
    Series(days.into_iter().map(|(day, cells)| (day, Cells::sum(cells))).collect())
}
