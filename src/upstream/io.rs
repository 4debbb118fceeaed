//! The bytes of a connection, plain or TLS, and when any were last read. Knows nothing of what they mean.

use super::{error::AttemptError, tls};
use crate::route::Remote;
use socket2::{SockRef, TcpKeepalive};
use std::{
    io::{self, IoSlice},
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::Instant,
};
use tokio_rustls::client::TlsStream;

/// Balancers forget quiet connections after minutes.
const TCP_KEEPALIVE: Duration = Duration::from_secs(60);

/// Connects to `address` of `remote`, over TLS where that is set; `alpn`: the protocol that the service must agree to then.
pub(super) async fn dial(
    address: SocketAddr,
    remote: &Remote,
    alpn: Option<&'static str>,
) -> Result<Io, AttemptError> {
    let refused = |error: io::Error| AttemptError::Connect(plain(&error));
    let tcp = TcpStream::connect(address).await.map_err(refused)?;
    tcp.set_nodelay(true).map_err(refused)?;
    SockRef::from(&tcp)
        .set_tcp_keepalive(&TcpKeepalive::new().with_time(TCP_KEEPALIVE))
        .map_err(refused)?;
    match &remote.tls {
        Some(tls) => Ok(Io::tls(tls::handshake(tcp, remote, tls, alpn).await?)),
        None => Ok(Io::plain(tcp)),
    }
}

/// "connection refused" and not "Connection refused (os error 111)".
pub(super) fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_lowercase()
}

/// A socket to a service.
pub(super) struct Io {
    stream: Stream,
    since: Instant,
    heard_ms: Arc<AtomicU64>,
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Io {
    pub(super) fn plain(stream: TcpStream) -> Self {
        Self::new(Stream::Plain(stream))
    }

    pub(super) fn tls(stream: TlsStream<TcpStream>) -> Self {
        Self::new(Stream::Tls(Box::new(stream)))
    }

    /// Notes in `heard_ms` how long after `since` the last bytes were read.
    pub(super) fn watched(self, since: Instant, heard_ms: Arc<AtomicU64>) -> Self {
        Self { since, heard_ms, ..self }
    }

    fn new(stream: Stream) -> Self {
        Self { stream, since: Instant::now(), heard_ms: Arc::default() }
    }
}

impl AsyncRead for Io {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Stream::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        };
        if buf.filled().len() > before {
            let heard = u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX);
            self.heard_ms.store(heard, Relaxed);
        }
        polled
    }
}

impl AsyncWrite for Io {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Stream::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            Stream::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match &self.stream {
            Stream::Plain(stream) => stream.is_write_vectored(),
            Stream::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
