//! The values that labels take: closed sets, so that no caller and no service can make a new series.

use crate::proto::{
    call_ended::Reason, command::Command, command_error::Code as ErrorCode,
    command_result::Outcome, hangup::Source,
};
use tonic::Code;

/// An enum whose variants are the values of a label.
macro_rules! label {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name { $($(#[$variant_doc])* $variant,)+ }

        impl $name {
            const TEXTS: &[&str] = &[$($text),+];
            pub(super) const COUNT: usize = Self::TEXTS.len();

            /// The label's value.
            pub const fn text(self) -> &'static str {
                Self::TEXTS[self as usize]
            }

            pub(super) const fn index(self) -> usize {
                self as usize
            }

            pub(super) fn text_of(index: usize) -> &'static str {
                Self::TEXTS[index]
            }
        }
    };
}

label! {
    /// What became of a connection to the AGI port.
    Connection {
        /// It is a call.
        Accepted = "accepted",
        /// Its address may not connect.
        NotAllowed = "not_allowed",
        /// It closed without a word: a health check.
        Probe = "probe",
        /// Its prelude did not come in time.
        PreludeTimeout = "prelude_timeout",
        /// What came is no prelude, or too long.
        PreludeInvalid = "prelude_invalid",
        /// A balancer said nothing, or nonsense, of whose it is.
        ProxyHeaderInvalid = "proxy_header_invalid",
        /// More calls than the bridge may hold.
        OverLimit = "over_limit",
        /// It broke before it was a call.
        Broken = "broken",
    }
}

label! {
    /// What became of an action that was written to Asterisk's manager.
    ActionOutcome {
        /// Asterisk did it, or has begun to.
        Success = "success",
        /// Asterisk refused it.
        Error = "error",
        /// No answer came in time.
        TimedOut = "timed_out",
        /// The link broke before the answer.
        Lost = "lost",
    }
}

label! {
    /// Why a call was turned away before a service had it.
    Rejection {
        /// No route fits.
        NoRoute = "no_route",
        /// More calls than the bridge may hold.
        Limit = "limit",
        /// More calls than one peer may have.
        PeerLimit = "peer_limit",
        /// More calls than the route may have.
        RouteLimit = "route_limit",
        /// Calls come faster than the bridge takes them.
        RateLimit = "rate_limit",
        /// Calls of one peer come faster than they are taken.
        PeerRateLimit = "peer_rate_limit",
        /// Calls come faster than the route takes them.
        RouteRateLimit = "route_rate_limit",
        /// The bridge is shutting down.
        Draining = "draining",
        /// No service of the route could be reached.
        Unavailable = "unavailable",
        /// It was no AGI, or not allowed.
        ProtocolError = "protocol_error",
    }
}

label! {
    /// How a service is reached.
    Transport {
        /// `grpc://`, `grpcs://`.
        Grpc = "grpc",
        /// `ws://`, `wss://`.
        WebSocket = "websocket",
        /// A service that dialled in.
        Worker = "worker",
        /// `agi://`: an existing FastAGI server.
        FastAgi = "fastagi",
        /// `exec:`: an existing AGI script.
        Script = "script",
    }
}

label! {
    /// Why another service was sought for a call that one had.
    Cause {
        /// Its service was lost.
        ServiceLost = "service_lost",
        /// Its service handed it over.
        Handoff = "handoff",
    }
}

label! {
    /// A rung of the ladder for calls whose service fails.
    Rung {
        /// A second address or service was tried, before one took the call.
        Retry = "retry",
        /// Music or ringing while a service is sought.
        Quiet = "quiet",
        /// Another service is sought for a call that one had lost.
        Resume = "resume",
        /// The route's announcement.
        Announce = "announce",
        /// The route's `then`: AGISTATUS=FAILURE.
        Fail = "fail",
        /// The route's `then`: the dialplan goes on.
        Continue = "continue",
        /// The route's `then`: the channel is hung up.
        Hangup = "hangup",
        /// The route's `then`: the dialplan goes on elsewhere.
        Goto = "goto",
    }
}

label! {
    /// What stands in AGIBRIDGE_STATUS of a call that was on a route.
    Failure {
        /// A service handed the call to a route that there is not.
        NoRoute = "NO_ROUTE",
        /// No service took the call.
        Unavailable = "UNAVAILABLE",
        /// Its service was lost.
        Lost = "LOST",
        /// It lasted too long.
        Limit = "LIMIT",
        /// The bridge was shut down.
        Draining = "DRAINING",
        /// The service, or Asterisk, sent what the protocol does not allow.
        ProtocolError = "PROTOCOL_ERROR",
        /// An operator ended it.
        Operator = "OPERATOR",
        /// The service itself asked for it.
        Failed = "FAILED",
    }
}

