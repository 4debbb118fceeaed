//! What a reply means, decided per command and never from the number alone. Knows no order of lines: `exchange` does.

mod media;
mod speech;
mod value;

use super::reply::Reply;
use crate::proto::{
    ChannelState, ChannelStatusResult, CommandError, Done, ExecResult, GosubResult,
    command_error::Code, command_result::Outcome, hangup::Source,
};
use bytes::Bytes;

pub(super) use value::{between_marks, whole_value};

/// How a command ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Finished {
    /// For the command's result.
    pub outcome: Outcome,
    /// Set when the reply itself showed that the caller is gone, or a HANGUP line stood behind it.
    pub hangup: Option<Source>,
}

/// What a command's reply is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Whatever the number, it was done.
    Plain,
    /// 0, or an ambiguous -1.
    Action,
    /// 1, or 0 for the reason given.
    Positive(&'static str),
    ChannelStatus,
    HangUp {
        own: bool,
    },
    Exec {
        /// The application returns 0 also when the caller hung up in it.
        hides_hangup: bool,
    },
    Gosub,
    DatabaseGet,
    /// GET VARIABLE, read as an expression between marks.
    Variable,
    FullVariable,
    Playback {
        /// 0 is also what a hangup in the wait behind the prompt gives.
        hides_hangup: bool,
    },
    ControlPlayback,
    Digits,
    Digit,
    Recording {
        /// Silence was to end it too.
        silence: bool,
    },
    Character,
    Text,
    Speech,
    Raw {
        own_hangup: bool,
    },
}

/// What the first reply of a command comes to.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Verdict {
    Done(Finished),
    /// The channel's state tells which of the two it is.
    Ask {
        alive: Outcome,
        dead: Outcome,
    },
    /// The reply may go on behind its first line.
    Probe,
    /// A subroutine returned; its value is to be read.
    ReturnValue,
}

impl From<Outcome> for Verdict {
    fn from(outcome: Outcome) -> Self {
        Self::Done(Finished { outcome, hangup: None })
    }
}

/// The parts of a 200.
#[derive(Clone, Copy)]
struct Success<'a> {
    result: &'a Bytes,
    rest: &'a Bytes,
    line: &'a Bytes,
}

/// Decides the first reply of a command that is not read between marks.
pub(super) fn judge(kind: Kind, reply: &Reply) -> Verdict {
    if let Kind::Raw { own_hangup } = kind {
        return value::raw_reply(reply, own_hangup);
    }
    match reply {
        Reply::Success { result, rest, line } => {
            judge_success(kind, Success { result, rest, line })
        }
        Reply::Unknown(_) | Reply::Dead(_) | Reply::Usage(_) | Reply::Other { .. } => {
            Verdict::Done(refused(reply))
        }
    }
}

/// A reply that is no 200 means the same for every command.
pub(super) fn refused(reply: &Reply) -> Finished {
    let (code, hangup) = match reply {
        Reply::Unknown(_) => (Code::UnknownCommand, None),
        Reply::Dead(_) => (Code::HungUp, Some(Source::Reply)),
        Reply::Usage(_) => (Code::Usage, None),
        Reply::Other { code: 503, .. } => (Code::Failed, None),
        Reply::Success { .. } | Reply::Other { .. } => (Code::ProtocolError, None),
    };
    Finished { outcome: error(code, text(reply.line())), hangup }
}

