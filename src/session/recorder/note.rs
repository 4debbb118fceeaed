//! One thing that happened, as bytes behind those before it: a call notes thousands, and is hardly ever read. Knows no bounds.

use prost::encoding::{decode_varint, encode_varint};
use std::time::Duration;

/// Something that happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Note<'a> {
    /// A command of the service, or of a program that speaks AGI itself, came.
    Command {
        /// The service's; 0: a program has none.
        id: u32,
        name: &'a str,
        arguments: &'a str,
        /// It was at Asterisk at once.
        is_written: bool,
    },
    /// The oldest command with this id that has no answer was written to Asterisk.
    Written { id: u32 },
    /// The oldest command with this id that has no answer got one.
    Answer {
        id: u32,
        /// From the write to the reply.
        elapsed: Option<Duration>,
        outcome: &'a str,
        is_error: bool,
        text: &'a str,
    },
    /// Anything else: a word of a closed set, and what is to be said of it.
    Event { name: &'a str, text: &'a str },
}

const COMMAND: u8 = 0;
const WRITTEN_COMMAND: u8 = 1;
const WRITTEN: u8 = 2;
const RESULT: u8 = 3;
const ERROR: u8 = 4;
const EVENT: u8 = 5;

impl<'a> Note<'a> {
    /// Appends it.
    pub(super) fn encode(&self, at: Duration, bytes: &mut Vec<u8>) {
        let kind = match self {
            Note::Command { is_written: false, .. } => COMMAND,
            Note::Command { is_written: true, .. } => WRITTEN_COMMAND,
            Note::Written { .. } => WRITTEN,
            Note::Answer { is_error: false, .. } => RESULT,
            Note::Answer { is_error: true, .. } => ERROR,
            Note::Event { .. } => EVENT,
        };
        bytes.push(kind);
        encode_varint(micros(at), bytes);
        match *self {
            Note::Command { id, name, arguments, is_written: _ } => {
                encode_varint(id.into(), bytes);
                encode_text(name, bytes);
                encode_text(arguments, bytes);
            }
            Note::Written { id } => encode_varint(id.into(), bytes),
            Note::Answer { id, elapsed, outcome, is_error: _, text } => {
                encode_varint(id.into(), bytes);
                encode_varint(elapsed.map_or(0, |it| micros(it).saturating_add(1)), bytes);
                encode_text(outcome, bytes);
                encode_text(text, bytes);
            }
            Note::Event { name, text } => {
                encode_text(name, bytes);
                encode_text(text, bytes);
            }
        }
    }

    /// Takes the first one off; none at the end.
    pub(super) fn decode(bytes: &mut &'a [u8]) -> Option<(Duration, Self)> {
        let (&kind, rest) = bytes.split_first()?;
        *bytes = rest;
        let at = Duration::from_micros(decode_varint(bytes).ok()?);
        let note = match kind {
            COMMAND | WRITTEN_COMMAND => Note::Command {
                id: decode_id(bytes)?,
                name: decode_text(bytes)?,
                arguments: decode_text(bytes)?,
                is_written: kind == WRITTEN_COMMAND,
            },
            WRITTEN => Note::Written { id: decode_id(bytes)? },
            RESULT | ERROR => Note::Answer {
                id: decode_id(bytes)?,
                elapsed: decode_varint(bytes).ok()?.checked_sub(1).map(Duration::from_micros),
                outcome: decode_text(bytes)?,
                is_error: kind == ERROR,
                text: decode_text(bytes)?,
            },
            EVENT => Note::Event { name: decode_text(bytes)?, text: decode_text(bytes)? },
            _ => return None,
        };
        Some((at, note))
    }
}

fn encode_text(text: &str, bytes: &mut Vec<u8>) {
    encode_varint(text.len() as u64, bytes);
    bytes.extend_from_slice(text.as_bytes());
}

fn decode_text<'a>(bytes: &mut &'a [u8]) -> Option<&'a str> {
    let len = usize::try_from(decode_varint(bytes).ok()?).ok()?;
    let (text, rest) = bytes.split_at_checked(len)?;
    *bytes = rest;
    str::from_utf8(text).ok()
}

fn decode_id(bytes: &mut &[u8]) -> Option<u32> {
    u32::try_from(decode_varint(bytes).ok()?).ok()
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type Raw = (u8, u64, u32, Option<u64>, String, String);

    fn note((kind, _, id, elapsed, name, text): &Raw) -> Note<'_> {
        let (id, elapsed) = (*id, elapsed.map(Duration::from_micros));
        match kind {
            0 | 1 => Note::Command { id, name, arguments: text, is_written: *kind == 1 },
            2 => Note::Written { id },
            3 | 4 => Note::Answer { id, elapsed, outcome: name, is_error: *kind == 4, text },
            _ => Note::Event { name, text },
        }
    }

    proptest! {
        #[test]
        fn what_was_noted_is_read(raw in prop::collection::vec(
            (0u8..6, 0..u64::MAX, any::<u32>(), prop::option::of(0..u64::MAX - 1), ".{0,9}", ".{0,300}"), 0..20,
        )) {
            let mut bytes = Vec::new();
            for it in &raw {
                note(it).encode(Duration::from_micros(it.1), &mut bytes);
            }
            let mut rest = bytes.as_slice();
            for it in &raw {
                prop_assert_eq!(Note::decode(&mut rest), Some((Duration::from_micros(it.1), note(it))));
            }
            prop_assert_eq!(Note::decode(&mut rest), None);
        }

        #[test]
        fn bytes_of_anybody_are_no_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let mut rest = bytes.as_slice();
            while Note::decode(&mut rest).is_some() {}
        }
    }
}
