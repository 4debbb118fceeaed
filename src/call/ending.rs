//! How a call is brought to its end: the bridge's own last lines, the half-close, and what is told of it.

use super::{
    ANNOUNCE_TIMEOUT, Action, CLOSE_TIMEOUT, FORCE_AFTER, Note, Rung, STEP_TIMEOUT, Status,
    machine::Call,
    queue::error,
    state::{Attached, State, duration},
};
use crate::{
    agi::Exchange,
    proto::{
        CallEnded, EndCall, HangUp, SetContext, SetExtension, SetMusic, SetPriority, SetVariable,
        StreamFile, call_ended::Reason, call_event::Event, command::Command, command_error::Code,
        command_result::Outcome, end_call,
    },
    route::{Next, Then},
};
use bytes::{Bytes, BytesMut};
use std::{collections::VecDeque, time::Duration};

/// AGI's own word for "go on in the dialplan with AGISTATUS=FAILURE"; Asterisk does not answer it.
const FAILURE: Bytes = Bytes::from_static(b"failure\n");
/// What is left in `AGIBRIDGE_REASON`, in bytes.
const REASON_BYTES_MAX: usize = 200;
/// What is told and logged of a cause, in bytes: a service may send megabytes.
const DETAIL_BYTES_MAX: usize = 1000;

/// Why a call ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cause {
    reason: Reason,
    /// Left in `AGIBRIDGE_STATUS`.
    status: Option<Status>,
    detail: String,
    /// The hangup that follows is ours, and so no news.
    pub(super) hangs_up: bool,
}

impl Cause {
    fn new(reason: Reason, status: Option<Status>, detail: &str) -> Self {
        let detail = detail[..detail.floor_char_boundary(DETAIL_BYTES_MAX)].to_owned();
        Self { reason, status, detail, hangs_up: false }
    }

    /// No service drives the call (any more).
    pub(super) fn failure(status: Status, detail: &str) -> Self {
        let reason = match status {
            Status::Limit => Reason::Limit,
            Status::Draining => Reason::Drained,
            Status::Operator => Reason::Operator,
            Status::NoRoute
            | Status::Unavailable
            | Status::Lost
            | Status::ProtocolError
            | Status::Failed => Reason::Service,
        };
        Self::new(reason, Some(status), detail)
    }

    pub(super) fn hangup() -> Self {
        Self::new(Reason::Hangup, None, "the caller hung up")
    }

    pub(super) fn connection_lost() -> Self {
        Self::new(
            Reason::ConnectionLost,
            None,
            "Asterisk closed the connection, and no hangup was seen",
        )
    }

    pub(super) fn desync(detail: &str) -> Self {
        Self::new(
            Reason::ProtocolError,
            Some(Status::ProtocolError),
            &format!("Asterisk sent {detail}"),
        )
    }

    pub(super) fn too_long() -> Self {
        Self::failure(Status::Limit, "the call reached max_call_duration")
    }

    pub(super) fn drained() -> Self {
        Self::failure(Status::Draining, "the bridge is shutting down")
    }

    pub(super) fn cut_off() -> Self {
        Self::failure(Status::Draining, "it was cut off: the bridge is shutting down")
    }

    pub(super) fn operator() -> Self {
        let cause = Self::failure(Status::Operator, "an operator ended the call");
        Self { hangs_up: true, ..cause }
    }
}

/// What a service, or the bridge in its place, wants to become of a call.
#[derive(Debug)]
pub(super) struct Verdict {
    pub(super) cause: Cause,
    /// Done before all else.
    pub(super) first: Vec<Command>,
    /// Unset: as the route says for calls that failed.
    pub(super) next: Option<Next>,
}

impl Default for Verdict {
    /// The service is done: the dialplan goes on.
    fn default() -> Self {
        let cause = Cause::new(Reason::Service, None, "the service ended the session");
        Self { cause, first: Vec::new(), next: Some(Next::Continue) }
    }
}

impl From<EndCall> for Verdict {
    fn from(end: EndCall) -> Self {
        let mut variables: Vec<_> = end.variables.into_iter().collect();
        variables.sort_unstable();
        let mut verdict = Self {
            first: variables.into_iter().map(|(name, value)| set(&name, value)).collect(),
            ..Self::default()
        };
        match end.next {
            None | Some(end_call::Next::ContinueDialplan(_)) => {}
            Some(end_call::Next::FailDialplan(fail)) => {
                verdict.cause = Cause::failure(Status::Failed, &fail.reason);
                verdict.next = Some(Next::Fail);
            }
            Some(end_call::Next::GotoDialplan(goto)) => {
                let (context, extension) = (goto.context, goto.extension);
                verdict.next = Some(Next::Goto { context, extension, priority: goto.priority });
            }
            Some(end_call::Next::HangUp(_)) => {
                verdict.cause.hangs_up = true;
                verdict.next = Some(Next::Hangup);
            }
        }
        verdict
    }
}

