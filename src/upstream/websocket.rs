//! Services that speak WebSocket: one connection for each call, and the same messages on it as on a gRPC stream. Knows no
//! order of addresses, nor what the messages mean.

mod close;
mod counted;
mod format;
mod handshake;
mod messages;
mod pulse;

pub use format::{Format, Outgoing, Unreadable};
pub use messages::Messages;
pub use pulse::Pings;

use super::{
    Opening,
    address::Active,
    error::{AttemptError, Lost, Phase, Refusal, SendError},
    io,
};
use crate::{
    proto::{CallControl, CallEvent},
    route::{Remote, Service},
};
use std::{
    net::SocketAddr,
    sync::Arc,
    task::{Context, Poll},
};
use tokio::time::{Instant, timeout_at};
use tonic::Code;

/// A WebSocket that a service took a call on. Dropping it breaks the connection off, unless the service has ended it.
#[derive(Debug)]
pub(super) struct WebSocketLink {
    messages: Messages<CallControl, CallEvent>,
    service: Arc<Service>,
    active: Active,
}

/// Opens a WebSocket at the address of `active`: connected by `connect_by`, and taken by the service, which answers the
/// handshake then, by `accept_by`.
pub(super) async fn open(
    (service, remote, path): (&Arc<Service>, &Remote, &str),
    opening: &Opening,
    active: Active,
    (connect_by, accept_by): (Instant, Instant),
) -> Result<WebSocketLink, Refusal> {
    let request = handshake::request(service, (remote, path), &opening.metadata)
        .map_err(|why| invalid(Code::InvalidArgument, why))?;
    let address = active.address().socket();
    let io = timeout_at(connect_by, io::dial(address, remote, None))
        .await
        .unwrap_or(Err(AttemptError::Timeout(Phase::Connecting)))?;
    let (socket, format) = timeout_at(accept_by, handshake::shake(io, request))
        .await
        .unwrap_or_else(|_| Err(AttemptError::Timeout(Phase::Accepting).into()))?;
    let pings = Pings { interval: service.keepalive_interval, timeout: service.keepalive_timeout };
    let mut messages = Messages::new(socket, format, opening.capacity, pings);
    messages.try_send(&*opening.started).map_err(|error| match error {
        SendError::TooLarge => {
            invalid(Code::InvalidArgument, "the call's first event is over 4 MiB".to_owned())
        }
        SendError::Full | SendError::Closed => AttemptError::Connect(error.to_string()).into(),
    })?;
    Ok(WebSocketLink { messages, service: service.clone(), active })
}

fn invalid(code: Code, message: String) -> Refusal {
    AttemptError::Status { code, message }.into()
}

impl WebSocketLink {
    pub(super) fn try_send(&mut self, event: &CallEvent) -> Result<(), SendError> {
        self.messages.try_send(event)
    }

    pub(super) fn waiting(&self) -> usize {
        self.messages.waiting()
    }

    pub(super) fn poll_ready_to_send(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), SendError>> {
        self.messages.poll_ready_to_send(cx)
    }

    pub(super) fn poll_recv(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<CallControl>, Lost>> {
        let received = self.messages.poll_recv(cx);
        if let Poll::Ready(Err(Lost { code: Code::Unavailable, .. })) = &received {
            self.active.address().avoid();
        }
        received
    }

    pub(super) fn finish(&mut self) {
        self.messages.finish();
    }

    /// The address that has the call.
    pub(super) fn endpoint(&self) -> SocketAddr {
        self.active.address().socket()
    }

    /// The service that has the call.
    pub(super) fn service(&self) -> &Arc<Service> {
        &self.service
    }
}
