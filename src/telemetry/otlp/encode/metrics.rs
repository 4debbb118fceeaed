//! Metrics as OTLP has them. Knows nothing of sending, and no instrument by its name.

use super::{nanos, text};
use crate::telemetry::{
    metrics::{Exemplar, Family, Kind, Sample, Totals, Value},
    otlp::Temporality,
};
use opentelemetry_proto::tonic::{
    collector::metrics::v1::ExportMetricsServiceRequest,
    common::v1::KeyValue,
    metrics::v1::{
        AggregationTemporality, Exemplar as OtlpExemplar, Gauge, Histogram, HistogramDataPoint,
        Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, exemplar, metric::Data,
        number_data_point::Value as Number,
    },
};
use std::time::SystemTime;

/// Of that many points a request is kept well below the 4 MiB that gRPC's receivers take.
const POINTS_MAX: usize = 4096;

/// What the points of an export are about.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Window {
    pub(in super::super) temporality: Temporality,
    /// Since when totals are counted.
    pub(in super::super) start: SystemTime,
    /// The export before this one.
    pub(in super::super) last: SystemTime,
    pub(in super::super) now: SystemTime,
}

/// Requests with these samples, each with the number of its points; `resource`: who sends them.
pub(in super::super) fn requests(
    families: &[Family],
    window: &Window,
    resource: &[(String, String)],
) -> Vec<(ExportMetricsServiceRequest, usize)> {
    let mut requests = Vec::new();
    let (mut metrics, mut points) = (Vec::new(), 0);
    let mut left = families.iter().filter(|family| !family.samples.is_empty()).peekable();
    while let Some(family) = left.next() {
        points += family.samples.len();
        metrics.push(metric(family, window));
        let next = left.peek().map(|next| next.samples.len());
        if next.is_none_or(|next| points + next > POINTS_MAX) {
            requests.push((request(std::mem::take(&mut metrics), resource), points));
            points = 0;
        }
    }
    requests
}

fn request(metrics: Vec<Metric>, resource: &[(String, String)]) -> ExportMetricsServiceRequest {
    ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics {
            resource: Some(super::resource(resource)),
            scope_metrics: vec![ScopeMetrics {
                scope: Some(super::scope()),
                metrics,
                schema_url: String::new(),
            }],
            schema_url: String::new(),
        }],
    }
}

fn metric(family: &Family, window: &Window) -> Metric {
    let wanted = match window.temporality {
        Temporality::Cumulative => AggregationTemporality::Cumulative,
        Temporality::Delta => AggregationTemporality::Delta,
    };
    let data = match family.kind {
        Kind::Counter => Data::Sum(Sum {
            data_points: numbers(family, window),
            aggregation_temporality: wanted.into(),
            is_monotonic: true,
        }),
        Kind::UpDown => {
            let total = Window { temporality: Temporality::Cumulative, ..*window };
            Data::Sum(Sum {
                data_points: numbers(family, &total),
                aggregation_temporality: AggregationTemporality::Cumulative.into(),
                is_monotonic: false,
            })
        }
        Kind::Gauge => Data::Gauge(Gauge { data_points: numbers(family, window) }),
        Kind::Histogram => Data::Histogram(Histogram {
            data_points: histograms(family, window),
            aggregation_temporality: wanted.into(),
        }),
    };
    Metric {
        name: family.name.to_owned(),
        description: family.help.to_owned(),
        unit: family.unit.to_owned(),
        data: Some(data),
        ..Metric::default()
    }
}

impl Window {
    fn start(&self) -> u64 {
        nanos(match self.temporality {
            Temporality::Cumulative => self.start,
            Temporality::Delta => self.last,
        })
    }
}

fn numbers(family: &Family, window: &Window) -> Vec<NumberDataPoint> {
    // What is counted in things is whole.
    let whole = family.unit.starts_with('{');
    let start = if family.kind == Kind::Gauge { 0 } else { window.start() };
    let point = |sample: &Sample| match sample.value {
        Value::Number(number) => Some(NumberDataPoint {
            attributes: attributes(sample),
            start_time_unix_nano: start,
            time_unix_nano: nanos(window.now),
            value: Some(if whole {
                Number::AsInt(number as i64)
            } else {
                Number::AsDouble(number)
            }),
            ..NumberDataPoint::default()
        }),
        Value::Histogram(_) => None,
    };
    family.samples.iter().filter_map(point).collect()
}

fn histograms(family: &Family, window: &Window) -> Vec<HistogramDataPoint> {
    let point = |sample: &Sample| match &sample.value {
        Value::Histogram(totals) => Some(histogram(totals, attributes(sample), window)),
        Value::Number(_) => None,
    };
    family.samples.iter().filter_map(point).collect()
}

