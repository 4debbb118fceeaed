//! Replies to commands that play, record, or wait for the caller.

use super::{Finished, Success, Verdict, error, text as lossy, value};
use crate::agi::exchange::Key;
use crate::proto::{
    DigitResult, DigitsResult, PlaybackResult, RecordingResult, TextResult, command_error::Code,
    command_result::Outcome, hangup::Source, playback_result, recording_result,
};

/// The key that only the bridge can press, to stop a command: to the service, no digit.
const CANCEL_KEY: i32 = b'Z' as i32;

/// RECORD FILE notices its time limit when a frame was read, so that some of it may be left; a frame is 20 ms.
const FRAME_MS: i32 = 20;

/// STREAM FILE, GET OPTION.
pub(super) fn playback(reply: Success<'_>, hides_hangup: bool) -> Verdict {
    if reply.number() == Some(-1) {
        return reply.hung_up_or_failed("asterisk could not play the file");
    }
    let Some(digit) = pressed(reply) else { return reply.unexpected().into() };
    let ambiguous = hides_hangup && digit.is_empty();
    let end = end_position(reply).map(playback_result::End::EndSamples);
    let outcome = Outcome::Playback(PlaybackResult { digit, end });
    if ambiguous {
        return Verdict::Ask { alive: outcome.clone(), dead: outcome };
    }
    outcome.into()
}

/// CONTROL STREAM FILE: its position is -1 at the natural end.
pub(super) fn control_playback(reply: Success<'_>) -> Verdict {
    if reply.number() == Some(-1) {
        return reply.hung_up_or_failed("asterisk could not play the file");
    }
    let Some(digit) = pressed(reply) else { return reply.unexpected().into() };
    let end = end_position(reply).map(playback_result::End::EndMilliseconds);
    Outcome::Playback(PlaybackResult { digit, end }).into()
}

/// GET DATA. Its result is text: leading zeros, `*`, and odd bytes that the manager's controls leave.
pub(super) fn digits(reply: Success<'_>) -> Verdict {
    if &reply.result[..] == b"-1" {
        return reply.hung_up_or_failed("asterisk could not play the file");
    }
    let timed_out = match &reply.rest[..] {
        b"" => false,
        b"(timeout)" => true,
        _ => return reply.unexpected().into(),
    };
    // A cancel key that came too late for the command before.
    let digits = lossy(reply.result).replace(Key::Cancel.digit(), "");
    Outcome::Digits(DigitsResult { digits, timed_out }).into()
}

/// SAY and WAIT FOR DIGIT. 1000 to 1004 mean that the manager stopped the wait.
pub(super) fn digit(reply: Success<'_>) -> Verdict {
    match reply.number() {
        Some(-1) => reply.hung_up_or_failed("asterisk failed"),
        Some(1000..=1004) => Outcome::Digit(DigitResult { digit: String::new() }).into(),
        Some(_) | None => match pressed(reply) {
            Some(digit) => Outcome::Digit(DigitResult { digit }).into(),
            None => reply.unexpected().into(),
        },
    }
}

/// RECORD FILE: the word in parentheses decides, not the number. That is what was left of the time when the last frame
/// came: it tells silence, when that was asked for, from the time limit, where it is no more than the wait for a frame.
pub(super) fn recording(reply: Success<'_>, silence: bool) -> Verdict {
    use recording_result::End;
    let reason = reply.rest.split(|&byte| byte == b' ').next().unwrap_or_default();
    let recorded = |end: End, digit: String| {
        let end_samples = end_position(reply).unwrap_or(0);
        Outcome::Recording(RecordingResult { end: end.into(), digit, end_samples })
    };
    let failed =
        || error(Code::Failed, format!("asterisk could not record: {}", lossy(reply.line)));
    match (reason, reply.number()) {
        (b"(timeout)", Some(left)) if silence && left > FRAME_MS => {
            recorded(End::Silence, String::new()).into()
        }
        (b"(timeout)", Some(_)) => recorded(End::Timeout, String::new()).into(),
        (b"(hangup)", _) => {
            let outcome = recorded(End::Hangup, String::new());
            Verdict::Done(Finished { outcome, hangup: Some(Source::Reply) })
        }
        (b"(writefile)", _) => failed().into(),
        // Stopped while the beep played, or by an error of the channel.
        (b"(randomerror)" | b"(waitfor)", Some(-1)) => {
            Verdict::Ask { alive: failed(), dead: recorded(End::Hangup, String::new()) }
        }
        (b"(dtmf)" | b"(randomerror)", _) => match pressed(reply) {
            Some(digit) => recorded(End::Digit, digit).into(),
            None => reply.unexpected().into(),
        },
        (_, _) => reply.unexpected().into(),
    }
}

