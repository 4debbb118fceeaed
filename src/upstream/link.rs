//! The link of one call to what drives it, whatever kind that is. Knows one call, and neither its state nor where another
//! service would be.

use super::{
    error::{Lost, SendError},
    grpc::GrpcLink,
    raw::RawLink,
    websocket::WebSocketLink,
    worker::WorkerLink,
};
use crate::{
    proto::{CallControl, CallEvent},
    route::Service,
};
use std::{
    sync::Arc,
    task::{Context, Poll},
};

/// What a service that took the call is linked by.
#[derive(Debug)]
pub enum Taken {
    /// It speaks the contract: typed messages.
    Typed(Link),
    /// It speaks AGI itself: bytes.
    Raw(RawLink),
}

/// A stream of typed messages that a service took: events out, control messages in. Dropping it breaks the stream off, unless
/// the service has ended it.
///
/// There is no task behind it: what waits to be sent is passed on whenever the link is polled, in either direction.
#[derive(Debug)]
pub struct Link {
    kind: Kind,
}

/// Boxed, so that a kind with much of its own does not make the others larger.
#[derive(Debug)]
enum Kind {
    Grpc(Box<GrpcLink>),
    WebSocket(Box<WebSocketLink>),
    Worker(Box<WorkerLink>),
}

impl From<GrpcLink> for Link {
    fn from(link: GrpcLink) -> Self {
        Self { kind: Kind::Grpc(Box::new(link)) }
    }
}

impl From<WebSocketLink> for Link {
    fn from(link: WebSocketLink) -> Self {
        Self { kind: Kind::WebSocket(Box::new(link)) }
    }
}

impl From<WorkerLink> for Link {
    fn from(link: WorkerLink) -> Self {
        Self { kind: Kind::Worker(Box::new(link)) }
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
            Kind::WebSocket(link) => link.try_send(event),
            Kind::Worker(link) => link.try_send(event),
        }
    }

    /// Events that wait because the service does not read.
    pub fn waiting(&self) -> usize {
        match &self.kind {
            Kind::Grpc(link) => link.waiting(),
            Kind::WebSocket(link) => link.waiting(),
            Kind::Worker(link) => link.waiting(),
        }
    }

    /// Ready when `try_send` would take another event.
    ///
    /// # Errors
    /// `Closed` after `finish` or the stream's end.
    pub fn poll_ready_to_send(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        match &mut self.kind {
            Kind::Grpc(link) => link.poll_ready_to_send(cx),
            Kind::WebSocket(link) => link.poll_ready_to_send(cx),
            Kind::Worker(link) => link.poll_ready_to_send(cx),
        }
    }

    /// The next message of the service; `None` when it ended the stream well, and ever after.
    ///
    /// # Errors
    /// [`Lost`], once: any other end of the stream, a message over 4 MiB, bytes that are no message.
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<CallControl>, Lost>> {
        match &mut self.kind {
            Kind::Grpc(link) => link.poll_recv(cx),
            Kind::WebSocket(link) => link.poll_recv(cx),
            Kind::Worker(link) => link.poll_recv(cx),
        }
    }

    /// Says that no event follows, after what is queued. Never waits.
    /// Go on with `poll_recv` until it ends, within a deadline: dropping the link cuts off what is not sent yet.
    pub fn finish(&mut self) {
        match &mut self.kind {
            Kind::Grpc(link) => link.finish(),
            Kind::WebSocket(link) => link.finish(),
            Kind::Worker(link) => link.finish(),
        }
    }

    /// Who has the call, for people: an address, or a worker's name.
    pub fn endpoint(&self) -> String {
        match &self.kind {
            Kind::Grpc(link) => link.endpoint().to_string(),
            Kind::WebSocket(link) => link.endpoint().to_string(),
            Kind::Worker(link) => link.endpoint().to_owned(),
        }
    }

    /// The service that has the call.
    pub fn service(&self) -> &Arc<Service> {
        match &self.kind {
            Kind::Grpc(link) => link.service(),
            Kind::WebSocket(link) => link.service(),
            Kind::Worker(link) => link.service(),
        }
    }
}
