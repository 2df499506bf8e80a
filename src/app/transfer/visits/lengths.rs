//! Lengths of time as people and programs write them.

use crate::domain::{HOUR, Millis};

/// No visit is longer: what says so means something else.
const LENGTH_MAX: Millis = 24 * HOUR;

/// A length of time in milliseconds: `1:15` and `1:15:30` are hours first, `1 h 15 min`; a number
/// alone, and whether `1:15` is in minutes, is as the column's `name` says.
pub fn duration(text: &str, name: &str) -> Option<Millis> {
    let length = if text.contains(':') { by_clock(text, name) } else { by_words(text, name) };
    length.filter(|length| *length <= LENGTH_MAX)
}

fn by_clock(text: &str, name: &str) -> Option<Millis> {
    let parts: Vec<i64> =
        text.split(':').map(|part| part.trim().parse().ok()).collect::<Option<_>>()?;
    let (2..=3, true) = (parts.len(), parts.iter().all(|part| *part >= 0)) else { return None };
    let seconds = parts
        .iter()
        .chain([&0])
        .take(3)
        .fold(0_i64, |sum, part| sum.saturating_mul(60).saturating_add(*part));
    let from_minutes = parts.len() == 2 && is_minutes_and_seconds(name);
    Some(if from_minutes { seconds / 60 } else { seconds }.saturating_mul(1_000))
}

/// `Dauer (mm:ss)`, `Duration (min:sec)`
fn is_minutes_and_seconds(name: &str) -> bool {
    let name = name.to_lowercase();
    ["mm:ss", "m:ss", "min:se", "min.:se"].iter().any(|form| name.contains(form))
        && !name.contains("h:")
}

fn by_words(text: &str, name: &str) -> Option<Millis> {
    let (mut rest, mut total) = (text.trim(), 0.0);
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && !matches!(c, '.' | ','));
        let (number, after) = rest.split_at(end.unwrap_or(rest.len()));
        let after = after.trim_start();
        let end = after.find(|c: char| !c.is_alphabetic() && c != '.').unwrap_or(after.len());
        let (word, next) = after.split_at(end);
        let unit = if word.is_empty() { unit_of(name)? } else { unit_of(word)? };
        if unit < 3_600_000 && is_grouped(number) {
            return None;
        }
        let number: f64 = number.replace(',', ".").parse().ok()?;
        total += number * f64::from(unit);
        rest = next.trim_start();
    }
    (!text.trim().is_empty()).then_some(total.round() as Millis)
}

/// `4.500` seconds may be four and a half, or an hour and a quarter.
fn is_grouped(number: &str) -> bool {
    number.split_once(['.', ',']).is_some_and(|(whole, rest)| {
        rest.len() == 3 && (1..=3).contains(&whole.len()) && whole != "0"
    })
}

/// The unit that a word, or a column's name, speaks of, in milliseconds.
pub fn unit_of(text: &str) -> Option<u32> {
    let text = text.to_lowercase();
    let mut words = text.split(|c: char| !c.is_alphabetic());
    words.find_map(|word| match word {
        "h" | "hr" | "hrs" | "hour" | "hours" | "std" | "stunde" | "stunden" => Some(3_600_000),
        "m" | "min" | "mins" | "minute" | "minutes" | "minuten" => Some(60_000),
        "s" | "sec" | "secs" | "second" | "seconds" | "sek" | "sekunden" => Some(1_000),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_read_with_their_unit() {
        let minutes = |text, name| duration(text, name).map(|millis| millis / 60_000);
        assert_eq!(minutes("1:15", "Dauer"), Some(75));
        assert_eq!(minutes("01:15:00", "Dauer (mm:ss)"), Some(75));
        assert_eq!(minutes("75:30", "Dauer (mm:ss)"), Some(75));
        assert_eq!(minutes("1:15", "Dauer (hh:mm:ss)"), Some(75));
        assert_eq!(minutes("1 h 15 min", ""), Some(75));
        assert_eq!(minutes("1,25 Std.", ""), Some(75));
        assert_eq!(minutes("1.250", "hours"), Some(75));
        assert_eq!(minutes("75", "Dauer (Min.)"), Some(75));
        for (text, name) in [
            ("75", ""),
            ("lang", ""),
            ("", ""),
            ("75:30", "Dauer"),
            ("4.500", "Dauer (Sek)"),
            ("1,234", "Minutes"),
            ("1500", "min"),
            ("99999999999999999:00", ""),
        ] {
            assert_eq!(minutes(text, name), None, "{text} {name}");
        }
    }
}
