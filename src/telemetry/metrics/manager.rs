//! The instruments of the link to one Asterisk's manager.

use super::{
    COMMAND_BOUNDS,
    instrument::{Counter, Gauge, Histogram},
    label::ActionOutcome,
};
use crate::telemetry::trace::TraceId;
use std::time::Duration;

/// The instruments of one link.
#[derive(Debug)]
pub struct ManagerMetrics {
    pub(super) connected: Gauge,
    pub(super) events: Counter,
    pub(super) dropped: Counter,
    pub(super) stray: Counter,
    pub(super) actions: [Histogram; ActionOutcome::COUNT],
}

impl ManagerMetrics {
    pub(super) fn new() -> Self {
        Self {
            connected: Gauge::default(),
            events: Counter::default(),
            dropped: Counter::default(),
            stray: Counter::default(),
            actions: std::array::from_fn(|_| Histogram::new(COMMAND_BOUNDS)),
        }
    }

    /// The link is up, or down again.
    pub fn set_connected(&self, is_up: bool) {
        self.connected.add(i64::from(is_up) - self.connected.value());
    }

    /// An event came.
    pub fn event(&self) {
        self.events.add(1);
    }

    /// So many subscribers had no room for an event.
    pub fn events_dropped(&self, subscribers: usize) {
        if subscribers > 0 {
            self.dropped.add(subscribers as u64);
        }
    }

    /// A message that was neither an event nor an answer that somebody waits for.
    pub fn stray(&self) {
        self.stray.add(1);
    }

    /// An action that was written was answered, or was not. `trace`: that of its span, where that is sampled.
    pub fn action(&self, outcome: ActionOutcome, elapsed: Duration, trace: Option<TraceId>) {
        self.actions[outcome.index()].observe(elapsed, trace);
    }
}
