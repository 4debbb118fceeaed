//! What came of one command, for whoever watches a call. Knows no digits, values or text: words of closed sets only.

use crate::proto::{command_error::Code, command_result::Outcome};
use std::time::Duration;

/// A command that was answered, to its service or in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    /// Its id; none: a line of the bridge's own.
    pub id: Option<u32>,
    /// Its name at Asterisk, as `GET DATA`; empty when it could not be told what it was.
    pub command: &'static str,
    /// From its write to now; none: it was never written.
    pub elapsed: Option<Duration>,
    /// When it was answered.
    pub at: Duration,
    /// What it came to.
    pub outcome: Word,
}

/// What a command came to: the kind of its result, or the code of its error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    /// As `digits`.
    Result(&'static str),
    /// As `TIMED_OUT`.
    Error(Code),
}

impl Word {
    /// The word for an outcome.
    pub(super) fn of(outcome: &Outcome) -> Self {
        Self::Result(match outcome {
            Outcome::Error(error) => return Self::Error(error.code()),
            Outcome::Done(_) => "done",
            Outcome::Playback(_) => "playback",
            Outcome::Digit(_) => "digit",
            Outcome::Digits(_) => "digits",
            Outcome::Value(_) => "value",
            Outcome::ChannelStatus(_) => "channel_status",
            Outcome::Exec(_) => "exec",
            Outcome::Recording(_) => "recording",
            Outcome::Text(_) => "text",
            Outcome::Speech(_) => "speech",
            Outcome::Gosub(_) => "gosub",
            Outcome::Raw(_) => "raw",
        })
    }

    /// In lower case: `digits`, `timed_out`.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Result(kind) => kind,
            Self::Error(code) => match code {
                Code::Unspecified => "unspecified",
                Code::InvalidArgument => "invalid_argument",
                Code::NotAllowed => "not_allowed",
                Code::QueueFull => "queue_full",
                Code::Skipped => "skipped",
                Code::Cancelled => "cancelled",
                Code::TimedOut => "timed_out",
                Code::HungUp => "hung_up",
                Code::UnknownCommand => "unknown_command",
                Code::Usage => "usage",
                Code::Failed => "failed",
                Code::CallEnded => "call_ended",
                Code::NoSuchApplication => "no_such_application",
                Code::ProtocolError => "protocol_error",
            },
        }
    }

    /// Whether somebody is at fault: a caller who is gone, a time that is over, or a command that was taken back is no fault.
    pub const fn is_fault(self) -> bool {
        match self {
            Self::Result(_) => false,
            Self::Error(code) => match code {
                Code::Skipped
                | Code::Cancelled
                | Code::TimedOut
                | Code::HungUp
                | Code::CallEnded => false,
                Code::Unspecified
                | Code::InvalidArgument
                | Code::NotAllowed
                | Code::QueueFull
                | Code::UnknownCommand
                | Code::Usage
                | Code::Failed
                | Code::NoSuchApplication
                | Code::ProtocolError => true,
            },
        }
    }
}
