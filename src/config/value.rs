//! The scalars of the file: each knows its syntax and its range, and says what it wants where it gets something else.

use super::{
    read::{Read, Reader, text, unknown},
    tree::{Kind, Node, Style, Value, kind},
    units,
};
use ipnet::IpNet;
#[cfg(test)]
use serde_json::json;
use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

/// Not empty, without control characters.
#[derive(Debug)]
pub(super) struct Text(pub(super) String);

impl Read for Text {
    fn read(node: &Node, path: &str, reader: &mut Reader) -> Option<Self> {
        text(node, path, "text", reader).map(|text| Self(text.to_owned()))
    }

    #[cfg(test)]
    fn schema() -> serde_json::Value {
        json!({"type": "string", "pattern": "^[^\\u0000-\\u001f\\u007f-\\u009f]+$"})
    }
}

/// A name that is fit for a label of a metric.
#[derive(Debug)]
pub(super) struct Name(pub(super) String);

impl Read for Name {
    fn read(node: &Node, path: &str, reader: &mut Reader) -> Option<Self> {
        let name = text(node, path, "a name", reader)?;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
        if name.len() > 64 || !name.bytes().all(plain) {
            return reader.unfit(
                node,
                path,
                "a name has 1 to 64 letters, digits, `_`, `-` and `.`",
            );
        }
        Some(Self(name.to_owned()))
    }

    #[cfg(test)]
    fn schema() -> serde_json::Value {
        json!({"type": "string", "pattern": "^[A-Za-z0-9_.-]{1,64}$"})
    }
}

/// A whole number.
#[derive(Debug)]
pub(super) struct Number<const MIN: u64, const MAX: u64>(pub(super) u64);

impl<const MIN: u64, const MAX: u64> Number<MIN, MAX> {
    pub(super) fn to_u32(&self) -> u32 {
        u32::try_from(self.0).expect("the largest number of every u32 key fits")
    }

    pub(super) fn to_usize(&self) -> usize {
        usize::try_from(self.0).expect("the largest number of every key fits")
    }
}

impl<const MIN: u64, const MAX: u64> Read for Number<MIN, MAX> {
    fn read(node: &Node, path: &str, reader: &mut Reader) -> Option<Self> {
        let wanted = format!("a whole number from {MIN} to {MAX} is wanted here");
        let number = match &node.value {
            Value::Scalar { text, style: Style::Plain | Style::Environment } => {
                text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()))
            }
            Value::Scalar { style: Style::Quoted, .. } => {
                return reader.unfit(node, path, format!("{wanted}, without quotes"));
            }
            Value::List(_) | Value::Map(_) => None,
        };
        match number.filter(|number| (MIN..=MAX).contains(number)) {
            Some(number) => Some(Self(number)),
            None => reader.unfit(node, path, wanted),
        }
    }

    #[cfg(test)]
    fn schema() -> serde_json::Value {
        json!({"type": "integer", "minimum": MIN, "maximum": MAX})
    }
}

/// Yes or no.
#[derive(Debug)]
pub(super) struct Flag(pub(super) bool);

impl Read for Flag {
    fn read(node: &Node, path: &str, reader: &mut Reader) -> Option<Self> {
        let given = match &node.value {
            Value::Scalar { text, style: Style::Plain | Style::Environment } => {
                text.to_ascii_lowercase().parse().ok()
            }
            Value::Scalar { style: Style::Quoted, .. } | Value::List(_) | Value::Map(_) => None,
        };
        match given {
            Some(flag) => Some(Self(flag)),
            None => reader.unfit(node, path, "`true` or `false` is wanted here"),
        }
    }

    #[cfg(test)]
    fn schema() -> serde_json::Value {
        json!({"type": "boolean"})
    }
}

/// A duration; the range is in milliseconds.
#[derive(Debug)]
pub(super) struct Span<const MIN: u64, const MAX: u64>(pub(super) Duration);

impl<const MIN: u64, const MAX: u64> Span<MIN, MAX> {
    fn range() -> String {
        let text = |millis| units::duration(Duration::from_millis(millis));
        format!("{} to {}", text(MIN), text(MAX))
    }
}

impl<const MIN: u64, const MAX: u64> Read for Span<MIN, MAX> {
    fn read(node: &Node, path: &str, reader: &mut Reader) -> Option<Self> {
        let wanted =
            format!("a duration from {}, such as `5s`, `250ms` or `1h30m`,", Self::range());
        if let Value::Scalar { text, style: Style::Plain } = &node.value
            && kind(text) == Kind::Number
        {
            return reader.unfit(
                node,
                path,
                format!("{wanted} is wanted here: `{text}` lacks its unit"),
            );
        }
        let given = text(node, path, &wanted, reader)?;
        match units::parse_duration(given) {
            Some(span)
                if (MIN..=MAX).contains(&u64::try_from(span.as_millis()).unwrap_or(u64::MAX)) =>
            {
                Some(Self(span))
            }
            Some(_) => reader.unfit(
                node,
                path,
                format!("`{given}` is out of range: {wanted} is wanted here"),
            ),
            None => reader.unfit(
                node,
                path,
                format!("`{given}` is no duration: {wanted} is wanted here"),
            ),
        }
    }

