//! What a handler is told about its call.

use crate::{
    error::{self, CommandError, Error},
    machine::Machine,
    proto::{self, call_ended, command, hangup, resumption},
    results::{Outcome, numbered},
    time,
};
use std::{
    collections::HashMap,
    fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};
use tokio::sync::watch;

/// The channel, as Asterisk told of it when the call came. What it did not tell is empty.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Channel {
    /// As `PJSIP/3200-0000001a`.
    pub name: String,
    /// Asterisk's own id of the channel.
    pub unique_id: String,
    /// The channel driver's type, as `PJSIP` or `Local`.
    pub channel_type: String,
    /// As `en`.
    pub language: String,
    /// The caller's number.
    pub caller_id_number: String,
    /// The caller's name.
    pub caller_id_name: String,
    /// The number that was dialled.
    pub dialed_number: String,
    /// RDNIS: the number that redirected the call here.
    pub redirecting_number: String,
    /// Where in the dialplan the call is.
    pub context: String,
    /// Where in the dialplan the call is.
    pub extension: String,
    /// Where in the dialplan the call is.
    pub priority: i32,
    /// For accounting.
    pub account_code: String,
    /// As `22.5.2`.
    pub asterisk_version: String,
}

impl From<proto::Channel> for Channel {
    fn from(it: proto::Channel) -> Self {
        Self {
            name: it.name,
            unique_id: it.unique_id,
            channel_type: it.r#type,
            language: it.language,
            caller_id_number: it.caller_id_number,
            caller_id_name: it.caller_id_name,
            dialed_number: it.dialed_number,
            redirecting_number: it.redirecting_number,
            context: it.context,
            extension: it.extension,
            priority: it.priority,
            account_code: it.account_code,
            asterisk_version: it.asterisk_version,
        }
    }
}

/// The call as it stood when it came.
#[derive(Debug)]
pub(crate) struct Facts {
    pub(crate) call_id: String,
    pub(crate) route: String,
    pub(crate) path_parameters: HashMap<String, String>,
    pub(crate) query_parameters: Vec<(String, String)>,
    pub(crate) arguments: Vec<String>,
    pub(crate) channel: Channel,
    pub(crate) environment: HashMap<String, String>,
    pub(crate) accepted_at: Option<SystemTime>,
    pub(crate) max_queued_commands: u32,
    pub(crate) resumption: Option<Resumption>,
}

impl Facts {
    pub(crate) fn new(started: proto::CallStarted, machine: &Arc<Machine>) -> Self {
        Self {
            call_id: started.call_id,
            route: started.route,
            path_parameters: started.path_parameters,
            query_parameters: started
                .query_parameters
                .into_iter()
                .map(|it| (it.key, it.value))
                .collect(),
            arguments: started.arguments,
            channel: started.channel.unwrap_or_default().into(),
            environment: started.environment,
            accepted_at: started.accepted_at.and_then(time::moment),
            max_queued_commands: started.max_queued_commands,
            resumption: started.resumption.map(|it| Resumption::new(it, machine)),
        }
    }
}

numbered! {
    /// Why a call came to this handler from another one.
    Cause: resumption::Cause {
        /// The stream of the handler before was lost.
        ServiceLost
        /// A service handed the call over.
        Handoff
    }
}

/// What a handler needs to carry on with a call that another one had before.
///
/// What is in `results` is done, what is `running` is being done: do not repeat it. What is in neither, nor in the
/// checkpoint, was not done, unless `results_truncated`.
#[derive(Debug)]
#[non_exhaustive]
pub struct Resumption {
    /// Why.
    pub cause: Cause,
    /// 1 for the first resumption of this call; handoffs count too.
    pub attempt: u32,
    /// The state of the last checkpoint that arrived, or that of the handoff; unset when there was none.
    pub checkpoint: Option<Vec<u8>>,
    /// The command that is at Asterisk now, if any.
    pub running: Option<Running>,
    /// The results since that checkpoint, oldest first, as far back as the route keeps them.
    pub results: Vec<PastResult>,
    /// Older results were dropped from `results`.
    pub results_truncated: bool,
    /// The caller is gone already.
    pub hung_up: bool,
    /// The highest command id that was used before. This library goes on above it.
    pub last_command_id: u32,
}

impl Resumption {
    fn new(it: proto::Resumption, machine: &Arc<Machine>) -> Self {
        let gone = it.hung_up;
        let running = it.running.and_then(|command| {
            let result = machine.running()?;
            Some(Running {
                id: command.id,
                command: command.command,
                machine: Arc::clone(machine),
                result,
            })
        });
        Self {
            cause: Cause::from_number(it.cause),
            attempt: it.attempt,
            checkpoint: it.checkpoint,
            running,
            results: it.results.into_iter().map(|it| PastResult::new(it, gone)).collect(),
            results_truncated: it.results_truncated,
            hung_up: it.hung_up,
            last_command_id: it.last_command_id,
        }
    }
}

