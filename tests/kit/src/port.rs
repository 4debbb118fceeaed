//! A port of loopback that nobody else gets. Knows sockets, and nothing of who is to listen there.

use socket2::{Domain, Socket, Type};
use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
};

/// Bound and never listening: connections are refused while nobody listens there too, who must share the port
/// (SO_REUSEPORT). Given up when the socket is dropped.
///
/// # Errors
/// When loopback has no port.
pub fn reserve() -> io::Result<(Socket, SocketAddr)> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
    let address = socket.local_addr()?.as_socket();
    let address = address.ok_or_else(|| io::Error::other("no address"))?;
    Ok((socket, address))
}