/// Decides a reply that was read whole up to a probe's answer: its first line and what stood behind.
/// `None`: bytes of it were lost.
pub(super) fn judge_whole(kind: Kind, first: &Bytes, tail: &[u8]) -> Option<Finished> {
    let joined;
    let whole = if tail.is_empty() {
        &first[..]
    } else {
        let tail = tail.strip_suffix(b"\n").unwrap_or(tail);
        joined = [first, &b"\n"[..], tail].concat();
        &joined
    };
    let mut hangup = None;
    let outcome = match kind {
        Kind::Exec { .. } => Outcome::Exec(ExecResult { result: 1 }),
        Kind::Speech => speech::whole(whole),
        Kind::Text => media::whole_text(whole)?,
        Kind::Raw { own_hangup } => {
            hangup = own_hangup.then_some(Source::Service);
            value::whole_raw(whole)
        }
        Kind::DatabaseGet | Kind::Variable => value::some(whole_value(whole)?),
        Kind::Plain | Kind::Action | Kind::Positive(_) | Kind::ChannelStatus => return None,
        Kind::HangUp { .. } | Kind::Gosub | Kind::FullVariable | Kind::Playback { .. } => {
            return None;
        }
        Kind::ControlPlayback | Kind::Digits | Kind::Digit => return None,
        Kind::Recording { .. } | Kind::Character => return None,
    };
    Some(Finished { outcome, hangup })
}

fn judge_success(kind: Kind, reply: Success<'_>) -> Verdict {
    match kind {
        Kind::Plain => done().into(),
        Kind::Action => action(reply),
        Kind::Positive(problem) => positive(reply, problem),
        Kind::ChannelStatus => channel_status(reply).into(),
        Kind::HangUp { own } => hang_up(reply, own),
        Kind::Exec { hides_hangup } => exec(reply, hides_hangup),
        Kind::Gosub => gosub(reply),
        Kind::DatabaseGet | Kind::Variable => value::keyed(reply),
        Kind::FullVariable => value::full(reply).into(),
        Kind::Playback { hides_hangup } => media::playback(reply, hides_hangup),
        Kind::ControlPlayback => media::control_playback(reply),
        Kind::Digits => media::digits(reply),
        Kind::Digit => media::digit(reply),
        Kind::Recording { silence } => media::recording(reply, silence),
        Kind::Character => media::character(reply),
        Kind::Text => media::text(reply),
        Kind::Speech => speech::first_line(reply),
        Kind::Raw { .. } => Verdict::Probe,
    }
}

fn action(reply: Success<'_>) -> Verdict {
    match reply.number() {
        Some(-1) => reply.hung_up_or_failed("asterisk failed"),
        Some(number) if number >= 0 => done().into(),
        Some(_) | None => reply.unexpected().into(),
    }
}

fn positive(reply: Success<'_>, problem: &str) -> Verdict {
    match reply.number() {
        Some(1) => done().into(),
        Some(0) => error(Code::Failed, problem.to_owned()).into(),
        Some(_) | None => reply.unexpected().into(),
    }
}

fn channel_status(reply: Success<'_>) -> Outcome {
    let state = match reply.number() {
        Some(-1) => ChannelState::NoSuchChannel,
        Some(0) => ChannelState::Down,
        Some(1) => ChannelState::Reserved,
        Some(2) => ChannelState::OffHook,
        Some(3) => ChannelState::Dialing,
        Some(4) => ChannelState::Ring,
        Some(5) => ChannelState::Ringing,
        Some(6) => ChannelState::Up,
        Some(7) => ChannelState::Busy,
        Some(_) | None => return reply.unexpected(),
    };
    Outcome::ChannelStatus(ChannelStatusResult { state: state.into() })
}

fn hang_up(reply: Success<'_>, own: bool) -> Verdict {
    match reply.number() {
        Some(1) => {
            let hangup = own.then_some(Source::Service);
            Verdict::Done(Finished { outcome: done(), hangup })
        }
        Some(-1) => error(Code::Failed, "there is no such channel".to_owned()).into(),
        Some(_) | None => reply.unexpected().into(),
    }
}

/// An application's -1 is also an answered Dial's, so the result is kept and only the hangup is asked for.
fn exec(reply: Success<'_>, hides_hangup: bool) -> Verdict {
    let Some(result) = reply.number() else { return reply.unexpected().into() };
    let outcome = Outcome::Exec(ExecResult { result });
    match result {
        -2 => error(Code::NoSuchApplication, "there is no such application".to_owned()).into(),
        -1 => Verdict::Ask { alive: outcome.clone(), dead: outcome },
        0 if hides_hangup => Verdict::Ask { alive: outcome.clone(), dead: outcome },
        // To Asterisk this means "show the usage", whose text may follow.
        1 => Verdict::Probe,
        _ => outcome.into(),
    }
}

