//! The contract's JSON readers ignore keys and names of values that they do not know. A scenario must not: a mistyped one
//! would test nothing. So both are checked against the contract's descriptors first. Lengths of time may also be written as
//! elsewhere in the file (`300ms`), where ProtoJSON knows seconds only.

use super::Span;
use crate::proto::DESCRIPTORS;
use prost::Message as _;
use prost_types::{
    DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorSet,
    field_descriptor_proto::Label,
};
use serde_json::Value;
use std::{collections::HashMap, sync::LazyLock};

/// What the contract does not have.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// A key.
    #[error("the contract's {message} has no field {key:?}; it has {known}")]
    UnknownField { message: String, key: String, known: String },
    /// The name of an enum's value.
    #[error("{key}: the contract has no {value:?}; it has {known}")]
    UnknownValue { key: String, value: String, known: String },
    /// A length of time.
    #[error("{key}: {detail}")]
    Duration { key: String, detail: String },
}

#[derive(Default)]
struct Contract {
    messages: HashMap<String, DescriptorProto>,
    /// The names of the values of each enum.
    enums: HashMap<String, Vec<String>>,
}

static CONTRACT: LazyLock<Contract> = LazyLock::new(|| {
    let set = FileDescriptorSet::decode(DESCRIPTORS).expect("the build made these descriptors");
    let mut contract = Contract::default();
    for file in set.file {
        let package = format!(".{}", file.package.as_deref().unwrap_or_default());
        contract.collect_enums(&package, file.enum_type);
        for message in file.message_type {
            contract.collect(&package, message);
        }
    }
    contract
});

/// Checks that every key in `value` is a field of the contract's `message`, all the way down, and writes lengths of time
/// as ProtoJSON has them.
pub(super) fn check(value: &mut Value, message: &str) -> Result<(), Error> {
    check_message(value, &format!(".agibridge.v1.{message}"))
}

impl Contract {
    fn collect(&mut self, scope: &str, message: DescriptorProto) {
        let name = format!("{scope}.{}", message.name.as_deref().unwrap_or_default());
        self.collect_enums(&name, message.enum_type.clone());
        for nested in message.nested_type.clone() {
            self.collect(&name, nested);
        }
        self.messages.insert(name, message);
    }

    fn collect_enums(&mut self, scope: &str, enums: Vec<EnumDescriptorProto>) {
        for one in enums {
            let name = format!("{scope}.{}", one.name.as_deref().unwrap_or_default());
            self.enums.insert(name, one.value.into_iter().filter_map(|value| value.name).collect());
        }
    }
}

fn check_message(value: &mut Value, type_name: &str) -> Result<(), Error> {
    // Well-known types are written as text and have no keys.
    let (Value::Object(map), Some(message)) = (value, CONTRACT.messages.get(type_name)) else {
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
        if let Some(names) = CONTRACT.enums.get(inner_type) {
            check_names(inner, key, names)?;
            continue;
        }
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

/// One name, or a list of them. Numbers are taken as they are.
fn check_names(value: &Value, key: &str, known: &[String]) -> Result<(), Error> {
    match value {
        Value::String(name) if !known.contains(name) => Err(Error::UnknownValue {
            key: key.to_owned(),
            value: name.clone(),
            known: known.join(", "),
        }),
        Value::Array(items) => items.iter().try_for_each(|item| check_names(item, key, known)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
            Ok(())
        }
    }
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
