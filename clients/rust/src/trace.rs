//! The handler's span, and how it joins the call's trace.

use std::collections::HashMap;
use tonic::metadata::MetadataMap;
use tracing::Span;

/// The span that a handler runs in: a part of the call's trace where OpenTelemetry is set up.
pub(crate) fn handler_span(call_id: &str, route: &str, metadata: Option<&MetadataMap>) -> Span {
    let span = tracing::info_span!(
        "agibridge.v1.CallService/HandleCall",
        otel.kind = "server",
        agibridge.call.id = call_id,
        agibridge.route = route,
    );
    if let Some(metadata) = metadata {
        join(&span, metadata);
    }
    span
}

#[cfg(feature = "opentelemetry")]
fn join(span: &Span, metadata: &MetadataMap) {
    use tracing_opentelemetry::OpenTelemetrySpanExt;

    struct Headers<'a>(&'a MetadataMap);

    impl opentelemetry::propagation::Extractor for Headers<'_> {
        fn get(&self, key: &str) -> Option<&str> {
            self.0.get(key)?.to_str().ok()
        }

        fn keys(&self) -> Vec<&str> {
            self.0
                .keys()
                .filter_map(|key| match key {
                    tonic::metadata::KeyRef::Ascii(key) => Some(key.as_str()),
                    tonic::metadata::KeyRef::Binary(_) => None,
                })
                .collect()
        }
    }

    let parent =
        opentelemetry::global::get_text_map_propagator(|it| it.extract(&Headers(metadata)));
    // It fails where no layer for OpenTelemetry is set up: then there is no trace to join.
    let _unset = span.set_parent(parent);
}

#[cfg(not(feature = "opentelemetry"))]
fn join(_: &Span, _: &MetadataMap) {}

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
