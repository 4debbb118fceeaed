//! One command from its first line to its typed outcome, follow-up lines included. Knows the order of lines; what a
//! reply means stands in `outcome`.

use super::{
    command::{self, Encoded, Words},
    effect::Effect,
    outcome::{self, Finished, Kind, Verdict},
    policy::{CommandPolicy, NotAllowed},
    reply::{Expect, Incoming, Mark, Reply},
    words::{InvalidArgument, Limits},
};
use crate::proto::{
    GosubResult, ValueResult, command::Command, command_error::Code, command_result::Outcome,
    hangup::Source,
};
use bytes::Bytes;

/// Asks whether the channel is alive: 511 where it is not.
const CHANNEL_STATUS: Bytes = Bytes::from_static(b"CHANNEL STATUS\n");

/// One command of a service, or of the bridge itself.
///
/// Write [`Self::first_line`], then feed what [`super::Reader::next`] yields for [`Self::expect`] until a step is
/// [`Step::Done`]. One line is written at a time.
#[derive(Debug)]
pub struct Exchange {
    name: &'static str,
    dead_safe: bool,
    kind: Kind,
    line: Bytes,
    /// Where the cancel key could stand in the line.
    digits_end: Option<usize>,
    /// The cancel key stands there.
    has_key: bool,
    stage: Stage,
    random: fn() -> u128,
}

/// A key that stops a command when the channel's manager presses it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// One that no phone has: what it stops is told as if nobody had pressed anything.
    Cancel,
    /// The end of GET DATA, as callers press it.
    Hash,
}

/// What is to be done after something was read.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Go on reading.
    Wait,
    /// Asterisk said something provisional, in these words; go on reading.
    Progress(String),
    /// Write this follow-up line, then go on reading.
    Write(Bytes),
    /// The command is over.
    Done(Finished),
    /// Replies can no longer be matched to commands.
    Desync(String),
}

/// The line that was written last, and what is known by then.
#[derive(Debug)]
enum Stage {
    /// The command itself.
    Command,
    /// The command itself, a GET FULL VARIABLE with a mark.
    Marked(Mark),
    /// GET VARIABLE behind an empty read: unset or empty?
    Presence,
    /// The sync probe; the reply began with `first`.
    Tail { mark: Mark, first: Bytes },
    /// CHANNEL STATUS; one of the two outcomes.
    Status(Box<Fates>),
    /// GOSUB_RETVAL with a mark.
    ReturnValue(Mark),
    /// Nothing is awaited.
    Over,
}

#[derive(Debug)]
struct Fates {
    alive: Outcome,
    dead: Outcome,
}

impl Exchange {
    /// Encodes a command, within the limits. `random` gives fresh marks: 128 bits that nobody can guess.
    pub fn new(
        command: &Command,
        limits: &Limits,
        random: fn() -> u128,
    ) -> Result<Self, InvalidArgument> {
        let Encoded { name, dead_safe, kind, mark, digits_end, line } =
            command::encode(command, limits, random)?;
        let stage = mark.map_or(Stage::Command, Stage::Marked);
        Ok(Self { name, dead_safe, kind, line, digits_end, has_key: false, stage, random })
    }

    /// The same with the cancel key among the digits that stop it, if it has such digits and room for one more.
    pub fn with_cancel_key(mut self, limits: &Limits) -> Self {
        if let Some(end) = self.digits_end.filter(|_| self.line.len() <= limits.line_bytes_max) {
            let (before, behind) = self.line.split_at(end);
            self.line = [before, Key::Cancel.digit().as_bytes(), behind].concat().into();
            self.has_key = true;
        }
        self
    }

    /// The key that would stop it now; none: nothing does.
    pub fn key(&self) -> Option<Key> {
        match (&self.stage, self.name) {
            (Stage::Command, _) if self.has_key => Some(Key::Cancel),
            (Stage::Command, "WAIT FOR DIGIT") => Some(Key::Cancel),
            (Stage::Command, "GET DATA") => Some(Key::Hash),
            _ => None,
        }
    }

    /// A line that is passed on for a program that reads the reply itself: nothing is made of it here.
    pub fn verbatim(line: Bytes, name: &'static str) -> Self {
        let kind = Kind::Raw { own_hangup: false };
        Self {
            name,
            dead_safe: true,
            kind,
            line,
            digits_end: None,
            has_key: false,
            stage: Stage::Command,
            random: || 0,
        }
    }

