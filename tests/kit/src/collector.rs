//! A real OpenTelemetry Collector, which writes what it gets to files. Knows its configuration and OTLP's JSON; nothing of
//! who sends, or what it means.

use crate::program::Program;
use serde_json::Value;
use std::{
    collections::BTreeMap,
    fs,
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    time::Duration,
};
use tempfile::TempDir;
use tokio::time::{sleep, timeout};

const LIMIT: Duration = Duration::from_secs(60);
/// How often it is looked whether it has written what it got.
const POLL: Duration = Duration::from_millis(50);

/// A running collector; it ends when this is dropped.
#[derive(Debug)]
pub struct Collector {
    grpc: SocketAddr,
    http: SocketAddr,
    folder: TempDir,
    _program: Program,
}

/// A span, and who sent it.
#[derive(Debug, Clone)]
pub struct Span {
    /// As OTLP's JSON has it.
    pub json: Value,
    /// The attributes of its resource.
    pub resource: BTreeMap<String, String>,
}

impl Collector {
    /// Starts the one that `make lab` has built, and waits until it is ready.
    ///
    /// # Panics
    /// When it is not there, or not ready in time.
    pub async fn start() -> Self {
        let program = crate::asterisk::lab().join("collector/collector");
        assert!(program.exists(), "there is no {}: run `make lab`", program.display());
        let folder = TempDir::new().expect("there is room for files");
        let (grpc, http) = free();
        let path = |name: &str| folder.path().join(name).display().to_string();
        let configuration = format!(
            "receivers: {{otlp: {{protocols: {{grpc: {{endpoint: \"{grpc}\"}}, http: {{endpoint: \"{http}\"}}}}}}}}\n\
             exporters:\n  file/traces: {{path: \"{}\", flush_interval: 50ms}}\n  \
             file/metrics: {{path: \"{}\", flush_interval: 50ms}}\n\
             service:\n  telemetry: {{metrics: {{level: none}}}}\n  pipelines:\n    \
             traces: {{receivers: [otlp], exporters: [file/traces]}}\n    \
             metrics: {{receivers: [otlp], exporters: [file/metrics]}}\n",
            path("traces.json"),
            path("metrics.json"),
        );
        fs::write(path("collector.yaml"), configuration).expect("the folder is ours");
        let config = format!("--config={}", path("collector.yaml"));
        let program = Program::start(program, &[config]);
        let ready = |line: &str| line.contains("Everything is ready").then_some(());
        program.wait_for(LIMIT, "that it is ready", ready).await;
        Self { grpc, http, folder, _program: program }
    }

    /// Its endpoint for a protocol, as `OTEL_EXPORTER_OTLP_PROTOCOL` has it.
    pub fn endpoint(&self, protocol: &str) -> String {
        let address = if protocol == "grpc" { self.grpc } else { self.http };
        format!("http://{address}")
    }

    /// All spans that it has written, once they are `so`.
    ///
    /// # Panics
    /// When they are not in time, or no OTLP.
    pub async fn spans(&self, what: &str, so: impl Fn(&[Span]) -> bool) -> Vec<Span> {
        self.wait(what, || Some(self.written_spans()).filter(|spans| so(spans))).await
    }

    /// The metrics of the last request that it has written, by name, once they are `so`.
    ///
    /// # Panics
    /// When they are not in time, or no OTLP.
    pub async fn metrics(
        &self,
        what: &str,
        so: impl Fn(&BTreeMap<String, Value>) -> bool,
    ) -> BTreeMap<String, Value> {
        self.wait(what, || {
            let last = requests(&self.text("metrics.json")).pop()?;
            let resources = list(&last["resourceMetrics"]);
            let scopes = resources.flat_map(|resource| list(&resource["scopeMetrics"]));
            let metrics = scopes.flat_map(|scope| list(&scope["metrics"])).cloned();
            let named = |it: Value| (it["name"].as_str().unwrap_or_default().to_owned(), it);
            Some(metrics.map(named).collect()).filter(|metrics| so(metrics))
        })
        .await
    }

    async fn wait<T>(&self, what: &str, mut found: impl FnMut() -> Option<T>) -> T {
        let looking = async {
            loop {
                if let Some(found) = found() {
                    return found;
                }
                sleep(POLL).await;
            }
        };
        let found = timeout(LIMIT, looking).await;
        found.unwrap_or_else(|_| panic!("no {what} within {LIMIT:?}: {:#?}", self.written_spans()))
    }

    fn written_spans(&self) -> Vec<Span> {
        let requests = requests(&self.text("traces.json"));
        let resources = requests.iter().flat_map(|request| list(&request["resourceSpans"]));
        let spans = resources.flat_map(|sent| {
            let resource = attributes(&sent["resource"]);
            let spans = list(&sent["scopeSpans"]).flat_map(|scope| list(&scope["spans"]));
            spans.map(move |json| Span { json: json.clone(), resource: resource.clone() })
        });
        spans.collect()
    }

    fn text(&self, file: &str) -> String {
        let path: PathBuf = self.folder.path().join(file);
        fs::read_to_string(path).unwrap_or_default()
    }
}

impl Span {
    /// Whether `text` stands anywhere in it but in ids, ports and times, where digits come up by chance.
    pub fn says(&self, text: &str) -> bool {
        let chance = |name: &str| {
            ["id", "Id", "port", "Nano", "duration"].iter().any(|end| name.ends_with(end))
        };
        let attributes = attributes(&self.json);
        let attributes = attributes.iter().filter(|(name, _)| !chance(name));
        let fields = self.json.as_object().into_iter().flatten();
        let fields = fields.filter(|(name, _)| !chance(name) && *name != "attributes");
        fields.map(|(_, value)| value.to_string()).any(|value| value.contains(text))
            || attributes.into_iter().any(|(_, value)| value.contains(text))
    }
}

/// The attributes of a span, a resource or a point, as text.
pub fn attributes(of: &Value) -> BTreeMap<String, String> {
    let text = |attribute: &Value| {
        let value = attribute["value"].as_object().and_then(|value| value.values().next());
        let value =
            value.map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned));
        Some((attribute["key"].as_str()?.to_owned(), value?))
    };
    list(&of["attributes"]).filter_map(text).collect()
}

/// The entries of a list; none where there is none.
pub fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// The requests in whole lines of `text`.
fn requests(text: &str) -> Vec<Value> {
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    whole.lines().map(|line| serde_json::from_str(line).expect("it writes JSON")).collect()
}

/// Two free addresses: it tells no port that it was given by the system.
fn free() -> (SocketAddr, SocketAddr) {
    let bind = || TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    let (one, other) = (bind(), bind());
    let address = |it: TcpListener| it.local_addr().expect("it is bound");
    (address(one), address(other))
}
