//! What the measuring roles share on the socket side: where connections come from, and the word that says where
//! a server listens.

use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use std::{
    io::{self, Write},
    net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener},
    time::Duration,
};

/// Room for connections that are not accepted yet; the kernel cuts it to `net.core.somaxconn`.
const BACKLOG: i32 = 4096;

/// Loopback addresses to come from, in turn: one alone has 28,000 ports.
const SOURCES: usize = 16;

/// A nonblocking listener on a free loopback port.
pub(crate) fn listen() -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
    socket.bind(&SockAddr::from(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0)))?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// Tells the parent where this role listens.
pub(crate) fn say_ready(listener: &TcpListener) -> io::Result<()> {
    say(&format!("ready {}", listener.local_addr()?))
}

/// A line to the parent.
pub(crate) fn say(line: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}

/// Begins to connect from the `number`th source address, as Asterisk does: with Nagle's algorithm left on.
pub(crate) fn begin_connect(target: SocketAddr, number: usize) -> io::Result<std::net::TcpStream> {
    let socket = from_source(number)?;
    socket.set_nonblocking(true)?;
    match socket.connect(&SockAddr::from(target)) {
        // EINPROGRESS: goes on by itself.
        Err(error) if error.raw_os_error() != Some(115) => Err(error),
        _ => Ok(socket.into()),
    }
}

/// Connects from the `number`th source address, waiting for at most `patience`.
pub(crate) fn connect(
    target: SocketAddr,
    number: usize,
    patience: Duration,
) -> io::Result<std::net::TcpStream> {
    let socket = from_source(number)?;
    socket.connect_timeout(&SockAddr::from(target), patience)?;
    Ok(socket.into())
}

fn from_source(number: usize) -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
    let source = Ipv4Addr::new(127, 0, 1, 1 + (number % SOURCES) as u8);
    socket.bind(&SockAddr::from(SocketAddrV4::new(source, 0)))?;
    Ok(socket)
}