    /// As Asterisk calls it, `GET DATA`; `RAW` for a raw one. GET VARIABLE keeps its name though it is asked
    /// otherwise.
    pub fn name(&self) -> &'static str {
        if self.kind == Kind::Variable { "GET VARIABLE" } else { self.name }
    }

    /// What the caller notices of it.
    pub fn effect(&self) -> Effect {
        Effect::of(self.name, &self.line)
    }

    /// Whether Asterisk takes it on a dead channel: 13 of 47; a raw one is known by its first words.
    pub fn dead_safe(&self) -> bool {
        self.dead_safe
    }

    /// Whether a service may send it.
    pub fn judge(&self, policy: &CommandPolicy) -> Result<(), NotAllowed> {
        let words = || Words::split(&self.line[..self.line.len() - 1]);
        if self.name == "RAW" {
            let words = words();
            return policy.judge(words.command().unwrap_or("RAW"), &words);
        }
        policy.judge_name(self.name())?;
        if CommandPolicy::looks_into(self.name) {
            policy.judge_words(self.name, &words())?;
        }
        Ok(())
    }

    /// The whole first line with its LF.
    pub fn first_line(&self) -> Bytes {
        self.line.clone()
    }

    /// For [`super::Reader::next`], in the present step.
    pub fn expect(&self) -> Expect<'_> {
        match &self.stage {
            Stage::Command | Stage::Presence | Stage::Status(_) => Expect::Reply,
            Stage::Marked(mark) | Stage::ReturnValue(mark) => Expect::Marked(mark),
            Stage::Tail { mark, .. } => Expect::Tail(mark),
            Stage::Over => Expect::Nothing,
        }
    }

    /// Feeds what Asterisk said; hangups and stray lines are the caller's. `hung_up`: it is known already that the
    /// other side of the call is gone, so an ambiguous reply needs no question.
    pub fn on_incoming(&mut self, incoming: Incoming, hung_up: bool) -> Step {
        match incoming {
            Incoming::Hangup => Step::Wait,
            Incoming::Progress(line) => Step::Progress(progress(&line)),
            Incoming::Stray(line) => desync("a line that is no reply", &line),
            Incoming::Tail { text, hangup } => self.on_tail(&text, hangup),
            Incoming::Reply(reply) => self.on_reply(&reply, hung_up),
        }
    }

    /// Asterisk closed while this ran: the outcome where the replies so far decide it, else `None`. What only a hangup
    /// or a failure explains was then a hangup.
    pub fn on_closed(&mut self) -> Option<Finished> {
        match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Status(fates) => {
                Some(Finished { outcome: fates.dead, hangup: Some(Source::Reply) })
            }
            Stage::Tail { first, .. } => outcome::judge_whole(self.kind, &first, b""),
            Stage::Command | Stage::Marked(_) | Stage::Presence => None,
            Stage::ReturnValue(_) | Stage::Over => None,
        }
    }

    fn on_reply(&mut self, reply: &Reply, hung_up: bool) -> Step {
        match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Command => {
                let verdict = outcome::judge(self.kind, reply);
                self.on_verdict(verdict, reply, hung_up)
            }
            Stage::Marked(mark) => self.on_marked(reply, &mark),
            Stage::Presence if is_empty_value(reply) => finish(value(Some(String::new()))),
            Stage::Presence => {
                let verdict = outcome::judge(self.kind, reply);
                self.on_verdict(verdict, reply, hung_up)
            }
            Stage::Status(fates) => on_status(*fates, reply, hung_up),
            Stage::ReturnValue(mark) => on_return_value(reply, &mark),
            Stage::Tail { .. } | Stage::Over => {
                desync("a reply that nothing asked for", reply.line())
            }
        }
    }

    fn on_verdict(&mut self, verdict: Verdict, reply: &Reply, hung_up: bool) -> Step {
        match verdict {
            Verdict::Done(finished) => Step::Done(finished),
            Verdict::Ask { dead, .. } if hung_up => finish(dead),
            Verdict::Ask { alive, dead } => {
                self.stage = Stage::Status(Box::new(Fates { alive, dead }));
                Step::Write(CHANNEL_STATUS)
            }
            Verdict::Probe => {
                let mark = Mark::new((self.random)());
                let line = [b"GET FULL VARIABLE \"", mark.as_bytes(), b"\"\n"].concat();
                self.stage = Stage::Tail { mark, first: reply.line().clone() };
                Step::Write(line.into())
            }
            Verdict::ReturnValue => {
                let mark = Mark::new((self.random)());
                let digits = mark.as_bytes();
                let pieces = [b"GET FULL VARIABLE \"", digits, b"${GOSUB_RETVAL}", digits, b"\"\n"];
                let line = pieces.concat();
                self.stage = Stage::ReturnValue(mark);
                Step::Write(line.into())
            }
        }
    }

    fn on_marked(&mut self, reply: &Reply, mark: &Mark) -> Step {
        let Reply::Success { result, rest, line } = reply else {
            return Step::Done(outcome::refused(reply));
        };
        match outcome::between_marks(rest, mark) {
            Some(b"") if self.kind == Kind::Variable => {
                self.stage = Stage::Presence;
                Step::Write(self.presence_line())
            }
            Some(text) => finish(value(Some(String::from_utf8_lossy(text).into_owned()))),
            None if result == "0" => no_channel(self.kind),
            None => desync("a value without its marks", line),
        }
    }

    /// GET VARIABLE with the name of the first line, `GET FULL VARIABLE "MARK${name}MARK"`, escaped as it is there.
    fn presence_line(&self) -> Bytes {
        let before = b"GET FULL VARIABLE \"".len() + MARK_BYTES + b"${".len();
        let behind = b"}".len() + MARK_BYTES + b"\"\n".len();
        let name = &self.line[before..self.line.len() - behind];
        [b"GET VARIABLE \"", name, b"\"\n"].concat().into()
    }

    fn on_tail(&mut self, text: &[u8], hangup: bool) -> Step {
        let Stage::Tail { first, .. } = std::mem::replace(&mut self.stage, Stage::Over) else {
            return desync("the end of a reply that nothing asked for", text);
        };
        let torn = || Finished {
            outcome: outcome::error(
                Code::ProtocolError,
                format!("the end of the reply is missing: {}", String::from_utf8_lossy(&first)),
            ),
            hangup: None,
        };
        let mut finished = outcome::judge_whole(self.kind, &first, text).unwrap_or_else(torn);
        if hangup {
            finished.hangup = finished.hangup.or(Some(Source::Signal));
        }
        Step::Done(finished)
    }
}

