//! The call itself: what it holds, what goes in, what comes out. What it does stands in `wire`, `commands`, `relay`, `resume`
//! and `ending`.

use super::{
    Action, Answer, AtAsterisk, Loss, Note, Outcome, Rung, Settings, Status,
    dead_air::DeadAir,
    ending::{Cause, Verdict, music_off},
    interrupt::Interrupt,
    journal::{Budget, Journal},
    queue::Queue,
    relay::Relay,
    resume::Meanwhile,
    state::{Attached, Drain, Owner, Running, State, duration},
};
use crate::{
    agi::Reader,
    proto::{
        CallControl, CallEvent, Draining, Exec, Hangup, Heartbeat, SetMusic, call_event::Event,
        command::Command, hangup,
    },
    route::{Next, Quiet},
};
use std::{collections::VecDeque, sync::Arc, time::Duration};

/// One call, from the end of its prelude to the close of its socket.
#[derive(Debug)]
pub struct Call {
    pub(super) settings: Settings,
    pub(super) state: State,
    /// Who can be told anything.
    pub(super) service: Attached,
    /// What Asterisk sent and was not understood yet.
    pub(super) reader: Reader,
    /// The one command at Asterisk.
    pub(super) running: Option<Running>,
    /// A key that was pressed to stop it.
    pub(super) interrupt: Interrupt,
    /// How often, for the command that runs.
    pub(super) presses: u8,
    /// So many `#` that the manager tells of until then are ours.
    pub(super) own_hashes: u8,
    pub(super) own_hash_until: Duration,
    pub(super) queue: Queue,
    /// Lines of the bridge itself that go before the service's next command.
    pub(super) own: VecDeque<Command>,
    pub(super) actions: VecDeque<Action>,

    /// Highest command id seen.
    pub(super) last_id: u32,
    /// Whether the command before got a `CommandError`.
    pub(super) last_failed: bool,
    /// Refused commands since the last one that was taken.
    pub(super) refusals: usize,
    /// Commands of the service that were written.
    pub(super) written: u32,

    /// What the next service gets, should this one be lost.
    pub(super) journal: Journal,
    /// Resumptions so far.
    pub(super) attempt: u32,
    pub(super) resumptions: Budget,
    pub(super) handoffs: Budget,

    /// The caller is gone.
    pub(super) hung_up: bool,
    /// Replies can no longer be matched to commands: any reply ends a step.
    pub(super) lenient: bool,
    pub(super) music_on: bool,
    /// Until when the drain wants the call to end; told once, to whoever drives it.
    pub(super) drain: Drain,

    /// When the service must be done after the hangup.
    pub(super) grace_until: Option<Duration>,
    /// When the running command is no longer waited for.
    pub(super) force_at: Option<Duration>,
    /// When the last event went to the service.
    pub(super) last_event: Duration,
    pub(super) quiet_at: Option<Duration>,
    pub(super) dead_air: DeadAir,
    /// What the bridge could not do for the service, for the call's end.
    pub(super) fault: Option<String>,
    /// What was answered and not taken yet; none: nobody watches.
    pub(super) answers: Option<Vec<Answer>>,
}

impl Call {
    /// A call whose prelude was read at `now`, for which a service is being sought.
    pub fn new(settings: Settings, now: Duration) -> Self {
        let quiet_at = match settings.policy.quiet {
            Quiet::Silence => None,
            Quiet::Ringing | Quiet::Music(_) => Some(now + settings.policy.quiet_limit),
        };
        Self {
            reader: Reader::new(settings.reply_bytes_max),
            settings,
            state: State::Opening,
            service: Attached::Nobody,
            running: None,
            interrupt: Interrupt::default(),
            presses: 0,
            own_hashes: 0,
            own_hash_until: Duration::ZERO,
            queue: Queue::default(),
            own: VecDeque::new(),
            actions: VecDeque::new(),
            last_id: 0,
            last_failed: false,
            refusals: 0,
            written: 0,
            journal: Journal::default(),
            attempt: 0,
            resumptions: Budget::default(),
            handoffs: Budget::default(),
            hung_up: false,
            lenient: false,
            music_on: false,
            drain: Drain::No,
            grace_until: None,
            force_at: None,
            last_event: now,
            quiet_at,
            dead_air: DeadAir::default(),
            fault: None,
            answers: None,
        }
    }

