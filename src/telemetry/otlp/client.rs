//! One request to a collector: gRPC or HTTP, over TCP or TLS. Knows statuses, and not what is sent.

use super::{Export, Protocol};
use crate::outbound::{Connector, causes};
use bytes::{BufMut as _, Bytes, BytesMut};
use flate2::{Compression, write::GzEncoder};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::Client as HyperClient,
    rt::{TokioExecutor, TokioTimer},
};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message;
use std::{
    io::{self, Write as _},
    time::Duration,
};
use tokio::time::timeout;
use tonic::Code;

/// What a collector has to say is short.
const ANSWER_MAX: usize = 64 * 1024;
/// A collector that wants to be left alone is left alone for so long at most.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(30);
/// A connection without requests is closed after so long.
const IDLE: Duration = Duration::from_secs(90);

/// A collector. Connections are kept as long as they are used.
pub(super) struct Client {
    export: Export,
    http: HyperClient<Connector, Full<Bytes>>,
}

/// What a collector did with a request that it took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Taken {
    /// Spans or points that it did not want.
    pub(super) rejected: usize,
    /// Why, in its words.
    pub(super) message: String,
}

/// A request that was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub(super) struct Failure {
    what: String,
    /// It may be taken later.
    pub(super) retry: bool,
    /// Not before so long.
    pub(super) after: Option<Duration>,
}

impl Failure {
    fn new(what: impl ToString, retry: bool) -> Self {
        Self { what: what.to_string(), retry, after: None }
    }
}

impl Client {
    pub(super) fn new(export: Export) -> Self {
        let alpn = match export.protocol {
            Protocol::Grpc => "h2",
            Protocol::HttpProtobuf => "http/1.1",
        };
        let connector = Connector { tls: export.tls.clone(), alpn };
        let http = HyperClient::builder(TokioExecutor::new())
            .http2_only(export.protocol == Protocol::Grpc)
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .build(connector);
        Self { export, http }
    }

    /// Sends, and waits for the answer.
    pub(super) async fn send(&self, message: &impl Message) -> Result<Taken, Failure> {
        let request = self.request(message).map_err(|error| Failure::new(error, false))?;
        match timeout(self.export.timeout, self.ask(request)).await {
            Ok(answer) => answer,
            Err(_) => {
                let seconds = self.export.timeout.as_secs_f64();
                Err(Failure::new(format!("no answer within {seconds} s"), true))
            }
        }
    }

    async fn ask(&self, request: Request<Full<Bytes>>) -> Result<Taken, Failure> {
        let answer =
            self.http.request(request).await.map_err(|error| Failure::new(causes(&error), true))?;
        match self.export.protocol {
            Protocol::Grpc => grpc_answer(answer).await,
            Protocol::HttpProtobuf => http_answer(answer).await,
        }
    }

    fn request(&self, message: &impl Message) -> io::Result<Request<Full<Bytes>>> {
        let Export { url, protocol, headers, gzip, .. } = &self.export;
        let message =
            if *gzip { compressed(&message.encode_to_vec())? } else { message.encode_to_vec() };
        let (body, content_type, encoding) = match protocol {
            Protocol::Grpc => {
                let length = u32::try_from(message.len()).map_err(io::Error::other)?;
                let mut framed = BytesMut::with_capacity(message.len() + 5);
                framed.put_u8(u8::from(*gzip));
                framed.put_u32(length);
                framed.put_slice(&message);
                (framed.freeze(), "application/grpc", "grpc-encoding")
            }
            Protocol::HttpProtobuf => {
                (Bytes::from(message), "application/x-protobuf", "content-encoding")
            }
        };
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(url.clone())
            .header(header::CONTENT_TYPE, content_type)
            .header(header::USER_AGENT, concat!("agi-bridge/", env!("CARGO_PKG_VERSION")));
        if *protocol == Protocol::Grpc {
            request = request.header(header::TE, "trailers");
        }
        if *gzip {
            request = request.header(encoding, "gzip");
        }
        for (name, value) in headers {
            let mut value = HeaderValue::try_from(value.expose()).map_err(io::Error::other)?;
            value.set_sensitive(true);
            request = request.header(name.as_str(), value);
        }
        request.body(Full::new(body)).map_err(io::Error::other)
    }
}

fn compressed(message: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(message)?;
    encoder.finish()
}

async fn grpc_answer(answer: Response<Incoming>) -> Result<Taken, Failure> {
    let (head, body) = answer.into_parts();
    if head.status != StatusCode::OK {
        return Err(refused(head.status, &head.headers));
    }
    let body = collect(body).await?;
    let trailers = body.1.unwrap_or_default();
    let status = trailers.get("grpc-status").or_else(|| head.headers.get("grpc-status"));
    let code = status.map_or(Code::Unknown, |status| Code::from_bytes(status.as_bytes()));
    if code == Code::Ok {
        return Ok(taken(body.0.get(5..).unwrap_or_default()));
    }
    let retry = match code {
        Code::Cancelled
        | Code::DeadlineExceeded
        | Code::ResourceExhausted
        | Code::Aborted
        | Code::OutOfRange
        | Code::Unavailable
        | Code::DataLoss => true,
        Code::Ok
        | Code::Unknown
        | Code::InvalidArgument
        | Code::NotFound
        | Code::AlreadyExists
        | Code::PermissionDenied
        | Code::FailedPrecondition
        | Code::Unimplemented
        | Code::Internal
        | Code::Unauthenticated => false,
    };
    Err(Failure::new(format!("the collector says {code:?}"), retry))
}

async fn http_answer(answer: Response<Incoming>) -> Result<Taken, Failure> {
    let (head, body) = answer.into_parts();
    if !head.status.is_success() {
        return Err(refused(head.status, &head.headers));
    }
    Ok(taken(&collect(body).await?.0))
}

async fn collect(body: Incoming) -> Result<(Bytes, Option<HeaderMap>), Failure> {
    let collected = Limited::new(body, ANSWER_MAX)
        .collect()
        .await
        .map_err(|error| Failure::new(format!("its answer broke off: {error}"), true))?;
    let trailers = collected.trailers().cloned();
    Ok((collected.to_bytes(), trailers))
}

fn refused(status: StatusCode, headers: &HeaderMap) -> Failure {
    let after =
        headers.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    Failure {
        what: format!("the collector says HTTP {status}"),
        retry: matches!(status.as_u16(), 429 | 502 | 503 | 504),
        after: after.map(|seconds| Duration::from_secs(seconds).min(RETRY_AFTER_MAX)),
    }
}

/// An answer that is no message says no more than its status. Those of all signals have the same numbers.
fn taken(message: &[u8]) -> Taken {
    let answer = ExportTraceServiceResponse::decode(message).unwrap_or_default();
    let partial = answer.partial_success.unwrap_or_default();
    Taken {
        rejected: usize::try_from(partial.rejected_spans).unwrap_or(0),
        message: partial.error_message,
    }
}
