//! Commands that play, record, or wait for the caller.

use super::{
    Draft,
    argument::{Unit, WAIT_MS_MAX, duration},
};
use crate::{
    agi::{
        outcome::Kind,
        words::{InvalidArgument, Line},
    },
    proto::{
        ControlStreamFile, GetData, GetOption, ReceiveChar, ReceiveText, RecordFile, SendImage,
        SendText, StreamFile, WaitForDigit,
    },
};
use pbjson_types::Duration;

/// One digit more overflows a buffer in Asterisk.
pub(super) const GET_DATA_DIGITS_MAX: u32 = 1023;
/// Asterisk's own default for CONTROL STREAM FILE.
const SKIP_MS: i64 = 3000;
/// Asterisk's own default. Left to it, a channel without a PBX crashes Asterisk.
pub(super) const GET_OPTION_TIMEOUT_MS: i64 = 5000;

type Result<T = Draft> = std::result::Result<T, InvalidArgument>;

pub(super) fn stream_file(command: &StreamFile) -> Result {
    let mut line = Line::new("STREAM FILE")
        .required("stream_file.file", &command.file)?
        .digits("stream_file.escape_digits", &command.escape_digits)?;
    if command.offset_samples > 0 {
        line = line.number(i64::from(command.offset_samples));
    }
    Ok(Draft::new(Kind::Playback { hides_hangup: false }, line))
}

/// Words are positional, and those behind the last one set are left out. An empty digit is Asterisk's default; an empty
/// skip is a usage error, so its default is written out.
pub(super) fn control_stream_file(command: &ControlStreamFile) -> Result {
    let ControlStreamFile { forward_digit, rewind_digit, pause_digit, .. } = command;
    let skip = milliseconds("control_stream_file.skip", command.skip.as_ref())?;
    let offset = milliseconds("control_stream_file.offset", command.offset.as_ref())?;
    let digits = [
        ("control_stream_file.forward_digit", forward_digit.as_ref()),
        ("control_stream_file.rewind_digit", rewind_digit.as_ref()),
        ("control_stream_file.pause_digit", pause_digit.as_ref()),
    ];
    let last_digit = digits.iter().rposition(|(_, digit)| digit.is_some());
    let digits_sent =
        if offset.is_some() { digits.len() } else { last_digit.map_or(0, |last| last + 1) };

    let mut line = Line::new("CONTROL STREAM FILE")
        .required("control_stream_file.file", &command.file)?
        .digits("control_stream_file.escape_digits", &command.escape_digits)?;
    if skip.is_some() || digits_sent > 0 {
        line = line.number(skip.unwrap_or(SKIP_MS));
    }
    for (field, digit) in &digits[..digits_sent] {
        line = line.digit(field, *digit)?;
    }
    if let Some(offset) = offset {
        line = line.number(offset);
    }
    Ok(Draft::new(Kind::ControlPlayback, line))
}

/// To Asterisk a zero means its own default, so the shortest timeout is 1 ms.
pub(super) fn get_data(command: &GetData) -> Result {
    let timeout = milliseconds("get_data.timeout", command.timeout.as_ref())?;
    if command.max_digits > GET_DATA_DIGITS_MAX {
        let problem = format_args!("is above {GET_DATA_DIGITS_MAX}");
        return Err(InvalidArgument::new("get_data.max_digits", problem));
    }
    let digits = if command.max_digits == 0 { GET_DATA_DIGITS_MAX } else { command.max_digits };
    let line = Line::new("GET DATA")
        .text("get_data.file", &command.file)?
        .number(timeout.map_or(0, |timeout| timeout.max(1)))
        .number(i64::from(digits));
    Ok(Draft::new(Kind::Digits, line))
}

pub(super) fn get_option(command: &GetOption) -> Result {
    let timeout = milliseconds("get_option.timeout", command.timeout.as_ref())?;
    let line = Line::new("GET OPTION")
        .required("get_option.file", &command.file)?
        .digits("get_option.escape_digits", &command.escape_digits)?
        .number(timeout.unwrap_or(GET_OPTION_TIMEOUT_MS));
    Ok(Draft::new(Kind::Playback { hides_hangup: true }, line))
}