    /// From now on each command that is answered can be taken by [`Self::take_answers`].
    pub fn keep_answers(&mut self) {
        self.answers.get_or_insert_default();
    }

    /// What was answered since the last time, in order.
    pub fn take_answers(&mut self) -> impl Iterator<Item = Answer> {
        self.answers.iter_mut().flat_map(|answers| answers.drain(..))
    }

    /// A call that gets no service: it is sent back to the dialplan with `failure`, whatever its route says.
    pub fn turned_away(settings: Settings, status: Status, detail: &str, now: Duration) -> Self {
        let mut call = Self::new(settings, now);
        call.quiet_at = None;
        let cause = Cause::failure(status, detail);
        call.begin_ending(Verdict { cause, first: Vec::new(), next: Some(Next::Fail) });
        call.advance(now);
        call
    }

    /// Bytes came from Asterisk.
    pub fn handle_asterisk(&mut self, bytes: &[u8], now: Duration) {
        if matches!(self.state, State::Closing { .. } | State::Ended(_)) {
            return; // the HANGUP that Asterisk writes as a session ends means nothing
        }
        self.reader.push(bytes);
        self.read(now);
        self.advance(now);
    }

    /// Asterisk closed the connection, or it broke.
    pub fn handle_asterisk_closed(&mut self, now: Duration) {
        match &self.state {
            State::Ended(_) => {}
            State::Closing { outcome, .. } => {
                let outcome = outcome.clone();
                self.finish(outcome);
            }
            State::Relayed(_) => self.relay_connection_lost(now),
            State::Opening | State::Driven { .. } | State::Resuming(_) | State::Ending(_) => {
                self.connection_lost(now);
            }
        }
    }

    /// A service took the call: it has the first event, `started`, already.
    pub fn handle_opened(&mut self, now: Duration) {
        let Meanwhile { before, hangup, after } = match &mut self.state {
            State::Opening => Meanwhile::default(),
            State::Resuming(resuming) => resuming.take_meanwhile(),
            State::Driven { .. }
            | State::Relayed(_)
            | State::Ending(_)
            | State::Closing { .. }
            | State::Ended(_) => return self.actions.push_back(Action::DropService),
        };
        self.state = State::Driven { end: None };
        self.service = Attached::Typed;
        self.last_event = now;
        self.opened();
        self.actions.extend(before);
        if let Some(source) = hangup {
            let grace = self.grace_until.map_or(Duration::ZERO, |until| until.saturating_sub(now));
            self.hangup_event(source, grace, now);
        }
        self.actions.extend(after);
        self.tell_drain(now);
        self.advance(now);
    }

    /// A program that speaks AGI itself took the call, and has the prelude already.
    pub fn handle_opened_raw(&mut self, now: Duration) {
        match &self.state {
            State::Opening | State::Resuming(_) => {}
            State::Driven { .. }
            | State::Relayed(_)
            | State::Ending(_)
            | State::Closing { .. }
            | State::Ended(_) => return self.actions.push_back(Action::DropService),
        }
        self.state = State::Relayed(Relay::new(
            self.settings.limits,
            Arc::clone(&self.settings.policy.commands),
        ));
        self.service = Attached::Raw;
        // AGI has no grace: a program goes on for as long as it likes.
        self.grace_until = None;
        self.opened();
        self.advance(now);
    }

    /// No service took the call within its time.
    pub fn handle_open_failed(&mut self, detail: &str, now: Duration) {
        let cause = match &self.state {
            State::Opening => Cause::failure(Status::Unavailable, detail),
            State::Resuming(resuming) => resuming.cause(Some(detail)),
            State::Driven { .. }
            | State::Relayed(_)
            | State::Ending(_)
            | State::Closing { .. }
            | State::Ended(_) => return,
        };
        self.begin_ending(Verdict { cause, first: Vec::new(), next: None });
        self.advance(now);
    }

