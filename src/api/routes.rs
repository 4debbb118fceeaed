//! Who answers which request. Knows no connections, and nothing of workers.

use super::{
    Parts,
    body::{self, Held},
    manager::{self, Manager},
    plain,
    service::Service,
    websocket,
};
use crate::{
    access::{Peer, Shown},
    proto::{
        DESCRIPTORS, manager_service_server::ManagerServiceServer,
        worker_service_server::WorkerServiceServer,
    },
};
use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, Version, header};
use http_body_util::Full;
use hyper::body::Incoming;
use std::{convert::Infallible, sync::Arc};
use tonic::{Status, body::Body, server::NamedService as _};
use tonic_health::{
    ServingStatus,
    pb::health_server::HealthServer,
    server::{HealthReporter, HealthService},
};
use tower::{Service as _, util::BoxCloneSyncService};

const WORKER_SERVICE: &str = <WorkerServiceServer<Service>>::NAME;
const MANAGER_SERVICE: &str = <ManagerServiceServer<Manager>>::NAME;
/// What health tells of.
const SERVICES: [&str; 3] = ["", WORKER_SERVICE, MANAGER_SERVICE];

type Reflection = BoxCloneSyncService<Request<body::Request>, Response<Body>, Infallible>;
const REFLECTION: &str = "grpc.reflection.v1.ServerReflection";

/// An answer, or a refusal.
pub(super) type Answered = Result<Response<Body>, Box<Response<Body>>>;

/// What the port serves.
pub(super) struct Routes {
    parts: Parts,
    workers: WorkerServiceServer<Service>,
    manager: ManagerServiceServer<Manager>,
    watching: Manager,
    reflection: Reflection,
    health: HealthServer<HealthService>,
}

impl Routes {
    pub(super) async fn new(parts: Parts) -> Self {
        let reporter = HealthReporter::new();
        for name in SERVICES {
            reporter.set_service_status(name, ServingStatus::Serving).await;
        }
        let health = HealthServer::new(HealthService::from_health_reporter(reporter.clone()));
        let mut draining = parts.draining.clone();
        tokio::spawn(async move {
            if draining.wait_for(|draining| *draining).await.is_ok() {
                for name in SERVICES {
                    reporter.set_service_status(name, ServingStatus::NotServing).await;
                }
            }
        });
        let watching = Manager::new(parts.clone());
        Self {
            workers: Service::server(parts.clone()),
            manager: watching.clone().server(),
            watching,
            reflection: reflection(),
            health,
            parts,
        }
    }

    pub(super) async fn answer(
        &self,
        peer: &Arc<Peer>,
        held: Held,
        mut request: Request<Incoming>,
    ) -> Result<Response<body::Answer>, Infallible> {
        let shown = Shown::new(peer, request.headers(), &self.parts.tokens).await;
        request.extensions_mut().insert(shown.clone());
        let response = self.dispatch(shown, request).await.unwrap_or_else(|refused| *refused);
        Ok(response.map(|body| body::Answer { body, _held: held }))
    }

    async fn dispatch(&self, shown: Shown, request: Request<Incoming>) -> Answered {
        let is_grpc = is_grpc(&request);
        let service = request.uri().path().split('/').nth(1).unwrap_or_default();
        if is_grpc && request.version() != Version::HTTP_2 {
            return Err(text(StatusCode::HTTP_VERSION_NOT_SUPPORTED, "gRPC needs HTTP/2"));
        }
        if service == WORKER_SERVICE {
            let Ok(response) = self.workers.clone().call(request.map(body::Request::new)).await;
            return Ok(response);
        }
        if request.uri().path() == manager::WATCH_EVENTS {
            let request = request.map(body::Request::new);
            return Ok(manager::watch_events(&self.watching, request).await);
        }
        if service == MANAGER_SERVICE {
            let Ok(response) = self.manager.clone().call(request.map(body::Request::new)).await;
            return Ok(response);
        }
        if service == REFLECTION {
            let Ok(response) = self.reflection.clone().call(request.map(body::Request::new)).await;
            return Ok(response);
        }
        if service == <HealthServer<HealthService>>::NAME {
            let Ok(response) = self.health.clone().call(request.map(body::Request::new)).await;
            return Ok(response);
        }
        if is_grpc {
            return Ok(Status::unimplemented("no such service here").into_http());
        }
        let path = request.uri().path();
        if path == "/v1/worker" {
            return websocket::worker(&self.parts, shown, request);
        }
        if path == "/v1/manager" {
            return manager::open(&self.parts, shown, request);
        }
        if path == plain::ORIGINATE {
            return Ok(plain::originate(&self.parts, &shown, request).await);
        }
        if path == plain::EVENTS {
            return Ok(plain::events(&self.parts, &shown, &request));
        }
        if let Some(token) = path.strip_prefix("/v1/calls/") {
            let token = token.to_owned();
            return websocket::call(&self.parts, &shown, &token, request);
        }
        Err(text(StatusCode::NOT_FOUND, "there is no such path"))
    }
}

/// Of what is served here.
fn reflection() -> Reflection {
    let mut builder = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(DESCRIPTORS);
    for name in [WORKER_SERVICE, MANAGER_SERVICE] {
        builder = builder.with_service_name(name);
    }
    BoxCloneSyncService::new(builder.build_v1().expect("the contract's descriptors are in order"))
}

pub(super) fn text(status: StatusCode, why: &str) -> Box<Response<Body>> {
    let mut response = Response::new(Body::new(Full::new(Bytes::from(format!("{why}\n")))));
    *response.status_mut() = status;
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, plain);
    Box::new(response)
}

fn is_grpc<B>(request: &Request<B>) -> bool {
    let value = request.headers().get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
    value.is_some_and(|value| value.starts_with(b"application/grpc"))
}
