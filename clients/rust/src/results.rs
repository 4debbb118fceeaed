//! What comes back from commands, in Rust's own types.

use crate::proto::{self, command_result::Outcome as Wire};

/// How a prompt ended: STREAM FILE, CONTROL STREAM FILE, GET OPTION.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Playback {
    /// The digit that stopped it; unset when it played to its end, or nothing was pressed.
    pub digit: Option<char>,
    /// Where it stopped, if Asterisk said so.
    pub end: Option<Position>,
}

/// A position in a sound file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Position {
    /// In samples at the file's own rate, 8,000 a second for telephone audio: STREAM FILE, GET OPTION.
    Samples(u32),
    /// In milliseconds: CONTROL STREAM FILE.
    Milliseconds(u32),
}

/// What the caller entered: GET DATA.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Digits {
    /// As pressed, leading zeros kept, without the terminating `#`. May be empty.
    pub digits: String,
    /// The time ran out before `#`, or before `max_digits` digits were pressed.
    pub timed_out: bool,
}

/// How RECORD FILE ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Recording {
    /// What ended it.
    pub end: RecordingEnd,
    /// The digit that did, with [`RecordingEnd::Digit`].
    pub digit: Option<char>,
    /// Length of the file, in samples.
    pub end_samples: u32,
}

/// What SPEECH RECOGNIZE heard.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Speech {
    /// What ended it.
    pub end: SpeechEnd,
    /// What was understood, the best first.
    pub matches: Vec<SpeechMatch>,
    /// The digit that ended it, with [`SpeechEnd::Digit`].
    pub digit: Option<char>,
    /// Where the prompt stopped, in samples.
    pub end_samples: u32,
}

/// One thing that a caller may have said.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SpeechMatch {
    /// How sure the engine is, on the engine's own scale.
    pub score: i32,
    /// What was said.
    pub text: String,
    /// The grammar that it fits.
    pub grammar: String,
}

/// What a subroutine left: GOSUB.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct GosubReturn {
    /// It left by a jump or a hangup, and not by `Return()`.
    pub abnormal_exit: bool,
    /// `GOSUB_RETVAL`.
    pub return_value: String,
}

/// A reply as Asterisk gave it: the raw command.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct RawReply {
    /// 200, 510, 511 or 520.
    pub code: i32,
    /// After `result=`, up to the next space.
    pub result: String,
    /// Inside the outer parentheses, if any.
    pub value: Option<String>,
    /// The reply as it came, several lines joined by LF.
    pub text: String,
}

macro_rules! numbered {
    ($(#[$doc:meta])* $name:ident: $wire:ty { $($(#[$vdoc:meta])* $variant:ident)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$vdoc])* $variant,)*
            /// A value of a newer bridge, or none, by its number.
            Unknown(i32),
        }

        impl $name {
            /// The value that the contract has under this number.
            #[must_use]
            pub fn from_number(number: i32) -> Self {
                $(if number == i32::from(<$wire>::$variant) { return Self::$variant; })*
                Self::Unknown(number)
            }

            /// The number that the contract has for it.
            #[must_use]
            pub fn number(self) -> i32 {
                match self {
                    $(Self::$variant => <$wire>::$variant.into(),)*
                    Self::Unknown(number) => number,
                }
            }
        }
    };
}
pub(crate) use numbered;

numbered! {
    /// What ended a recording.
    RecordingEnd: proto::recording_result::End {
        /// One of the escape digits.
        Digit
        /// The time limit.
        Timeout
        /// Silence, for as long as was asked for.
        Silence
        /// The caller hung up; what was said before is in the file.
        Hangup
    }
}

numbered! {
    /// What ended the recognition of speech.
    SpeechEnd: proto::speech_result::End {
        /// Something was said.
        Speech
        /// A digit was pressed.
        Digit
        /// Nothing was said in time.
        Timeout
        /// The caller hung up.
        Hangup
    }
}

numbered! {
    /// The state of a channel: CHANNEL STATUS.
    ChannelState: proto::ChannelState {
        /// Not in use.
        Down
        /// Reserved, not in use yet.
        Reserved
        /// Off hook.
        OffHook
        /// Digits have been dialled.
        Dialing
        /// The line is ringing.
        Ring
        /// The remote end is ringing.
        Ringing
        /// Answered.
        Up
        /// Busy.
        Busy
        /// Asterisk knows no channel of that name.
        NoSuchChannel
    }
}