    /// The service said something.
    pub fn handle_control(&mut self, control: CallControl, now: Duration) {
        if self.service == Attached::Typed {
            self.control(control, now);
            self.advance(now);
        }
    }

    /// The program that speaks AGI itself said something.
    pub fn handle_relay(&mut self, bytes: &[u8], now: Duration) {
        if let State::Relayed(relay) = &mut self.state {
            relay.lines.push(bytes);
            self.advance(now);
        }
    }

    /// Whether [`Self::handle_relay`] may be given more: a program that is faster than Asterisk waits.
    pub fn wants_relay(&self) -> bool {
        match &self.state {
            State::Relayed(relay) => relay.lines.has_room(),
            State::Opening
            | State::Driven { .. }
            | State::Resuming(_)
            | State::Ending(_)
            | State::Closing { .. }
            | State::Ended(_) => true, // it is not kept
        }
    }

    /// The service ended its stream with OK: it is done, and what it sent still runs.
    pub fn handle_service_done(&mut self, now: Duration) {
        match &mut self.state {
            State::Driven { end: end @ None } => *end = Some(Verdict::default()),
            // It may still read: half-closed is not gone.
            State::Relayed(_) => return self.relay_program_closed(now),
            State::Opening
            | State::Driven { end: Some(_) }
            | State::Resuming(_)
            | State::Ending(_)
            | State::Closing { .. }
            | State::Ended(_) => {}
        }
        self.service = Attached::Nobody;
        self.advance(now);
    }

    /// The service's stream is gone, or was found useless.
    pub fn handle_service_lost(&mut self, loss: &Loss, now: Duration) {
        if self.service != Attached::Nobody {
            self.service_lost(loss, now);
            self.advance(now);
        }
    }

    /// The bridge would like the call to end by `deadline`.
    pub fn handle_drain(&mut self, deadline: pbjson_types::Timestamp, now: Duration) {
        if self.drain == Drain::No {
            self.drain = Drain::Untold(deadline);
            self.tell_drain(now);
        }
    }

    /// The drain deadline has passed: the call ends now, as its route says.
    pub fn handle_drained(&mut self, now: Duration) {
        self.force(Cause::drained(), None, now);
    }

    /// The bridge stops, and the call had its time to end: it is over now, whatever it waits for.
    pub fn handle_cut_off(&mut self, now: Duration) {
        match &self.state {
            State::Ended(_) => {}
            State::Closing { outcome, .. } => {
                let outcome = outcome.clone();
                self.finish(outcome);
            }
            State::Opening
            | State::Driven { .. }
            | State::Resuming(_)
            | State::Relayed(_)
            | State::Ending(_) => self.closed_by_asterisk(Cause::cut_off(), now),
        }
    }

    /// An operator wants the channel hung up.
    pub fn handle_operator(&mut self, now: Duration) {
        self.force(Cause::operator(), Some(Next::Hangup), now);
    }

    /// `poll_timeout` has come. Does nothing when it is called early.
    pub fn handle_timeout(&mut self, now: Duration) {
        self.time_out_command(now);
        self.time_out_key(now);
        self.time_out_state(now);
        if self.service == Attached::Typed
            && now >= self.last_event + self.settings.policy.heartbeat
        {
            self.event(Event::Heartbeat(Heartbeat {}), now);
        }
        self.advance(now);
    }

    /// The next thing to do; `None`: wait.
    pub fn poll_action(&mut self) -> Option<Action> {
        let action = self.actions.pop_front();
        if self.actions.is_empty() && self.actions.capacity() > 8 {
            self.actions = VecDeque::new();
        }
        action
    }

