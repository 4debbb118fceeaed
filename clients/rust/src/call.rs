//! What a handler has in its hands.

use crate::{
    batch::Batch,
    error::{Code, CommandError, Error},
    facts::{Channel, EndReason, Ended, Facts, Hangup, Resumption},
    machine::{Machine, Signals},
    proto::{self, end_call::Next},
};
use std::{
    collections::HashMap,
    pin::Pin,
    sync::Arc,
    time::{Duration, SystemTime},
};

/// One call. Every AGI command is a method of it; cheap to clone, and of use until its handler has returned.
#[derive(Debug, Clone)]
pub struct Call {
    pub(crate) machine: Arc<Machine>,
    facts: Arc<Facts>,
}

/// What is known of the call.
impl Call {
    pub(crate) fn new(machine: Arc<Machine>, started: proto::CallStarted) -> Self {
        let facts = Arc::new(Facts::new(started, &machine));
        Self { machine, facts }
    }

    /// Names this call in every log, span and event of the bridge.
    #[must_use]
    pub fn call_id(&self) -> &str {
        &self.facts.call_id
    }

    /// The name of the route that led here.
    #[must_use]
    pub fn route(&self) -> &str {
        &self.facts.route
    }

    /// The channel, as it was when the call came.
    #[must_use]
    pub fn channel(&self) -> &Channel {
        &self.facts.channel
    }

    /// A parameter of the route's path: `/ivr/{tenant}` gives `tenant`.
    #[must_use]
    pub fn path_parameter(&self, name: &str) -> Option<&str> {
        self.facts.path_parameters.get(name).map(String::as_str)
    }

    /// All parameters of the route's path.
    #[must_use]
    pub fn path_parameters(&self) -> &HashMap<String, String> {
        &self.facts.path_parameters
    }

    /// A parameter of the AGI URL's query; the first one, if there are more of that name.
    #[must_use]
    pub fn query_parameter(&self, name: &str) -> Option<&str> {
        self.query_parameters().find(|(key, _)| *key == name).map(|(_, value)| value)
    }

    /// All parameters of the AGI URL's query, in order.
    pub fn query_parameters(&self) -> impl Iterator<Item = (&str, &str)> {
        self.facts.query_parameters.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// `agi_arg_1` and so on.
    #[must_use]
    pub fn arguments(&self) -> &[String] {
        &self.facts.arguments
    }

    /// Every `agi_` line that Asterisk sent, the prefix kept.
    #[must_use]
    pub fn environment(&self) -> &HashMap<String, String> {
        &self.facts.environment
    }

    /// When the bridge accepted the connection from Asterisk.
    #[must_use]
    pub fn accepted_at(&self) -> Option<SystemTime> {
        self.facts.accepted_at
    }

    /// How many commands the bridge takes at once. This library waits for room by itself.
    #[must_use]
    pub fn max_queued_commands(&self) -> u32 {
        self.facts.max_queued_commands
    }

    /// What another handler left, when this call was lost by it or handed over.
    #[must_use]
    pub fn resumption(&self) -> Option<&Resumption> {
        self.facts.resumption.as_ref()
    }
}

/// What happens to the call meanwhile.
impl Call {
    /// The caller is gone.
    #[must_use]
    pub fn hung_up(&self) -> bool {
        self.machine.gone()
    }

    /// Waits for the caller's hangup. `None` when the session ended without one that was told, and when the caller was gone
    /// before this handler had the call.
    pub async fn wait_hangup(&self) -> Option<Hangup> {
        self.signals(|it| it.hangup.is_some() || it.gone_before).await.hangup
    }

    /// Until when the bridge would like the call to end, if it is shutting down.
    #[must_use]
    pub fn draining(&self) -> Option<SystemTime> {
        self.machine.signals().borrow().draining
    }

    /// Waits for that. `None` when the session ended before.
    pub async fn wait_draining(&self) -> Option<SystemTime> {
        self.signals(|it| it.draining.is_some()).await.draining
    }

    /// Waits for the end of the session. `None` when the stream was lost or closed without it.
    pub async fn wait_ended(&self) -> Option<Ended> {
        self.signals(|_| false).await.ended
    }

    /// Waits until it is so, or until nothing comes any more.
    async fn signals(&self, until: impl Fn(&Signals) -> bool) -> Signals {
        let mut signals = self.machine.signals();
        let waited = signals.wait_for(|it| until(it) || it.over()).await;
        waited.map(|it| it.clone()).unwrap_or_default()
    }
}

/// Commands in one go, and the end.
impl Call {
    /// A batch in which each command but the first runs only when the one before it succeeded.
    pub fn batch(&self) -> Batch {
        Batch::new(self, false)
    }

