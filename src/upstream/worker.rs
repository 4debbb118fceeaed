//! Services that dial in: who is there, who is offered a call, and the link of a call that was taken. Knows no HTTP, and
//! nothing of who may register.
//!
//! One [`Workers`] for the process, shared by the API port and by all cores. Its lock is held for moments, when a worker
//! comes, reports or goes, and when a call is offered, taken or over: nothing on the path of a command.

mod hello;
mod link;
mod offering;
mod queue;
mod roster;
#[cfg(test)]
mod tests;

pub use hello::{GROUPS_MAX, HelloError, WORKER_ID_MAX};
pub use queue::Events;

pub(super) use link::WorkerLink;
pub(super) use offering::By;
pub(super) use roster::Asked;

use crate::{
    access::Identity,
    proto::{
        CallControl, OfferDeclined, Registered, WorkerHello, WorkerOffer, WorkerStatus,
        worker_offer,
    },
    upstream::websocket::{Format, Pings},
};
use hello::Hello;
use link::Brought;
use roster::{Answer, Key, Offer, Roster};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::{mpsc, oneshot},
};
use tonic::codec::Streaming;

/// The workers that dialled in.
#[derive(Debug, Default)]
pub struct Workers(Mutex<Roster>);

/// A worker is offered calls for as long as this lives. The calls that it has outlive it.
#[derive(Debug)]
pub struct Registration {
    workers: Arc<Workers>,
    key: Key,
    alive: oneshot::Receiver<()>,
}

/// A worker cannot be registered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RegisterError {
    /// What it says of itself is not in order.
    #[error(transparent)]
    Hello(#[from] HelloError),
    /// The name belongs to a worker with other credentials.
    #[error("a worker with this worker_id and other credentials is registered")]
    Taken,
    /// The bridge has as many as it can hold.
    #[error("the bridge has {} workers, and takes no more", roster::WORKERS_MAX)]
    TooMany,
}

/// An offer cannot be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TakeError {
    /// Never made, taken before, expired or withdrawn: which of these is nobody's business.
    #[error("this offer is void: it was taken, has expired, or was withdrawn")]
    Void,
    /// It was made to a worker with other credentials, for whom it still stands.
    #[error("this offer was made to a worker with other credentials")]
    NotYours,
}

/// An offer that somebody takes. The call waits for its stream until the offer expires; dropping this gives the call to the next worker.
#[derive(Debug)]
pub struct Take(Offer);

impl Workers {
    /// Nobody there yet.
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Registers a worker: offers go to `offers` from now on, after `registered`. The same worker again takes the place of the older registration.
    ///
    /// # Errors
    /// When the hello is not in order, another worker has the name, or there are too many.
    pub fn register(
        self: &Arc<Self>,
        hello: WorkerHello,
        identity: Identity,
        registered: Registered,
        offers: mpsc::Sender<WorkerOffer>,
    ) -> Result<Registration, RegisterError> {
        let hello = Hello::check(hello)?;
        let (tell, alive) = oneshot::channel();
        let first = WorkerOffer { offer: Some(worker_offer::Offer::Registered(registered)) };
        let mut roster = self.lock();
        let key = roster.register(hello, identity, offers.clone(), tell)?;
        // Before the lock is given back: nothing is offered earlier.
        let _ = offers.try_send(first);
        drop(roster);
        Ok(Registration { workers: Arc::clone(self), key, alive })
    }

    /// Takes the offer with this token: from now on the token is void.
    ///
    /// # Errors
    /// When the offer does not stand, or was made to somebody else.
    pub fn take(&self, token: &str, identity: &Identity) -> Result<Take, TakeError> {
        self.lock().take(token, identity).map(Take)
    }

    /// Workers that are registered for `group`.
    pub fn connected(&self, group: &str) -> usize {
        self.lock().connected(group)
    }

    /// Nothing panics while it is held; were it so, the roster is still sound.
    fn lock(&self) -> MutexGuard<'_, Roster> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Registration {
    /// The worker's newest word on itself.
    pub fn status(&self, status: &WorkerStatus) {
        self.workers.lock().status(self.key, status);
    }

    /// The worker does not take the call: the next one is asked at once.
    pub fn declined(&self, declined: &OfferDeclined) {
        let reason = hello::printable(&declined.reason);
        self.workers.lock().decline(self.key, &declined.token, reason);
    }

    /// Returns once a newer registration of the same worker took the place of this one.
    pub async fn replaced(&mut self) {
        // Nothing is ever sent: the other half is dropped.
        let _ = (&mut self.alive).await;
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.workers.lock().withdraw(self.key);
    }
}

impl Take {
    /// How many events may wait when the worker does not read.
    pub fn capacity(&self) -> usize {
        self.0.capacity
    }

    /// Gives the call its stream; what it says is in the answer.
    ///
    /// # Errors
    /// `Void` when the call does not wait any more.
    pub fn grpc(self, incoming: Streaming<CallControl>) -> Result<Events, TakeError> {
        let (sending, events) = queue::queue(self.0.capacity);
        self.hand_over(Brought::Grpc { incoming: Box::new(incoming), sending })?;
        Ok(events)
    }

    /// As [`Self::grpc`], for a WebSocket whose handshake is over.
    ///
    /// # Errors
    /// `Void` when the call does not wait any more.
    pub fn websocket(
        self,
        io: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
        format: Format,
        pings: Pings,
    ) -> Result<(), TakeError> {
        self.hand_over(Brought::Socket { io: Box::new(io), format, pings })
    }

    fn hand_over(self, brought: Brought) -> Result<(), TakeError> {
        self.0.answer.send(Answer::Taken(brought)).map_err(|_| TakeError::Void)
    }
}
