//! What a reader asks of a report: which, over what range, in which buckets.

use chrono_tz::Tz;
use serde::Deserialize;
use utoipa::openapi::Object;

use crate::domain::Millis;
use crate::domain::activity::Window;
use crate::domain::calendar::{self, Bucket, Interval};
use crate::domain::report::durations::GroupBy;
use crate::http::openapi::{
    ComparisonWord, EndOfRange, FormatWord, GroupingWord, IntervalWord, WindowWord, one_of,
};
use crate::http::problem::{Code, Problem};
use crate::http::times;

/// The most buckets one answer may have, over all its gyms and both sides of a comparison.
pub const BUCKETS_MAX: usize = 10_000;

/// The reports there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Name {
    Occupancy,
    Visits,
    Members,
    Durations,
    Equipment,
    PopularTimes,
    Retention,
    Onboarding,
    Quality,
    Activity,
}

const NAMES: [(&str, Name); 10] = [
    ("occupancy", Name::Occupancy),
    ("visits", Name::Visits),
    ("members", Name::Members),
    ("activity", Name::Activity),
    ("durations", Name::Durations),
    ("equipment", Name::Equipment),
    ("popular-times", Name::PopularTimes),
    ("retention", Name::Retention),
    ("onboarding", Name::Onboarding),
    ("quality", Name::Quality),
];

const INTERVALS: [(&str, Interval); 5] = [
    ("15m", Interval::Quarter),
    ("1h", Interval::Hour),
    ("1d", Interval::Day),
    ("1w", Interval::Week),
    ("1mo", Interval::Month),
];

const GROUPINGS: [(&str, GroupBy); 3] =
    [("none", GroupBy::None), ("weekday", GroupBy::Weekday), ("hour", GroupBy::Hour)];

const WINDOWS: [(&str, Window); 3] =
    [("7", Window::ALL[0]), ("28", Window::ALL[1]), ("91", Window::ALL[2])];

const COMPARISONS: [(&str, Compare); 2] =
    [("previous", Compare::Previous), ("year", Compare::Year)];

/// With what a range is compared (model section 4, comparison).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Compare {
    /// The range before, on the same weekdays.
    Previous,
    /// 52 weeks before.
    Year,
}

impl Compare {
    pub fn word(self) -> &'static str {
        word_of(&COMPARISONS, self)
    }
}

impl Name {
    /// Its name in a path.
    pub fn word(self) -> &'static str {
        word_of(&NAMES, self)
    }

    pub fn parse(word: &str) -> Result<Name, Problem> {
        let found = NAMES.iter().find(|(known, _)| *known == word);
        found.map(|(_, name)| *name).ok_or_else(|| {
            let detail = format!("there is no report {word:?}; there are {}", words(&NAMES));
            Problem::new(Code::NotFound, detail)
        })
    }

    /// The interval a report has: what was asked for, where it applies.
    fn interval(self, asked: Option<Interval>) -> Result<Interval, Problem> {
        match (self, asked) {
            (Name::PopularTimes, _) | (Name::Occupancy, None) => Ok(Interval::Hour),
            (Name::Retention, _) => Ok(Interval::Month),
            (Name::Members | Name::Activity, Some(Interval::Quarter | Interval::Hour)) => {
                let detail = "members are counted by `1d`, `1w` or `1mo` only";
                Err(Problem::new(Code::BadParameter, detail))
            }
            (_, asked) => Ok(asked.unwrap_or(Interval::Day)),
        }
    }

    /// Whether its answer is a list of buckets.
    fn has_buckets(self) -> bool {
        !matches!(self, Name::Durations | Name::PopularTimes)
    }

    /// What a range is widened to: members are known for whole periods, what they complete for whole
    /// days, and all else for quarters of an hour.
    fn step(self, interval: Interval) -> Interval {
        match self {
            Name::Members | Name::Activity | Name::Retention => interval,
            Name::Onboarding => Interval::Day,
            Name::Occupancy
            | Name::Visits
            | Name::Durations
            | Name::Equipment
            | Name::PopularTimes
            | Name::Quality => Interval::Quarter,
        }
    }
}

/// The parameters of a report, as they came.
#[derive(Debug, Clone, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Parameters {
    /// First instant of the range: a local date, or RFC 3339. Default: 7 local days before `until`.
    #[param(inline, value_type = Option<EndOfRange>)]
    pub from: Option<String>,
    /// End of the range, not in it. Default: the end of the gym's today.
    #[param(inline, value_type = Option<EndOfRange>)]
    pub until: Option<String>,
    /// `15m`, `1h`, `1d`, `1w` or `1mo`, where it applies. Default: `1h` for occupancy, else `1d`.
    #[param(inline, value_type = Option<IntervalWord>)]
    pub interval: Option<String>,
    /// For durations: `none`, `weekday` or `hour`.
    #[param(inline, value_type = Option<GroupingWord>)]
    pub group_by: Option<String>,
    /// For activity: `7`, `28` or `91` local days. Default: `28`.
    #[param(inline, value_type = Option<WindowWord>)]
    pub window: Option<String>,
    /// `previous` or `year`: also report on an earlier range, and say which.
    #[param(inline, value_type = Option<ComparisonWord>)]
    pub compare: Option<String>,
    /// `json` or `csv`. Default: by `Accept`, else `json`.
    #[param(inline, value_type = Option<FormatWord>)]
    pub format: Option<String>,
    /// Over several gyms: their slugs, joined by commas. Default: all that the token may see.
    #[param(ignore)]
    pub gyms: Option<String>,
}

