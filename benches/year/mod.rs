//! Gyms of a simulated year: from 10 to 2,000 visits a day, open all day or from six to ten in the
//! evening, with seasons, weekdays and weather, so that days vary more than chance alone.

#![expect(clippy::cast_precision_loss, reason = "counts are small")]

use chrono_tz::Europe::Berlin;
use footfall::domain::calendar::{Day, day_start};
use footfall::domain::{HOUR, MINUTE, Millis};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

pub const GYMS: usize = 30;
pub const DAYS: i32 = 365;
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

pub struct Gym {
    pub visits: f64,
    pub is_open_all_day: bool,
    /// The minutes of its events, in order.
    pub events: Vec<Millis>,
    /// When visits were entered and left.
    pub stays: Vec<(Millis, Millis)>,
}

/// The last day, which is not in it any more.
pub fn end() -> Day {
    Day::from_date("2026-11-30".parse().expect("a date"))
}

/// One of [`GYMS`], whose visits grow by so much in the year.
pub fn gym(number: usize, growth: f64) -> Gym {
    let end = end();
    let mut dice = ChaCha8Rng::seed_from_u64(number as u64);
    let step = (number / 2) as f64 / (GYMS / 2 - 1) as f64;
    let visits = SMALLEST * (LARGEST / SMALLEST).powf(step);
    let is_open_all_day = number.is_multiple_of(2);
    let (mut events, mut stays) = (Vec::new(), Vec::new());
    for day in (end.0 - DAYS..end.0).map(Day) {
        let season =
            0.15_f64.mul_add((f64::from(day.0 % 365) / 365.0 * std::f64::consts::TAU).cos(), 1.0);
        let weekday = WEEKDAYS[(day.0 - day.week().first_day().0).unsigned_abs() as usize];
        let trend = growth.mul_add(f64::from(day.0 - end.0 + DAYS) / f64::from(DAYS), 1.0);
        let weather = gamma(&mut dice) / f64::from(WEATHER_SHAPE);
        for _ in 0..poisson(&mut dice, visits * trend * season * weekday * weather) {
            stays.push(visit(&mut dice, day, is_open_all_day, &mut events));
        }
    }
    events.sort_unstable();
    Gym { visits, is_open_all_day, events, stays }
}

/// A check-in, some machines, and mostly a check-out.
fn visit(
    dice: &mut ChaCha8Rng,
    day: Day,
    is_open_all_day: bool,
    events: &mut Vec<Millis>,
) -> (Millis, Millis) {
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
    (entered, entered + stay)
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