/// RECEIVE CHAR: a timeout is told in the same words as a hangup.
pub(super) fn character(reply: Success<'_>) -> Verdict {
    match reply.number() {
        Some(-1) => none_or_hung_up(reply),
        Some(0) => nothing_came().into(),
        Some(byte @ 1..=255) => {
            let byte = u8::try_from(byte).expect("the range is a byte's");
            Outcome::Text(TextResult { text: Some(lossy(&[byte])) }).into()
        }
        Some(_) | None => reply.unexpected().into(),
    }
}

/// RECEIVE TEXT: timeout, hangup and error are all -1.
pub(super) fn text(reply: Success<'_>) -> Verdict {
    match &reply.result[..] {
        b"-1" => none_or_hung_up(reply),
        b"1" if reply.rest.starts_with(b"(") => Verdict::Probe,
        _ => reply.unexpected().into(),
    }
}

/// A text that was read whole.
pub(super) fn whole_text(whole: &[u8]) -> Option<Outcome> {
    let text = lossy(value::whole_value(whole)?);
    Some(Outcome::Text(TextResult { text: Some(text) }))
}

fn none_or_hung_up(reply: Success<'_>) -> Verdict {
    let dead = error(Code::HungUp, format!("the caller hung up: {}", lossy(reply.line)));
    Verdict::Ask { alive: nothing_came(), dead }
}

fn nothing_came() -> Outcome {
    Outcome::Text(TextResult { text: None })
}

/// The digit whose ASCII code the result is: empty for 0, `None` where it is no digit's.
fn pressed(reply: Success<'_>) -> Option<String> {
    let number = reply.number()?;
    if number == 0 || number == CANCEL_KEY {
        return Some(String::new());
    }
    let digit = char::from(u8::try_from(number).ok()?);
    matches!(digit, '0'..='9' | '*' | '#' | 'A'..='D').then(|| digit.to_string())
}

