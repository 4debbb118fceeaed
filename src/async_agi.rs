//! The second front door: calls that Asterisk gives away by `AGI(agi:async,/path)`, over the manager link, where it cannot connect to the
//! bridge. Each becomes the same session as one that comes by a socket.
//!
//! ```text
//! manager link ──events──▶ Door ──per call──▶ line::run ⇄ (Wire) ⇄ pipe ⇄ the session, on one of the cores
//!              ◀─actions──────────────────────┘
//! ```
//!
//! | file | what it does |
//! |---|---|
//! | `environment` | pure: the event's environment, as a prelude |
//! | `claim` | pure: which of several bridges has a channel |
//! | `wire` | pure: bytes of a session as actions and events |
//! | `line` | one call's task |
//! | `door` | shares the events out to the calls, and begins new ones |

mod claim;
mod door;
mod environment;
mod line;
#[cfg(test)]
mod tests;
mod wire;

pub(crate) use door::{Arrival, Door};
pub(crate) use wire::LINE_BYTES_MAX;
