//! The stream of one call to its service: events out, control messages in. Knows one stream, and neither the
//! call's state nor where another service would be.

use super::{
    connection::Slot,
    stream::{self, Outgoing},
};
use crate::{
    proto::{CallControl, CallEvent},
    route::Service,
    upstream::{
        address::Active,
        error::{Lost, SendError},
    },
};
use bytes::Bytes;
use std::{
    collections::VecDeque,
    fmt,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};
use tokio_stream::Stream as _;
use tonic::codec::Streaming;

/// A stream that a service took. Dropping it resets the stream, unless the service has ended it.
///
/// There is no task behind it: what waits to be sent is passed on whenever the link is polled, in either direction.
pub(in crate::upstream) struct GrpcLink {
    incoming: Option<Streaming<CallControl>>,
    outgoing: Outgoing,
    waiting: VecDeque<Bytes>,
    capacity: usize,
    finishing: bool,
    service: Arc<Service>,
    // Dropped last: the connection's slot and the address' count are free once the stream is reset.
    slot: Slot,
    active: Active,
}

impl GrpcLink {
    pub(super) fn new(
        incoming: Streaming<CallControl>,
        outgoing: Outgoing,
        service: Arc<Service>,
        capacity: usize,
        (slot, active): (Slot, Active),
    ) -> Self {
        let waiting = VecDeque::new();
        let incoming = Some(incoming);
        Self { incoming, outgoing, waiting, capacity, finishing: false, service, slot, active }
    }

    /// Queues an event, in order, and sends it at once if the service reads.
    ///
    /// # Errors
    /// `Full` when as many events wait as the link has room for, `Closed` after `finish` or the stream's end.
    pub(in crate::upstream) fn try_send(&mut self, event: &CallEvent) -> Result<(), SendError> {
        if self.finishing || self.incoming.is_none() {
            return Err(SendError::Closed);
        }
        let message = stream::frame(event).ok_or(SendError::TooLarge)?;
        if self.waiting.is_empty() && self.outgoing.has_room() {
            return self.outgoing.send(message, false).map_err(|_| SendError::Closed);
        }
        if self.waiting.len() >= self.capacity {
            return Err(SendError::Full);
        }
        self.waiting.push_back(message);
        Ok(())
    }

    /// Events that wait because the service does not read.
    pub(in crate::upstream) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Ready when `try_send` would take another event.
    ///
    /// # Errors
    /// `Closed` after `finish` or the stream's end.
    pub(in crate::upstream) fn poll_ready_to_send(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), SendError>> {
        if self.finishing || self.incoming.is_none() {
            return Poll::Ready(Err(SendError::Closed));
        }
        match self.poll_flush(cx) {
            Poll::Ready(Err(_)) => Poll::Ready(Err(SendError::Closed)),
            Poll::Ready(Ok(())) => Poll::Ready(Ok(())),
            Poll::Pending if self.waiting.len() < self.capacity => Poll::Ready(Ok(())),
            Poll::Pending => Poll::Pending,
        }
    }

    /// The next message of the service; `None` when it ended the stream with status OK, and ever after.
    ///
    /// # Errors
    /// [`Lost`], once: any other end of the stream, a message over 4 MiB, bytes that are no message.
    pub(in crate::upstream) fn poll_recv(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<CallControl>, Lost>> {
        if !self.waiting.is_empty() {
            // A failure shows on the receiving side too, and better described.
            let _ = self.poll_flush(cx);
        }
        let Some(incoming) = &mut self.incoming else { return Poll::Ready(Ok(None)) };
        match Pin::new(incoming).poll_next(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Some(Ok(message))) => Poll::Ready(Ok(Some(message))),
            Poll::Ready(None) => {
                self.ended();
                Poll::Ready(Ok(None))
            }
            Poll::Ready(Some(Err(status))) => {
                self.incoming = None;
                self.outgoing.reset();
                if status.code() == tonic::Code::Unavailable {
                    self.active.address().avoid();
                }
                Poll::Ready(Err(Lost { code: status.code(), message: status.message().to_owned() }))
            }
        }
    }

    /// Says that no event follows: half-closes the stream after what is queued. Never waits.
    /// Go on with `poll_recv` until it ends, within a deadline: dropping the link cuts off what is not sent yet.
    pub(in crate::upstream) fn finish(&mut self) {
        if self.finishing || self.incoming.is_none() {
            return;
        }
        self.finishing = true;
        // What waits is bounded, so the HTTP/2 layer may hold it.
        while let Some(message) = self.waiting.pop_front() {
            if self.outgoing.send(message, false).is_err() {
                return;
            }
        }
        let _ = self.outgoing.send(Bytes::new(), true);
    }

    /// The address that has the call.
    pub(in crate::upstream) fn endpoint(&self) -> SocketAddr {
        self.active.address().socket()
    }

    /// The service that has the call.
    pub(in crate::upstream) fn service(&self) -> &Arc<Service> {
        &self.service
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), h2::Error>> {
        while !self.waiting.is_empty() {
            match self.outgoing.poll_room(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Ready(Ok(())) => {}
            }
            if let Some(message) = self.waiting.pop_front()
                && let Err(error) = self.outgoing.send(message, false)
            {
                return Poll::Ready(Err(error));
            }
        }
        Poll::Ready(Ok(()))
    }

    /// The service is done: close our half too, so that the stream ends without a reset.
    fn ended(&mut self) {
        self.incoming = None;
        self.waiting.clear();
        self.outgoing.close();
    }
}

impl fmt::Debug for GrpcLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GrpcLink")
            .field("service", &self.service.url)
            .field("endpoint", &self.endpoint())
            .field("waiting", &self.waiting.len())
            .field("slot", &self.slot)
            .finish_non_exhaustive()
    }
}