impl Key {
    /// As Asterisk's manager presses it.
    pub fn digit(self) -> &'static str {
        match self {
            Self::Cancel => "Z",
            Self::Hash => "#",
        }
    }

    /// Whether `said`, the reply to the command that it was pressed for, shows that it was taken: nothing else reads it then. A `#`
    /// cannot be told from the caller's.
    pub fn is_spent(self, said: &Incoming) -> bool {
        let Incoming::Reply(Reply::Success { result, rest, .. }) = said else { return false };
        // What is left of the time of RECORD FILE is a number too.
        self == Self::Cancel && result == "90" && !rest.starts_with(b"(timeout)")
    }
}

const MARK_BYTES: usize = 32;

fn on_status(fates: Fates, reply: &Reply, hung_up: bool) -> Step {
    if matches!(reply, Reply::Dead(_)) {
        return Step::Done(Finished { outcome: fates.dead, hangup: Some(Source::Reply) });
    }
    finish(if hung_up { fates.dead } else { fates.alive })
}

fn on_return_value(reply: &Reply, mark: &Mark) -> Step {
    let Reply::Success { rest, line, .. } = reply else {
        return Step::Done(outcome::refused(reply));
    };
    let Some(value) = outcome::between_marks(rest, mark) else {
        return desync("a value without its marks", line);
    };
    let return_value = String::from_utf8_lossy(value).into_owned();
    finish(Outcome::Gosub(GosubResult { abnormal_exit: false, return_value }))
}

fn no_channel(kind: Kind) -> Step {
    let detail = if kind == Kind::Variable {
        "asterisk no longer knows this channel"
    } else {
        "there is no such channel"
    };
    finish(outcome::error(Code::Failed, detail.to_owned()))
}

fn is_empty_value(reply: &Reply) -> bool {
    matches!(reply, Reply::Success { result, rest, .. } if result == "1" && rest == "()")
}

fn value(value: Option<String>) -> Outcome {
    Outcome::Value(ValueResult { value })
}

fn finish(outcome: Outcome) -> Step {
    Step::Done(Finished { outcome, hangup: None })
}

/// Says how long it was and not what it was: it may hold digits or a value, and goes to the log.
fn desync(what: &str, line: &[u8]) -> Step {
    Step::Desync(format!("{what}, in {} bytes", line.len()))
}

/// What stands behind `100 result=0 `.
fn progress(line: &[u8]) -> String {
    let words = line.strip_prefix(b"100 ").unwrap_or(line);
    let words = match words.strip_prefix(b"result=") {
        Some(result) => {
            result.iter().position(|&byte| byte == b' ').map_or(&b""[..], |at| &result[at + 1..])
        }
        None => words,
    };
    String::from_utf8_lossy(words).into_owned()
}

#[cfg(test)]
mod tests;
