//! What a scripted test service does: controls of the contract in ProtoJSON, and a few words of the script's own.

use super::{Span, strict};
use crate::proto::{CallControl, CancelCommand, Command, call_control::Control};
use serde::{Deserialize, de::Error as _};
use serde_json::{Map, Value, json};
use std::time::Duration;

/// One step of the test service. It waits for the result of a command before it goes on.
#[derive(Debug, Clone)]
pub enum ServiceStep {
    /// Sends this; a command's id is 0 when the file gives none: the player numbers it, from 1.
    Send(Box<CallControl>),
    /// Sends all of these at once, then waits for all their results.
    Batch(Vec<CallControl>),
    /// Does nothing for so long.
    Wait(Duration),
    /// Waits for an event.
    WaitFor(WaitFor),
    /// Closes the stream.
    Close(Close),
}

/// What a service can wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WaitFor {
    /// `Hangup`.
    Hangup,
    /// `CallEnded`.
    Ended,
    /// `Draining`.
    Draining,
}

/// How a service closes its stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Close {
    /// Status OK: the service is done.
    Ok,
    /// Status INTERNAL: the service failed.
    Error,
}

impl<'de> Deserialize<'de> for ServiceStep {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        step(Map::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

fn step(map: Map<String, Value>) -> Result<ServiceStep, String> {
    let mut entries = map.into_iter();
    let (Some((key, value)), None) = (entries.next(), entries.next()) else {
        return Err(
            "a service step is one key: a control, a command, or wait, wait_for, batch, close"
                .into(),
        );
    };
    let bad = |err: serde_json::Error| format!("{key}: {err}");
    match key.as_str() {
        "wait" => Ok(ServiceStep::Wait(serde_json::from_value::<Span>(value).map_err(bad)?.0)),
        "wait_for" => Ok(ServiceStep::WaitFor(serde_json::from_value(value).map_err(bad)?)),
        "close" => Ok(ServiceStep::Close(serde_json::from_value(value).map_err(bad)?)),
        "batch" => {
            let items: Vec<Map<String, Value>> = serde_json::from_value(value).map_err(bad)?;
            items.into_iter().map(one_control).collect::<Result<_, _>>().map(ServiceStep::Batch)
        }
        _ => control(&key, value).map(|control| ServiceStep::Send(Box::new(control))),
    }
}

fn one_control(map: Map<String, Value>) -> Result<CallControl, String> {
    let mut entries = map.into_iter();
    match (entries.next(), entries.next()) {
        (Some((key, value)), None) => control(&key, value),
        _ => Err("an item of a batch is one key: a control or a command".into()),
    }
}

fn control(key: &str, value: Value) -> Result<CallControl, String> {
    let mut control = match key {
        "cancel" if value.is_u64() => {
            let id = u32::try_from(value.as_u64().unwrap_or_default())
                .map_err(|_| "cancel: the id is too large".to_owned())?;
            return Ok(CallControl {
                control: Some(Control::Cancel(CancelCommand { id, interrupt: false })),
            });
        }
        "command" | "cancel" | "checkpoint" | "end" | "handoff" | "heartbeat" => {
            json!({ key: value })
        }
        // A bare command: everything else about it is left at its default.
        _ => json!({ "command": { key: value } }),
    };
    strict::check(&mut control, "CallControl").map_err(|err| err.to_string())?;
    let parsed: CallControl =
        serde_json::from_value(control).map_err(|err| format!("{key}: {err}"))?;
    match &parsed.control {
        Some(Control::Command(Command { command: None, .. })) => {
            Err(format!("{key}: names no command of the contract"))
        }
        _ => Ok(parsed),
    }
}
