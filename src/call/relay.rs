//! A call in the hands of a program that speaks AGI itself: its lines go to Asterisk one at a time, and what Asterisk says
//! goes back as it is. Knows where a reply ends, and nothing of what it means.

use super::{
    Action, Answered, CLOSE_TIMEOUT, Status,
    ending::{Cause, Verdict},
    machine::Call,
    state::{Attached, Owner, State},
};
use crate::{
    agi::{
        CommandPolicy, Exchange, Expect, Incoming, Limits, Reply, Said, Verbatim, VerbatimReader,
    },
    proto::hangup::Source,
};
use bytes::{BufMut as _, Bytes, BytesMut};
use std::{sync::Arc, time::Duration};

/// What the program said and was not passed on yet.
#[derive(Debug)]
pub(super) struct Relay {
    pub(super) lines: VerbatimReader,
    /// Set once nothing more goes to Asterisk: why.
    closing: Option<Cause>,
    /// When Asterisk must have closed too.
    pub(super) close_by: Option<Duration>,
}

impl Relay {
    pub(super) fn new(limits: Limits, policy: Arc<CommandPolicy>) -> Self {
        Self { lines: VerbatimReader::new(limits, policy), closing: None, close_by: None }
    }
}

impl Call {
    /// Whether what Asterisk says now is for the program.
    pub(super) fn is_relaying(&self) -> bool {
        let running = self.running.as_ref().map(|running| running.owner);
        match &self.state {
            State::Relayed(_) => matches!(running, None | Some(Owner::Relay)),
            // Its last command, while the bridge waits to say its own last lines.
            State::Ending(_) => running == Some(Owner::Relay),
            State::Opening
            | State::Driven { .. }
            | State::Resuming(_)
            | State::Closing { .. }
            | State::Ended(_) => false,
        }
    }

    /// Whether Asterisk was told that nothing follows, so that not even the bridge can say anything more.
    pub(super) fn is_relay_closing(&self) -> bool {
        matches!(&self.state, State::Relayed(Relay { closing: Some(_), .. }))
    }

    /// The program's next line, if Asterisk is free for it; false when there is nothing to do.
    pub(super) fn relay_turn(&mut self, now: Duration) -> bool {
        let State::Relayed(relay) = &mut self.state else { return false };
        if relay.closing.is_some() {
            relay.close_by.get_or_insert(now + CLOSE_TIMEOUT);
            return false;
        }
        match relay.lines.next_line() {
            Some(Verbatim::Command { line, name }) => {
                self.written += 1;
                self.write_line(Exchange::verbatim(line, name), Owner::Relay, now);
            }
            Some(Verbatim::Refused { reply, why, by_policy }) => {
                self.fault.get_or_insert_with(|| format!("a line was not passed on: {why}"));
                let answered = Answered {
                    command: "RAW",
                    code: if by_policy { Answered::NOT_ALLOWED } else { Answered::HARMFUL },
                    elapsed: None,
                };
                self.actions.push_back(Action::Relay { bytes: reply, answered: Some(answered) });
            }
            Some(Verbatim::Failure(line)) => {
                self.actions.push_back(Action::Write(line));
                let detail = "the program sent `failure`";
                self.relay_half_close(Cause::failure(Status::Failed, detail));
            }
            None if relay.lines.is_done() => {}
            None => return false,
        }
        self.relay_half_close_if_done();
        true
    }

    /// The program has closed its side; what it sent before still runs.
    pub(super) fn relay_program_closed(&mut self, now: Duration) {
        if let State::Relayed(relay) = &mut self.state {
            relay.lines.close();
            if self.is_relaying() {
                self.relay_half_close_if_done();
            }
            self.advance(now);
        }
    }

    /// As AGI has it: a program that has closed waits for nothing, and Asterisk stops a prompt that it began.
    fn relay_half_close_if_done(&mut self) {
        if let State::Relayed(relay) = &self.state
            && relay.lines.is_done()
        {
            self.relay_half_close(Verdict::default().cause);
        }
    }

    /// Asterisk said something, for the program.
    pub(super) fn relay_incoming(&mut self, incoming: Incoming, now: Duration) {
        match incoming {
            Incoming::Hangup => {
                // As a session ends Asterisk says it too, and then it means nothing.
                let closing = self.is_relay_closing();
                let is_news = !closing && !self.hung_up;
                self.actions.push_back(Action::RelayHangup { is_news });
                if !closing {
                    self.hangup(Source::Signal, now);
                }
            }
            Incoming::Progress(line) | Incoming::Stray(line) => self.relay(&line, None),
            Incoming::Tail { text, .. } => self.relay(&text, None),
            Incoming::Reply(reply) => {
                if let Some(running) = &self.running {
                    self.heard(running.effect, Said::from(&reply), now);
                }
                let answered = self.running.take().map(|running| Answered {
                    command: running.exchange.name(),
                    code: code(&reply),
                    elapsed: Some(now.saturating_sub(running.written_at)),
                });
                self.relay(reply.line(), answered);
            }
        }
    }

    /// Asterisk closed: what it said last is passed on, a piece of a line as the piece that it is.
    pub(super) fn relay_connection_lost(&mut self, now: Duration) {
        while let Some(incoming) = self.reader.finish(Expect::Reply) {
            match incoming {
                Incoming::Stray(fragment) => {
                    if self.service == Attached::Raw {
                        let answered = None;
                        self.actions.push_back(Action::Relay { bytes: fragment, answered });
                    }
                }
                Incoming::Hangup
                | Incoming::Progress(_)
                | Incoming::Reply(_)
                | Incoming::Tail { .. } => self.relay_incoming(incoming, now),
            }
        }
        self.running = None;
        self.relay_closed(now);
    }

    /// Both sides are closed, or Asterisk has had its time.
    pub(super) fn relay_closed(&mut self, now: Duration) {
        let State::Relayed(relay) = &mut self.state else { return };
        let cause = relay.closing.take();
        let cause = cause.unwrap_or_else(|| {
            if self.hung_up { Cause::hangup() } else { Cause::connection_lost() }
        });
        self.closed_by_asterisk(cause, now);
    }

    /// Nothing more goes to Asterisk; what it still says is passed on until it closes.
    fn relay_half_close(&mut self, cause: Cause) {
        if let State::Relayed(relay) = &mut self.state
            && relay.closing.is_none()
        {
            relay.closing = Some(cause);
            self.actions.push_back(Action::HalfClose);
        }
    }

    fn relay(&mut self, line: &Bytes, answered: Option<Answered>) {
        if self.service != Attached::Raw {
            return;
        }
        let mut bytes = BytesMut::with_capacity(line.len() + 1);
        bytes.extend_from_slice(line);
        bytes.put_u8(b'\n');
        self.actions.push_back(Action::Relay { bytes: bytes.freeze(), answered });
    }
}

fn code(reply: &Reply) -> u16 {
    match reply {
        Reply::Success { .. } => 200,
        Reply::Unknown(_) => 510,
        Reply::Dead(_) => 511,
        Reply::Usage(_) => 520,
        Reply::Other { code, .. } => *code,
    }
}
