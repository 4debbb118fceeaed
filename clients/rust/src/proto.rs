//! The contract's messages, as generated from `proto/agibridge/v1`.
//!
//! A handler does not need them. They are what [`fake`](crate::fake) shows of the commands that a handler sent, and what
//! [`Running::command`](crate::Running::command) has. Field by field they are explained in the contract.

#![allow(
    missing_docs,
    reason = "the generated code has the contract's own comments, and not on everything"
)]
#![allow(
    unreachable_pub,
    unused_qualifications,
    elided_lifetimes_in_paths,
    reason = "generated code"
)]
#![allow(
    clippy::all,
    clippy::allow_attributes_without_reason,
    clippy::use_self,
    clippy::wildcard_enum_match_arm,
    reason = "generated code"
)]
#![allow(rustdoc::all, reason = "the contract's comments are no rustdoc")]

include!("generated/agibridge.v1.rs");

/// The contract as reflection shows it.
pub(crate) const DESCRIPTORS: &[u8] = include_bytes!("generated/call.bin");

impl command::Command {
    /// The command's name, as AGI has it: `GET DATA`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Answer(_) => "ANSWER",
            Self::AsyncAgiBreak(_) => "ASYNCAGI BREAK",
            Self::ChannelStatus(_) => "CHANNEL STATUS",
            Self::ControlStreamFile(_) => "CONTROL STREAM FILE",
            Self::DatabaseDel(_) => "DATABASE DEL",
            Self::DatabaseDelTree(_) => "DATABASE DELTREE",
            Self::DatabaseGet(_) => "DATABASE GET",
            Self::DatabasePut(_) => "DATABASE PUT",
            Self::Exec(_) => "EXEC",
            Self::GetData(_) => "GET DATA",
            Self::GetFullVariable(_) => "GET FULL VARIABLE",
            Self::GetOption(_) => "GET OPTION",
            Self::GetVariable(_) => "GET VARIABLE",
            Self::Gosub(_) => "GOSUB",
            Self::HangUp(_) => "HANGUP",
            Self::Noop(_) => "NOOP",
            Self::ReceiveChar(_) => "RECEIVE CHAR",
            Self::ReceiveText(_) => "RECEIVE TEXT",
            Self::RecordFile(_) => "RECORD FILE",
            Self::SayAlpha(_) => "SAY ALPHA",
            Self::SayDate(_) => "SAY DATE",
            Self::SayDateTime(_) => "SAY DATETIME",
            Self::SayDigits(_) => "SAY DIGITS",
            Self::SayNumber(_) => "SAY NUMBER",
            Self::SayPhonetic(_) => "SAY PHONETIC",
            Self::SayTime(_) => "SAY TIME",
            Self::SendImage(_) => "SEND IMAGE",
            Self::SendText(_) => "SEND TEXT",
            Self::SetAutoHangup(_) => "SET AUTOHANGUP",
            Self::SetCallerId(_) => "SET CALLERID",
            Self::SetContext(_) => "SET CONTEXT",
            Self::SetExtension(_) => "SET EXTENSION",
            Self::SetMusic(_) => "SET MUSIC",
            Self::SetPriority(_) => "SET PRIORITY",
            Self::SetVariable(_) => "SET VARIABLE",
            Self::SpeechActivateGrammar(_) => "SPEECH ACTIVATE GRAMMAR",
            Self::SpeechCreate(_) => "SPEECH CREATE",
            Self::SpeechDeactivateGrammar(_) => "SPEECH DEACTIVATE GRAMMAR",
            Self::SpeechDestroy(_) => "SPEECH DESTROY",
            Self::SpeechLoadGrammar(_) => "SPEECH LOAD GRAMMAR",
            Self::SpeechRecognize(_) => "SPEECH RECOGNIZE",
            Self::SpeechSet(_) => "SPEECH SET",
            Self::SpeechUnloadGrammar(_) => "SPEECH UNLOAD GRAMMAR",
            Self::StreamFile(_) => "STREAM FILE",
            Self::TddMode(_) => "TDD MODE",
            Self::Verbose(_) => "VERBOSE",
            Self::WaitForDigit(_) => "WAIT FOR DIGIT",
            Self::Raw(_) => "RAW",
        }
    }
}
