//! An existing FastAGI server, byte for byte as a test writes it.

use super::{soon, wire::Wire};
use socket2::{Domain, Socket, Type};
use std::{
    net::SocketAddr,
    ops::{Deref, DerefMut},
};
use tokio::net::TcpListener;

/// Listens, and does nothing by itself.
#[derive(Debug)]
pub(crate) struct FastAgi {
    listener: TcpListener,
    address: SocketAddr,
}

/// One of its connections: what follows the prelude.
#[derive(Debug)]
pub(crate) struct Program {
    pub(crate) prelude: Vec<u8>,
    wire: Wire,
}

impl FastAgi {
    pub(crate) fn listen() -> Self {
        Self::with_buffer(None)
    }

    /// Its kernel holds no more than some `bytes` for it that it does not read.
    pub(crate) fn with_buffer(bytes: impl Into<Option<usize>>) -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        if let Some(bytes) = bytes.into() {
            socket.set_recv_buffer_size(bytes).unwrap();
        }
        socket.set_nonblocking(true).unwrap();
        socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
        socket.listen(64).unwrap();
        let listener = TcpListener::from_std(socket.into()).unwrap();
        let address = listener.local_addr().unwrap();
        Self { listener, address }
    }

    /// Where it is; `path` with its `/`, or nothing.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("agi://{}{path}", self.address)
    }

    /// The next call, with its prelude.
    pub(crate) async fn accept(&self) -> Program {
        let (stream, _) = soon("a call", self.listener.accept()).await.unwrap();
        let mut wire = Wire::new(stream);
        let prelude = wire.up_to(b"\n\n").await;
        Program { prelude, wire }
    }
}

impl Program {
    /// Only its connection.
    pub(crate) fn into_wire(self) -> Wire {
        self.wire
    }

    /// Wants this line next.
    pub(crate) async fn hears(&mut self, line: &str) {
        assert_eq!(self.line().await.as_deref(), Some(line));
    }
}

impl Deref for Program {
    type Target = Wire;

    fn deref(&self) -> &Wire {
        &self.wire
    }
}

impl DerefMut for Program {
    fn deref_mut(&mut self) -> &mut Wire {
        &mut self.wire
    }
}
