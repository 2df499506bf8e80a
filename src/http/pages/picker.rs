//! How a range is chosen: presets, a step earlier or later, or days of one's own.

use chrono::{Datelike, Months, NaiveDate};
use maud::{Markup, html};

use super::range::{
    COMPARISONS, GROUPINGS, INTERVALS, PRESETS, Range, WINDOWS, can_be_compared, has_hours,
};
use super::words::Words;
use crate::domain::calendar::{Day, Interval};

/// The parameters that stay when only the days change.
const STAYING: [&str; 5] = ["compare", "interval", "window", "group_by", "show"];

impl Range {
    /// Of one gym, what is not in buckets can be grouped.
    pub fn picker(&self, words: &Words, report: &str, is_of_one: bool) -> Markup {
        let preset = self.asked.preset(report);
        html! {
            div.choice {
                nav.presets aria-label=(words.say("range.title")) { @for name in PRESETS {
                    a href={ "?" (self.with(&[("range", name)])) }
                        aria-current=[(preset == Some(name)).then_some("true")] {
                        (words.say(&format!("range.{name}")))
                    }
                } }
                div.steps {
                    (self.step(words, self.earlier(), "prev", "range.earlier", "‹"))
                    details.menu.own {
                        summary { (self.shown(words)) }
                        (self.form(words, report, is_of_one))
                    }
                    (self.step(words, self.later(), "next", "range.later", "›"))
                }
            }
        }
    }

    fn step(
        &self,
        words: &Words,
        days: Option<(Day, Day)>,
        rel: &str,
        key: &str,
        sign: &str,
    ) -> Markup {
        let address = |(first, last): (Day, Day)| {
            let [from, to] = [first, last].map(|day| day.date().to_string());
            self.with(&[("from", &from), ("to", &to)])
        };
        html! {
            @match days {
                Some(days) => a.step rel=(rel) href={ "?" (address(days)) } aria-label=(words.say(key)) {
                    span aria-hidden="true" { (sign) }
                },
                None => span.step aria-hidden="true" { (sign) },
            }
        }
    }

    /// Its days, in words.
    fn shown(&self, words: &Words) -> String {
        let [first, last] = [self.first, self.last].map(|day| words.date(day.date()));
        if self.first == self.last { first } else { format!("{first} – {last}") }
    }

    /// The query of other days, looked at in the same way.
    fn with(&self, days: &[(&str, &str)]) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(days);
        query.extend_pairs(self.asked.pairs().filter(|(name, _)| STAYING.contains(name)));
        query.finish()
    }

    /// The query of the same days, shown in another way.
    pub fn showing(&self, show: &str) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(self.asked.pairs().filter(|(name, _)| *name != "show"));
        query.append_pair("show", show).finish()
    }

    fn form(&self, words: &Words, report: &str, is_of_one: bool) -> Markup {
        let option = |value: &str, key: String, chosen: bool| {
            html! { option value=(value) selected[chosen] { (words.say(&key)) } }
        };
        html! {
            form.range method="get" {
                label { (words.say("range.from"))
                    input type="date" name="from" value=(self.first.date()) required; }
                label { (words.say("range.to"))
                    input type="date" name="to" value=(self.last.date()) required; }
                @if report == "activity" {
                    @let window = self.asked.window.as_deref().unwrap_or("28");
                    label { (words.say("range.window")) select name="window" {
                        @for word in WINDOWS {
                            (option(word, format!("window.{word}"), window == word))
                        }
                    } }
                }
                @if report == "durations" && is_of_one {
                    label { (words.say("range.group")) select name="group_by" {
                        @for word in GROUPINGS {
                            (option(word, format!("group.{word}"),
                                self.asked.group_by.as_deref() == Some(word)))
                        }
                    } }
                } @else if !["durations", "popular-times", "retention"].contains(&report) {
                    label { (words.say("range.interval")) select name="interval" {
                        @for (word, interval) in INTERVALS {
                            @if has_hours(report) || interval != Interval::Hour {
                                (option(word, format!("interval.{word}"), interval == self.interval))
                            }
                        }
                    } }
                }
                @if is_of_one && can_be_compared(report) {
                    label { (words.say("range.compare")) select name="compare" {
                        @let chosen = self.asked.compare.as_deref().unwrap_or(COMPARISONS[0]);
                        option value="" selected[chosen.is_empty()] { (words.say("compare.none")) }
                        @for word in COMPARISONS {
                            (option(word, format!("compare.{word}"), chosen == word))
                        }
                    } }
                }
                button { (words.say("range.show")) }
            }
        }
    }

    /// The range before: as many days, or as many whole months.
    fn earlier(&self) -> Option<(Day, Day)> {
        let first = match self.months() {
            Some(months) => Day::from_date(self.first.date().checked_sub_months(months)?),
            None => self.first.plus(self.first.0 - self.last.0 - 1),
        };
        (first.date().year() >= 2000).then_some((first, self.first.plus(-1)))
    }

    /// The range after, unless it is all to come.
    fn later(&self) -> Option<(Day, Day)> {
        let first = self.last.plus(1);
        let last = match self.months() {
            Some(months) => Day::from_date(first.date().checked_add_months(months)?).plus(-1),
            None => first.plus(self.last.0 - self.first.0),
        };
        (first <= self.today).then_some((first, last))
    }

    /// How many months it is, begun or whole; none when it goes by days.
    fn months(&self) -> Option<Months> {
        let (first, until) = (self.first.date(), self.last.plus(1).date());
        let begun = match self.asked.range.as_deref() {
            Some("month") => 1,
            Some("quarter") => 3,
            Some("year") => 12,
            _ if first.day() == 1 && until.day() == 1 => months_between(first, until),
            _ => return None,
        };
        Some(Months::new(begun))
    }
}

fn months_between(first: NaiveDate, until: NaiveDate) -> u32 {
    let count = |date: NaiveDate| date.year().unsigned_abs() * 12 + date.month0();
    count(until) - count(first)
}

#[cfg(test)]
mod tests {
    use super::super::range::Asked;
    use super::*;
    use crate::domain::calendar::day_start;

    fn day(text: &str) -> Day {
        Day::from_date(text.parse().expect("a day"))
    }

    /// The steps from what is asked, on 15 March 2026.
    fn steps(query: &str) -> [Option<[String; 2]>; 2] {
        let asked = actix_web::web::Query::<Asked>::from_query(query).expect("a query");
        let now = day_start(chrono_tz::UTC, day("2026-03-15"));
        let range = Range::of(&asked, "visits", chrono_tz::UTC, now).expect("a range");
        [range.earlier(), range.later()]
            .map(|days| days.map(|(first, last)| [first, last].map(|day| day.date().to_string())))
    }

    #[test]
    fn a_step_is_as_long_as_the_range_and_never_into_the_future() {
        let days = |first: &str, last: &str| Some([first.to_owned(), last.to_owned()]);
        assert_eq!(steps("range=7"), [days("2026-03-02", "2026-03-08"), None]);
        assert_eq!(
            steps("from=2026-03-02&to=2026-03-08"),
            [days("2026-02-23", "2026-03-01"), days("2026-03-09", "2026-03-15")]
        );
        assert_eq!(steps("range=month"), [days("2026-02-01", "2026-02-28"), None]);
        assert_eq!(
            steps("from=2026-02-01&to=2026-02-28"),
            [days("2026-01-01", "2026-01-31"), days("2026-03-01", "2026-03-31")]
        );
        assert_eq!(steps("range=year")[0], days("2025-01-01", "2025-12-31"));
        assert_eq!(steps("from=2000-01-01&to=2000-01-31")[0], None);
    }
}