    /// A batch whose commands run whatever becomes of the others, but for those that ask for
    /// [`requires_success`](crate::Command::requires_success).
    pub fn independent_batch(&self) -> Batch {
        Batch::new(self, true)
    }

    /// Ends the session, once the commands before it have run: set what follows, then await it.
    ///
    /// ```no_run
    /// # async fn f(call: agibridge::Call) -> Result<(), agibridge::Error> {
    /// call.end().variable("SCORE", "1/2").hang_up().await?;
    /// # Ok(()) }
    /// ```
    pub fn end(&self) -> End {
        End { call: self.clone(), end: proto::EndCall::default() }
    }

    /// Gives the call to another route, with the channel as it is, and ahead of commands that wait. `route` is a route's
    /// name, or a path as of a new call, `/sales/eu?lang=de`. `state` becomes the next handler's checkpoint; at most 64 KiB
    /// unless the bridge is set otherwise. Returns when the call is there.
    ///
    /// # Errors
    ///
    /// [`Error::Command`] with `CALL_ENDED` when there is no such route, and otherwise as for a command. Any use of the
    /// call afterwards is [`Error::Misuse`].
    pub async fn handoff(
        &self,
        route: impl Into<String>,
        state: Option<Vec<u8>>,
    ) -> Result<(), Error> {
        self.machine.handoff(proto::Handoff { route: route.into(), state })?;
        let signals = self.signals(|_| false).await;
        match signals.ended {
            Some(ended) if ended.reason == EndReason::Handoff => Ok(()),
            Some(ended) if !signals.gone => {
                Err(CommandError::new("handoff", Code::CallEnded, ended.detail).into())
            }
            Some(_) | None => Err(self.machine.over("handoff")),
        }
    }

    /// Lets the call go: the stream ends with UNAVAILABLE, and another instance takes it up, with the checkpoint. Return
    /// from the handler afterwards.
    ///
    /// # Errors
    ///
    /// [`Error::Misuse`] after the handler returned, and what a command would have after the call's end.
    pub fn release(&self, reason: &str) -> Result<(), Error> {
        self.machine.release_own(reason)
    }

    /// Keeps these bytes for whoever resumes the call; at most 64 KiB unless the bridge is set otherwise: more costs the
    /// call. It takes the place of the one before, and accounts for every result that this handler has received. Make it
    /// before the commands that follow from it. It waits for nothing.
    ///
    /// # Errors
    ///
    /// As for a command.
    pub fn checkpoint(&self, state: impl Into<Vec<u8>>) -> Result<(), Error> {
        self.machine.checkpoint(state.into())
    }
}

/// The end of a session that is being put together; see [`Call::end`].
///
/// Awaiting it sends it, and gives how the session ended.
///
/// # Errors
///
/// [`Error::Lost`] when the stream broke before the session's end, [`Error::Misuse`] for a second end.
#[derive(Debug)]
#[must_use = "the end is sent when it is awaited"]
pub struct End {
    call: Call,
    end: proto::EndCall,
}

impl End {
    /// Sets a variable first; may be used more than once, in no promised order.
    pub fn variable(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.end.variables.insert(name.into(), value.into());
        self
    }

    /// The dialplan goes on after `AGI()`, with AGISTATUS=FAILURE and the reason in AGIBRIDGE_REASON.
    pub fn fail(self, reason: impl Into<String>) -> Self {
        self.next(Next::FailDialplan(proto::FailDialplan { reason: reason.into() }))
    }

    /// The dialplan goes on elsewhere.
    pub fn goto(
        self,
        context: impl Into<String>,
        extension: impl Into<String>,
        priority: i32,
    ) -> Self {
        let (context, extension) = (context.into(), extension.into());
        self.next(Next::GotoDialplan(proto::GotoDialplan { context, extension, priority }))
    }

    /// The channel is hung up.
    pub fn hang_up(self) -> Self {
        self.next(Next::HangUp(proto::HangupChannel {}))
    }

    fn next(mut self, next: Next) -> Self {
        self.end.next = Some(next);
        self
    }
}

impl IntoFuture for End {
    type Output = Result<Ended, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            self.call.machine.end(self.end)?;
            self.call.wait_ended().await.ok_or_else(|| self.call.machine.over("end"))
        })
    }
}

/// How long a handler has after the end of its session, unless set.
pub(crate) const CLEANUP: Duration = Duration::from_secs(10);
