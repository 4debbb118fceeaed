//! The task of a link: connects, logs in, serves, and begins again, for as long as the link is wanted. Tells how it is.

use super::{
    connect::{self, Wire},
    hub::{Hub, ServerState},
    link::Job,
    login::{LoginError, Opening},
    packet::{Limits, Reader},
    serve::Session,
    server::Server,
};
use crate::{
    backoff::{Backoff, jittered},
    telemetry::metrics::ManagerMetrics,
};
use std::{future::Future, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep, timeout},
};
use tracing::{debug, info, warn};

/// For a name to be looked up, the connection, and TLS.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

const RETRY_FIRST: Duration = Duration::from_millis(250);
const RETRY_CAP: Duration = Duration::from_secs(10);

/// Where trying again does not help before somebody changes something: Asterisk's log and its bans are spared.
const RETRY_REFUSED: Duration = Duration::from_secs(30);

/// A link that held so long was a good one: the next retries begin anew.
const STABLE: Duration = Duration::from_secs(10);

/// One link's task.
pub(super) struct Runner {
    pub(super) server: Server,
    pub(super) jobs: mpsc::Receiver<Job>,
    pub(super) state: watch::Sender<ServerState>,
    pub(super) hub: Arc<Hub>,
    pub(super) metrics: Arc<ManagerMetrics>,
}

/// A connection that is logged in.
struct Opened {
    wire: Box<dyn Wire>,
    reader: Reader,
    version: String,
    address: SocketAddr,
}

/// Why there is no session, and whether to wait long.
struct Down {
    detail: String,
    is_lasting: bool,
}

impl Runner {
    /// Until it is dropped.
    pub(super) async fn run(mut self) {
        let mut backoff = Backoff::new(RETRY_FIRST, RETRY_CAP);
        loop {
            let server = self.server.clone();
            let begun = Instant::now();
            let down = match self.refusing(open(&server)).await {
                Ok(opened) => {
                    let detail = self.serve(opened).await;
                    if begun.elapsed() > STABLE {
                        backoff.reset();
                    }
                    Down { detail, is_lasting: false }
                }
                Err(down) => down,
            };
            self.is_down(&down);
            let wait = if down.is_lasting { jittered(RETRY_REFUSED) } else { backoff.next() };
            self.refusing(sleep(wait)).await;
        }
    }

    async fn serve(&mut self, opened: Opened) -> String {
        let Opened { wire, reader, version, address } = opened;
        info!(server = %self.server.name, %version, "connected to asterisk's manager");
        self.metrics.set_connected(true);
        self.tell(ServerState::up(&self.server.name, version, address));
        let session = Session {
            server: &self.server.name,
            reader,
            jobs: &mut self.jobs,
            hub: &self.hub,
            metrics: &self.metrics,
        };
        let error = session.serve(wire).await;
        self.metrics.set_connected(false);
        error.to_string()
    }

    fn is_down(&self, down: &Down) {
        let server = &self.server.name;
        let before = self.state.borrow().clone();
        if before.connected || *before.detail != *down.detail {
            warn!(%server, "not connected to asterisk's manager: {}", down.detail);
            self.tell(ServerState::down(server, down.detail.as_str()));
        } else {
            debug!(%server, "not connected to asterisk's manager yet: {}", down.detail);
        }
    }

    fn tell(&self, state: ServerState) {
        self.state.send_replace(state.clone());
        self.hub.set_state(state);
    }

    /// Waits for `what`. Actions that come meanwhile are not kept for later: whoever asked is told at once.
    async fn refusing<T>(&mut self, what: impl Future<Output = T>) -> T {
        tokio::pin!(what);
        loop {
            tokio::select! {
                done = &mut what => return done,
                // Dropped unwritten, it says so itself.
                Some(_) = self.jobs.recv() => {}
            }
        }
    }
}

async fn open(server: &Server) -> Result<Opened, Down> {
    let passing = |detail: String| Down { detail, is_lasting: false };
    let (mut wire, address) = timeout(CONNECT_TIMEOUT, connect::connect(&server.remote))
        .await
        .map_err(|_| passing(format!("no connection within {CONNECT_TIMEOUT:?}")))?
        .map_err(|error| passing(error.to_string()))?;
    let mut reader = Reader::new(Limits::default());
    let version = Opening { wire: &mut *wire, reader: &mut reader }.login(server).await.map_err(
        |error: LoginError| Down { is_lasting: error.is_lasting(), detail: error.to_string() },
    )?;
    Ok(Opened { wire, reader, version, address })
}
