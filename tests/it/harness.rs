//! A bridge in this process, with an Asterisk and services of every kind that do whatever a test wants, wrong things
//! included.

mod asterisk;
mod bridge;
mod caller;
mod collector;
mod fastagi;
mod script;
mod service;
mod serving;
mod websocket;
mod wire;
mod worker;

pub(crate) use asterisk::{Asterisk, PRELUDE};
pub(crate) use bridge::Bridge;
pub(crate) use caller::{Doors, Held, register};
pub(crate) use collector::{
    Collector, Manner, attributes, failed, only, variables as collector_variables,
};
pub(crate) use fastagi::{FastAgi, Program};
pub(crate) use script::Script;
pub(crate) use service::{Caller, Service, command, end, raw};
pub(crate) use serving::{Serving, file, next, program};
pub(crate) use websocket::WebSocketService;
pub(crate) use worker::{Worker, client, hello};

use std::{future::Future, net::SocketAddr, time::Duration};

/// No wait of a test is longer; none is expected to come near.
const PATIENCE: Duration = Duration::from_secs(20);

/// Waits with patience, and says what for.
pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    within(PATIENCE, what, future).await
}

/// As `soon`, for the one wait that a limit of the bridge makes longer.
pub(crate) async fn within<T>(
    patience: Duration,
    what: &str,
    future: impl Future<Output = T>,
) -> T {
    match tokio::time::timeout(patience, future).await {
        Ok(done) => done,
        Err(_) => panic!("waited {patience:?} for {what}"),
    }
}

/// Asks again until it is so, without guessing how long that takes.
pub(crate) async fn until(what: &str, mut so: impl FnMut() -> bool) {
    /// Whoever only asks leaves the processor to those who work.
    const PAUSE: Duration = Duration::from_millis(1);
    soon(what, async {
        while !so() {
            tokio::time::sleep(PAUSE).await;
        }
    })
    .await;
}

/// Where nobody listens.
pub(crate) fn nowhere() -> SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}
