//! Connections to the admin port and their limits. Knows nothing of what is asked.

use super::routes::{BODY_BYTES_MAX, Failure};
use axum::{
    Router,
    body::Body,
    extract::ConnectInfo,
    http::{HeaderValue, Request, Response, StatusCode, header},
    response::IntoResponse,
};
use hyper::{
    body::{Body as _, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::{convert::Infallible, net::SocketAddr, pin::pin, sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{sleep, timeout},
};
use tokio_util::task::TaskTracker;
use tower::ServiceExt;
use tracing::{debug, warn};

/// What one client may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Probes, Prometheus and some operators; one more waits in the kernel until one of these is done.
    pub(super) connections: usize,
    /// For the whole head of a request. Short, because a silent connection holds one of the places.
    pub(super) head: Duration,
    /// For an answer to be made.
    pub(super) request: Duration,
    /// From the accept to the last byte of the answer, however slowly it is read.
    pub(super) connection: Duration,
}

const STOP_TIMEOUT: Duration = Duration::from_secs(1);
/// When the process has no file descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 128,
            head: Duration::from_secs(3),
            request: Duration::from_secs(10),
            connection: Duration::from_secs(30),
        }
    }
}

pub(super) async fn run(
    listener: TcpListener,
    router: Router,
    limits: Limits,
    stop: impl Future<Output = ()>,
) {
    let mut stop = pin!(stop);
    let connections = TaskTracker::new();
    let places = Arc::new(Semaphore::new(limits.connections));
    loop {
        let (place, socket, peer) = tokio::select! {
            () = &mut stop => break,
            accepted = accept(&listener, &places) => accepted,
        };
        let router = router.clone();
        connections.spawn(async move {
            let _place = place;
            if timeout(limits.connection, connection(socket, peer, router, limits)).await.is_err() {
                debug!(%peer, "the admin port cuts a connection that takes too long");
            }
        });
    }
    drop(listener);
    connections.close();
    let _unfinished = timeout(STOP_TIMEOUT, connections.wait()).await;
}

async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> (OwnedSemaphorePermit, TcpStream, SocketAddr) {
    let place = Arc::clone(places).acquire_owned().await.expect("the semaphore is never closed");
    loop {
        match listener.accept().await {
            Ok((socket, peer)) => return (place, socket, peer),
            Err(error) => {
                warn!(%error, "the admin port cannot accept");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// One request each: then no idle connection holds a place, and no client has to guess when it is closed.
async fn connection(socket: TcpStream, peer: SocketAddr, router: Router, limits: Limits) {
    let service = service_fn(move |request| answer(router.clone(), peer, limits, request));
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .keep_alive(false)
        .serve_connection(TokioIo::new(socket), service)
        .await;
    if let Err(error) = served {
        debug!(%peer, %error, "a connection to the admin port broke");
    }
}

async fn answer(
    router: Router,
    peer: SocketAddr,
    limits: Limits,
    mut request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    request.extensions_mut().insert(ConnectInfo(peer));
    let mut response = if request.body().size_hint().lower() > BODY_BYTES_MAX as u64 {
        Failure(StatusCode::PAYLOAD_TOO_LARGE, "no request here needs a body".to_owned())
            .into_response()
    } else {
        routed(router, request, limits).await
    };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    Ok(response)
}

async fn routed(router: Router, request: Request<Incoming>, limits: Limits) -> Response<Body> {
    match timeout(limits.request, router.oneshot(request)).await {
        Ok(Ok(response)) => response,
        Err(_) => {
            let late = "this took too long".to_owned();
            Failure(StatusCode::SERVICE_UNAVAILABLE, late).into_response()
        }
    }
}
