//! What can become of a command.

use crate::{
    manager::ManagerError,
    proto::{self, command_error::Code as Wire},
};
use std::fmt;

/// How the text of [`Error::NoInput`] begins.
pub(crate) const NO_INPUT: &str = "the caller entered nothing that would do";

/// What went wrong with a command, or with the call as a whole.
///
/// A handler passes it on with `?`. [`Error::HungUp`] and [`Error::NoInput`] end a handler well: nothing is logged as an
/// error then, and the dialplan goes on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The caller is gone, and the command needs a live channel. Variables, the database, EXEC, NOOP and VERBOSE still
    /// work until the grace is over: store what must be stored, then return.
    #[error("the caller has hung up: store what must be stored, then return from the handler")]
    HungUp,
    /// The command failed; the call goes on.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// The bridge is gone, or the stream of this call broke: nothing can be done with the call from here any more.
    /// Another instance may have it now.
    #[error(
        "the call is lost to this handler: {0}; return from the handler, the bridge seeks another service"
    )]
    Lost(String),
    /// The caller entered nothing that would do, in all tries that a prompt had.
    #[error("{NO_INPUT}, in {tries} tries: decide what the caller hears now, or return")]
    NoInput {
        /// How often the prompt was played.
        tries: u32,
    },
    /// A request to the manager failed; it has nothing to do with the call.
    #[error(transparent)]
    Manager(#[from] ManagerError),
    /// A fault in the handler's own program; the message says what to change.
    #[error("{0}")]
    Misuse(String),
}

impl Error {
    /// The code of a failed command, if that is what it is.
    #[must_use]
    pub fn code(&self) -> Option<Code> {
        match self {
            Self::Command(error) => Some(error.code),
            Self::HungUp
            | Self::Lost(_)
            | Self::NoInput { .. }
            | Self::Manager(_)
            | Self::Misuse(_) => None,
        }
    }

    pub(crate) fn misuse(text: impl Into<String>) -> Self {
        Self::Misuse(text.into())
    }
}

/// A command that failed, with the call still there.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CommandError {
    /// The command's name, as AGI has it: `GET DATA`.
    pub command: &'static str,
    /// Why, in a form for programs.
    pub code: Code,
    /// Why, for people, in English. For [`Code::InvalidArgument`] it names the field, as `get_data.max_digits`.
    pub detail: String,
}

impl CommandError {
    pub(crate) fn new(command: &'static str, code: Code, detail: impl Into<String>) -> Self {
        Self { command, code, detail: detail.into() }
    }
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.command, self.code)?;
        if !self.detail.is_empty() {
            write!(f, ": {}", self.detail)?;
        }
        write!(f, " ({})", self.code.advice())
    }
}

impl std::error::Error for CommandError {}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident $text:literal $advice:literal)*) => {
        /// Why a command failed.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Code {
            $($(#[$doc])* $name,)*
            /// A code of a newer bridge, by its number: a newer version of this library knows it.
            Unknown(i32),
        }

        impl Code {
            pub(crate) fn from_wire(code: i32) -> Self {
                match Wire::try_from(code) {
                    $(Ok(Wire::$name) => Self::$name,)*
                    Ok(Wire::Unspecified | Wire::HungUp) | Err(_) => Self::Unknown(code),
                }
            }

            pub(crate) fn to_wire(self) -> i32 {
                match self {
                    $(Self::$name => Wire::$name.into(),)*
                    Self::Unknown(code) => code,
                }
            }

            fn advice(self) -> &'static str {
                match self {
                    $(Self::$name => $advice,)*
                    Self::Unknown(_) => "the bridge is newer than this library; a newer agibridge-client knows this code",
                }
            }
        }

        impl fmt::Display for Code {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $(Self::$name => f.write_str($text),)*
                    Self::Unknown(code) => write!(f, "UNKNOWN({code})"),
                }
            }
        }
    };
}

codes! {
    /// The bridge refused the command and wrote nothing; the detail names the field.
    InvalidArgument "INVALID_ARGUMENT" "correct the argument"
    /// The route's policy does not allow the command, application or variable.
    NotAllowed "NOT_ALLOWED" "the route's policy forbids it; ask whoever runs the bridge"
    /// Too many commands were unanswered. This library waits for room, so it does not happen.
    QueueFull "QUEUE_FULL" "wait for results before sending more"
    /// The command before it did not succeed, and it asked for that.
    Skipped "SKIPPED" "look at the command before it"
    /// Taken back before it was written to Asterisk.
    Cancelled "CANCELLED" "it was taken back and did not run"
    /// Not answered within its `reply_timeout`. It may still be running; the next command waits for it.
    TimedOut "TIMED_OUT" "it may still be running; the next command waits for it"
    /// Asterisk does not know the command.
    UnknownCommand "UNKNOWN_COMMAND" "this Asterisk lacks it, or its module is not loaded"
    /// Asterisk did not accept the arguments; the detail has its usage text.
    Usage "USAGE" "correct the arguments as the usage text says"
    /// Asterisk tried and could not, as for a missing file; the channel is up.
    Failed "FAILED" "look whether the file, channel or key that it names is there"
    /// The session ended before the reply came, or before the command's turn.
    CallEnded "CALL_ENDED" "the session is over; return from the handler"
    /// EXEC: there is no such application.
    NoSuchApplication "NO_SUCH_APPLICATION" "check the application's name, and that its module is loaded"
    /// The reply is no reply to this command.
    ProtocolError "PROTOCOL_ERROR" "the answer cannot be understood; look into the bridge's log"
}

/// What the contract's error means for the caller of a command. `gone` tells that the caller hung up.
pub(crate) fn from_wire(command: &'static str, error: proto::CommandError, gone: bool) -> Error {
    let ended = error.code == i32::from(Wire::CallEnded);
    if error.code == i32::from(Wire::HungUp) || (ended && gone) {
        return Error::HungUp;
    }
    CommandError::new(command, Code::from_wire(error.code), error.detail).into()
}
