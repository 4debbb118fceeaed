//! How one message of the contract stands in one frame. Knows no connection.

use crate::upstream::MESSAGE_MAX;
use prost::Message;
use serde::{Serialize, de::DeserializeOwned};
use tokio_tungstenite::tungstenite::Message as Frame;

/// The encoding of a connection's messages: the WebSocket subprotocol that both sides agreed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `agibridge.v1.proto`: binary frames, protobuf.
    Proto,
    /// `agibridge.v1.json`: text frames, canonical proto3 JSON.
    Json,
}

/// What can stand in a frame: every message of the contract, and what is encoded already.
pub trait Outgoing {
    /// In protobuf.
    fn to_proto(&self) -> Vec<u8>;

    /// In JSON; none where there are no words for it.
    fn to_json(&self) -> Option<String>;
}

impl<M: Message + Serialize> Outgoing for M {
    fn to_proto(&self) -> Vec<u8> {
        self.encode_to_vec()
    }

    fn to_json(&self) -> Option<String> {
        serde_json::to_string(self).ok()
    }
}

/// A frame that holds no message of the contract.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no {} message: {reason}", format.name())]
pub struct Unreadable {
    format: Format,
    reason: String,
}

impl Format {
    /// Both, in the order of our liking.
    pub const ALL: [Self; 2] = [Self::Proto, Self::Json];

    /// The name of the subprotocol.
    pub const fn subprotocol(self) -> &'static str {
        match self {
            Self::Proto => "agibridge.v1.proto",
            Self::Json => "agibridge.v1.json",
        }
    }

    /// The format that a subprotocol's name stands for.
    pub fn of_subprotocol(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.subprotocol() == name)
    }

    /// The message that the bytes of a frame are. Fields and values that only a newer peer knows are passed over.
    ///
    /// # Errors
    /// When they are none.
    pub fn decode<M>(self, bytes: &[u8]) -> Result<M, Unreadable>
    where
        M: Message + Default + DeserializeOwned,
    {
        let reason = match self {
            Self::Proto => match M::decode(bytes) {
                Ok(message) => return Ok(message),
                Err(error) => error.to_string(),
            },
            Self::Json => match serde_json::from_slice(bytes) {
                Ok(message) => return Ok(message),
                Err(error) => error.to_string(),
            },
        };
        Err(Unreadable { format: self, reason })
    }

    /// A message in its frame; none when it is too large.
    pub(super) fn encode(self, message: &impl Outgoing) -> Option<Frame> {
        let frame = match self {
            Self::Proto => Frame::binary(message.to_proto()),
            Self::Json => Frame::text(message.to_json()?),
        };
        (frame.len() <= MESSAGE_MAX).then_some(frame)
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Proto => "protobuf",
            Self::Json => "JSON",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::{
        CallControl, CommandError, QueryParameter, call_control::Control, command::Command,
        command_error::Code,
    };

    #[test]
    fn json_passes_over_what_only_a_newer_peer_knows() {
        let text = br#"{"command":{"id":"7","noop":{"text":"a","new":[1]},"requires_success":true},"x":{}}"#;
        let control: CallControl = Format::Json.decode(text).expect("a message");
        let Some(Control::Command(command)) = control.control else { panic!("a command") };
        assert_eq!((command.id, command.requires_success), (7, true));
        assert!(matches!(command.command, Some(Command::Noop(_))));

        let error: CommandError =
            Format::Json.decode(br#"{"code":"CODE_OF_TOMORROW"}"#).expect("a message");
        assert_eq!(error.code(), Code::Unspecified);
    }

    #[test]
    fn what_is_no_message_is_told_with_a_reason() {
        let broken = Format::Json.decode::<CallControl>(br#"{"command":{"id":{}}}"#);
        let text = broken.expect_err("broken").to_string();
        assert!(text.starts_with("no JSON message: "), "{text}");
        let deep = "[".repeat(100_000);
        Format::Json.decode::<CallControl>(deep.as_bytes()).expect_err("too deep");
        let broken = Format::Proto.decode::<CallControl>(&[0xff, 0xff]).expect_err("broken");
        assert!(broken.to_string().starts_with("no protobuf message: "), "{broken}");
    }

    #[test]
    fn a_message_is_as_large_as_its_frame() {
        let message = |len: usize| QueryParameter { key: "a".repeat(len), value: String::new() };
        for format in Format::ALL {
            assert!(format.encode(&message(MESSAGE_MAX - 100)).is_some());
            assert!(format.encode(&message(MESSAGE_MAX)).is_none());
        }
        // Each line feed is two bytes in JSON.
        let lines = QueryParameter { key: "\n".repeat(MESSAGE_MAX - 100), value: String::new() };
        assert!(Format::Proto.encode(&lines).is_some());
        assert!(Format::Json.encode(&lines).is_none());
    }

    #[test]
    fn subprotocols_are_told_by_their_whole_name() {
        assert_eq!(Format::of_subprotocol("agibridge.v1.json"), Some(Format::Json));
        assert_eq!(Format::of_subprotocol("agibridge.v1"), None);
    }
}
