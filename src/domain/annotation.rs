//! Annotations: what people know of a gym's days and no event tells. They change no count; those of
//! the kind `closed` say which days teach nothing and are never silent (model section 4).

use std::ops::RangeInclusive;

use chrono::{Datelike, NaiveDate};
use uuid::Uuid;

use super::calendar::Day;
use super::names::{self, NameError};

/// Characters of an annotation's text.
pub const ANNOTATION_CHARACTERS_MAX: usize = 200;
/// The most days that an annotation can be about.
const DAYS_MAX: i32 = 366;
/// The years that it can be about, those of reports.
const YEARS: RangeInclusive<i32> = 2000..=2099;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnnotationKind {
    Closed,
    Holiday,
    Refit,
    Campaign,
    Other,
}

impl AnnotationKind {
    pub const ALL: [AnnotationKind; 5] = [
        AnnotationKind::Closed,
        AnnotationKind::Holiday,
        AnnotationKind::Refit,
        AnnotationKind::Campaign,
        AnnotationKind::Other,
    ];

    pub fn name(self) -> &'static str {
        match self {
            AnnotationKind::Closed => "closed",
            AnnotationKind::Holiday => "holiday",
            AnnotationKind::Refit => "refit",
            AnnotationKind::Campaign => "campaign",
            AnnotationKind::Other => "other",
        }
    }

    pub fn from_name(name: &str) -> Option<AnnotationKind> {
        AnnotationKind::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// Something that was, or will be, from the first local day to the last, which is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Annotation {
    pub first: Day,
    pub last: Day,
    pub kind: AnnotationKind,
    /// Whether it holds on the same dates of every later year too.
    pub yearly: bool,
    pub text: String,
}

/// Why something is no annotation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadAnnotation {
    #[error("its days are from 2000 to 2099, as those of reports")]
    OutOfRange,
    #[error("the first day must not be after the last")]
    Backwards,
    #[error("it is about {DAYS_MAX} days at most; write a second one for the rest")]
    TooLong,
    #[error("the text is no good: {0}")]
    Text(#[from] NameError),
    #[error("an annotation is no place for an account: an erasure would not find it")]
    NamesAnAccount,
}

impl Annotation {
    /// Checked, with its text as it is kept.
    pub fn new(
        (first, last): (Day, Day),
        kind: AnnotationKind,
        yearly: bool,
        text: &str,
    ) -> Result<Annotation, BadAnnotation> {
        if first > last {
            return Err(BadAnnotation::Backwards);
        }
        if ![first, last].iter().all(|day| YEARS.contains(&day.date().year())) {
            return Err(BadAnnotation::OutOfRange);
        }
        if last.0 - first.0 >= DAYS_MAX {
            return Err(BadAnnotation::TooLong);
        }
        let text = names::line(text, ANNOTATION_CHARACTERS_MAX)?;
        if names_an_account(&text) {
            return Err(BadAnnotation::NamesAnAccount);
        }
        Ok(Annotation { first, last, kind, yearly, text })
    }

    /// The runs of days `[first, until)` on which it holds, as far as they touch `[from, until)`. A
    /// yearly one holds from its first dates on, on the same dates; a 29 February only where there is
    /// one.
    pub fn runs(&self, from: Day, until: Day) -> Vec<(Day, Day)> {
        let [first, last] = [self.first.date(), self.last.date()];
        let ends = last.year() - first.year();
        let of_year = |year| {
            let begins = match first.with_year(year) {
                Some(day) => day,
                None if first == last => return None,
                None => NaiveDate::from_ymd_opt(year, 3, 1)?,
            };
            // The last day of a run that ends on a 29 February is the 28th elsewhere.
            let last =
                last.with_year(year + ends).or_else(|| last.pred_opt()?.with_year(year + ends))?;
            Some((Day::from_date(begins), Day::from_date(last).plus(1)))
        };
        // A run that began the year before may reach into the range.
        let earliest = first.year().max(from.date().year() - 1);
        let years = if self.yearly { earliest..=until.date().year() } else { self.only_year() };
        let runs = years.filter_map(of_year);
        runs.filter(|run| run.0 < run.1 && run.0 < until && from < run.1).collect()
    }

    fn only_year(&self) -> RangeInclusive<i32> {
        let year = self.first.date().year();
        year..=year
    }
}

/// Whether a UUID stands anywhere in a text, with hyphens or without.
fn names_an_account(text: &str) -> bool {
    let at_length = |length| text.as_bytes().windows(length);
    let mut parts = at_length(36).chain(at_length(32));
    parts.any(|part| Uuid::try_parse_ascii(part).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(date: &str) -> Day {
        Day::from_date(date.parse().expect("a date"))
    }

    #[test]
    fn years_that_no_report_reaches_are_refused_and_cost_nothing_where_they_were_kept() {
        let [ancient, far] = [day("-262143-01-01"), day("2100-01-01")];
        for days in [(ancient, ancient), (far, far)] {
            let made = Annotation::new(days, AnnotationKind::Closed, true, "x");
            assert_eq!(made, Err(BadAnnotation::OutOfRange));
        }
        let kept = Annotation {
            first: ancient,
            last: ancient,
            kind: AnnotationKind::Closed,
            yearly: true,
            text: String::new(),
        };
        for _ in 0..100_000 {
            let run = (day("2026-01-01"), day("2026-01-02"));
            assert_eq!(kept.runs(day("2025-12-31"), day("2026-06-01")), [run]);
        }
    }

    #[test]
    fn a_yearly_annotation_holds_from_its_first_date_on() {
        let one = |first, last, yearly| Annotation {
            first: day(first),
            last: day(last),
            kind: AnnotationKind::Closed,
            yearly,
            text: "closed".into(),
        };
        let runs = |one: Annotation| -> Vec<String> {
            let runs = one.runs(day("2025-06-01"), day("2028-06-01"));
            runs.iter()
                .map(|(first, last)| format!("{} {}", first.date(), last.0 - first.0))
                .collect()
        };
        assert_eq!(runs(one("2026-12-31", "2027-01-01", true)), ["2026-12-31 2", "2027-12-31 2"]);
        assert_eq!(runs(one("2026-12-31", "2027-01-01", false)), ["2026-12-31 2"]);
        assert_eq!(runs(one("2024-02-29", "2024-02-29", true)), ["2028-02-29 1"]);
        assert_eq!(runs(one("2026-02-27", "2026-03-02", true))[2], "2028-02-27 5");
        assert_eq!(runs(one("2024-02-29", "2024-03-01", true))[0], "2026-03-01 1");
        assert_eq!(runs(one("2020-05-31", "2020-06-02", true)).len(), 4);
    }

    #[test]
    fn an_account_is_found_in_any_text() {
        assert!(names_an_account("of ä6f2c1d3e-0000-4000-8000-000000000001, again"));
        assert!(names_an_account("6F2C1D3E000040008000000000000001"));
        assert!(!names_an_account("closed 2026-03-01 to 2026-03-04 for a new floor, 1,200 m²"));
    }
}
