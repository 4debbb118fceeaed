//! The call's trace: joined by the handler, and carried on by its commands.

#![cfg(test)]
#![cfg(feature = "opentelemetry")]

mod common;

use agibridge::{Call, Server, proto::call_control::Control};
use common::started;
use opentelemetry::trace::{SpanKind, TracerProvider};
use opentelemetry_sdk::{
    propagation::TraceContextPropagator,
    trace::{InMemorySpanExporter, SdkTracerProvider},
};
use tracing::Instrument;
use tracing_subscriber::layer::SubscriberExt;

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const PARENT: &str = "b7ad6b7169203331";

async fn handle(call: Call) -> Result<(), agibridge::Error> {
    call.noop("in the handler's span").await?;
    let inner = tracing::info_span!("inner");
    call.noop("in a span of its own").into_future().instrument(inner).await
}

#[tokio::test]
async fn a_handler_continues_the_trace_and_its_commands_carry_it() {
    let spans = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder().with_simple_exporter(spans.clone()).build();
    opentelemetry::global::set_text_map_propagator(TraceContextPropagator::new());
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
    let _default = tracing::subscriber::set_default(tracing_subscriber::registry().with(layer));

    let bound = Server::new(handle).listen("127.0.0.1:0").signals(false).bind().await.unwrap();
    let address = bound.address();
    let server = tokio::spawn(bound.run());
    let traceparent = format!("00-{TRACE}-{PARENT}-01");
    let mut caller = common::dial_with(address, &[("traceparent", &traceparent)]).await.unwrap();
    caller.send(started("one")).await;
    let mut carried = Vec::new();
    for id in [1, 2] {
        let Some(Control::Command(command)) = caller.control().await else { panic!("no command") };
        carried.push(command.trace_context["traceparent"].clone());
        caller.send(common::done(id)).await;
    }
    assert!(matches!(caller.control().await, Some(Control::End(_))));
    caller.end().await;
    caller.status().await;
    server.abort();

    let spans = loop {
        let spans = spans.get_finished_spans().unwrap();
        if spans.len() > 1 {
            break spans;
        }
        tokio::task::yield_now().await;
    };
    let span = |name: &str| spans.iter().find(|it| it.name == name).expect("the span");
    let (handler, inner) = (span("agibridge.v1.CallService/HandleCall"), span("inner"));
    assert_eq!(handler.span_context.trace_id().to_string(), TRACE);
    assert_eq!(
        (handler.parent_span_id.to_string().as_str(), &handler.span_kind),
        (PARENT, &SpanKind::Server)
    );
    for (carried, span) in carried.iter().zip([handler, inner]) {
        assert_eq!(*carried, format!("00-{TRACE}-{}-01", span.span_context.span_id()));
    }
}
