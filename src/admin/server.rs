//! Connections to the admin port and their limits. Knows nothing of what is asked.

use super::routes::{BODY_BYTES_MAX, Failure};
use crate::{
    access::Peer,
    patient::Patient,
    port::Port,
    tls::{Acceptor, Socket},
};
use axum::{
    Router,
    body::Body,
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
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;
use tracing::debug;

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

/// For the head of a request: room for any token, and for little else.
const READ_BUFFER_BYTES: usize = 16 * 1024;

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
    tls: Option<Arc<Acceptor>>,
    limits: Limits,
    stop: impl Future<Output = ()>,
) {
    let Limits { connections, head: handshake, .. } = limits;
    let port = Port { name: "admin", connections, handshake, tls, prepare };
    let closing = CancellationToken::new();
    let ending = closing.clone();
    let serve = move |socket, peer: Peer| {
        let ours = Connection { closing: ending.clone(), is_long: Arc::default() };
        let (router, is_long, address) = (router.clone(), Arc::clone(&ours.is_long), peer.address);
        async move {
            let mut served = pin!(connection(socket, peer, router, limits, ours));
            if timeout(limits.connection, &mut served).await.is_ok() {
                return;
            }
            if is_long.load(Ordering::Relaxed) {
                served.await;
            } else {
                debug!(peer = %address, "the admin port cuts a connection that takes too long");
            }
        }
    };
    port.run(listener, closing, stop, serve).await;
}

fn prepare(tcp: &TcpStream) {
    let _ = SockRef::from(tcp).set_send_buffer_size(SEND_BUFFER_BYTES);
}

/// One request each: then no idle connection holds a place, and no client has to guess when it is closed.
async fn connection(socket: Socket, peer: Peer, router: Router, limits: Limits, ours: Connection) {
    let (address, peer) = (peer.address, Arc::new(peer));
    let socket = Patient::new(socket, limits.stall);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ours.clone());
        answer(router.clone(), Arc::clone(&peer), limits, request)
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .keep_alive(false)
        .max_buf_size(READ_BUFFER_BYTES)
        .serve_connection(TokioIo::new(socket), service)
        .await;
    if let Err(error) = served {
        debug!(peer = %address, %error, "a connection to the admin port broke");
    }
}

async fn answer(
    router: Router,
    peer: Arc<Peer>,
    limits: Limits,
    mut request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    request.extensions_mut().insert(peer);
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
