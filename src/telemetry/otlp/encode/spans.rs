//! Spans as OTLP has them: here, and only here, stand the names of their attributes. Knows nothing of sending.

use super::{attribute, nanos, number, text};
use crate::telemetry::{
    metrics::Transport,
    span::{ActionSpan, CallEnd, Command, Link, RequestSpan, Span, Stream, What},
};
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{KeyValue, any_value::Value},
    trace::v1::{
        ResourceSpans, ScopeSpans, Span as OtlpSpan, Status,
        span::{Link as OtlpLink, SpanKind},
        status::StatusCode,
    },
};

/// Of all spans that leave: they are recorded.
const SAMPLED: u32 = 1;
/// Whether the parent is of another process is known, and so it is.
const HAS_IS_REMOTE: u32 = 1 << 8;
const IS_REMOTE: u32 = 1 << 9;

const HANDLE_CALL: &str = "agibridge.v1.CallService/HandleCall";

/// One request with these spans; `resource`: who sends them.
pub(in super::super) fn request(
    spans: &[Span],
    resource: &[(String, String)],
) -> ExportTraceServiceRequest {
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource: Some(super::resource(resource)),
            scope_spans: vec![ScopeSpans {
                scope: Some(super::scope()),
                spans: spans.iter().map(span).collect(),
                schema_url: String::new(),
            }],
            schema_url: String::new(),
        }],
    }
}

fn span(span: &Span) -> OtlpSpan {
    let remote = span.parent.is_some_and(|parent| parent.remote);
    let mut attributes = Vec::new();
    let call_id = span.call.as_ref().map(|call| call.call_id.to_string());
    attributes.extend(call_id.map(|id| text("agibridge.call.id", id)));
    attributes.extend(span.route.as_deref().map(|route| text("agibridge.route", route)));
    attributes.extend(span.error.map(|error| text("error.type", error)));
    let (name, kind) = match &span.what {
        What::Call(end) => {
            call(span, *end, &mut attributes);
            let name = span.route.as_ref().map(|route| format!("agi {route}"));
            (name.unwrap_or_else(|| "agi".to_owned()), SpanKind::Server)
        }
        What::Stream(stream) => {
            self::stream(stream, &mut attributes);
            (stream_name(stream.transport).to_owned(), SpanKind::Client)
        }
        What::Command(command) => {
            self::command(*command, &mut attributes);
            (format!("AGI {}", command.name).trim_end().to_owned(), SpanKind::Client)
        }
        What::Action(action) => {
            self::action(action, &mut attributes);
            (format!("AMI {}", action.name), SpanKind::Client)
        }
        What::Request(request) => {
            asked(*request, &mut attributes);
            (request.method.to_owned(), SpanKind::Server)
        }
    };
    let failed = span.error.is_some();
    OtlpSpan {
        trace_id: span.trace_id.to_bytes().to_vec(),
        span_id: span.span_id.to_bytes().to_vec(),
        trace_state: span.tracestate.as_deref().unwrap_or_default().to_owned(),
        parent_span_id: span
            .parent
            .map(|parent| parent.span_id.to_bytes().to_vec())
            .unwrap_or_default(),
        flags: SAMPLED | HAS_IS_REMOTE | if remote { IS_REMOTE } else { 0 },
        name,
        kind: kind.into(),
        start_time_unix_nano: nanos(span.start),
        end_time_unix_nano: nanos(span.end.max(span.start)),
        attributes,
        links: span.link.iter().map(link).collect(),
        status: failed.then(|| Status { code: StatusCode::Error.into(), message: String::new() }),
        ..OtlpSpan::default()
    }
}

