//! A call on the real Asterisk, driven by the service in Python, is one trace at a real OpenTelemetry Collector, which also
//! has the metrics that the bridge shows.

use crate::{
    python::{generate, python},
    runner::Runner,
};
use agi_bridge::scenario::{Act, Step, When};
use kit::{
    asterisk::{Asterisk, Call, CallSpec, Dialplan, Place},
    bridge::Bridge,
    collector::{Collector, Span, attributes, list},
    http::get,
    program::Program,
};
use serde_json::Value;
use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};
use tempfile::TempDir;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const LIMIT: Duration = Duration::from_secs(60);
/// How often the page of metrics is read anew.
const POLL: Duration = Duration::from_millis(50);
const PARENT: &str = "b7ad6b7169203331";
const STREAM: &str = "agibridge.v1.CallService/HandleCall";

fn place() -> Place {
    Place::new("traces", "s", 1)
}

/// Puts what the test needs into the dialplan.
pub(crate) fn prepare(dialplan: &mut Dialplan) {
    dialplan.agi(&place());
}

/// Adds the tests.
pub(crate) fn add(runner: &mut Runner, asterisk: &Arc<Asterisk>) {
    for (protocol, trace) in [
        ("grpc", "0af7651916cd43dd8448eb211c80319c"),
        ("http/protobuf", "1af7651916cd43dd8448eb211c80319c"),
    ] {
        let name = format!("traces: a call is one trace at a collector, by {protocol}");
        runner.add(&name, is_one_trace(Arc::clone(asterisk), protocol, trace));
    }
}

async fn is_one_trace(asterisk: Arc<Asterisk>, protocol: &'static str, trace: &'static str) {
    let python = python();
    let folder = TempDir::new().expect("there is room for files");
    generate(&python, folder.path());
    let script = format!("{ROOT}/tests/python/service.py");
    let service = Program::start(&python, &[script.as_ref(), folder.path()]);
    let port: u16 = service
        .wait_for(LIMIT, "its port", |line| line.strip_prefix("listening ")?.parse().ok())
        .await;
    let collector = Collector::start().await;
    let endpoint = collector.endpoint(protocol);
    let configuration = format!(
        "shutdown: {{linger: 0s}}\n\
         telemetry: {{otlp_endpoint: \"{endpoint}\", otlp_protocol: {protocol}}}\n\
         routes:\n  - {{name: python, path: /python, services: [{{url: \"grpc://127.0.0.1:{port}\"}}]}}\n"
    );
    let bridge = Bridge::start(Path::new(env!("CARGO_BIN_EXE_agi-bridge")), &configuration).await;

    let url = format!("agi://{}/python?traceparent=00-{trace}-{PARENT}-01", bridge.agi());
    let mut spec = CallSpec::new(&url, place());
    spec.answered = false;
    spec.variables = vec![("CALLERID(num)".into(), "3200".into())];
    let mut call = Call::begin(&asterisk, &spec).await;
    call.play(&[Step {
        when: Some(When::Command("GET DATA".into())),
        after: Duration::from_millis(300),
        act: Act::Press("4711".into()),
    }])
    .await;
    let state = call.wait_until_gone(LIMIT).await;
    assert_eq!(state.variables.get("PIN").map(String::as_str), Some("4711"), "{state:#?}");
    let ended = "agibridge_call_duration_seconds_count{route=\"python\",end_reason=\"service\"} 1";
    // A call counts as ended a moment before it no longer counts as alive.
    let gone = "agibridge_call_active{route=\"python\"} 0";
    let page = page_with(&bridge, [ended, gone]).await;
    assert!(bridge.stop(LIMIT).await.success(), "the bridge ends well, and has sent all it has");

    let is_call = |span: &Span| span.json["name"] == "agi python";
    let sent = collector.spans("the call's span", |spans| spans.iter().any(is_call)).await;
    for secret in ["4711", "hello-world", "3200"] {
        assert!(!sent.iter().any(|span| span.says(secret)), "{secret} is in {sent:#?}");
    }
    assert_eq!(sent[0].resource["service.name"], "agibridge");
    let spans: Vec<Value> = sent.into_iter().map(|span| span.json).collect();
    let last = |metrics: &BTreeMap<String, Value>| metrics.contains_key("agibridge.call.duration");
    let metrics = collector.metrics("the last metrics", last).await;
    agree(&metrics, &page, trace);
    let only = |name: &str| -> &Value {
        let found: Vec<&Value> = spans.iter().filter(|span| span["name"] == name).collect();
        assert_eq!(found.len(), 1, "{name} in {spans:#?}");
        found[0]
    };
    let call = only("agi python");
    assert_eq!((&call["traceId"], &call["parentSpanId"]), (&trace.into(), &PARENT.into()));
    assert_eq!(call["kind"], 2, "SERVER");
    let about = attributes(call);
    assert_eq!(about["agibridge.channel.type"], "Local");
    assert!(about["agibridge.channel.name"].starts_with("Local/"), "{about:?}");
    for (name, outcome) in
        [("AGI ANSWER", "done"), ("AGI STREAM FILE", "playback"), ("AGI GET DATA", "digits")]
    {
        let command = only(name);
        assert_eq!(
            (&command["traceId"], &command["parentSpanId"]),
            (&trace.into(), &call["spanId"])
        );
        assert_eq!(command["kind"], 3, "CLIENT");
        let about = attributes(command);
        assert_eq!(about["agibridge.command.outcome"], outcome);
        assert!(about.contains_key("agibridge.command.queue_duration"), "{about:?}");
    }
    let stream = only(STREAM);
    assert_eq!((&stream["traceId"], &stream["parentSpanId"]), (&trace.into(), &call["spanId"]));
    let about = attributes(stream);
    assert_eq!(about["rpc.status_code"], "OK");
    assert_eq!(about["server.port"], port.to_string());
    assert!(spans.iter().all(|span| span["status"].get("code").is_none()), "nobody is at fault");
}

