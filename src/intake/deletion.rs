//! A deletion in a body that is no delivery: cut off, in UTF-16, with a mark or a word that JSON does
//! not have, or wrapped in something. It must not wait until somebody has mended the sender, so it
//! is read as far as it says whom it means, and no further.

use std::borrow::Cow;

use uuid::Uuid;

use crate::domain::event::Kind;
use crate::domain::ids::Account;

/// The account that a body asks to delete: it says so wherever it says a type, and means one
/// account alone.
pub fn find(body: &[u8]) -> Option<Account> {
    let text = decoded(body);
    let (mut kinds, mut accounts) = (Vec::new(), Vec::new());
    let mut rest = &*text;
    while let Some((name, after)) = next_name(rest) {
        match field(name).as_str() {
            "type" => kinds.push(string_at(after)?),
            "accountid" => accounts.extend(account_at(after)),
            _ => {}
        }
        rest = after;
    }
    accounts.dedup();
    let [account] = *accounts else { return None };
    let asks = !kinds.is_empty() && kinds.iter().all(|kind| is_deletion(kind));
    asks.then_some(Account(account))
}

/// Whether a type is that of a deletion, however it is written.
pub fn is_deletion(kind: &str) -> bool {
    kind.trim().eq_ignore_ascii_case(Kind::MembershipDelete.name())
}

/// A text in UTF-8, or in UTF-16 with a mark or as its first letter shows.
fn decoded(body: &[u8]) -> Cow<'_, str> {
    let wide = |of: fn([u8; 2]) -> u16| {
        let letters: Vec<u16> = body.chunks_exact(2).map(|two| of([two[0], two[1]])).collect();
        Cow::Owned(String::from_utf16_lossy(&letters))
    };
    match body {
        [0xff, 0xfe, ..] | [_, 0, ..] => wide(u16::from_le_bytes),
        [0xfe, 0xff, ..] | [0, _, ..] => wide(u16::from_be_bytes),
        _ => String::from_utf8_lossy(body),
    }
}

/// The next name of a field, and what follows the colon behind it.
fn next_name(mut text: &str) -> Option<(&str, &str)> {
    loop {
        let (_, begun) = text.split_once('"')?;
        let (name, after) = string(begun)?;
        if let Some(value) = after.trim_start().strip_prefix(':') {
            return Some((name, value.trim_start()));
        }
        text = after;
    }
}

/// What a string holds, as it is written, and what follows it.
fn string(begun: &str) -> Option<(&str, &str)> {
    let mut is_escaped = false;
    let end = begun.find(|letter| {
        let ends = letter == '"' && !is_escaped;
        is_escaped = letter == '\\' && !is_escaped;
        ends
    })?;
    Some((&begun[..end], &begun[end + 1..]))
}

/// The string that a value is.
fn string_at(value: &str) -> Option<Cow<'_, str>> {
    let (written, _) = string(value.strip_prefix('"')?)?;
    let read = serde_json::from_str(&format!("\"{written}\""));
    Some(read.map_or(Cow::Borrowed(written), Cow::Owned))
}

/// The account that a value is or holds; none when it is cut off.
fn account_at(value: &str) -> Option<Uuid> {
    let of = |value| Uuid::parse_str(string_at(value)?.trim()).ok();
    let inside = || {
        let inner = value.strip_prefix(['[', '{'])?;
        let (inner, _) = inner.split_once([']', '}'])?;
        inner.match_indices('"').find_map(|(at, _)| of(&inner[at..]))
    };
    of(value).or_else(inside)
}

/// `accountId`, `AccountID` and `account_id` are one.
fn field(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACCOUNT: &str = "6f2c1d3e-0000-4000-8000-000000000001";
    const OTHER: &str = "6f2c1d3e-0000-4000-8000-000000000002";

    fn found(body: &[u8]) -> bool {
        let account = find(body);
        assert!(account.is_none_or(|account| account.0.to_string() == ACCOUNT));
        account.is_some()
    }

    #[test]
    fn a_deletion_is_found_in_what_is_no_delivery() {
        let whole = format!(r#"{{"accountId":"{ACCOUNT}","type":"MEMBERSHIP_DELETE","timestamp":"#);
        for rest in ["NaN}", "undefined}", "01795}", "1,}", "", "17", "2026-11-27T02:00:00Z}", "}{"]
        {
            assert!(found(format!("{whole}{rest}").as_bytes()), "{rest}");
        }
        let text = format!("{whole}1}}");
        for body in [
            format!("[{text}]"),
            format!(r#"{{"event":{text},"name":"a\"b\\"}}"#),
            text.replace("accountId", "account_id"),
            text.replace("accountId", "AccountID").replace("type", "Type"),
            text.replace('_', "\\u005f"),
            text.replace(&format!("\"{ACCOUNT}\""), &format!("[\"{ACCOUNT}\"]")),
            text.replace(&format!("\"{ACCOUNT}\""), &format!(r#"{{"id":"{ACCOUNT}"}}"#)),
            text.replace("\"type\"", "\"type\":\"membership_delete\",\"type\""),
            text.replacen('{', "{\"accountId\":null,", 1),
        ] {
            assert!(found(body.as_bytes()), "{body}");
        }
        let wide = |of: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(of).collect::<Vec<u8>>();
        assert!(found(&wide(u16::to_le_bytes)) && found(&wide(u16::to_be_bytes)));
        assert!(found(&[&[0xff, 0xfe][..], &wide(u16::to_le_bytes)].concat()));
        assert!(found(&[text.as_bytes(), b"\0\xfc"].concat()));
    }

    #[test]
    fn whoever_is_not_meant_without_a_doubt_stays() {
        let text = format!(r#"{{"accountId":"{ACCOUNT}","type":"MEMBERSHIP_DELETE"}}"#);
        assert!(found(text.as_bytes()));
        let end = text.find(",\"type").expect("it is there");
        for length in 0..=end {
            assert!(!found(&text.as_bytes()[..length]), "{length}");
        }
        for body in [
            format!("[{text},{}]", text.replace(ACCOUNT, OTHER)),
            format!("[{text},{}]", text.replace("MEMBERSHIP_DELETE", "GYM_CHECKIN")),
            text.replace("\"type\"", "\"type\":\"GYM_CHECKIN\",\"type\""),
            text.replace("\"type\"", "\"of\""),
            text.replace("accountId", "card"),
            text.replace("MEMBERSHIP_DELETE", "MEMBERSHIP_DELETED"),
            text.replace("\"MEMBERSHIP_DELETE\"", "7"),
            text.replace(ACCOUNT, "nonsense"),
            serde_json::to_string(&text).expect("a text"),
        ] {
            assert!(!found(body.as_bytes()), "{body}");
        }
    }
}
