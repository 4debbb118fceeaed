//! A port of the bridge's own: its places, its TLS, and the end of its connections. Knows nothing of what is asked there.

use crate::{
    access::Peer,
    tls::{Acceptor, Socket},
};
use std::{net::SocketAddr, pin::pin, sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{interval, sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{debug, warn};

/// For connections to end once the port closes.
const STOP_TIMEOUT: Duration = Duration::from_secs(1);
/// When the process has no file descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Files that are not in order are told of also while nobody connects.
const FILES_PERIOD: Duration = Duration::from_secs(30);

/// A port, and what its clients may take before they ask anything.
#[derive(Debug, Clone)]
pub(crate) struct Port {
    /// For the log.
    pub(crate) name: &'static str,
    /// Connections at once; one more waits in the kernel.
    pub(crate) connections: usize,
    /// For a TLS handshake.
    pub(crate) handshake: Duration,
    /// None: plain text.
    pub(crate) tls: Option<Arc<Acceptor>>,
    /// What every connection is set to.
    pub(crate) prepare: fn(&TcpStream),
}

impl Port {
    /// Accepts until `stop` is done; then `closing` tells connections to end. Each is served by `serve`, and holds its place
    /// until that returns.
    pub(crate) async fn run<S, F>(
        self,
        listener: TcpListener,
        closing: CancellationToken,
        stop: impl Future<Output = ()>,
        serve: S,
    ) where
        S: Fn(Socket, Peer) -> F + Send + Sync + 'static,
        F: Future<Output = ()> + Send,
    {
        let mut stop = pin!(stop);
        let connections = TaskTracker::new();
        let places = Arc::new(Semaphore::new(self.connections));
        let (port, serve) = (Arc::new(self), Arc::new(serve));
        let mut files = interval(FILES_PERIOD);
        loop {
            let (place, tcp, address) = tokio::select! {
                () = &mut stop => break,
                accepted = port.accept(&listener, &places) => accepted,
                _ = files.tick(), if port.tls.is_some() => {
                    port.look_at_files();
                    continue;
                }
            };
            let (port, serve, closing) = (Arc::clone(&port), Arc::clone(&serve), closing.clone());
            connections.spawn(async move {
                let _place = place;
                let greeted = closing.run_until_cancelled(port.greet(tcp, address)).await;
                if let Some(Some((socket, peer))) = greeted {
                    serve(socket, peer).await;
                }
            });
        }
        drop(listener);
        closing.cancel();
        connections.close();
        let _unfinished = timeout(STOP_TIMEOUT, connections.wait()).await;
    }

    async fn accept(
        &self,
        listener: &TcpListener,
        places: &Arc<Semaphore>,
    ) -> (OwnedSemaphorePermit, TcpStream, SocketAddr) {
        let place = Arc::clone(places).acquire_owned().await.expect("it is never closed");
        loop {
            match listener.accept().await {
                Ok((socket, peer)) => return (place, socket, peer),
                Err(error) => {
                    warn!(%error, port = self.name, "a port cannot accept");
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    async fn greet(&self, tcp: TcpStream, address: SocketAddr) -> Option<(Socket, Peer)> {
        (self.prepare)(&tcp);
        let Some(tls) = &self.tls else {
            return Some((Box::new(tcp), Peer { address, certificate: None }));
        };
        match timeout(self.handshake, Arc::clone(tls).accept(tcp)).await {
            Ok(Ok((socket, certificate))) => Some((socket, Peer { address, certificate })),
            Ok(Err(error)) => {
                debug!(peer = %address, port = self.name, error, "no tls with a client");
                None
            }
            Err(_) => {
                debug!(peer = %address, port = self.name, "a client is too slow in its handshake");
                None
            }
        }
    }

    fn look_at_files(&self) {
        if let Some(tls) = self.tls.clone() {
            tokio::task::spawn_blocking(move || tls.look());
        }
    }
}