    #[cfg(test)]
    fn schema() -> serde_json::Value {
        let about = format!("From {}.", Self::range());
        json!({"description": about, "type": "string", "pattern": units::DURATION_PATTERN})
    }
}

/// A size in bytes.
#[derive(Debug)]
pub(super) struct Size<const MIN: u64, const MAX: u64>(pub(super) usize);

impl<const MIN: u64, const MAX: u64> Read for Size<MIN, MAX> {
    fn read(node: &Node, path: &str, reader: &mut Reader) -> Option<Self> {
        let (min, max) = (units::size(MIN), units::size(MAX));
        let wanted = format!("a size from {min} to {max}, such as `64KiB`,");
        let given = match &node.value {
            Value::Scalar { text, style: Style::Plain } if kind(text) == Kind::Number => {
                return reader.unfit(
                    node,
                    path,
                    format!("{wanted} is wanted here: `{text}` lacks its unit"),
                );
            }
            Value::Scalar { .. } | Value::List(_) | Value::Map(_) => {
                text(node, path, &wanted, reader)?
            }
        };
        let bytes = units::parse_size(given).filter(|bytes| (MIN..=MAX).contains(bytes));
        match bytes.and_then(|bytes| usize::try_from(bytes).ok()) {
            Some(bytes) => Some(Self(bytes)),
            None => reader.unfit(node, path, format!("{wanted} is wanted here, not `{given}`")),
        }
    }

    #[cfg(test)]
    fn schema() -> serde_json::Value {
        let about = format!("From {} to {}.", units::size(MIN), units::size(MAX));
        json!({"description": about, "type": "string", "pattern": units::SIZE_PATTERN})
    }
}

/// An address to listen on.
#[derive(Debug)]
pub(super) struct Listen(pub(super) SocketAddr);

impl Read for Listen {
    fn read(node: &Node, path: &str, reader: &mut Reader) -> Option<Self> {
        let wanted = "an address and a port, such as `0.0.0.0:4573` or `\"[::]:4573\"`,";
        let given = text(node, path, wanted, reader)?;
        match given.parse() {
            Ok(address) => Some(Self(address)),
            Err(_) => reader.unfit(node, path, format!("{wanted} is wanted here, not `{given}`")),
        }
    }

    #[cfg(test)]
    fn schema() -> serde_json::Value {
        json!({"type": "string", "pattern": "^([0-9.]+|\\[[0-9a-fA-F:.]+(%[0-9]+)?\\]):[0-9]{1,5}$"})
    }
}

/// A network.
#[derive(Debug)]
pub(super) struct Network(pub(super) IpNet);

impl Read for Network {
    fn read(node: &Node, path: &str, reader: &mut Reader) -> Option<Self> {
        let wanted = "a network, such as `10.0.0.0/8`, or an address";
        let given = text(node, path, wanted, reader)?;
        let network = given.parse().or_else(|_| given.parse::<IpAddr>().map(IpNet::from));
        match network {
            Ok(network) if network.trunc() == network => Some(Self(network)),
            Ok(network) => {
                let meant = network.trunc();
                reader.unfit(
                    node,
                    path,
                    format!("`{given}` has bits outside of its network: write `{meant}`"),
                )
            }
            Err(_) => reader.unfit(node, path, format!("{wanted} is wanted here, not `{given}`")),
        }
    }

    #[cfg(test)]
    fn schema() -> serde_json::Value {
        json!({"type": "string", "pattern": "^[0-9a-fA-F:.]+(/[0-9]{1,3})?$"})
    }
}

/// One of several words.
pub(super) trait Choice: Sized + Copy + 'static {
    /// The words, and what each means.
    const WORDS: &'static [(&'static str, Self)];
}

/// A word of a [`Choice`].
#[derive(Debug)]
pub(super) struct Word<T>(pub(super) T);

impl<T: Choice> Read for Word<T> {
    fn read(node: &Node, path: &str, reader: &mut Reader) -> Option<Self> {
        let words: Vec<&str> = T::WORDS.iter().map(|(word, _)| *word).collect();
        let given = text(node, path, &format!("one of {}", words.join(", ")), reader)?;
        match T::WORDS.iter().find(|(word, _)| *word == given) {
            Some((_, meaning)) => Some(Self(*meaning)),
            None => {
                reader.unfit(node, path, format!("`{given}`: {}", unknown("word", given, &words)))
            }
        }
    }

    #[cfg(test)]
    fn schema() -> serde_json::Value {
        json!({"enum": T::WORDS.iter().map(|(word, _)| *word).collect::<Vec<_>>()})
    }
}
