//! A TCP hop between Asterisk and an AGI server that writes down what passes, each line when its last byte came and
//! before it is passed on. Knows lines and nothing of AGI.

use crate::transcript::{Line, Transcript, Way};
use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
    task::JoinHandle,
    time::timeout,
};

/// A tap with a port of its own.
#[derive(Debug)]
pub struct Tap {
    address: SocketAddr,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    target: SocketAddr,
    connections: Mutex<Vec<Transcript>>,
    /// Connections that were accepted, and that both sides have closed.
    counts: watch::Sender<(usize, usize)>,
}

impl Tap {
    /// Listens on loopback and passes every connection on to `target`.
    ///
    /// # Panics
    /// When loopback has no free port.
    pub async fn start(target: SocketAddr) -> Self {
        let listener =
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("loopback has a free port");
        let address = listener.local_addr().expect("it is bound");
        let (counts, _) = watch::channel((0, 0));
        let shared = Arc::new(Shared { target, connections: Mutex::default(), counts });
        let task = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Self { address, shared, task }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What passed so far, a transcript for each connection, in the order in which they came.
    pub fn transcripts(&self) -> Vec<Transcript> {
        self.shared.lock().clone()
    }

    /// Waits until a connection came and every one is closed on both sides.
    ///
    /// # Panics
    /// When that takes longer than `limit`.
    pub async fn wait_until_closed(&self, limit: Duration) -> Vec<Transcript> {
        let mut counts = self.shared.counts.subscribe();
        let closed = counts.wait_for(|(accepted, closed)| *accepted > 0 && accepted == closed);
        if timeout(limit, closed).await.is_err() {
            panic!("not every connection was closed within {limit:?}: {:#?}", self.transcripts());
        }
        self.transcripts()
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Transcript>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, index: usize, way: Way, bytes: Option<Vec<u8>>) {
        self.lock()[index].lines.push(Line { way, bytes });
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((from, _)) = listener.accept().await {
        let index = {
            let mut connections = shared.lock();
            connections.push(Transcript::default());
            connections.len() - 1
        };
        shared.counts.send_modify(|(accepted, _)| *accepted += 1);
        tokio::spawn(connection(from, index, Arc::clone(&shared)));
    }
}

async fn connection(asterisk: TcpStream, index: usize, shared: Arc<Shared>) {
    if let Ok(server) = TcpStream::connect(shared.target).await {
        let _ = asterisk.set_nodelay(true);
        let _ = server.set_nodelay(true);
        let (from_asterisk, to_asterisk) = asterisk.into_split();
        let (from_server, to_server) = server.into_split();
        tokio::join!(
            pump(from_asterisk, to_server, Way::FromAsterisk, index, &shared),
            pump(from_server, to_asterisk, Way::ToAsterisk, index, &shared),
        );
    }
    shared.counts.send_modify(|(_, closed)| *closed += 1);
}

/// Passes one way on until its end, which is passed on too.
async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    way: Way,
    index: usize,
    shared: &Shared,
) {
    let mut line = Vec::new();
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        for byte in &buffer[..count] {
            if *byte == b'\n' {
                shared.note(index, way, Some(std::mem::take(&mut line)));
            } else {
                line.push(*byte);
            }
        }
        if to.write_all(&buffer[..count]).await.is_err() {
            break;
        }
    }
    if !line.is_empty() {
        shared.note(index, way, Some(line));
    }
    shared.note(index, way, None);
    let _ = to.shutdown().await;
}
