//! The handler's span, and how it joins the call's trace.

use crate::proto::CallStarted;
use std::collections::HashMap;
use tonic::metadata::MetadataMap;
use tracing::Span;

/// The span that a handler runs in: a part of the call's trace where OpenTelemetry is set up. A worker's stream has no
/// metadata of the call: its context is in `started`.
pub(crate) fn handler_span(started: &CallStarted, metadata: Option<&MetadataMap>) -> Span {
    let span = tracing::info_span!(
        "agibridge.v1.CallService/HandleCall",
        otel.kind = "server",
        agibridge.call.id = started.call_id,
        agibridge.route = started.route,
    );
    let mut context = started.trace_context.clone();
    for name in ["traceparent", "tracestate", "baggage"] {
        if let Some(value) = metadata.and_then(|it| it.get(name)?.to_str().ok()) {
            context.entry(name.to_owned()).or_insert_with(|| value.to_owned());
        }
    }
    join(&span, &context);
    span
}

#[cfg(feature = "opentelemetry")]
fn join(span: &Span, context: &HashMap<String, String>) {
    use tracing_opentelemetry::OpenTelemetrySpanExt;

    let parent = opentelemetry::global::get_text_map_propagator(|it| it.extract(context));
    // It fails where no layer for OpenTelemetry is set up: then there is no trace to join.
    let _unset = span.set_parent(parent);
}

#[cfg(not(feature = "opentelemetry"))]
fn join(_: &Span, _: &HashMap<String, String>) {}

/// The context of the span that is active, for a command.
#[cfg(feature = "opentelemetry")]
pub(crate) fn context() -> HashMap<String, String> {
    use tracing_opentelemetry::OpenTelemetrySpanExt;

    let mut headers = HashMap::new();
    let active = Span::current().context();
    opentelemetry::global::get_text_map_propagator(|it| it.inject_context(&active, &mut headers));
    headers.retain(|name, _| matches!(name.as_str(), "traceparent" | "tracestate"));
    headers
}

#[cfg(not(feature = "opentelemetry"))]
pub(crate) fn context() -> HashMap<String, String> {
    HashMap::new()
}
