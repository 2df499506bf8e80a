//! Names of things, each its own type so that none can stand where another belongs.

use std::fmt;
use std::iter::once;
use std::str::FromStr;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// A gym's row number in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GymId(pub i64);

/// A webhook's row number in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct WebhookId(pub i64);

/// One member at one gym, by row number: the same account at two gyms is two members.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MemberId(pub i64);

/// One build of one gym's projection. A rebuild fills a new generation beside the old one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Generation(pub i64);

/// A place in the event log: larger is later, never given twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Position(pub i64);

/// The sender's id of a member. Personal data: never logged, never a label.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Account(pub uuid::Uuid);

impl fmt::Debug for Account {
    /// Says nothing, so that no log line or panic message can carry a member.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Account(…)")
    }
}

/// The most characters a gym's name in a URL may have.
pub const SLUG_CHARS_MAX: usize = 64;

/// A gym's name in URLs: lower-case letters, digits and inner hyphens.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Slug(String);

impl Slug {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What a gym of that name may be called in URLs; none where its name has no letter for it.
    pub fn proposed(name: &str) -> Option<Slug> {
        let mut slug = String::new();
        for character in name.to_lowercase().nfc() {
            match character {
                'ä' => slug.push_str("ae"),
                'ö' => slug.push_str("oe"),
                'ü' => slug.push_str("ue"),
                'ß' => slug.push_str("ss"),
                // The letter stays of what has an accent.
                _ => slug.extend(once(character).nfd().filter(|part| !is_combining_mark(*part))),
            }
        }
        let words =
            slug.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
        let mut slug = words.collect::<Vec<_>>().join("-");
        slug.truncate(SLUG_CHARS_MAX);
        slug.trim_end_matches('-').parse().ok()
    }
}

impl fmt::Display for Slug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a text is not a gym's slug.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "a gym's slug has 1 to {SLUG_CHARS_MAX} lower-case letters, digits and inner hyphens, \
     like `berlin-mitte`"
)]
pub struct BadSlug;

impl FromStr for Slug {
    type Err = BadSlug;

    fn from_str(text: &str) -> Result<Self, BadSlug> {
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let good = (1..=SLUG_CHARS_MAX).contains(&text.len())
            && text.chars().all(allowed)
            && !text.starts_with('-')
            && !text.ends_with('-');
        if good { Ok(Slug(text.to_owned())) } else { Err(BadSlug) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slug_is_checked_and_an_account_never_printed() {
        assert!("berlin-mitte".parse::<Slug>().is_ok());
        for bad in ["", "-a", "a-", "Berlin", "a b", "ä", &"a".repeat(65)] {
            assert_eq!(bad.parse::<Slug>(), Err(BadSlug), "{bad}");
        }
        for (name, slug) in [
            ("Berlin Mitte", "berlin-mitte"),
            ("  Studio Süd – Café №1 ", "studio-sued-cafe-1"),
            ("Weiß & O\u{308}l", "weiss-oel"),
        ] {
            let proposed = Slug::proposed(name);
            assert_eq!(proposed.as_ref().map(Slug::as_str), Some(slug), "{name}");
        }
        assert_eq!(Slug::proposed("健身房"), None);
        let long = Slug::proposed(&"ab ".repeat(40)).expect("it has letters");
        assert!(long.as_str().len() <= SLUG_CHARS_MAX && !long.as_str().ends_with('-'));
        let account = Account(uuid::Uuid::from_u128(7));
        assert_eq!(format!("{account:?}"), "Account(…)");
    }
}