fn call(span: &Span, end: CallEnd, attributes: &mut Vec<KeyValue>) {
    attributes.extend(end.reason.map(|reason| text("agibridge.call.end_reason", reason)));
    attributes.extend(end.status.map(|status| text("agibridge.call.status", status)));
    attributes.push(number("agibridge.call.commands", end.commands.into()));
    let Some(facts) = &span.call else { return };
    attributes.extend([
        text("agibridge.channel.name", &facts.channel),
        text("agibridge.channel.unique_id", &facts.unique_id),
        text("agibridge.channel.type", &facts.channel_type),
        text("network.peer.address", facts.peer.ip().to_string()),
        number("network.peer.port", facts.peer.port().into()),
    ]);
    attributes.extend(
        end.dead_air.map(|span| {
            attribute("agibridge.call.dead_air", Value::DoubleValue(span.as_secs_f64()))
        }),
    );
    let caller = facts.caller_number.as_deref();
    attributes.extend(caller.map(|caller| text("agibridge.caller.number", caller)));
}

/// A program that speaks AGI itself is called by no method.
fn stream_name(transport: Transport) -> &'static str {
    match transport {
        Transport::Grpc | Transport::WebSocket | Transport::Worker => HANDLE_CALL,
        Transport::FastAgi => "FastAGI",
        Transport::Script => "AGI script",
    }
}

fn stream(stream: &Stream, attributes: &mut Vec<KeyValue>) {
    match stream.transport {
        Transport::Grpc => attributes.push(text("rpc.system.name", "grpc")),
        Transport::WebSocket | Transport::Worker | Transport::FastAgi | Transport::Script => {}
    }
    match stream.transport {
        Transport::Grpc | Transport::WebSocket | Transport::Worker => {
            attributes.push(text("rpc.method", HANDLE_CALL));
            attributes.push(text("rpc.status_code", stream.status));
        }
        Transport::FastAgi | Transport::Script => {}
    }
    attributes.push(text("agibridge.transport", stream.transport.text()));
    if let Some((host, port)) = &stream.server {
        attributes.push(text("server.address", &**host));
        attributes.push(number("server.port", (*port).into()));
    }
    if let Some(peer) = stream.peer {
        attributes.push(text("network.peer.address", peer.ip().to_string()));
        attributes.push(number("network.peer.port", peer.port().into()));
    }
    let endpoint = stream.endpoint.as_deref();
    attributes.extend(endpoint.map(|endpoint| text("agibridge.service.endpoint", endpoint)));
    if let Some(resumed) = stream.resumption {
        attributes.push(number("agibridge.resumption.attempt", resumed.attempt.into()));
        attributes.push(text("agibridge.resumption.cause", resumed.cause));
    }
}

fn command(command: Command, attributes: &mut Vec<KeyValue>) {
    attributes.extend(command.id.map(|id| number("agibridge.command.id", id.into())));
    attributes.push(text("agibridge.command.name", command.name));
    attributes.push(text("agibridge.command.outcome", command.outcome));
    if let Some(queued) = command.queued {
        let seconds = Value::DoubleValue(queued.as_secs_f64());
        attributes.push(attribute("agibridge.command.queue_duration", seconds));
    }
}

fn action(action: &ActionSpan, attributes: &mut Vec<KeyValue>) {
    attributes.push(text("agibridge.manager.server", &*action.server));
    attributes.push(text("agibridge.manager.action", &*action.name));
    attributes.push(text("agibridge.manager.outcome", action.outcome));
}

fn asked(request: RequestSpan, attributes: &mut Vec<KeyValue>) {
    attributes.push(text("rpc.method", request.method));
    attributes.push(text("rpc.status_code", request.status));
    let outcome = request.outcome;
    attributes.extend(outcome.map(|outcome| text("agibridge.manager.originate.outcome", outcome)));
}

fn link(link: &Link) -> OtlpLink {
    OtlpLink {
        trace_id: link.trace_id.to_bytes().to_vec(),
        span_id: link.span_id.to_bytes().to_vec(),
        flags: SAMPLED | HAS_IS_REMOTE,
        ..OtlpLink::default()
    }
}
