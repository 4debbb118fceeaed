//! A connection to a manager port, plain or TLS. Knows nothing of what is said there.

use crate::{
    route::Remote,
    tls::{self, TlsError},
};
use socket2::{SockRef, TcpKeepalive};
use std::{io, net::SocketAddr, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};

/// Balancers forget quiet connections after minutes.
const TCP_KEEPALIVE: Duration = Duration::from_secs(60);

/// The bytes of a connection.
pub(super) trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

/// No connection came about.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConnectError {
    #[error("no connection: {0}")]
    Tcp(#[from] io::Error),
    #[error("no TLS connection: {0}")]
    Tls(#[from] TlsError),
}

/// The connection, and where it leads.
pub(super) async fn connect(remote: &Remote) -> Result<(Box<dyn Wire>, SocketAddr), ConnectError> {
    let tcp = TcpStream::connect((remote.host.as_str(), remote.port)).await?;
    tcp.set_nodelay(true)?;
    SockRef::from(&tcp).set_tcp_keepalive(&TcpKeepalive::new().with_time(TCP_KEEPALIVE))?;
    let address = tcp.peer_addr()?;
    let wire: Box<dyn Wire> = match &remote.tls {
        Some(tls) => Box::new(tls::handshake(tcp, &remote.host, tls, None).await?),
        None => Box::new(tcp),
    };
    Ok((wire, address))
}
