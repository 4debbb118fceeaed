//! A request over a connection of its own. Knows just enough of HTTP; nothing of what is asked for.

use std::net::SocketAddr;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// The status and the body of an answer; `accept`: which media types, if any are preferred.
pub async fn get(address: SocketAddr, path: &str, accept: &str) -> Option<(u16, String)> {
    let accept = if accept.is_empty() { String::new() } else { format!("Accept: {accept}\r\n") };
    ask(address, "GET", path, &accept).await
}

/// As `get`, with another method, and with header lines.
pub async fn ask(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &str,
) -> Option<(u16, String)> {
    let mut socket = TcpStream::connect(address).await.ok()?;
    // A connection for each request: no length and no pieces to be read.
    let request = format!("{method} {path} HTTP/1.0\r\nHost: {address}\r\n{headers}\r\n");
    socket.write_all(request.as_bytes()).await.ok()?;
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some((status, body.to_owned()))
}
