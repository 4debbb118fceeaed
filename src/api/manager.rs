//! `ManagerService` over gRPC. Knows no HTTP connections, and nothing of Asterisk.

mod socket;
mod watch;

pub(super) use socket::open;
pub(super) use watch::{WATCH_EVENTS, watch_events};

use super::{
    Parts,
    service::{MESSAGE_MAX, shown},
};
use crate::{
    manage::{Access, Watch},
    proto::{
        ListServersRequest, ListServersResponse, OriginateRequest, OriginateResponse,
        SendActionRequest, SendActionResponse, WatchEventsRequest, WatchEventsResponse,
        manager_service_server::{ManagerService, ManagerServiceServer},
    },
    telemetry::trace::TraceContext,
};
use futures_util::stream::Empty;
use http::HeaderMap;
use std::collections::HashMap;
use tonic::{Request, Response, Status};

/// The service.
#[derive(Debug, Clone)]
pub(super) struct Manager {
    parts: Parts,
}

impl Manager {
    pub(super) fn new(parts: Parts) -> Self {
        Self { parts }
    }

    pub(super) fn server(self) -> ManagerServiceServer<Self> {
        ManagerServiceServer::new(self)
            .max_decoding_message_size(MESSAGE_MAX)
            .max_encoding_message_size(MESSAGE_MAX)
    }

    fn access<T>(&self, request: &Request<T>) -> Result<Access, Status> {
        self.parts.manage.access(&shown(request)?)
    }

    fn watch(&self, request: Request<WatchEventsRequest>) -> Result<Watch, Status> {
        let access = self.access(&request)?;
        self.parts.manage.watch_events(&access, request.into_inner())
    }
}

#[tonic::async_trait]
impl ManagerService for Manager {
    type WatchEventsStream = Empty<Result<WatchEventsResponse, Status>>;

    async fn originate(
        &self,
        request: Request<OriginateRequest>,
    ) -> Result<Response<OriginateResponse>, Status> {
        let (access, trace) = (self.access(&request)?, trace(request.metadata().as_ref()));
        not_draining(&self.parts)?;
        self.parts.manage.originate(&access, request.into_inner(), trace).await.map(Response::new)
    }

    async fn send_action(
        &self,
        request: Request<SendActionRequest>,
    ) -> Result<Response<SendActionResponse>, Status> {
        let (access, trace) = (self.access(&request)?, trace(request.metadata().as_ref()));
        let request = request.into_inner();
        let sent = self.parts.manage.send_action(&access, &request, trace.as_ref());
        sent.await.map(Response::new)
    }

    async fn watch_events(
        &self,
        _: Request<WatchEventsRequest>,
    ) -> Result<Response<Self::WatchEventsStream>, Status> {
        // It has a way of its own, and never comes here.
        Err(Status::internal("events are not encoded here"))
    }

    async fn list_servers(
        &self,
        request: Request<ListServersRequest>,
    ) -> Result<Response<ListServersResponse>, Status> {
        let access = self.access(&request)?;
        Ok(Response::new(self.parts.manage.list_servers(&access)))
    }
}

pub(super) fn not_draining(parts: &Parts) -> Result<(), Status> {
    if *parts.draining.borrow() {
        return Err(Status::unavailable("the bridge is draining"));
    }
    Ok(())
}

/// The trace that a request belongs to, if it names one.
pub(super) fn trace(headers: &HeaderMap) -> Option<TraceContext> {
    let names = ["traceparent", "tracestate"].into_iter();
    let carrier: HashMap<_, _> = names
        .filter_map(|name| Some((name.to_owned(), headers.get(name)?.to_str().ok()?.to_owned())))
        .collect();
    TraceContext::remote(&carrier)
}
