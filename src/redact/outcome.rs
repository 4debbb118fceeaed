//! What a command came to, as one word of a closed set and a line.

use super::{Redact, line::Line};
use crate::proto::{
    ChannelState, CommandError, command_error::Code, command_result::Outcome, playback_result::End,
    recording_result, speech_result,
};

/// What came of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// The kind of the result, or the code of the error, as `digits`, `timed_out`.
    pub outcome: &'static str,
    /// Whether it is an error.
    pub is_error: bool,
    /// What it says, masked.
    pub text: String,
}

/// A result, as it may be shown.
pub fn told(outcome: &Outcome, redact: Redact) -> Told {
    let mut line = Line::default();
    let Redact { digits, values, .. } = redact;
    let any = redact.any_content();
    let word = match outcome {
        Outcome::Error(error) => return failed(error, any),
        Outcome::Done(_) => "done",
        Outcome::Playback(it) => {
            line.keys("digit", &it.digit, digits);
            match &it.end {
                Some(End::EndSamples(at)) => line.text("end_samples", &at.to_string()),
                Some(End::EndMilliseconds(at)) => line.text("end_milliseconds", &at.to_string()),
                None => {}
            }
            "playback"
        }
        Outcome::Digit(it) => {
            line.keys("digit", &it.digit, digits);
            "digit"
        }
        Outcome::Digits(it) => {
            line.keys("digits", &it.digits, digits);
            if it.timed_out {
                line.text("timed_out", "yes");
            }
            "digits"
        }
        Outcome::Value(it) => {
            match &it.value {
                None => line.text("unset", "yes"),
                // A variable may hold what the caller typed.
                Some(value) => line.secret("value", value, any),
            }
            "value"
        }
        Outcome::ChannelStatus(it) => {
            line.text("state", state(it.state()));
            "channel_status"
        }
        Outcome::Exec(it) => {
            line.text("result", &it.result.to_string());
            "exec"
        }
        Outcome::Recording(it) => {
            line.text(
                "end",
                match it.end() {
                    recording_result::End::Unspecified => "",
                    recording_result::End::Digit => "digit",
                    recording_result::End::Timeout => "timeout",
                    recording_result::End::Silence => "silence",
                    recording_result::End::Hangup => "hangup",
                },
            );
            line.keys("digit", &it.digit, digits);
            line.number("end_samples", it.end_samples);
            "recording"
        }
        Outcome::Text(it) => {
            line.secret("text", it.text.as_deref().unwrap_or_default(), any);
            "text"
        }
        Outcome::Speech(it) => {
            line.text(
                "end",
                match it.end() {
                    speech_result::End::Unspecified => "",
                    speech_result::End::Speech => "speech",
                    speech_result::End::Digit => "digit",
                    speech_result::End::Timeout => "timeout",
                    speech_result::End::Hangup => "hangup",
                },
            );
            line.keys("digit", &it.digit, digits);
            for heard in &it.matches {
                line.secret("heard", &heard.text, values);
            }
            "speech"
        }
        Outcome::Gosub(it) => {
            line.secret("return_value", &it.return_value, any);
            if it.abnormal_exit {
                line.text("abnormal_exit", "yes");
            }
            "gosub"
        }
        Outcome::Raw(it) => {
            line.text("code", &it.code.to_string());
            // `result` holds digits as GET DATA has them; it may be what a subroutine returned.
            line.secret("text", &it.text, any);
            "raw"
        }
    };
    Told { outcome: word, is_error: false, text: line.finish() }
}

fn failed(error: &CommandError, any: bool) -> Told {
    let (outcome, is_ours) = match error.code() {
        Code::Unspecified => ("error", false),
        Code::InvalidArgument => ("invalid_argument", true),
        Code::NotAllowed => ("not_allowed", true),
        Code::QueueFull => ("queue_full", true),
        Code::Skipped => ("skipped", true),
        Code::Cancelled => ("cancelled", true),
        Code::TimedOut => ("timed_out", true),
        Code::HungUp => ("hung_up", false),
        Code::UnknownCommand => ("unknown_command", false),
        Code::Usage => ("usage", false),
        Code::Failed => ("failed", false),
        Code::CallEnded => ("call_ended", true),
        Code::NoSuchApplication => ("no_such_application", false),
        Code::ProtocolError => ("protocol_error", false),
    };
    // Behind the colon stands what Asterisk said, and that may repeat what it was told.
    let detail = match error.detail.split_once(':') {
        Some((what, _)) if any && !is_ours => what,
        Some(_) | None => &error.detail,
    };
    let mut line = Line::default();
    line.plain(detail);
    Told { outcome, is_error: true, text: line.finish() }
}

fn state(state: ChannelState) -> &'static str {
    match state {
        ChannelState::Unspecified => "",
        ChannelState::Down => "down",
        ChannelState::Reserved => "reserved",
        ChannelState::OffHook => "off_hook",
        ChannelState::Dialing => "dialing",
        ChannelState::Ring => "ring",
        ChannelState::Ringing => "ringing",
        ChannelState::Up => "up",
        ChannelState::Busy => "busy",
        ChannelState::NoSuchChannel => "no_such_channel",
    }
}
