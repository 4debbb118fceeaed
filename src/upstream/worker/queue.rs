//! The events of one call on their way from its core to the thread that writes them to the worker: bounded, and cut off at
//! once when the call breaks off. Knows no worker and no HTTP.

use crate::{proto::CallEvent, upstream::error::SendError};
use prost::Message as _;
use std::{
    collections::VecDeque,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};
use tokio_stream::Stream;
use tonic::Status;

/// As everywhere in the contract.
pub(super) const MESSAGE_MAX: usize = 4 * 1024 * 1024;

/// A queue for `capacity` events.
pub(super) fn queue(capacity: usize) -> (Sending, Events) {
    let queue = Arc::new(Queue { capacity, state: Mutex::default() });
    (Sending(Arc::clone(&queue)), Events(queue))
}

/// The call's end. Dropping it aborts the stream, unless it was finished.
#[derive(Debug)]
pub(super) struct Sending(Arc<Queue>);

/// The events of a call, as the response stream of `TakeCall`.
#[derive(Debug)]
pub struct Events(Arc<Queue>);

#[derive(Debug)]
struct Queue {
    capacity: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    events: VecDeque<CallEvent>,
    /// Nothing follows the events that wait; an error stands for the way the stream ends.
    end: Option<Result<(), Status>>,
    /// Nobody reads any more.
    deserted: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl Sending {
    pub(super) fn try_send(&self, event: &CallEvent) -> Result<(), SendError> {
        if event.encoded_len() > MESSAGE_MAX {
            return Err(SendError::TooLarge);
        }
        let mut state = self.0.lock();
        if state.end.is_some() || state.deserted {
            return Err(SendError::Closed);
        }
        if state.events.len() >= self.0.capacity {
            return Err(SendError::Full);
        }
        state.events.push_back(event.clone());
        wake(state.reader.take(), state);
        Ok(())
    }

    pub(super) fn waiting(&self) -> usize {
        self.0.lock().events.len()
    }

    /// Ready when another event has room. Whoever asks while events wait is woken as they go.
    pub(super) fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        let mut state = self.0.lock();
        if state.end.is_some() || state.deserted {
            return Poll::Ready(Err(SendError::Closed));
        }
        if !state.events.is_empty() {
            state.writer = Some(cx.waker().clone());
        }
        if state.events.len() < self.0.capacity { Poll::Ready(Ok(())) } else { Poll::Pending }
    }

    /// Ready when nobody reads any more, though the stream has not ended.
    pub(super) fn poll_deserted(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.0.lock();
        if state.deserted && state.end.is_none() {
            return Poll::Ready(());
        }
        state.writer = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Whether the stream is to end, or has.
    pub(super) fn is_finished(&self) -> bool {
        self.0.lock().end.is_some()
    }

    /// The stream ends well after what waits.
    pub(super) fn finish(&self) {
        self.end(Ok(()));
    }

    /// The stream ends with `status` at once.
    pub(super) fn abort(&self, status: Status) {
        self.end(Err(status));
    }

    fn end(&self, how: Result<(), Status>) {
        let mut state = self.0.lock();
        if state.end.is_none() {
            if how.is_err() {
                state.events.clear();
            }
            state.end = Some(how);
            wake(state.reader.take(), state);
        }
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        self.abort(Status::aborted("the bridge broke the call off"));
    }
}

impl Stream for Events {
    type Item = Result<CallEvent, Status>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut state = self.0.lock();
        if let Some(event) = state.events.pop_front() {
            wake(state.writer.take(), state);
            return Poll::Ready(Some(Ok(event)));
        }
        match &mut state.end {
            None => {
                state.reader = Some(cx.waker().clone());
                Poll::Pending
            }
            Some(end) => Poll::Ready(std::mem::replace(end, Ok(())).err().map(Err)),
        }
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.deserted = true;
        state.events.clear();
        wake(state.writer.take(), state);
    }
}

impl Queue {
    /// Nothing panics while it is held; were it so, the queue is still sound.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Wakes after the lock is given back, so that the other thread does not wait for it.
fn wake(waker: Option<Waker>, state: MutexGuard<'_, State>) {
    drop(state);
    if let Some(waker) = waker {
        waker.wake();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::{Heartbeat, call_event::Event};
    use futures_util::{FutureExt as _, StreamExt as _};
    use std::future::poll_fn;
    use tonic::Code;

    fn heartbeat() -> CallEvent {
        CallEvent { event: Some(Event::Heartbeat(Heartbeat {})) }
    }

    #[tokio::test]
    async fn what_waits_is_read_before_a_good_end() {
        let (sending, mut events) = queue(2);
        sending.try_send(&heartbeat()).unwrap();
        sending.finish();
        assert_eq!(sending.try_send(&heartbeat()), Err(SendError::Closed));
        drop(sending);
        assert!(events.next().await.unwrap().is_ok());
        assert!(events.next().await.is_none());
    }

    #[tokio::test]
    async fn a_dropped_call_ends_the_stream_at_once_and_badly() {
        let (sending, mut events) = queue(2);
        sending.try_send(&heartbeat()).unwrap();
        drop(sending);
        let end = events.next().await.unwrap();
        assert_eq!(end.unwrap_err().code(), Code::Aborted);
        assert!(events.next().await.is_none());
    }

    #[tokio::test]
    async fn a_full_queue_has_room_again_once_it_is_read() {
        let (sending, mut events) = queue(1);
        sending.try_send(&heartbeat()).unwrap();
        assert_eq!(sending.try_send(&heartbeat()), Err(SendError::Full));
        let mut room = tokio::spawn(async move {
            poll_fn(|cx| sending.poll_ready(cx)).await.unwrap();
            sending
        });
        tokio::task::yield_now().await;
        assert!((&mut room).now_or_never().is_none());
        assert!(events.next().await.unwrap().is_ok());
        assert_eq!(room.await.unwrap().waiting(), 0);
    }

    #[tokio::test]
    async fn a_reader_that_is_gone_closes_the_queue() {
        let (sending, events) = queue(1);
        drop(events);
        assert_eq!(sending.try_send(&heartbeat()), Err(SendError::Closed));
        let ready = poll_fn(|cx| sending.poll_ready(cx)).await;
        assert_eq!(ready, Err(SendError::Closed));
    }
}
