//! The port of a service: bound so that others may hold the same one for it, and given up while its calls go on. Knows
//! sockets, and nothing of what is said on them.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
};
use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    sync::{mpsc, watch},
};
use tokio_stream::wrappers::ReceiverStream;

/// Connections that wait to be accepted: a bridge brings all its calls at once.
const BACKLOG: u32 = 1024;
/// Connections that were accepted and wait for the service.
const ACCEPTED_MAX: usize = 1;

/// Listens there; `None`: on any port of loopback.
///
/// # Panics
/// When somebody else listens there.
pub(super) fn listen(address: Option<SocketAddr>) -> (TcpListener, SocketAddr) {
    let address = address.unwrap_or_else(|| SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    let listener = bind(address).unwrap_or_else(|err| panic!("{address}: {err}"));
    let address = listener.local_addr().expect("it is bound");
    (listener, address)
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.set_reuseport(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// What connects, until `stop` is true: then nobody listens any more.
pub(super) fn accept(
    listener: TcpListener,
    mut stop: watch::Receiver<bool>,
) -> ReceiverStream<io::Result<TcpStream>> {
    let (accepted, connections) = mpsc::channel(ACCEPTED_MAX);
    tokio::spawn(async move {
        loop {
            let socket = tokio::select! {
                socket = listener.accept() => socket,
                () = stopped(&mut stop) => return,
                () = accepted.closed() => return,
            };
            let socket = socket.map(|(socket, _)| {
                let _ = socket.set_nodelay(true);
                socket
            });
            if accepted.send(socket).await.is_err() {
                return;
            }
        }
    });
    ReceiverStream::new(connections)
}

/// Returns once `stop` is true.
pub(super) async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}