/// The result of any command that succeeded, where its kind is only known at run time.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// The command did its work and says no more.
    Done,
    /// STREAM FILE, CONTROL STREAM FILE, GET OPTION.
    Playback(Playback),
    /// SAY ALPHA and its like, WAIT FOR DIGIT; unset when none was pressed.
    Digit(Option<char>),
    /// GET DATA.
    Digits(Digits),
    /// GET VARIABLE, GET FULL VARIABLE, DATABASE GET; unset when there is no such variable or key.
    Value(Option<String>),
    /// CHANNEL STATUS.
    ChannelStatus(ChannelState),
    /// EXEC: what the application returned.
    Exec(i32),
    /// RECORD FILE.
    Recording(Recording),
    /// RECEIVE CHAR, RECEIVE TEXT; unset when none came in time.
    Text(Option<String>),
    /// SPEECH RECOGNIZE.
    Speech(Speech),
    /// GOSUB.
    Gosub(GosubReturn),
    /// The raw command.
    Raw(RawReply),
}

fn digit(text: &str) -> Option<char> {
    text.chars().next()
}

impl Outcome {
    /// `None` for an outcome of a newer contract, and for none; the error is told apart before.
    pub(crate) fn from_wire(outcome: Option<Wire>) -> Option<Self> {
        Some(match outcome? {
            Wire::Error(_) => return None,
            Wire::Done(proto::Done {}) => Self::Done,
            Wire::Playback(it) => Self::Playback(Playback {
                digit: digit(&it.digit),
                end: it.end.map(|end| match end {
                    proto::playback_result::End::EndSamples(at) => Position::Samples(at),
                    proto::playback_result::End::EndMilliseconds(at) => Position::Milliseconds(at),
                }),
            }),
            Wire::Digit(it) => Self::Digit(digit(&it.digit)),
            Wire::Digits(it) => Self::Digits(Digits { digits: it.digits, timed_out: it.timed_out }),
            Wire::Value(it) => Self::Value(it.value),
            Wire::ChannelStatus(it) => Self::ChannelStatus(ChannelState::from_number(it.state)),
            Wire::Exec(it) => Self::Exec(it.result),
            Wire::Recording(it) => Self::Recording(Recording {
                end: RecordingEnd::from_number(it.end),
                digit: digit(&it.digit),
                end_samples: it.end_samples,
            }),
            Wire::Text(it) => Self::Text(it.text),
            Wire::Speech(it) => Self::Speech(Speech {
                end: SpeechEnd::from_number(it.end),
                matches: it
                    .matches
                    .into_iter()
                    .map(|it| SpeechMatch { score: it.score, text: it.text, grammar: it.grammar })
                    .collect(),
                digit: digit(&it.digit),
                end_samples: it.end_samples,
            }),
            Wire::Gosub(it) => Self::Gosub(GosubReturn {
                abnormal_exit: it.abnormal_exit,
                return_value: it.return_value,
            }),
            Wire::Raw(it) => Self::Raw(RawReply {
                code: it.code,
                result: it.result,
                value: it.value,
                text: it.text,
            }),
        })
    }
}

/// A result that a kind of command gives.
pub trait FromOutcome: Sized + Send + 'static {
    /// The result, if the outcome is one of this kind.
    fn from_outcome(outcome: Outcome) -> Option<Self>;
}

macro_rules! from_outcome {
    ($($variant:ident => $type:ty)*) => {$(
        impl FromOutcome for $type {
            fn from_outcome(outcome: Outcome) -> Option<Self> {
                if let Outcome::$variant(it) = outcome { Some(it) } else { None }
            }
        }
    )*};
}

from_outcome! {
    Playback => Playback
    Digit => Option<char>
    Digits => Digits
    ChannelStatus => ChannelState
    Exec => i32
    Recording => Recording
    Speech => Speech
    Gosub => GosubReturn
    Raw => RawReply
}

impl FromOutcome for () {
    fn from_outcome(outcome: Outcome) -> Option<Self> {
        (outcome == Outcome::Done).then_some(())
    }
}

/// A variable's value and a text are both text that may be missing.
impl FromOutcome for Option<String> {
    fn from_outcome(outcome: Outcome) -> Option<Self> {
        if let Outcome::Value(it) | Outcome::Text(it) = outcome { Some(it) } else { None }
    }
}

impl FromOutcome for Outcome {
    fn from_outcome(outcome: Outcome) -> Option<Self> {
        Some(outcome)
    }
}
