//! The contract's ProtoJSON, to and from the library's values.

use agibridge::{
    Action, ActionResponse, Event, Headers, Manager, Originate, Originated, ServerState, Watch,
};
use serde_json::{Map, Value, json};
use std::time::{Duration, UNIX_EPOCH};

fn text<'a>(it: &'a Value, name: &str) -> &'a str {
    it[name].as_str().unwrap_or_default()
}

fn flag(it: &Value, name: &str) -> bool {
    it[name].as_bool().unwrap_or_default()
}

fn duration(it: &Value) -> Option<Duration> {
    let seconds = it.as_str()?.strip_suffix('s')?.parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok()
}

fn pairs(it: &Value) -> impl Iterator<Item = (&str, &str)> {
    let all = it.as_object().into_iter().flat_map(Map::iter);
    all.map(|(key, value)| (key.as_str(), value.as_str().unwrap_or_default()))
}

fn list(it: &Value) -> impl Iterator<Item = &Value> {
    it.as_array().into_iter().flatten()
}

pub(crate) fn originate(manager: &Manager, it: &Value) -> Originate {
    let mut call = manager
        .originate(text(it, "channel"))
        .server(text(it, "server"))
        .request_id(text(it, "requestId"))
        .caller_id(text(it, "callerIdName"), text(it, "callerIdNumber"))
        .account_code(text(it, "accountCode"));
    if let Some(place) = it.get("dialplan") {
        let priority = place["priority"].as_i64().and_then(|it| i32::try_from(it).ok());
        call = call
            .to_extension(text(place, "context"), text(place, "extension"))
            .priority(priority.unwrap_or_default());
    }
    if let Some(target) = it.get("application") {
        call = call.to_application(text(target, "application"), text(target, "data"));
    }
    if it.get("route").is_some() {
        call = call.to_route(text(it, "route"));
    }
    if let Some(limit) = duration(&it["ringTimeout"]) {
        call = call.ring_timeout(limit);
    }
    for (name, value) in pairs(&it["variables"]) {
        call = call.variable(name, value);
    }
    for codec in list(&it["codecs"]) {
        call = call.codec(codec.as_str().unwrap_or_default());
    }
    if flag(it, "earlyMedia") {
        call = call.early_media();
    }
    if flag(it, "waitForOutcome") { call } else { call.without_waiting() }
}

pub(crate) fn action(manager: &Manager, it: &Value) -> Action {
    let mut action = manager.action(text(it, "action")).server(text(it, "server"));
    for header in list(&it["headers"]) {
        action = action.header(text(header, "key"), text(header, "value"));
    }
    match duration(&it["timeout"]) {
        Some(limit) => action.timeout(limit),
        None => action,
    }
}

pub(crate) fn watch(manager: &Manager, it: &Value) -> Watch {
    let names = list(&it["names"]).filter_map(Value::as_str);
    let mut events = manager.watch(names).server(text(it, "server"));
    for (key, value) in pairs(&it["match"]) {
        events = events.matching(key, value);
    }
    events
}

pub(crate) fn originated(it: &Originated) -> Value {
    json!({
        "outcome": format!("OUTCOME_{}", it.outcome), "channel": it.channel, "uniqueId": it.unique_id,
        "detail": it.detail, "requestId": it.request_id,
    })
}

pub(crate) fn response(it: &ActionResponse) -> Value {
    json!({
        "success": it.success, "message": it.message, "headers": headers(&it.headers),
        "events": it.events.iter().map(event).collect::<Vec<_>>(), "output": it.output,
        "truncated": it.truncated,
    })
}

fn headers(all: &Headers) -> Value {
    all.iter().map(|(key, value)| json!({"key": key, "value": value})).collect()
}

pub(crate) fn event(it: &Event) -> Value {
    let since = it.received_at.and_then(|at| at.duration_since(UNIX_EPOCH).ok());
    let received_at = since.and_then(|since| {
        let seconds = i64::try_from(since.as_secs()).ok()?;
        let nanos = i32::try_from(since.subsec_nanos()).ok()?;
        Some(prost_types::Timestamp { seconds, nanos }.to_string())
    });
    json!({
        "server": it.server, "name": it.name, "headers": headers(&it.headers), "receivedAt": received_at,
    })
}

pub(crate) fn server(it: &ServerState) -> Value {
    json!({
        "server": it.server, "connected": it.connected, "asteriskVersion": it.asterisk_version,
        "detail": it.detail,
    })
}

pub(crate) fn servers(all: &[ServerState]) -> Value {
    json!({"servers": all.iter().map(server).collect::<Vec<_>>()})
}