fn histogram(totals: &Totals, attributes: Vec<KeyValue>, window: &Window) -> HistogramDataPoint {
    // One that was told is not told again.
    let fresh = totals.exemplars.iter().flatten().filter(|exemplar| exemplar.at >= window.last);
    HistogramDataPoint {
        attributes,
        start_time_unix_nano: window.start(),
        time_unix_nano: nanos(window.now),
        count: totals.counts.iter().sum(),
        sum: Some(seconds(totals.sum)),
        bucket_counts: totals.counts.clone(),
        explicit_bounds: totals.bounds.iter().map(|&bound| seconds(bound)).collect(),
        exemplars: fresh.map(exemplar).collect(),
        ..HistogramDataPoint::default()
    }
}

fn exemplar(exemplar: &Exemplar) -> OtlpExemplar {
    OtlpExemplar {
        time_unix_nano: nanos(exemplar.at),
        trace_id: exemplar.trace.to_bytes().to_vec(),
        value: Some(exemplar::Value::AsDouble(seconds(exemplar.value))),
        ..OtlpExemplar::default()
    }
}

fn attributes(sample: &Sample) -> Vec<KeyValue> {
    sample.labels.iter().map(|(key, value)| text(key, value)).collect()
}

fn seconds(micros: u64) -> f64 {
    micros as f64 / 1_000_000.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::trace::TraceContext;
    use std::time::Duration;

    const SECOND: u64 = 1_000_000_000;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn family(kind: Kind, unit: &'static str, values: Vec<Value>) -> Family {
        let sample = |value| Sample { labels: vec![("route", "a".to_owned())], value };
        let samples = values.into_iter().map(sample).collect();
        Family { name: "agibridge.x", unit, help: "X.", kind, samples }
    }

    fn encoded(family: Family, temporality: Temporality) -> Metric {
        let window = Window { temporality, start: at(1), last: at(5), now: at(9) };
        let [(request, 1)] = &requests(&[family], &window, &[])[..] else { panic!("one point") };
        request.resource_metrics[0].scope_metrics[0].metrics[0].clone()
    }

    #[test]
    fn a_histogram_has_its_bounds_in_seconds_and_exemplars_that_are_new() {
        let trace = TraceContext::root().trace_id;
        let exemplar = |seconds| Some(Exemplar { trace, value: 70, at: at(seconds) });
        let totals = Totals {
            bounds: &[50, 1_000_000],
            counts: vec![2, 1, 1],
            sum: 2_500_000,
            exemplars: vec![exemplar(4), exemplar(6), None],
        };
        let family = family(Kind::Histogram, "s", vec![Value::Histogram(totals)]);
        let metric = encoded(family, Temporality::Cumulative);
        assert_eq!((metric.name.as_str(), metric.unit.as_str()), ("agibridge.x", "s"));
        let Some(Data::Histogram(histogram)) = metric.data else { panic!("{metric:?}") };
        let point = &histogram.data_points[0];
        assert_eq!((point.count, point.sum), (4, Some(2.5)));
        assert_eq!(point.bucket_counts, [2, 1, 1]);
        assert_eq!(point.explicit_bounds, [0.00005, 1.0]);
        assert_eq!((point.start_time_unix_nano, point.time_unix_nano), (SECOND, 9 * SECOND));
        assert_eq!(point.exemplars.len(), 1);
        assert_eq!(point.exemplars[0].trace_id, trace.to_bytes());
        assert_eq!(point.exemplars[0].value, Some(exemplar::Value::AsDouble(0.00007)));
    }

    #[test]
    fn where_deltas_are_wanted_what_goes_up_and_down_is_still_a_total() {
        for (kind, monotonic, temporality, start) in [
            (Kind::Counter, true, AggregationTemporality::Delta, 5),
            (Kind::UpDown, false, AggregationTemporality::Cumulative, 1),
        ] {
            let metric =
                encoded(family(kind, "{call}", vec![Value::Number(3.0)]), Temporality::Delta);
            let Some(Data::Sum(sum)) = metric.data else { panic!("{metric:?}") };
            assert_eq!((sum.is_monotonic, sum.aggregation_temporality()), (monotonic, temporality));
            assert_eq!(sum.data_points[0].value, Some(Number::AsInt(3)));
            assert_eq!(sum.data_points[0].start_time_unix_nano, start * SECOND);
        }
    }

    #[test]
    fn many_points_are_more_than_one_request() {
        let many = |count| family(Kind::Counter, "{call}", vec![Value::Number(1.0); count]);
        let families = [many(POINTS_MAX), many(1), many(0), many(POINTS_MAX - 1), many(1)];
        let window =
            Window { temporality: Temporality::Cumulative, start: at(1), last: at(1), now: at(2) };
        let requests = requests(&families, &window, &[]);
        let points: Vec<usize> = requests.iter().map(|(_, points)| *points).collect();
        assert_eq!(points, [POINTS_MAX, POINTS_MAX, 1]);
    }
}
