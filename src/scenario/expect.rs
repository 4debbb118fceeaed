//! What must come of a scenario, and the comparison: an expectation names only what matters.

use super::strict;
use crate::proto::{CommandResult, call_ended::Reason};
use serde::{Deserialize, de::Error as _};
use serde_json::Value;
use std::collections::BTreeMap;

/// What must come of a call. What is unset is not looked at.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Expect {
    /// The results of the service's commands, in order and each in part.
    pub results: Option<Vec<PartialResult>>,
    /// Why the call ended, as `CallEnded` says.
    #[serde(deserialize_with = "reason")]
    pub ended: Option<Reason>,
    /// AGISTATUS on the channel.
    pub agistatus: Option<String>,
    /// Channel variables after the session; null: must be unset.
    pub variables: BTreeMap<String, Option<String>>,
    /// Where the dialplan goes on, as `context,extension,priority`.
    pub position: Option<String>,
}

/// A part of a `CommandResult`, in ProtoJSON.
#[derive(Debug, Clone, PartialEq)]
pub struct PartialResult(pub Value);

impl<'de> Deserialize<'de> for PartialResult {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut value = Value::deserialize(deserializer)?;
        strict::check(&mut value, "CommandResult").map_err(D::Error::custom)?;
        serde_json::from_value::<CommandResult>(value.clone()).map_err(D::Error::custom)?;
        Ok(Self(value))
    }
}

impl PartialResult {
    /// Says where `result` differs from this part of it; `Ok` when it does not.
    pub fn compare(&self, result: &CommandResult) -> Result<(), String> {
        let actual = serde_json::to_value(result).map_err(|err| err.to_string())?;
        compare(&self.0, &actual, "")
    }
}

/// Compares a part with a whole in ProtoJSON, where a field at its default is absent.
pub fn compare(part: &Value, whole: &Value, path: &str) -> Result<(), String> {
    match (part, whole) {
        (Value::Object(part), Value::Object(whole)) => part.iter().try_for_each(|(key, part)| {
            let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            match whole.get(key) {
                Some(whole) => compare(part, whole, &path),
                None if is_default(part) => Ok(()),
                None => Err(format!("{path}: expected {part}, and it is not set")),
            }
        }),
        (Value::Array(part), Value::Array(whole)) if part.len() == whole.len() => {
            part.iter().zip(whole).enumerate().try_for_each(|(index, (part, whole))| {
                compare(part, whole, &format!("{path}[{index}]"))
            })
        }
        _ if part == whole => Ok(()),
        _ => Err(format!("{path}: expected {part}, got {whole}")),
    }
}

fn is_default(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Bool(true) | Value::Object(_) => false,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
    }
}

fn reason<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Reason>, D::Error> {
    let name = String::deserialize(deserializer)?;
    Reason::from_str_name(&name)
        .map(Some)
        .ok_or_else(|| D::Error::custom(format!("ended: {name:?} is no reason of CallEnded")))
}
