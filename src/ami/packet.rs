//! The words on Asterisk's manager port. Pure: knows what is written and read there, and nothing of sockets, tasks or time.
//!
//! | file | what it holds |
//! |---|---|
//! | `action` | what is asked of Asterisk, checked against its limits |
//! | `message` | what Asterisk says: headers in order |
//! | `reader` | bytes, as they come, cut into messages |

mod action;
mod message;
mod reader;
#[cfg(test)]
mod tests;

pub use action::{Action, ActionError, ActionId};
pub use message::{Headers, Message};
pub use reader::{Banner, Incoming, Limits, NoManager, Reader};
