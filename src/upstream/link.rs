//! The link of one call to what drives it, whatever kind that is. Knows one call, and neither its state nor where another
//! service would be.

use super::{
    error::{Lost, SendError},
    grpc::GrpcLink,
};
use crate::{
    proto::{CallControl, CallEvent},
    route::Service,
};
use std::{
    sync::Arc,
    task::{Context, Poll},
};

/// A stream of typed messages that a service took: events out, control messages in. Dropping it breaks the stream off, unless
/// the service has ended it.
///
/// There is no task behind it: what waits to be sent is passed on whenever the link is polled, in either direction.
#[derive(Debug)]
pub struct Link {
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Grpc(GrpcLink),
}

impl From<GrpcLink> for Link {
    fn from(link: GrpcLink) -> Self {
        Self { kind: Kind::Grpc(link) }
    }
}

impl Link {
    /// Queues an event, in order, and sends it as soon as the service reads.
    ///
    /// # Errors
    /// `Full` when as many events wait as the link has room for, `Closed` after `finish` or the stream's end.
    pub fn try_send(&mut self, event: &CallEvent) -> Result<(), SendError> {
        match &mut self.kind {
            Kind::Grpc(link) => link.try_send(event),
        }
    }

    /// Events that wait because the service does not read.
    pub fn waiting(&self) -> usize {
        match &self.kind {
            Kind::Grpc(link) => link.waiting(),
        }
    }

    /// Ready when `try_send` would take another event.
    ///
    /// # Errors
    /// `Closed` after `finish` or the stream's end.
    pub fn poll_ready_to_send(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        match &mut self.kind {
            Kind::Grpc(link) => link.poll_ready_to_send(cx),
        }
    }

    /// The next message of the service; `None` when it ended the stream well, and ever after.
    ///
    /// # Errors
    /// [`Lost`], once: any other end of the stream, a message over 4 MiB, bytes that are no message.
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<CallControl>, Lost>> {
        match &mut self.kind {
            Kind::Grpc(link) => link.poll_recv(cx),
        }
    }

    /// Says that no event follows, after what is queued. Never waits.
    /// Go on with `poll_recv` until it ends, within a deadline: dropping the link cuts off what is not sent yet.
    pub fn finish(&mut self) {
        match &mut self.kind {
            Kind::Grpc(link) => link.finish(),
        }
    }

    /// Who has the call, for people: an address, or a worker's name.
    pub fn endpoint(&self) -> String {
        match &self.kind {
            Kind::Grpc(link) => link.endpoint().to_string(),
        }
    }

    /// The service that has the call.
    pub fn service(&self) -> &Arc<Service> {
        match &self.kind {
            Kind::Grpc(link) => link.service(),
        }
    }
}
