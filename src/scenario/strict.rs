//! The contract's JSON readers ignore keys that they do not know. A scenario must not: a mistyped field would test
//! nothing. So keys are checked against the contract's descriptors first. Lengths of time may also be written as
//! elsewhere in the file (`300ms`), where ProtoJSON knows seconds only.

use super::Span;
use crate::proto::DESCRIPTORS;
use prost::Message as _;
use prost_types::{
    DescriptorProto, FieldDescriptorProto, FileDescriptorSet, field_descriptor_proto::Label,
};
use serde_json::Value;
use std::{collections::HashMap, sync::LazyLock};

/// What the contract does not have.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// A key.
    #[error("the contract's {message} has no field {key:?}; it has {known}")]
    UnknownField { message: String, key: String, known: String },
    /// A length of time.
    #[error("{key}: {detail}")]
    Duration { key: String, detail: String },
}

static MESSAGES: LazyLock<HashMap<String, DescriptorProto>> = LazyLock::new(|| {
    let set = FileDescriptorSet::decode(DESCRIPTORS).expect("the build made these descriptors");
    let mut messages = HashMap::new();
    for file in set.file {
        let package = format!(".{}", file.package.as_deref().unwrap_or_default());
        for message in file.message_type {
            collect(&package, message, &mut messages);
        }
    }
    messages
});

/// Checks that every key in `value` is a field of the contract's `message`, all the way down, and writes lengths of time
/// as ProtoJSON has them.
pub(super) fn check(value: &mut Value, message: &str) -> Result<(), Error> {
    check_message(value, &format!(".agibridge.v1.{message}"))
}

fn collect(scope: &str, message: DescriptorProto, into: &mut HashMap<String, DescriptorProto>) {
    let name = format!("{scope}.{}", message.name.as_deref().unwrap_or_default());
    for nested in message.nested_type.clone() {
        collect(&name, nested, into);
    }
    into.insert(name, message);
}

fn check_message(value: &mut Value, type_name: &str) -> Result<(), Error> {
    // Well-known types are written as text and have no keys.
    let (Value::Object(map), Some(message)) = (value, MESSAGES.get(type_name)) else {
        return Ok(());
    };
    if type_name.starts_with(".google.") || is_map(message) {
        return Ok(());
    }
    for (key, inner) in map {
        let field = message.field.iter().find(|field| names(field).contains(&Some(key)));
        let Some(field) = field else {
            return Err(unknown(message, key));
        };
        let Some(inner_type) = field.type_name.as_deref() else { continue };
        match inner {
            Value::Array(items) if field.label == Some(Label::Repeated as i32) => {
                items.iter_mut().try_for_each(|item| check_message(item, inner_type))?;
            }
            Value::String(text) if inner_type == ".google.protobuf.Duration" => {
                let span: Span =
                    text.parse().map_err(|detail| Error::Duration { key: key.clone(), detail })?;
                *text = format!("{}s", span.0.as_secs_f64());
            }
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_)
            | Value::Object(_) => check_message(inner, inner_type)?,
        }
    }
    Ok(())
}

fn names(field: &FieldDescriptorProto) -> [Option<&String>; 2] {
    [field.name.as_ref(), field.json_name.as_ref()]
}

fn is_map(message: &DescriptorProto) -> bool {
    message.options.as_ref().is_some_and(|options| options.map_entry == Some(true))
}

fn unknown(message: &DescriptorProto, key: &str) -> Error {
    let known: Vec<&str> =
        message.field.iter().filter_map(|field| field.json_name.as_deref()).collect();
    Error::UnknownField {
        message: message.name.clone().unwrap_or_default(),
        key: key.to_owned(),
        known: known.join(", "),
    }
}
