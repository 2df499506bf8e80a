//! Times as readers write and read them: RFC 3339, with the gym's offset, or local dates.

use chrono::{DateTime, NaiveDate, SecondsFormat};
use chrono_tz::Tz;

use super::problem::{Code, Problem};
use crate::domain::calendar::{Bucket, Day, day_of, day_start, local};
use crate::domain::{DAY, Millis};

/// No range reaches before 2000-01-01 on any gym's clock: a day before it in UTC, in milliseconds.
const EARLIEST: Millis = 946_684_800_000 - DAY;
/// No range reaches beyond the start of this year on any gym's clock: the time zone database knows no
/// later clock change.
const YEAR_MAX: i32 = 2100;
/// The longest range, in days: twenty years.
pub const RANGE_DAYS_MAX: i64 = 7_305;
/// Without `from`, a range covers so many local days up to `until`.
const DAYS_DEFAULT: i32 = 7;

/// An instant on the gym's clock, to the millisecond.
pub fn instant(zone: Tz, at: Millis) -> String {
    local(zone, at).to_rfc3339_opts(SecondsFormat::Millis, false)
}

/// An instant of whole minutes on the gym's clock.
pub fn instant_to_the_minute(zone: Tz, at: Millis) -> String {
    local(zone, at).to_rfc3339_opts(SecondsFormat::Secs, false)
}

/// Reads one end of a range: a local date stands for its first instant.
pub fn parse(name: &str, text: &str, zone: Tz) -> Result<Millis, Problem> {
    // A plus that was not escaped in the URL arrives as a space.
    let text = text.replace(' ', "+");
    let latest =
        day_start(zone, Day::from_date(NaiveDate::from_yo_opt(YEAR_MAX, 1).expect("a day")));
    let at = match text.parse::<NaiveDate>() {
        Ok(date) => day_of_range(date).map(|day| day_start(zone, day)),
        Err(_) => DateTime::parse_from_rfc3339(&text).ok().map(|time| time.timestamp_millis()),
    };
    at.filter(|at| (EARLIEST..=latest).contains(at)).ok_or_else(|| {
        let detail = format!(
            "`{name}` is neither a local date like 2026-03-01 nor a time like \
             2026-03-01T06:00:00+01:00, from 2000 to the end of {}; later clock changes are not known",
            YEAR_MAX - 1
        );
        Problem::new(Code::BadRange, detail)
    })
}

/// Reads a range by its ends, `from` and `until`: without the second, to the end of the gym's today.
pub fn range(
    (from, until): (Option<&str>, Option<&str>),
    zone: Tz,
    now: Millis,
) -> Result<Bucket, Problem> {
    let until = match until {
        Some(text) => parse("until", text, zone)?,
        None => day_start(zone, day_of(zone, now).plus(1)),
    };
    let from = match from {
        Some(text) => parse("from", text, zone)?,
        None => day_start(zone, day_of(zone, until - 1).plus(1 - DAYS_DEFAULT)),
    };
    if from >= until {
        return Err(Problem::new(Code::BadRange, "`from` must be before `until`"));
    }
    if until - from > RANGE_DAYS_MAX * DAY {
        let detail = format!("a range has at most {RANGE_DAYS_MAX} days");
        return Err(Problem::new(Code::BadRange, detail));
    }
    Ok(Bucket { from, until })
}

fn day_of_range(date: NaiveDate) -> Option<Day> {
    use chrono::Datelike;
    (2000..=YEAR_MAX).contains(&date.year()).then(|| Day::from_date(date))
}
