//! Asterisk's side of a socket, byte for byte as a test writes it.

use super::soon;
use std::net::SocketAddr;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// What Asterisk sends first, for the path `/test/red?lang=en`.
pub(crate) const PRELUDE: &str = "agi_network: yes\n\
    agi_network_script: test/red?lang=en\n\
    agi_request: agi://127.0.0.1/test/red?lang=en\n\
    agi_channel: Local/100@lab-00000001;1\n\
    agi_language: en\n\
    agi_type: Local\n\
    agi_uniqueid: 1795219769.0\n\
    agi_version: 22.10.1\n\
    agi_callerid: 3200\n\
    agi_calleridname: Alice\n\
    agi_callingpres: 0\n\
    agi_callingani2: 0\n\
    agi_callington: 0\n\
    agi_callingtns: 0\n\
    agi_dnid: unknown\n\
    agi_rdnis: unknown\n\
    agi_context: lab\n\
    agi_extension: 100\n\
    agi_priority: 1\n\
    agi_enhanced: 0.0\n\
    agi_accountcode: \n\
    agi_threadid: 139722345477824\n\
    agi_arg_1: one\n\
    \n";

/// A connection to the bridge.
#[derive(Debug)]
pub(crate) struct Asterisk {
    stream: TcpStream,
    unread: Vec<u8>,
}

impl Asterisk {
    /// Connects, and says nothing yet.
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let stream = soon("a connection", TcpStream::connect(address)).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, unread: Vec::new() }
    }

    /// Connects and sends [`PRELUDE`].
    pub(crate) async fn call(address: SocketAddr) -> Self {
        let mut asterisk = Self::connect(address).await;
        asterisk.send(PRELUDE).await;
        asterisk
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        soon("room to write", self.stream.write_all(bytes.as_ref())).await.unwrap();
    }

    /// As `send`, to a peer that may have closed already.
    pub(crate) async fn try_send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = soon("room to write", self.stream.write_all(bytes.as_ref())).await;
    }

    /// The next line, without its end; `None` once the bridge has closed its half.
    pub(crate) async fn line(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.unread.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.unread.drain(..=end).collect();
                return Some(String::from_utf8_lossy(&line[..end]).into_owned());
            }
            let mut buffer = [0; 4096];
            let read = soon("a line of the bridge", self.stream.read(&mut buffer)).await;
            match read {
                Ok(0) | Err(_) => {
                    assert!(self.unread.is_empty(), "a line without its end: {:?}", self.unread);
                    return None;
                }
                Ok(count) => self.unread.extend_from_slice(&buffer[..count]),
            }
        }
    }

    /// Expects this line, and answers it.
    pub(crate) async fn expect(&mut self, line: &str, reply: &str) {
        assert_eq!(self.line().await.as_deref(), Some(line));
        self.send(reply).await;
    }

    /// Answers every line with `200 result=1` until the bridge closes its half, as Asterisk ends a session; the lines.
    pub(crate) async fn finish(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        while let Some(line) = self.line().await {
            if line != "failure" {
                self.try_send("200 result=1\n").await;
            }
            lines.push(line);
        }
        self.try_send("HANGUP\n").await;
        let _ = self.stream.shutdown().await;
        lines
    }

    /// Closes without another word.
    pub(crate) async fn close(mut self) {
        let _ = self.stream.shutdown().await;
    }
}