pub(super) fn receive_char(command: &ReceiveChar) -> Result {
    let timeout = milliseconds("receive_char.timeout", command.timeout.as_ref())?;
    let line = Line::new("RECEIVE CHAR").number(timeout.unwrap_or(WAIT_MS_MAX));
    Ok(Draft::new(Kind::Character, line))
}

pub(super) fn receive_text(command: &ReceiveText) -> Result {
    let timeout = milliseconds("receive_text.timeout", command.timeout.as_ref())?;
    let line = Line::new("RECEIVE TEXT").number(timeout.unwrap_or(WAIT_MS_MAX));
    Ok(Draft::new(Kind::Text, line))
}

/// The words behind the timeout are told apart by their looks: in this order none is taken for another.
pub(super) fn record_file(command: &RecordFile) -> Result {
    let timeout = milliseconds("record_file.timeout", command.timeout.as_ref())?;
    let silence = duration("record_file.silence", command.silence.as_ref(), Unit::Seconds)?;
    let mut line = Line::new("RECORD FILE")
        .required("record_file.file", &command.file)?
        .required("record_file.format", &command.format)?
        .digits("record_file.escape_digits", &command.escape_digits)?
        .number(timeout.unwrap_or(-1));
    if command.offset_samples > 0 {
        line = line.number(i64::from(command.offset_samples));
    }
    if command.beep {
        line = line.word("BEEP");
    }
    if let Some(seconds) = silence {
        let word = format!("s={}", seconds.max(1));
        line = line.text("record_file.silence", &word)?;
    }
    Ok(Draft::new(Kind::Recording { silence: silence.is_some() }, line))
}

pub(super) fn send_image(command: &SendImage) -> Result {
    let line = Line::new("SEND IMAGE").required("send_image.image", &command.image)?;
    Ok(Draft::new(Kind::Action, line))
}

pub(super) fn send_text(command: &SendText) -> Result {
    let line = Line::new("SEND TEXT").text("send_text.text", &command.text)?;
    Ok(Draft::new(Kind::Action, line))
}

pub(super) fn wait_for_digit(command: &WaitForDigit) -> Result {
    let timeout = milliseconds("wait_for_digit.timeout", command.timeout.as_ref())?;
    Ok(Draft::new(Kind::Digit, Line::new("WAIT FOR DIGIT").number(timeout.unwrap_or(-1))))
}

