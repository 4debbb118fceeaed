//! A call that a Python service hands to a Java service is one trace, whose spans all three have sent to a real
//! OpenTelemetry Collector; the dialplan began it. Both services are built on their client library and OpenTelemetry's SDK.

use crate::runner::Runner;
use agi_bridge::scenario::{Act, Step, When};
use kit::{
    asterisk::{Asterisk, Call, CallSpec, Dialplan, Place},
    bridge::Bridge,
    clients::launcher,
    collector::{Collector, Span, attributes},
    program::Program,
};
use std::{path::Path, sync::Arc, time::Duration};

const LIMIT: Duration = Duration::from_secs(90);
const TRACE: &str = "2af7651916cd43dd8448eb211c80319c";
const PARENT: &str = "b7ad6b7169203331";
const STREAM: &str = "agibridge.v1.CallService/HandleCall";

fn place() -> Place {
    Place::new("one-trace", "s", 1)
}

/// Puts what the test needs into the dialplan.
pub(crate) fn prepare(dialplan: &mut Dialplan) {
    dialplan.agi(&place());
}

/// Adds the test.
pub(crate) fn add(runner: &mut Runner, asterisk: &Arc<Asterisk>) {
    let name = "traces: a call through Python and Java is one trace, from the dialplan on";
    runner.add(name, is_one_trace(Arc::clone(asterisk)));
}

async fn is_one_trace(asterisk: Arc<Asterisk>) {
    let collector = Collector::start().await;
    let (python, python_at) = service("python", "reception", "grpc", &collector).await;
    // Java's client of OTLP speaks HTTP alone here, without a second gRPC.
    let (java, java_at) = service("java", "desk", "http/protobuf", &collector).await;
    let endpoint = collector.endpoint("grpc");
    let configuration = format!(
        "shutdown: {{linger: 0s}}\n\
         telemetry: {{otlp_endpoint: \"{endpoint}\"}}\n\
         defaults: {{retry_for: 30s, resume_for: 0s, trace_variable: true}}\n\
         routes:\n\
         - {{name: reception, path: /reception, services: [{{url: \"grpc://{python_at}\"}}]}}\n\
         - {{name: desk, path: /desk, services: [{{url: \"grpc://{java_at}\"}}]}}\n"
    );
    let bridge = Bridge::start(Path::new(env!("CARGO_BIN_EXE_agi-bridge")), &configuration).await;

    let mut spec = CallSpec::new(&format!("agi://{}/reception", bridge.agi()), place());
    spec.answered = false;
    spec.variables = vec![("TRACEPARENT".into(), format!("00-{TRACE}-{PARENT}-01"))];
    let mut call = Call::begin(&asterisk, &spec).await;
    call.play(&[Step {
        when: Some(When::Command("GET DATA".into())),
        after: Duration::from_millis(300),
        act: Act::Press("4711".into()),
    }])
    .await;
    let state = call.wait_until_gone(LIMIT).await;
    assert_eq!(state.variables.get("DESK").map(String::as_str), Some("7"), "{state:#?}");
    for service in [python, java] {
        service.interrupt();
        // Java ends with the signal's own status; what counts is what it has sent.
        service.wait_until_ended(LIMIT).await;
    }
    assert!(bridge.stop(LIMIT).await.success(), "the bridge ends well, and has sent all spans");

    let names = [
        "agi desk",
        "AGI ANSWER",
        "AGI GET DATA",
        "AGI SET VARIABLE",
        "ask for the PIN",
        "look up",
    ];
    let spans = collector
        .spans("spans of all three", |spans| {
            names.iter().all(|name| spans.iter().any(|span| span.json["name"] == *name))
                && spans.iter().filter(|span| span.json["name"] == STREAM).count() == 4
        })
        .await;
    assert_eq!(spans.len(), names.len() + 4, "{spans:#?}");
    assert!(spans.iter().all(|span| span.json["traceId"] == TRACE), "{spans:#?}");
    assert!(!spans.iter().any(|span| span.says("4711")), "no digit is in {spans:#?}");
    relations(&spans);
}

/// Who is below whom.
fn relations(spans: &[Span]) {
    let of = |service: &str, name: &str| -> Vec<&Span> {
        let sent = |span: &&Span| span.resource["service.name"] == service;
        spans.iter().filter(sent).filter(|span| span.json["name"] == name).collect()
    };
    let only = |service: &str, name: &str| {
        let found = of(service, name);
        assert_eq!(found.len(), 1, "{name} of {service} in {spans:#?}");
        found[0]
    };
    let call = only("agibridge", "agi desk");
    assert_eq!(call.json["parentSpanId"], PARENT);
    let stream = |route: &str| {
        let streams = of("agibridge", STREAM).into_iter();
        let mut streams = streams.filter(|span| attributes(&span.json)["agibridge.route"] == route);
        streams.next().unwrap_or_else(|| panic!("no stream on {route} in {spans:#?}"))
    };
    let (first, second) = (stream("reception"), stream("desk"));
    assert_eq!(second.json["links"][0]["spanId"], first.json["spanId"]);
    let (python, java) = (only("reception", STREAM), only("desk", STREAM));
    assert_eq!((&python.json["kind"], &java.json["kind"]), (&2.into(), &2.into()), "SERVER");
    let (asks, looks) = (only("reception", "ask for the PIN"), only("desk", "look up"));
    for (child, parent) in [
        (first, call),
        (second, call),
        (python, first),
        (java, second),
        (only("agibridge", "AGI ANSWER"), python),
        (asks, python),
        (only("agibridge", "AGI GET DATA"), asks),
        (looks, java),
        (only("agibridge", "AGI SET VARIABLE"), looks),
    ] {
        assert_eq!(child.json["parentSpanId"], parent.json["spanId"], "{child:#?}\n{parent:#?}");
    }
}

/// A traced service, and where it listens.
async fn service(
    language: &str,
    name: &str,
    protocol: &str,
    collector: &Collector,
) -> (Program, String) {
    let launcher = launcher(language, "traced");
    let arguments = [
        format!("OTEL_EXPORTER_OTLP_ENDPOINT={}", collector.endpoint(protocol)),
        format!("OTEL_EXPORTER_OTLP_PROTOCOL={protocol}"),
        format!("OTEL_SERVICE_NAME={name}"),
        "OTEL_METRICS_EXPORTER=none".to_owned(),
        "OTEL_LOGS_EXPORTER=none".to_owned(),
        "OTEL_BSP_SCHEDULE_DELAY=100".to_owned(),
        launcher.display().to_string(),
        "127.0.0.1:0".to_owned(),
    ];
    let program = Program::start("env", &arguments);
    let listening = |line: &str| line.strip_prefix("listening on ").map(str::to_owned);
    let address = program.wait_for(LIMIT, "where it listens", listening).await;
    (program, address)
}