/// The command of a service, without its arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CommandLabel(u8);

macro_rules! commands {
    ($($variant:ident $name:literal,)+) => {
        #[repr(u8)]
        enum Kind { $($variant,)+ }

        impl CommandLabel {
            const NAMES: &[&str] = &[$($name),+];

            /// The label of a command.
            pub const fn of(command: &Command) -> Self {
                Self(match command { $(Command::$variant(_) => Kind::$variant as u8,)+ })
            }
        }
    };
}

commands! {
    Answer "ANSWER",
    AsyncAgiBreak "ASYNCAGI BREAK",
    ChannelStatus "CHANNEL STATUS",
    ControlStreamFile "CONTROL STREAM FILE",
    DatabaseDel "DATABASE DEL",
    DatabaseDelTree "DATABASE DELTREE",
    DatabaseGet "DATABASE GET",
    DatabasePut "DATABASE PUT",
    Exec "EXEC",
    GetData "GET DATA",
    GetFullVariable "GET FULL VARIABLE",
    GetOption "GET OPTION",
    GetVariable "GET VARIABLE",
    Gosub "GOSUB",
    HangUp "HANGUP",
    Noop "NOOP",
    ReceiveChar "RECEIVE CHAR",
    ReceiveText "RECEIVE TEXT",
    RecordFile "RECORD FILE",
    SayAlpha "SAY ALPHA",
    SayDate "SAY DATE",
    SayDateTime "SAY DATETIME",
    SayDigits "SAY DIGITS",
    SayNumber "SAY NUMBER",
    SayPhonetic "SAY PHONETIC",
    SayTime "SAY TIME",
    SendImage "SEND IMAGE",
    SendText "SEND TEXT",
    SetAutoHangup "SET AUTOHANGUP",
    SetCallerId "SET CALLERID",
    SetContext "SET CONTEXT",
    SetExtension "SET EXTENSION",
    SetMusic "SET MUSIC",
    SetPriority "SET PRIORITY",
    SetVariable "SET VARIABLE",
    SpeechActivateGrammar "SPEECH ACTIVATE GRAMMAR",
    SpeechCreate "SPEECH CREATE",
    SpeechDeactivateGrammar "SPEECH DEACTIVATE GRAMMAR",
    SpeechDestroy "SPEECH DESTROY",
    SpeechLoadGrammar "SPEECH LOAD GRAMMAR",
    SpeechRecognize "SPEECH RECOGNIZE",
    SpeechSet "SPEECH SET",
    SpeechUnloadGrammar "SPEECH UNLOAD GRAMMAR",
    StreamFile "STREAM FILE",
    TddMode "TDD MODE",
    Verbose "VERBOSE",
    WaitForDigit "WAIT FOR DIGIT",
    Raw "RAW",
}

impl CommandLabel {
    /// A command whose oneof is unset, or unknown to this version.
    pub const UNKNOWN: Self = Self(Self::NAMES.len() as u8);
    pub(super) const COUNT: usize = Self::NAMES.len() + 1;

    /// The label of the command with this name, as `GET DATA`.
    pub fn named(name: &str) -> Self {
        let found = Self::NAMES.iter().position(|known| *known == name);
        found.and_then(|index| u8::try_from(index).ok()).map_or(Self::UNKNOWN, Self)
    }

    /// The label's value, as `GET DATA`.
    pub fn text(self) -> &'static str {
        Self::text_of(self.index())
    }

    pub(super) const fn index(self) -> usize {
        self.0 as usize
    }

    pub(super) fn text_of(index: usize) -> &'static str {
        Self::NAMES.get(index).copied().unwrap_or("UNKNOWN")
    }
}

/// Where a raw reply stands among the kinds of results.
const RAW: u8 = 11;

/// What a command came to: the kind of its result, or the code of its error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutcomeLabel(u8);

/// Codes of errors.
pub(super) const ERRORS: usize = ErrorCode::ProtocolError as usize + 1;
const KINDS: [&str; 12] = [
    "done",
    "playback",
    "digit",
    "digits",
    "value",
    "channel_status",
    "exec",
    "recording",
    "text",
    "speech",
    "gosub",
    "raw",
];

impl OutcomeLabel {
    pub(super) const COUNT: usize = ERRORS + KINDS.len();

    /// The label of an outcome.
    pub fn of(outcome: &Outcome) -> Self {
        let kind = match outcome {
            Outcome::Error(error) => return Self::error(error.code()),
            Outcome::Done(_) => 0,
            Outcome::Playback(_) => 1,
            Outcome::Digit(_) => 2,
            Outcome::Digits(_) => 3,
            Outcome::Value(_) => 4,
            Outcome::ChannelStatus(_) => 5,
            Outcome::Exec(_) => 6,
            Outcome::Recording(_) => 7,
            Outcome::Text(_) => 8,
            Outcome::Speech(_) => 9,
            Outcome::Gosub(_) => 10,
            Outcome::Raw(_) => RAW,
        };
        Self(ERRORS as u8 + kind)
    }

