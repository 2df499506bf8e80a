//! The range a report is asked for: presets, or days of one's own.

use chrono::{DateTime, Datelike, NaiveDate};
use chrono_tz::Tz;
use serde::Deserialize;
use serde_json::Value;

use super::table::Cell;
use super::words::Words;
use crate::domain::Millis;
use crate::domain::calendar::{Day, Interval, day_of, day_start};
use crate::http::problem::{Code, Problem};
use crate::http::reports::{BUCKETS_MAX, Parameters};

/// What the picker sends.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Asked {
    /// A preset, or nothing.
    pub range: Option<String>,
    /// The first day.
    from: Option<String>,
    /// The last day, in the range.
    to: Option<String>,
    interval: Option<String>,
    pub compare: Option<String>,
    pub group_by: Option<String>,
    /// Of activity: local days.
    pub window: Option<String>,
    /// Of popular times: what the cells show.
    pub show: Option<String>,
}

/// What was chosen of a range for one page holds for the others too.
pub const KEPT: [&str; 4] = ["range", "from", "to", "compare"];

impl Asked {
    /// What was asked for, by name.
    pub fn pairs(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let pairs = [
            ("show", &self.show),
            ("range", &self.range),
            ("from", &self.from),
            ("to", &self.to),
            ("interval", &self.interval),
            ("compare", &self.compare),
            ("group_by", &self.group_by),
            ("window", &self.window),
        ];
        pairs.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?)))
    }

    /// The preset that was chosen, or that holds when nothing was; none with days of one's own.
    pub fn preset(&self, report: &str) -> Option<&str> {
        let usual = if report == "retention" { "year" } else { "28" };
        let chosen = self.range.as_deref().filter(|range| !range.is_empty());
        chosen.or_else(|| (self.from.is_none() || self.to.is_none()).then_some(usual))
    }
}

pub const PRESETS: [&str; 7] = ["today", "yesterday", "7", "28", "month", "quarter", "year"];
pub const INTERVALS: [(&str, Interval); 4] = [
    ("1h", Interval::Hour),
    ("1d", Interval::Day),
    ("1w", Interval::Week),
    ("1mo", Interval::Month),
];
pub const WINDOWS: [&str; 3] = ["7", "28", "91"];
pub const GROUPINGS: [&str; 3] = ["none", "weekday", "hour"];
pub const COMPARISONS: [&str; 2] = ["previous", "year"];
/// With more days than this, hours are too fine to see.
const DAYS_OF_HOURS_MAX: i32 = 3;
/// With more days than this, days are.
const DAYS_OF_DAYS_MAX: i32 = 100;

/// Whether a report has buckets of hours: members are counted by days.
pub fn has_hours(report: &str) -> bool {
    !["members", "activity"].contains(&report)
}

/// Whether a report can stand beside itself of an earlier range.
pub fn can_be_compared(report: &str) -> bool {
    !["popular-times", "retention"].contains(&report)
}

/// Whole local days, and how to look at them.
pub struct Range {
    pub first: Day,
    /// It is in the range.
    pub last: Day,
    pub from: Millis,
    pub until: Millis,
    pub interval: Interval,
    pub today: Day,
    pub now: Millis,
    pub asked: Asked,
    can_be_compared: bool,
}

impl Range {
    pub fn of(asked: &Asked, report: &str, zone: Tz, now: Millis) -> Result<Range, Problem> {
        let today = day_of(zone, now);
        let (first, last) = days(asked, report, today)?;
        if first > last {
            let detail = "the first day must not be after the last";
            return Err(Problem::new(Code::BadRange, detail).as_message("range.turned", &[]));
        }
        let from = day_start(zone, first);
        let until = day_start(zone, last.plus(1));
        let fitting = match last.0 - first.0 + 1 {
            ..=DAYS_OF_HOURS_MAX if has_hours(report) => Interval::Hour,
            ..=DAYS_OF_DAYS_MAX => Interval::Day,
            _ => Interval::Week,
        };
        let fits = |interval| has_hours(report) || interval != Interval::Hour;
        let known = INTERVALS.iter().find(|(word, _)| asked.interval.as_deref() == Some(word));
        let known = known.filter(|(_, interval)| fits(*interval));
        let interval = known.map_or(fitting, |(_, interval)| *interval);
        let can_be_compared = can_be_compared(report);
        let asked = asked.clone();
        Ok(Range { first, last, from, until, interval, today, now, asked, can_be_compared })
    }

    /// The same with buckets so long that those of all gyms can be answered, unless somebody chose
    /// their length.
    pub fn for_gyms(mut self, gyms: usize) -> Range {
        let days = (self.last.0 - self.first.0 + 1) as usize;
        let buckets = |interval: Interval| match interval {
            Interval::Quarter => 96 * days,
            Interval::Hour => 24 * days,
            Interval::Day => days,
            Interval::Week => days / 7 + 2,
            Interval::Month => days / 28 + 2,
        };
        let is_chosen = self.asked.interval.as_ref().is_some_and(|chosen| !chosen.is_empty());
        let coarser = INTERVALS.iter().map(|(_, interval)| *interval);
        let coarser = coarser.skip_while(|interval| *interval != self.interval);
        let fitting = coarser.clone().find(|interval| gyms * buckets(*interval) <= BUCKETS_MAX);
        if let Some(fitting) = fitting.or(coarser.last()).filter(|_| !is_chosen) {
            self.interval = fitting;
        }
        self
    }

