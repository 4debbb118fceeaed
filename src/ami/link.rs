//! The hand on one link: sends an action and waits for its answer, sees the link's state. Knows no sockets.

use super::{
    event::Event,
    hub::ServerState,
    packet::{Action, ActionError, ActionId, Headers},
    pending::Answer,
    server::Server,
};
use crate::telemetry::{
    metrics::{ActionOutcome, ManagerMetrics},
    span::{ActionSpan, Parent, Span, What},
    trace::TraceContext,
    tracer::Tracer,
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    time::{Duration, SystemTime},
};
use tokio::{
    sync::{Semaphore, mpsc, oneshot, watch},
    time::{Instant, timeout},
};

/// Actions that wait for their answers at once, over all who ask. Asterisk does one after the other.
pub(super) const OUTSTANDING_MAX: usize = 256;

/// The link to one Asterisk. Cheap to clone; outlives the link itself, and says `NotConnected` then.
#[derive(Debug, Clone)]
pub struct Link(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    server: Arc<str>,
    takes_async_agi: bool,
    jobs: mpsc::Sender<Job>,
    room: Semaphore,
    state: watch::Receiver<ServerState>,
    metrics: Arc<ManagerMetrics>,
    tracer: Option<Arc<Tracer>>,
}

/// What Asterisk answered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reply {
    /// Of the response; `Response` comes first.
    pub headers: Headers,
    /// The list that followed, without the event that ends it.
    pub events: Vec<Arc<Event>>,
    /// It was too long, and something of it is missing.
    pub is_cut: bool,
}

/// Why there is no answer. What matters is whether Asterisk may have done it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// Never written.
    #[error("asterisk {server} is not connected: {detail}")]
    NotConnected {
        /// Whose link it is.
        server: Arc<str>,
        /// Why.
        detail: Arc<str>,
    },
    /// Written, and the link broke before the answer: Asterisk may have done it.
    #[error("the link to asterisk {server} broke before the answer: it may have been done")]
    Lost {
        /// Whose link it is.
        server: Arc<str>,
    },
    /// Written, and not answered in time: Asterisk may have done it, or may do it yet.
    #[error("asterisk {server} did not answer in time: it may have been done")]
    TimedOut {
        /// Whose link it is.
        server: Arc<str>,
    },
    /// Never written: Asterisk would not read it as it is meant.
    #[error(transparent)]
    Refused(#[from] ActionError),
    /// Never written: too many wait for their answers, or the deadline was over before its turn came.
    #[error("asterisk {server} is behind, and this was not sent: send fewer at once")]
    Busy {
        /// Whose link it is.
        server: Arc<str>,
    },
}

/// An action on its way to the task of the link.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) id: ActionId,
    pub(super) bytes: Vec<u8>,
    pub(super) progress: Arc<Progress>,
    pub(super) answer: oneshot::Sender<Answer>,
}

/// How far an action has come. Asker and link agree on it by one atomic step, so that nobody is told "never written" of an action
/// that is being written.
#[derive(Debug, Default)]
pub(super) struct Progress(AtomicU8);

const QUEUED: u8 = 0;
const WRITTEN: u8 = 1;
const GIVEN_UP: u8 = 2;

/// Whoever asked may go at any moment: what was not written then never is.
struct Asking(Arc<Progress>);

impl Link {
    pub(super) fn new(
        server: &Server,
        state: watch::Receiver<ServerState>,
        metrics: Arc<ManagerMetrics>,
        tracer: Option<Arc<Tracer>>,
    ) -> (Self, mpsc::Receiver<Job>) {
        let (jobs, queue) = mpsc::channel(OUTSTANDING_MAX);
        let room = Semaphore::new(OUTSTANDING_MAX);
        let takes_async_agi = server.async_agi;
        let server = Arc::clone(&server.name);
        let shared = Shared { server, takes_async_agi, jobs, room, state, metrics, tracer };
        (Self(Arc::new(shared)), queue)
    }

    /// As the configuration names the Asterisk.
    pub fn server(&self) -> &Arc<str> {
        &self.0.server
    }

    /// Whether async AGI calls of the Asterisk are the bridge's.
    pub(crate) fn takes_async_agi(&self) -> bool {
        self.0.takes_async_agi
    }

    /// How the link is now.
    pub fn state(&self) -> ServerState {
        self.0.state.borrow().clone()
    }

    /// To wait for changes.
    pub fn watch(&self) -> watch::Receiver<ServerState> {
        self.0.state.clone()
    }

    /// An id that nobody can guess, for an action whose answer must be found later, too.
    pub fn fresh_id() -> ActionId {
        ActionId::of(rand::random())
    }

    /// Sends `action`, once, and waits for its response, and for the list that may follow it, `deadline` long at most. The action's
    /// span is a child of `parent`, else it begins a trace. To drop this future takes an action back that was not written yet.
    ///
    /// # Errors
    /// When there is no answer. An answer that says `Error` is one.
    pub async fn send(
        &self,
        action: Action,
        deadline: Duration,
        parent: Option<&TraceContext>,
    ) -> Result<Reply, SendError> {
        let (start, begun) = (SystemTime::now(), Instant::now());
        let outcome = self.deliver(&action, deadline).await;
        let Some(label) = label(&outcome) else { return outcome };
        let context = parent.map_or_else(TraceContext::root, TraceContext::child);
        let is_sampled = self.record(&action, (start, &context), parent, label);
        self.0.metrics.action(label, begun.elapsed(), is_sampled.then_some(context.trace_id));
        outcome
    }

