//! A histogram that has Prometheus' native buckets beside the classic ones. The library knows the
//! classic ones only, so the native ones travel as fields of the message that it does not know; in
//! the text format they do not exist.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prometheus::Histogram;
use prometheus::core::{Collector, Desc};
use prometheus::proto::{self, MetricFamily};
use protobuf::{Message, UnknownFields, UnknownValue};

/// Each doubling is cut into 2 to the power of this many buckets: a quantile is right within 9 %.
const SCHEMA: i32 = 3;
/// What was shorter counts as this, and what was longer as the next, in seconds: no more buckets
/// than 30 doublings have.
const SECONDS_MIN: f64 = 1e-6;
const SECONDS_MAX: f64 = 1_000.0;
/// What is up to this counts as nothing. Native histograms are told by it from classic ones.
const ZERO_THRESHOLD: f64 = f64::MIN_POSITIVE;

/// The numbers of fields of `io.prometheus.client.Histogram`, and of a span in it.
mod field {
    pub const SCHEMA: u32 = 5;
    pub const ZERO_THRESHOLD: u32 = 6;
    pub const ZERO_COUNT: u32 = 7;
    pub const POSITIVE_SPAN: u32 = 12;
    pub const POSITIVE_DELTA: u32 = 13;
    pub const SPAN_OFFSET: u32 = 1;
    pub const SPAN_LENGTH: u32 = 2;
}

/// By the bucket's number: how many were above 2^((number - 1) / 2^schema), and up to 2^(number /
/// 2^schema).
type Counts = BTreeMap<i32, i64>;

#[derive(Clone)]
pub struct FineHistogram {
    classic: Histogram,
    /// Held while either is looked at or counted: Prometheus refuses what does not add up.
    counts: Arc<Mutex<Counts>>,
}

impl FineHistogram {
    pub fn of(classic: Histogram) -> FineHistogram {
        FineHistogram { classic, counts: Arc::default() }
    }

    pub fn observe(&self, seconds: f64) {
        let mut counts = self.counts();
        self.classic.observe(seconds);
        *counts.entry(number_of(seconds)).or_default() += 1;
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Collector for FineHistogram {
    fn desc(&self) -> Vec<&Desc> {
        self.classic.desc()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let counts = self.counts();
        let mut families = self.classic.collect();
        for metric in families.iter_mut().flat_map(MetricFamily::mut_metric) {
            let histogram = metric.histogram.mut_or_insert_default();
            add_native(histogram.special_fields.mut_unknown_fields(), &counts);
        }
        families
    }
}

/// The bucket of a time.
fn number_of(seconds: f64) -> i32 {
    let doublings = seconds.clamp(SECONDS_MIN, SECONDS_MAX).log2();
    (doublings * f64::from(1 << SCHEMA)).ceil() as i32
}

/// Runs of buckets, each with how far it begins after the one before; and each bucket's difference
/// from the one before.
fn add_native(fields: &mut UnknownFields, counts: &Counts) {
    fields.add_value(field::SCHEMA, UnknownValue::sint32(SCHEMA));
    fields.add_fixed64(field::ZERO_THRESHOLD, ZERO_THRESHOLD.to_bits());
    fields.add_varint(field::ZERO_COUNT, 0);
    let mut spans: Vec<(i32, u64)> = Vec::new();
    let (mut next, mut before) = (0, 0);
    for (number, count) in counts {
        match spans.last_mut() {
            Some((_, length)) if *number == next => *length += 1,
            _ => spans.push((number - next, 1)),
        }
        fields.add_value(field::POSITIVE_DELTA, UnknownValue::sint64(count - before));
        (next, before) = (number + 1, *count);
    }
    for (offset, length) in spans {
        let mut span = UnknownFields::new();
        span.add_value(field::SPAN_OFFSET, UnknownValue::sint32(offset));
        span.add_varint(field::SPAN_LENGTH, length);
        fields.add_length_delimited(field::POSITIVE_SPAN, message(span));
    }
}

/// A message of fields that the library does not know, as bytes.
fn message(fields: UnknownFields) -> Vec<u8> {
    let mut message = proto::Histogram::default();
    *message.special_fields.mut_unknown_fields() = fields;
    message.write_to_bytes().expect("memory can be written to")
}
