//! A command that is being put together, and the wait for its result.

use crate::{
    call::Call,
    error::Error,
    facts,
    machine::{Answer, Machine, Progress, Submission},
    proto,
    results::FromOutcome,
    time, trace,
};
use std::{
    collections::HashMap,
    fmt,
    marker::PhantomData,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::sync::oneshot;

/// One of the commands in [`commands`](crate::commands).
pub trait Kind: Sized + Send + 'static + sealed::Sealed {
    /// What comes back.
    type Output: FromOutcome;

    #[doc(hidden)]
    fn into_wire(self) -> proto::command::Command;
}

pub(crate) mod sealed {
    /// Keeps the kinds of commands to those of this library.
    #[expect(unnameable_types, reason = "that nobody can name it is what seals the trait")]
    pub trait Sealed {}
}

/// A command that is not sent yet: set its options, then `.await` it, or add it to a [`Batch`](crate::Batch).
///
/// It is sent when it is first polled, and the order of the commands is the order of that. Dropping the future takes the
/// command back, if it was not written to Asterisk yet; one that runs goes on there, and its result is dropped.
///
/// # Errors
///
/// Of every command: [`Error::HungUp`] when the caller is gone and the command needs a live channel;
/// [`Error::Command`] with the reason when it failed, [`Code::TimedOut`](crate::Code::TimedOut) and
/// [`Code::Skipped`](crate::Code::Skipped) included; [`Error::Lost`] when the stream broke; [`Error::Misuse`] on a call
/// that is not this handler's.
#[must_use = "a command does nothing unless it is awaited, or added to a batch"]
pub struct Command<K> {
    pub(crate) call: Call,
    pub(crate) kind: K,
    reply_timeout: Option<Duration>,
    requires_success: bool,
    progress: Option<Progress>,
}

impl<K: fmt::Debug> fmt::Debug for Command<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Command")
            .field("kind", &self.kind)
            .field("reply_timeout", &self.reply_timeout)
            .field("requires_success", &self.requires_success)
            .finish_non_exhaustive()
    }
}

impl<K: Kind> Command<K> {
    pub(crate) fn new(call: &Call, kind: K) -> Self {
        Self {
            call: call.clone(),
            kind,
            reply_timeout: None,
            requires_success: false,
            progress: None,
        }
    }

    /// Stops waiting so long after the command was written to Asterisk: it fails with
    /// [`Code::TimedOut`](crate::Code::TimedOut) then. AGI cannot take it back, so the next command still waits until
    /// Asterisk has answered this one. Without it there is no limit.
    pub fn reply_timeout(mut self, limit: Duration) -> Self {
        self.reply_timeout = Some(limit);
        self
    }

    /// Runs only when the command before it succeeded; otherwise it fails with
    /// [`Code::Skipped`](crate::Code::Skipped).
    pub fn requires_success(mut self, required: bool) -> Self {
        self.requires_success = required;
        self
    }

    /// Is told what Asterisk says before the result, as it does for GOSUB. It runs between the events of this call: be quick.
    pub fn on_progress(mut self, told: impl FnMut(&str) + Send + 'static) -> Self {
        self.progress = Some(Box::new(told));
        self
    }

    pub(crate) fn submission(self) -> (Submission, oneshot::Receiver<Answer>) {
        let command = self.kind.into_wire();
        let (answer, result) = oneshot::channel();
        let submission = Submission {
            name: command.name(),
            command: proto::Command {
                id: 0,
                timeout: self.reply_timeout.map(time::wire),
                requires_success: self.requires_success,
                // That of the span in which it is sent.
                trace_context: HashMap::new(),
                command: Some(command),
            },
            progress: self.progress,
            answer,
        };
        (submission, result)
    }
}

impl<K: Kind> IntoFuture for Command<K> {
    type Output = Result<K::Output, Error>;
    type IntoFuture = Reply<K::Output>;

    fn into_future(self) -> Reply<K::Output> {
        let machine = Arc::clone(&self.call.machine);
        let (submission, result) = self.submission();
        Reply {
            name: submission.name,
            machine,
            id: Id::Unsent(Some(Box::new(submission))),
            result,
            kind: PhantomData,
        }
    }
}

enum Id {
    /// Sent by the first poll.
    Unsent(Option<Box<Submission>>),
    Sent(u32),
    /// Of a batch, 0 until that is sent.
    Batch(Arc<AtomicU32>),
    /// The result was given away, or there is none.
    Over,
}

/// The wait for a command's result.
#[must_use = "a command that is awaited by nobody is taken back"]
pub struct Reply<T> {
    name: &'static str,
    machine: Arc<Machine>,
    id: Id,
    result: oneshot::Receiver<Answer>,
    kind: PhantomData<fn() -> T>,
}

impl<T> fmt::Debug for Reply<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reply").field("command", &self.name).finish_non_exhaustive()
    }
}

impl<T> Reply<T> {
    /// Of a command of a batch.
    pub(crate) fn batched(
        name: &'static str,
        machine: Arc<Machine>,
        id: Arc<AtomicU32>,
        result: oneshot::Receiver<Answer>,
    ) -> Self {
        Self { name, machine, id: Id::Batch(id), result, kind: PhantomData }
    }

    fn id(&self) -> Option<u32> {
        match &self.id {
            Id::Sent(id) => Some(*id),
            Id::Batch(id) => Some(id.load(Ordering::Relaxed)).filter(|id| *id > 0),
            Id::Unsent(_) | Id::Over => None,
        }
    }

    /// Takes the command back. If it was not written to Asterisk yet, it fails with
    /// [`Code::Cancelled`](crate::Code::Cancelled); otherwise it goes on, and its result comes as ever.
    pub fn cancel(&self) {
        if let Some(id) = self.id() {
            self.machine.cancel(id);
        }
    }
}

impl<T: FromOutcome> Future for Reply<T> {
    type Output = Result<T, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Id::Unsent(submission) = &mut self.id {
            let Some(mut submission) = submission.take() else {
                return Poll::Ready(Err(Error::misuse("a command was polled after its result")));
            };
            submission.command.trace_context = trace::context();
            match self.machine.submit(vec![*submission]) {
                Ok(ids) => self.id = ids.first().map_or(Id::Over, |id| Id::Sent(*id)),
                Err(error) => {
                    self.id = Id::Over;
                    return Poll::Ready(Err(error));
                }
            }
        }
        if matches!(self.id, Id::Over) {
            return Poll::Ready(Err(Error::misuse("a command was polled after its result")));
        }
        let answer = ready!(Pin::new(&mut self.result).poll(cx));
        if let Some(id) = self.id() {
            self.machine.consumed(id);
        }
        self.id = Id::Over;
        Poll::Ready(match answer {
            Ok(answer) => answer.and_then(|outcome| {
                T::from_outcome(outcome).ok_or_else(|| facts::newer(self.name))
            }),
            Err(_) => Err(Error::misuse(format!(
                "{}: its batch was dropped: call `send` on the batch first",
                self.name
            ))),
        })
    }
}

impl<T> Drop for Reply<T> {
    fn drop(&mut self) {
        if let Some(id) = self.id() {
            // Either may be needed: nobody looks at a result that came already.
            self.machine.cancel(id);
            self.machine.consumed(id);
        }
    }
}