fn milliseconds(field: &'static str, value: Option<&Duration>) -> Result<Option<i64>> {
    duration(field, value, Unit::Milliseconds)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check_lines, check_refused};

    #[test]
    fn lines_that_play() {
        check_lines(&[
            (r#"{"streamFile":{"file":"f"}}"#, r#"STREAM FILE "f" """#),
            (
                r#"{"streamFile":{"file":"f","escapeDigits":"1*#A","offsetSamples":800}}"#,
                r#"STREAM FILE "f" "1*#A" "800""#,
            ),
            (r#"{"controlStreamFile":{"file":"f"}}"#, r#"CONTROL STREAM FILE "f" """#),
            (
                r#"{"controlStreamFile":{"file":"f","skip":"0.5s"}}"#,
                r#"CONTROL STREAM FILE "f" "" "500""#,
            ),
            (
                r#"{"controlStreamFile":{"file":"f","rewindDigit":"7"}}"#,
                r#"CONTROL STREAM FILE "f" "" "3000" "" "7""#,
            ),
            (
                r#"{"controlStreamFile":{"file":"f","escapeDigits":"1","forwardDigit":"9","pauseDigit":"5"}}"#,
                r#"CONTROL STREAM FILE "f" "1" "3000" "9" "" "5""#,
            ),
            (
                r#"{"controlStreamFile":{"file":"f","offset":"1.0001s"}}"#,
                r#"CONTROL STREAM FILE "f" "" "3000" "" "" "" "1001""#,
            ),
            (r#"{"getData":{"file":""}}"#, r#"GET DATA "" "0" "1023""#),
            (
                r#"{"getData":{"file":"f","timeout":"5s","maxDigits":4}}"#,
                r#"GET DATA "f" "5000" "4""#,
            ),
            (
                r#"{"getData":{"file":"f","timeout":"0s","maxDigits":1023}}"#,
                r#"GET DATA "f" "1" "1023""#,
            ),
            (r#"{"getOption":{"file":"f"}}"#, r#"GET OPTION "f" "" "5000""#),
            (
                r##"{"getOption":{"file":"f","escapeDigits":"#","timeout":"0s"}}"##,
                r##"GET OPTION "f" "#" "0""##,
            ),
        ]);
    }

    #[test]
    fn lines_that_record_and_wait() {
        check_lines(&[
            (r#"{"recordFile":{"file":"f","format":"wav"}}"#, r#"RECORD FILE "f" "wav" "" "-1""#),
            (
                r##"{"recordFile":{"file":"f","format":"wav","escapeDigits":"#","timeout":"10s","offsetSamples":8,"beep":true,"silence":"1.5s"}}"##,
                r##"RECORD FILE "f" "wav" "#" "10000" "8" "BEEP" "s=2""##,
            ),
            (
                r#"{"recordFile":{"file":"f","format":"wav","silence":"3s"}}"#,
                r#"RECORD FILE "f" "wav" "" "-1" "s=3""#,
            ),
            (r#"{"receiveChar":{}}"#, r#"RECEIVE CHAR "2147483647""#),
            (r#"{"receiveChar":{"timeout":"1s"}}"#, r#"RECEIVE CHAR "1000""#),
            (r#"{"receiveText":{}}"#, r#"RECEIVE TEXT "2147483647""#),
            (r#"{"receiveText":{"timeout":"0s"}}"#, r#"RECEIVE TEXT "0""#),
            (r#"{"sendImage":{"image":"i"}}"#, r#"SEND IMAGE "i""#),
            (r#"{"sendText":{}}"#, r#"SEND TEXT """#),
            (r#"{"sendText":{"text":"a b"}}"#, r#"SEND TEXT "a b""#),
            (r#"{"waitForDigit":{}}"#, r#"WAIT FOR DIGIT "-1""#),
            (r#"{"waitForDigit":{"timeout":"2.5s"}}"#, r#"WAIT FOR DIGIT "2500""#),
        ]);
    }

    #[test]
    fn faults_name_their_field() {
        check_refused(&[
            (r#"{"streamFile":{}}"#, "stream_file.file: is empty"),
            (
                r#"{"streamFile":{"file":"f","escapeDigits":"Z"}}"#,
                "stream_file.escape_digits: may hold",
            ),
            (
                r#"{"streamFile":{"file":"f","escapeDigits":"\n"}}"#,
                "stream_file.escape_digits: may hold",
            ),
            (
                r#"{"controlStreamFile":{"file":"f","pauseDigit":""}}"#,
                "control_stream_file.pause_digit: must be one",
            ),
            (
                r#"{"controlStreamFile":{"file":"f","forwardDigit":"12"}}"#,
                "control_stream_file.forward_digit: must be one",
            ),
            (
                r#"{"controlStreamFile":{"file":"f","offset":"-1s"}}"#,
                "control_stream_file.offset: is negative",
            ),
            (r#"{"getData":{"maxDigits":1024}}"#, "get_data.max_digits: is above 1023"),
            (r#"{"getData":{"timeout":"2147484s"}}"#, "get_data.timeout: is above 2147483647 ms"),
            (r#"{"getOption":{"file":"f","timeout":"-0.1s"}}"#, "get_option.timeout: is negative"),
            (r#"{"recordFile":{"file":"f"}}"#, "record_file.format: is empty"),
            (r#"{"recordFile":{"format":"wav"}}"#, "record_file.file: is empty"),
            (r#"{"waitForDigit":{"timeout":"-1s"}}"#, "wait_for_digit.timeout: is negative"),
            (r#"{"receiveChar":{"timeout":"-1s"}}"#, "receive_char.timeout: is negative"),
            (r#"{"sendText":{"text":"\n"}}"#, "send_text.text: holds LF"),
        ]);
    }
}
