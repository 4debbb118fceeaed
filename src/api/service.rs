//! `WorkerService` over gRPC. Knows no HTTP connections.

use super::{
    Parts, permission,
    register::{self, OFFERS_MAX},
};
use crate::{
    access::{Refusal, Shown},
    proto::{
        CallControl, WorkerOffer, WorkerReport,
        worker_service_server::{WorkerService, WorkerServiceServer},
    },
    upstream::{Events, Take, TakeError},
};
use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};
use tokio::sync::{mpsc, oneshot};
use tokio_stream::Stream;
use tonic::{Request, Response, Status, Streaming};

/// The offer that a stream takes.
const TOKEN: &str = "agibridge-offer-token";
/// As everywhere in the contract.
pub(super) const MESSAGE_MAX: usize = 4 * 1024 * 1024;

/// The service.
#[derive(Debug, Clone)]
pub(super) struct Service {
    parts: Parts,
}

/// The offers to a worker, and how they end.
#[derive(Debug)]
pub(super) struct Offers {
    offers: mpsc::Receiver<WorkerOffer>,
    end: Option<oneshot::Receiver<Status>>,
}

impl Service {
    pub(super) fn server(parts: Parts) -> WorkerServiceServer<Self> {
        WorkerServiceServer::new(Self { parts })
            .max_decoding_message_size(MESSAGE_MAX)
            .max_encoding_message_size(MESSAGE_MAX)
    }
}

#[tonic::async_trait]
impl WorkerService for Service {
    type RegisterStream = Offers;
    type TakeCallStream = Events;

    /// Answers at once: a client may wait for the headers before it says hello.
    async fn register(
        &self,
        request: Request<Streaming<WorkerReport>>,
    ) -> Result<Response<Offers>, Status> {
        if *self.parts.draining.borrow() {
            return Err(Status::unavailable("the bridge is draining"));
        }
        let shown = shown(&request)?;
        let (sender, offers) = mpsc::channel(OFFERS_MAX);
        let (mut tell, end) = oneshot::channel();
        let attending = register::attend(self.parts.clone(), shown, request.into_inner(), sender);
        tokio::spawn(async move {
            tokio::select! {
                ended = attending => if let Err(status) = ended {
                    let _ = tell.send(status);
                },
                () = tell.closed() => {}
            }
        });
        Ok(Response::new(Offers { offers, end: Some(end) }))
    }

    async fn take_call(
        &self,
        request: Request<Streaming<CallControl>>,
    ) -> Result<Response<Events>, Status> {
        let token = request.metadata().get(TOKEN).and_then(|value| value.to_str().ok());
        let token = token.ok_or_else(|| Status::invalid_argument(format!("{TOKEN} is missing")))?;
        let take = take(&self.parts, &shown(&request)?, token)?;
        let events = take.grpc(request.into_inner()).map_err(void)?;
        Ok(Response::new(events))
    }
}

/// Takes the offer with this token, if it was made to whoever shows these credentials.
pub(super) fn take(parts: &Parts, shown: &Shown, token: &str) -> Result<Take, Status> {
    let permits = parts.permits.load();
    let identity = permission::identity(shown, &permits);
    parts.workers.take(token, &identity).map_err(|error| match error {
        TakeError::Void => void(error),
        TakeError::NotYours => match permission::refusal(shown, &permits) {
            Refusal::Nothing => Status::unauthenticated(
                "the credential is missing with which the worker registered",
            ),
            Refusal::Jwt(why) => Status::new(Refusal::Jwt(why.clone()).code(), why.to_string()),
            Refusal::UnknownToken | Refusal::Insufficient => {
                Status::permission_denied(error.to_string())
            }
        },
    })
}

fn void(error: TakeError) -> Status {
    Status::not_found(error.to_string())
}

pub(super) fn shown<T>(request: &Request<T>) -> Result<Shown, Status> {
    let shown = request.extensions().get::<Shown>().cloned();
    shown.ok_or_else(|| Status::internal("the connection's peer is not known"))
}

impl Stream for Offers {
    type Item = Result<WorkerOffer, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(offer) = ready!(self.offers.poll_recv(cx)) {
            return Poll::Ready(Some(Ok(offer)));
        }
        let Some(end) = &mut self.end else { return Poll::Ready(None) };
        let status = ready!(Pin::new(end).poll(cx));
        self.end = None;
        Poll::Ready(status.ok().map(Err))
    }
}
