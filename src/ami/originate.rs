//! What becomes of a call that Asterisk was asked to originate. Pure: no sockets, no clock, no tasks.
//!
//! A driver feeds an [`Attempt`] what Asterisk says of its channel, and asks it what to do next:
//!
//! ```text
//! Attempt::handle(Fact, now) ──▶ Attempt::poll(now) ──▶ Step::Wait(until) | Step::Query | Step::Done(Verdict)
//! ```
//!
//! An attempt is never sent a second time, so all there is to decide is which of the contract's outcomes is true. Asterisk
//! tells it in several places, which contradict each other and come in any order: `OriginateResponse` has the reason 0 for a
//! busy phone, `Hangup` the cause 0 for a busy Local channel, `DialEnd` the status NOANSWER for a rejected call. Therefore:
//!
//! - Facts only add up. Their order means nothing, nor how often each is told.
//! - **What is told decides at once, if it can mean only one thing.** What is missing decides nothing until it has been
//!   quiet for a while, and nothing at all once events may have been lost: the outcome is then UNKNOWN.
//! - Only the channel that was asked for counts, of a Local channel its `;1` leg. The other leg may have been busy, answered or
//!   hung up on the way to quite another end.

mod attempt;
mod cause;
mod fact;
#[cfg(test)]
mod tests;

pub use attempt::{Attempt, Step, Verdict};
pub use fact::{Fact, Ids, State};

pub use crate::proto::originate_response::Outcome;
