//! The Asterisk side of a call: what it said, and what is written to it next.

use super::{
    Action, Answer, Note, Word,
    ending::{Cause, Verdict},
    machine::Call,
    queue::{Entry, Work, error},
    state::{Attached, Owner, Running, State, duration},
};
use crate::{
    agi::{Effect, Exchange, Expect, Finished, Incoming, Said, Step},
    proto::{
        CallEvent, CommandError, CommandProgress, CommandResult, call_event::Event,
        command::Command, command_error::Code, command_result::Outcome, hangup::Source,
    },
};
use std::time::Duration;

/// GOSUB gives one; a flood of them would fill the memory for a service that does not read.
const PROGRESS_MAX: u32 = 100;

impl Call {
    /// Understands as much as there is of what Asterisk sent.
    pub(super) fn read(&mut self, now: Duration) {
        while !matches!(self.state, State::Closing { .. } | State::Ended(_)) {
            let expected = match &self.running {
                Some(_) if self.lenient => Expect::Reply,
                _ if self.is_relaying() => Expect::Reply,
                running => expect(running.as_ref()),
            };
            match self.reader.next(expected) {
                Ok(None) => return,
                Ok(Some(incoming)) => self.incoming(incoming, now),
                Err(overflow) => {
                    self.note(Note::Desync);
                    return self.close_now(Cause::desync(&overflow.to_string()), now);
                }
            }
        }
    }

    /// Starts whatever may start now: at most one command is at Asterisk.
    pub(super) fn advance(&mut self, now: Duration) {
        self.start_next(now);
        self.listen(now);
    }

    fn start_next(&mut self, now: Duration) {
        while self.running.is_none() {
            if let Some(own) = self.own.pop_front() {
                self.run_own(&own, now);
                continue;
            }
            if self.is_key_about() && matches!(self.state, State::Driven { .. } | State::Relayed(_))
            {
                return; // it must not reach the next command
            }
            match &mut self.state {
                State::Opening | State::Closing { .. } | State::Ended(_) => return,
                State::Resuming(_) => match self.queue.pop() {
                    // Taken back when the service was lost: only their results are left.
                    Some(entry) => self.take_turn(entry, now),
                    None => return,
                },
                State::Relayed(_) => {
                    if !self.relay_turn(now) {
                        return;
                    }
                }
                State::Driven { end } => {
                    if let Some(entry) = self.queue.pop() {
                        self.take_turn(entry, now);
                    } else if let Some(verdict) = end.take() {
                        self.begin_ending(verdict);
                    } else {
                        return;
                    }
                }
                State::Ending(_) => self.next_step(now),
            }
        }
    }

    /// Asterisk closed while the session was ours to end.
    pub(super) fn connection_lost(&mut self, now: Duration) {
        while let Some(incoming) = self.reader.finish(expect(self.running.as_ref())) {
            // A fragment is part of a reply that never came whole.
            if !matches!(incoming, Incoming::Stray(_)) {
                self.incoming(incoming, now);
            }
        }
        let last = self.running.take().map(|mut running| {
            let finished = running.exchange.on_closed();
            (running, finished)
        });
        let shows_hangup = matches!(&last, Some((_, Some(Finished { hangup: Some(_), .. }))));
        let cause =
            if self.hung_up || shows_hangup { Cause::hangup() } else { Cause::connection_lost() };
        self.hangup(Source::Connection, now);
        if let Some((running, finished)) = last {
            let outcome = finished.map_or_else(unanswered, |finished| finished.outcome);
            self.result_of(&running, outcome, now);
        }
        self.closed_by_asterisk(cause, now);
    }

    /// Gives the running command up: what it still says is not waited for.
    pub(super) fn abandon_running(&mut self, now: Duration) {
        self.force_at = None;
        if let Some(running) = self.running.take() {
            self.result_of(&running, unanswered(), now);
            self.lenient = true;
        }
    }

