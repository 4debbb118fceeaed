//! The bridge's metrics at a collector: the same as on its page, whatever the collector does to them.

use crate::harness::{
    Asterisk, Bridge, Collector, Manner, Service, attributes, collector_variables, end, nowhere,
    until,
};
use agi_bridge::{
    proto::{Noop, command::Command as Kind},
    telemetry::otlp::Protocol,
};
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, HistogramDataPoint, Metric, NumberDataPoint, metric::Data,
    number_data_point::Value,
};

const NOOP: &str = r#"NOOP "s3cret""#;

async fn service() -> Service {
    Service::start(|mut caller| async move {
        caller.started().await;
        caller.run(Kind::Noop(Noop { text: "s3cret".into() })).await;
        caller.send(end()).await;
        caller.ended().await;
        Ok(())
    })
    .await
}

async fn call(bridge: &Bridge) {
    let mut asterisk = Asterisk::call(bridge.address()).await;
    asterisk.expect(NOOP, "200 result=0\n").await;
    asterisk.finish().await;
}

fn every(millis: &str, collector: &Collector) -> Vec<(&'static str, String)> {
    let mut variables = collector.variables();
    variables.push(("OTEL_METRIC_EXPORT_INTERVAL", millis.to_owned()));
    variables
}

fn find<'a>(metrics: &'a [Metric], name: &str) -> Option<&'a Metric> {
    metrics.iter().find(|metric| metric.name == name)
}

fn numbers<'a>(metrics: &'a [Metric], name: &str) -> &'a [NumberDataPoint] {
    match find(metrics, name).and_then(|metric| metric.data.as_ref()) {
        Some(Data::Sum(sum)) => &sum.data_points,
        Some(Data::Gauge(gauge)) => &gauge.data_points,
        _ => &[],
    }
}

fn histograms<'a>(metrics: &'a [Metric], name: &str) -> &'a [HistogramDataPoint] {
    match find(metrics, name).and_then(|metric| metric.data.as_ref()) {
        Some(Data::Histogram(histogram)) => &histogram.data_points,
        _ => &[],
    }
}

fn ended(count: u64) -> impl Fn(&[Metric]) -> bool {
    move |metrics| {
        let points = histograms(metrics, "agibridge.call.duration");
        points.iter().map(|point| point.count).sum::<u64>() == count
    }
}

#[tokio::test]
async fn what_the_page_shows_is_at_the_collector_with_names_in_dots() {
    let collector = Collector::start(Manner::Keeps).await;
    let service = service().await;
    let sections = "shutdown: {linger: 0s}\n";
    let variables = every("3600000", &collector);
    let bridge = Bridge::with_variables(&[service.url()], "", sections, variables);
    call(&bridge).await;
    call(&bridge).await;
    until("the calls to end", || bridge.app().registry().active() == 0).await;
    // One export, so that it has everything.
    let (done, _) = bridge.drain();
    done.await.unwrap();
    let metrics = collector.metrics("two calls", ended(2)).await;

    let duration = find(&metrics, "agibridge.call.duration").unwrap();
    assert_eq!(duration.unit, "s");
    let Some(Data::Histogram(histogram)) = &duration.data else { panic!("{duration:?}") };
    assert_eq!(histogram.aggregation_temporality(), AggregationTemporality::Cumulative);
    let point = &histogram.data_points[0];
    let about = attributes(&point.attributes);
    assert_eq!((&*about["route"], &*about["end_reason"]), ("test", "service"));
    assert!(point.start_time_unix_nano < point.time_unix_nano);
    let spans = collector.spans("agi test", 2).await;
    let commands = histograms(&metrics, "agibridge.command.duration");
    let noop = commands.iter().find(|it| attributes(&it.attributes)["command"] == "NOOP").unwrap();
    assert_eq!((noop.count, attributes(&noop.attributes)["outcome"].as_str()), (2, "done"));
    assert_eq!(find(&metrics, "agibridge.call.active").unwrap().unit, "{call}");
    assert_eq!(numbers(&metrics, "agibridge.call.limit")[0].value, Some(Value::AsInt(10_000)));
    assert!(find(&metrics, "process.resident_memory").is_some_and(|it| it.unit == "By"));

    for name in ["agibridge.call.duration", "agibridge.command.duration"] {
        let points = histograms(&metrics, name).iter();
        let exemplars: Vec<_> = points.flat_map(|point| &point.exemplars).collect();
        assert!(!exemplars.is_empty(), "{name}");
        assert!(exemplars.iter().all(|it| spans.iter().any(|span| span.trace_id == it.trace_id)));
    }

    let resource = collector.metrics_resource();
    assert_eq!(resource, collector.resource(), "both are told of the same bridge");
}

