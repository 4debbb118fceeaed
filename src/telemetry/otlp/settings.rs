//! How spans and metrics leave the bridge. Knows defaults, and neither the file nor the environment.

use crate::{
    route::Tls,
    secret::Secret,
    telemetry::{sampler::Sampler, tracer::Rules},
};
use http::Uri;
use std::time::Duration;

/// All that is told of the export of traces and metrics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Where spans go; none: there are none.
    pub traces: Option<Export>,
    /// Where metrics go, beside `/metrics`.
    pub metrics: Option<Export>,
    /// Whether metrics go where traces go, where nothing else is said.
    pub metrics_wanted: bool,
    /// Metrics leave so often.
    pub metrics_interval: Duration,
    /// Metrics that have not left are given up after so long.
    pub metrics_timeout: Duration,
    /// What a point says.
    pub temporality: Temporality,
    /// Whether buckets name a trace, on `/metrics` too.
    pub exemplars: bool,
    /// What calls need to know.
    pub rules: Rules,
    /// Attributes of the resource, beyond the bridge's own.
    pub resource: Vec<(String, String)>,
    /// Spans that wait leave after so long, also when they are no batch.
    pub schedule_delay: Duration,
    /// A batch of spans is given up after so long, however often it was tried.
    pub export_timeout: Duration,
    /// Variables that are not understood, for people.
    pub warnings: Vec<String>,
}

/// Where a signal goes, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Export {
    /// What goes there.
    pub signal: Signal,
    /// With the path that is asked for.
    pub url: Uri,
    /// What is spoken there.
    pub protocol: Protocol,
    /// Names in lower case; sent with each request.
    pub headers: Vec<(String, Secret)>,
    /// For one request.
    pub timeout: Duration,
    /// Whether requests are compressed.
    pub gzip: bool,
    /// Files for `https`.
    pub tls: Tls,
}

/// What is told by requests of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Spans.
    Traces,
    /// Points of metrics.
    Metrics,
}

/// What a point of a counter or of a histogram says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Temporality {
    /// All since the start.
    #[default]
    Cumulative,
    /// What came since the point before.
    Delta,
}

/// What is spoken to the collector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Protocol {
    /// OTLP/gRPC, as on port 4317.
    #[default]
    Grpc,
    /// OTLP/HTTP with protobuf, as on port 4318.
    HttpProtobuf,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            traces: None,
            metrics: None,
            metrics_wanted: true,
            metrics_interval: Duration::from_secs(60),
            metrics_timeout: Duration::from_secs(30),
            temporality: Temporality::default(),
            exemplars: true,
            rules: Rules {
                sampler: Sampler::default(),
                trace_context: true,
                baggage: true,
                caller_numbers: false,
                queue_max: 16_384,
                batch_max: 512,
            },
            resource: Vec::new(),
            schedule_delay: Duration::from_secs(5),
            export_timeout: Duration::from_secs(30),
            warnings: Vec::new(),
        }
    }
}

impl Export {
    /// A collector at `url`, as it stands.
    pub fn new(signal: Signal, url: Uri, protocol: Protocol) -> Self {
        Self {
            signal,
            url,
            protocol,
            headers: Vec::new(),
            timeout: Duration::from_secs(10),
            gzip: false,
            tls: Tls::default(),
        }
    }

    /// The endpoint whose signals go to this place, as the file has it.
    pub fn endpoint(&self) -> String {
        let url = self.url.to_string();
        url.strip_suffix(self.protocol.path(self.signal)).unwrap_or(&url).to_owned()
    }
}

impl Protocol {
    /// Where a signal goes at a collector whose address alone is given.
    pub const fn path(self, signal: Signal) -> &'static str {
        match (self, signal) {
            (Self::Grpc, Signal::Traces) => {
                "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
            }
            (Self::Grpc, Signal::Metrics) => {
                "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"
            }
            (Self::HttpProtobuf, Signal::Traces) => "/v1/traces",
            (Self::HttpProtobuf, Signal::Metrics) => "/v1/metrics",
        }
    }

    /// Where a collector is, unless something else is said.
    pub const fn default_endpoint(self) -> &'static str {
        match self {
            Self::Grpc => "http://localhost:4317",
            Self::HttpProtobuf => "http://localhost:4318",
        }
    }

    /// The place of a signal at the endpoint `text`: for gRPC its path is not looked at, for HTTP `/v1/…` follows it.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn at(self, signal: Signal, text: &str) -> Result<Uri, String> {
        let base = endpoint(text)?;
        let path = match self {
            Self::Grpc => self.path(signal).to_owned(),
            Self::HttpProtobuf => {
                format!("{}{}", base.path().trim_end_matches('/'), self.path(signal))
            }
        };
        at_path(&base, &path)
    }

    /// The place of a signal itself: for HTTP it is asked as it stands.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn exactly_at(self, signal: Signal, text: &str) -> Result<Uri, String> {
        match self {
            Self::Grpc => self.at(signal, text),
            Self::HttpProtobuf => endpoint(text),
        }
    }
}

fn endpoint(text: &str) -> Result<Uri, String> {
    let wanted = "an address such as http://collector:4317 is wanted";
    let uri: Uri = text.parse().map_err(|_| wanted.to_owned())?;
    match uri.scheme_str() {
        Some("http" | "https") if uri.host().is_some_and(|host| !host.is_empty()) => Ok(uri),
        Some(_) | None => Err(wanted.to_owned()),
    }
}

fn at_path(base: &Uri, path: &str) -> Result<Uri, String> {
    let mut parts = base.clone().into_parts();
    parts.path_and_query = Some(path.parse().map_err(|_| format!("{path} is no path"))?);
    Uri::from_parts(parts).map_err(|error| error.to_string())
}
