//! What a reader would rather have, by the weights of the header `Accept` (RFC 9110, section 12.5.1).

use actix_web::http::header::{ACCEPT, HeaderMap};

/// A weight in thousandths.
type Weight = u16;
const WEIGHT_MAX: Weight = 1_000;

/// How a kind of answer is wanted: first what counts more. Of two of the same weight, the one that
/// is named more closely; of two that are named as closely, the one that is named first.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Wish {
    weight: Weight,
    closeness: u8,
    /// Less for what comes later.
    place: isize,
}

/// The message of Prometheus' protobuf format, which its kind is told by.
const METRICS_MESSAGE: &str = "io.prometheus.client.MetricFamily";

/// Whether metrics are wanted in Prometheus' protobuf format more than as text. Who does not name it
/// gets text.
pub fn prefers_protobuf(headers: &HeaderMap) -> bool {
    let ranges = ranges(headers);
    let named: Vec<_> =
        ranges.iter().filter(|range| range.contains(METRICS_MESSAGE)).copied().collect();
    let protobuf = wish(&named, "application", "vnd.google.protobuf");
    let text = wish(&ranges, "text", "plain");
    protobuf.as_ref().is_some_and(|wish| wish.weight > 0)
        && protobuf.map(|wish| wish.weight) >= text.map(|wish| wish.weight)
}

fn ranges(headers: &HeaderMap) -> Vec<&str> {
    let lines = headers.get_all(ACCEPT).filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).map(str::trim).collect()
}

/// Whether CSV is wanted more than JSON. Who does not say gets JSON.
pub fn prefers_csv(headers: &HeaderMap) -> bool {
    let ranges = ranges(headers);
    let csv = wish(&ranges, "text", "csv");
    let json = wish(&ranges, "application", "json");
    csv > json && csv.is_some_and(|csv| csv.weight > 0)
}

/// The wish for one kind; none when no range covers it.
fn wish(ranges: &[&str], kind: &str, subkind: &str) -> Option<Wish> {
    let covering = ranges.iter().zip(0..).filter_map(|(range, place)| {
        let mut parts = range.split(';').map(str::trim);
        let (range_kind, range_subkind) = parts.next()?.split_once('/')?;
        let closeness = match (range_kind, range_subkind) {
            ("*", "*") => 0,
            (one, "*") if one.eq_ignore_ascii_case(kind) => 1,
            (one, other)
                if one.eq_ignore_ascii_case(kind) && other.eq_ignore_ascii_case(subkind) =>
            {
                2
            }
            _ => return None,
        };
        let weight = parts.find_map(weight_of).unwrap_or(WEIGHT_MAX);
        Some(Wish { weight, closeness, place: -place })
    });
    covering.max_by_key(|wish| (wish.closeness, wish.place))
}

/// The value of `q`; what is none counts as if it were not there.
fn weight_of(parameter: &str) -> Option<Weight> {
    let (name, value) = parameter.split_once('=')?;
    let value: f32 = value.trim().parse().ok().filter(|value| (0.0..=1.0).contains(value))?;
    #[expect(clippy::cast_sign_loss, reason = "it is not below 0")]
    let weight = (value * f32::from(WEIGHT_MAX)).round() as Weight;
    name.trim().eq_ignore_ascii_case("q").then_some(weight)
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn is_csv(accept: &[&str]) -> bool {
        let request = accept
            .iter()
            .fold(TestRequest::default(), |request, line| request.append_header((ACCEPT, *line)));
        prefers_csv(request.to_http_request().headers())
    }

    #[test]
    fn metrics_are_text_unless_their_message_is_named() {
        let named = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily";
        let asks = |accept: &str| {
            let request = TestRequest::default().append_header((ACCEPT, accept));
            prefers_protobuf(request.to_http_request().headers())
        };
        assert!(asks(named));
        assert!(asks(&format!(
            "{named};encoding=delimited,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
        )));
        assert!(!asks(&format!("{named};q=0.3, text/plain;version=0.0.4")));
        assert!(!asks(&format!("{named};q=0")));
        for text in ["*/*", "application/*", "application/vnd.google.protobuf", ""] {
            assert!(!asks(text), "{text}");
        }
    }

    #[test]
    fn weights_decide_and_json_is_what_nobody_asks_for() {
        for csv in [
            "text/csv",
            "TEXT/CSV;q=0.2",
            "text/csv, */*",
            "text/*",
            "text/csv;header=present;q=0.5, application/json;q=0.4",
            "application/json;q=0, */*",
            "text/csv, application/json",
        ] {
            assert!(is_csv(&[csv]), "{csv}");
        }
        for json in [
            "*/*",
            "text/csv;q=0.1, application/json",
            "text/csv;q=0",
            "text/csv;q=0, */*",
            "text/csv; q=0.000, application/json; q=0.001",
            "application/json, text/csv",
            "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
            "text/csvx",
            "nonsense",
            "",
        ] {
            assert!(!is_csv(&[json]), "{json}");
        }
        assert!(!is_csv(&[]));
        assert!(!is_csv(&["text/csv;q=0.3", "application/json;q=0.9"]), "over two lines");
    }
}
