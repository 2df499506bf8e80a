//! How busy a gym is on a local date: weekday, season, holidays, and the luck of the day.
//! Of a single member nothing is known here.

use chrono::{Datelike, NaiveDate, Offset, TimeZone};
use chrono_tz::Tz;

use super::dice::{Purpose, bell, dice};
use crate::domain::calendar::Day;

/// From Monday; 7 in all, so that a week is a week.
const WEEKDAYS: [f64; 7] = [1.22, 1.17, 1.12, 1.06, 0.93, 0.80, 0.70];
/// What the weather makes of each month in the north: fewer come in summer.
const WEATHER: [f64; 12] = [1.0, 1.0, 1.0, 1.0, 0.97, 0.90, 0.81, 0.80, 0.97, 1.0, 1.0, 1.0];
/// What the calendar makes of each month anywhere: good intentions after New Year.
const CALENDAR: [f64; 12] = [1.14, 1.08, 1.03, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.94];

/// The share of an ordinary day's visits that this date has; 1 on average, but for holidays.
pub fn level(seed: u64, zone: Tz, date: NaiveDate) -> f64 {
    let month = date.month0() as usize;
    let warmth = if is_southern(zone, date.year()) { (month + 6) % 12 } else { month };
    let weekday = date.weekday().num_days_from_monday() as usize;
    let luck = bell(&mut dice(seed, Purpose::Crowd, 0, Day::from_date(date).0));
    WEEKDAYS[weekday]
        * WEATHER[warmth]
        * CALENDAR[month]
        * holiday(date)
        * 0.06_f64.mul_add(luck, 1.0)
}

/// The days between the years are quiet wherever we look.
fn holiday(date: NaiveDate) -> f64 {
    match (date.month(), date.day()) {
        (12, 24..=26 | 31) | (1, 1) => 0.3,
        (12, 21..=30) => 0.65,
        _ => 1.0,
    }
}

/// Whether July is winter there: the clock is ahead in summer. A zone that never changes its clock
/// counts as northern.
fn is_southern(zone: Tz, year: i32) -> bool {
    let offset = |month| {
        let date = NaiveDate::from_ymd_opt(year, month, 1).expect("every month has a first day");
        zone.offset_from_utc_date(&date).fix().local_minus_utc()
    };
    offset(1) > offset(7)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn summer_is_quiet_on_both_halves_of_the_earth() {
        let month = |zone, month: u32| -> f64 {
            let day = |day| NaiveDate::from_ymd_opt(2026, month, day).unwrap();
            (1..=28).map(|number| level(1, zone, day(number))).sum::<f64>() / 28.0
        };
        for (zone, summer, winter) in [(Tz::Europe__Berlin, 7, 3), (Tz::Australia__Sydney, 2, 8)] {
            assert!(month(zone, summer) < 0.95 * month(zone, winter), "{zone}");
        }
        assert!((WEEKDAYS.iter().sum::<f64>() - 7.0).abs() < 1e-9);
    }

    #[test]
    fn christmas_is_quieter_than_its_eve() {
        let day = |day| level(1, Tz::UTC, NaiveDate::from_ymd_opt(2026, 12, day).unwrap());
        assert!(day(25) < 0.5 * day(18));
    }
}