    /// The command's own `timeout` is over: it is answered, and its late reply will be dropped.
    pub(super) fn time_out_command(&mut self, now: Duration) {
        let Some(running) =
            self.running.as_mut().filter(|it| it.deadline.is_some_and(|at| now >= at))
        else {
            return;
        };
        running.deadline = None;
        let (owner, written_at) = (running.owner, running.written_at);
        running.owner = Owner::Nobody;
        let name = running.exchange.name();
        if let Owner::Service { id } = owner {
            let late = error(Code::TimedOut, "not answered within its timeout");
            self.result(
                (id, name),
                Some(now.saturating_sub(written_at)),
                Outcome::Error(late),
                now,
            );
        }
    }

    /// Answers a command of the service.
    pub(super) fn result(
        &mut self,
        (id, command): (u32, &'static str),
        elapsed: Option<Duration>,
        outcome: Outcome,
        now: Duration,
    ) {
        self.last_failed = matches!(outcome, Outcome::Error(_));
        self.answered(Some(id), command, elapsed, &outcome, now);
        let is_kept = match &self.state {
            State::Resuming(_) => true,
            State::Driven { .. } => self.is_resumable(),
            State::Opening
            | State::Relayed(_)
            | State::Ending(_)
            | State::Closing { .. }
            | State::Ended(_) => false,
        };
        if self.service != Attached::Typed && !is_kept {
            return;
        }
        let result = CommandResult {
            id,
            elapsed: elapsed.map(duration),
            hung_up: self.hung_up,
            outcome: Some(outcome),
        };
        if is_kept {
            self.journal.note(&result, self.settings.policy.journal_results);
        }
        let event = Box::new(CallEvent { event: Some(Event::Result(result)) });
        let action = Action::Result { command, event };
        match &mut self.state {
            State::Resuming(resuming) => resuming.keep(action),
            State::Opening
            | State::Driven { .. }
            | State::Relayed(_)
            | State::Ending(_)
            | State::Closing { .. }
            | State::Ended(_) => {
                if self.service == Attached::Typed {
                    self.last_event = now;
                    self.actions.push_back(action);
                }
            }
        }
    }

    /// Writes a step of the bridge's own.
    pub(super) fn run_own(&mut self, own: &Command, now: Duration) {
        match Exchange::new(own, &self.settings.limits, self.settings.random) {
            Ok(exchange) if self.hung_up && !exchange.dead_safe() => {}
            Ok(exchange) => self.write_line(exchange, Owner::Bridge, now),
            Err(invalid) => self.fault = Some(invalid.detail),
        }
    }

    fn incoming(&mut self, incoming: Incoming, now: Duration) {
        if self.is_relaying() {
            return self.relay_incoming(incoming, now);
        }
        match incoming {
            Incoming::Hangup => self.hangup(Source::Signal, now),
            Incoming::Stray(_) if self.lenient => {}
            Incoming::Stray(line) => {
                self.desync(&format!("a line of {} bytes that is no reply", line.len()), now)
            }
            Incoming::Progress(_) | Incoming::Reply(_) | Incoming::Tail { .. } if self.lenient => {
                self.running = None;
            }
            Incoming::Tail { hangup, .. } if hangup => {
                self.reply(incoming, now);
                self.hangup(Source::Signal, now);
            }
            Incoming::Progress(_) | Incoming::Reply(_) | Incoming::Tail { .. } => {
                self.reply(incoming, now)
            }
        }
    }

    fn reply(&mut self, incoming: Incoming, now: Duration) {
        let Some(mut running) = self.running.take() else {
            return self.desync("a reply to no command", now);
        };
        if !matches!(incoming, Incoming::Hangup | Incoming::Progress(_)) {
            self.answers_key(&incoming, now);
        }
        match running.exchange.on_incoming(incoming, self.hung_up) {
            Step::Wait => self.running = Some(running),
            Step::Progress(_) if running.progress >= PROGRESS_MAX => {
                self.running = Some(running);
                self.desync("provisional replies without end", now);
            }
            Step::Progress(text) => {
                running.progress += 1;
                if let Owner::Service { id } = running.owner {
                    self.event(Event::Progress(CommandProgress { id, text }), now);
                }
                self.running = Some(running);
            }
            Step::Write(line) => {
                self.actions.push_back(Action::Write(line));
                self.running = Some(running);
            }
            Step::Done(Finished { outcome, hangup }) => {
                self.heard(running.effect, Said::from(&outcome), now);
                if let Some(source) = hangup {
                    self.hangup(source, now);
                }
                self.result_of(&running, outcome, now);
            }
            Step::Desync(detail) => {
                self.running = Some(running);
                self.desync(&detail, now);
            }
        }
    }

    /// Replies can no longer be matched to commands: the call ends, and nothing is guessed.
    fn desync(&mut self, detail: &str, now: Duration) {
        self.note(Note::Desync);
        if let Some(running) = self.running.take() {
            let lost = CommandError { code: Code::ProtocolError.into(), detail: detail.to_owned() };
            self.result_of(&running, Outcome::Error(lost), now);
        }
        self.lenient = true;
        if matches!(
            self.state,
            State::Opening | State::Driven { .. } | State::Resuming(_) | State::Relayed(_)
        ) {
            self.begin_ending(Verdict {
                cause: Cause::desync(detail),
                first: Vec::new(),
                next: None,
            });
        }
    }

    fn result_of(&mut self, running: &Running, outcome: Outcome, now: Duration) {
        let elapsed = Some(now.saturating_sub(running.written_at));
        match running.owner {
            Owner::Service { id } => {
                self.result((id, running.exchange.name()), elapsed, outcome, now);
            }
            Owner::Bridge => self.answered(None, running.exchange.name(), elapsed, &outcome, now),
            Owner::Nobody | Owner::Relay => {}
        }
    }

    fn answered(
        &mut self,
        id: Option<u32>,
        command: &'static str,
        elapsed: Option<Duration>,
        outcome: &Outcome,
        at: Duration,
    ) {
        if let Some(answers) = &mut self.answers {
            answers.push(Answer { id, command, elapsed, at, outcome: Word::of(outcome) });
        }
    }

    /// The turn of a service's command has come.
    fn take_turn(&mut self, entry: Entry, now: Duration) {
        let refusal = match &entry.work {
            _ if entry.requires_success && self.last_failed => {
                Some(error(Code::Skipped, "the command before it did not succeed"))
            }
            Work::Run { exchange, .. } if self.hung_up && !exchange.dead_safe() => {
                Some(error(Code::HungUp, "the caller is gone"))
            }
            Work::Run { .. } | Work::Refuse(_) => None,
        };
        match (refusal, entry.work) {
            (Some(refusal), _) | (None, Work::Refuse(refusal)) => {
                self.result((entry.id, entry.name), None, Outcome::Error(refusal), now);
            }
            (None, Work::Run { exchange, timeout, command }) => {
                self.written += 1;
                let deadline = timeout.map(|timeout| now.saturating_add(timeout));
                let owner = Owner::Service { id: entry.id };
                let command = Some(command);
                self.write(Running { deadline, command, ..Running::new(exchange, owner, now) });
            }
        }
    }

    /// What a reply shows of what the caller hears.
    pub(super) fn heard(&mut self, effect: Effect, said: Said, now: Duration) {
        let spell = self.dead_air.replied(effect, said, now);
        self.actions.extend(spell.map(|spell| Action::Noted(Note::DeadAir(spell))));
    }

    /// Writes a line that no service waits for.
    pub(super) fn write_line(&mut self, exchange: Exchange, owner: Owner, now: Duration) {
        self.write(Running::new(Box::new(exchange), owner, now));
    }

    fn write(&mut self, running: Running) {
        let spell = self.dead_air.written(running.effect, running.written_at);
        self.actions.extend(spell.map(|spell| Action::Noted(Note::DeadAir(spell))));
        self.actions.push_back(Action::Write(running.exchange.first_line()));
        self.running = Some(running);
        self.presses = 0;
    }
}

/// What the command at Asterisk, if there is one, waits for.
fn expect(running: Option<&Running>) -> Expect<'_> {
    running.map_or(Expect::Nothing, |running| running.exchange.expect())
}

fn unanswered() -> Outcome {
    Outcome::Error(error(Code::CallEnded, "the session ended before the reply came"))
}
