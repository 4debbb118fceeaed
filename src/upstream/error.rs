//! What goes wrong with a service, before and after it took a call. Knows no retries and no sockets.

use crate::{route::Service, telemetry::trace::TraceContext};
use http::StatusCode;
use std::{fmt, net::SocketAddr, sync::Arc, time::Duration};
use tonic::Code;

/// Why one attempt to reach a service failed. Said of the service, never of the caller.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AttemptError {
    /// The name has no address.
    #[error("name not resolved: {0}")]
    Resolve(String),
    /// No TCP connection.
    #[error("{0}")]
    Connect(String),
    /// The TLS handshake, or the files that it needs.
    #[error("tls: {0}")]
    Tls(String),
    /// The peer speaks no HTTP/2, or broke off.
    #[error("http/2: {0}")]
    Http2(String),
    /// An HTTP answer that is no gRPC.
    #[error("no gRPC service: {0}")]
    NotGrpc(String),
    /// The peer does not speak WebSocket, or not the contract's subprotocol.
    #[error("no WebSocket service: {0}")]
    NotWebSocket(String),
    /// The script did not start.
    #[error("not started: {0}")]
    Spawn(String),
    /// It failed again and again, and is not tried for so long yet.
    #[error("left alone for {0:?} yet, since it keeps failing")]
    LeftAlone(Duration),
    /// Not done in time.
    #[error("timed out {0}")]
    Timeout(Phase),
    /// Nobody who dialled in for the group can take a call.
    #[error("{}", no_worker(.group, *.connected))]
    NoWorker {
        /// As workers and routes name it.
        group: String,
        /// Workers that are there, and drain, are full, or were asked.
        connected: usize,
    },
    /// A worker did not want the call.
    #[error("worker {worker} declined: {reason}")]
    Declined {
        /// Its name.
        worker: String,
        /// What it said.
        reason: String,
    },
    /// A worker let its offer expire.
    #[error("worker {worker} did not take the call in time")]
    NotTaken {
        /// Its name.
        worker: String,
    },
    /// A worker went away before it took the call.
    #[error("worker {worker} is gone")]
    WorkerGone {
        /// Its name.
        worker: String,
    },
    /// The call went elsewhere before the attempt had come to an end.
    #[error("given up")]
    GivenUp,
    /// The service, or a proxy in its name, refused the call.
    #[error("{code:?}: {message}")]
    Status {
        /// The gRPC status code.
        code: Code,
        /// What it said with it.
        message: String,
    },
}

impl AttemptError {
    /// The kind of failure in one word, from a closed set: fit for a metric's label.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Resolve(_) => "resolve",
            Self::Connect(_) => "connect",
            Self::Tls(_) => "tls",
            Self::Http2(_) => "http2",
            Self::NotGrpc(_) => "not_grpc",
            Self::NotWebSocket(_) => "not_websocket",
            Self::Timeout(_) | Self::NotTaken { .. } => "timeout",
            Self::NoWorker { .. } => "no_worker",
            Self::Declined { .. } => "declined",
            Self::WorkerGone { .. } => "worker_gone",
            Self::Spawn(_) => "spawn",
            Self::LeftAlone(_) => "left_alone",
            Self::GivenUp => "given_up",
            Self::Status { code, .. } => status_name(*code),
        }
    }

    /// gRPC's table for answers of proxies.
    pub(super) fn of_http(status: StatusCode) -> Self {
        let code = match status.as_u16() {
            400 => Code::Internal,
            401 => Code::Unauthenticated,
            403 => Code::PermissionDenied,
            404 => Code::Unimplemented,
            429 | 502 | 503 | 504 => Code::Unavailable,
            _ => Code::Unknown,
        };
        Self::Status { code, message: format!("HTTP {status}") }
    }

    /// Whether the service is well, and has no room: it may have some at any moment.
    pub(super) fn means_full(&self) -> bool {
        matches!(self, Self::Status { code: Code::ResourceExhausted, .. })
    }

    /// Whether the address itself seems to be at fault, rather than this one call.
    pub(super) fn blames_address(&self) -> bool {
        match self {
            Self::Resolve(_)
            | Self::LeftAlone(_)
            | Self::GivenUp
            | Self::NoWorker { .. }
            | Self::Declined { .. }
            | Self::NotTaken { .. }
            | Self::WorkerGone { .. } => false,
            Self::Connect(_)
            | Self::Tls(_)
            | Self::Http2(_)
            | Self::NotGrpc(_)
            | Self::NotWebSocket(_)
            | Self::Spawn(_)
            | Self::Timeout(_) => true,
            Self::Status { code, .. } => {
                matches!(code, Code::Unavailable | Code::ResourceExhausted)
            }
        }
    }
}

/// A refusal, and what the service says of trying again.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) error: AttemptError,
    pub(super) pushback: Option<Pushback>,
}

/// The service's word on trying it again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pushback {
    After(Duration),
    Never,
}

impl From<AttemptError> for Refusal {
    fn from(error: AttemptError) -> Self {
        Self { error, pushback: None }
    }
}

fn no_worker(group: &str, connected: usize) -> String {
    match connected {
        0 => format!("no worker of {group} is connected"),
        connected => format!("no worker of {group} has room ({connected} connected)"),
    }
}