    /// When `handle_timeout` is due; `None` only once the call has ended.
    pub fn poll_timeout(&self) -> Option<Duration> {
        let state = match &self.state {
            State::Opening | State::Driven { .. } => Some(self.settings.policy.max_call_duration),
            State::Resuming(resuming) => {
                Some(resuming.until.min(self.settings.policy.max_call_duration))
            }
            State::Relayed(relay) => {
                Some(relay.close_by.map_or(self.settings.policy.max_call_duration, |by| {
                    by.min(self.settings.policy.max_call_duration)
                }))
            }
            State::Ending(ending) => ending.step_until.or(match self.force_at {
                Some(_) => None,
                None => Some(self.settings.policy.max_call_duration),
            }),
            State::Closing { until, .. } => Some(*until),
            State::Ended(_) => return None,
        };
        let typed = self.service == Attached::Typed;
        let heartbeat = typed.then(|| self.last_event + self.settings.policy.heartbeat);
        let command = self.running.as_ref().and_then(|running| running.deadline);
        let (key, own) = (self.key_timeout(), [self.grace_until, self.quiet_at, self.force_at]);
        [state, heartbeat, command, key].into_iter().chain(own).flatten().min()
    }

    /// How the call ended, once it has.
    pub fn outcome(&self) -> Option<&Outcome> {
        match &self.state {
            State::Closing { outcome, .. } | State::Ended(outcome) => Some(outcome),
            State::Opening
            | State::Driven { .. }
            | State::Resuming(_)
            | State::Relayed(_)
            | State::Ending(_) => None,
        }
    }

    /// Whether the socket is to be closed: nothing is asked any more.
    pub fn is_ended(&self) -> bool {
        matches!(self.state, State::Ended(_))
    }

    /// Whether the caller is gone.
    pub fn is_hung_up(&self) -> bool {
        self.hung_up
    }

    /// Commands of the service that were written to Asterisk.
    pub fn commands_written(&self) -> u32 {
        self.written
    }

    /// How long the caller of the answered channel heard nothing because nobody had sent a command, all in all; and since
    /// when more of it runs, if it does.
    pub fn dead_air(&self) -> (Duration, Option<Duration>) {
        self.dead_air.total()
    }

    /// Commands of the service that wait to be written.
    pub fn queued(&self) -> usize {
        self.queue.waiting()
    }

