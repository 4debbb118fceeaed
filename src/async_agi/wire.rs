//! Pure: the bytes of an AGI session on one side, the manager's actions and events on the other. The session sees what it would see on
//! a socket, as far as async AGI has it.
//!
//! | on a socket | here |
//! |---|---|
//! | a line | an action `AGI`; Asterisk queues it behind those before |
//! | a reply | the `Result` of an event, of 1,024 bytes at most: the rest comes with the next one, so NOOPs fetch it |
//! | `HANGUP` | made of the event that announces a hangup |
//! | half-close | `ASYNCAGI BREAK` |
//! | `failure` | a GOSUB to nowhere: of what ends a session with AGISTATUS=FAILURE, the one that Asterisk does not log as an error |
//! | end of file | `AsyncAGIEnd` |

use std::collections::VecDeque;

/// Asterisk reads so much of a reply at once.
const RESULT_BYTES: usize = 1024;
/// What it says to a NOOP.
const NOOP_REPLY: &[u8] = b"200 result=0\n";
/// NOOPs at once: eight fetch 8 KiB, which is all that a variable gives.
const FETCHES_MAX: usize = 8;
/// A line, its header's name and line end are 1,024 bytes at most.
pub(crate) const LINE_BYTES_MAX: usize = 1024 - "Command: \r\n".len();
/// To a context that no dialplan has.
const TO_NOWHERE: &str = "GOSUB agi-bridge-no-such-context s 1";
const BREAK: &str = "ASYNCAGI BREAK";
/// To a line that Asterisk cannot be given, as it answers what it does not know.
const UNKNOWN: &[u8] = b"510 Invalid or unknown command\n";

/// One session. Its commands are numbered from 1.
#[derive(Debug)]
pub(super) struct Wire {
    /// The beginning of a line.
    line: Vec<u8>,
    unsent: VecDeque<Command>,
    /// In order, each until its result is there.
    sent: VecDeque<(u64, Kind)>,
    next: u64,
    fetching: Option<Fetching>,
    hangup: Hangup,
    state: State,
    /// For the session.
    said: Vec<u8>,
}

/// A command to be queued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Command {
    /// Unique in this session.
    pub(super) number: u64,
    pub(super) line: String,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Of the session.
    Line(Word),
    /// Fetches the rest of a reply.
    Fetch,
    Failure,
    Break,
}

/// What a line of the session is for, where that matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Word {
    HangUp,
    ChannelStatus,
    Other,
}

/// A reply that did not come whole.
#[derive(Debug)]
struct Fetching {
    bytes: Vec<u8>,
    sent: usize,
    left: usize,
}

#[derive(Debug, PartialEq, Eq)]
enum Hangup {
    No,
    /// By a command of the session, whose reply comes first.
    Held,
    Told,
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    Open,
    /// The session has said its last word.
    Closing,
    /// Asterisk has ended it; why is not known yet.
    Left {
        channel_state: u32,
    },
    /// By a command that failed: the channel lives, and may be asked after.
    Failed {
        channel_state: u32,
    },
    Over,
}

impl Wire {
    pub(super) fn new() -> Self {
        Self {
            line: Vec::new(),
            unsent: VecDeque::new(),
            sent: VecDeque::new(),
            next: 1,
            fetching: None,
            hangup: Hangup::No,
            state: State::Open,
            said: Vec::new(),
        }
    }

