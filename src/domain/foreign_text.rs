//! Text that others wrote, and whose meaning we do not know: which accounts it names, and whether
//! an account could stand in it so that it would not be found again (model section 6).
//!
//! There is no end of ways to spell an account: in another encoding, in base64, in pieces. So this
//! is no list of what is forbidden, but of what may be kept: words, times, whole accounts, and so
//! little else that no account could be spelled with it.

use std::iter::once;

use super::ids::Account;
use super::unexplained;
use uuid::Uuid;

/// The most accounts that one text may name and still be kept.
pub const ACCOUNTS_MAX: usize = 16;
/// Fewer bytes than this single nobody out, whatever they are.
const BYTES_MIN: usize = 8;
/// The longest word, in letters.
const WORD_MAX: usize = 64;
/// The most digits of one number: of 19 it may be one half of an account.
const DIGITS_MAX: usize = 16;
/// The longest run of letters and digits together, like `30kg` or the `26T10` of a time.
const MIXED_MAX: usize = 5;
/// Digits and the letters a to f that follow each other, whatever stands between them, are no
/// account up to this many.
const HEX_RUN_MAX: usize = 15;
/// The digits of an account.
const HEX_DIGITS: usize = 32;
/// Stands where an account was found.
const FOUND: char = '\u{1}';

/// What a text turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignText {
    /// Accounts that stand in it, each once.
    pub accounts: Vec<Account>,
    /// How much else is in it that nothing explains, in bits.
    pub bits: usize,
    /// Whether there is no place left in it where one could stand unseen.
    pub is_searchable: bool,
}

impl Default for ForeignText {
    /// An empty text hides nothing.
    fn default() -> ForeignText {
        ForeignText { accounts: vec![], bits: 0, is_searchable: true }
    }
}

impl ForeignText {
    /// Whether it names nobody, and nobody could be hidden in it.
    pub fn names_nobody(&self) -> bool {
        self.is_searchable && self.accounts.is_empty()
    }

    /// What two texts are that stand beside each other. Some of an account may be in each.
    pub fn beside(mut self, other: ForeignText) -> ForeignText {
        self.accounts.extend(other.accounts);
        self.bits += other.bits;
        self.is_searchable &= other.is_searchable;
        self.is_searchable &= self.is_little();
        self
    }

    /// Whether it names no more than can be noted, and holds little else.
    fn is_little(&self) -> bool {
        self.accounts.len() <= ACCOUNTS_MAX && self.bits <= unexplained::BITS_MAX
    }
}

/// Reads a text that came whole.
pub fn read(bytes: &[u8]) -> ForeignText {
    read_as(bytes, false)
}

/// Reads a text that may have been cut off in the middle of an account.
pub fn read_fragment(bytes: &[u8]) -> ForeignText {
    read_as(bytes, true)
}

fn read_as(bytes: &[u8], may_be_cut_off: bool) -> ForeignText {
    let text = std::str::from_utf8(bytes).ok().and_then(|text| {
        let text = unescaped(text)?;
        text.chars().all(is_plain).then_some(text)
    });
    let Some(text) = text else {
        let (bits, is_searchable) = (bytes.len() * 8, bytes.len() < BYTES_MIN);
        return ForeignText { accounts: vec![], bits, is_searchable };
    };
    let (rest, accounts) = take_accounts(&text);
    let bits = unexplained::bits(&rest);
    let found = ForeignText { accounts, bits, is_searchable: true };
    let is_searchable = found.is_little()
        && !hides_in_escapes(&rest)
        && runs(&rest).all(is_word_or_number)
        && rest.split('"').all(|part| !hides_in_pieces(part))
        && !(may_be_cut_off && ends_in_account(&rest));
    ForeignText { is_searchable, ..found }
}

/// Every account that could be spelled by letters and digits of a text which follow each other,
/// whatever stands between them.
pub fn spelled_anywhere(text: &str) -> Vec<Account> {
    let letters: Vec<u8> = text.bytes().filter(u8::is_ascii_alphanumeric).collect();
    let parts = letters.windows(HEX_DIGITS);
    parts.filter_map(|part| Uuid::try_parse_ascii(part).ok().map(Account)).collect()
}

/// The words of a text without anything that could be a part of an account: all that may be shown
/// of one that cannot be searched.
pub fn words_of(bytes: &[u8], bytes_max: usize) -> String {
    let bytes = &bytes[..bytes.len().min(bytes_max)];
    if bytes.iter().any(|byte| !byte.is_ascii_graphic() && !b" \t\r\n".contains(byte)) {
        return String::new();
    }
    let mut words = String::new();
    let text = String::from_utf8_lossy(bytes);
    let mut rest = &*text;
    while let Some(first) = rest.chars().next() {
        let end = rest.find(|c: char| c.is_ascii_alphanumeric() != first.is_ascii_alphanumeric());
        let (run, others) = rest.split_at(end.unwrap_or(rest.len()));
        rest = others;
        if !first.is_ascii_alphanumeric() {
            words.extend(run.chars().filter(|c| !"+/=%\\&".contains(*c)));
        } else if run.len() >= 3 && is_word(run) && !run.chars().all(|c| c.is_ascii_hexdigit()) {
            words.push_str(run);
        } else if !words.ends_with('…') {
            words.push('…');
        }
    }
    words
}

