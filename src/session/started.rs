//! What a service is told first of a call: `CallStarted`, and the metadata of its stream.

use crate::{
    agi::Prelude,
    proto::{CallEvent, CallStarted, QueryParameter, Resumption, call_event::Event},
    route::Route,
    telemetry::trace::TraceContext,
};
use pbjson_types::Timestamp;
use std::time::SystemTime;
use uuid::Uuid;

/// The first event of a call.
pub(super) fn started(
    (call_id, accepted_at): (Uuid, SystemTime),
    prelude: &Prelude,
    (route, parameters): (&Route, &[(String, String)]),
    query: &[(String, String)],
    resumption: Option<Resumption>,
) -> CallEvent {
    let lossy = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let started = CallStarted {
        call_id: call_id.to_string(),
        route: route.name.to_string(),
        path_parameters: parameters.iter().cloned().collect(),
        query_parameters: query
            .iter()
            .map(|(key, value)| QueryParameter { key: key.clone(), value: value.clone() })
            .collect(),
        arguments: prelude.arguments().map(lossy).collect(),
        channel: Some(prelude.channel()),
        environment: prelude.environment(),
        accepted_at: Some(timestamp(accepted_at)),
        resumption,
        max_queued_commands: route.policy.max_queued_commands,
        ..CallStarted::default()
    };
    CallEvent { event: Some(Event::Started(Box::new(started))) }
}

/// The metadata of a call's stream, names in lower case.
pub(super) fn metadata(
    call_id: Uuid,
    route: &Route,
    trace: &TraceContext,
    (trace_context, baggage): (bool, bool),
) -> Vec<(String, String)> {
    let mut metadata = vec![
        ("agibridge-call-id".to_owned(), call_id.to_string()),
        ("agibridge-route".to_owned(), route.name.to_string()),
    ];
    if trace_context {
        metadata.push(("traceparent".to_owned(), trace.traceparent()));
        metadata.extend(trace.tracestate.clone().map(|state| ("tracestate".to_owned(), state)));
    }
    let baggage = trace.baggage.clone().filter(|_| baggage);
    metadata.extend(baggage.map(|baggage| ("baggage".to_owned(), baggage)));
    metadata
}

/// A moment, as the contract has it.
pub fn timestamp(at: SystemTime) -> Timestamp {
    let since = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp {
        seconds: i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
        nanos: since.subsec_nanos().cast_signed(),
    }
}
