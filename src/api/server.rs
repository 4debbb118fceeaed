//! Connections of workers and their limits. Knows nothing of what is asked.

use super::{Parts, body::Busy, routes::Routes};
use crate::{access::Peer, patient::Patient, port::Port, tls::Socket};
use hyper::service::service_fn;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use socket2::{SockRef, TcpKeepalive};
use std::{pin::pin, sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    time::{MissedTickBehavior, interval},
};
use tokio_util::sync::CancellationToken;
use tracing::debug;

/// What workers may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// One for each worker that speaks gRPC; WebSockets leave their place once they are open. One more waits in the kernel.
    pub(super) connections: usize,
    /// For the TLS handshake, and for the head of an HTTP/1.1 request.
    pub(super) head: Duration,
    /// A connection on which nothing is asked is closed after one to two of these.
    pub(super) idle: Duration,
    /// HTTP/2 ping after so long without traffic.
    pub(super) ping: Duration,
    /// The worker is gone when a ping is not answered for so long. Together with the one before: for any peer to take anything at
    /// all of what is written to it.
    pub(super) pong: Duration,
}

/// Calls of one worker, as its `max_calls`: more of them use more connections.
const STREAMS_MAX: u32 = 10_000;
// One call that does not read must not stall the others of its worker.
const STREAM_WINDOW: u32 = 256 * 1024;
const CONNECTION_WINDOW: u32 = 16 * 1024 * 1024;
/// Per stream; beyond it events wait in the link, where they are counted.
const SEND_BUFFER: usize = 64 * 1024;
/// Headers of a request, decoded.
const HEADER_LIST: u32 = 16 * 1024;
/// Of HTTP/1.1, for the head of a request.
const READ_BUFFER: usize = 16 * 1024;
/// Balancers forget quiet connections after minutes.
const TCP_KEEPALIVE: Duration = Duration::from_secs(60);

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 20_000,
            head: Duration::from_secs(10),
            idle: Duration::from_secs(30),
            ping: super::HEARTBEAT,
            pong: super::PONG_TIMEOUT,
        }
    }
}

pub(super) async fn run(
    listener: TcpListener,
    parts: Parts,
    limits: Limits,
    stop: impl Future<Output = ()>,
) {
    let port = Port {
        name: "api",
        connections: limits.connections,
        handshake: limits.head,
        tls: parts.tls.clone(),
        prepare,
    };
    let draining = parts.draining.clone();
    let routes = Arc::new(Routes::new(parts).await);
    let closing = CancellationToken::new();
    let cut = closing.clone();
    let serve = move |socket, peer| {
        let served = connection(socket, peer, Arc::clone(&routes), limits, draining.clone());
        let cut = cut.clone();
        async move {
            cut.run_until_cancelled(served).await;
        }
    };
    port.run(listener, closing, stop, serve).await;
}

fn prepare(tcp: &TcpStream) {
    let _ = tcp.set_nodelay(true);
    let keepalive = TcpKeepalive::new().with_time(TCP_KEEPALIVE);
    let _ = SockRef::from(tcp).set_tcp_keepalive(&keepalive);
}

/// One connection to its end. It is asked to leave when nothing was asked on it for long, and when the drain begins.
async fn connection(
    socket: Socket,
    peer: Peer,
    routes: Arc<Routes>,
    limits: Limits,
    mut draining: watch::Receiver<bool>,
) {
    let (peer, busy) = (Arc::new(peer), Busy::default());
    let service = {
        let (peer, busy) = (Arc::clone(&peer), busy.clone());
        service_fn(move |request| {
            let (routes, peer, held) = (Arc::clone(&routes), Arc::clone(&peer), busy.begin());
            async move { routes.answer(&peer, held, request).await }
        })
    };
    // What has no pings, as a stream of server-sent events, shall take no longer to be found dead.
    let socket = TokioIo::new(Patient::new(socket, limits.ping + limits.pong));
    let builder = builder(&limits);
    let mut served = pin!(builder.serve_connection_with_upgrades(socket, service));
    let mut idle = interval(limits.idle);
    idle.set_missed_tick_behavior(MissedTickBehavior::Delay);
    idle.tick().await;
    let mut was_idle = false;
    // Whoever comes during the drain is told so by an answer.
    let mut leaving = *draining.borrow();
    loop {
        tokio::select! {
            ended = &mut served => {
                if let Err(error) = ended {
                    debug!(peer = %peer.address, error, "a connection to the api port broke");
                }
                return;
            }
            _ = idle.tick() => {
                if was_idle && busy.is_idle() {
                    served.as_mut().graceful_shutdown();
                }
                was_idle = busy.is_idle();
            }
            _ = draining.wait_for(|draining| *draining), if !leaving => {
                leaving = true;
                served.as_mut().graceful_shutdown();
            }
        }
    }
}

fn builder(limits: &Limits) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .max_buf_size(READ_BUFFER);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(limits.ping)
        .keep_alive_timeout(limits.pong)
        .max_concurrent_streams(STREAMS_MAX)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(SEND_BUFFER)
        .max_header_list_size(HEADER_LIST);
    builder
}
