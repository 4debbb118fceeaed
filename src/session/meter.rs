//! What is counted of one call. Knows the instruments, and nothing of how a call runs.

use crate::{
    call::{Outcome, Status},
    proto::{CallEvent, call_event::Event},
    telemetry::metrics::{
        ActiveCall, CommandLabel, CoreMetrics, OutcomeLabel, Rejection, RouteMetrics, Transport,
    },
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
}

impl Meter {
    pub(super) fn new(core: &Arc<CoreMetrics>, route: Arc<RouteMetrics>) -> Self {
        let active = route.call_started();
        Self { core: Arc::clone(core), route, active, set_up: false }
    }

    /// A control message came; the first one ends the set-up.
    pub(super) fn control(&mut self, since_accept: Duration) {
        if !std::mem::replace(&mut self.set_up, true) {
            self.route.setup(Transport::Grpc, since_accept);
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
        self.core.command(CommandLabel::named(command), OutcomeLabel::of(outcome), elapsed);
    }

    /// A line was written, or a result told, so long after it became possible.
    pub(super) fn overhead(&self, added: Duration) {
        self.core.overhead(added);
    }

    /// The stream broke, or was cut off.
    pub(super) fn lost(&self, code: Code) {
        self.route.stream_lost(code);
    }

    pub(super) fn ended(&self, outcome: &Outcome, duration: Duration) {
        self.route.call_ended(outcome.reason, duration);
        if outcome.status == Some(Status::Unavailable) {
            self.core.rejected(Rejection::Unavailable);
        }
    }
}
