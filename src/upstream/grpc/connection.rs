//! One HTTP/2 connection to an address: made, kept alive, closed. Knows frames and time, and no gRPC.

use crate::{
    route::Remote,
    upstream::{
        error::{AttemptError, Phase},
        io::{self, Io},
    },
};
use bytes::Bytes;
use h2::{
    Ping, PingPong,
    client::{self, SendRequest},
};
use std::{
    fmt,
    future::poll_fn,
    net::SocketAddr,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};
use tokio::{
    sync::oneshot,
    time::{Instant, timeout},
};

// A peer's window is its own affair; ours must never be what stalls a hundred calls on one connection.
const STREAM_WINDOW: u32 = 1024 * 1024;
const CONNECTION_WINDOW: u32 = 16 * 1024 * 1024;
/// Headers and trailers of a service, decoded: a status and its message need far less.
const HEADER_LIST: u32 = 64 * 1024;
/// Per stream; beyond it events wait in the link, where they are counted.
const SEND_BUFFER: usize = 64 * 1024;
/// Stands for "the peer has not told its limit": no peer sends this number, and none is let pass before its own.
const LIMIT_UNKNOWN: usize = 0x7fff_fff1;
/// A connection without calls is closed after so long.
const IDLE: Duration = Duration::from_secs(60);
/// For the peer to take our GOAWAY.
const CLOSING: Duration = Duration::from_secs(1);

/// Keepalive pings, as the service's settings have them; none on a connection that only watches health.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Keepalive {
    pub(super) interval: Duration,
    pub(super) timeout: Duration,
}

/// An HTTP/2 connection that had the peer's SETTINGS.
pub(super) struct Connection {
    requests: SendRequest<Bytes>,
    streams: AtomicUsize,
    retired: AtomicBool,
    born: Instant,
    freed_ms: AtomicU64,
}

impl Connection {
    /// Calls on it now.
    pub(super) fn streams(&self) -> usize {
        self.streams.load(Relaxed)
    }

    /// A handle to open streams with.
    pub(super) fn requests(&self) -> SendRequest<Bytes> {
        self.requests.clone()
    }

    /// Whether new streams may be opened; not after GOAWAY, an error, or `retire`.
    pub(super) fn is_open(&self) -> bool {
        // The waker is never used: no stream of this clone is pending.
        let ready = self.requests.clone().poll_ready(&mut Context::from_waker(Waker::noop()));
        !self.retired.load(Relaxed) && !matches!(ready, Poll::Ready(Err(_)))
    }

    /// Whether the peer, and our own limit, permit one more stream.
    pub(super) fn has_room(&self, limit: u32) -> bool {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        self.streams() < limit.min(self.requests.current_max_send_streams())
    }

    /// No new streams on it.
    pub(super) fn retire(&self) {
        self.retired.store(true, Relaxed);
    }

    pub(super) fn begin(self: &Arc<Self>) -> Slot {
        self.streams.fetch_add(1, Relaxed);
        Slot(self.clone())
    }

    fn is_idle(&self) -> bool {
        self.streams() == 0
            && (self.retired.load(Relaxed)
                || ms(self.born.elapsed()) >= self.freed_ms.load(Relaxed) + ms(IDLE))
    }
}

/// One stream's place on a connection.
pub(super) struct Slot(Arc<Connection>);

impl Slot {
    pub(super) fn connection(&self) -> &Arc<Connection> {
        &self.0
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.freed_ms.store(ms(self.0.born.elapsed()), Relaxed);
        self.0.streams.fetch_sub(1, Relaxed);
    }
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Slot(of {})", self.0.streams())
    }
}

/// Connects to `address`, and spawns the task that drives the connection. `closed` is called when it takes no more
/// calls, and may be called more than once.
pub(super) async fn connect(
    address: SocketAddr,
    remote: &Remote,
    keepalive: Option<Keepalive>,
    closed: impl Fn(&Arc<Connection>) + Send + 'static,
) -> Result<Arc<Connection>, AttemptError> {
    let heard = Arc::new(AtomicU64::new(0));
    let born = Instant::now();
    let io = io::dial(address, remote, Some("h2")).await?;
    let io = io.watched(born, heard.clone());
    let (requests, mut http2) = client::Builder::new()
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .initial_max_send_streams(LIMIT_UNKNOWN)
        .max_send_buffer_size(SEND_BUFFER)
        .max_header_list_size(HEADER_LIST)
        .enable_push(false)
        .handshake::<_, Bytes>(io)
        .await
        .map_err(|error| AttemptError::Http2(error.to_string()))?;
    let pings = http2.ping_pong();

    // Until the peer's SETTINGS came, its limit is unknown, and that it speaks HTTP/2 at all.
    let (settled, settings) = oneshot::channel();
    let connection = Arc::new(Connection {
        requests,
        streams: AtomicUsize::new(0),
        retired: AtomicBool::new(false),
        born,
        freed_ms: AtomicU64::new(ms(born.elapsed())),
    });
    let driver = Driver { connection: connection.clone(), heard, keepalive, closed };
    tokio::spawn(driver.run(http2, pings, settled));
    match settings.await {
        Ok(Ok(())) => Ok(connection),
        Ok(Err(error)) => Err(AttemptError::Http2(error)),
        Err(_) => Err(AttemptError::Timeout(Phase::Connecting)),
    }
}

