//! Connections to the admin port and their limits. Knows nothing of what is asked.

use super::{
    patient::Patient,
    routes::{BODY_BYTES_MAX, Failure},
};
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
use socket2::SockRef;
use std::{
    convert::Infallible,
    net::SocketAddr,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
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
    /// From the accept to the last byte of the answer, however slowly it is read; a stream of events may live longer.
    pub(super) connection: Duration,
    /// For a reader to take anything at all of what is written to it.
    pub(super) stall: Duration,
}

/// What the kernel may hold of what a reader does not take.
const SEND_BUFFER_BYTES: usize = 64 * 1024;
const STOP_TIMEOUT: Duration = Duration::from_secs(1);
/// When the process has no file descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What an answer can ask of its connection.
#[derive(Debug, Clone)]
pub(super) struct Connection {
    /// The port closes: a stream of events is to end.
    pub(super) closing: CancellationToken,
    is_long: Arc<AtomicBool>,
}

impl Connection {
    /// The answer is a stream: it ends by itself, and whoever does not read it is cut off.
    pub(super) fn live_long(&self) {
        self.is_long.store(true, Ordering::Relaxed);
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 128,
            head: Duration::from_secs(3),
            request: Duration::from_secs(10),
            connection: Duration::from_secs(30),
            stall: Duration::from_secs(10),
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
    let closing = CancellationToken::new();
    loop {
        let (place, socket, peer) = tokio::select! {
            () = &mut stop => break,
            accepted = accept(&listener, &places) => accepted,
        };
        let router = router.clone();
        let ours = Connection { closing: closing.clone(), is_long: Arc::default() };
        connections.spawn(async move {
            let _place = place;
            let is_long = Arc::clone(&ours.is_long);
            let mut served = pin!(connection(socket, peer, router, limits, ours));
            if timeout(limits.connection, &mut served).await.is_ok() {
                return;
            }
            if is_long.load(Ordering::Relaxed) {
                served.await;
            } else {
                debug!(%peer, "the admin port cuts a connection that takes too long");
            }
        });
    }
    drop(listener);
    closing.cancel();
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
async fn connection(
    socket: TcpStream,
    peer: SocketAddr,
    router: Router,
    limits: Limits,
    ours: Connection,
) {
    let _ = SockRef::from(&socket).set_send_buffer_size(SEND_BUFFER_BYTES);
    let socket = Patient::new(socket, limits.stall);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ours.clone());
        answer(router.clone(), peer, limits, request)
    });
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
