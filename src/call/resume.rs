//! A call whose service is gone, and that another one shall carry on: what the next one is given, and what waits for it.

use super::{
    Action, Loss, LossKind, Status,
    ending::{Cause, Verdict},
    machine::Call,
    state::{Attached, Drain, Owner, State},
};
use crate::{
    proto::{
        CallEnded, Command, Handoff, Resumption, call_ended::Reason, call_event::Event,
        hangup::Source, resumption::Cause as ResumptionCause,
    },
    route::{Policy, Quiet},
};
use bytes::Bytes;
use std::{collections::VecDeque, time::Duration};

/// Services that hand a call to each other more often run in a circle.
const HANDOFFS_PER_MINUTE: u32 = 10;
/// Digits that are kept for the next service: the first ones, since a caller dials from the front.
const DIGITS_MAX: usize = 64;
/// The search for a service ends by itself: this is for a driver that does not say so.
const SLACK: Duration = Duration::from_secs(1);

/// A call that no service has any more.
#[derive(Debug)]
pub(super) struct Resuming {
    /// When it is given up.
    pub(super) until: Duration,
    /// Why the service before is gone, for the call's end.
    status: Status,
    detail: String,
    meanwhile: Meanwhile,
}

/// What came while nobody had the call, for whoever takes it, in its order.
#[derive(Debug, Default)]
pub(super) struct Meanwhile {
    /// Until the hangup, if it came, and after it.
    pub(super) before: VecDeque<Action>,
    pub(super) hangup: Option<Source>,
    pub(super) after: VecDeque<Action>,
}

impl Resuming {
    /// Why the call ends when nobody takes it, with what the search came to.
    pub(super) fn cause(&self, search: Option<&str>) -> Cause {
        let search = search.unwrap_or("nobody took it in time");
        Cause::failure(self.status, &format!("{}; then: {search}", self.detail))
    }

    pub(super) fn take_meanwhile(&mut self) -> Meanwhile {
        std::mem::take(&mut self.meanwhile)
    }

    pub(super) fn keep(&mut self, action: Action) {
        match self.meanwhile.hangup {
            None => self.meanwhile.before.push_back(action),
            Some(_) => self.meanwhile.after.push_back(action),
        }
    }

    /// A digit of the caller, unless too much is kept already.
    pub(super) fn keep_digit(&mut self, action: Action) {
        if self.meanwhile.before.len() + self.meanwhile.after.len() < DIGITS_MAX {
            self.keep(action);
        }
    }

    /// The caller is gone.
    pub(super) fn keep_hangup(&mut self, source: Source) {
        self.meanwhile.hangup.get_or_insert(source);
    }
}

impl Call {
    /// A service gives the call away. `policy`: that of the route that it goes to, or why there is none.
    ///
    /// The stream of the service that had it gets its end at once.
    pub fn handle_handoff(
        &mut self,
        handoff: Handoff,
        policy: Result<Policy, String>,
        now: Duration,
    ) {
        if self.service != Attached::Typed || !matches!(self.state, State::Driven { end: None }) {
            return;
        }
        let bytes = handoff.state.as_ref().map_or(0, Bytes::len);
        if !self.fits_checkpoint(bytes, now) {
            return self.advance(now);
        }
        match policy {
            Ok(policy) if self.handoffs.take(now, HANDOFFS_PER_MINUTE) => {
                self.hand_over(handoff, policy, now);
            }
            Ok(_) => {
                let detail = format!(
                    "the services hand the call to each other in a circle: more than \
                     {HANDOFFS_PER_MINUTE} times within a minute, the last time to {}",
                    handoff.route
                );
                self.fail(Cause::failure(Status::ProtocolError, &detail));
            }
            Err(why) => {
                let detail = format!("handed over to {}: {why}", handoff.route);
                self.fail(Cause::failure(Status::NoRoute, &detail));
            }
        }
        self.advance(now);
    }

