//! A call on the real Asterisk, driven by the service in Python, is one trace at a real OpenTelemetry Collector.

use crate::{
    python::{generate, python},
    runner::Runner,
};
use agi_bridge::scenario::{Act, Step, When};
use kit::{
    asterisk::{Asterisk, Call, CallSpec, Dialplan, Place},
    bridge::Bridge,
    program::Program,
};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tempfile::TempDir;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const LIMIT: Duration = Duration::from_secs(60);
/// How often it is looked whether the collector has written what it got.
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
    let (collector, endpoint, file) = collector(folder.path(), protocol).await;
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
    assert!(bridge.stop(LIMIT).await.success(), "the bridge ends well, and has sent all spans");

    let (spans, resource) = written(&file).await;
    drop(collector);
    let text = fs::read_to_string(&file).expect("it was written");
    for secret in ["4711", "hello-world", "3200\""] {
        assert!(!text.contains(secret), "{secret} is in {text}");
    }
    assert_eq!(resource["service.name"], "agibridge");
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

/// A collector, its endpoint for the bridge, and the file that it writes.
async fn collector(folder: &Path, protocol: &str) -> (Program, String, PathBuf) {
    let program = kit::asterisk::lab().join("collector/collector");
    assert!(program.exists(), "there is no {}: run `make lab`", program.display());
    // It tells no port that it was given by the system.
    let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    let address = free.expect("there is a free port");
    let file = folder.join("spans.json");
    let kind = if protocol == "grpc" { "grpc" } else { "http" };
    let configuration = format!(
        "receivers: {{otlp: {{protocols: {{{kind}: {{endpoint: \"{address}\"}}}}}}}}\n\
         exporters: {{file: {{path: \"{}\", flush_interval: 50ms}}}}\n\
         service:\n  telemetry: {{metrics: {{level: none}}}}\n  \
         pipelines: {{traces: {{receivers: [otlp], exporters: [file]}}}}\n",
        file.display()
    );
    let configured = folder.join("collector.yaml");
    fs::write(&configured, configuration).expect("the folder is ours");
    let collector = Program::start(program, &[format!("--config={}", configured.display())]);
    let ready = |line: &str| line.contains("Everything is ready").then_some(());
    collector.wait_for(LIMIT, "that it is ready", ready).await;
    (collector, format!("http://{address}"), file)
}

/// All spans that the collector has written, once the call's own is there; and who sent them.
async fn written(file: &Path) -> (Vec<Value>, BTreeMap<String, String>) {
    let read = async {
        loop {
            let text = fs::read_to_string(file).unwrap_or_default();
            let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
            let requests: Vec<Value> =
                whole.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
            let resources = requests.iter().flat_map(|request| list(&request["resourceSpans"]));
            let resources: Vec<&Value> = resources.collect();
            let scopes = resources.iter().flat_map(|resource| list(&resource["scopeSpans"]));
            let spans: Vec<Value> =
                scopes.flat_map(|scope| list(&scope["spans"])).cloned().collect();
            if spans.iter().any(|span| span["name"] == "agi python") {
                return (spans, attributes(&resources[0]["resource"]));
            }
            tokio::time::sleep(POLL).await;
        }
    };
    tokio::time::timeout(LIMIT, read).await.expect("the collector writes the call's span")
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn attributes(of: &Value) -> BTreeMap<String, String> {
    let text = |attribute: &Value| {
        let value = attribute["value"].as_object().and_then(|value| value.values().next());
        let value =
            value.map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned));
        Some((attribute["key"].as_str()?.to_owned(), value?))
    };
    list(&of["attributes"]).filter_map(text).collect()
}
