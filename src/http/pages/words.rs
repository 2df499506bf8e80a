//! Words: what the page says, and how it writes numbers and times, in the reader's language. A
//! language is one file in `messages/` and one line in [`LANGUAGES`].

use std::collections::BTreeMap;
use std::sync::LazyLock;

use actix_web::HttpRequest;
use chrono::{DateTime, Datelike, FixedOffset, NaiveDate, Timelike, Weekday};

/// The cookie that holds a language that was chosen.
pub const LANGUAGE_COOKIE: &str = "footfall_language";

/// The first is for who asks for none of them.
static LANGUAGES: LazyLock<Vec<Words>> = LazyLock::new(|| {
    [("en", include_str!("messages/en.toml")), ("de", include_str!("messages/de.toml"))]
        .into_iter()
        .map(|(code, text)| Words::parse(code, text))
        .collect()
});

#[derive(Debug)]
pub struct Words {
    /// As in `<html lang>`.
    pub code: &'static str,
    messages: BTreeMap<String, String>,
}

impl Words {
    fn parse(code: &'static str, text: &str) -> Words {
        let sections: BTreeMap<String, BTreeMap<String, String>> =
            toml::from_str(text).expect("a test reads every file of messages");
        let messages = sections.into_iter().flat_map(|(section, words)| {
            words.into_iter().map(move |(key, text)| (format!("{section}.{key}"), text))
        });
        Words { code, messages: messages.collect() }
    }

    /// The languages there are: what was chosen, or what the browser asks for.
    pub fn of(request: &HttpRequest) -> &'static Words {
        let chosen = request.cookie(LANGUAGE_COOKIE);
        let header = request.headers().get("accept-language");
        let asked = header.and_then(|value| value.to_str().ok()).unwrap_or_default();
        let asked = asked.split(',').map(|one| one.trim().split(['-', ';']).next().unwrap_or(""));
        let mut wanted = chosen.iter().map(|cookie| cookie.value()).chain(asked);
        wanted.find_map(Words::in_language).unwrap_or(&LANGUAGES[0])
    }

    pub fn in_language(code: &str) -> Option<&'static Words> {
        LANGUAGES.iter().find(|words| words.code == code)
    }

    pub fn all() -> &'static [Words] {
        &LANGUAGES
    }

    /// The message of that key.
    pub fn say<'a>(&'a self, key: &'a str) -> &'a str {
        self.messages.get(key).map_or(key, String::as_str)
    }

    /// The message of that key, with `{}` filled in, in order.
    pub fn fill(&self, key: &str, values: &[&str]) -> String {
        filled(self.say(key), values)
    }

    /// The message of that key for so many, which is its first `{}`. It has a form for one and a form
    /// for all else, with a `|` between them.
    pub fn count(&self, key: &str, number: i64, values: &[&str]) -> String {
        let forms = self.say(key);
        let (one, many) = forms.split_once(" | ").unwrap_or((forms, forms));
        let number_shown = self.whole(number);
        filled(if number == 1 { one } else { many }, &[&[&*number_shown], values].concat())
    }

    /// A whole number, its thousands apart.
    pub fn whole(&self, number: i64) -> String {
        let digits = number.unsigned_abs().to_string();
        let mut text = String::new();
        for (place, digit) in digits.chars().enumerate() {
            if place > 0 && (digits.len() - place).is_multiple_of(3) {
                text.push_str(self.say("format.thousands"));
            }
            text.push(digit);
        }
        if number < 0 { format!("−{text}") } else { text }
    }

    /// A number with one place behind the point.
    pub fn decimal(&self, number: f64) -> String {
        let tenths = (number * 10.0).round() as i64;
        let sign = if tenths < 0 { "−" } else { "" };
        let (whole, rest) = (tenths.abs() / 10, tenths.abs() % 10);
        format!("{sign}{}{}{rest}", self.whole(whole), self.say("format.decimal"))
    }

    /// A mark on a scale: as short as it can be.
    pub fn mark(&self, number: f64) -> String {
        if number.fract() == 0.0 { self.whole(number as i64) } else { self.decimal(number) }
    }

    /// A share, in whole per cent.
    pub fn percent(&self, share: f64) -> String {
        self.fill("format.percent", &[&self.whole((share * 100.0).round() as i64)])
    }

    /// A day like 3 Mar 2026.
    pub fn date(&self, date: NaiveDate) -> String {
        let month = self.say_at("month", date.month());
        let (day, year) = (date.day().to_string(), date.year().to_string());
        self.fill("format.date", &[&day, month, &year])
    }

    /// A day like 3 Mar, where the year is known.
    pub fn day_of_year(&self, date: NaiveDate) -> String {
        let month = self.say_at("month", date.month());
        self.fill("format.day_of_year", &[&date.day().to_string(), month])
    }

    /// A month like Mar 2026.
    pub fn month(&self, date: NaiveDate) -> String {
        format!("{} {}", self.say_at("month", date.month()), date.year())
    }

    /// A time of day on the gym's clock.
    pub fn time(&self, at: DateTime<FixedOffset>) -> String {
        self.clock(at.hour(), at.minute())
    }

    /// What a clock shows.
    pub fn clock(&self, hour: u32, minute: u32) -> String {
        self.fill("format.time", &[&format!("{hour:02}"), &format!("{minute:02}")])
    }

    /// A day and a time of day on the gym's clock.
    pub fn moment(&self, at: DateTime<FixedOffset>) -> String {
        format!("{}, {}", self.date(at.date_naive()), self.time(at))
    }

    /// The short name of a weekday, 1 = Monday.
    pub fn weekday(&self, weekday: u32) -> &str {
        self.say_at("weekday", weekday)
    }

    /// The whole name of a weekday.
    pub fn whole_weekday(&self, weekday: Weekday) -> &str {
        self.say_at("whole_weekday", weekday.number_from_monday())
    }

    /// The weekdays, beginning with the first of the week here.
    pub fn week(&self) -> impl Iterator<Item = u32> {
        let first = if self.say("format.week_begins") == "sunday" { 6 } else { 0 };
        (0..7).map(move |place| (place + first) % 7 + 1)
    }

    #[cfg(test)]
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.messages.keys().map(String::as_str)
    }

    fn say_at(&self, section: &str, number: u32) -> &str {
        self.messages.get(&format!("{section}.{number}")).map_or("", String::as_str)
    }
}

