//! Requests as OTLP's traces: one span for each, of its own trace. Who asks for a request to belong to
//! another trace is a stranger, and not asked.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{self, ResourceSpans, ScopeSpans, Status};
use uuid::Uuid;

use super::{attribute, nanos, resource, scope, text};
use crate::http::metrics::spans::Span;

/// Bytes of a span's id; a trace's id has 16.
const SPAN_ID_BYTES: usize = 8;
/// From here on it is our fault.
const OUR_FAULT: u16 = 500;

pub fn request(spans: &[Span]) -> ExportTraceServiceRequest {
    let spans = spans.iter().map(span).collect();
    let scope_spans = ScopeSpans { scope: Some(scope()), spans, ..ScopeSpans::default() };
    let all = ResourceSpans {
        resource: Some(resource()),
        scope_spans: vec![scope_spans],
        ..ResourceSpans::default()
    };
    ExportTraceServiceRequest { resource_spans: vec![all] }
}

fn span(span: &Span) -> v1::Span {
    let ended = nanos(span.ended);
    let took = u64::try_from(span.took.as_nanos()).unwrap_or(0);
    let code = if span.status >= OUR_FAULT { StatusCode::Error } else { StatusCode::Unset };
    v1::Span {
        trace_id: Uuid::new_v4().into_bytes().to_vec(),
        span_id: Uuid::new_v4().into_bytes()[..SPAN_ID_BYTES].to_vec(),
        name: format!("{} {}", span.method, span.route),
        kind: SpanKind::Server.into(),
        start_time_unix_nano: ended.saturating_sub(took),
        end_time_unix_nano: ended,
        attributes: vec![
            text("http.request.method", span.method),
            text("http.route", &span.route),
            attribute("http.response.status_code", Value::IntValue(span.status.into())),
        ],
        status: Some(Status { code: code.into(), ..Status::default() }),
        ..v1::Span::default()
    }
}
