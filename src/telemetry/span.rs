//! The spans of a call, small as they are kept until they leave. Knows what they mean, and nothing of how they are sent.
//!
//! Nothing in here is free text of a caller, of a service or of Asterisk, but for the names of a channel and of an action: no digit, no value,
//! no message has a place to stand in.

use super::{
    metrics::Transport,
    trace::{SpanId, TraceContext, TraceId},
};
use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, SystemTime},
};
use uuid::Uuid;

/// One span that has ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Span {
    /// The whole call's, or that of the service that asked.
    pub trace_id: TraceId,
    /// Its own.
    pub span_id: SpanId,
    /// The span that asked for it.
    pub parent: Option<Parent>,
    /// As it came with the parent.
    pub tracestate: Option<Arc<str>>,
    /// When it began.
    pub start: SystemTime,
    /// When it ended.
    pub end: SystemTime,
    /// A span of before: the stream that this one carries on for, or the call of a command in another trace.
    pub link: Option<Link>,
    /// `error.type`, from a closed set; none: nobody is at fault.
    pub error: Option<&'static str>,
    /// Whose it is; none: it belongs to no call.
    pub call: Option<Arc<CallFacts>>,
    /// The route that the call was on; none: it was turned away, or there is no call.
    pub route: Option<Arc<str>>,
    /// What happened.
    pub what: What,
}

/// Above a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parent {
    /// Its id, in the same trace.
    pub span_id: SpanId,
    /// It came from another process.
    pub remote: bool,
}

/// Another span that has to do with this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    /// Its trace.
    pub trace_id: TraceId,
    /// Its id.
    pub span_id: SpanId,
}

/// What is the same for all spans of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallFacts {
    /// As in logs.
    pub call_id: Uuid,
    /// As `PJSIP/3200-0000001a`.
    pub channel: String,
    /// The channel's unique id.
    pub unique_id: String,
    /// As `PJSIP`.
    pub channel_type: String,
    /// Only where the configuration wants it.
    pub caller_number: Option<String>,
    /// Who connected.
    pub peer: SocketAddr,
}

/// What a span stands for.
#[derive(Debug, Clone, PartialEq)]
pub enum What {
    /// From the accept of a call to its end.
    Call(CallEnd),
    /// One attempt to reach a service, and what followed if it took the call.
    Stream(Box<Stream>),
    /// One command, from its write to its reply.
    Command(Command),
    /// One action of Asterisk's manager, from its way to Asterisk to its answer.
    Action(Box<ActionSpan>),
    /// A request of a client, from when it came to its answer.
    Request(RequestSpan),
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallEnd {
    /// The contract's reason in lower case; none: it was turned away, or cut off.
    pub reason: Option<&'static str>,
    /// What stands in `AGIBRIDGE_STATUS`.
    pub status: Option<&'static str>,
    /// Commands that were written.
    pub commands: u32,
    /// How long the caller of the answered channel heard nothing because no command had come; none: nobody knows.
    pub dead_air: Option<Duration>,
}

/// A service that was tried, and perhaps had the call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stream {
    /// How it is reached.
    pub transport: Transport,
    /// Host and port by the configuration; none for what is not dialled.
    pub server: Option<(Arc<str>, u16)>,
    /// The address that was tried.
    pub peer: Option<SocketAddr>,
    /// Who has the call: an address, or a worker's name. None: nobody took it.
    pub endpoint: Option<Arc<str>>,
    /// The gRPC status that it ended with, or the one that stands for how it did.
    pub status: &'static str,
    /// Which resumption of the call it was for.
    pub resumption: Option<Resumed>,
}

/// Why a service was sought again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resumed {
    /// 1 for the first.
    pub attempt: u32,
    /// As `service_lost`.
    pub cause: &'static str,
}

/// What a client asked of the bridge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestSpan {
    /// Its full name, as `agibridge.v1.ManagerService/Originate`.
    pub method: &'static str,
    /// The gRPC status that it was answered with.
    pub status: &'static str,
    /// What became of the call; none: there is no answer.
    pub outcome: Option<&'static str>,
}

/// A command, without its arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Command {
    /// The service's own number; none for the lines of a program, and for those of the bridge itself.
    pub id: Option<u32>,
    /// As `GET DATA`; empty: it could not be told what it was.
    pub name: &'static str,
    /// As `digits` or `timed_out`.
    pub outcome: &'static str,
    /// How long it waited for its turn.
    pub queued: Option<Duration>,
}

/// An action, without its headers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActionSpan {
    /// As `Originate`.
    pub name: Box<str>,
    /// The Asterisk's name in the configuration.
    pub server: Arc<str>,
    /// As `success` or `timed_out`.
    pub outcome: &'static str,
}

impl Link {
    /// To the span of a context.
    pub const fn to(context: &TraceContext) -> Self {
        Self { trace_id: context.trace_id, span_id: context.span_id }
    }
}