fn gosub(reply: Success<'_>) -> Verdict {
    match &reply.rest[..] {
        b"Gosub complete" => Verdict::ReturnValue,
        b"Gosub complete (abnormal exit)" => {
            let outcome =
                Outcome::Gosub(GosubResult { abnormal_exit: true, return_value: String::new() });
            Verdict::Ask { alive: outcome.clone(), dead: outcome }
        }
        rest if rest.starts_with(b"Gosub ") => error(Code::Failed, text(reply.line)).into(),
        _ => reply.unexpected().into(),
    }
}

impl Success<'_> {
    /// The result as Asterisk's 32-bit number.
    fn number(self) -> Option<i32> {
        std::str::from_utf8(self.result).ok()?.parse().ok()
    }

    /// For a -1 that hangup and failure share.
    fn hung_up_or_failed(self, failure: &str) -> Verdict {
        let line = text(self.line);
        Verdict::Ask {
            alive: error(Code::Failed, format!("{failure}: {line}")),
            dead: error(Code::HungUp, format!("the caller hung up: {line}")),
        }
    }

    /// For a result that the command does not have.
    fn unexpected(self) -> Outcome {
        error(Code::ProtocolError, text(self.line))
    }

    /// What stands behind a name in the rest, as `endpos=`, as a number.
    fn attribute(self, name: &[u8]) -> Option<i64> {
        let mut words = self.rest.split(|&byte| byte == b' ');
        let value = words.find_map(|word| word.strip_prefix(name))?;
        std::str::from_utf8(value).ok()?.parse().ok()
    }
}

pub(super) fn done() -> Outcome {
    Outcome::Done(Done {})
}

pub(super) fn error(code: Code, detail: String) -> Outcome {
    Outcome::Error(CommandError { code: code.into(), detail })
}

