//! The machine of one call. Pure: no sockets, no clock, no tasks, no randomness of its own.
//!
//! A driver feeds it what happened, with the time since the call was accepted, and does what it asks:
//!
//! ```text
//!            handle_asterisk, handle_asterisk_closed ──▶ ┌──────┐ ──▶ Action::Write, HalfClose, Close
//! handle_opened, handle_control, handle_service_lost ──▶ │ Call │ ──▶ Action::Event, FinishService, DropService, Reopen
//!         handle_drain, handle_operator, handle_timeout ─▶ │      │ ──▶ poll_timeout
//!                          handle_pressed, handle_digit ─▶ └──────┘ ──▶ Action::Press
//! ```
//!
//! The contract: **one `handle_*`, then [`Call::poll_action`] until `None`, then wait for input or until
//! [`Call::poll_timeout`]**, when [`Call::handle_timeout`] is due.
//!
//! | state | means | leaves on |
//! |---|---|---|
//! | `Opening` | no service has the call yet | opened → `Driven` or `Relayed`; failed, hangup → `Ending` or `Closing` |
//! | `Driven` | a service drives it | its loss, a handoff → `Resuming`; `end`, a limit → `Ending`; grace over → `Closing` |
//! | `Resuming` | the service is gone, and another one is sought | opened → `Driven` or `Relayed`; nobody in time → `Ending` |
//! | `Relayed` | a program that speaks AGI itself has it, line by line | both sides closed → `Ended`; its loss, a limit → `Ending` |
//! | `Ending` | the bridge's own last lines, one at a time | all said, or too slow → `Closing` |
//! | `Closing` | we half-closed and wait for Asterisk to close | end of file, or too slow → `Ended` |
//! | `Ended` | nothing is asked any more | – |
//!
//! How long the caller heard nothing stands in `dead_air`. That the caller is gone is a flag beside the state: it can become known in any of them.

mod answer;
mod commands;
mod dead_air;
mod ending;
mod interrupt;
mod journal;
mod machine;
mod outcome;
mod queue;
mod relay;
mod resume;
mod state;
#[cfg(test)]
mod tests;
mod wire;

pub use answer::{Answer, Word};
pub use machine::Call;
pub use outcome::{Blame, Loss, LossKind, Outcome, Status};

use crate::{agi, proto, route};
use bytes::Bytes;
use std::time::Duration;

/// What the machine wants done, in this order.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Write to Asterisk, in one go: one whole line (several only as the last thing before the half-close of a forced end).
    Write(Bytes),
    /// Tell the service.
    Event(Box<proto::CallEvent>),
    /// Tell the service what came of this command, by its name at Asterisk; empty when it could not be told what it was.
    Result {
        /// As `GET DATA`.
        command: &'static str,
        /// Holds a `result`.
        event: Box<proto::CallEvent>,
    },
    /// Pass these bytes on to the program that speaks AGI itself, in one go.
    Relay {
        /// Whole lines, unless Asterisk closed in the middle of one.
        bytes: Bytes,
        /// The command that they answer, if they do.
        answered: Option<Answered>,
    },
    /// Tell the program that speaks AGI itself that the caller is gone: as a line, or as a signal.
    RelayHangup {
        /// Asterisk says it for the first time, and not because the session ends.
        is_news: bool,
    },
    /// Half-close the stream to the service, once it has everything.
    FinishService,
    /// Give the stream to the service, or the attempt to open one, up at once.
    DropService,
    /// Seek a service for the call again, with this in its `started`. Until it is opened, nobody has the call.
    Reopen {
        /// What the next service needs to carry on.
        resumption: Box<proto::Resumption>,
        /// How long it may take.
        within: Duration,
    },
    /// Have the manager of the channel's Asterisk press this key, and tell [`Call::handle_pressed`] what came of it. There is never a
    /// second one before that.
    Press(agi::Key),
    /// Count this.
    Noted(Note),
    /// Half-close the socket to Asterisk; go on reading.
    HalfClose,
    /// Close the socket. The last action of every call.
    Close,
}

/// What came of a key that the manager was asked to press.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pressed {
    /// It is on its way to the command.
    Yes,
    /// It was not, and will not be.
    No,
    /// Nobody knows: it may come yet.
    Perhaps,
}

/// What is worth counting and asks nothing of anybody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Note {
    /// The caller of an answered channel heard nothing for so long; told once, when it is over.
    DeadAir(Duration),
    /// A rung of the ladder for calls whose service fails.
    Rung(Rung),
    /// Replies can no longer be matched to commands.
    Desync,
}

/// What the bridge does by itself when no service does anything, from a route's `quiet` and `then`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rung {
    /// Music or ringing while a service is sought.
    Quiet,
    /// The announcement.
    Announce,
    /// `failure`.
    Fail,
    /// The dialplan goes on.
    Continue,
    /// The channel is hung up.
    Hangup,
    /// The dialplan goes on elsewhere.
    Goto,
}

/// How Asterisk answered a command that was passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answered {
    /// As `GET DATA`; `RAW` for a line that is no command.
    pub command: &'static str,
    /// 200, or what else Asterisk said; for a line that never reached it [`Self::HARMFUL`] or [`Self::NOT_ALLOWED`].
    pub code: u16,
    /// From the write to the reply; none for a line that was never written.
    pub elapsed: Option<Duration>,
}

impl Answered {
    /// Asterisk would not have survived it, or not understood.
    pub const HARMFUL: u16 = 0;
    /// The route's policy refuses it.
    pub const NOT_ALLOWED: u16 = 1;
}

/// Whose command is at Asterisk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AtAsterisk {
    /// There is none, or nobody waits for its reply.
    Nobody,
    /// The service's.
    Service {
        /// As the service numbers it.
        id: u32,
    },
    /// The bridge's own, as `SET VARIABLE`.
    Bridge(&'static str),
    /// One of a program that speaks AGI itself, as `GET DATA`.
    Program(&'static str),
}

/// What a call has to know of its route and of its bridge.
#[derive(Debug, Clone)]
pub struct Settings {
    /// From the route.
    pub policy: route::Policy,
    /// Of a line to Asterisk.
    pub limits: agi::Limits,
    /// Largest reply that is read, in bytes; a longer one ends the call.
    pub reply_bytes_max: usize,
    /// Whether there is a manager that could press the cancel key, so that commands get it.
    pub cancel_key: bool,
    /// Fresh unguessable numbers, for the marks around values.
    pub random: fn() -> u128,
}

/// A step of the bridge's own, as setting a variable, must be answered within this.
const STEP_TIMEOUT: Duration = Duration::from_secs(5);
/// The announcement of a failed call may last this long.
const ANNOUNCE_TIMEOUT: Duration = Duration::from_secs(300);
/// Asterisk has this long to close after we did.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);
/// The manager of Asterisk has this long to press a key; whoever asks it gives up before.
const PRESS_TIMEOUT: Duration = Duration::from_secs(3);
/// A key that a command did not take is gone from the channel after this: Asterisk makes a digit last a tenth of a second.
const KEY_TIMEOUT: Duration = Duration::from_millis(300);
/// A running command has this long to end by itself when the bridge ends the call.
const FORCE_AFTER: Duration = Duration::from_secs(5);
/// So many refused commands in a row are a flood.
const REFUSALS_MAX: usize = 1000;