/// The last lines of a call, on their way.
#[derive(Debug)]
pub(super) struct Ending {
    pub(super) cause: Cause,
    steps: VecDeque<Command>,
    /// Whether `failure` is the last line.
    failure: bool,
    /// What the route's `then` says, until it is done.
    rungs: Vec<Rung>,
    /// Whether a step was begun: from then on nothing changes the program.
    pub(super) begun: bool,
    /// When the step at Asterisk is given up.
    pub(super) step_until: Option<Duration>,
}

impl Call {
    /// From here on the bridge speaks: as `verdict` says, once the running command is over.
    pub(super) fn begin_ending(&mut self, mut verdict: Verdict) {
        if self.is_relay_closing() {
            return; // it has an end already, and waits for Asterisk's
        }
        match &self.state {
            State::Opening | State::Resuming(_) => self.actions.push_back(Action::DropService),
            State::Driven { .. } | State::Relayed(_) => {}
            State::Ending(ending) if !ending.begun => {}
            State::Ending(_) | State::Closing { .. } | State::Ended(_) => return,
        }
        self.quiet_at = None;
        // Once the caller is gone nobody else hangs up.
        verdict.cause.hangs_up &= !self.hung_up;
        let announce = match &verdict.next {
            None => self.settings.policy.then.announce.clone(),
            Some(_) => None,
        };
        let rungs = match &verdict.next {
            None => rungs(&self.settings.policy.then),
            Some(_) => Vec::new(),
        };
        let next = verdict.next.unwrap_or_else(|| self.settings.policy.then.next.clone());
        let mut steps: VecDeque<Command> = std::mem::take(&mut self.own);
        if std::mem::take(&mut self.music_on) {
            steps.push_back(music_off());
        }
        steps.extend(verdict.first);
        if let Some(status) = verdict.cause.status {
            steps.push_back(set("AGIBRIDGE_STATUS", status.as_str().to_owned()));
            steps.push_back(set("AGIBRIDGE_REASON", one_line(&verdict.cause.detail)));
        }
        steps.extend(announce.map(|file| {
            Command::StreamFile(StreamFile {
                file,
                escape_digits: String::new(),
                offset_samples: 0,
            })
        }));
        steps.extend(self.sendable(steps_of(&next)));
        let failure = next == Next::Fail;
        let ending =
            Ending { cause: verdict.cause, steps, failure, rungs, begun: false, step_until: None };
        self.state = State::Ending(ending);
    }

    /// All of `steps`, or none where one cannot be sent: half a place in the dialplan is another place.
    fn sendable(&mut self, steps: Vec<Command>) -> Vec<Command> {
        let refused = |step| Exchange::new(step, &self.settings.limits, self.settings.random).err();
        match steps.iter().find_map(refused) {
            None => steps,
            Some(invalid) => {
                self.fault = Some(invalid.detail);
                Vec::new()
            }
        }
    }

    /// Ends the call from the bridge's side; a running command has a little time to end by itself.
    pub(super) fn force(&mut self, cause: Cause, next: Option<Next>, now: Duration) {
        if self.is_relay_closing() {
            return self.relay_closed(now);
        }
        self.begin_ending(Verdict { cause, first: Vec::new(), next });
        if matches!(self.state, State::Ending(Ending { begun: false, .. }))
            && self.running.is_some()
        {
            self.force_at = Some(now + FORCE_AFTER);
        }
        self.advance(now);
    }

    /// The next of the last lines; after the last one, the half-close.
    pub(super) fn next_step(&mut self, now: Duration) {
        self.refuse_queue(now);
        let State::Ending(ending) = &mut self.state else { return };
        ending.begun = true;
        // Where the caller is gone nobody is left to be helped.
        if !self.hung_up {
            let taken = std::mem::take(&mut ending.rungs).into_iter();
            self.actions.extend(taken.map(|rung| Action::Noted(Note::Rung(rung))));
        }
        // These were for the command before: a step has a time of its own.
        (self.grace_until, self.force_at) = (None, None);
        let Some(step) = ending.steps.pop_front() else {
            let (cause, failure) = (ending.cause.clone(), ending.failure && !self.hung_up);
            return self.enter_closing(cause, failure.then_some(FAILURE), now);
        };
        let announces = matches!(step, Command::StreamFile(_));
        let limit = if announces { ANNOUNCE_TIMEOUT } else { STEP_TIMEOUT };
        ending.step_until = Some(now + limit);
        self.run_own(&step, now);
    }

    /// Asterisk does not answer a step: the rest is left for it to read when it comes to it, and the session ends.
    pub(super) fn step_timed_out(&mut self, now: Duration) {
        self.running = None;
        let State::Ending(ending) = &mut self.state else { return };
        let (steps, cause) = (std::mem::take(&mut ending.steps), ending.cause.clone());
        let failure = ending.failure && !self.hung_up;
        let mut rest = BytesMut::new();
        for step in steps.iter().filter(|step| !matches!(step, Command::StreamFile(_))) {
            if let Ok(exchange) = Exchange::new(step, &self.settings.limits, self.settings.random) {
                rest.extend_from_slice(&exchange.first_line());
            }
        }
        if failure {
            rest.extend_from_slice(&FAILURE);
        }
        self.enter_closing(cause, (!rest.is_empty()).then(|| rest.freeze()), now);
    }

