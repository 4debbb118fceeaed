//! Where a call stands, what is at Asterisk for it, and who can be told of it. Knows no transitions.

use super::{
    Outcome,
    ending::{Ending, Verdict},
    relay::Relay,
    resume::Resuming,
};
use crate::{
    agi::{Effect, Exchange},
    proto,
};
use std::time::Duration;

/// Where a call stands: see the table in [`super`].
#[derive(Debug)]
pub(super) enum State {
    Opening,
    /// `end`: what the service asked for, once its commands have run.
    Driven {
        end: Option<Verdict>,
    },
    Resuming(Resuming),
    Relayed(Relay),
    Ending(Ending),
    Closing {
        until: Duration,
        outcome: Outcome,
    },
    Ended(Outcome),
}

/// What the call's link can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Attached {
    /// There is none, or it is over.
    Nobody,
    /// Events.
    Typed,
    /// Bytes.
    Raw,
}

/// What the call knows of a drain: by when it wants the call to end, and whether the service was told.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Drain {
    No,
    Untold(pbjson_types::Timestamp),
    Told(pbjson_types::Timestamp),
}

/// The command at Asterisk.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) exchange: Box<Exchange>,
    pub(super) owner: Owner,
    pub(super) effect: Effect,
    pub(super) written_at: Duration,
    pub(super) deadline: Option<Duration>,
    /// Provisional replies so far.
    pub(super) progress: u32,
    /// As the service sent it, for whoever resumes the call.
    pub(super) command: Option<Box<proto::Command>>,
}

/// Whose command it is, and so who gets its result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    Service {
        id: u32,
    },
    /// Its result was told already: the late reply is dropped.
    Nobody,
    Bridge,
    /// The program that speaks AGI itself: its replies are passed on as they are.
    Relay,
}

impl Running {
    pub(super) fn new(exchange: Box<Exchange>, owner: Owner, written_at: Duration) -> Self {
        let effect = exchange.effect();
        let (deadline, command) = (None, None);
        Self { exchange, owner, effect, written_at, deadline, progress: 0, command }
    }
}

/// A span, as the contract has it.
pub(super) fn duration(span: Duration) -> pbjson_types::Duration {
    pbjson_types::Duration {
        seconds: i64::try_from(span.as_secs()).unwrap_or(i64::MAX),
        nanos: span.subsec_nanos().cast_signed(),
    }
}