/// The page of metrics, once these lines are on it.
async fn page_with(bridge: &Bridge, wanted: [&str; 2]) -> String {
    let read = async {
        loop {
            let page = get(bridge.admin(), "/metrics", "").await.map(|(_, page)| page);
            if let Some(page) =
                page.filter(|page| wanted.iter().all(|it| page.lines().any(|line| line == *it)))
            {
                return page;
            }
            tokio::time::sleep(POLL).await;
        }
    };
    let page = tokio::time::timeout(LIMIT, read).await;
    page.unwrap_or_else(|_| panic!("waited {LIMIT:?} for {wanted:?}"))
}

/// What the collector has of the bridge's own metrics is what the page shows, under the standard translation of names.
fn agree(metrics: &BTreeMap<String, Value>, page: &str, trace: &str) {
    let shown: BTreeMap<&str, f64> = page
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.rsplit_once(' '))
        .map(|(series, value)| (series, value.parse().expect("a number")))
        .collect();
    // These change between the page and the end.
    let moves = |name: &str| {
        ["process.", "agibridge.telemetry.", "agibridge.drain."]
            .iter()
            .any(|begin| name.starts_with(begin))
    };
    let mut compared = 0;
    for (name, metric) in metrics.iter().filter(|(name, _)| !moves(name)) {
        for (series, value) in series(name, metric) {
            assert_eq!(shown.get(&*series), Some(&value), "{series} in {page}");
            compared += 1;
        }
    }
    assert!(compared > 40, "{compared} series of {metrics:#?}");
    let points = list(&metrics["agibridge.call.duration"]["histogram"]["dataPoints"]);
    let exemplars: Vec<_> = points.flat_map(|point| list(&point["exemplars"])).collect();
    assert!(exemplars.iter().any(|it| it["traceId"] == trace), "{exemplars:?}");
}

fn series(name: &str, metric: &Value) -> Vec<(String, f64)> {
    let unit = match metric["unit"].as_str() {
        Some("s") => "_seconds",
        Some("By") => "_bytes",
        _ => "",
    };
    let name = format!("{}{unit}", name.replace('.', "_"));
    let total = if metric["sum"]["isMonotonic"] == true { "_total" } else { "" };
    let kinds = ["sum", "gauge", "histogram"].into_iter();
    let points = kinds.flat_map(|kind| list(&metric[kind]["dataPoints"]));
    points
        .flat_map(|point| {
            // In the order in which they were sent.
            let labels = list(&point["attributes"]).map(|it| {
                let text = it["value"]["stringValue"].as_str().unwrap_or_default();
                format!("{}=\"{text}\"", it["key"].as_str().unwrap_or_default())
            });
            let labels: Vec<String> = labels.collect();
            let labels =
                if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
            // 64-bit numbers are text in JSON.
            let number = |value: &Value| value.as_f64().or_else(|| value.as_str()?.parse().ok());
            [("asInt", total), ("asDouble", total), ("count", "_count"), ("sum", "_sum")]
                .into_iter()
                .filter_map(|(field, suffix)| {
                    Some((format!("{name}{suffix}{labels}"), number(&point[field])?))
                })
                .collect::<Vec<_>>()
        })
        .collect()
}