/// Letters of the alphabets that Europe writes, digits, and marks.
fn is_plain(c: char) -> bool {
    match c {
        '\t' | '\n' | '\r' | ' '..='~' => c != '\\',
        '\u{a1}'..='\u{24f}' | '\u{2010}'..='\u{2026}' | '€' => !c.is_numeric() && c != '\u{ad}',
        _ => false,
    }
}

/// The text with each escape of JSON as what it stands for; none where there is another.
fn unescaped(text: &str) -> Option<String> {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        plain.push_str(before);
        let mut letters = after.chars();
        let letter = match letters.next()? {
            'u' => {
                let number = u32::from_str_radix(after.get(1..5)?, 16).ok()?;
                letters = after.get(5..)?.chars();
                char::from_u32(number)?
            }
            'n' | 'r' | 't' => ' ',
            letter @ ('"' | '/') => letter,
            _ => return None,
        };
        plain.push(letter);
        rest = letters.as_str();
    }
    plain.push_str(rest);
    Some(plain)
}

/// The accounts in a text, and the text without them.
fn take_accounts(text: &str) -> (String, Vec<Account>) {
    let (mut rest, mut accounts) = (String::with_capacity(text.len()), Vec::new());
    let mut before = None;
    let mut at = 0;
    while let Some(first) = text[at..].chars().next() {
        let begins = before.is_none_or(|c: char| !c.is_alphanumeric());
        let found = if begins { account_at(&text[at..]) } else { None };
        if let Some((account, length)) = found {
            if !accounts.contains(&account) && accounts.len() <= ACCOUNTS_MAX {
                accounts.push(account);
            }
            rest.push(FOUND);
            at += length;
            before = Some(FOUND);
        } else {
            rest.push(first);
            at += first.len_utf8();
            before = Some(first);
        }
    }
    (rest, accounts)
}

/// The account that a text begins with, with hyphens or without, and its length there.
fn account_at(text: &str) -> Option<(Account, usize)> {
    [36, 32].into_iter().find_map(|length| {
        let ends = text.get(length..)?.chars().next().is_none_or(|c| !c.is_alphanumeric());
        let written = text.get(..length).filter(|_| ends)?;
        let is_hex = written.chars().all(|c| c.is_ascii_hexdigit() || c == '-');
        let account = Uuid::try_parse(written).ok().filter(|_| is_hex)?;
        Some((Account(account), length))
    })
}

/// Runs of letters and digits.
fn runs(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|run| !run.is_empty())
}

fn is_word_or_number(run: &str) -> bool {
    let digits = run.chars().filter(char::is_ascii_digit).count();
    match (digits, run.chars().count()) {
        (digits, length) if digits == length => digits <= DIGITS_MAX,
        (0, _) => is_word(run),
        (_, length) => length <= MIXED_MAX,
    }
}

/// Whether letters are written as words are: in one case, or each capital with small letters after
/// it. What base64 makes of bytes is not; nor is a part of an account.
fn is_word(run: &str) -> bool {
    let letters: Vec<char> = run.chars().collect();
    let is_hex = letters.len() >= BYTES_MIN && letters.iter().all(char::is_ascii_hexdigit);
    if is_hex || letters.len() > WORD_MAX || !letters.iter().all(|c| c.is_alphabetic()) {
        return false;
    }
    let capitals = letters.iter().rev().take_while(|c| c.is_uppercase()).count();
    if capitals == letters.len() {
        return true;
    }
    // An abbreviation may end it: `accountID`.
    let body = &letters[..letters.len() - if capitals <= 3 { capitals } else { 0 }];
    let humps = body.iter().enumerate().filter(|(_, c)| c.is_uppercase());
    humps.into_iter().all(|(at, _)| {
        // `accountId` ends sooner.
        let after = &body[at + 1..(at + 3).min(body.len())];
        !after.is_empty() && after.iter().all(|c| c.is_lowercase())
    })
}

/// Whether something is written by the numbers of its letters: `%36`, `=36`, `&#54;`.
fn hides_in_escapes(text: &str) -> bool {
    let is_number =
        |text: &str| text.get(..2).is_some_and(|two| two.chars().all(|c| c.is_ascii_hexdigit()));
    text.contains("&#") || text.split(['%', '=']).skip(1).any(is_number)
}

/// Whether the pieces of a text, put together, could be an account.
fn hides_in_pieces(text: &str) -> bool {
    let joined = text.chars().filter(|c| c.is_alphanumeric() || *c == FOUND).chain(once(FOUND));
    let (mut hex, mut letters) = (0, 0);
    for c in joined {
        (hex, letters) = match c {
            c if c.is_ascii_digit() => (hex + 1, letters),
            c if c.is_ascii_hexdigit() => (hex + 1, letters + 1),
            _ => (0, 0),
        };
        if hex > HEX_RUN_MAX && letters >= 2 {
            return true;
        }
    }
    false
}

