//! A bridge in this process, with an Asterisk and a service that do whatever a test wants, wrong things included.

mod asterisk;
mod bridge;
mod service;

pub(crate) use asterisk::{Asterisk, PRELUDE};
pub(crate) use bridge::Bridge;
pub(crate) use service::{Service, command, end, raw};

use std::{future::Future, time::Duration};

/// No wait of a test is longer; none is expected to come near.
const PATIENCE: Duration = Duration::from_secs(20);

/// Waits with patience, and says what for.
pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(done) => done,
        Err(_) => panic!("waited {PATIENCE:?} for {what}"),
    }
}

/// Asks again until it is so, without guessing how long that takes.
pub(crate) async fn until(what: &str, mut so: impl FnMut() -> bool) {
    soon(what, async {
        while !so() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}
