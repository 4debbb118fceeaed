//! Connections to HTTP servers that the bridge asks of its own accord: collectors, issuers of tokens, another bridge's admin port.
//! Knows TCP and TLS, and nothing of what is asked.

use crate::{route::Tls, tls};
use http::Uri;
use hyper_util::{client::legacy::connect, rt::TokioIo};
use rustls_pki_types::ServerName;
use std::{
    future::Future,
    io,
    pin::Pin,
    task::{Context, Poll},
};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// Connects by the scheme of the URI.
#[derive(Debug, Clone)]
pub(crate) struct Connector {
    /// For `https`.
    pub(crate) tls: Tls,
    /// What must be spoken over TLS.
    pub(crate) alpn: &'static str,
}

impl tower::Service<Uri> for Connector {
    type Response = Connected;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Connected>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connector = self.clone();
        Box::pin(async move { connect(connector, &uri).await })
    }
}

async fn connect(connector: Connector, uri: &Uri) -> io::Result<Connected> {
    let secure = uri.scheme_str() == Some("https");
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
    let tcp = TcpStream::connect((host, port)).await?;
    tcp.set_nodelay(true)?;
    if !secure {
        return Ok(Connected(TokioIo::new(Box::new(tcp))));
    }
    let Connector { tls, alpn } = connector;
    let config = tokio::task::spawn_blocking(move || tls::client_config(&tls, Some(alpn)))
        .await
        .map_err(io::Error::other)?
        .map_err(io::Error::other)?;
    let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
    let stream = TlsConnector::from(config).connect(name, tcp).await?;
    Ok(Connected(TokioIo::new(Box::new(stream))))
}

/// A connection, plain or TLS, as hyper takes it.
pub(crate) struct Connected(TokioIo<tls::Socket>);

impl connect::Connection for Connected {
    fn connected(&self) -> connect::Connected {
        connect::Connected::new()
    }
}

impl hyper::rt::Read for Connected {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: hyper::rt::ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl hyper::rt::Write for Connected {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

/// An error, and what it came from.
pub(crate) fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