/// Whether a text that was cut off may have ended within an account.
fn ends_in_account(text: &str) -> bool {
    let last = text.trim_end_matches('-').rsplit(|c: char| !c.is_alphanumeric()).next();
    last.is_some_and(|run| !run.is_empty() && run.chars().all(|c| c.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACCOUNT: &str = "6f2c1d3e-a0b4-4c8d-8e0f-12ab34cd56ef";

    fn reading(text: &str) -> (usize, bool) {
        let ForeignText { accounts, is_searchable, .. } = read(text.as_bytes());
        (accounts.len(), is_searchable)
    }

    #[test]
    fn an_account_is_found_however_it_is_written_in_json() {
        let plain = ACCOUNT.replace('-', "");
        let hidden = format!("\\u0036{}", &ACCOUNT[1..]);
        for text in [ACCOUNT, &plain, &ACCOUNT.to_uppercase(), &hidden] {
            for text in [
                text.to_owned(),
                format!(r#"{{"card":"{text}","of":["{text}"]}}"#),
                format!("member {{{text}}}, urn:uuid:{text}\\nhttps:\\/\\/x.example\\/m\\/{text}."),
            ] {
                assert_eq!(reading(&text), (1, true), "{text}");
            }
        }
    }

    #[test]
    fn what_senders_write_can_be_searched() {
        for text in [
            "",
            "nonsense",
            r#"{"type":"GENIUS_ONBOARDING_COMPLETED","timestamp":1795000000000}"#,
            r#"{"lane":{"n":7},"x":[1, 2.50, -3e5],"ok":true,"no":null}"#,
            r#"{"at":"2026-11-26T10:00:00.000+01:00","device":"Fit 30kg","accountID":7}"#,
            r#"{"club":"Fünf Höfe – Gym & Spa, 50 %","gymLocationName":"Berlin-Mitte"}"#,
            "\u{7f}",
        ] {
            assert_eq!(reading(text), (0, true), "{text}");
        }
    }

    #[test]
    fn what_could_hide_an_account_cannot_be_searched() {
        let plain = ACCOUNT.replace('-', "");
        let by = |f: &dyn Fn(char) -> String| ACCOUNT.chars().map(f).collect::<String>();
        let reversed: String = ACCOUNT.chars().rev().collect();
        let bytes = Uuid::parse_str(ACCOUNT).expect("a UUID").into_bytes();
        let list: Vec<String> = bytes.iter().map(u8::to_string).collect();
        for text in [
            by(&|c| format!("%{:02x}", u32::from(c))),
            by(&|c| format!("={:02X}", u32::from(c))),
            by(&|c| format!("&#{};", u32::from(c))),
            by(&|c| format!("{:02x}", u32::from(c))),
            by(&|c| format!("\\\\u{:04x}", u32::from(c))),
            by(&|c| format!("{c} ")),
            by(&|c| format!("{c}\u{200b}")),
            by(&|c| char::from_u32(u32::from(c) + 0xfee0).expect("a letter").to_string()),
            ACCOUNT.replace('-', ":"),
            ACCOUNT.replace('-', " "),
            ACCOUNT.replace('-', "\\n"),
            format!("x{ACCOUNT}"),
            format!("{plain}0"),
            reversed,
            format!("[{}]", list.join(",")),
            "NmYyYzFkM2UtYTBiNC00YzhkLThlMGYtMTJhYjM0Y2Q1NmVm".into(),
            "bywdPqC0TI2ODxKrNM1W7w==".into(),
            "b-wdPqC0TI2ODxKrNM1W7w".into(),
            "AbcDefGhiJklMnoPqrStuV".replace("Abc", "AbCd"),
        ] {
            assert!(!reading(&text).1, "{text}");
            assert!(!words_of(text.as_bytes(), 1_024).contains("6f2"), "{text}");
        }
        for bytes in [&bytes[..], &bytes[..12], b"\x1f\x8b\x08\x00\x00\x00\x00\x00"] {
            assert!(!read(bytes).is_searchable);
            assert_eq!(words_of(bytes, 1_024), "");
        }
        let many: Vec<_> = (0..17).map(|n| Uuid::from_u128(n << 64 | 0xabc).to_string()).collect();
        assert!(!reading(&many.join(" ")).1);
    }

    #[test]
    fn what_was_cut_off_within_an_account_cannot_be_searched() {
        let body = format!(r#"{{"type":"GYM_CHECKIN","accountId":"{ACCOUNT}"#);
        let begins = body.len() - ACCOUNT.len();
        for length in begins + 1..body.len() {
            assert!(!read_fragment(&body.as_bytes()[..length]).is_searchable, "{length}");
            let words = words_of(&body.as_bytes()[..length], 1_024);
            assert!(words.starts_with(r#"{"type":"GYM_CHECKIN","accountId":"…"#), "{words}");
        }
        assert_eq!(read_fragment(body.as_bytes()).accounts.len(), 1, "the whole of it is found");
        assert!(read_fragment(b"nonsense").is_searchable);
        assert!(read_fragment(&body.as_bytes()[..begins]).is_searchable);
    }
}
