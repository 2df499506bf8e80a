//! EGYM's deliveries: one flat JSON object, `{accountId, timestamp, type}` (model section 2).
//!
//! Whatever else the object holds is kept as it was sent, as far as it can be searched. What cannot become an event says why,
//! so that it can wait in quarantine.

use std::borrow::Cow;
use std::fmt::{self, Write};

use serde::de::{Error as _, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::error::Category;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::deletion;
use crate::domain::Millis;
use crate::domain::event::{EARLIEST_AT, Event, FUTURE_MAX, Kind};
use crate::domain::foreign_text::{self, ForeignText};
use crate::domain::ids::Account;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The longest event type, in bytes.
pub const TYPE_BYTES_MAX: usize = 128;

/// The most bytes of fields that we do not know and that are kept with an event.
pub const EXTRA_BYTES_MAX: usize = 4 * 1024;

/// What a body turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// The sender tries whether we are there; part of no timeline.
    Test,
    Event(Event),
}

impl Delivery {
    /// Whether it asks to erase a member.
    pub fn is_deletion(&self) -> bool {
        matches!(self, Delivery::Event(event) if event.kind == Kind::MembershipDelete)
    }
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

/// Reads a delivery that was received at `received_at`. A byte order mark before it and white space
/// around it do no harm; nor does anything else to a deletion that names an account.
pub fn parse(body: &[u8], received_at: Millis) -> Result<Delivery, Unfit> {
    read(body, received_at).or_else(|unfit| {
        let account = deletion::find(body).ok_or(unfit)?;
        let (at, kind) = (received_at, Kind::MembershipDelete);
        Ok(Delivery::Event(Event { account, at, kind, extra: None }))
    })
}

fn read(body: &[u8], received_at: Millis) -> Result<Delivery, Unfit> {
    let body = body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(body);
    let payload: Payload = serde_json::from_slice(body).map_err(|error| {
        let text = describe(&error);
        if error.is_data() { Unfit::Shape(text) } else { Unfit::NotJson(text) }
    })?;
    let kind = kind_of(&payload)?;
    if kind == "TEST" {
        return Ok(Delivery::Test);
    }
    let account = account_of(&payload)?;
    let extra = (!payload.extra.is_empty()).then(|| format!("{{{}}}", payload.extra).into());
    let event = |at, kind| Delivery::Event(Event { account, at, kind, extra });
    if deletion::is_deletion(&kind) {
        // Whatever its time is like, it is carried out: one that cannot be believed counts for now.
        let at = time_of(&payload).and_then(|at| in_time(at, received_at).map(|()| at));
        return Ok(event(at.unwrap_or(received_at), Kind::MembershipDelete));
    }
    payload.has_each_field_once()?;
    let at = time_of(&payload)?;
    in_time(at, received_at)?;
    Ok(event(at, Kind::from_name(&kind)))
}

fn kind_of(payload: &Payload<'_>) -> Result<String, Unfit> {
    let kinds = payload.kind.iter().map(|kind| serde_json::from_str(kind.get()));
    let mut kinds: Vec<String> =
        kinds.collect::<Result<_, _>>().map_err(|_| Unfit::Shape("`type` is not a text".into()))?;
    kinds.dedup();
    match (kinds.pop(), kinds.is_empty()) {
        (None, _) => Err(Unfit::Shape("`type` is missing".into())),
        (Some(_), false) => Err(Unfit::Shape("`type` occurs twice".into())),
        (Some(kind), true) if kind.is_empty() || kind.len() > TYPE_BYTES_MAX => {
            Err(Unfit::Shape(format!("`type` has 1 to {TYPE_BYTES_MAX} bytes")))
        }
        (Some(kind), true) if !matches!(Kind::from_name(&kind), Kind::Unknown(_)) => Ok(kind),
        (Some(kind), true) if foreign_text::read(kind.as_bytes()).names_nobody() => Ok(kind),
        (Some(_), true) => {
            Err(Unfit::Shape("`type` is no plain word; whom it names could not be erased".into()))
        }
    }
}

/// The one account that is named, however often and however it is written.
fn account_of(payload: &Payload<'_>) -> Result<Account, Unfit> {
    let accounts = payload.account.iter().map(|account| {
        let text: Cow<'_, str> = serde_json::from_str(account.get())
            .map_err(|_| Unfit::Shape("`accountId` is not a text".into()))?;
        Uuid::parse_str(text.trim()).map_err(|_| Unfit::Shape("`accountId` is not a UUID".into()))
    });
    let mut accounts: Vec<Uuid> = accounts.collect::<Result<_, _>>()?;
    accounts.dedup();
    match *accounts {
        [] => Err(Unfit::Shape("`accountId` is missing".into())),
        [account] => Ok(Account(account)),
        _ => Err(Unfit::Shape("`accountId` occurs twice".into())),
    }
}

fn time_of(payload: &Payload<'_>) -> Result<Millis, Unfit> {
    let [time] = *payload.timestamp else {
        let word = if payload.timestamp.is_empty() { "is missing" } else { "occurs twice" };
        return Err(Unfit::Shape(format!("`timestamp` {word}")));
    };
    whole_number(time.get()).ok_or_else(|| {
        Unfit::Shape("`timestamp` is not a whole number of milliseconds since 1970, UTC".into())
    })
}

/// A JSON number that is whole, also when it is written with a fraction of zeros or an exponent:
/// `1795.0`, `1.795e3`.
fn whole_number(text: &str) -> Option<i64> {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let fraction = fraction.trim_end_matches('0');
    let digits: i64 = format!("{whole}{fraction}").parse().ok()?;
    let zeros = exponent.checked_sub(i32::try_from(fraction.len()).ok()?)?;
    let Ok(zeros) = u32::try_from(zeros) else {
        let divisor = 10_i64.checked_pow(zeros.unsigned_abs())?;
        return (digits % divisor == 0).then_some(digits / divisor);
    };
    digits.checked_mul(10_i64.checked_pow(zeros)?)
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
    match error.classify() {
        Category::Eof => format!("it ends too soon, {place}"),
        Category::Data => format!("it is no such object, {place}"),
        Category::Syntax | Category::Io => format!("a mistake {place}"),
    }
}

/// The object as it came. A TEST need carry no more than its type, and a deletion may carry
/// anything beside its account, so all fields are optional here and looked at later.
#[derive(Default)]
struct Payload<'a> {
    account: Vec<&'a RawValue>,
    timestamp: Vec<&'a RawValue>,
    kind: Vec<&'a RawValue>,
    /// The members of the object that we do not know, as they were sent, joined by commas.
    extra: String,
    /// What they are together.
    read: ForeignText,
}

