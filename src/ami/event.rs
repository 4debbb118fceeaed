//! One event of an Asterisk, and what it is encoded as for those who want it. Knows no encoding.

use super::packet::Headers;
use bytes::Bytes;
use std::{
    sync::{Arc, OnceLock},
    time::SystemTime,
};

/// One event of an Asterisk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Whose it is.
    pub server: Arc<str>,
    /// When it was read.
    pub received_at: SystemTime,
    /// All of it; `Event` comes first.
    pub headers: Headers,
    encoded: Encoded,
}

/// The same in other words, each made by the first subscriber that wants it, and shared by all.
#[derive(Debug, Clone, Default)]
struct Encoded {
    proto: OnceLock<Bytes>,
    json: OnceLock<Arc<str>>,
}

/// How large encodings are, by the size of the headers, more or less.
const ENCODED_TIMES: usize = 2;

impl Event {
    /// One that was read just now.
    pub fn new(server: &Arc<str>, received_at: SystemTime, headers: Headers) -> Self {
        Self { server: Arc::clone(server), received_at, headers, encoded: Encoded::default() }
    }

    /// As `Newchannel`.
    pub fn name(&self) -> &str {
        self.headers.get("Event").unwrap_or_default()
    }

    /// As a message of the contract, which `encode` makes where nobody has yet.
    pub(crate) fn proto(&self, encode: impl FnOnce() -> Bytes) -> Bytes {
        self.encoded.proto.get_or_init(encode).clone()
    }

    /// The same as JSON.
    pub(crate) fn json(&self, encode: impl FnOnce() -> Arc<str>) -> Arc<str> {
        Arc::clone(self.encoded.json.get_or_init(encode))
    }

    /// Memory that it takes, in bytes, more or less, once it is encoded.
    pub(super) fn size(&self) -> usize {
        size_of::<Self>() + self.headers.size() * (1 + ENCODED_TIMES)
    }
}

/// They say nothing that the event does not.
impl PartialEq for Encoded {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Encoded {}
