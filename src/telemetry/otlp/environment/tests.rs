//! The variables laid over settings: which win, what they mean, and what is told of those that are not understood.

use super::*;
use crate::{
    secret::Secret,
    telemetry::otlp::{Export, Protocol},
};

fn applied(variables: &[(&str, &str)]) -> Settings {
    over(Settings::default(), variables)
}

fn over(mut settings: Settings, variables: &[(&str, &str)]) -> Settings {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    apply(&mut settings, variables.iter().map(owned));
    settings
}

fn url(settings: &Settings) -> Option<String> {
    settings.traces.as_ref().map(|export| export.url.to_string())
}

fn metrics_url(settings: &Settings) -> Option<String> {
    settings.metrics.as_ref().map(|export| export.url.to_string())
}

const GRPC_METRICS: &str = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export";
const GRPC: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

#[test]
fn nothing_is_exported_unless_an_endpoint_or_an_exporter_is_set() {
    assert_eq!(applied(&[]), Settings::default());
    let silent = [("OTEL_SERVICE_NAME", "x"), ("OTEL_EXPORTER_OTLP_ENDPOINT", " ")];
    assert_eq!(url(&applied(&silent)), None);
    let usual = applied(&[("OTEL_TRACES_EXPORTER", "otlp")]);
    assert_eq!(url(&usual), Some(format!("http://localhost:4317{GRPC}")));
    let none = [("OTEL_TRACES_EXPORTER", "none"), ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c")];
    assert_eq!(url(&applied(&none)), None);
    let disabled = [("OTEL_SDK_DISABLED", "TRUE"), ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c")];
    assert_eq!(url(&applied(&disabled)), None);
}

#[test]
fn endpoints_are_asked_where_the_specification_says() {
    let (all, own) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT");
    let http = ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf");
    for (variables, expected) in [
        (vec![(all, "http://c:1")], format!("http://c:1{GRPC}")),
        (vec![(all, "http://c:1/x/")], format!("http://c:1{GRPC}")),
        (vec![(all, "c:1")], format!("https://c:1{GRPC}")),
        (vec![(all, "c:1"), ("OTEL_EXPORTER_OTLP_INSECURE", "true")], format!("http://c:1{GRPC}")),
        (vec![(all, "http://c:1"), http], "http://c:1/v1/traces".to_owned()),
        (vec![(all, "http://c:1/x/"), http], "http://c:1/x/v1/traces".to_owned()),
        (vec![(all, "http://c:1"), (own, "https://o/t"), http], "https://o/t".to_owned()),
        (
            vec![(all, "http://c:1"), ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "grpc"), http],
            format!("http://c:1{GRPC}"),
        ),
    ] {
        let settings = applied(&variables);
        assert_eq!(url(&settings), Some(expected), "{variables:?}");
        assert!(settings.warnings.is_empty(), "{:?}", settings.warnings);
    }
}

#[test]
fn metrics_have_an_endpoint_and_an_exporter_of_their_own() {
    let (all, own) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT");
    let http = ("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "http/protobuf");
    let exporter = |word| ("OTEL_METRICS_EXPORTER", word);
    let grpc = |address: &str| Some(format!("{address}{GRPC_METRICS}"));
    for (variables, traces, metrics) in [
        (vec![(all, "http://c:1")], true, grpc("http://c:1")),
        (vec![(all, "http://c:1"), http], true, Some("http://c:1/v1/metrics".to_owned())),
        (vec![(own, "https://o/t"), http], false, Some("https://o/t".to_owned())),
        (vec![(own, "http://o:1")], false, grpc("http://o:1")),
        (vec![exporter("otlp")], false, grpc("http://localhost:4317")),
        (vec![exporter("prometheus, otlp")], false, grpc("http://localhost:4317")),
        (vec![(all, "http://c:1"), exporter("none")], true, None),
        (vec![(all, "http://c:1"), exporter("prometheus")], true, None),
        (vec![(own, "http://o:1"), ("OTEL_SDK_DISABLED", "true")], false, None),
    ] {
        let settings = applied(&variables);
        assert_eq!(metrics_url(&settings), metrics, "{variables:?}");
        assert_eq!(settings.traces.is_some(), traces, "{variables:?}");
        assert_eq!(settings.warnings, [""; 0]);
    }
}

#[test]
fn what_is_for_all_signals_is_for_metrics_too_and_their_own_wins() {
    let settings = applied(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:1"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "a=1"),
        ("OTEL_EXPORTER_OTLP_METRICS_HEADERS", "b=2"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "7"),
        ("OTEL_EXPORTER_OTLP_METRICS_COMPRESSION", "gzip"),
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/ca"),
        ("OTEL_EXPORTER_OTLP_METRICS_CERTIFICATE", "/own"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "5"),
        ("OTEL_METRIC_EXPORT_TIMEOUT", "6"),
        ("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "Delta"),
        ("OTEL_METRICS_EXEMPLAR_FILTER", "always_off"),
    ]);
    assert_eq!(settings.warnings, [""; 0]);
    let (traces, metrics) = (settings.traces.unwrap(), settings.metrics.unwrap());
    assert_eq!((&*traces.headers[0].0, &*metrics.headers[0].0), ("a", "b"));
    assert_eq!([traces.timeout, metrics.timeout], [Duration::from_millis(7); 2]);
    assert_eq!((traces.gzip, metrics.gzip), (false, true));
    let ca = |export: &Export| export.tls.ca.as_ref().unwrap().display().to_string();
    assert_eq!((ca(&traces), ca(&metrics)), ("/ca".to_owned(), "/own".to_owned()));
    let millis = [settings.metrics_interval, settings.metrics_timeout].map(|it| it.as_millis());
    assert_eq!(millis, [5, 6]);
    assert_eq!((settings.temporality, settings.exemplars), (Temporality::Delta, false));
}

#[test]
fn the_file_can_keep_metrics_and_the_exporter_wins_over_it() {
    let export = |signal| {
        let url = Protocol::Grpc.at(signal, "http://file:1").unwrap();
        Some(Export::new(signal, url, Protocol::Grpc))
    };
    let file = Settings {
        traces: export(Signal::Traces),
        metrics: export(Signal::Metrics),
        metrics_wanted: false,
        ..Settings::default()
    };
    assert_eq!(metrics_url(&over(file.clone(), &[])), None);
    let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://v:1");
    assert_eq!(metrics_url(&over(file.clone(), &[endpoint])), None);
    let settings = over(file, &[("OTEL_METRICS_EXPORTER", "otlp")]);
    assert_eq!(metrics_url(&settings), Some(format!("http://file:1{GRPC_METRICS}")));
    assert!(settings.metrics_wanted);
}

#[test]
fn a_variable_wins_over_the_file_and_leaves_the_rest_of_it() {
    let uri = Protocol::HttpProtobuf.at(Signal::Traces, "http://file:4318").unwrap();
    let mut export = Export::new(Signal::Traces, uri, Protocol::HttpProtobuf);
    export.headers.push(("x-key".to_owned(), Secret::new("s")));
    let file = Settings { traces: Some(export), ..Settings::default() };
    let other = over(file.clone(), &[("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")]);
    assert_eq!(url(&other), Some(format!("http://file:4318{GRPC}")));
    assert_eq!(other.traces.unwrap().headers.len(), 1);
    let other = over(file.clone(), &[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://v:1")]);
    assert_eq!(url(&other).as_deref(), Some("http://v:1/v1/traces"));
    assert_eq!(other.traces.unwrap().headers.len(), 1);
    let other = over(file, &[("OTEL_EXPORTER_OTLP_HEADERS", "A=b%2Cc , d=e")]);
    let headers = other.traces.unwrap().headers;
    let headers: Vec<_> =
        headers.iter().map(|(name, value)| (name.as_str(), value.expose())).collect();
    assert_eq!(headers, [("a", "b,c"), ("d", "e")]);
}

#[test]
fn samplers_propagators_and_limits_are_read() {
    let settings = applied(&[
        ("OTEL_TRACES_SAMPLER", "parentbased_traceidratio"),
        ("OTEL_TRACES_SAMPLER_ARG", "0.5"),
        ("OTEL_PROPAGATORS", "baggage"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "100"),
        ("OTEL_BSP_SCHEDULE_DELAY", "7"),
        ("OTEL_RESOURCE_ATTRIBUTES", "a=b%20c,service.name=one"),
        ("OTEL_SERVICE_NAME", "two"),
        ("OTEL_METRICS_EXPORTER", "prometheus"),
    ]);
    assert_eq!(settings.warnings, [""; 0]);
    assert_eq!(settings.rules.sampler, Sampler::ParentBased(Root::ratio(0.5).unwrap()));
    assert_eq!((settings.rules.trace_context, settings.rules.baggage), (false, true));
    assert_eq!((settings.rules.queue_max, settings.rules.batch_max), (100, 100));
    assert_eq!(settings.schedule_delay, Duration::from_millis(7));
    let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    assert_eq!(settings.resource, [pair("a", "b c"), pair("service.name", "two")]);
}

#[test]
fn what_is_not_understood_is_told_and_left_aside() {
    let wrong = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "ftp://c"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "no pair"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "soon"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "zip"),
        ("OTEL_EXPORTER_OTLP_CLIENT_KEY", "/k"),
        ("OTEL_TRACES_EXPORTER", "zipkin"),
        ("OTEL_TRACES_SAMPLER", "sometimes"),
        ("OTEL_PROPAGATORS", "b3"),
        ("OTEL_RESOURCE_ATTRIBUTES", "="),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "-1"),
        ("OTEL_TRACE_SAMPLER", "always_on"),
        ("OTEL_METRICS_EXPORTER", "statsd"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "0"),
        ("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "sometimes"),
        ("OTEL_EXPORTER_OTLP_METRICS_CLIENT_KEY", "/k"),
        ("OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION", "base2"),
        ("OTEL_METRICS_EXEMPLAR_FILTER", "always_on"),
        ("OTEL_METRICS_EXPORT_INTERVAL", "5"),
    ];
    for wrong in wrong {
        let settings = applied(&[wrong]);
        assert_eq!(settings.warnings.len(), 1, "{wrong:?}: {:?}", settings.warnings);
        assert_eq!((settings.traces, settings.metrics), (None, None));
        assert_eq!(settings.rules.sampler, Sampler::default());
    }
    assert_eq!(applied(&wrong).warnings.len(), wrong.len());
}