impl Payload<'_> {
    /// Keeps a field that we do not know, as far as an erasure could find every account in it.
    fn keep(&mut self, name: String, value: &RawValue) {
        let name = serde_json::Value::String(name).to_string();
        let room = EXTRA_BYTES_MAX.saturating_sub(self.extra.len());
        let with_name = self.read.clone().beside(foreign_text::read(name.as_bytes()));
        if !with_name.is_searchable || name.len() > room {
            return;
        }
        let comma = if self.extra.is_empty() { "" } else { "," };
        let with_value = with_name.clone().beside(foreign_text::read(value.get().as_bytes()));
        let written = if with_value.is_searchable && value.get().len() <= room - name.len() {
            self.read = with_value;
            write!(self.extra, "{comma}{name}:{}", value.get())
        } else {
            self.read = with_name;
            let bytes = value.get().len();
            write!(self.extra, r#"{comma}{name}:"not kept: {bytes} bytes""#)
        };
        written.expect("a string takes all that is written");
    }

    fn has_each_field_once(&self) -> Result<(), Unfit> {
        let fields =
            [("accountId", &self.account), ("timestamp", &self.timestamp), ("type", &self.kind)];
        match fields.iter().find(|(_, values)| values.len() > 1) {
            Some((name, _)) => Err(Unfit::Shape(format!("`{name}` occurs twice"))),
            None => Ok(()),
        }
    }
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
            let value: &RawValue = map.next_value()?;
            match name.as_str() {
                "accountId" => payload.account.push(value),
                "timestamp" => payload.timestamp.push(value),
                "type" => payload.kind.push(value),
                _ => payload.keep(name, value),
            }
        }
        Ok(payload)
    }

    fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Err(A::Error::custom("an array"))
    }
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
        for whole in [
            "1772442000000.0",
            "1.772442e12",
            "17724420E5",
            "1772442000000e-0",
            "1772442000000000e-3",
        ] {
            assert_eq!(event(&with(whole)).at, 1_772_442_000_000, "{whole}");
        }
        assert_eq!(unfit(&with("-1.0")), Unfit::TooEarly);
        for no_number in [
            "1772442000000.5",
            "1e-400",
            "1e2147483648",
            "1.5",
            "1e30",
            "\"1772442000000\"",
            "null",
            "99999999999999999999",
        ] {
            assert!(matches!(unfit(&with(no_number)), Unfit::Shape(_)), "{no_number}");
        }
    }

    #[test]
    fn a_mark_before_the_body_and_space_in_it_do_no_harm() {
        let body = format!(
            "\u{feff} \r\n{{\"accountId\" : \" {ACCOUNT} \",\t\"timestamp\":{NOW},\"type\":\"GYM_CHECKIN\"}} \n"
        );
        assert_eq!(event(&body).kind, Kind::Checkin);
    }

    #[test]
    fn a_deletion_that_names_an_account_is_one_whatever_its_time_is_like() {
        let at = |text: &str| {
            let body =
                format!(r#"{{"accountId":"{ACCOUNT}",{text}"type":"MEMBERSHIP_DELETE","x":[1]}}"#);
            let event = event(&body);
            assert_eq!(event.kind, Kind::MembershipDelete, "{body}");
            event.at
        };
        for unusable in [
            "",
            "\"timestamp\":null,",
            "\"timestamp\":\"1772441000000\",",
            "\"timestamp\":\"yesterday\",",
            "\"timestamp\":1772441000,",
            "\"timestamp\":-1,",
            "\"timestamp\":1772441000000.5,",
            "\"timestamp\":1e400,",
            "\"timestamp\":9223372036854775807,",
            "\"timestamp\":[{}],",
            "\"timestamp\":1772441000000,\"timestamp\":1772441000001,",
        ] {
            assert_eq!(at(unusable), NOW, "{unusable}");
        }
        assert_eq!(at("\"timestamp\":1772441000000,"), 1_772_441_000_000);
        let forms = [
            ACCOUNT.to_uppercase(),
            ACCOUNT.replace('-', ""),
            format!("{{{ACCOUNT}}}"),
            format!("urn:uuid:{ACCOUNT}"),
            format!(" {ACCOUNT}\\n"),
        ];
        for form in forms {
            let body = format!(r#"{{"type":" Membership_Delete","accountId":"{form}"}}"#);
            assert_eq!(event(&body).account.0.to_string(), ACCOUNT, "{form}");
        }
        let twice = format!(r#""accountId":"{ACCOUNT}","accountId":"{}","#, ACCOUNT.to_uppercase());
        assert_eq!(event(&format!(r#"{{{twice}"type":"MEMBERSHIP_DELETE"}}"#)).at, NOW);
        let two = twice.replace("0001", "0002").replacen("0002", "0001", 1);
        assert!(matches!(
            unfit(&format!(r#"{{{two}"type":"MEMBERSHIP_DELETE"}}"#)),
            Unfit::Shape(_)
        ));
    }

    #[test]
    fn what_is_no_delivery_says_why_without_quoting_it() {
        for not_json in ["", "{", "nonsense", "{\"accountId\":", "{} trailing"] {
            assert!(matches!(unfit(not_json), Unfit::NotJson(_)), "{not_json}");
        }
        let twice = format!(
            r#"{{"accountId":"{ACCOUNT}","accountId":"{ACCOUNT}","timestamp":{NOW},"type":"X"}}"#
        );
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
