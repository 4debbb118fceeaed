//! A fake call: runs a handler without network, for unit tests.
//!
//! It is the library's own call machine with the stream in memory, so order, hangup and errors are the real ones. Every
//! command succeeds unless scripted otherwise.
//!
//! ```
//! use agibridge::{Call, Error, fake::{FakeCall, Reply}};
//!
//! async fn greet(call: Call) -> Result<(), Error> {
//!     let pin = call.get_data("enter-pin").max_digits(4).await?;
//!     call.set_variable("PIN", pin.digits).await
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let run = FakeCall::new().reply("GET DATA", Reply::digits("1234")).run(greet).await;
//! assert_eq!(run.names(), ["GET DATA", "SET VARIABLE"]);
//! # }
//! ```

mod bridge;
mod reply;

pub use reply::Reply;

use crate::{
    call::{CLEANUP, Call},
    handler::{BoxError, Handler},
    machine::{Close, Machine},
    proto::{self, command},
    session::{self, HandlerEnd},
    time,
};
use bridge::Bridge;
use futures_util::StreamExt;
use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::{Duration, SystemTime},
};

/// When the caller hangs up.
#[derive(Debug, Clone, Copy)]
enum When {
    /// While this command runs.
    At(&'static str),
    /// After the result of so many commands; 0: at once.
    After(usize),
}

/// A call that is being made up, for one run of a handler.
#[derive(Debug, Clone)]
#[must_use = "a fake call does nothing until it is run"]
pub struct FakeCall {
    started: proto::CallStarted,
    replies: HashMap<&'static str, VecDeque<Reply>>,
    hangup: Option<When>,
    grace: Duration,
    cleanup: Duration,
    draining: Option<SystemTime>,
    pressed: String,
    pressed_at: HashMap<&'static str, String>,
    lost_after: Option<usize>,
}

impl Default for FakeCall {
    fn default() -> Self {
        Self::new()
    }
}

impl FakeCall {
    /// A call from `3200` on an answered channel, on the route `test`.
    pub fn new() -> Self {
        let channel = proto::Channel {
            name: "PJSIP/3200-00000001".to_owned(),
            unique_id: "1700000000.1".to_owned(),
            r#type: "PJSIP".to_owned(),
            language: "en".to_owned(),
            caller_id_number: "3200".to_owned(),
            context: "default".to_owned(),
            extension: "s".to_owned(),
            priority: 1,
            ..Default::default()
        };
        let started = proto::CallStarted {
            call_id: "00000000-0000-7000-8000-000000000001".to_owned(),
            route: "test".to_owned(),
            channel: Some(channel),
            max_queued_commands: 32,
            ..Default::default()
        };
        Self {
            started,
            replies: HashMap::new(),
            hangup: None,
            grace: Duration::from_secs(10),
            cleanup: CLEANUP,
            draining: None,
            pressed: String::new(),
            pressed_at: HashMap::new(),
            lost_after: None,
        }
    }

    /// A parameter of the route's path.
    pub fn path_parameter(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.started.path_parameters.insert(name.into(), value.into());
        self
    }

    /// A parameter of the query.
    pub fn query_parameter(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        let parameter = proto::QueryParameter { key: name.into(), value: value.into() };
        self.started.query_parameters.push(parameter);
        self
    }

    /// One more argument.
    pub fn argument(mut self, value: impl Into<String>) -> Self {
        self.started.arguments.push(value.into());
        self
    }

    /// Changes anything else of what the bridge says first: the channel, the environment, a resumption.
    pub fn started(mut self, change: impl FnOnce(&mut proto::CallStarted)) -> Self {
        change(&mut self.started);
        self
    }

    /// What a command of this name (`GET DATA`) gives. Several for one name are used one after the other; then it succeeds
    /// again.
    pub fn reply(mut self, name: &'static str, reply: Reply) -> Self {
        self.replies.entry(name).or_default().push_back(reply);
        self
    }

