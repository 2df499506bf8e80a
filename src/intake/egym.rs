//! EGYM's deliveries: one flat JSON object, `{accountId, timestamp, type}` (model section 2).
//!
//! Whatever else the object holds is kept as it was sent. What cannot become an event says why,
//! so that it can wait in quarantine.

use std::borrow::Cow;
use std::fmt::{self, Write};

use serde::de::{Error as _, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::domain::Millis;
use crate::domain::event::{EARLIEST_AT, Event, FUTURE_MAX, Kind};
use crate::domain::ids::Account;

/// The longest event type, in bytes.
pub const TYPE_BYTES_MAX: usize = 128;

/// What a body turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// The sender tries whether we are there; part of no timeline.
    Test,
    Event(Event),
}

/// Why a body cannot be appended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    #[error("the body is not JSON: {0}")]
    NotJson(String),
    #[error("the body has not the shape {{accountId, timestamp, type}}: {0}")]
    Shape(String),
    #[error("`timestamp` is before 2015-01-01T00:00:00Z; it is in milliseconds since 1970, UTC")]
    TooEarly,
    #[error("`timestamp` is more than 10 minutes in the future; check the sender's clock and ours")]
    TooFarAhead,
}

/// Reads a delivery that was received at `received_at`.
pub fn parse(body: &[u8], received_at: Millis) -> Result<Delivery, Unfit> {
    let payload: Payload = serde_json::from_slice(body).map_err(|error| {
        let text = describe(&error);
        if error.is_data() { Unfit::Shape(text) } else { Unfit::NotJson(text) }
    })?;
    let kind = payload.kind.ok_or_else(|| Unfit::Shape("`type` is missing".into()))?;
    if kind == "TEST" {
        return Ok(Delivery::Test);
    }
    if kind.is_empty() || kind.len() > TYPE_BYTES_MAX {
        return Err(Unfit::Shape(format!("`type` has 1 to {TYPE_BYTES_MAX} bytes")));
    }
    let account = payload.account.ok_or_else(|| Unfit::Shape("`accountId` is missing".into()))?;
    let account = Uuid::parse_str(raw_text(account)?.as_ref())
        .map_err(|_| Unfit::Shape("`accountId` is not a UUID".into()))?;
    let at = payload.timestamp.ok_or_else(|| Unfit::Shape("`timestamp` is missing".into()))?;
    let at: Millis = at.get().parse().map_err(|_| {
        Unfit::Shape("`timestamp` is not a whole number of milliseconds since 1970, UTC".into())
    })?;
    in_time(at, received_at)?;
    let extra = (!payload.extra.is_empty()).then(|| format!("{{{}}}", payload.extra).into());
    Ok(Delivery::Event(Event {
        account: Account(account),
        at,
        kind: Kind::from_name(&kind),
        extra,
    }))
}

/// Whether an event of that time can be believed by somebody who learns of it `now`.
pub fn in_time(at: Millis, now: Millis) -> Result<(), Unfit> {
    if at < EARLIEST_AT {
        return Err(Unfit::TooEarly);
    }
    if at > now.saturating_add(FUTURE_MAX) {
        return Err(Unfit::TooFarAhead);
    }
    Ok(())
}

/// The parser's words, less any that quote the body: an account must never reach a log or an
/// answer.
fn describe(error: &serde_json::Error) -> String {
    let place = format!("at line {}, column {}", error.line(), error.column());
    let text = error.to_string();
    match text.split_once('`') {
        Some(("duplicate field ", _)) => format!("a field occurs twice, {place}"),
        _ if error.is_eof() => format!("it ends too soon, {place}"),
        _ if error.is_data() => format!("it is no such object, {place}"),
        _ => format!("a mistake {place}"),
    }
}

fn raw_text(value: &RawValue) -> Result<Cow<'_, str>, Unfit> {
    serde_json::from_str(value.get()).map_err(|_| Unfit::Shape("`accountId` is not a text".into()))
}

/// The object as it came. A TEST need carry no more than its type, so all fields are optional
/// here and looked at later.
#[derive(Default)]
struct Payload<'a> {
    account: Option<&'a RawValue>,
    timestamp: Option<&'a RawValue>,
    kind: Option<String>,
    /// The members of the object that we do not know, as they were sent, joined by commas.
    extra: String,
}

impl<'de: 'a, 'a> Deserialize<'de> for Payload<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Fields)
    }
}

struct Fields;

