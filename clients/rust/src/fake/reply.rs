//! What a command of a fake call gives.

use super::{command, proto, time};
use crate::{
    error::Code,
    results::{ChannelState, RecordingEnd},
};
use proto::command_result::Outcome;
use std::time::Duration;

/// The scripted result of a command. Make it fit the command: another kind of result is a `PROTOCOL_ERROR` to the handler.
#[derive(Debug, Clone)]
pub struct Reply {
    pub(super) outcome: Outcome,
    pub(super) takes: Duration,
    pub(super) progress: Vec<String>,
}

impl From<Outcome> for Reply {
    fn from(outcome: Outcome) -> Self {
        Self { outcome, takes: Duration::ZERO, progress: Vec::new() }
    }
}

impl Reply {
    /// The command fails.
    #[must_use]
    pub fn error(code: Code, detail: impl Into<String>) -> Self {
        Outcome::Error(proto::CommandError { code: code.to_wire(), detail: detail.into() }).into()
    }

    /// GET DATA: these digits.
    #[must_use]
    pub fn digits(digits: impl Into<String>) -> Self {
        Outcome::Digits(proto::DigitsResult { digits: digits.into(), timed_out: false }).into()
    }

    /// GET DATA: the time ran out, after these digits.
    #[must_use]
    pub fn digits_timed_out(digits: impl Into<String>) -> Self {
        Outcome::Digits(proto::DigitsResult { digits: digits.into(), timed_out: true }).into()
    }

    /// SAY ALPHA and its like, WAIT FOR DIGIT: this digit.
    #[must_use]
    pub fn digit(digit: char) -> Self {
        Outcome::Digit(proto::DigitResult { digit: digit.into() }).into()
    }

    /// STREAM FILE, CONTROL STREAM FILE, GET OPTION: stopped by this digit.
    #[must_use]
    pub fn stopped_by(digit: char) -> Self {
        Outcome::Playback(proto::PlaybackResult { digit: digit.into(), end: None }).into()
    }

    /// GET VARIABLE, GET FULL VARIABLE, DATABASE GET: this value.
    #[must_use]
    pub fn value(value: impl Into<String>) -> Self {
        Outcome::Value(proto::ValueResult { value: Some(value.into()) }).into()
    }

    /// RECEIVE CHAR, RECEIVE TEXT: this text.
    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        Outcome::Text(proto::TextResult { text: Some(text.into()) }).into()
    }

    /// EXEC: what the application returned.
    #[must_use]
    pub fn exec(result: i32) -> Self {
        Outcome::Exec(proto::ExecResult { result }).into()
    }

    /// CHANNEL STATUS.
    #[must_use]
    pub fn channel_status(state: ChannelState) -> Self {
        Outcome::ChannelStatus(proto::ChannelStatusResult { state: state.number() }).into()
    }

    /// RECORD FILE.
    #[must_use]
    pub fn recording(end: RecordingEnd, end_samples: u32) -> Self {
        Outcome::Recording(proto::RecordingResult {
            end: end.number(),
            digit: String::new(),
            end_samples,
        })
        .into()
    }

    /// GOSUB: what the subroutine returned.
    #[must_use]
    pub fn gosub(return_value: impl Into<String>) -> Self {
        Outcome::Gosub(proto::GosubResult {
            abnormal_exit: false,
            return_value: return_value.into(),
        })
        .into()
    }

    /// The command takes so long. Use tokio's paused time rather than wait.
    #[must_use]
    pub fn takes(mut self, time: Duration) -> Self {
        self.takes = time;
        self
    }

    /// Asterisk says this before the result.
    #[must_use]
    pub fn progress(mut self, text: impl Into<String>) -> Self {
        self.progress.push(text.into());
        self
    }

    /// How a command succeeds when nothing was scripted: nobody presses anything, and no variable is set.
    pub(super) fn success(command: Option<&command::Command>) -> Self {
        use command::Command as C;
        let outcome = match command {
            Some(C::ChannelStatus(_)) => return Self::channel_status(ChannelState::Up),
            Some(C::ControlStreamFile(_) | C::GetOption(_) | C::StreamFile(_)) => {
                Outcome::Playback(proto::PlaybackResult::default())
            }
            Some(C::DatabaseGet(_) | C::GetFullVariable(_) | C::GetVariable(_)) => {
                Outcome::Value(proto::ValueResult::default())
            }
            Some(C::Exec(_)) => return Self::exec(0),
            Some(C::GetData(_)) => return Self::digits_timed_out(""),
            Some(C::Gosub(_)) => return Self::gosub(""),
            Some(C::ReceiveChar(_) | C::ReceiveText(_)) => {
                Outcome::Text(proto::TextResult::default())
            }
            Some(C::RecordFile(_)) => return Self::recording(RecordingEnd::Timeout, 8000),
            Some(
                C::SayAlpha(_)
                | C::SayDate(_)
                | C::SayDateTime(_)
                | C::SayDigits(_)
                | C::SayNumber(_)
                | C::SayPhonetic(_)
                | C::SayTime(_)
                | C::WaitForDigit(_),
            ) => Outcome::Digit(proto::DigitResult::default()),
            Some(C::SpeechRecognize(_)) => Outcome::Speech(proto::SpeechResult {
                end: proto::speech_result::End::Timeout.into(),
                ..Default::default()
            }),
            Some(C::Raw(_)) => Outcome::Raw(proto::RawReply {
                code: 200,
                result: "0".to_owned(),
                value: None,
                text: "200 result=0".to_owned(),
            }),
            Some(_) | None => Outcome::Done(proto::Done {}),
        };
        outcome.into()
    }

    /// The result as the bridge sends it.
    pub(super) fn result(self, id: u32, gone: bool) -> proto::CommandResult {
        let elapsed = Some(time::wire(self.takes));
        proto::CommandResult { id, elapsed, hung_up: gone, outcome: Some(self.outcome) }
    }
}

/// Whether a dead channel permits it.
/// Whether a bridge can stop the command while it runs.
pub(super) fn can_be_stopped(command: Option<&command::Command>) -> bool {
    use command::Command as C;
    matches!(
        command,
        Some(
            C::ControlStreamFile(_)
                | C::GetData(_)
                | C::GetOption(_)
                | C::RecordFile(_)
                | C::SayAlpha(_)
                | C::SayDate(_)
                | C::SayDateTime(_)
                | C::SayDigits(_)
                | C::SayNumber(_)
                | C::SayPhonetic(_)
                | C::SayTime(_)
                | C::StreamFile(_)
                | C::WaitForDigit(_)
        )
    )
}

pub(super) fn works_when_dead(command: Option<&command::Command>) -> bool {
    use command::Command as C;
    matches!(
        command,
        Some(
            C::Noop(_)
                | C::Verbose(_)
                | C::GetVariable(_)
                | C::GetFullVariable(_)
                | C::SetVariable(_)
                | C::DatabaseDel(_)
                | C::DatabaseDelTree(_)
                | C::DatabaseGet(_)
                | C::DatabasePut(_)
                | C::Exec(_)
                | C::AsyncAgiBreak(_)
                | C::SpeechDestroy(_)
                | C::SpeechUnloadGrammar(_)
        )
    )
}