    /// The command at Asterisk, by its name there.
    pub fn running(&self) -> Option<&'static str> {
        self.running.as_ref().map(|running| running.exchange.name())
    }

    /// Whose command is at Asterisk.
    pub fn at_asterisk(&self) -> AtAsterisk {
        let Some(running) = &self.running else { return AtAsterisk::Nobody };
        match running.owner {
            Owner::Service { id } => AtAsterisk::Service { id },
            Owner::Bridge => AtAsterisk::Bridge(running.exchange.name()),
            Owner::Relay => AtAsterisk::Program(running.exchange.name()),
            Owner::Nobody => AtAsterisk::Nobody,
        }
    }

    /// The caller is gone: told once, whatever shows it.
    pub(super) fn hangup(&mut self, source: hangup::Source, now: Duration) {
        if std::mem::replace(&mut self.hung_up, true) {
            return;
        }
        self.quiet_at = None;
        let grace = match source {
            hangup::Source::Connection => Duration::ZERO,
            hangup::Source::Unspecified
            | hangup::Source::Signal
            | hangup::Source::Reply
            | hangup::Source::Service => self.settings.policy.hangup_grace,
        };
        match &mut self.state {
            State::Opening => self.close_now(Cause::hangup(), now),
            State::Driven { .. } => {
                self.grace_until = Some(now + grace);
                self.hangup_event(source, grace, now);
            }
            State::Resuming(resuming) => {
                resuming.keep_hangup(source);
                self.grace_until = Some(now + grace);
            }
            State::Relayed(_) => {}
            State::Ending(ending) => {
                if !ending.begun && self.running.is_some() {
                    self.grace_until = Some(now + grace);
                }
                if !ending.cause.hangs_up {
                    self.hangup_event(source, Duration::ZERO, now);
                }
            }
            State::Closing { .. } | State::Ended(_) => {}
        }
    }

    fn tell_drain(&mut self, now: Duration) {
        if self.service == Attached::Typed
            && let Drain::Untold(deadline) = self.drain
        {
            self.drain = Drain::Told(deadline);
            self.event(Event::Draining(Draining { deadline: Some(deadline) }), now);
        }
    }

    fn hangup_event(&mut self, source: hangup::Source, grace: Duration, now: Duration) {
        let event = Hangup { source: source.into(), grace: Some(duration(grace)) };
        self.event(Event::Hangup(event), now);
    }

    /// Somebody has the call: nothing is played any more.
    fn opened(&mut self) {
        self.quiet_at = None;
        if std::mem::take(&mut self.music_on) {
            self.own.push_back(music_off());
        }
    }

    /// Has it counted.
    pub(super) fn note(&mut self, note: Note) {
        self.actions.push_back(Action::Noted(note));
    }

    /// What the caller hears is no longer a matter of commands that do not come.
    pub(super) fn end_dead_air(&mut self, now: Duration) {
        let spell = self.dead_air.end(now);
        self.actions.extend(spell.map(|spell| Action::Noted(Note::DeadAir(spell))));
    }

    /// Looks whether the caller hears nothing from now on.
    pub(super) fn listen(&mut self, now: Duration) {
        let expects = match &self.state {
            State::Driven { end } => end.is_none(),
            State::Resuming(_) => true,
            State::Relayed(_) => !self.is_relay_closing(),
            State::Opening | State::Ending(_) | State::Closing { .. } | State::Ended(_) => false,
        };
        if expects && !self.hung_up {
            self.dead_air.listen(self.running.is_none(), now);
        } else {
            self.end_dead_air(now);
        }
    }

    /// Tells the service, if there is one.
    pub(super) fn event(&mut self, event: Event, now: Duration) {
        if self.service == Attached::Typed {
            self.last_event = now;
            self.actions.push_back(Action::Event(Box::new(CallEvent { event: Some(event) })));
        }
    }

    fn time_out_state(&mut self, now: Duration) {
        let due = |at: Option<Duration>| at.is_some_and(|at| now >= at);
        if due(self.quiet_at) {
            self.play_quiet();
        }
        if due(self.grace_until) {
            self.close_now(Cause::hangup(), now);
        }
        if due(self.force_at) {
            self.abandon_running(now);
        }
        match &self.state {
            State::Opening | State::Driven { .. } => {
                if now >= self.settings.policy.max_call_duration {
                    self.force(Cause::too_long(), None, now);
                }
            }
            State::Resuming(_) | State::Relayed(_)
                if now >= self.settings.policy.max_call_duration =>
            {
                self.force(Cause::too_long(), None, now);
            }
            State::Resuming(resuming) if now >= resuming.until => {
                let cause = resuming.cause(None);
                self.begin_ending(Verdict { cause, first: Vec::new(), next: None });
            }
            State::Relayed(relay) if due(relay.close_by) => self.relay_closed(now),
            State::Resuming(_) | State::Relayed(_) => {}
            State::Ending(ending) if due(ending.step_until) => self.step_timed_out(now),
            State::Ending(ending) if ending.step_until.is_none() => {
                // The running command of a service that is gone.
                if self.force_at.is_none() && now >= self.settings.policy.max_call_duration {
                    self.abandon_running(now);
                }
            }
            State::Closing { until, outcome } if now >= *until => {
                let outcome = outcome.clone();
                self.finish(outcome);
            }
            State::Ending(_) | State::Closing { .. } | State::Ended(_) => {}
        }
    }

    fn play_quiet(&mut self) {
        self.quiet_at = None;
        if self.settings.policy.quiet != Quiet::Silence {
            self.note(Note::Rung(Rung::Quiet));
        }
        match self.settings.policy.quiet.clone() {
            Quiet::Silence => {}
            Quiet::Ringing => self.own.push_back(Command::Exec(Exec {
                application: "Ringing".into(),
                arguments: Vec::new(),
            })),
            Quiet::Music(music_class) => {
                self.music_on = true;
                let on = SetMusic { on: true, music_class };
                self.own.push_back(Command::SetMusic(on));
            }
        }
    }
}
