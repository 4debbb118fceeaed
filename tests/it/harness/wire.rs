//! A connection that carries lines, byte for byte. Knows LF and nothing else.

use super::soon;
use socket2::SockRef;
use std::{io::ErrorKind, mem::MaybeUninit, net::SocketAddr, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// One end of it.
#[derive(Debug)]
pub(crate) struct Wire {
    stream: TcpStream,
    unread: Vec<u8>,
}

impl Wire {
    pub(super) fn new(stream: TcpStream) -> Self {
        stream.set_nodelay(true).unwrap();
        Self { stream, unread: Vec::new() }
    }

    pub(super) async fn connect(address: SocketAddr) -> Self {
        Self::new(soon("a connection", TcpStream::connect(address)).await.unwrap())
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        soon("room to write", self.stream.write_all(bytes.as_ref())).await.unwrap();
    }

    /// As `send`, to a peer that may have closed already.
    pub(crate) async fn try_send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = soon("room to write", self.stream.write_all(bytes.as_ref())).await;
    }

    /// The next line, without its end; `None` once the peer has closed its half.
    pub(crate) async fn bytes(&mut self) -> Option<Vec<u8>> {
        loop {
            if let Some(end) = self.unread.iter().position(|byte| *byte == b'\n') {
                let mut line: Vec<u8> = self.unread.drain(..=end).collect();
                line.pop();
                return Some(line);
            }
            if !self.read().await {
                assert!(self.unread.is_empty(), "a line without its end: {:?}", self.unread);
                return None;
            }
        }
    }

    /// As `bytes`, for people.
    pub(crate) async fn line(&mut self) -> Option<String> {
        self.bytes().await.map(|line| String::from_utf8_lossy(&line).into_owned())
    }

    /// Everything up to and with `end`.
    pub(crate) async fn up_to(&mut self, end: &[u8]) -> Vec<u8> {
        loop {
            let found = self.unread.windows(end.len()).position(|bytes| bytes == end);
            if let Some(at) = found {
                return self.unread.drain(..at + end.len()).collect();
            }
            let text = String::from_utf8_lossy(&self.unread).into_owned();
            assert!(self.read().await, "closed behind {text:?}");
        }
    }

    /// Everything until the peer closes its half.
    pub(crate) async fn rest(&mut self) -> Vec<u8> {
        while self.read().await {}
        std::mem::take(&mut self.unread)
    }

    /// Whether nothing is there to be read now.
    pub(crate) fn is_quiet(&self) -> bool {
        let peeked = SockRef::from(&self.stream).peek(&mut [MaybeUninit::uninit()]);
        self.unread.is_empty() && peeked.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
    }

    /// Says that nothing follows; what comes can still be read.
    pub(crate) async fn half_close(&mut self) {
        let _ = self.stream.shutdown().await;
    }

    /// Closes with a reset, as a process does that is killed with bytes unread.
    pub(crate) fn reset(self) {
        SockRef::from(&self.stream).set_linger(Some(Duration::ZERO)).unwrap();
    }

    /// Whether more came.
    async fn read(&mut self) -> bool {
        let mut buffer = [0; 4096];
        match soon("what the bridge says", self.stream.read(&mut buffer)).await {
            Ok(0) | Err(_) => false,
            Ok(count) => {
                self.unread.extend_from_slice(&buffer[..count]);
                true
            }
        }
    }
}