    pub fn group_by(&self) -> Option<&str> {
        self.asked.group_by.as_deref()
    }

    pub fn holds(&self, at: Millis) -> bool {
        (self.from..self.until).contains(&at)
    }

    /// The question as the API takes it.
    pub fn parameters(&self) -> Parameters {
        let chosen = |word: &Option<String>| word.clone().filter(|word| !word.is_empty());
        Parameters {
            from: Some(self.first.date().to_string()),
            until: Some(self.last.plus(1).date().to_string()),
            interval: Some(self.word().to_owned()),
            group_by: chosen(&self.asked.group_by),
            window: chosen(&self.asked.window),
            ..Parameters::default()
        }
    }

    /// The question, with the range that it is compared with: that before, unless another was
    /// chosen, or none.
    pub fn compared(&self) -> Parameters {
        let chosen = self.asked.compare.clone().unwrap_or_else(|| COMPARISONS[0].to_owned());
        // Ranges are compared whole weeks apart, where no months begin.
        let has_one =
            self.can_be_compared && self.interval != Interval::Month && !chosen.is_empty();
        Parameters { compare: has_one.then_some(chosen), ..self.parameters() }
    }

    pub fn is_comparison_chosen(&self) -> bool {
        self.asked.compare.is_some()
    }

    /// Whether a comparison was chosen that months do not have.
    pub fn lacks_comparison(&self) -> bool {
        let is_chosen = self.asked.compare.as_ref().is_some_and(|chosen| !chosen.is_empty());
        is_chosen && self.can_be_compared && self.interval == Interval::Month
    }

    /// A bucket's name under its bar: as short as it can be within the range.
    pub fn mark(&self, words: &Words, start: &Value) -> String {
        let start = start.as_str().and_then(|at| DateTime::parse_from_rfc3339(at).ok());
        let Some(start) = start else { return String::new() };
        let day = words.day_of_year(start.date_naive());
        match self.interval {
            Interval::Hour | Interval::Quarter if self.first == self.last => words.time(start),
            Interval::Hour | Interval::Quarter => format!("{day} {}", words.time(start)),
            Interval::Day | Interval::Week | Interval::Month => {
                let is_of_one_year = self.first.date().year() == self.last.date().year();
                if is_of_one_year { day } else { words.date(start.date_naive()) }
            }
        }
    }

    /// A bucket's whole name, with its weekday where it is a day or shorter.
    pub fn name(&self, words: &Words, start: &Value) -> String {
        let name = Cell::Start.show(words, start, Some(self.interval));
        let start = start.as_str().and_then(|at| DateTime::parse_from_rfc3339(at).ok());
        match (self.interval, start) {
            (Interval::Day | Interval::Hour | Interval::Quarter, Some(start)) => {
                let weekday = start.weekday().number_from_monday();
                format!("{}, {name}", words.weekday(weekday))
            }
            (Interval::Week, _) => words.fill("range.week_from", &[&name]),
            (Interval::Month, Some(start)) => words.month(start.date_naive()),
            _ => name,
        }
    }

    fn word(&self) -> &'static str {
        let found = INTERVALS.iter().find(|(_, interval)| *interval == self.interval);
        found.expect("one of them was chosen").0
    }

    /// The same question, answered as CSV.
    pub fn csv_query(&self) -> String {
        let asked = self.parameters();
        let mut query = form_urlencoded::Serializer::new(String::new());
        let pairs = [
            ("from", asked.from),
            ("until", asked.until),
            ("interval", asked.interval),
            ("group_by", asked.group_by),
            ("window", asked.window),
        ];
        for (name, value) in pairs {
            query.extend_pairs(value.map(|value| (name, value)));
        }
        query.append_pair("format", "csv").finish()
    }
}

/// The first and the last day that are asked for.
fn days(asked: &Asked, report: &str, today: Day) -> Result<(Day, Day), Problem> {
    let date = today.date();
    let begins =
        |month| Day::from_date(NaiveDate::from_ymd_opt(date.year(), month, 1).expect("a day"));
    match (asked.preset(report), &asked.from, &asked.to) {
        (None, Some(from), Some(to)) => Ok((day("from", from)?, day("to", to)?)),
        (preset, ..) => match preset.unwrap_or_default() {
            "today" => Ok((today, today)),
            "yesterday" => Ok((today.plus(-1), today.plus(-1))),
            "7" => Ok((today.plus(-6), today)),
            "28" => Ok((today.plus(-27), today)),
            "month" => Ok((begins(date.month()), today)),
            "quarter" => Ok((begins((date.month() - 1) / 3 * 3 + 1), today)),
            "year" => Ok((begins(1), today)),
            other => {
                let detail = format!("`range` is one of {}, not {other:?}", PRESETS.join(", "));
                Err(Problem::new(Code::BadRange, detail))
            }
        },
    }
}

/// A day that was given as `name`.
pub fn day(name: &str, text: &str) -> Result<Day, Problem> {
    let parsed = text.parse().ok().filter(|date: &NaiveDate| (2000..2100).contains(&date.year()));
    parsed.map(Day::from_date).ok_or_else(|| {
        let detail = format!("`{name}` is no day like 2026-03-01, from 2000 to 2099");
        Problem::new(Code::BadRange, detail).as_message("range.no_day", &[])
    })
}
