//! Names and notes that people give: one line of text that is what it looks like.
//!
//! The same name can be written in several ways: with an accent that is part of its letter or stands
//! behind it, with capitals or without. It is kept in one of them (NFC), and compared without case.

use unicode_normalization::UnicodeNormalization;

/// Characters of the name of a person, a token or a gym.
pub const NAME_CHARACTERS_MAX: usize = 100;

/// Why a text is no name, or no note.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    #[error("it has 1 to {0} characters")]
    Length(usize),
    #[error("`.` and `..` are no names: in a path they lead elsewhere")]
    Dots,
    #[error(
        "U+{:04X} in it is not seen, or changes how what stands beside it is seen; take it out",
        *.0 as u32
    )]
    Hidden(char),
}

/// The name of a person, a token or a gym, as it is kept.
pub fn name(text: &str) -> Result<String, NameError> {
    let name = line(text, NAME_CHARACTERS_MAX)?;
    if [".", ".."].contains(&&*name) { Err(NameError::Dots) } else { Ok(name) }
}

/// A line of text, as it is kept.
pub fn line(text: &str, characters_max: usize) -> Result<String, NameError> {
    let text = composed(text.trim());
    if let Some(hidden) = text.chars().find(|character| is_hidden(*character)) {
        return Err(NameError::Hidden(hidden));
    }
    let is_good = (1..=characters_max).contains(&text.chars().count());
    if is_good { Ok(text) } else { Err(NameError::Length(characters_max)) }
}

/// The text with every accent in its letter (NFC).
pub fn composed(text: &str) -> String {
    text.nfc().collect()
}

/// What two names have in common that are the same but for case and the way accents are written.
pub fn folded(name: &str) -> String {
    // Up, since several letters have one capital; before it down, since one letter has two.
    composed(&composed(name.trim()).to_lowercase().to_uppercase().to_lowercase())
}

/// The text with what is not seen made visible, for a terminal or a log: also names that were kept
/// before they were looked at.
pub fn visible(text: &str) -> String {
    text.chars().map(|c| if is_hidden(c) { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

/// Whether a character breaks the line, commands a terminal, turns the direction of what follows, or
/// is not seen at all.
pub fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
                | '\u{180b}'..='\u{180f}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{3164}' | '\u{feff}' | '\u{ffa0}'
                | '\u{fff0}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e0fff}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_line_that_is_what_it_looks_like() {
        assert_eq!(
            name("  Zoë O’Neill, 2. Schicht 🏋️ "),
            Ok("Zoë O’Neill, 2. Schicht 🏋️".to_owned())
        );
        assert_eq!(name("A\u{308}nne"), Ok("Änne".to_owned()));
        assert_eq!(name(" .. "), Err(NameError::Dots));
        assert_eq!(name(" \t"), Err(NameError::Length(NAME_CHARACTERS_MAX)));
        assert_eq!(name(&"a".repeat(101)), Err(NameError::Length(NAME_CHARACTERS_MAX)));
        for hidden in ['\n', '\r', '\u{1b}', '\0', '\u{9b}', '\u{202e}', '\u{2066}', '\u{200b}'] {
            assert_eq!(name(&format!("a{hidden}b")), Err(NameError::Hidden(hidden)));
            assert_eq!(visible(&format!("a{hidden}b")), "a\u{fffd}b");
        }
    }

    #[test]
    fn names_are_compared_without_case() {
        for (one, other) in
            [("Ann", "aNN"), ("Ärger", "a\u{308}RGER"), ("Straße", "STRASSE"), ("Straße", "STRAẞE")]
        {
            assert_eq!(folded(one), folded(other));
        }
        assert_eq!(folded("ΝΙΚΟΣ"), folded("νικος"));
        assert_ne!(folded("ann"), folded("anna"));
    }
}