    /// As [`Self::send`], without a span: for what has one already, as an AGI command has.
    pub(crate) async fn send_spanless(
        &self,
        action: &Action,
        deadline: Duration,
    ) -> Result<Reply, SendError> {
        let begun = Instant::now();
        let outcome = self.deliver(action, deadline).await;
        if let Some(label) = label(&outcome) {
            self.0.metrics.action(label, begun.elapsed(), None);
        }
        outcome
    }

    async fn deliver(&self, action: &Action, deadline: Duration) -> Result<Reply, SendError> {
        let id = action.id().cloned().unwrap_or_else(Self::fresh_id);
        let bytes = action.encode(&id)?;
        self.ask(id, bytes, deadline).await
    }

    async fn ask(
        &self,
        id: ActionId,
        bytes: Vec<u8>,
        deadline: Duration,
    ) -> Result<Reply, SendError> {
        let server = || Arc::clone(&self.0.server);
        let Ok(_room) = self.0.room.try_acquire() else {
            return Err(SendError::Busy { server: server() });
        };
        let asking = Asking(Arc::default());
        let (answer, answered) = oneshot::channel();
        let job = Job { id, bytes, progress: Arc::clone(&asking.0), answer };
        match self.0.jobs.try_send(job) {
            Ok(()) => {}
            Err(mpsc::error::TrySendError::Full(_)) => {
                return Err(SendError::Busy { server: server() });
            }
            Err(mpsc::error::TrySendError::Closed(_)) => return Err(self.not_connected()),
        }
        match timeout(deadline, answered).await {
            Ok(Ok(answer)) => Ok(answer?),
            // Nobody will answer any more.
            Ok(Err(_)) if asking.0.give_up() => Err(self.not_connected()),
            Ok(Err(_)) => Err(SendError::Lost { server: server() }),
            Err(_) if asking.0.give_up() => Err(SendError::Busy { server: server() }),
            Err(_) => Err(SendError::TimedOut { server: server() }),
        }
    }

    fn not_connected(&self) -> SendError {
        let ServerState { server, detail, .. } = self.state();
        SendError::NotConnected { server, detail }
    }

    /// Whether it is.
    fn record(
        &self,
        action: &Action,
        (start, context): (SystemTime, &TraceContext),
        parent: Option<&TraceContext>,
        outcome: ActionOutcome,
    ) -> bool {
        let Some(tracer) = &self.0.tracer else { return false };
        let sampler = tracer.rules().sampler;
        if !sampler.samples(context.trace_id, parent.map(TraceContext::sampled)) {
            return false;
        }
        let failed = matches!(outcome, ActionOutcome::Lost | ActionOutcome::TimedOut);
        tracer.record(Span {
            trace_id: context.trace_id,
            span_id: context.span_id,
            parent: parent.map(|it| Parent { span_id: it.span_id, remote: false }),
            tracestate: context.tracestate.as_deref().map(Into::into),
            start,
            end: SystemTime::now(),
            link: None,
            error: failed.then_some(outcome.text()),
            call: None,
            route: None,
            what: What::Action(Box::new(ActionSpan {
                name: action.name().into(),
                server: Arc::clone(&self.0.server),
                outcome: outcome.text(),
            })),
        });
        true
    }
}

/// What came of an action; none: it was never written.
fn label(outcome: &Result<Reply, SendError>) -> Option<ActionOutcome> {
    match outcome {
        Ok(reply) if reply.is_success() => Some(ActionOutcome::Success),
        Ok(_) => Some(ActionOutcome::Error),
        Err(SendError::Lost { .. }) => Some(ActionOutcome::Lost),
        Err(SendError::TimedOut { .. }) => Some(ActionOutcome::TimedOut),
        Err(SendError::NotConnected { .. } | SendError::Refused(_) | SendError::Busy { .. }) => {
            None
        }
    }
}

impl Reply {
    /// Asterisk did it, or has begun to.
    pub fn is_success(&self) -> bool {
        self.headers.get("Response").is_some_and(|word| {
            ["Success", "Follows", "Goodbye"].iter().any(|good| good.eq_ignore_ascii_case(word))
        })
    }

    /// What Asterisk says to people; empty where it says nothing.
    pub fn message(&self) -> &str {
        self.headers.get("Message").unwrap_or_default()
    }

    /// The lines that a `Command` wrote.
    pub fn output(&self) -> impl Iterator<Item = &str> {
        self.headers.all("Output")
    }
}

impl Progress {
    /// The link begins to write it; false: nobody wants it any more.
    pub(super) fn write(&self) -> bool {
        self.step(WRITTEN)
    }

    /// True: it will never be written.
    fn give_up(&self) -> bool {
        self.step(GIVEN_UP)
    }

    fn step(&self, to: u8) -> bool {
        self.0.compare_exchange(QUEUED, to, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        self.0.give_up();
    }
}