/// A result that came before this handler had the call.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PastResult {
    /// The command's id.
    pub id: u32,
    /// What it gave.
    pub outcome: Result<Outcome, Error>,
    /// From the write of the command to its reply; unset when it was never written.
    pub elapsed: Option<Duration>,
    /// The caller was gone by then.
    pub hung_up: bool,
}

impl PastResult {
    fn new(it: proto::CommandResult, gone: bool) -> Self {
        let gone = gone || it.hung_up;
        Self {
            id: it.id,
            elapsed: it.elapsed.map(time::duration),
            hung_up: it.hung_up,
            outcome: read("a command before", it.outcome, gone),
        }
    }
}

/// A result as the contract has it, for the command of that name.
pub(crate) fn read(
    name: &'static str,
    outcome: Option<proto::command_result::Outcome>,
    gone: bool,
) -> Result<Outcome, Error> {
    if let Some(proto::command_result::Outcome::Error(error)) = outcome {
        return Err(error::from_wire(name, error, gone));
    }
    Outcome::from_wire(outcome).ok_or_else(|| newer(name))
}

/// A result that this library cannot read.
pub(crate) fn newer(name: &'static str) -> Error {
    let detail = "the bridge answered with a result that this version of agibridge-client does not know for the command; \
                  a newer version knows it";
    CommandError::new(name, error::Code::ProtocolError, detail).into()
}

/// The command that is at Asterisk while the call changes hands.
pub struct Running {
    id: u32,
    command: Option<command::Command>,
    machine: Arc<Machine>,
    result: watch::Receiver<Option<Result<Outcome, Error>>>,
}

impl Running {
    /// The command's id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.id
    }

    /// The command's name, as `GET DATA`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.command.as_ref().map_or("a newer command", command::Command::name)
    }

    /// The command, field by field; `None` when the contract that this library was made for does not have it.
    #[must_use]
    pub fn command(&self) -> Option<&command::Command> {
        self.command.as_ref()
    }

    /// Waits for the command's result. May be asked for more than once.
    ///
    /// # Errors
    ///
    /// As for the command itself.
    pub async fn result(&self) -> Result<Outcome, Error> {
        let mut result = self.result.clone();
        let answer = match result.wait_for(Option::is_some).await {
            Ok(answer) => answer.clone(),
            Err(_) => None,
        };
        self.machine.consumed(self.id);
        answer.unwrap_or_else(|| Err(self.machine.over(self.name())))
    }
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Running")
            .field("id", &self.id)
            .field("command", &self.command)
            .finish_non_exhaustive()
    }
}

numbered! {
    /// How the bridge knows that the caller is gone.
    HangupSource: hangup::Source {
        /// Asterisk said so.
        Signal
        /// The reply to a command said so.
        Reply
        /// Asterisk closed the connection.
        Connection
        /// The handler's own `hang_up`.
        Service
    }
}

/// The caller is gone, or the channel was taken elsewhere by a redirect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Hangup {
    /// How the bridge knows.
    pub source: HangupSource,
    /// How long the handler has left from then on. Zero: no command runs any more.
    pub grace: Duration,
}

impl From<proto::Hangup> for Hangup {
    fn from(it: proto::Hangup) -> Self {
        Self {
            source: HangupSource::from_number(it.source),
            grace: it.grace.map(time::duration).unwrap_or_default(),
        }
    }
}

numbered! {
    /// Why a session was over.
    EndReason: call_ended::Reason {
        /// The handler ended it.
        Service
        /// The caller hung up.
        Hangup
        /// Another route has the call now.
        Handoff
        /// The connection from Asterisk broke with no hangup seen.
        ConnectionLost
        /// Asterisk sent what AGI does not allow.
        ProtocolError
        /// The bridge's drain deadline passed.
        Drained
        /// A limit of the bridge was reached.
        Limit
        /// An operator ended it.
        Operator
    }
}

/// The end of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ended {
    /// Why.
    pub reason: EndReason,
    /// For people, in English.
    pub detail: String,
    /// How long the session lasted.
    pub duration: Duration,
    /// How many of the handler's commands were written to Asterisk.
    pub commands: u32,
}

impl From<proto::CallEnded> for Ended {
    fn from(it: proto::CallEnded) -> Self {
        Self {
            reason: EndReason::from_number(it.reason),
            detail: it.detail,
            duration: it.duration.map(time::duration).unwrap_or_default(),
            commands: it.commands,
        }
    }
}
