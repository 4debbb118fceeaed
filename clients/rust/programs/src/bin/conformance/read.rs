//! Reads the values of ProtoJSON that scripts have. What is absent is at its default.

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::Value;
use std::time::{Duration, SystemTime};

pub(crate) fn text(from: &Value, key: &str) -> String {
    from[key].as_str().unwrap_or_default().to_owned()
}

pub(crate) fn some_text(from: &Value, key: &str) -> Option<String> {
    from[key].as_str().map(ToOwned::to_owned)
}

pub(crate) fn texts(from: &Value, key: &str) -> Vec<String> {
    let texts = from[key].as_array().into_iter().flatten();
    texts.filter_map(|it| it.as_str().map(ToOwned::to_owned)).collect()
}

pub(crate) fn count(from: &Value, key: &str) -> Option<u32> {
    from[key].as_u64().and_then(|it| it.try_into().ok())
}

pub(crate) fn number(from: &Value, key: &str) -> i32 {
    from[key].as_i64().and_then(|it| it.try_into().ok()).unwrap_or_default()
}

pub(crate) fn digit(from: &Value, key: &str) -> Option<char> {
    from[key].as_str().and_then(|it| it.chars().next())
}

pub(crate) fn duration(from: &Value) -> Option<Duration> {
    from.as_str()?.parse::<prost_types::Duration>().ok()?.try_into().ok()
}

pub(crate) fn moment(from: &Value, key: &str) -> SystemTime {
    let parsed = from[key].as_str().and_then(|it| it.parse::<prost_types::Timestamp>().ok());
    parsed.and_then(|it| it.try_into().ok()).unwrap_or(SystemTime::UNIX_EPOCH)
}

pub(crate) fn bytes(from: &Value, key: &str) -> Option<Vec<u8>> {
    BASE64_STANDARD.decode(from[key].as_str()?).ok()
}

pub(crate) fn base64(bytes: &[u8]) -> String {
    BASE64_STANDARD.encode(bytes)
}

pub(crate) fn duration_text(it: Duration) -> String {
    prost_types::Duration::try_from(it).map(|it| it.to_string()).unwrap_or_default()
}
