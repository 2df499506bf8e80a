//! When a row says that somebody came, and when the same left.

use chrono::{DateTime, Datelike, LocalResult, NaiveDate, NaiveDateTime, NaiveTime, TimeZone};
use chrono_tz::Tz;

use super::dates::ORDERS;
use super::text::Row;
use super::times::{self, Moment, Unreadable};
use super::{SHORTEST_VISIT, Visits, lengths, words};
use crate::domain::calendar::local;
use crate::domain::{HOUR, MINUTE, Millis};

/// The clocks of two readers may be so far apart: who left so little before coming left at once.
const CLOCKS_APART_MAX: Millis = MINUTE;

/// Who left by a time of day before that of coming left on the next day, if it was not longer than
/// this. Otherwise the two are confused.
const NIGHT_MAX: Millis = 12 * HOUR;

/// The first day of every spreadsheet is before this year.
const SPREADSHEETS_UNTIL: i32 = 1905;

impl Visits {
    pub(super) fn entered(&self, row: &Row<'_>, zone: Tz) -> Result<Millis, String> {
        let columns = &self.layout.columns;
        let moment = self.moment(row, columns.entered, columns.date)?;
        let date = columns.date.map(|date| self.date(row, date));
        let moment = match (moment, date) {
            (moment @ (Moment::Instant(_) | Moment::Local(_)), _) if !moment.is_nothing() => moment,
            (Moment::Time(time), Some(date)) => Moment::Local(date?.and_time(time)),
            // A spreadsheet writes a time of day as one of its first day.
            (Moment::Local(time), Some(date)) => Moment::Local(date?.and_time(time.time())),
            (Moment::Date(_), Some(_) | None) => {
                return Err(self.about(columns.entered, "has no time of day"));
            }
            (Moment::Time(_), None) => {
                let text = "has no date; `date` in the mapping names the column that has it";
                return Err(self.about(columns.entered, text));
            }
            (Moment::Instant(_) | Moment::Local(_), Some(_) | None) => {
                return Err(self.about(columns.entered, "is no time"));
            }
        };
        self.instant(moment, columns.entered, zone, None)
    }

    /// When it ended; none when nobody noted that.
    pub(super) fn left(
        &self,
        row: &Row<'_>,
        entered: Millis,
        zone: Tz,
    ) -> Result<Option<Millis>, String> {
        let columns = &self.layout.columns;
        if let Some(column) = columns.duration {
            return self.after_duration(row.cell(column), column, entered);
        }
        let Some(column) = columns.left.filter(|left| !words::is_nothing(row.cell(*left))) else {
            return Ok(None);
        };
        let own_date = columns.left_date.filter(|date| !words::is_nothing(row.cell(*date)));
        if stands_for_none(row.cell(column), own_date.is_some()) {
            return Ok(None);
        }
        let moment = self.moment(row, column, columns.left_date)?;
        let left = match (time_of_day(moment), own_date) {
            (Moment::Time(time), Some(date)) => {
                let date = self.date(row, date)?;
                self.instant(Moment::Local(date.and_time(time)), column, zone, Some(entered))?
            }
            (Moment::Time(time), None) => self.next(time, entered, zone, column)?,
            (Moment::Date(_), _) => return Err(self.about(column, "has no time of day")),
            (moment, _) => self.instant(moment, column, zone, Some(entered))?,
        };
        let is_midnight = local(zone, left).time() == NaiveTime::MIN;
        match left {
            left if left > entered => Ok(Some(left)),
            left if entered - left <= CLOCKS_APART_MAX => Ok(Some(entered + SHORTEST_VISIT)),
            // A date without a time, which some systems write for none.
            _ if is_midnight => Ok(None),
            _ => Err("it leaves before it enters".to_owned()),
        }
    }

    /// A time of day after the entry: the same day, or after midnight the next.
    fn next(
        &self,
        time: NaiveTime,
        entered: Millis,
        zone: Tz,
        column: usize,
    ) -> Result<Millis, String> {
        let day = local(zone, entered).date_naive();
        let on = |day: NaiveDate| {
            self.instant(Moment::Local(day.and_time(time)), column, zone, Some(entered))
        };
        match on(day) {
            Ok(left) if left >= entered - CLOCKS_APART_MAX => Ok(left),
            Ok(_) => {
                let left = on(day.succ_opt().unwrap_or(day))?;
                Some(left).filter(|left| left - entered <= NIGHT_MAX).ok_or_else(|| {
                    let text = "is before the entry, and the next day is too long after it; \
                                `left_date` in the mapping names the column with its date";
                    self.about(column, text)
                })
            }
            Err(error) => Err(error),
        }
    }

