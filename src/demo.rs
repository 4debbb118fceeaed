//! The built-in service: a child is asked sums, types the answers on the phone, and hears a score.
//!
//! [`game`] holds the rules and [`service`] the call; [`caller`] is the child, for the demo. The service is written as an
//! example to copy: it uses nothing but the contract, and the sounds of Debian's `asterisk-core-sounds-en-gsm`.

pub mod caller;
pub mod game;
pub mod service;

pub use caller::CallerBrain;
pub use service::{Options, Said, Subtraction};

use crate::proto::call_service_server::CallServiceServer;
use std::time::Duration;
use tokio::net::TcpListener;
use tonic::transport::{Server, server::TcpIncoming};

/// HTTP/2's own default for a whole connection is 64 KiB: too little for a bridge that has hundreds of calls on it.
const CONNECTION_WINDOW_BYTES: u32 = 4 * 1024 * 1024;
/// A bridge that is gone is noticed after this and `KEEPALIVE_TIMEOUT`, and its calls here end.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(30);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);

/// Serves `game`, and `grpc.health.v1` beside it, until `stop` is done; then takes no new calls and returns once the
/// last one is over.
///
/// # Errors
/// When the server cannot go on.
pub async fn serve(
    listener: TcpListener,
    game: Subtraction,
    stop: impl Future<Output = ()>,
) -> Result<(), tonic::transport::Error> {
    let (health, health_service) = tonic_health::server::health_reporter();
    health.set_serving::<CallServiceServer<Subtraction>>().await;
    let stop = async {
        stop.await;
        health.set_not_serving::<CallServiceServer<Subtraction>>().await;
    };
    Server::builder()
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .http2_keepalive_interval(Some(KEEPALIVE_INTERVAL))
        .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
        .add_service(health_service)
        .add_service(CallServiceServer::new(game))
        .serve_with_incoming_shutdown(TcpIncoming::from(listener).with_nodelay(Some(true)), stop)
        .await
}

#[cfg(test)]
mod tests;