#[tokio::test]
async fn where_deltas_are_wanted_each_export_tells_what_is_new() {
    let collector = Collector::start(Manner::Keeps).await;
    let service = service().await;
    let mut variables = every("20", &collector);
    let preference = "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE";
    variables.push((preference, "delta".to_owned()));
    let bridge = Bridge::with_variables(&[service.url()], "", "", variables);
    call(&bridge).await;
    bridge
        .counted("agibridge_telemetry_data_points_dropped_total{reason=\"export_failed\"} 0")
        .await;
    let metrics = collector
        .metrics("nothing new", |metrics| {
            find(metrics, "agibridge.call.duration").is_some() && ended(0)(metrics)
        })
        .await;
    let Some(Data::Histogram(it)) = &find(&metrics, "agibridge.call.duration").unwrap().data else {
        panic!("{metrics:?}")
    };
    assert_eq!(it.aggregation_temporality(), AggregationTemporality::Delta);
    let Some(Data::Sum(active)) = &find(&metrics, "agibridge.call.active").unwrap().data else {
        panic!("{metrics:?}")
    };
    assert_eq!(active.aggregation_temporality(), AggregationTemporality::Cumulative);
}

#[tokio::test]
async fn the_last_metrics_leave_before_the_bridge_ends() {
    let collector = Collector::start(Manner::Keeps).await;
    let service = service().await;
    let mut variables = every("3600000", &collector);
    variables.push(("OTEL_EXPORTER_OTLP_METRICS_COMPRESSION", "gzip".to_owned()));
    variables.push(("OTEL_EXPORTER_OTLP_METRICS_HEADERS", "x-key=metrics".to_owned()));
    variables.push(("OTEL_TRACES_EXPORTER", "none".to_owned()));
    let sections = "shutdown: {linger: 0s}\n";
    let bridge = Bridge::with_variables(&[service.url()], "", sections, variables);
    call(&bridge).await;
    until("the call to end", || bridge.app().registry().active() == 0).await;
    let (done, _) = bridge.drain();
    done.await.unwrap();
    collector.metrics("the call", ended(1)).await;
    assert_eq!(collector.header("x-key").as_deref(), Some("metrics"));
    assert_eq!(collector.requests(), 0, "no span was sent");
}

#[tokio::test]
async fn metrics_stay_on_the_page_where_the_file_says_so() {
    let collector = Collector::start(Manner::Keeps).await;
    let service = service().await;
    let sections = "shutdown: {linger: 0s}\ntelemetry: {otlp_metrics: false}\n";
    let bridge = Bridge::with_variables(&[service.url()], "", sections, every("20", &collector));
    call(&bridge).await;
    collector.spans("agi test", 1).await;
    assert_eq!(bridge.metrics("agibridge_telemetry_data_points").len(), 0);
    let (done, _) = bridge.drain();
    done.await.unwrap();
    assert_eq!(collector.metrics("nothing", <[Metric]>::is_empty).await.len(), 0);
}

#[tokio::test]
async fn whatever_a_collector_does_calls_go_on_and_the_points_that_are_lost_are_counted() {
    for manner in [Some(Manner::Rejects), Some(Manner::Refuses), Some(Manner::NeverAnswers), None] {
        let collector = match manner {
            Some(manner) => Some(Collector::start(manner).await),
            None => None,
        };
        let address = collector.as_ref().map_or_else(nowhere, |it| it.address);
        let mut variables = collector_variables(address, Protocol::Grpc);
        variables.push(("OTEL_TRACES_EXPORTER", "none".to_owned()));
        variables.push(("OTEL_EXPORTER_OTLP_METRICS_TIMEOUT", "50".to_owned()));
        variables.push(("OTEL_METRIC_EXPORT_INTERVAL", "20".to_owned()));
        variables.push(("OTEL_METRIC_EXPORT_TIMEOUT", "200".to_owned()));
        let service = service().await;
        let bridge = Bridge::with_variables(&[service.url()], "", "", variables);
        call(&bridge).await;
        until("the loss to be counted", || {
            let dropped = "agibridge_telemetry_data_points_dropped_total{reason=\"export_failed\"}";
            bridge.metrics(dropped).iter().any(|line| !line.ends_with(" 0"))
        })
        .await;
        bridge.counted("agibridge_telemetry_data_points_exported_total 0").await;
    }
}