/// The name of a gRPC status code, in lower snake case.
pub fn status_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "ok",
        Code::Cancelled => "cancelled",
        Code::Unknown => "unknown",
        Code::InvalidArgument => "invalid_argument",
        Code::DeadlineExceeded => "deadline_exceeded",
        Code::NotFound => "not_found",
        Code::AlreadyExists => "already_exists",
        Code::PermissionDenied => "permission_denied",
        Code::ResourceExhausted => "resource_exhausted",
        Code::FailedPrecondition => "failed_precondition",
        Code::Aborted => "aborted",
        Code::OutOfRange => "out_of_range",
        Code::Unimplemented => "unimplemented",
        Code::Internal => "internal",
        Code::Unavailable => "unavailable",
        Code::DataLoss => "data_loss",
        Code::Unauthenticated => "unauthenticated",
    }
}

/// How far an attempt came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Connecting, or waiting for a connection with room.
    Connecting,
    /// Waiting for the service to take the call.
    Accepting,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connecting => "connecting",
            Self::Accepting => "waiting for the service to take the call",
        })
    }
}

/// One attempt to reach a service, as it ended.
#[derive(Debug)]
pub struct Attempt<'a> {
    /// The service that was tried.
    pub service: &'a Arc<Service>,
    /// The address of it; none when the name had no address, and for what is not dialled.
    pub address: Option<SocketAddr>,
    /// From its start to its end.
    pub took: Duration,
    /// How it failed; none: the service took the call.
    pub error: Option<&'a AttemptError>,
    /// Its span, where there is one for the call.
    pub trace: Option<&'a TraceContext>,
}

impl Attempt<'_> {
    /// The gRPC status that stands for how it ended.
    pub fn code(&self) -> Code {
        match self.error {
            None => Code::Ok,
            Some(AttemptError::Status { code, .. }) => *code,
            Some(AttemptError::Timeout(_) | AttemptError::NotTaken { .. }) => {
                Code::DeadlineExceeded
            }
            Some(AttemptError::GivenUp) => Code::Cancelled,
            Some(AttemptError::Declined { .. }) => Code::ResourceExhausted,
            Some(AttemptError::NotGrpc(_) | AttemptError::NotWebSocket(_)) => Code::Unimplemented,
            Some(
                AttemptError::Resolve(_)
                | AttemptError::Connect(_)
                | AttemptError::Tls(_)
                | AttemptError::Http2(_)
                | AttemptError::NoWorker { .. }
                | AttemptError::WorkerGone { .. }
                | AttemptError::Spawn(_)
                | AttemptError::LeftAlone(_),
            ) => Code::Unavailable,
        }
    }
}

/// No service of the route took the call in time.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Exhausted {
    /// The last failure of each address that was tried, in the order of the first attempts.
    pub failures: Vec<Failure>,
}

/// How an address failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The service's URL.
    pub service: Arc<str>,
    /// None when the name had no address, and for what is not dialled.
    pub address: Option<SocketAddr>,
    /// The last error.
    pub error: AttemptError,
    /// How often it was tried.
    pub attempts: u32,
}

impl Exhausted {
    pub(super) fn add(
        &mut self,
        service: &Service,
        address: Option<SocketAddr>,
        error: AttemptError,
    ) {
        let known =
            self.failures.iter_mut().find(|f| f.address == address && f.service == service.url);
        match known {
            // Why it is left alone says more than that it is.
            Some(_) if matches!(error, AttemptError::LeftAlone(_)) => {}
            Some(failure) => {
                failure.error = error;
                failure.attempts += 1;
            }
            None => self.failures.push(Failure {
                service: service.url.clone(),
                address,
                error,
                attempts: 1,
            }),
        }
    }
}

/// `grpc://x:1 10.0.0.7:1: connection refused; …`; a long list is cut with a count of the rest.
impl fmt::Display for Exhausted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 4;
        if self.failures.is_empty() {
            return f.write_str("no service was tried");
        }
        for (index, failure) in self.failures.iter().take(SHOWN).enumerate() {
            let comma = if index > 0 { "; " } else { "" };
            write!(f, "{comma}{failure}")?;
        }
        match self.failures.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            more => write!(f, "; and {more} more"),
        }
    }
}

impl std::error::Error for Exhausted {}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.address {
            Some(address) => write!(f, "{} {address}: {}", self.service, self.error),
            None => write!(f, "{}: {}", self.service, self.error),
        }
    }
}

/// The stream of a call ended, and not with status OK.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the service was lost: {code:?}: {message}")]
pub struct Lost {
    /// The status that the stream ended with, or the one that stands for how it broke.
    pub code: Code,
    /// For people.
    pub message: String,
}

/// An event was not queued.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The service does not read: as many events wait as the link was given room for.
    #[error("the service does not read its events")]
    Full,
    /// The stream is over; `poll_recv` says how.
    #[error("the stream to the service is over")]
    Closed,
    /// The event is larger than a message may be (4 MiB).
    #[error("the event is larger than 4 MiB")]
    TooLarge,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exhausted_reads_as_one_line() {
        let failure = |port: u16| Failure {
            service: "grpc://x:1".into(),
            address: Some(SocketAddr::from(([10, 0, 0, 7], port))),
            error: AttemptError::Connect("connection refused".into()),
            attempts: 1,
        };
        let mut exhausted = Exhausted { failures: vec![failure(1)] };
        assert_eq!(exhausted.to_string(), "grpc://x:1 10.0.0.7:1: connection refused");
        exhausted.failures.extend((2..=6).map(failure));
        assert!(exhausted.to_string().ends_with("10.0.0.7:4: connection refused; and 2 more"));
        assert_eq!(Exhausted::default().to_string(), "no service was tried");
    }
}
