//! The words on a FastAGI socket. Pure: knows what Asterisk says and accepts, and nothing of sockets, tasks or time.
//!
//! | file | what it holds |
//! |---|---|
//! | `line` | the bounded splitter of bytes into lines |
//! | `prelude` | the `agi_*` block that opens a session |
//! | `request` | path, query and arguments of the AGI URL |
//! | `words` | quoting, and the limits of a line |
//! | `command` | a command of the contract as a line |
//! | `reply` | what Asterisk answers, read byte by byte |
//! | `outcome` | what a reply means, command by command |
//! | `verbatim` | lines of a program that speaks AGI itself |
//! | `effect` | what the caller notices of a command |
//! | `policy` | which commands, and what in them, a service may use |
//! | `exchange` | one command from its first line to its typed outcome |

mod command;
mod effect;
mod exchange;
mod line;
mod outcome;
mod policy;
mod prelude;
mod reply;
mod request;
mod verbatim;
mod words;

pub use command::{COMMANDS, Words};
pub use effect::{Effect, Said};
pub use exchange::{Exchange, Key, Step};
pub use outcome::Finished;
pub use policy::{CommandPolicy, Glob, List, NotAllowed};
pub use prelude::{Prelude, PreludeError, PreludeReader};
pub use reply::{Expect, Incoming, Mark, Overflow, Reader, Reply};
pub use request::Request;
pub use verbatim::{Verbatim, VerbatimReader};
pub use words::{InvalidArgument, Limits};
