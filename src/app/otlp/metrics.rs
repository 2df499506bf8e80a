//! What Prometheus would be told, as OTLP's metrics: the same names, labels and numbers.

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint,
    ResourceMetrics, ScopeMetrics, Sum,
};
use prometheus::proto::{self, MetricFamily, MetricType};

use super::{nanos, resource, scope, text};
use crate::domain::Millis;

/// Counters and histograms count from the start of the process.
const SINCE_START: i32 = AggregationTemporality::Cumulative as i32;

pub fn request(
    families: &[MetricFamily],
    started: Millis,
    now: Millis,
) -> ExportMetricsServiceRequest {
    let times = Times { started: nanos(started), now: nanos(now) };
    let metrics = families.iter().filter_map(|family| metric(family, &times)).collect();
    let scope_metrics = ScopeMetrics { scope: Some(scope()), metrics, ..ScopeMetrics::default() };
    let all = ResourceMetrics {
        resource: Some(resource()),
        scope_metrics: vec![scope_metrics],
        ..ResourceMetrics::default()
    };
    ExportMetricsServiceRequest { resource_metrics: vec![all] }
}

struct Times {
    started: u64,
    now: u64,
}

/// A family; none of a kind that footfall has none of.
fn metric(family: &MetricFamily, times: &Times) -> Option<Metric> {
    let metrics = family.get_metric().iter();
    let data = match family.get_field_type() {
        MetricType::COUNTER => Data::Sum(Sum {
            data_points: metrics.map(|one| number(one, one.counter.value(), times)).collect(),
            aggregation_temporality: SINCE_START,
            is_monotonic: true,
        }),
        MetricType::GAUGE => Data::Gauge(Gauge {
            data_points: metrics.map(|one| number(one, one.gauge.value(), times)).collect(),
        }),
        MetricType::HISTOGRAM => Data::Histogram(Histogram {
            data_points: metrics.map(|one| histogram(one, times)).collect(),
            aggregation_temporality: SINCE_START,
        }),
        MetricType::SUMMARY | MetricType::UNTYPED => return None,
    };
    Some(Metric {
        name: family.name().to_owned(),
        description: family.help().to_owned(),
        data: Some(data),
        ..Metric::default()
    })
}

fn number(metric: &proto::Metric, value: f64, times: &Times) -> NumberDataPoint {
    NumberDataPoint {
        attributes: labels(metric),
        start_time_unix_nano: times.started,
        time_unix_nano: times.now,
        value: Some(Value::AsDouble(value)),
        ..NumberDataPoint::default()
    }
}

/// Prometheus counts up to each bound; OTLP between them, and above the last.
fn histogram(metric: &proto::Metric, times: &Times) -> HistogramDataPoint {
    let histogram = metric.histogram.get_or_default();
    let buckets = histogram.get_bucket();
    let bounds: Vec<_> = buckets.iter().map(|bucket| bucket.upper_bound()).collect();
    let up_to = buckets.iter().map(|bucket| bucket.cumulative_count());
    let mut before = 0;
    let counts = up_to.chain([histogram.get_sample_count()]).map(|count| {
        let between = count - before;
        before = count;
        between
    });
    HistogramDataPoint {
        attributes: labels(metric),
        start_time_unix_nano: times.started,
        time_unix_nano: times.now,
        count: histogram.get_sample_count(),
        sum: Some(histogram.get_sample_sum()),
        bucket_counts: counts.collect(),
        explicit_bounds: bounds,
        ..HistogramDataPoint::default()
    }
}

fn labels(metric: &proto::Metric) -> Vec<KeyValue> {
    metric.get_label().iter().map(|label| text(label.name(), label.value())).collect()
}
