//! The stream of one call to the worker that took it: events out, control messages in. Knows one stream, and neither the call's
//! state nor other workers.

use super::{offering::Place, queue::Sending};
use crate::{
    proto::{CallControl, CallEvent},
    route::Service,
    upstream::{
        error::{Lost, SendError},
        websocket::{Format, Messages, Pings},
    },
};
use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::{Sleep, sleep},
};
use tokio_stream::Stream as _;
use tonic::{Code, Status, codec::Streaming};

/// Bytes both ways.
pub(super) trait Socket: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Socket for T {}

/// What a worker brings when it takes a call.
pub(super) enum Brought {
    Grpc { incoming: Box<Streaming<CallControl>>, sending: Sending },
    Socket { io: Box<dyn Socket>, format: Format, pings: Pings },
}

/// Both ends of a stream that a worker opened.
pub(super) enum Ends {
    Grpc(Grpc),
    WebSocket(Box<Messages<CallControl, CallEvent>>),
}

/// A stream of `TakeCall`: its request brings the controls, its response takes the events.
pub(super) struct Grpc {
    incoming: Incoming,
    outgoing: Sending,
}

/// The worker's half.
enum Incoming {
    Open(Box<Streaming<CallControl>>),
    /// It ended well, unless it is reset before this is over.
    Ended(Pin<Box<Sleep>>),
    Over,
}

/// When a worker falls, or is cut off, a proxy may end its half well first, and then reset the stream: HAProxy does both at
/// once. A worker that sent `end` is not waited for.
const RESET_GRACE: Duration = Duration::from_millis(100);

/// A call that a worker took. Dropping it breaks the stream off, unless it ended.
///
/// There is no task behind it, but the connection's own: the call reads and writes by itself.
pub(in crate::upstream) struct WorkerLink {
    ends: Ends,
    service: Arc<Service>,
    // Dropped last: the worker has room again once the stream is over.
    place: Place,
}

impl Brought {
    /// On the runtime that is to drive it.
    pub(super) async fn open(self, capacity: usize) -> Ends {
        match self {
            Self::Grpc { incoming, sending: outgoing } => {
                Ends::Grpc(Grpc { incoming: Incoming::Open(incoming), outgoing })
            }
            Self::Socket { io, format, pings } => {
                Ends::WebSocket(Box::new(Messages::server(io, format, capacity, pings).await))
            }
        }
    }
}

impl WorkerLink {
    pub(super) fn new(ends: Ends, service: Arc<Service>, place: Place) -> Self {
        Self { ends, service, place }
    }

    /// Queues an event, in order; the worker gets it as soon as it reads.
    ///
    /// # Errors
    /// `Full` when as many events wait as the link has room for, `Closed` after `finish` or the stream's end.
    pub(in crate::upstream) fn try_send(&mut self, event: &CallEvent) -> Result<(), SendError> {
        match &mut self.ends {
            Ends::Grpc(grpc) => grpc.outgoing.try_send(event),
            Ends::WebSocket(messages) => messages.try_send(event),
        }
    }

    /// Events that wait because the worker does not read.
    pub(in crate::upstream) fn waiting(&self) -> usize {
        match &self.ends {
            Ends::Grpc(grpc) => grpc.outgoing.waiting(),
            Ends::WebSocket(messages) => messages.waiting(),
        }
    }

    /// Ready when `try_send` would take another event.
    ///
    /// # Errors
    /// `Closed` after `finish` or the stream's end.
    pub(in crate::upstream) fn poll_ready_to_send(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), SendError>> {
        match &mut self.ends {
            Ends::Grpc(grpc) => grpc.outgoing.poll_ready(cx),
            Ends::WebSocket(messages) => messages.poll_ready_to_send(cx),
        }
    }

    /// The next message of the worker; `None` when it ended its half well, and ever after.
    ///
    /// # Errors
    /// [`Lost`], once: any other end of the stream, a message over 4 MiB, bytes that are no message.
    pub(in crate::upstream) fn poll_recv(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<CallControl>, Lost>> {
        match &mut self.ends {
            Ends::Grpc(grpc) => grpc.poll_recv(cx),
            Ends::WebSocket(messages) => messages.poll_recv(cx),
        }
    }

    /// Says that no event follows, after what is queued. Never waits.
    /// Go on with `poll_recv` until it ends, within a deadline.
    pub(in crate::upstream) fn finish(&mut self) {
        match &mut self.ends {
            Ends::Grpc(grpc) => grpc.outgoing.finish(),
            Ends::WebSocket(messages) => messages.finish(),
        }
    }

    /// The worker's name.
    pub(in crate::upstream) fn endpoint(&self) -> &str {
        &self.place.worker_id
    }

    /// The service that has the call.
    pub(in crate::upstream) fn service(&self) -> &Arc<Service> {
        &self.service
    }
}

impl Grpc {
    fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<CallControl>, Lost>> {
        loop {
            match &mut self.incoming {
                Incoming::Open(incoming) => match ready!(Pin::new(&mut **incoming).poll_next(cx)) {
                    Some(Ok(message)) => return Poll::Ready(Ok(Some(message))),
                    Some(Err(status)) => {
                        let lost =
                            Lost { code: status.code(), message: status.message().to_owned() };
                        let answer = Status::new(answer_to(lost.code), lost.message.clone());
                        self.outgoing.abort(answer);
                        self.incoming = Incoming::Over;
                        return Poll::Ready(Err(lost));
                    }
                    None if self.outgoing.is_finished() => self.incoming = Incoming::Over,
                    None => self.incoming = Incoming::Ended(Box::pin(sleep(RESET_GRACE))),
                },
                Incoming::Ended(grace) => {
                    if self.outgoing.poll_deserted(cx).is_ready() {
                        self.incoming = Incoming::Over;
                        let message = "the stream was cancelled".to_owned();
                        return Poll::Ready(Err(Lost { code: Code::Cancelled, message }));
                    }
                    ready!(grace.as_mut().poll(cx));
                    // The worker is done: end our half too.
                    self.outgoing.finish();
                    self.incoming = Incoming::Over;
                }
                Incoming::Over => return Poll::Ready(Ok(None)),
            }
        }
    }
}

/// What the worker hears of a stream that broke: what it did wrong if it did, or that it is over.
fn answer_to(code: Code) -> Code {
    match code {
        Code::Internal | Code::InvalidArgument => Code::InvalidArgument,
        Code::OutOfRange | Code::ResourceExhausted => Code::ResourceExhausted,
        Code::Ok
        | Code::Cancelled
        | Code::Unknown
        | Code::DeadlineExceeded
        | Code::NotFound
        | Code::AlreadyExists
        | Code::PermissionDenied
        | Code::FailedPrecondition
        | Code::Aborted
        | Code::Unimplemented
        | Code::Unavailable
        | Code::DataLoss
        | Code::Unauthenticated => Code::Aborted,
    }
}

impl fmt::Debug for Brought {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Grpc { .. } => "Grpc",
            Self::Socket { .. } => "Socket",
        })
    }
}

impl fmt::Debug for WorkerLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkerLink")
            .field("service", &self.service.url)
            .field("worker", &self.place.worker_id)
            .field("waiting", &self.waiting())
            .finish_non_exhaustive()
    }
}