fn ms(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

fn closed_by_peer() -> String {
    "closed by the service".to_owned()
}

/// What the task of a connection has to do next.
enum Next {
    Tick,
    /// Whoever asked for the connection is gone before it was usable.
    Unwanted,
    Ended(Result<(), h2::Error>),
}

/// The task of one connection.
struct Driver<C> {
    connection: Arc<Connection>,
    heard: Arc<AtomicU64>,
    keepalive: Option<Keepalive>,
    closed: C,
}

impl<C: Fn(&Arc<Connection>)> Driver<C> {
    async fn run(
        self,
        mut http2: client::Connection<Io, Bytes>,
        mut pings: Option<PingPong>,
        settled: oneshot::Sender<Result<(), String>>,
    ) {
        let mut settled = Some(settled);
        let mut pinged = None;
        let mut tick = tokio::time::interval(self.tick());
        loop {
            let next = poll_fn(|cx| {
                let polled = pin!(&mut http2).poll(cx);
                if http2.max_concurrent_send_streams() != LIMIT_UNKNOWN
                    && let Some(settled) = settled.take()
                {
                    let _ = settled.send(Ok(()));
                }
                if let Poll::Ready(ended) = polled {
                    return Poll::Ready(Next::Ended(ended));
                }
                if settled.as_mut().is_some_and(|s| s.poll_closed(cx).is_ready()) {
                    return Poll::Ready(Next::Unwanted);
                }
                if let Some(pings) = &mut pings {
                    let _ = pings.poll_pong(cx);
                }
                tick.poll_tick(cx).map(|_| Next::Tick)
            });
            match next.await {
                Next::Tick => {}
                Next::Unwanted => break,
                Next::Ended(ended) => {
                    if let Some(settled) = settled.take() {
                        let why = ended.err().map_or_else(closed_by_peer, |e| e.to_string());
                        let _ = settled.send(Err(why));
                    }
                    break;
                }
            }
            if !self.is_alive(&mut pinged, pings.as_mut()) {
                break;
            }
            if self.connection.is_idle() {
                (self.closed)(&self.connection);
                if self.connection.streams() == 0 {
                    return self.close(http2).await;
                }
            }
        }
        self.connection.retire();
        (self.closed)(&self.connection);
    }

    fn tick(&self) -> Duration {
        const COARSE: Duration = Duration::from_secs(1);
        const FINE: Duration = Duration::from_millis(10);
        self.keepalive.map_or(COARSE, |k| COARSE.min(k.interval / 4).min(k.timeout / 4)).max(FINE)
    }

    /// Pings a quiet connection that has calls; false when nothing came for too long since.
    fn is_alive(&self, pinged: &mut Option<u64>, pings: Option<&mut PingPong>) -> bool {
        let (Some(keepalive), Some(pings)) = (self.keepalive, pings) else { return true };
        let now = ms(self.connection.born.elapsed());
        let heard = self.heard.load(Relaxed);
        match *pinged {
            // It was quiet for long when the ping went out: what came in the same millisecond came after it.
            Some(at) if heard >= at => *pinged = None,
            Some(at) => return now.saturating_sub(at) < ms(keepalive.timeout),
            None => {}
        }
        let quiet = now.saturating_sub(heard) >= ms(keepalive.interval);
        if self.connection.streams() > 0 && quiet && pings.send_ping(Ping::opaque()).is_ok() {
            *pinged = Some(now);
        }
        true
    }

    /// Says GOAWAY, which HTTP/2 does by itself once nobody can open a stream any more.
    async fn close(self, http2: client::Connection<Io, Bytes>) {
        drop(self.connection);
        let _ = timeout(CLOSING, http2).await;
    }
}
