//! Drive Asterisk calls from Rust, through [agi-bridge](https://github.com/agi-bridge/agi-bridge).
//!
//! You write one async handler, which is called with a [`Call`] for each call; every AGI command is a method of it. When the
//! handler returns, the session ends and the dialplan goes on.
//!
//! ```no_run
//! use agibridge::{Call, Error, ServeError, secs, serve};
//!
//! async fn handle(call: Call) -> Result<(), Error> {
//!     call.answer().await?;
//!     let pin = call.get_data("enter-pin").timeout(secs(5)).max_digits(4).await?;
//!     call.set_variable("PIN", &pin.digits).await
//! }
//!
//! #[tokio::main]
//! async fn main() -> Result<(), ServeError> {
//!     serve("0.0.0.0:50051", handle).await
//! }
//! ```
//!
//! - [`Call`] has the call's facts, the commands, batches, the end, and prompts ([`Call::ask`], [`Call::menu`]).
//! - [`Error`] says what can become of a command; the caller's hangup is [`Error::HungUp`].
//! - [`Server`] is dialled by the bridge, [`Worker`] dials in to it; the same handler does for both.
//! - [`Manager`] starts calls, sends actions to Asterisk's manager, and hears its events.
//! - [`fake`] runs a handler in a unit test.
//!
//! # Features
//!
//! - `tls`: TLS and client certificates.
//! - `opentelemetry`: handlers join the call's trace, and commands carry it on.

pub mod commands;
pub mod fake;
pub mod proto;

mod batch;
mod call;
mod command;
mod dial;
mod digits;
mod drain;
mod error;
mod facts;
mod handler;
mod machine;
mod manager;
mod prompts;
mod results;
mod server;
mod session;
mod time;
#[cfg(feature = "tls")]
mod tls;
mod token;
mod trace;
mod worker;

pub use batch::Batch;
pub use call::{Call, End};
pub use command::{Command, Kind, Reply};
pub use digits::{NextDigit, PressedDigit};
pub use drain::Stopper;
pub use error::{Code, CommandError, Error};
pub use facts::{
    Cause, Channel, EndReason, Ended, Hangup, HangupSource, PastResult, Resumption, Running,
};
pub use handler::BoxError;
pub use manager::{
    Action, ActionResponse, Event, Headers, Heard, Manager, ManagerBuilder, ManagerCode,
    ManagerError, Originate, OriginateOutcome, Originated, ServerState, Watch,
};
pub use prompts::{Ask, Confirm, Menu, Play};
pub use results::{
    ChannelState, Digits, FromOutcome, GosubReturn, Outcome, Playback, Position, RawReply,
    Recording, RecordingEnd, Speech, SpeechEnd, SpeechMatch,
};
pub use server::{BoundServer, ServeError, Server, serve};
pub use session::HandlerEnd;
pub use time::secs;
#[cfg(feature = "tls")]
pub use tls::{ClientTls, ServerTls};
pub use worker::Worker;

/// The README's examples are tried like those of the documentation.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
