//! What the manager answers, and what it tells.

use crate::{
    proto::{self, originate_response::Outcome as Wire},
    time,
};
use std::{fmt, time::SystemTime};

macro_rules! outcomes {
    ($($(#[$doc:meta])* $name:ident $text:literal)*) => {
        /// What became of a call that was started.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum OriginateOutcome {
            $($(#[$doc])* $name,)*
            /// One of a newer bridge, by its number.
            Newer(i32),
        }

        impl OriginateOutcome {
            fn from_wire(outcome: i32) -> Self {
                match Wire::try_from(outcome) {
                    $(Ok(Wire::$name) => Self::$name,)*
                    Ok(Wire::Unspecified) | Err(_) => Self::Newer(outcome),
                }
            }
        }

        impl fmt::Display for OriginateOutcome {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $(Self::$name => f.write_str($text),)*
                    Self::Newer(outcome) => write!(f, "UNKNOWN({outcome})"),
                }
            }
        }
    };
}

outcomes! {
    /// Asterisk took it; what became of it was not waited for.
    Accepted "ACCEPTED"
    /// The channel was answered.
    Answered "ANSWERED"
    /// The other side said so.
    Busy "BUSY"
    /// It rang for as long as it may.
    NoAnswer "NO_ANSWER"
    /// The network said so.
    Congestion "CONGESTION"
    /// No such device, number or extension, or Asterisk refused it; the detail says which.
    Refused "REFUSED"
    /// It ended in another way before it was answered; the detail says how.
    Failed "FAILED"
    /// It was sent, or may have been, and the bridge lost the link to Asterisk. It is not sent again: ask again with the same
    /// request id.
    Unknown "UNKNOWN"
}

/// What became of a call that was started.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Originated {
    /// What became of it.
    pub outcome: OriginateOutcome,
    /// The name of the channel that was called; empty when it is not known.
    pub channel: String,
    /// Its id, `agi_uniqueid` of an AGI session on it.
    pub unique_id: String,
    /// For people.
    pub detail: String,
    /// The one that was set, or made.
    pub request_id: String,
}

impl Originated {
    pub(super) fn new(answer: proto::OriginateResponse, request_id: String) -> Self {
        Self {
            outcome: OriginateOutcome::from_wire(answer.outcome),
            channel: answer.channel,
            unique_id: answer.unique_id,
            detail: answer.detail,
            request_id,
        }
    }
}

/// The lines of an answer or an event, in order; a key may repeat.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Headers(Vec<(String, String)>);

impl Headers {
    /// The first value of a key, in any case.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.iter().find(|(its, _)| its.eq_ignore_ascii_case(key)).map(|(_, value)| value)
    }

    /// All of them: key and value.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }
}

impl From<Vec<proto::Header>> for Headers {
    fn from(all: Vec<proto::Header>) -> Self {
        Self(all.into_iter().map(|it| (it.key, it.value)).collect())
    }
}

/// What Asterisk answered to an action.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ActionResponse {
    /// False where Asterisk refused it.
    pub success: bool,
    /// What it said about it.
    pub message: String,
    /// Of the answer.
    pub headers: Headers,
    /// The list that came with the answer.
    pub events: Vec<Event>,
    /// The lines that the action `Command` gives.
    pub output: Vec<String>,
    /// The answer was too long, and something of it is missing.
    pub truncated: bool,
}

impl From<proto::SendActionResponse> for ActionResponse {
    fn from(answer: proto::SendActionResponse) -> Self {
        Self {
            success: answer.success,
            message: answer.message,
            headers: answer.headers.into(),
            events: answer.events.into_iter().map(Event::from).collect(),
            output: answer.output,
            truncated: answer.truncated,
        }
    }
}

/// An event of Asterisk's manager.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Event {
    /// The Asterisk that it is from.
    pub server: String,
    /// As `Newchannel`.
    pub name: String,
    /// All of them.
    pub headers: Headers,
    /// When the bridge read it.
    pub received_at: Option<SystemTime>,
}

impl From<proto::ManagerEvent> for Event {
    fn from(event: proto::ManagerEvent) -> Self {
        Self {
            server: event.server,
            name: event.name,
            headers: event.headers.into(),
            received_at: event.received_at.and_then(time::moment),
        }
    }
}

/// The state of the bridge's link to an Asterisk.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerState {
    /// Its name in the bridge's configuration.
    pub server: String,
    /// Whether the link is there.
    pub connected: bool,
    /// Empty when it is not known.
    pub asterisk_version: String,
    /// Why it is not connected.
    pub detail: String,
}

impl From<proto::ServerState> for ServerState {
    fn from(state: proto::ServerState) -> Self {
        Self {
            server: state.server,
            connected: state.connected,
            asterisk_version: state.asterisk_version,
            detail: state.detail,
        }
    }
}
