//! A collector that keeps the spans and metrics it gets, or treats them badly.

use super::{PATIENCE, until};
use agi_bridge::telemetry::otlp::Protocol;
use opentelemetry_proto::tonic::{
    collector::{
        metrics::v1::{
            ExportMetricsPartialSuccess, ExportMetricsServiceRequest, ExportMetricsServiceResponse,
            metrics_service_server::{MetricsService, MetricsServiceServer},
        },
        trace::v1::{
            ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
            trace_service_server::{TraceService, TraceServiceServer},
        },
    },
    common::v1::{KeyValue, any_value::Value},
    metrics::v1::Metric,
    trace::v1::{Span, status::StatusCode},
};
use std::{
    collections::BTreeMap,
    future::pending,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status, metadata::MetadataMap};

/// What it does with what it gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    Keeps,
    /// Takes the request, and rejects everything in it.
    Rejects,
    Refuses,
    /// Takes the request, and never answers.
    NeverAnswers,
}

/// A collector of OTLP/gRPC, until it is dropped.
pub(crate) struct Collector {
    pub(crate) address: SocketAddr,
    kept: Arc<Kept>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct Kept {
    spans: Mutex<Vec<Span>>,
    /// The last ones.
    metrics: Mutex<Vec<Metric>>,
    resource: Mutex<Vec<KeyValue>>,
    metrics_resource: Mutex<Vec<KeyValue>>,
    metadata: Mutex<MetadataMap>,
    requests: AtomicUsize,
}

#[derive(Clone)]
struct Signals {
    manner: Manner,
    kept: Arc<Kept>,
}

#[tonic::async_trait]
impl MetricsService for Signals {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        self.kept.metadata.lock().unwrap().clone_from(request.metadata());
        let resource = request.into_inner().resource_metrics.remove(0);
        let metrics: Vec<_> =
            resource.scope_metrics.into_iter().flat_map(|scope| scope.metrics).collect();
        match self.manner {
            Manner::Keeps => {
                *self.kept.metrics_resource.lock().unwrap() =
                    resource.resource.unwrap_or_default().attributes;
                *self.kept.metrics.lock().unwrap() = metrics;
                Ok(Response::new(ExportMetricsServiceResponse::default()))
            }
            Manner::Rejects => Ok(Response::new(ExportMetricsServiceResponse {
                partial_success: Some(ExportMetricsPartialSuccess {
                    rejected_data_points: i64::MAX,
                    error_message: "not mine".to_owned(),
                }),
            })),
            Manner::Refuses => Err(Status::permission_denied("not you")),
            Manner::NeverAnswers => pending().await,
        }
    }
}

#[tonic::async_trait]
impl TraceService for Signals {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        self.kept.requests.fetch_add(1, Ordering::SeqCst);
        self.kept.metadata.lock().unwrap().clone_from(request.metadata());
        let request = request.into_inner();
        let resources = request.resource_spans;
        let count: usize =
            resources.iter().flat_map(|it| &it.scope_spans).map(|it| it.spans.len()).sum();
        match self.manner {
            Manner::Keeps => {
                for resource in resources {
                    *self.kept.resource.lock().unwrap() =
                        resource.resource.unwrap_or_default().attributes;
                    let mut spans = self.kept.spans.lock().unwrap();
                    spans.extend(resource.scope_spans.into_iter().flat_map(|scope| scope.spans));
                }
                Ok(Response::new(ExportTraceServiceResponse::default()))
            }
            Manner::Rejects => Ok(Response::new(ExportTraceServiceResponse {
                partial_success: Some(ExportTracePartialSuccess {
                    rejected_spans: i64::try_from(count).unwrap(),
                    error_message: "not mine".to_owned(),
                }),
            })),
            Manner::Refuses => Err(Status::permission_denied("not you")),
            Manner::NeverAnswers => pending().await,
        }
    }
}

impl Collector {
    pub(crate) async fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let kept = Arc::<Kept>::default();
        let signals = Signals { manner, kept: Arc::clone(&kept) };
        let gzip = tonic::codec::CompressionEncoding::Gzip;
        let traces = TraceServiceServer::new(signals.clone()).accept_compressed(gzip);
        let metrics = MetricsServiceServer::new(signals).accept_compressed(gzip);
        let serving = tonic::transport::Server::builder()
            .add_service(traces)
            .add_service(metrics)
            .serve_with_incoming(TcpListenerStream::new(listener));
        let task = tokio::spawn(async { serving.await.unwrap() });
        Self { address, kept, task }
    }

    /// The variables that send spans here, soon.
    pub(crate) fn variables(&self) -> Vec<(&'static str, String)> {
        variables(self.address, Protocol::Grpc)
    }

    /// Requests with spans so far.
    pub(crate) fn requests(&self) -> usize {
        self.kept.requests.load(Ordering::SeqCst)
    }

    /// A header of the last request.
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        let metadata = self.kept.metadata.lock().unwrap();
        metadata.get(name).map(|value| value.to_str().unwrap().to_owned())
    }

    /// What is said of the bridge.
    pub(crate) fn resource(&self) -> BTreeMap<String, String> {
        attributes(&self.kept.resource.lock().unwrap())
    }

    /// What is said of the bridge beside its metrics.
    pub(crate) fn metrics_resource(&self) -> BTreeMap<String, String> {
        attributes(&self.kept.metrics_resource.lock().unwrap())
    }

    /// The metrics of the last request, once they are `so`.
    pub(crate) async fn metrics(&self, what: &str, so: impl Fn(&[Metric]) -> bool) -> Vec<Metric> {
        let kept = || self.kept.metrics.lock().unwrap();
        until(what, || so(&kept())).await;
        kept().clone()
    }

    /// Waits until a span of this name is there, and as many as this; all that are.
    pub(crate) async fn spans(&self, name: &str, count: usize) -> Vec<Span> {
        let kept = || self.kept.spans.lock().unwrap();
        let what = format!("{count} spans {name} within {PATIENCE:?}");
        until(&what, || kept().iter().filter(|span| span.name == name).count() >= count).await;
        kept().clone()
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The variables that send spans to an address, soon, and metrics at the end.
pub(crate) fn variables(address: SocketAddr, protocol: Protocol) -> Vec<(&'static str, String)> {
    let protocol = match protocol {
        Protocol::Grpc => "grpc",
        Protocol::HttpProtobuf => "http/protobuf",
    };
    vec![
        ("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{address}")),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol.to_owned()),
        ("OTEL_BSP_SCHEDULE_DELAY", "20".to_owned()),
    ]
}

/// Attributes as text, by name.
pub(crate) fn attributes(attributes: &[KeyValue]) -> BTreeMap<String, String> {
    let text = |attribute: &KeyValue| {
        let value = match attribute.value.clone().and_then(|value| value.value) {
            Some(Value::StringValue(text)) => text,
            Some(Value::IntValue(number)) => number.to_string(),
            Some(Value::DoubleValue(number)) => number.to_string(),
            other => panic!("{other:?}"),
        };
        (attribute.key.clone(), value)
    };
    attributes.iter().map(text).collect()
}

/// The only span of this name.
pub(crate) fn only<'a>(spans: &'a [Span], name: &str) -> &'a Span {
    let found: Vec<_> = spans.iter().filter(|span| span.name == name).collect();
    assert_eq!(found.len(), 1, "{name}: {spans:#?}");
    found[0]
}

pub(crate) fn failed(span: &Span) -> bool {
    span.status.as_ref().is_some_and(|status| status.code() == StatusCode::Error)
}