/// Bytes that are no UTF-8 become U+FFFD.
fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The verdict on one line.
    pub(super) fn verdict(kind: Kind, line: &'static str) -> Verdict {
        judge(kind, &Reply::parse(Bytes::from_static(line.as_bytes())).expect("a reply"))
    }

    pub(super) fn failed(detail: &str) -> Verdict {
        error(Code::Failed, detail.to_owned()).into()
    }

    pub(super) fn unexpected(line: &str) -> Verdict {
        error(Code::ProtocolError, line.to_owned()).into()
    }

    pub(super) fn asks(failure: &str, line: &str) -> Verdict {
        Verdict::Ask {
            alive: error(Code::Failed, format!("{failure}: {line}")),
            dead: error(Code::HungUp, format!("the caller hung up: {line}")),
        }
    }

    fn exec_asks(result: i32) -> Verdict {
        let outcome = Outcome::Exec(ExecResult { result });
        Verdict::Ask { alive: outcome.clone(), dead: outcome }
    }

    #[test]
    fn replies_to_commands_that_steer_the_call() {
        let state = |state: ChannelState| {
            Outcome::ChannelStatus(ChannelStatusResult { state: state.into() })
        };
        let exec = |result| Verdict::from(Outcome::Exec(ExecResult { result }));
        let plain_exec = Kind::Exec { hides_hangup: false };
        let positive = Kind::Positive("no");
        let table = [
            (Kind::Plain, "200 result=0", done().into()),
            (Kind::Plain, "200 result=1", done().into()),
            (Kind::Action, "200 result=0", done().into()),
            (Kind::Action, "200 result=-1", asks("asterisk failed", "200 result=-1")),
            (Kind::Action, "200 result=x", unexpected("200 result=x")),
            (positive, "200 result=1", done().into()),
            (positive, "200 result=0", failed("no")),
            (positive, "200 result=7", unexpected("200 result=7")),
            (Kind::ChannelStatus, "200 result=-1", state(ChannelState::NoSuchChannel).into()),
            (Kind::ChannelStatus, "200 result=0", state(ChannelState::Down).into()),
            (Kind::ChannelStatus, "200 result=1", state(ChannelState::Reserved).into()),
            (Kind::ChannelStatus, "200 result=2", state(ChannelState::OffHook).into()),
            (Kind::ChannelStatus, "200 result=3", state(ChannelState::Dialing).into()),
            (Kind::ChannelStatus, "200 result=4", state(ChannelState::Ring).into()),
            (Kind::ChannelStatus, "200 result=5", state(ChannelState::Ringing).into()),
            (Kind::ChannelStatus, "200 result=6", state(ChannelState::Up).into()),
            (Kind::ChannelStatus, "200 result=7", state(ChannelState::Busy).into()),
            (Kind::ChannelStatus, "200 result=9", unexpected("200 result=9")),
            (Kind::HangUp { own: false }, "200 result=1", done().into()),
            (Kind::HangUp { own: true }, "200 result=-1", failed("there is no such channel")),
            (Kind::HangUp { own: true }, "200 result=0", unexpected("200 result=0")),
            (plain_exec, "200 result=0", exec(0)),
            (plain_exec, "200 result=49", exec(49)),
            (plain_exec, "200 result=-1", exec_asks(-1)),
            (plain_exec, "200 result=1", Verdict::Probe),
            (plain_exec, "200 result=", unexpected("200 result=")),
            (Kind::Exec { hides_hangup: true }, "200 result=0", exec_asks(0)),
            (Kind::Gosub, "200 result=0 Gosub complete", Verdict::ReturnValue),
            (
                Kind::Gosub,
                "200 result=-1 Gosub label not found",
                failed("200 result=-1 Gosub label not found"),
            ),
            (Kind::Gosub, "200 result=5 Gosub failed", failed("200 result=5 Gosub failed")),
            (
                Kind::Gosub,
                "503 result=-2 Memory allocation failure",
                failed("503 result=-2 Memory allocation failure"),
            ),
            (Kind::Gosub, "200 result=0", unexpected("200 result=0")),
        ];
        for (kind, line, expected) in table {
            assert_eq!(verdict(kind, line), expected, "{kind:?} {line}");
        }
    }

    #[test]
    fn only_the_hangup_of_this_call_is_told_with_the_result() {
        let own = Finished { outcome: done(), hangup: Some(Source::Service) };
        assert_eq!(verdict(Kind::HangUp { own: true }, "200 result=1"), Verdict::Done(own));
        let verdict = verdict(Kind::Exec { hides_hangup: false }, "200 result=-2");
        assert_eq!(
            verdict,
            error(Code::NoSuchApplication, "there is no such application".to_owned()).into()
        );
    }

    #[test]
    fn an_abnormal_exit_asks_for_the_hangup() {
        let outcome =
            Outcome::Gosub(GosubResult { abnormal_exit: true, return_value: String::new() });
        let verdict = verdict(Kind::Gosub, "200 result=0 Gosub complete (abnormal exit)");
        assert_eq!(verdict, Verdict::Ask { alive: outcome.clone(), dead: outcome });
    }

    #[test]
    fn a_reply_that_is_no_200_means_the_same_for_all() {
        let table = [
            ("510 Invalid or unknown command", Code::UnknownCommand, None),
            ("511 Command Not Permitted on a dead channel", Code::HungUp, Some(Source::Reply)),
            ("520-Invalid\nusage\n520 End", Code::Usage, None),
            ("520 Not available.", Code::Usage, None),
            ("503 result=-2 Memory", Code::Failed, None),
            ("200 OK", Code::ProtocolError, None),
            ("404 what", Code::ProtocolError, None),
        ];
        for (line, code, hangup) in table {
            for kind in
                [Kind::Plain, Kind::Digits, Kind::Speech, Kind::DatabaseGet, Kind::FullVariable]
            {
                let outcome = error(code, line.to_owned());
                assert_eq!(
                    verdict(kind, line),
                    Verdict::Done(Finished { outcome, hangup }),
                    "{line}"
                );
            }
        }
    }
}
