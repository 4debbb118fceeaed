//! Existing FastAGI servers: a connection for each call, which begins with the prelude. Knows no order of addresses, nor
//! what follows the prelude.

use super::{
    Opening,
    address::Active,
    error::{AttemptError, Phase, Refusal},
    io::plain,
    raw::{Peer, RawLink},
};
use crate::route::{Remote, Service};
use bytes::{Buf as _, Bytes};
use rustix::io::Errno;
use socket2::{Domain, SockRef, Socket, TcpKeepalive, Type};
use std::{
    io,
    net::{Shutdown, SocketAddr},
    sync::Arc,
};
use tokio::{
    io::Interest,
    net::TcpStream,
    time::{Instant, timeout_at},
};

/// Probes that may stay without an answer before the peer's machine is taken for dead.
const KEEPALIVE_PROBES: u32 = 3;

/// Connects to the address of `active` by `connect_by`, and sends the prelude: as it is, or as if Asterisk had called
/// `path` there. The server has the call then; nothing is expected back.
pub(super) async fn open(
    service: &Arc<Service>,
    remote: &Remote,
    path: Option<&str>,
    opening: &Opening,
    active: Active,
    connect_by: Instant,
) -> Result<RawLink, Refusal> {
    let authority = remote.authority();
    let argument = opening.trace_argument();
    let request = path.map(|path| (authority.as_str(), path));
    let prelude = opening.prelude.for_server(request, argument.as_deref());
    let refused = |error: io::Error| AttemptError::Connect(plain(&error));
    let mut server = Server::dial(service, active, prelude).map_err(refused)?;
    match timeout_at(connect_by, server.connected()).await {
        Err(_) => return Err(AttemptError::Timeout(Phase::Connecting).into()),
        Ok(connected) => connected.map_err(refused)?,
    }
    let unsent = server.begin();
    Ok(RawLink::new(Peer::Server(server), &unsent, service.clone()))
}

/// A connection to a server.
pub(super) struct Server {
    pub(super) stream: TcpStream,
    /// Not sent yet.
    prelude: Bytes,
    active: Active,
}

impl Server {
    /// Begins to connect.
    fn dial(service: &Service, active: Active, prelude: Bytes) -> io::Result<Self> {
        let address = active.address().socket();
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        // All is set before there is a connection: none is given up for a setting.
        socket.set_tcp_nodelay(true)?;
        let (idle, patience) = (service.keepalive_interval, service.keepalive_timeout);
        let probes = TcpKeepalive::new()
            .with_time(idle)
            .with_interval(patience / KEEPALIVE_PROBES)
            .with_retries(KEEPALIVE_PROBES);
        socket.set_tcp_keepalive(&probes)?;
        // While bytes are on their way no probe is sent, and the kernel would repeat them for a quarter of an hour.
        #[cfg(target_os = "linux")]
        socket.set_tcp_user_timeout(Some(idle + patience))?;
        match socket.connect(&address.into()) {
            Ok(()) => {}
            Err(error) if error.raw_os_error() == Some(Errno::INPROGRESS.raw_os_error()) => {}
            Err(error) => return Err(error),
        }
        Ok(Self { stream: TcpStream::from_std(socket.into())?, prelude, active })
    }

    async fn connected(&mut self) -> io::Result<()> {
        loop {
            self.stream.writable().await?;
            let connected = self.stream.try_io(Interest::WRITABLE, || {
                if let Some(error) = self.stream.take_error()? {
                    return Err(error);
                }
                match self.stream.peer_addr() {
                    Ok(_) => Ok(()),
                    Err(error) if error.kind() == io::ErrorKind::NotConnected => {
                        Err(io::ErrorKind::WouldBlock.into())
                    }
                    Err(error) => Err(error),
                }
            });
            match connected {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                connected => return connected,
            }
        }
    }

    /// Sends the prelude, and gives back what the kernel did not take of it.
    fn begin(&mut self) -> Bytes {
        let mut prelude = std::mem::take(&mut self.prelude);
        let sent = self.stream.try_write(&prelude).unwrap_or(0);
        prelude.advance(sent);
        prelude
    }

    /// Where it listens.
    pub(super) fn endpoint(&self) -> SocketAddr {
        self.active.address().socket()
    }

    /// Half-closes the connection.
    pub(super) fn close_writing(&self) {
        // The peer may have been faster: then there is nothing left to close.
        let _ = SockRef::from(&self.stream).shutdown(Shutdown::Write);
    }
}

impl Drop for Server {
    /// A connection that came about just when it was given up is one that the server has accepted; and there are servers
    /// that a bare connect and close freezes. On one that did not come about this does nothing.
    fn drop(&mut self) {
        if !self.prelude.is_empty() {
            let _ = SockRef::from(&self.stream).send(&self.prelude);
        }
    }
}
