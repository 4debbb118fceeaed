//! Accepts connections from Asterisk, on each core by itself, and turns away whoever may not connect.

mod proxied;
mod proxy;

use crate::{
    session::{self, Core},
    telemetry::metrics::{Connection, Rejection},
};
use arc_swap::ArcSwap;
use ipnet::IpNet;
use socket2::{Domain, Protocol, Socket, TcpKeepalive, Type};
use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};
use tokio::{net::TcpListener, sync::watch};
use tracing::{debug, warn};

/// Connections that the kernel holds until they are accepted.
const BACKLOG: i32 = 4096;
/// Balancers forget connections that are quiet for minutes.
const KEEPALIVE: Duration = Duration::from_secs(60);
/// After a failed accept, as without file descriptors: long enough for one to be given back.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Who may connect; replaced whole by a reload.
pub type Allow = Arc<ArcSwap<Networks>>;

/// Networks from which somebody may connect.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Networks {
    /// Where Asterisk is.
    pub allow: Vec<IpNet>,
    /// Where balancers are: each connection from there begins with a header of the PROXY protocol.
    pub proxies: Vec<IpNet>,
}

impl Networks {
    fn admits(&self, peer: IpAddr) -> bool {
        contains(&self.allow, peer)
    }
}

/// Whether the address is free. The cores share it, and so would a second bridge, without a word and with half the calls.
///
/// # Errors
/// When the address is in use, or may not be used.
pub fn is_free(address: SocketAddr) -> io::Result<()> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())
}

/// Binds a listener that shares its address with those of the other cores.
///
/// # Errors
/// When the address is in use by another program, or may not be used.
pub fn bind(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    // What is set here holds for every connection that is accepted: no system call for each.
    socket.set_tcp_nodelay(true)?;
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE / 4);
    socket.set_tcp_keepalive(&keepalive)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Accepts until `open` turns false. Each connection becomes a task of this core.
pub async fn run(
    listener: TcpListener,
    core: Arc<Core>,
    allow: Allow,
    mut open: watch::Receiver<bool>,
) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            closed = open.wait_for(|open| !open) => {
                debug!(closed = closed.is_ok(), "no longer listening");
                return;
            }
        };
        match accepted {
            Ok((stream, peer)) => {
                let networks = allow.load();
                if contains(&networks.proxies, peer.ip()) {
                    let (core, allow) = (Arc::clone(&core), Arc::clone(&allow));
                    tokio::spawn(proxied::serve(core, allow, stream, peer));
                } else if networks.admits(peer.ip()) {
                    tokio::spawn(session::serve(Arc::clone(&core), stream, peer));
                } else {
                    turn_away(&core, peer);
                }
            }
            Err(error) => {
                warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

fn turn_away(core: &Core, peer: SocketAddr) {
    core.metrics.connection(Connection::NotAllowed);
    core.metrics.rejected(Rejection::ProtocolError);
    debug!(%peer, "a peer outside of agi.allow");
}

fn contains(networks: &[IpNet], peer: IpAddr) -> bool {
    let peer = peer.to_canonical();
    networks.iter().any(|network| network.contains(&peer))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv4_peer_of_an_ipv6_socket_is_looked_up_as_ipv4() {
        let allow: Vec<IpNet> = vec!["10.0.0.0/8".parse().expect("a network")];
        assert!(contains(&allow, "::ffff:10.1.2.3".parse().expect("an address")));
        assert!(!contains(&allow, "::ffff:11.1.2.3".parse().expect("an address")));
        assert!(!contains(&allow, "::1".parse().expect("an address")));
    }

    #[tokio::test]
    async fn connections_have_the_options_of_their_listener() {
        let listener = bind("127.0.0.1:0".parse().expect("an address")).expect("a free port");
        let listener = TcpListener::from_std(listener).expect("a runtime");
        let address = listener.local_addr().expect("bound");
        let _asterisk = tokio::net::TcpStream::connect(address).await.expect("a listener");
        let (stream, _) = listener.accept().await.expect("a connection");
        let socket = socket2::SockRef::from(&stream);
        assert!(socket.tcp_nodelay().expect("known") && socket.keepalive().expect("known"));
    }

    #[tokio::test]
    async fn two_cores_share_one_address() {
        let first = bind("127.0.0.1:0".parse().expect("an address")).expect("a free port");
        let address = first.local_addr().expect("bound");
        bind(address).expect("the second core");
        let error = is_free(address).expect_err("it is ours");
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    }
}