    /// The caller presses these keys as the call begins. They come by [`Call::next_digit`] and [`Call::take_digits`]; what a
    /// command gives is said by [`reply`](Self::reply).
    pub fn press(mut self, digits: &str) -> Self {
        self.pressed.push_str(digits);
        self
    }

    /// The caller presses these keys while the first command of this name runs. One that [`takes`](Reply::takes) its time can
    /// be stopped for them by [`Call::interrupt`].
    pub fn press_at(mut self, name: &'static str, digits: impl Into<String>) -> Self {
        self.pressed_at.insert(name, digits.into());
        self
    }

    /// The caller hangs up while the first command of this name runs.
    pub fn hang_up_at(mut self, name: &'static str) -> Self {
        self.hangup = Some(When::At(name));
        self
    }

    /// The caller hangs up after the result of so many commands; 0: at once.
    pub fn hang_up_after(mut self, commands: usize) -> Self {
        self.hangup = Some(When::After(commands));
        self
    }

    /// The grace after the hangup; 10 s unless set. Use tokio's paused time rather than wait.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// The bridge drains, from the beginning on.
    pub fn draining(mut self, deadline: SystemTime) -> Self {
        self.draining = Some(deadline);
        self
    }

    /// The stream breaks after the result of so many commands.
    pub fn lost_after(mut self, commands: usize) -> Self {
        self.lost_after = Some(commands);
        self
    }

    /// Runs the handler to its end.
    pub async fn run<H, F, E>(self, handler: H) -> FakeRun
    where
        H: Fn(Call) -> F + Send + Sync + 'static,
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<BoxError> + 'static,
    {
        let machine = Machine::new();
        let cleanup = self.cleanup;
        let controls = session::controls(Arc::clone(&machine));
        let mut bridge = Bridge::new(self, Box::pin(controls));
        let handler = Arc::new(Handler::new(handler));
        let end = {
            let events = futures_util::stream::unfold(&mut bridge, async |bridge| {
                bridge.next().await.map(|event| (event, bridge))
            });
            session::run(machine, handler, events, None, cleanup).await
        };
        bridge.rest().await;
        bridge.into_run(end)
    }
}

/// What a handler did with a fake call.
#[derive(Debug)]
#[non_exhaustive]
pub struct FakeRun {
    /// How the handler ended.
    pub handler: HandlerEnd,
    /// Every command that it sent, in order, whatever became of it.
    pub commands: Vec<proto::Command>,
    /// The checkpoints that it made.
    pub checkpoints: Vec<proto::Checkpoint>,
    /// The commands that it took back, by their ids, after they were sent.
    pub cancelled: Vec<u32>,
    /// How it ended the session: unset when it failed, released the call or handed it over.
    pub end: Option<proto::EndCall>,
    /// Where it handed the call to.
    pub handoff: Option<proto::Handoff>,
    /// Why it released the call.
    pub released: Option<String>,
}

impl FakeRun {
    /// The names of the commands: `["ANSWER", "GET DATA"]`.
    #[must_use]
    pub fn names(&self) -> Vec<&'static str> {
        self.sent().map(command::Command::name).collect()
    }

    /// The commands without what they have in common.
    pub fn sent(&self) -> impl Iterator<Item = &command::Command> {
        self.commands.iter().filter_map(|it| it.command.as_ref())
    }

    /// The variables that were set, by SET VARIABLE and by the end, in that order.
    #[must_use]
    pub fn variables(&self) -> HashMap<&str, &str> {
        let set = self.sent().filter_map(|it| {
            let command::Command::SetVariable(it) = it else { return None };
            Some((it.name.as_str(), it.value.as_str()))
        });
        let end =
            self.end.iter().flat_map(|it| &it.variables).map(|(k, v)| (k.as_str(), v.as_str()));
        set.chain(end).collect()
    }
}
