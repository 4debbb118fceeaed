//! A connection of a balancer: whose it is stands in front of it. From then on it is as if that peer had connected itself.

use super::{
    Allow,
    proxy::{self, HeaderError, START_BYTES, Source},
};
use crate::{
    session::{self, Core},
    telemetry::metrics::{Connection, Rejection},
};
use std::{io, net::SocketAddr, sync::Arc};
use tokio::{io::AsyncReadExt as _, net::TcpStream, time::timeout};
use tracing::{debug, warn};

/// Why there is no peer to speak with.
#[derive(Debug, thiserror::Error)]
enum NoPeer {
    #[error("it closed without a word")]
    Probe,
    #[error("it closed in the middle of its PROXY protocol header")]
    Cut,
    #[error(transparent)]
    Header(#[from] HeaderError),
}

/// Reads the header within the time for a prelude, and serves whoever is named there, if he may connect.
pub(super) async fn serve(
    core: Arc<Core>,
    allow: Allow,
    mut stream: TcpStream,
    balancer: SocketAddr,
) {
    let Some(waiting) = session::enter(&core, &stream, balancer) else { return };
    let limit = core.shared.rules.load().prelude_timeout;
    let read = timeout(limit, header(&mut stream)).await;
    drop(waiting);
    match read {
        Ok(Ok(Source::Peer(peer))) if allow.load().admits(peer.ip()) => {
            session::serve(core, stream, peer).await;
        }
        Ok(Ok(Source::Peer(peer))) => super::turn_away(&core, peer),
        Ok(Ok(Source::Local) | Err(NoPeer::Probe)) => core.metrics.connection(Connection::Probe),
        Ok(Err(fault @ NoPeer::Cut)) => {
            core.metrics.connection(Connection::Broken);
            debug!(%balancer, %fault, "a connection that is no call");
        }
        Ok(Err(fault @ NoPeer::Header(_))) => {
            core.metrics.connection(Connection::ProxyHeaderInvalid);
            core.metrics.rejected(Rejection::ProtocolError);
            warn!(%balancer, %fault, "a connection of agi.proxy_protocol that is no call");
        }
        Err(_) => {
            core.metrics.connection(Connection::PreludeTimeout);
            debug!(%balancer, "a PROXY protocol header did not come in time");
        }
    }
}

/// Reads the header and not a byte more.
async fn header(stream: &mut TcpStream) -> Result<Source, NoPeer> {
    let mut first = [0; START_BYTES];
    let mut filled = 0;
    while filled < START_BYTES {
        match stream.read(&mut first[filled..]).await {
            Ok(0) | Err(_) if filled == 0 => return Err(NoPeer::Probe),
            Ok(0) | Err(_) => return Err(NoPeer::Cut),
            Ok(read) => filled += read,
        }
    }
    let mut rest = vec![0; proxy::start(&first)?.rest];
    let read: io::Result<usize> = stream.read_exact(&mut rest).await;
    read.map_err(|_| NoPeer::Cut)?;
    Ok(proxy::source(&first, &rest)?)
}