impl<'de> Visitor<'de> for Fields {
    type Value = Payload<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Payload<'de>, A::Error> {
        let mut payload = Payload::default();
        while let Some(name) = map.next_key::<String>()? {
            match name.as_str() {
                "accountId" => once(&mut payload.account, map.next_value()?)?,
                "timestamp" => once(&mut payload.timestamp, map.next_value()?)?,
                "type" => once(&mut payload.kind, map.next_value()?)?,
                _ => {
                    let value: &RawValue = map.next_value()?;
                    let name = serde_json::Value::String(name);
                    let comma = if payload.extra.is_empty() { "" } else { "," };
                    write!(payload.extra, "{comma}{name}:{}", value.get())
                        .expect("a string takes all that is written");
                }
            }
        }
        Ok(payload)
    }

    fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Err(A::Error::custom("an array"))
    }
}

fn once<T, E: serde::de::Error>(place: &mut Option<T>, value: T) -> Result<(), E> {
    if place.is_some() {
        return Err(E::duplicate_field("`"));
    }
    *place = Some(value);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Millis = 1_772_442_000_000;
    const ACCOUNT: &str = "6f2c1d3e-0000-4000-8000-000000000001";

    fn unfit(body: &str) -> Unfit {
        parse(body.as_bytes(), NOW).expect_err(body)
    }

    fn event(body: &str) -> Event {
        match parse(body.as_bytes(), NOW) {
            Ok(Delivery::Event(event)) => event,
            other => panic!("{body}: {other:?}"),
        }
    }

    #[test]
    fn an_event_keeps_what_we_do_not_know() {
        let body = format!(
            r#"{{"accountId":"{ACCOUNT}","b":{{"x":[1, 2.50]}},"timestamp":{NOW},"type":"SWIM","ä\"":null}}"#
        );
        let event = event(&body);
        assert_eq!(event.kind, Kind::Unknown("SWIM".into()));
        assert_eq!(event.extra.as_deref(), Some(r#"{"b":{"x":[1, 2.50]},"ä\"":null}"#));
    }

    #[test]
    fn nesting_however_deep_is_kept() {
        let deep = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));
        let body = format!(
            r#"{{"accountId":"{ACCOUNT}","timestamp":{NOW},"type":"GYM_CHECKIN","d":{deep}}}"#
        );
        assert_eq!(event(&body).kind, Kind::Checkin);
    }

    #[test]
    fn a_test_needs_no_account() {
        assert_eq!(parse(br#"{"type":"TEST"}"#, NOW), Ok(Delivery::Test));
    }

    #[test]
    fn time_has_its_bounds() {
        let with = |at: &str| {
            format!(r#"{{"accountId":"{ACCOUNT}","timestamp":{at},"type":"GYM_CHECKIN"}}"#)
        };
        assert_eq!(event(&with("1420070400000")).at, EARLIEST_AT);
        assert_eq!(unfit(&with("1420070399999")), Unfit::TooEarly);
        assert_eq!(unfit(&with("-1")), Unfit::TooEarly);
        assert_eq!(event(&with(&(NOW + FUTURE_MAX).to_string())).at, NOW + FUTURE_MAX);
        assert_eq!(unfit(&with(&(NOW + FUTURE_MAX + 1).to_string())), Unfit::TooFarAhead);
        for no_number in ["1.5", "1e30", "\"1772442000000\"", "null", "99999999999999999999"] {
            assert!(matches!(unfit(&with(no_number)), Unfit::Shape(_)), "{no_number}");
        }
    }

    #[test]
    fn what_is_no_delivery_says_why_without_quoting_it() {
        for not_json in ["", "{", "nonsense", "{\"accountId\":", "{} trailing"] {
            assert!(matches!(unfit(not_json), Unfit::NotJson(_)), "{not_json}");
        }
        let twice =
            format!(r#"{{"accountId":"{ACCOUNT}","accountId":"{ACCOUNT}","type":"GYM_CHECKIN"}}"#);
        for shape in ["[]", "1", "{}", r#"{"type":5}"#, r#"{"type":"GYM_CHECKIN"}"#, &twice] {
            assert!(matches!(unfit(shape), Unfit::Shape(_)), "{shape}");
        }
        assert!(unfit(&twice).to_string().contains("occurs twice"));
        assert!(
            !unfit(&format!(r#"{{"type":"A","accountId":"{ACCOUNT}x","timestamp":1}}"#))
                .to_string()
                .contains("6f2c")
        );
        assert!(matches!(parse(b"{\"type\":\"\xff\"}", NOW), Err(Unfit::NotJson(_))));
    }
}
