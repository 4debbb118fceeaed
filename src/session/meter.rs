//! What is counted of one call. Knows the instruments, and nothing of how a call runs.

use crate::{
    call::{self, Answered, Note, Outcome, Status},
    proto::{CallEvent, call_event::Event, hangup::Source, resumption},
    telemetry::metrics::{
        ActiveCall, Cause, CommandLabel, CoreMetrics, Failure, OutcomeLabel, Rejection,
        RouteMetrics, Rung, Transport,
    },
    telemetry::trace::{TraceContext, TraceId},
};
use std::{sync::Arc, time::Duration};
use tonic::Code;

/// The instruments of a call that has a route.
#[derive(Debug)]
pub(super) struct Meter {
    core: Arc<CoreMetrics>,
    route: Arc<RouteMetrics>,
    active: ActiveCall,
    set_up: bool,
    transport: Transport,
    /// For exemplars: the call's, where it is sampled.
    trace: Option<TraceId>,
}

impl Meter {
    pub(super) fn new(
        core: &Arc<CoreMetrics>,
        route: Arc<RouteMetrics>,
        trace: &TraceContext,
    ) -> Self {
        let active = route.call_started();
        let trace = trace.sampled().then_some(trace.trace_id);
        let (core, transport) = (Arc::clone(core), Transport::Grpc);
        Self { core, route, active, set_up: false, transport, trace }
    }

    /// A service took the call.
    pub(super) fn opened(&mut self, transport: Transport) {
        self.transport = transport;
    }

    /// The call goes on with another service, perhaps on another route.
    pub(super) fn resumed(&mut self, cause: resumption::Cause, route: Arc<RouteMetrics>) {
        self.route.resumed(match cause {
            resumption::Cause::Handoff => Cause::Handoff,
            resumption::Cause::Unspecified | resumption::Cause::ServiceLost => {
                self.route.rung(Rung::Resume);
                Cause::ServiceLost
            }
        });
        if !Arc::ptr_eq(&self.route, &route) {
            self.active = route.call_started();
            self.route = route;
        }
    }

    /// The service said something; the first time ends the set-up.
    pub(super) fn heard(&mut self, since_accept: Duration) {
        if !std::mem::replace(&mut self.set_up, true) {
            self.route.setup(self.transport, since_accept, self.trace);
        }
    }

    pub(super) fn queued(&self, count: usize) {
        self.active.set_queued(u32::try_from(count).unwrap_or(u32::MAX));
    }

    pub(super) fn event(&self, event: &CallEvent) {
        if let Some(Event::Hangup(hangup)) = &event.event {
            self.route.hangup(hangup.source());
        }
    }

    /// A command was answered.
    pub(super) fn result(&self, command: &str, event: &CallEvent) {
        let Some(Event::Result(result)) = &event.event else { return };
        let Some(outcome) = &result.outcome else { return };
        let elapsed = result.elapsed.as_ref().and_then(|it| Duration::try_from(*it).ok());
        self.command((CommandLabel::named(command), OutcomeLabel::of(outcome)), elapsed);
    }

    /// A program that speaks AGI itself was answered.
    pub(super) fn answered(&self, answered: &Answered) {
        let outcome = OutcomeLabel::of_code(answered.code);
        self.command((CommandLabel::named(answered.command), outcome), answered.elapsed);
    }

    /// What the machine wants counted.
    pub(super) fn note(&self, note: Note) {
        match note {
            Note::DeadAir(spell) => self.route.dead_air(spell, self.trace),
            Note::Desync => self.route.desync(),
            Note::Rung(rung) => self.route.rung(match rung {
                call::Rung::Quiet => Rung::Quiet,
                call::Rung::Announce => Rung::Announce,
                call::Rung::Fail => Rung::Fail,
                call::Rung::Continue => Rung::Continue,
                call::Rung::Hangup => Rung::Hangup,
                call::Rung::Goto => Rung::Goto,
            }),
        }
    }

    /// A program that speaks AGI itself is told that the caller is gone.
    pub(super) fn hangup(&self) {
        self.route.hangup(Source::Signal);
    }

    /// A line was written, or a result told, so long after it became possible.
    pub(super) fn overhead(&self, added: Duration) {
        self.core.overhead(added, self.trace);
    }

    /// The stream broke, or was cut off.
    pub(super) fn lost(&self, code: Code) {
        self.route.stream_lost(code);
    }

    pub(super) fn ended(&self, outcome: &Outcome, duration: Duration) {
        self.route.call_ended(outcome.reason, duration, self.trace);
        if let Some(status) = outcome.status {
            self.route.failed(failure(status));
        }
        if outcome.status == Some(Status::Unavailable) {
            self.core.rejected(Rejection::Unavailable);
        }
    }

    fn command(&self, labels: (CommandLabel, OutcomeLabel), elapsed: Option<Duration>) {
        self.core.command(labels, elapsed, self.trace);
        if elapsed.is_none() {
            self.route.refused(labels.1);
        }
    }
}

fn failure(status: Status) -> Failure {
    match status {
        Status::NoRoute => Failure::NoRoute,
        Status::Unavailable => Failure::Unavailable,
        Status::Lost => Failure::Lost,
        Status::Limit => Failure::Limit,
        Status::Draining => Failure::Draining,
        Status::ProtocolError => Failure::ProtocolError,
        Status::Operator => Failure::Operator,
        Status::Failed => Failure::Failed,
    }
}
