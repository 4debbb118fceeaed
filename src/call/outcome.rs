//! How a call ended, and who caused it.

use crate::proto::call_ended::Reason;
use std::time::Duration;

/// How a call ended: one log line, one count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// As the contract has it.
    pub reason: Reason,
    /// What stands in `AGIBRIDGE_STATUS`; unset when the call ended by its service's or its caller's will.
    pub status: Option<Status>,
    /// For people, in English.
    pub detail: String,
    /// Commands of the service that were written.
    pub commands: u32,
    /// How long the caller of the answered channel heard nothing because nobody had sent a command.
    pub dead_air: Duration,
}

impl Outcome {
    /// The reason as it stands in logs: one lower-case word, as the metrics have it.
    pub fn reason_text(&self) -> &'static str {
        match self.reason {
            Reason::Unspecified => "unspecified",
            Reason::Service => "service",
            Reason::Hangup => "hangup",
            Reason::Handoff => "handoff",
            Reason::ConnectionLost => "connection_lost",
            Reason::ProtocolError => "protocol_error",
            Reason::Drained => "drained",
            Reason::Limit => "limit",
            Reason::Operator => "operator",
        }
    }

    /// Who caused it.
    pub fn blame(&self) -> Blame {
        match (self.reason, self.status) {
            (Reason::Hangup, _) => Blame::Caller,
            (Reason::ConnectionLost | Reason::ProtocolError, _) => Blame::Asterisk,
            (Reason::Operator, _) => Blame::Operator,
            (_, Some(status)) => status.blame(),
            (Reason::Drained | Reason::Limit | Reason::Unspecified, None) => Blame::Bridge,
            (Reason::Service | Reason::Handoff, None) => Blame::None,
        }
    }
}

/// Who caused the end of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Blame {
    /// It ended well.
    None,
    /// The caller hung up, or the channel was taken elsewhere.
    Caller,
    /// Asterisk broke the connection, or its protocol.
    Asterisk,
    /// The service failed, or was not there.
    Service,
    /// Somebody ended it by hand.
    Operator,
    /// A limit or a drain of the bridge, or a route that is missing.
    Bridge,
}

impl Blame {
    /// One lower-case word, for logs and labels.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Caller => "caller",
            Self::Asterisk => "asterisk",
            Self::Service => "service",
            Self::Operator => "operator",
            Self::Bridge => "bridge",
        }
    }
}

/// What `AGIBRIDGE_STATUS` says to the dialplan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    /// No route matched.
    NoRoute,
    /// No service took the call in time.
    Unavailable,
    /// The service was lost in the middle of the call.
    Lost,
    /// A limit was reached: calls at once, or the longest session.
    Limit,
    /// The bridge is shutting down.
    Draining,
    /// The service, or Asterisk, sent what the protocol does not allow.
    ProtocolError,
    /// An operator ended the call.
    Operator,
    /// The service itself asked for `fail`.
    Failed,
}

impl Status {
    /// The value of the variable.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoRoute => "NO_ROUTE",
            Self::Unavailable => "UNAVAILABLE",
            Self::Lost => "LOST",
            Self::Limit => "LIMIT",
            Self::Draining => "DRAINING",
            Self::ProtocolError => "PROTOCOL_ERROR",
            Self::Operator => "OPERATOR",
            Self::Failed => "FAILED",
        }
    }

    fn blame(self) -> Blame {
        match self {
            Self::Unavailable | Self::Lost | Self::ProtocolError | Self::Failed => Blame::Service,
            Self::NoRoute | Self::Limit | Self::Draining => Blame::Bridge,
            Self::Operator => Blame::Operator,
        }
    }
}

/// Why the service's stream is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loss {
    /// What kind of loss.
    pub kind: LossKind,
    /// For people, in English.
    pub detail: String,
}

/// What kind of loss of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LossKind {
    /// The stream broke, or ended with an error.
    Broken,
    /// It sent what the contract does not allow, or flooded the bridge.
    Misbehaved,
    /// It stopped reading.
    Stalled,
}

impl LossKind {
    pub(super) fn status(self) -> Status {
        match self {
            Self::Broken | Self::Stalled => Status::Lost,
            Self::Misbehaved => Status::ProtocolError,
        }
    }
}