/// A question about one gym, checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Question {
    pub name: Name,
    /// Of whole quarters of an hour.
    pub from: Millis,
    pub until: Millis,
    pub interval: Interval,
    pub group_by: GroupBy,
    pub window: Window,
    pub compare: Option<Compare>,
    pub now: Millis,
}

impl Question {
    pub fn of(
        name: Name,
        parameters: &Parameters,
        zone: Tz,
        now: Millis,
    ) -> Result<Question, Problem> {
        let asked = parse_word("interval", &INTERVALS, parameters.interval.as_deref())?;
        let interval = name.interval(asked)?;
        let group_by = parse_word("group_by", &GROUPINGS, parameters.group_by.as_deref())?;
        let compare = parse_word("compare", &COMPARISONS, parameters.compare.as_deref())?;
        let ends = (parameters.from.as_deref(), parameters.until.as_deref());
        let Bucket { from, until } = times::range(ends, zone, now)?;
        let (from, until) = calendar::widen_to(zone, from, until, name.step(interval));
        let group_by = group_by.unwrap_or(GroupBy::None);
        let window = parse_word("window", &WINDOWS, parameters.window.as_deref())?;
        let window = window.unwrap_or(Window::DEFAULT);
        Ok(Question { name, from, until, interval, group_by, window, compare, now })
    }

    /// The buckets of the answer.
    pub fn buckets(&self, zone: Tz) -> Vec<Bucket> {
        if !self.name.has_buckets() {
            return vec![];
        }
        calendar::buckets(zone, self.from, self.until, self.interval).take(BUCKETS_MAX).collect()
    }

    /// How many buckets the answer has, on both sides of a comparison together; beyond the limit it
    /// does not count on.
    fn bucket_count(&self, zone: Tz) -> usize {
        if !self.name.has_buckets() {
            return 0;
        }
        let count = |question: &Question| {
            let (from, until) = (question.from, question.until);
            calendar::buckets(zone, from, until, question.interval).take(BUCKETS_MAX + 1).count()
        };
        let compared = self.compare.and_then(|compare| self.compared(zone, compare).ok().flatten());
        count(self) + compared.map_or(0, |(_, that)| count(&that))
    }

    pub fn interval_word(&self) -> &'static str {
        word_of(&INTERVALS, self.interval)
    }

    /// The same question about the part of the range that has passed, and about the range it is
    /// compared with; none when nothing has passed yet.
    pub fn compared(
        &self,
        zone: Tz,
        compare: Compare,
    ) -> Result<Option<(Question, Question)>, Problem> {
        let step = self.name.step(self.interval);
        if step == Interval::Month {
            let detail = "ranges are compared whole weeks apart, where no months begin; \
                          members by days or weeks can be compared";
            return Err(
                Problem::new(Code::BadParameter, detail).as_message("compare.no_months", &[])
            );
        }
        // What is known for whole periods only is left out of one that has not ended.
        let until = self.until.min(calendar::start_of(zone, self.now, step));
        let range = Bucket { from: self.from, until: self.until };
        let weeks = match compare {
            Compare::Previous => calendar::weeks_to_previous(zone, range),
            Compare::Year => 52,
        };
        let this = Bucket { until, ..range };
        let that = calendar::weeks_earlier(zone, this, weeks, self.from);
        let this = Question { until, compare: None, ..*self };
        let that = Question { from: that.from, until: that.until, ..this };
        Ok((self.from < until).then_some((this, that)))
    }
}

/// Refuses what would have more buckets than fit into one answer: over all gyms that are asked for,
/// and both sides of a comparison.
pub fn limit_buckets<'q>(
    asked: impl IntoIterator<Item = (Tz, &'q Question)>,
) -> Result<(), Problem> {
    let mut buckets = 0;
    for (zone, question) in asked {
        buckets += question.bucket_count(zone);
        if buckets > BUCKETS_MAX {
            let detail = format!(
                "the answer would have more than {BUCKETS_MAX} buckets, over all its gyms and both \
                 sides of a comparison: shorten the range, take a longer interval, or fewer gyms"
            );
            return Err(Problem::new(Code::TooManyBuckets, detail));
        }
    }
    Ok(())
}

fn parse_word<T: Copy>(
    name: &str,
    known: &[(&str, T)],
    word: Option<&str>,
) -> Result<Option<T>, Problem> {
    let Some(word) = word else { return Ok(None) };
    let found = known.iter().find(|(known, _)| *known == word);
    let bad = || {
        let detail = format!("`{name}` is one of {}, not {word:?}", words(known));
        Problem::new(Code::BadParameter, detail)
    };
    found.map(|(_, value)| Some(*value)).ok_or_else(bad)
}

fn word_of<T: Copy + PartialEq>(known: &[(&'static str, T)], value: T) -> &'static str {
    known.iter().find(|(_, other)| *other == value).expect("every value has a word").0
}

pub fn report_words() -> Object {
    one_of(NAMES.map(|(word, _)| word))
}

pub fn interval_words() -> Object {
    one_of(INTERVALS.map(|(word, _)| word))
}

pub fn grouping_words() -> Object {
    one_of(GROUPINGS.map(|(word, _)| word))
}

pub fn window_words() -> Object {
    one_of(WINDOWS.map(|(word, _)| word))
}

pub fn comparison_words() -> Object {
    one_of(COMPARISONS.map(|(word, _)| word))
}

fn words<T>(known: &[(&str, T)]) -> String {
    known.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(", ")
}