fn filled(text: &str, values: &[&str]) -> String {
    let mut parts = text.split("{}");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for (place, part) in parts.enumerate() {
        text.push_str(values.get(place).copied().unwrap_or_default());
        text.push_str(part);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_language_says_the_same() {
        let gaps = |words: &Words| {
            let gaps = |(key, text): (&String, &String)| (key.clone(), text.matches("{}").count());
            words.messages.iter().map(gaps).collect::<Vec<_>>()
        };
        for words in Words::all() {
            assert_eq!(gaps(words), gaps(&LANGUAGES[0]), "{}", words.code);
        }
    }

    #[test]
    fn numbers_are_written_as_people_write_them() {
        let [en, de] = ["en", "de"].map(|code| Words::in_language(code).expect("it is there"));
        assert_eq!((en.whole(1_234_567), en.whole(-12)), ("1,234,567".into(), "−12".into()));
        assert_eq!(
            (en.decimal(1234.56), de.decimal(1234.56)),
            ("1,234.6".into(), "1.234,6".into())
        );
        assert_eq!((en.decimal(-0.04), de.percent(0.455)), ("0.0".into(), "46 %".into()));
        let day = NaiveDate::from_ymd_opt(2026, 3, 5).expect("a day");
        assert_eq!((en.date(day), de.date(day)), ("5 Mar 2026".into(), "5. März 2026".into()));
        assert_eq!(en.count("set_up.months", 1, &[]), "1 month");
        assert_eq!(de.count("set_up.months", 25, &[]), "25 Monate");
        assert_eq!(en.week().collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6, 7]);
    }
}
