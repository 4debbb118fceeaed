//! The API port: where workers dial in, and clients of the manager, by gRPC and by WebSocket. Knows who may register for which group,
//! and nothing of which worker gets a call.
//!
//! | request | what it is |
//! |---|---|
//! | `agibridge.v1.WorkerService/Register` | a worker announces itself, and is offered calls |
//! | `agibridge.v1.WorkerService/TakeCall` | a worker drives a call that it was offered |
//! | `grpc.health.v1.Health` | for `""` and each service |
//! | `agibridge.v1.ManagerService` | a client starts calls, sends actions, watches events |
//! | `GET /v1/manager` | the same over a WebSocket |
//! | `POST /v1/originate` | `Originate` for those who have nothing but HTTP |
//! | `GET /v1/originate?…` | the same, where the client lets signed URLs count |
//! | `GET /v1/events` | `WatchEvents` as server-sent events |
//! | `grpc.reflection.v1.ServerReflection` | what is served here |
//! | `GET /v1/worker` | `Register` over a WebSocket |
//! | `GET /v1/calls/{token}` | `TakeCall` over a WebSocket |
//!
//! It runs beside the cores. A call that was taken is read and written by its own core from then on.

mod body;
mod manager;
mod permission;
mod plain;
mod register;
mod routes;
mod server;
mod service;
#[cfg(test)]
mod tests;
mod websocket;

pub use permission::{Groups, Permit};

use crate::{
    access::Tokens,
    manage::Manage,
    tls::Acceptor,
    upstream::{Pings, Workers},
};
use arc_swap::ArcSwap;
use std::{sync::Arc, time::Duration};
use tokio::{net::TcpListener, sync::watch};

/// What is spoken over TLS.
pub const ALPN: [&str; 2] = ["h2", "http/1.1"];

/// Who may register; replaced whole by a reload.
pub type Permits = Arc<ArcSwap<Vec<Permit>>>;

/// The parts of the bridge that the port reaches.
#[derive(Debug, Clone)]
pub struct Parts {
    /// Unset: plain text.
    pub tls: Option<Arc<Acceptor>>,
    /// Checks the JWTs that workers show.
    pub tokens: Arc<Tokens>,
    /// Who may register.
    pub permits: Permits,
    /// Who has.
    pub workers: Arc<Workers>,
    /// What clients do with Asterisk.
    pub manage: Manage,
    /// Which bridge this is, as its pod's name.
    pub bridge_id: Arc<str>,
    /// How often a worker is asked whether it is there, and a proxy on the way shown that its stream is in use.
    pub heartbeat: Duration,
    /// Once true, no worker is held any more; the calls that they have go on.
    pub draining: watch::Receiver<bool>,
}

/// Half of what the most impatient proxies allow, and a bit.
pub const HEARTBEAT: Duration = Duration::from_secs(20);
/// A worker is gone when it does not answer a ping for so long.
const PONG_TIMEOUT: Duration = Duration::from_secs(10);

impl Parts {
    /// For WebSockets of workers and clients.
    fn pings(&self) -> Pings {
        Pings { interval: self.heartbeat, timeout: PONG_TIMEOUT }
    }
}

/// Serves workers until `stop` is done. Streams that are open then are cut off.
pub async fn serve(listener: TcpListener, parts: Parts, stop: impl Future<Output = ()>) {
    let limits = server::Limits { ping: parts.heartbeat, ..server::Limits::default() };
    server::run(listener, parts, limits, stop).await;
}