    fn after_duration(
        &self,
        text: &str,
        column: usize,
        entered: Millis,
    ) -> Result<Option<Millis>, String> {
        if words::is_nothing(text) && text != "0" {
            return Ok(None);
        }
        let length = lengths::duration(text, &self.layout.name(column)).ok_or_else(|| {
            let text = "is no length of time like 1:15, 75 min or 1,25 h, of a day at most";
            self.about(column, text)
        })?;
        Ok(Some(entered + length.max(SHORTEST_VISIT)))
    }

    fn date(&self, row: &Row<'_>, column: usize) -> Result<NaiveDate, String> {
        match self.moment(row, column, None)? {
            Moment::Date(date) => Ok(date),
            Moment::Local(time) => Ok(time.date()),
            Moment::Instant(_) | Moment::Time(_) => Err(self.about(column, "is no date")),
        }
    }

    /// What a cell says of a time. With a format, a date in a column of its own comes before it.
    pub(super) fn moment(
        &self,
        row: &Row<'_>,
        column: usize,
        date: Option<usize>,
    ) -> Result<Moment, String> {
        let text = row.cell(column);
        if text.is_empty() {
            return Err(self.about(column, "is empty"));
        }
        let Some(format) = &self.mapping.format else { return self.guessed(text, column) };
        let joined = date.map(|date| format!("{} {text}", row.cell(date)));
        let formatted = |text: &str| formatted(text, format);
        let moment = joined.as_deref().and_then(formatted).or_else(|| formatted(text));
        // A column of dates beside one of times cannot be written in one format.
        let moment = moment.or_else(|| {
            let is_apart = self.layout.columns.date.is_some();
            Some(text).filter(|_| is_apart).and_then(|text| self.guessed(text, column).ok())
        });
        moment.ok_or_else(|| self.about(column, &format!("is not written as {format:?}")))
    }

    fn guessed(&self, text: &str, column: usize) -> Result<Moment, String> {
        match times::parse(text, &self.dates.orders) {
            Ok(moment) if !self.dates.may_be_swapped(text) => Ok(moment),
            Ok(_) | Err(Unreadable::Order) => Err(self.about(column, NO_ORDER)),
            Err(Unreadable::NoTime) => Err(self.about(
                column,
                "is no time that can be read; `format` in the mapping says how it is written",
            )),
        }
    }

    /// Where clocks were set back, a time is the first of two, or the one after the entry.
    fn instant(
        &self,
        moment: Moment,
        column: usize,
        zone: Tz,
        after: Option<Millis>,
    ) -> Result<Millis, String> {
        let time = match moment {
            Moment::Instant(at) => return Ok(at),
            Moment::Local(time) => time,
            Moment::Date(date) => date.and_time(NaiveTime::MIN),
            Moment::Time(_) => return Err(self.about(column, "has no date")),
        };
        match zone.from_local_datetime(&time) {
            LocalResult::Single(time) => Ok(time.timestamp_millis()),
            LocalResult::Ambiguous(first, second) => {
                let (first, second) = (first.timestamp_millis(), second.timestamp_millis());
                Ok(if after.is_some_and(|after| first < after) { second } else { first })
            }
            LocalResult::None => {
                let zone = zone.name();
                let text = format!("is a time that {zone} skipped when clocks were set forward");
                Err(self.about(column, &text))
            }
        }
    }

    fn about(&self, column: usize, text: &str) -> String {
        format!("its {:?} {text}", self.layout.name(column))
    }
}

/// Whether a time is what a system writes for none, in whatever format: a day that nobody means, or
/// midnight without a date.
fn stands_for_none(text: &str, has_date: bool) -> bool {
    match times::parse(text, &ORDERS) {
        Ok(Moment::Time(time)) => time == NaiveTime::MIN && !has_date,
        Ok(moment) => time_of_day(moment).is_nothing(),
        Err(_) => false,
    }
}

/// A spreadsheet may write a time of day as one of its first day.
fn time_of_day(moment: Moment) -> Moment {
    let Moment::Local(time) = moment else { return moment };
    let is_time = time.year() < SPREADSHEETS_UNTIL && time.time() != NaiveTime::MIN;
    if is_time { Moment::Time(time.time()) } else { moment }
}

const NO_ORDER: &str = "may have the day, the month or the year first; --date-order day-first, \
                        --date-order month-first or --date-order year-first says which";

fn formatted(text: &str, format: &str) -> Option<Moment> {
    if let Ok(time) = DateTime::parse_from_str(text, format) {
        return Some(Moment::Instant(time.timestamp_millis()));
    }
    if let Ok(time) = NaiveDateTime::parse_from_str(text, format) {
        return Some(Moment::Local(time));
    }
    if let Ok(date) = NaiveDate::parse_from_str(text, format) {
        return Some(Moment::Date(date));
    }
    NaiveTime::parse_from_str(text, format).ok().map(Moment::Time)
}
