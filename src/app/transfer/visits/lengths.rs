//! Lengths of time as people and programs write them.

use crate::domain::Millis;

/// A length of time in milliseconds: `1:15` and `1:15:30` are hours first, `1 h 15 min`; a number
/// alone is in `unit`.
pub fn duration(text: &str, unit: Option<u32>) -> Option<Millis> {
    if text.contains(':') {
        let parts: Vec<i64> =
            text.split(':').map(|part| part.trim().parse().ok()).collect::<Option<_>>()?;
        let (2..=3, true) = (parts.len(), parts.iter().all(|part| *part >= 0)) else { return None };
        let seconds = parts.iter().chain([&0]).take(3).fold(0, |sum, part| sum * 60 + part);
        return Some(seconds * 1_000);
    }
    let (mut rest, mut total) = (text.trim(), 0.0);
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && !matches!(c, '.' | ','));
        let (number, after) = rest.split_at(end.unwrap_or(rest.len()));
        let after = after.trim_start();
        let end = after.find(|c: char| !c.is_alphabetic() && c != '.').unwrap_or(after.len());
        let (word, next) = after.split_at(end);
        let number: f64 = number.replace(',', ".").parse().ok()?;
        let unit = if word.is_empty() { unit? } else { unit_of(word)? };
        let unit = f64::from(unit);
        total += number * unit;
        rest = next.trim_start();
    }
    (!text.trim().is_empty()).then_some(total.round() as Millis)
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
        let minutes = |text, unit| duration(text, unit).map(|millis| millis / 60_000);
        assert_eq!(minutes("1:15", None), Some(75));
        assert_eq!(minutes("01:15:00", None), Some(75));
        assert_eq!(minutes("1 h 15 min", None), Some(75));
        assert_eq!(minutes("1,25 Std.", None), Some(75));
        assert_eq!(minutes("75", unit_of("Dauer (Min.)")), Some(75));
        assert_eq!(
            (minutes("75", None), minutes("lang", None), minutes("", None)),
            (None, None, None)
        );
    }
}