    /// Ends the session without another word to the dialplan.
    pub(super) fn close_now(&mut self, cause: Cause, now: Duration) {
        if self.is_relay_closing() {
            return self.relay_closed(now);
        }
        self.give_up_opening();
        self.abandon_running(now);
        let failure = (cause.status == Some(Status::ProtocolError)).then_some(FAILURE);
        let cause = match &self.state {
            State::Ending(ending) => ending.cause.clone(),
            State::Opening
            | State::Driven { .. }
            | State::Resuming(_)
            | State::Relayed(_)
            | State::Closing { .. }
            | State::Ended(_) => cause,
        };
        self.enter_closing(cause, failure, now);
    }

    /// Asterisk has closed: there is nobody to half-close to.
    pub(super) fn closed_by_asterisk(&mut self, cause: Cause, now: Duration) {
        self.give_up_opening();
        let outcome = self.tell_ended(cause, now);
        self.finish(outcome);
    }

    fn give_up_opening(&mut self) {
        if matches!(self.state, State::Opening | State::Resuming(_)) {
            self.actions.push_back(Action::DropService);
        }
    }

    pub(super) fn finish(&mut self, outcome: super::Outcome) {
        self.state = State::Ended(outcome);
        self.actions.push_back(Action::Close);
    }

    fn enter_closing(&mut self, cause: Cause, last_words: Option<Bytes>, now: Duration) {
        let outcome = self.tell_ended(cause, now);
        self.actions.extend(last_words.map(Action::Write));
        self.actions.push_back(Action::HalfClose);
        self.state = State::Closing { until: now + CLOSE_TIMEOUT, outcome };
    }

    /// The last event of the call.
    fn tell_ended(&mut self, cause: Cause, now: Duration) -> super::Outcome {
        self.end_dead_air(now);
        self.refuse_queue(now);
        let no_hangup_seen = cause.reason == Reason::ConnectionLost;
        let caller_first = self.hung_up && !cause.hangs_up && !no_hangup_seen;
        let reason = if caller_first { Reason::Hangup } else { cause.reason };
        let mut detail = if caller_first { Cause::hangup().detail } else { cause.detail };
        if let Some(fault) = self.fault.take() {
            detail = format!("{detail}; {fault}");
        }
        let ended = CallEnded {
            reason: reason.into(),
            detail: detail.clone(),
            duration: Some(duration(now)),
            commands: self.written,
        };
        self.event(Event::Ended(ended), now);
        if self.service != Attached::Nobody {
            self.service = Attached::Nobody;
            self.actions.push_back(Action::FinishService);
        }
        (self.grace_until, self.force_at, self.quiet_at) = (None, None, None);
        let (dead_air, _) = self.dead_air.total();
        let (status, commands) = (cause.status, self.written);
        super::Outcome { reason, status, detail, commands, dead_air }
    }

    /// What was not written never will be.
    fn refuse_queue(&mut self, now: Duration) {
        while let Some(entry) = self.queue.pop() {
            let (id, name) = (entry.id, entry.name);
            let refusal =
                entry.into_refusal(error(Code::CallEnded, "the session ended before its turn"));
            self.result((id, name), None, Outcome::Error(refusal), now);
        }
    }
}

fn rungs(then: &Then) -> Vec<Rung> {
    let next = match then.next {
        Next::Fail => Rung::Fail,
        Next::Continue => Rung::Continue,
        Next::Hangup => Rung::Hangup,
        Next::Goto { .. } => Rung::Goto,
    };
    let announce = then.announce.as_ref().map(|_| Rung::Announce);
    announce.into_iter().chain([next]).collect()
}

fn steps_of(next: &Next) -> Vec<Command> {
    match next {
        Next::Fail | Next::Continue => Vec::new(),
        Next::Hangup => vec![Command::HangUp(HangUp { channel: String::new() })],
        Next::Goto { context, extension, priority } => vec![
            Command::SetContext(SetContext { context: context.clone() }),
            Command::SetExtension(SetExtension { extension: extension.clone() }),
            Command::SetPriority(SetPriority { priority: (*priority).max(1).to_string() }),
        ],
    }
}

pub(super) fn music_off() -> Command {
    Command::SetMusic(SetMusic { on: false, music_class: String::new() })
}

fn set(name: &str, value: String) -> Command {
    Command::SetVariable(SetVariable { name: name.to_owned(), value })
}

/// Text fit for a channel variable: one line, bounded.
fn one_line(text: &str) -> String {
    let mut line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    line.truncate(line.floor_char_boundary(REASON_BYTES_MAX));
    line
}