    /// The label of a reply that was passed on unread, by its code; 0: the line was not passed on.
    pub const fn of_code(code: u16) -> Self {
        match code {
            // Never written: harmful, or against the route's policy.
            0 => Self::error(ErrorCode::InvalidArgument),
            1 => Self::error(ErrorCode::NotAllowed),
            200 => Self(ERRORS as u8 + RAW),
            510 => Self::error(ErrorCode::UnknownCommand),
            511 => Self::error(ErrorCode::HungUp),
            520 => Self::error(ErrorCode::Usage),
            _ => Self::error(ErrorCode::ProtocolError),
        }
    }

    /// The label of an error.
    pub const fn error(code: ErrorCode) -> Self {
        Self(code as u8)
    }

    /// The code of the error, if it is one.
    pub(super) const fn as_error(self) -> Option<usize> {
        if (self.0 as usize) < ERRORS { Some(self.0 as usize) } else { None }
    }

    /// The label's value, as `digits` or `timed_out`.
    pub fn text(self) -> String {
        Self::text_of(self.index())
    }

    pub(super) const fn index(self) -> usize {
        self.0 as usize
    }

    pub(super) fn text_of(index: usize) -> String {
        match index.checked_sub(ERRORS) {
            Some(kind) => KINDS[kind].to_owned(),
            None => {
                let code = ErrorCode::try_from(index as i32).unwrap_or_default();
                lower(code.as_str_name(), "CODE_")
            }
        }
    }
}

/// The reason's name in the contract, in lower case: `hangup`.
pub(super) fn end_reason(index: usize) -> String {
    lower(Reason::try_from(index as i32).unwrap_or_default().as_str_name(), "REASON_")
}

/// The source's name in the contract, in lower case: `signal`.
pub(super) fn hangup_source(index: usize) -> String {
    lower(Source::try_from(index as i32).unwrap_or_default().as_str_name(), "SOURCE_")
}

/// gRPC's own name of a status.
pub(super) fn status(index: usize) -> &'static str {
    match Code::from(index as i32) {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

/// gRPC's own name of a status, as `UNAVAILABLE`.
pub fn status_text(code: Code) -> &'static str {
    status(code as usize)
}

fn lower(name: &str, prefix: &str) -> String {
    name.strip_prefix(prefix).unwrap_or(name).to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::super::{CODES, END_REASONS, HANGUP_SOURCES};
    use super::*;
    use crate::proto::{CommandError, DigitsResult, GetData, RawCommand};
    use std::collections::HashSet;

    #[test]
    fn labels_of_commands_bear_the_names_of_the_wire() {
        let get_data = CommandLabel::of(&Command::GetData(GetData::default()));
        assert_eq!(get_data.text(), "GET DATA");
        assert_eq!(CommandLabel::named("GET DATA"), get_data);
        assert_eq!(CommandLabel::of(&Command::Raw(RawCommand::default())).text(), "RAW");
        assert_eq!(CommandLabel::named("no such"), CommandLabel::UNKNOWN);
        assert_eq!(CommandLabel::UNKNOWN.text(), "UNKNOWN");
        assert_eq!(CommandLabel::NAMES.iter().collect::<HashSet<_>>().len(), 47 + 1);
    }

    #[test]
    fn labels_of_outcomes_are_the_contracts_names() {
        let digits = Outcome::Digits(DigitsResult::default());
        let late = CommandError { code: ErrorCode::TimedOut.into(), ..Default::default() };
        assert_eq!(OutcomeLabel::of(&digits).text(), "digits");
        assert_eq!(OutcomeLabel::of(&Outcome::Error(late)).text(), "timed_out");
        let all: HashSet<_> = (0..OutcomeLabel::COUNT).map(OutcomeLabel::text_of).collect();
        assert_eq!(all.len(), OutcomeLabel::COUNT, "no two are alike");
    }

    #[test]
    fn the_tables_are_as_long_as_the_contracts_enums() {
        assert!(ErrorCode::try_from(ERRORS as i32).is_err());
        assert!(Reason::try_from(END_REASONS as i32).is_err());
        assert!(Source::try_from(HANGUP_SOURCES as i32).is_err());
        assert_eq!(end_reason(Reason::ConnectionLost as usize), "connection_lost");
        assert_eq!(hangup_source(Source::Signal as usize), "signal");
        assert_eq!(status(CODES - 1), "UNAUTHENTICATED");
        assert_eq!(status(Code::Unavailable as usize), "UNAVAILABLE");
    }
}
