//! How much a text holds that no word, no time and no short number explains: letters and digits in
//! which an account could be spelled, counted in bits. In which way it could is not asked.

use super::Millis;
use super::event::EARLIEST_AT;

/// Fewer bits than this hold no account, which has 122, nor so much of one that it could be told
/// from the rest.
pub const BITS_MAX: usize = 80;

/// The longest word without a hyphen or a capital inside, in letters.
const SYLLABLES_MAX: usize = 24;
/// Letters in which every word has a vowel.
const VOWEL_MIN: usize = 4;
/// The latest time that a number in milliseconds is taken for: in the year 2033.
const LATEST_AT: Millis = 2_000_000_000_000;
/// Digits that a time has behind its seconds, at most.
const FRACTION_MAX: usize = 7;
/// How a date and a time are written, with 0 for any digit.
const TIMES: [&str; 4] =
    ["0000-00-00T00:00:00", "0000-00-00 00:00:00", "0000-00-00T00:00", "0000-00-00"];

/// The bits of a text that nothing explains.
pub fn bits(text: &str) -> usize {
    let text = without_times(text);
    let (mut bits, mut is_hex) = (0, false);
    for run in text.split(|c: char| !c.is_alphanumeric()).filter(|run| !run.is_empty()) {
        let digits = run.chars().filter(char::is_ascii_digit).count();
        let more = if digits == run.len() { of_number(run) } else { of_word(run, digits, is_hex) };
        // Letters between numbers may be digits of one in hexadecimal.
        is_hex = more > 0 && run.chars().all(|c| c.is_ascii_hexdigit());
        bits += more;
    }
    bits
}

fn of_number(run: &str) -> usize {
    let is_time = run.parse().is_ok_and(|at| (EARLIEST_AT..LATEST_AT).contains(&at));
    if is_time { 0 } else { (run.len() * 10).div_ceil(3) }
}

fn of_word(run: &str, digits: usize, is_after_hex: bool) -> usize {
    let letters = run.chars().count();
    let is_hex = run.chars().all(|c| c.is_ascii_hexdigit());
    if digits > 0 {
        let kinds: Vec<bool> = run.chars().map(|c| c.is_ascii_digit()).collect();
        let changes = kinds.windows(2).filter(|two| two[0] != two[1]).count();
        return letters
            * if is_hex {
                4
            } else if changes == 1 {
                5
            } else {
                8
            };
    }
    if is_hex && is_after_hex && letters <= VOWEL_MIN {
        return letters * 4;
    }
    let is_capital = |c: char| c.is_uppercase();
    let turns = run.chars().zip(run.chars().skip(1)).any(|(a, b)| !is_capital(a) && is_capital(b));
    if turns && letters <= VOWEL_MIN {
        return letters * 6;
    }
    let is_vowel = |c: char| !c.is_ascii() || "aeiouy".contains(c.to_ascii_lowercase());
    if letters >= VOWEL_MIN && !run.chars().any(is_vowel) {
        return letters * 5;
    }
    let longest = run.split_inclusive(is_capital).map(|part| part.chars().count()).max();
    let longest = if run.chars().all(is_capital) { Some(letters) } else { longest };
    if longest > Some(SYLLABLES_MAX) { letters * 4 } else { 0 }
}

/// A text without the dates and times in it, as RFC 3339 or a database writes them.
fn without_times(text: &str) -> String {
    let mut rest = String::with_capacity(text.len());
    let (mut at, mut is_inside) = (0, false);
    while let Some(first) = text[at..].chars().next() {
        let length = if is_inside { None } else { time_at(&text.as_bytes()[at..]) };
        if let Some(length) = length {
            rest.push('\n');
            at += length;
        } else {
            rest.push(first);
            at += first.len_utf8();
        }
        is_inside = length.is_some() || first.is_alphanumeric();
    }
    rest
}

/// The length of the time that a text begins with.
fn time_at(text: &[u8]) -> Option<usize> {
    let shape = TIMES.iter().find(|shape| has_shape(text, shape))?;
    let has_century = text.starts_with(b"19") || text.starts_with(b"20");
    let mut end = shape.len();
    let digits = |from: usize| {
        let rest = text.get(from..).unwrap_or_default();
        rest.iter().take_while(|byte| byte.is_ascii_digit()).count()
    };
    if text.get(end) == Some(&b'.') && (1..=FRACTION_MAX).contains(&digits(end + 1)) {
        end += 1 + digits(end + 1);
    }
    let zone = &text[end..];
    let zones = ["+00:00", "-00:00", "+0000", "-0000"];
    end += match zone.first() {
        Some(b'Z' | b'z') => 1,
        _ => zones.iter().find(|shape| has_shape(zone, shape)).map_or(0, |shape| shape.len()),
    };
    let ends = text.get(end).is_none_or(|byte| byte.is_ascii() && !byte.is_ascii_alphanumeric());
    (has_century && ends).then_some(end)
}

fn has_shape(text: &[u8], shape: &str) -> bool {
    text.len() >= shape.len()
        && shape.bytes().zip(text).all(|(shape, byte)| match shape {
            b'0' => byte.is_ascii_digit(),
            other => *byte == other,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_times_say_nothing() {
        for text in [
            "GENIUS_ONBOARDING_COMPLETED, Mitgliedschaft, accountId, Fünf Höfe – Gym & Spa",
            "2026-11-26T10:00:00.000+01:00 2026-11-26 10:00:00 2026-11-26 2026-11-26T10:00Z",
            "1795000000000",
        ] {
            assert_eq!(bits(text), 0, "{text}");
        }
        assert_eq!(bits("7 of 12, 30kg, 52.520008"), 4 + 7 + 20 + 7 + 20);
        assert!(bits("2026-11-26T10:00:00x1") > 0);
    }

    #[test]
    fn no_words_explain_an_account_in_pieces() {
        let numbers = |list: &[u8]| list.iter().map(u8::to_string).collect::<Vec<_>>();
        for seed in 0..500_u128 {
            // As random as accounts are.
            let number = (seed + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
            let account = uuid::Builder::from_random_bytes(number.to_be_bytes()).into_uuid();
            let (hex, bytes) = (account.simple().to_string(), account.into_bytes());
            let (high, low) = account.as_u64_pair();
            let quarters = [high >> 32, high & 0xffff_ffff, low >> 32, low & 0xffff_ffff];
            let groups = |length: usize| -> Vec<String> {
                let letters: Vec<char> = hex.chars().collect();
                letters.chunks(length).map(|group| group.iter().collect()).collect()
            };
            let keyed = |list: &[String]| {
                let fields = list.iter().enumerate().map(|(n, item)| format!(r#""{n}":{item}"#));
                fields.collect::<Vec<_>>().join(",")
            };
            let other_letters = |first: u8| -> String {
                let of =
                    |c: char| char::from(first + u8::try_from(c.to_digit(16).unwrap()).unwrap());
                hex.chars().map(of).collect()
            };
            for text in [
                format!(r#""mostSigBits":{},"leastSigBits":{}"#, high.cast_signed(), low),
                quarters.map(|quarter| quarter.to_string()).join(" and "),
                keyed(&numbers(&bytes)),
                keyed(&groups(1)),
                format!("[\"{}\"]", groups(2).join("\",\"")),
                groups(4).join(" and "),
                groups(5).join("\",\"x\":\""),
                other_letters(b'a'),
                other_letters(b'A'),
                other_letters(b'f'),
            ] {
                assert!(bits(&text) > BITS_MAX, "{text}");
            }
        }
    }
}