    /// The session writes.
    pub(super) fn write(&mut self, mut bytes: &[u8]) {
        while let Some(at) = bytes.iter().position(|&byte| byte == b'\n') {
            let mut line = std::mem::take(&mut self.line);
            line.extend_from_slice(&bytes[..at]);
            bytes = &bytes[at + 1..];
            self.write_line(&line);
        }
        // More than that is refused when its end comes; what it was does not matter.
        let room = (LINE_BYTES_MAX + 1).saturating_sub(self.line.len());
        self.line.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    fn write_line(&mut self, line: &[u8]) {
        match self.state {
            State::Open => {}
            State::Failed { channel_state } => {
                return self.last_answer(Word::of(line), channel_state);
            }
            // It may be answered once it is known why.
            State::Left { .. } => return self.sent.push_back((0, Kind::Line(Word::of(line)))),
            State::Closing | State::Over => return,
        }
        if line == b"failure" {
            self.state = State::Closing;
            return self.queue(TO_NOWHERE.to_owned(), Kind::Failure);
        }
        let text = str::from_utf8(line).ok().filter(|text| {
            text.len() <= LINE_BYTES_MAX && !text.is_empty() && !text.contains(['\r', '\0'])
        });
        match text {
            Some(text) => self.queue(text.to_owned(), Kind::Line(Word::of(line))),
            None => self.said.extend_from_slice(UNKNOWN),
        }
    }

    /// The session has half-closed, or is gone.
    pub(super) fn half_close(&mut self) {
        match self.state {
            State::Open => {
                self.state = State::Closing;
                self.queue(BREAK.to_owned(), Kind::Break);
            }
            State::Failed { .. } => self.state = State::Over,
            State::Closing | State::Left { .. } | State::Over => {}
        }
    }

    /// What is to be queued at the channel next.
    pub(super) fn poll_send(&mut self) -> Option<Command> {
        let command = self.unsent.pop_front()?;
        self.sent.push_back((command.number, command.kind));
        Some(command)
    }

    /// Asterisk did one of our commands.
    pub(super) fn done(&mut self, number: u64, result: &[u8]) {
        let Some(at) = self.sent.iter().position(|&(sent, _)| sent == number) else { return };
        let kind = self.sent.remove(at).map(|(_, kind)| kind);
        match kind {
            Some(Kind::Fetch) => self.fetched(result),
            Some(Kind::Line(word)) => {
                self.replied(result);
                if word == Word::HangUp && self.hangup == Hangup::Held {
                    self.tell_hangup();
                }
            }
            // Without GOSUB, as its module is not loaded, the session goes on.
            Some(Kind::Failure) if !result.starts_with(b"200 result=-1") => {
                self.queue(BREAK.to_owned(), Kind::Break);
            }
            Some(Kind::Failure | Kind::Break) | None => {}
        }
    }

    /// The channel is being hung up.
    pub(super) fn hang_up(&mut self) {
        if !matches!(self.state, State::Open | State::Closing) {
            return; // later than the session, and so nothing to it
        }
        let by_session = matches!(self.sent.front(), Some((_, Kind::Line(Word::HangUp))));
        match self.hangup {
            Hangup::No if by_session => self.hangup = Hangup::Held,
            Hangup::No => self.tell_hangup(),
            Hangup::Held | Hangup::Told => {}
        }
    }

    /// Asterisk has ended the session; `channel_state`: as CHANNEL STATUS would tell it.
    pub(super) fn ended(&mut self, channel_state: u32) {
        match self.state {
            State::Open if self.hangup == Hangup::No => self.state = State::Left { channel_state },
            State::Open => {
                self.hung_up();
            }
            State::Closing => self.state = State::Over,
            State::Left { .. } | State::Failed { .. } | State::Over => {}
        }
    }

    /// What AGISTATUS says now. It is what Asterisk knows of an end.
    pub(super) fn status(&mut self, agistatus: &str) {
        let State::Left { channel_state } = self.state else { return };
        match agistatus {
            "HANGUP" => self.hung_up(),
            "FAILURE" => {
                self.state = State::Failed { channel_state };
                let unsent = self.unsent.iter().map(|command| command.kind);
                let waiting = self.sent.iter().map(|&(_, kind)| kind).chain(unsent).next();
                if let Some(Kind::Line(word)) = waiting {
                    self.last_answer(word, channel_state);
                }
            }
            _ => self.state = State::Over,
        }
    }

    /// Whether more may follow shortly, and then nothing more.
    pub(super) fn is_ending(&self) -> bool {
        matches!(self.state, State::Left { .. } | State::Failed { .. })
    }

    /// Nothing will come any more.
    pub(super) fn cut(&mut self) {
        self.state = State::Over;
    }

    /// Whether nothing will be said any more.
    pub(super) fn is_over(&self) -> bool {
        self.state == State::Over
    }

    /// What the session is to read.
    pub(super) fn take_said(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.said)
    }

    /// The session that a failed command has ended may ask whether the channel lives; nothing else is answered any more.
    fn last_answer(&mut self, word: Word, channel_state: u32) {
        if word == Word::ChannelStatus {
            self.said.extend(format!("200 result={channel_state}\n").into_bytes());
        }
        self.state = State::Over;
    }

    fn hung_up(&mut self) {
        if self.hangup != Hangup::Told {
            self.tell_hangup();
        }
        self.state = State::Over;
    }

    fn tell_hangup(&mut self) {
        self.hangup = Hangup::Told;
        self.said.extend_from_slice(b"HANGUP\n");
    }

    fn replied(&mut self, result: &[u8]) {
        if let Some(fetching) = &mut self.fetching {
            // Lines that nobody waits for, as the last ones of a call: what is whose does not matter.
            fetching.bytes.extend_from_slice(result);
        } else if result.len() < RESULT_BYTES {
            self.said.extend_from_slice(result);
        } else {
            let bytes = result.to_vec();
            self.fetching = Some(Fetching { bytes, sent: 0, left: 0 });
            self.fetch(1);
        }
    }

    fn fetched(&mut self, result: &[u8]) {
        let Some(fetching) = &mut self.fetching else { return };
        fetching.bytes.extend_from_slice(result);
        fetching.left -= 1;
        if fetching.left > 0 {
            return;
        }
        if result.len() >= RESULT_BYTES {
            let more = fetching.sent.min(FETCHES_MAX);
            return self.fetch(more);
        }
        // All that was written before is read now, so what the NOOPs said is the end of it.
        let Some(Fetching { mut bytes, sent, .. }) = self.fetching.take() else { return };
        let ours = NOOP_REPLY.repeat(sent);
        if bytes.ends_with(&ours) {
            bytes.truncate(bytes.len() - ours.len());
        }
        self.said.extend(bytes);
    }

    fn fetch(&mut self, count: usize) {
        for _ in 0..count {
            self.queue("NOOP".to_owned(), Kind::Fetch);
        }
        if let Some(fetching) = &mut self.fetching {
            fetching.sent += count;
            fetching.left += count;
        }
    }

    fn queue(&mut self, line: String, kind: Kind) {
        let number = self.next;
        self.next += 1;
        self.unsent.push_back(Command { number, line, kind });
    }
}

impl Word {
    fn of(line: &[u8]) -> Self {
        if line.eq_ignore_ascii_case(b"CHANNEL STATUS") {
            Self::ChannelStatus
        } else if line
            .split(|&byte| byte == b' ')
            .next()
            .is_some_and(|name| name.eq_ignore_ascii_case(b"HANGUP"))
        {
            Self::HangUp
        } else {
            Self::Other
        }
    }
}