fn end_position(reply: Success<'_>) -> Option<u32> {
    u32::try_from(reply.attribute(b"endpos=")?).ok()
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            Kind, judge_whole,
            tests::{asks, unexpected, verdict},
        },
        *,
    };
    use playback_result::End as At;
    use recording_result::End;

    fn played(digit: &str, end: Option<At>) -> Outcome {
        Outcome::Playback(PlaybackResult { digit: digit.to_owned(), end })
    }

    fn digit_is(digit: &str) -> Verdict {
        Outcome::Digit(DigitResult { digit: digit.to_owned() }).into()
    }

    #[test]
    fn playback_ends_at_a_digit_or_a_position() {
        let stream = Kind::Playback { hides_hangup: false };
        let option = Kind::Playback { hides_hangup: true };
        let control = Kind::ControlPlayback;
        let problem = "asterisk could not play the file";
        let quiet = played("", Some(At::EndSamples(3520)));
        let table = [
            (stream, "200 result=0 endpos=11360", played("", Some(At::EndSamples(11360))).into()),
            (stream, "200 result=35 endpos=6560", played("#", Some(At::EndSamples(6560))).into()),
            (stream, "200 result=90 endpos=6560", played("", Some(At::EndSamples(6560))).into()),
            (stream, "200 result=0", played("", None).into()),
            (stream, "200 result=-1 endpos=0", asks(problem, "200 result=-1 endpos=0")),
            (stream, "200 result=7 endpos=0", unexpected("200 result=7 endpos=0")),
            (option, "200 result=65 endpos=1", played("A", Some(At::EndSamples(1))).into()),
            (
                option,
                "200 result=0 endpos=3520",
                Verdict::Ask { alive: quiet.clone(), dead: quiet },
            ),
            (option, "200 result=-1 endpos=6560", asks(problem, "200 result=-1 endpos=6560")),
            (control, "200 result=0 endpos=-1", played("", None).into()),
            (
                control,
                "200 result=42 endpos=820",
                played("*", Some(At::EndMilliseconds(820))).into(),
            ),
            (control, "200 result=0 endpos=620", played("", Some(At::EndMilliseconds(620))).into()),
            (control, "200 result=-1 endpos=-1", asks(problem, "200 result=-1 endpos=-1")),
        ];
        for (kind, line, expected) in table {
            assert_eq!(verdict(kind, line), expected, "{kind:?} {line}");
        }
    }

    #[test]
    fn digits_of_get_data_are_text() {
        let digits = |digits: &str, timed_out| {
            Verdict::from(Outcome::Digits(DigitsResult { digits: digits.to_owned(), timed_out }))
        };
        let table = [
            ("200 result=0123", digits("0123", false)),
            ("200 result=*0", digits("*0", false)),
            ("200 result=12 (timeout)", digits("12", true)),
            ("200 result= (timeout)", digits("", true)),
            ("200 result=", digits("", false)),
            ("200 result=-1", asks("asterisk could not play the file", "200 result=-1")),
            ("200 result=1 (x)", unexpected("200 result=1 (x)")),
        ];
        for (line, expected) in table {
            assert_eq!(verdict(Kind::Digits, line), expected, "{line}");
        }
        let odd = Success {
            result: &bytes::Bytes::from_static(b"\xe8"),
            rest: &bytes::Bytes::from_static(b"(timeout)"),
            line: &bytes::Bytes::new(),
        };
        assert_eq!(super::digits(odd), digits("\u{fffd}", true));
    }

    #[test]
    fn a_digit_is_an_ascii_code() {
        let table = [
            ("200 result=0", digit_is("")),
            ("200 result=48", digit_is("0")),
            ("200 result=68", digit_is("D")),
            ("200 result=90", digit_is("")),
            ("200 result=1000", digit_is("")),
            ("200 result=1004", digit_is("")),
            ("200 result=1", unexpected("200 result=1")),
            ("200 result=1005", unexpected("200 result=1005")),
            ("200 result=-1", asks("asterisk failed", "200 result=-1")),
        ];
        for (line, expected) in table {
            assert_eq!(verdict(Kind::Digit, line), expected, "{line}");
        }
    }

    #[test]
    fn a_recording_is_told_by_its_word() {
        let recorded = |end: End, digit: &str, end_samples| {
            Outcome::Recording(RecordingResult {
                end: end.into(),
                digit: digit.to_owned(),
                end_samples,
            })
        };
        let problem = |line| error(Code::Failed, format!("asterisk could not record: {line}"));
        let hangup =
            Finished { outcome: recorded(End::Hangup, "", 2400), hangup: Some(Source::Reply) };
        let ask =
            |line, end| Verdict::Ask { alive: problem(line), dead: recorded(End::Hangup, "", end) };
        let table = [
            ("200 result=0 (timeout) endpos=16000", recorded(End::Timeout, "", 16000).into()),
            ("200 result=7482 (timeout) endpos=800", recorded(End::Silence, "", 800).into()),
            ("200 result=3 (timeout) endpos=800", recorded(End::Timeout, "", 800).into()),
            ("200 result=35 (dtmf) endpos=99", recorded(End::Digit, "#", 99).into()),
            ("200 result=90 (dtmf) endpos=99", recorded(End::Digit, "", 99).into()),
            ("200 result=-1 (hangup) endpos=2400", Verdict::Done(hangup)),
            ("200 result=-1 (waitfor) endpos=8", ask("200 result=-1 (waitfor) endpos=8", 8)),
            ("200 result=-1 (writefile)", problem("200 result=-1 (writefile)").into()),
            ("200 result=49 (randomerror) endpos=0", recorded(End::Digit, "1", 0).into()),
            (
                "200 result=-1 (randomerror) endpos=0",
                ask("200 result=-1 (randomerror) endpos=0", 0),
            ),
            ("200 result=0", unexpected("200 result=0")),
        ];
        for (line, expected) in table {
            assert_eq!(verdict(Kind::Recording { silence: true }, line), expected, "{line}");
        }
        let unasked =
            verdict(Kind::Recording { silence: false }, "200 result=99 (timeout) endpos=8");
        assert_eq!(unasked, recorded(End::Timeout, "", 8).into());
    }

    #[test]
    fn text_that_did_not_come_is_told_from_a_hangup() {
        let came = |text: &str| Outcome::Text(TextResult { text: Some(text.to_owned()) });
        let ask = |line| {
            let dead = error(Code::HungUp, format!("the caller hung up: {line}"));
            Verdict::Ask { alive: nothing_came(), dead }
        };
        let table = [
            (Kind::Character, "200 result=97", came("a").into()),
            (Kind::Character, "200 result=195", came("\u{fffd}").into()),
            (Kind::Character, "200 result=-1 (hangup)", ask("200 result=-1 (hangup)")),
            (Kind::Character, "200 result=0 (timeout)", nothing_came().into()),
            (Kind::Character, "200 result=256", unexpected("200 result=256")),
            (Kind::Text, "200 result=-1", ask("200 result=-1")),
            (Kind::Text, "200 result=1 (hi", Verdict::Probe),
            (Kind::Text, "200 result=0", unexpected("200 result=0")),
        ];
        for (kind, line, expected) in table {
            assert_eq!(verdict(kind, line), expected, "{kind:?} {line}");
        }
        let finished = judge_whole(Kind::Text, &"200 result=1 (hi".into(), b"HANGUP\nyou)\n");
        assert_eq!(finished.map(|finished| finished.outcome), Some(came("hi\nHANGUP\nyou")));
    }
}