    /// The service is gone: what it had not got written is dropped, a command at Asterisk goes on, and another service
    /// carries the call on if the route and its budget allow.
    pub(super) fn service_lost(&mut self, loss: &Loss, now: Duration) {
        self.service = Attached::Nobody;
        self.actions.push_back(Action::DropService);
        let resumable = match &self.state {
            // Whoever breaks the contract once does it again.
            State::Driven { end: None } => loss.kind != LossKind::Misbehaved && self.is_resumable(),
            // Nobody else could go on where a script or a FastAGI server stopped.
            State::Relayed(_) => false,
            State::Opening
            | State::Driven { end: Some(_) }
            | State::Resuming(_)
            | State::Ending(_)
            | State::Closing { .. }
            | State::Ended(_) => return,
        };
        let per_minute = self.settings.policy.resumes_per_minute;
        if resumable && self.resumptions.take(now, per_minute) {
            let within = self.settings.policy.resume_for;
            let cause = ResumptionCause::ServiceLost;
            return self.resume(cause, within, loss.kind.status(), loss.detail.clone(), now);
        }
        let mut detail = loss.detail.clone();
        if resumable {
            detail = format!("{detail}; it was resumed {per_minute} times in the last minute");
        }
        self.fail(Cause::failure(loss.kind.status(), &detail));
    }

    /// Whether what the service does is kept for another one.
    pub(super) fn is_resumable(&self) -> bool {
        !self.settings.policy.resume_for.is_zero()
    }

    fn hand_over(&mut self, handoff: Handoff, policy: Policy, now: Duration) {
        let ended = CallEnded {
            reason: Reason::Handoff.into(),
            detail: format!("handed over to {}", handoff.route),
            duration: Some(super::state::duration(now)),
            commands: self.written,
        };
        self.event(Event::Ended(ended), now);
        self.actions.push_back(Action::FinishService);
        self.service = Attached::Nobody;
        // What the caller did not hear so far was this route's.
        self.end_dead_air(now);
        self.journal.restart(handoff.state);
        self.settings.policy = policy;
        let within = self.settings.policy.retry_for;
        let detail = format!("handed over to {}", handoff.route);
        self.resume(ResumptionCause::Handoff, within, Status::Unavailable, detail, now);
    }

    fn resume(
        &mut self,
        cause: ResumptionCause,
        within: Duration,
        status: Status,
        detail: String,
        now: Duration,
    ) {
        self.attempt += 1;
        self.queue.cancel_all(match cause {
            ResumptionCause::Handoff => "the call was handed over before it was written",
            ResumptionCause::Unspecified | ResumptionCause::ServiceLost => {
                "the service was lost before it was written"
            }
        });
        if let Drain::Told(deadline) = self.drain {
            self.drain = Drain::Untold(deadline);
        }
        self.quiet_at = match self.settings.policy.quiet {
            Quiet::Ringing | Quiet::Music(_) if !self.hung_up => {
                Some(now + self.settings.policy.quiet_limit)
            }
            Quiet::Silence | Quiet::Ringing | Quiet::Music(_) => None,
        };
        let resumption = Resumption {
            cause: cause.into(),
            attempt: self.attempt,
            checkpoint: self.journal.checkpoint(),
            running: self.running_command(),
            results: self.journal.results(),
            results_truncated: self.journal.is_truncated(),
            hung_up: self.hung_up,
            last_command_id: self.last_id,
        };
        let until = now.saturating_add(within).saturating_add(SLACK);
        let meanwhile = Meanwhile::default();
        self.state = State::Resuming(Resuming { until, status, detail, meanwhile });
        self.actions.push_back(Action::Reopen { resumption: Box::new(resumption), within });
    }

    /// The service's command at Asterisk that has no result yet.
    fn running_command(&self) -> Option<Command> {
        let running = self.running.as_ref()?;
        match running.owner {
            Owner::Service { .. } => running.command.as_deref().cloned(),
            Owner::Nobody | Owner::Bridge | Owner::Relay => None,
        }
    }

    fn fail(&mut self, cause: Cause) {
        self.begin_ending(Verdict { cause, first: Vec::new(), next: None });
    }
}
